"""The published reference works from a folder, and requests nothing from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.publish import reference
from scripts.publish.reference import as_folder
from siteassist_spec import Document, load_spec, read_operations
from siteassist_spec.reference import PAGE, File

if TYPE_CHECKING:
    from tests.conftest import Browser, Page

SPEC = load_spec()
DRAWN = (
    "document.querySelectorAll('[id^=\"operation/\"]').length === "
    f"{len(read_operations(Document(SPEC)))}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the reference to a folder."""
    path = tmp_path_factory.mktemp("reference")
    for name, content in as_folder(SPEC).items():
        (path / name).write_bytes(content)
    return path


def requested_elsewhere(page: Page, folder: Path) -> list[str]:
    """Return the requested addresses that are outside of the page's folder."""
    own = (f"{folder.as_uri()}/", "data:", "blob:")
    return [address for address in page.requested if not address.startswith(own)]


def test_search_works_from_a_folder(browser: Browser, folder: Path) -> None:
    """The worker of the search is allowed by the content security policy."""
    with browser.opened((folder / PAGE).as_uri()) as page:
        page.wait(DRAWN)
        page.evaluate("document.querySelector('input[type=text]').focus()")
        page.type("terminator")
        found = '[data-role="search:results"] [data-item-id="tag/Schemas/StreamTerminator"]'
        page.wait(f"document.querySelector({json.dumps(found)})")
        assert [] == requested_elsewhere(page, folder)


def test_samples_are_shown(browser: Browser, folder: Path) -> None:
    """The samples of each language call the real service."""
    operation = "document.getElementById('operation/startConversation')"
    with browser.opened((folder / PAGE).as_uri()) as page:
        page.wait(DRAWN)
        for label, words in (
            ("Python", "client.start_conversation("),
            ("curl", "curl https://api.siteassist.io/v2/conversations"),
            ("TypeScript", "await fetch(url, {"),
        ):
            page.evaluate(
                f"[...{operation}.querySelectorAll('[role=tab]')]"
                f".find((tab) => tab.textContent === '{label}').click()"
            )
            page.wait(f"{operation}.textContent.includes({json.dumps(words)})")
        assert [] == requested_elsewhere(page, folder)


def test_policy_blocks_other_servers(browser: Browser, folder: Path) -> None:
    """The content security policy of the page blocks requests to other servers."""
    with browser.opened((folder / PAGE).as_uri()) as page:
        page.wait(DRAWN)
        refused = page.evaluate(
            "new Promise((done) => {"
            "  document.addEventListener('securitypolicyviolation', (event) =>"
            "    done(event.effectiveDirective));"
            "  fetch('http://127.0.0.1:9/').catch(() => {});"
            "})"
        )
        assert "connect-src" == refused
        assert [] == requested_elsewhere(page, folder)
        # The browser logs the violation that this test provokes.
        page.problems.clear()


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
def test_page_fits_the_screen(browser: Browser, folder: Path, width: int, height: int) -> None:
    """The page is not wider than the screen, on a desktop and on a phone."""
    with browser.opened((folder / PAGE).as_uri()) as page:
        page.resize(width, height)
        page.wait(DRAWN)
        assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_page_without_a_place_for_the_policy_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without a ``<meta>`` element is not published, because it would have no policy."""
    changed = {PAGE: File(b"<html></html>", "text/html")}
    monkeypatch.setattr(reference, "build_reference", lambda _: changed)
    with pytest.raises(LookupError, match=r"index\.html has no <meta"):
        as_folder(SPEC)
