"""The page of the tutorial on front ends works in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from siteassist_mock.testing import mock_server
from tests.values import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.one_interpreter
TUTORIAL = ROOT / "docs" / "tutorials" / "mocked-front-end.md"


def chat(folder: Path, url: str) -> str:
    """Save the page of the tutorial for a server, and return its address."""
    text = re.search(
        r'^```html title="chat.html"\n(.*?)^```$', TUTORIAL.read_text(), re.MULTILINE | re.DOTALL
    )
    assert text is not None
    page = folder / "chat.html"
    page.write_text(text[1].replace("http://127.0.0.1:8787/v2", url))
    return page.as_uri()


@pytest.mark.provokes("429")
def test_chat_shows_answers_a_human_agent_and_errors(page: Page, tmp_path: Path) -> None:
    """The page shows a streamed answer, then the queue of a human agent, then a refusal."""
    with mock_server(rate_limits="4/h") as mock:
        page.goto(chat(tmp_path, str(mock.url)))
        send, answer = page.get_by_role("button", name="Send"), page.locator("#answer")
        send.click()
        expect(answer).to_contain_text("Two to four working days")
        (request,) = (each for each in mock.requests if each["path"].endswith("/messages"))
        mock.hand_over(request["path"].split("/")[-2])
        send.click()
        expect(answer).to_have_text("A human agent answers soon.")
        send.click()
        send.click()
        expect(answer).to_have_text(re.compile("Rate limit exceeded"))
