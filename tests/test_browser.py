"""Tests for the fixtures of the tests in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import Error

from tests.browser import in_the_dark, new_page, on_a_phone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.one_interpreter


@pytest.mark.parametrize(
    ("script", "event", "problem"),
    [
        ("console.error('broken')", "console", "broken"),
        ("console.warn('broken')", "console", "broken"),
        ("throw new Error('broken')", "pageerror", "broken"),
        ("Promise.reject(new Error('broken'))", "pageerror", "broken"),
        ("new Image().src = 'http://example.com/'", "console", "ERR_NAME_NOT_RESOLVED"),
        ("new Worker('data:text/javascript,console.error(`broken`)')", "console", "broken"),
    ],
)
def test_a_problem_of_the_page_is_an_error(
    browser: Browser, script: str, event: Literal["console", "pageerror"], problem: str
) -> None:
    """A logged error or warning, an exception and a failed request fail the test."""

    def visit(provokes: str | None) -> None:
        with new_page(browser, provokes=provokes) as page, page.expect_event(event):
            page.set_content(f"<script>{script}</script>")

    for provokes in (None, "another problem"):
        with pytest.raises(AssertionError, match=problem):
            visit(provokes)
    visit(problem)


@pytest.mark.provokes("broken")
def test_a_provoked_problem_is_no_error(page: Page) -> None:
    """The page may have the problem that the test provokes."""
    page.set_content("<script>console.error('broken')</script>")


def test_other_messages_are_no_error(browser: Browser) -> None:
    """An informational message does not fail the test, nor is it a provoked problem."""

    def visit(provokes: str | None) -> None:
        with new_page(browser, provokes=provokes) as page:
            page.set_content("<script>console.log('fine'); console.info('fine')</script>")

    visit(None)
    with pytest.raises(AssertionError, match="no problem that matches 'fine'"):
        visit("fine")


@on_a_phone
@in_the_dark
def test_a_context_has_its_options(page: Page) -> None:
    """The page has the size and the colour scheme of the marker."""
    assert [360, True] == page.evaluate(
        "[screen.width, matchMedia('(prefers-color-scheme: dark)').matches]"
    )


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "localhost"])
def test_other_machines_are_out_of_reach(page: Page, host: str) -> None:
    """Neither a name nor an address of another machine is resolved."""
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(f"http://{host}/")
