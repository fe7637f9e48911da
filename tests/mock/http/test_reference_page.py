"""Tests for the API reference at ``/docs``, including its display in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.http.access_log import LOGGER
from siteassist_mock.testing import mock_server
from siteassist_spec import METHODS
from siteassist_spec.reference import POLICY
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Browser, Page
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
    assert 200 == make_client(control=False).below("").get("/docs").status


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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a server and return its root URL."""
    with mock_server() as base_url:
        yield base_url.removesuffix("/v2")


@pytest.fixture(scope="module")
def page(browser: Browser, url: str) -> Iterator[Page]:
    """Open the reference in a page that all tests share."""
    with browser.opened(f"{url}/docs") as page:
        page.resize(1400, 900)
        page.wait("document.querySelector('[id=\"tag/Schemas/WidgetPosition\"]')")
        yield page


def test_browser_shows_all_operations(page: Page, spec: dict[str, Any]) -> None:
    """Each operation has its title, and a sample in every language."""
    expected = {
        operation["operationId"]: operation["summary"]
        for item in spec["paths"].values()
        for method, operation in item.items()
        if method in METHODS
    }
    shown = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[id^=\"operation/\"]')].map((one) =>"
        " [one.id.slice(10), one.querySelector('h2').textContent.trim()]))"
    )
    assert expected == shown
    tabs = page.evaluate(
        "[...document.querySelectorAll('[id^=\"operation/\"]')].map((one) =>"
        " [...one.querySelectorAll('[role=tab]')].map((tab) => tab.textContent))"
    )
    assert len(expected) == len(tabs)
    assert [] == [labels for labels in tabs if not {"Python", "curl", "TypeScript"} <= {*labels}]


def test_browser_shows_all_schemas(page: Page, spec: dict[str, Any]) -> None:
    """The schemas are in the order of the description."""
    shown = page.evaluate(
        "[...document.querySelectorAll('[id^=\"tag/Schemas/\"]')].map((one) => one.id.slice(12))"
    )
    assert list(spec["components"]["schemas"]) == shown


def test_browser_shows_that_it_is_a_mock(page: Page, url: str) -> None:
    """The page shows the mock's address and built-in keys, and lists its server first."""
    text = page.evaluate("document.querySelector('#reference').innerText")
    assert "SiteAssist mock" in text
    assert (
        f"This is a mock server. It stands in for the service in development and in tests, and \
serves the API at {url}/v2."
        in text
    )
    assert f"its publishable key is {API_KEY}" in text
    servers = page.evaluate(
        "JSON.parse(document.querySelector('#openapi').textContent).servers.map((one) => one.url)"
    )
    assert "/v2" == servers[0]


def test_browser_shows_samples_for_this_server(page: Page, url: str) -> None:
    """A sample has the address and a key of this server, so it can be run unchanged."""
    operation = "document.querySelector('[id=\"operation/getMe\"]')"
    page.evaluate(
        f"[...{operation}.querySelectorAll('[role=tab]')]"
        ".find((tab) => tab.textContent === 'Python').click()"
    )
    page.wait(f"{operation}.innerText.includes('client.get_me()')")
    sample = page.evaluate(
        f"[...{operation}.querySelectorAll('pre')].find((one) => one.checkVisibility()).innerText"
    )
    expected = f'token="{PRIVATE_KEY}",\n    base_url="{url}/v2",\n) as client:'
    assert expected in sample


def test_browser_finds_an_operation(page: Page) -> None:
    """A search result leads to its operation."""
    page.evaluate("document.querySelector('input[type=text]').focus()")
    page.type("feedback")
    found = (
        "[...document.querySelectorAll('[data-role=\"search:results\"] [role=menuitem]')]"
        ".find((one) => one.textContent.includes('Submit feedback for a message'))"
    )
    page.wait(found)
    page.evaluate(f"{found}.click()")
    page.wait("location.hash === '#tag/Messages/operation/sendMessageFeedback'")


def test_page_fits_a_phone(page: Page) -> None:
    """The page does not scroll sideways on a phone."""
    page.resize(390, 844)
    page.wait("innerWidth === 390")
    assert 390 == page.evaluate("document.documentElement.scrollWidth")
    page.resize(1400, 900)


def test_browser_sends_no_external_requests(page: Page, url: str) -> None:
    """The browser requests fonts, images and scripts from this server only."""
    page.evaluate("1")
    here = (f"{url}/docs", f"blob:{url}/", "data:")
    assert {f"{url}/docs", f"{url}/docs/reference.js"} <= page.requested
    assert [] == [address for address in page.requested if not address.startswith(here)]


def test_browser_reports_no_problem(page: Page) -> None:
    """The browser reports no violation of the policy and no error."""
    page.evaluate("1")
    assert [] == page.problems
