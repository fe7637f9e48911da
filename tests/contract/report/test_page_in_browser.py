"""Tests for the display of the HTML report in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from siteassist_contract.findings import LAYERS
from siteassist_contract.report import page as html
from siteassist_contract.report.impact import IMPACT
from tests.browser import overflow
from tests.contract.report.sample_reports import KNOWN, report, violation

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from siteassist_contract.report.summary import Report

pytestmark = pytest.mark.one_interpreter

WORD = "x" * 200


def show(page: Page, whole: Report, folder: Path) -> None:
    """Write a report, and open its page."""
    path = folder / "index.html"
    html.write(whole, path)
    page.goto(path.as_uri())


@pytest.mark.parametrize("width", [360, 1280])
def test_long_texts_fit(page: Page, tmp_path: Path, width: int) -> None:
    """A long word in any text does not widen the page, also with all details open."""
    found = violation(
        "sendMessage", expected=WORD, actual=WORD, commands=WORD, snippet=WORD, answer=WORD
    )
    other = violation("sendMessage", place=WORD)
    whole = report(
        *(found, other, KNOWN),
        line=WORD,
        problem=WORD,
        unfinished={WORD: WORD},
        notes=[WORD],
        repeat=WORD,
        base_url=WORD,
    )
    page.set_viewport_size({"width": width, "height": 800})
    show(page, whole, tmp_path)
    assert 0 == overflow(page)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert 0 == overflow(page)


def test_numbers_are_visible_on_a_phone(page: Page, tmp_path: Path) -> None:
    """A phone shows the requests of every layer with its name, and the violations beside them."""
    page.set_viewport_size({"width": 360, "height": 800})
    show(page, report(violation()), tmp_path)
    numbers = page.locator(".layers td.number")
    found = numbers.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert found
    assert max(found) <= 360
    names = "all => all.map(one => getComputedStyle(one, '::before').content)"
    assert [f'"{layer} "' for layer in LAYERS] == numbers.evaluate_all(names)[: len(LAYERS)]
    expect(page.locator(".layers .bad")).to_have_text("1 ✗")


def test_violations_are_apart_from_the_requests(page: Page, tmp_path: Path) -> None:
    """A number of requests and one of violations never look like one number."""
    page.set_viewport_size({"width": 1400, "height": 800})
    show(page, report(violation()), tmp_path)
    broken = page.locator(".layers td", has=page.locator(".bad"))
    requests, violations = broken.inner_text().split("\n")
    assert "1 ✗" == violations
    assert requests.strip().isdigit()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_boxes_that_scroll_have_a_hint(
    page: Page, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    """On a phone, nothing is wider than its box; a box with more in it shows where by a shadow."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    found = violation("sendMessage", commands=f"curl {WORD}\n" * 20, snippet=f"{WORD}\n" * 20)
    show(page, report(found, unfinished={WORD: WORD}), tmp_path)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
    assert 0 == page.locator("pre").evaluate_all(wide)
    assert 0 == page.locator(".scroll").evaluate_all(wide)
    for box in (page.locator("pre", has_text="curl"), page.locator(".scroll").first):
        moves = "one => getComputedStyle(one).backgroundAttachment.split(', ').slice(0, 4)"
        # What covers the shadows moves with the content, up to the end.
        assert ["local", "local", "scroll", "scroll"] == box.evaluate(moves)


def test_a_link_leads_to_its_finding(page: Page, tmp_path: Path) -> None:
    """The list of findings links to each of them."""
    show(page, report(violation(), KNOWN), tmp_path)
    page.get_by_role("link", name="search").click()
    heading = page.get_by_role("heading", name="search")
    expect(heading).to_be_in_viewport()
    expect(page.locator(":target")).to_contain_text(KNOWN.actual)


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_first_screen_has_the_first_finding(
    page: Page, tmp_path: Path, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    """What failed, why it matters and how to see it are visible without scrolling, readably."""
    found = violation("sendMessage", "stored-message", commands="curl -sS x")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    line = "The server violates the contract: 2 findings (734 requests)."
    show(page, report(found, KNOWN, line=line), tmp_path)
    card = page.locator("#finding-1")
    whole_texts = (
        page.get_by_role("heading", name=line),
        card.get_by_text(found.words),
        card.get_by_text(IMPACT[found.rule]),
        card.get_by_text("Expected"),
        card.get_by_text("Actual"),
        card.get_by_text("See it yourself, with curl"),
        card.get_by_text("curl -sS x"),
    )
    for text in whole_texts:
        expect(text).to_be_in_viewport(ratio=1)
        ink, paper = text.evaluate(
            "one => [getComputedStyle(one).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert abs(_brightness(ink) - _brightness(paper)) > 80
    assert 0 == overflow(page)


def _brightness(color: str) -> float:
    """Return the mean of the three numbers in a colour such as `rgb(0, 0, 0)`."""
    numbers = [int(each) for each in color.strip("rgba()").split(",")[:3]]
    return sum(numbers) / 3
