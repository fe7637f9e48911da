"""The API reference at ``/docs``: what is served, and what a browser makes of it."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.http.access_log import LOGGER
from siteassist_mock.testing import mock_server
from siteassist_spec import METHODS
from siteassist_spec.reference import POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Browser, Page
    from tests.mock.conftest import Client

FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
def root(client: Client) -> Client:
    """Make a client of the whole server, without a credential."""
    return dataclasses.replace(client, token=None, base="")


def files(root: Client) -> list[str]:
    """Return the paths of what the page loads."""
    page = root.get("/docs").body.decode()
    return [f"/{path}" for path in re.findall(r'(?:src|href)="(docs/[^"]+)"', page)]


def test_page_and_its_files_are_served(root: Client) -> None:
    """To everybody, each as what it is, and forbidden all that it does not need."""
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


def test_files_are_kept_as_long_as_they_hold(root: Client) -> None:
    """The library for ever, the rest until the server says that it has changed."""
    kept = {path: root.get(path).headers["cache-control"] for path in ["/docs", *files(root)]}
    (library,) = [path for path in kept if path.startswith("/docs/redoc-")]
    assert FOREVER == kept.pop(library)
    assert {"public, no-cache"} == set(kept.values())


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}'])
def test_what_is_known_is_not_sent_again(root: Client, known: str) -> None:
    """By its tag, also among others."""
    tag = root.get("/docs").headers["etag"]
    reply = root.get("/docs", headers={"if-none-match": known.format(tag)})
    assert (304, b"", tag) == (reply.status, reply.body, reply.headers["etag"])


def test_what_is_out_of_date_is_sent_again(root: Client) -> None:
    """Another tag is another content."""
    reply = root.get("/docs", headers={"if-none-match": '"other"'})
    assert 200 == reply.status
    assert reply.body


def test_head_has_the_headers_only(root: Client) -> None:
    """All of them, the length included."""
    whole, head = root.get("/docs"), root.request("HEAD", "/docs")
    assert (200, b"", whole.headers) == (head.status, head.body, head.headers)


@pytest.mark.parametrize("path", ["/docs/", "/docs/none.js", "/docs/index.html", "/docs/a/b"])
def test_there_is_nothing_else(root: Client, path: str) -> None:
    """Not even the page under another name, where it would not find its files."""
    assert (404, "NOT_FOUND") == (root.get(path).status, root.get(path).code)


def test_nothing_can_be_changed(root: Client) -> None:
    """Other methods are refused."""
    reply = root.post("/docs")
    assert (405, "GET, HEAD") == (reply.status, reply.headers["allow"])


def test_it_is_there_without_control(make_client: Callable[..., Client]) -> None:
    """It only reads, so `--no-control` does not take it away."""
    root = dataclasses.replace(make_client(control=False), token=None, base="")
    assert 200 == root.get("/docs").status


def test_no_secret_is_in_it(make_client: Callable[..., Client]) -> None:
    """Keys of one's own stay one's own: everybody may read the page."""
    client = make_client(api_key="pk_mine", private_key="sk_mine")
    page = dataclasses.replace(client, token=None, base="").get("/docs").body
    assert b"_mine" not in page
    assert b"sa_pk_1234567890abcdef" in page


def test_it_is_logged(root: Client, caplog: pytest.LogCaptureFixture) -> None:
    """As every request is; it is no operation."""
    caplog.set_level("INFO", LOGGER)
    root.get("/docs")
    (line,) = [record.getMessage() for record in caplog.records]
    assert ["GET", "/docs", "200", "-"] == [*line.split()[:3], line.split()[4]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a server and return its root."""
    with mock_server() as base_url:
        yield base_url.removesuffix("/v2")


@pytest.fixture(scope="module")
def page(browser: Browser, url: str) -> Iterator[Page]:
    """Open the reference; all tests look at the same page."""
    with browser.opened(f"{url}/docs") as page:
        page.resize(1400, 900)
        page.wait("document.querySelector('[id=\"tag/Schemas/WidgetPosition\"]')")
        yield page


def test_browser_shows_all_operations(page: Page, spec: dict[str, Any]) -> None:
    """Each with its title, and with a sample in every language."""
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
    assert 14 == len(tabs)
    assert [] == [labels for labels in tabs if not {"Python", "curl", "TypeScript"} <= {*labels}]


def test_browser_shows_all_schemas(page: Page, spec: dict[str, Any]) -> None:
    """In the order of the description."""
    shown = page.evaluate(
        "[...document.querySelectorAll('[id^=\"tag/Schemas/\"]')].map((one) => one.id.slice(12))"
    )
    assert list(spec["components"]["schemas"]) == shown


def test_browser_shows_that_it_is_a_mock(page: Page, url: str) -> None:
    """With its address and its known keys; its server is the first one."""
    text = page.evaluate("document.querySelector('#reference').innerText")
    assert "SiteAssist mock" in text
    assert (
        f"This is a mock server. It stands in for the service in development and in tests, and \
serves the API at {url}/v2."
        in text
    )
    assert "its publishable key is sa_pk_1234567890abcdef" in text
    servers = page.evaluate(
        "JSON.parse(document.querySelector('#openapi').textContent).servers.map((one) => one.url)"
    )
    assert "/v2" == servers[0]


def test_browser_shows_samples_for_this_server(page: Page, url: str) -> None:
    """A sample can be run as it stands there: with the address and a key of this server."""
    operation = "document.querySelector('[id=\"operation/getMe\"]')"
    page.evaluate(
        f"[...{operation}.querySelectorAll('[role=tab]')]"
        ".find((tab) => tab.textContent === 'Python').click()"
    )
    page.wait(f"{operation}.innerText.includes('client.get_me()')")
    sample = page.evaluate(
        f"[...{operation}.querySelectorAll('pre')].find((one) => one.checkVisibility()).innerText"
    )
    expected = f'token="sk_test_1234567890abcdef",\n    base_url="{url}/v2",\n) as client:'
    assert expected in sample


def test_browser_finds_an_operation(page: Page) -> None:
    """Words in the field for the search lead to it."""
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
    """It scrolls down only, and the menu with the search is behind a button."""
    page.resize(390, 844)
    page.wait("innerWidth === 390")
    assert 390 == page.evaluate("document.documentElement.scrollWidth")
    page.resize(1400, 900)


def test_browser_asks_nobody_else(page: Page, url: str) -> None:
    """Neither for fonts nor for pictures; the worker for the search is in the page."""
    page.evaluate("1")
    here = (f"{url}/docs", f"blob:{url}/", "data:")
    assert {f"{url}/docs", f"{url}/docs/reference.js"} <= page.requested
    assert [] == [address for address in page.requested if not address.startswith(here)]


def test_browser_has_no_complaint(page: Page) -> None:
    """Nothing was forbidden by the policy, nothing failed."""
    page.evaluate("1")
    assert [] == page.problems
