"""The published reference works from a folder, and requests nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from scripts.publish import reference
from scripts.publish.reference import as_folder
from siteassist_spec.reference import PAGE, File
from tests.browser import on_a_phone, overflow
from tests.description import OPERATIONS, SPEC, WEBSOCKETS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.one_interpreter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the reference to a folder."""
    path = tmp_path_factory.mktemp("reference")
    for name, content in as_folder(SPEC).items():
        (path / name).write_bytes(content)
    return path


@pytest.fixture
def requested(page: Page, folder: Path) -> list[str]:
    """Open the reference, and return a list that receives the addresses it requests."""
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto((folder / PAGE).as_uri())
    operations = page.locator('[id^="operation/"]')
    expect(operations).to_have_count(len(OPERATIONS | WEBSOCKETS))
    return addresses


def elsewhere(requested: list[str], folder: Path) -> list[str]:
    """Return the requested addresses outside of the folder."""
    assert f"{folder.as_uri()}/reference.js" in requested
    own = (f"{folder.as_uri()}/", "data:", "blob:")
    return [address for address in requested if not address.startswith(own)]


def test_page_works_from_a_folder(page: Page, folder: Path, requested: list[str]) -> None:
    """The page fits, the search works, and the samples of each language call the real service."""
    assert 0 == overflow(page)
    operation = page.locator('[id="operation/startConversation"]')
    for label, words in (
        ("Python", "client.start_conversation("),
        ("curl", "curl https://api.siteassist.io/v2/conversations"),
        ("TypeScript", "await fetch(url, {"),
    ):
        operation.get_by_role("tab", name=label).click()
        expect(operation.locator("pre:visible").filter(has_text=words)).to_be_visible()
    # The content security policy must allow the worker of the search.
    page.get_by_role("textbox").press_sequentially("terminator")
    results = page.locator('[data-role="search:results"]')
    expect(results.locator('[data-item-id="tag/Schemas/StreamTerminator"]')).to_be_visible()
    assert [] == elsewhere(requested, folder)


@pytest.mark.provokes("Content Security Policy")
def test_policy_blocks_other_servers(page: Page, folder: Path, requested: list[str]) -> None:
    """The content security policy of the page blocks requests to other servers."""
    refused = page.evaluate(
        """() => new Promise((resolve) => {
            const event = "securitypolicyviolation";
            document.addEventListener(event, (event) => resolve(event.effectiveDirective));
            fetch("http://127.0.0.1:9/").catch(() => {});
        })"""
    )
    assert "connect-src" == refused
    assert [] == elsewhere(requested, folder)


@on_a_phone
@pytest.mark.usefixtures("requested")
def test_page_fits_a_phone(page: Page) -> None:
    """The page does not scroll sideways on a phone."""
    assert 0 == overflow(page)


def test_page_without_a_place_for_the_policy_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without a ``<meta>`` element is not published, because it would have no policy."""
    changed = {PAGE: File(b"<html></html>", "text/html")}
    monkeypatch.setattr(reference, "build_reference", lambda _: changed)
    with pytest.raises(LookupError, match=r"index\.html has no <meta"):
        as_folder(SPEC)
