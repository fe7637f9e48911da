"""A pytest plugin with fixtures for the tests of pages in Chromium, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")

on_a_phone = pytest.mark.browser_context_args(
    viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
)
in_the_dark = pytest.mark.browser_context_args(color_scheme="dark")

# A busy machine needs more than the default of five seconds.
expect.set_options(timeout=30_000)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of the fixture `page`."""
    for marker in (
        "browser_context_args(**options): options of the context of the page; markers add up",
        "provokes(pattern): the page must log problems that match, and no other ones",
    ):
        config.addinivalue_line("markers", marker)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium without access to other machines.

    While Playwright runs, its event loop counts as the running loop of this thread, so
    `asyncio.run` fails. For this reason the browser stops at the end of the module, and
    a module has either tests in a browser or tests that run an event loop.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server"]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as chromium,
    ):
        yield chromium


@contextmanager
def new_page(browser: Browser, *, provokes: str | None = None, **options: Any) -> Iterator[Page]:
    """Open an empty page in a new context, and fail at the end if it has had a problem.

    A problem is an error or a warning in the console, or an uncaught exception. With
    ``provokes``, the page must have had a problem that this pattern matches, and no
    other one.
    """
    with browser.new_context(**options) as context:
        page = context.new_page()
        yield page
        problems = [
            message.text
            for message in page.console_messages(filter="all")
            if message.type in {"error", "warning"}
        ]
        problems += [error.message for error in page.page_errors(filter="all")]
        if provokes is not None:
            assert problems, f"the page has had no problem that matches {provokes!r}"
            problems = [each for each in problems if not re.search(provokes, each)]
        assert [] == problems


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open an empty page that fails the test if it has had a problem at the end."""
    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("browser_context_args"):
        options |= marker.kwargs
    provokes = request.node.get_closest_marker("provokes")
    with new_page(browser, provokes=provokes and provokes.args[0], **options) as page:
        yield page


def overflow(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    pixels: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels
