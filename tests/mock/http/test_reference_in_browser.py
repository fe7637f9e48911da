"""Tests for the display of the API reference at ``/docs`` in a browser."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from siteassist_mock.testing import mock_server
from tests.browser import new_page
from tests.description import OPERATIONS, SPEC, WEBSOCKETS
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.one_interpreter


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a server and return its root URL."""
    with mock_server() as base_url:
        yield base_url.removesuffix("/v2")


@pytest.fixture(scope="module")
def requested() -> list[str]:
    """Return the addresses that the page has requested."""
    return []


@pytest.fixture(scope="module")
def page(url: str, browser: Browser, requested: list[str]) -> Iterator[Page]:
    """Open the reference in a page that all tests share."""
    with new_page(browser, viewport={"width": 1400, "height": 900}) as page:
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{url}/docs")
        expect(page.locator('[id^="operation/"]')).to_have_count(len(OPERATIONS | WEBSOCKETS))
        yield page


def test_page_shows_all_operations(page: Page) -> None:
    """Each operation has its title and, but for sockets, a sample in every language."""
    for name in WEBSOCKETS:
        section = page.locator(f'[id="operation/{name}"]')
        expect(section.locator("h2")).not_to_be_empty()
        expect(section.get_by_role("tab", name="curl")).to_have_count(0)
    for operation in OPERATIONS.values():
        section = page.locator(f'[id="operation/{operation.operation_id}"]')
        expect(section.locator("h2")).to_have_text(operation.summary)
        for language in ("Python", "curl", "TypeScript"):
            expect(section.get_by_role("tab", name=language)).not_to_have_count(0)


def test_page_shows_all_schemas(page: Page) -> None:
    """The schemas are in the order of the description."""
    shown = page.locator('[id^="tag/Schemas/"]').evaluate_all("all => all.map(({id}) => id)")
    assert [f"tag/Schemas/{name}" for name in SPEC["components"]["schemas"]] == shown


def test_page_shows_that_it_is_a_mock(page: Page, url: str) -> None:
    """The page shows the mock's address and built-in keys, and lists its server first."""
    reference = page.locator("#reference")
    for text in (
        "SiteAssist mock",
        f"This is a mock server. It stands in for the service in development and in tests, \
and serves the API at {url}/v2.",
        f"its publishable key is {API_KEY}",
    ):
        expect(reference).to_contain_text(text)
    servers = json.loads(page.locator("#openapi").text_content() or "")["servers"]
    assert "/v2" == servers[0]["url"]


def test_page_shows_samples_for_this_server(page: Page, url: str) -> None:
    """A sample has the address and a key of this server, so it can be run unchanged."""
    operation = page.locator('[id="operation/getMe"]')
    operation.get_by_role("tab", name="Python").click()
    sample = operation.locator("pre:visible").filter(has_text="client.get_me()")
    expect(sample).to_contain_text(f'token="{PRIVATE_KEY}", base_url="{url}/v2", ) as client:')


def test_search_finds_an_operation(page: Page) -> None:
    """A search result leads to its operation."""
    page.get_by_role("textbox").press_sequentially("feedback")
    page.get_by_role("menuitem", name="Submit feedback for a message").first.click()
    expect(page).to_have_url(re.compile("#tag/Messages/operation/sendMessageFeedback$"))


def test_page_sends_no_external_requests(page: Page, url: str, requested: list[str]) -> None:
    """The page requests fonts, images and scripts from this server only."""
    expect(page.locator("#reference")).to_be_visible()
    assert {f"{url}/docs", f"{url}/docs/reference.js"} <= {*requested}
    here = (f"{url}/docs", f"blob:{url}/", "data:")
    assert [] == [address for address in requested if not address.startswith(here)]
