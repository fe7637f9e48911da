"""Tests for the responses with the API reference at ``/docs``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.access_log import LOGGER
from siteassist_spec.reference import POLICY
from tests.values import API_KEY

if TYPE_CHECKING:
    from tests.mock.conftest import Client, MakeClient

FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
def root(client: Client) -> Client:
    """Create a client of the whole server, without a credential."""
    return client.below("")


def files(root: Client) -> list[str]:
    """Return the paths of the files that the page loads."""
    page = root.get("/docs").body.decode()
    return [f"/{path}" for path in re.findall(r'(?:src|href)="(docs/[^"]+)"', page)]


def test_page_and_its_files_are_served(root: Client) -> None:
    """Each file is public, has its media type, and has restrictive headers."""
    types = {".css": "text/css", ".js": "text/javascript", "docs": "text/html"}
    paths = ["/docs", *files(root)]
    assert 4 == len(paths)
    for path in paths:
        reply = root.get(path)
        ending = next(ending for ending in types if path.endswith(ending))
        assert (200, f"{types[ending]}; charset=utf-8") == (
            reply.status,
            reply.headers["content-type"],
        )
        assert POLICY == reply.headers["content-security-policy"]
        assert "nosniff" == reply.headers["x-content-type-options"]
        assert "no-referrer" == reply.headers["referrer-policy"]
        assert str(len(reply.body)) == reply.headers["content-length"]


def test_only_the_versioned_file_is_cached_forever(root: Client) -> None:
    """The library is immutable; other files must be revalidated."""
    kept = {path: root.get(path).headers["cache-control"] for path in ["/docs", *files(root)]}
    (library,) = [path for path in kept if path.startswith("/docs/redoc-")]
    assert FOREVER == kept.pop(library)
    assert {"public, no-cache"} == set(kept.values())


@pytest.mark.parametrize(
    ("known", "status"), [("{}", 304), ("W/{}", 304), ('"other", {}', 304), ('"other"', 200)]
)
def test_a_known_version_is_not_sent_again(root: Client, known: str, status: int) -> None:
    """The response is a 304 without a body if the client knows the current tag."""
    tag = root.get("/docs").headers["etag"]
    reply = root.get("/docs", headers={"if-none-match": known.format(tag)})
    assert (status, status == 200, tag) == (reply.status, bool(reply.body), reply.headers["etag"])


def test_head_has_the_headers_only(root: Client) -> None:
    """HEAD returns all headers, including the length."""
    whole, head = root.get("/docs"), root.request("HEAD", "/docs")
    assert (200, b"", whole.headers) == (head.status, head.body, head.headers)


@pytest.mark.parametrize("path", ["/docs/", "/docs/none.js", "/docs/index.html", "/docs/a/b"])
def test_there_is_nothing_else(root: Client, path: str) -> None:
    """Other paths are a 404, even for the page itself, whose links would not work there."""
    assert (404, "NOT_FOUND") == (root.get(path).status, root.get(path).code)


def test_other_methods_are_refused(root: Client) -> None:
    """Only GET and HEAD are allowed."""
    reply = root.post("/docs")
    assert (405, "GET, HEAD") == (reply.status, reply.headers["allow"])


def test_the_reference_is_independent_of_control(make_client: MakeClient) -> None:
    """The page is read-only, so it is available without the control endpoints."""
    pages = [make_client(control=on).below("").get("/docs") for on in (True, False)]
    assert [(200, True), (200, False)] == [
        (page.status, b"/_mock/ui" in page.body) for page in pages
    ]


def test_configured_keys_are_not_shown(make_client: MakeClient) -> None:
    """The page is public, so it shows the built-in keys but not the configured ones."""
    client = make_client(api_key="pk_mine", private_key="sk_mine")
    page = client.below("").get("/docs").body
    assert b"_mine" not in page
    assert API_KEY.encode() in page


def test_a_page_view_is_logged(root: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A request for the page is logged without an operation."""
    caplog.set_level("INFO", LOGGER)
    root.get("/docs")
    (line,) = [record.getMessage() for record in caplog.records]
    assert ["GET", "/docs", "200", "-"] == [*line.split()[:3], line.split()[4]]
