"""Tests for the operator page in a browser."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

from siteassist_mock.testing import mock_server
from tests.values import API_KEY as KEY
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Browser, Page

HOSTILE = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
)
SECONDS = 20


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Open the operator page in a new tab, wait until it is live, and yield the tab."""
    with browser.opened(url) as page:
        page.wait_for_text("#live", "Live")
        yield page


class Visitor:
    """A visitor that uses the server's API."""

    def __init__(self, url: str) -> None:
        """Use the server at ``url``."""
        self.url = url
        self.control = f"{url.removesuffix('/v2')}/_mock"

    def start(self, *said: str) -> str:
        """Start a conversation with some messages and return its id."""
        reply = httpx.post(f"{self.url}/conversations", headers=BEARER)
        conversation_id = str(reply.json()["id"])
        for content in said:
            self.say(conversation_id, content)
        return conversation_id

    def say(self, conversation_id: str, content: str) -> int:
        """Send a message and return the status."""
        path = f"{self.url}/conversations/{conversation_id}/messages"
        return httpx.post(path, json={"content": content}, headers=BEARER).status_code

    def operate(self, conversation_id: str, action: str, body: Any) -> None:
        """Call a control endpoint of a conversation."""
        path = f"{self.control}/conversations/{conversation_id}/{action}"
        httpx.post(path, json=body).raise_for_status()


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """Start a server with one visitor."""
    with mock_server() as url:
        yield Visitor(url)


def test_an_operator_takes_over_and_answers(browser: Browser, visitor: Visitor) -> None:
    """The visitor's socket receives the handover and the answer made in the page."""
    one = visitor.start("How long does shipping take?")
    address = f"{visitor.url.replace('http', 'ws')}/conversations/{one}/ws?apiKey={KEY}"
    with (
        connect(address, proxy=None) as socket,
        opened(browser, f"{visitor.control}/ui") as page,
    ):
        page.wait_for_text("#list .title", "How long does shipping take?")
        page.click("#list a")
        page.wait_for_text("#messages .text", "How long does shipping take?")
        page.click("#takeover input")
        page.type("Sam")
        page.press("Enter")
        assigned = json.loads(socket.recv(timeout=SECONDS))
        assert assigned == {"type": "human_assigned", "chatId": one}
        page.wait("document.activeElement.name === 'content'")
        page.type("Two days, I promise.")
        page.press("Enter")
        pushed = json.loads(socket.recv(timeout=SECONDS))
        assert (pushed["type"], pushed["chatId"]) == ("new_message", one)
        assert pushed["message"]["role"] == "human_agent"
        assert pushed["message"]["humanAgent"] == {"name": "Sam", "image": None}
        assert pushed["message"]["parts"] == [{"type": "text", "text": "Two days, I promise."}]
        page.wait_for_text("#messages .human_agent .text", "Two days, I promise.")
        page.wait("document.querySelector('#answer textarea').value === ''")
        assert visitor.say(one, "Thanks!") == 202
        page.wait_for_text("#messages .user .text", "Thanks!")
        page.wait_for_text("#list .snippet", "Thanks!")


def test_new_conversations_appear(browser: Browser, visitor: Visitor) -> None:
    """A new conversation appears, marked as unread, also in an empty list."""
    with opened(browser, f"{visitor.control}/ui") as page:
        page.wait("document.querySelector('#empty').checkVisibility()")
        visitor.start("hello")
        page.wait_for_text("#list .unread .title", "hello")
        page.wait_for_text("#count", "1")


def test_texts_are_not_markup(browser: Browser, visitor: Visitor) -> None:
    """HTML in messages, names and reasons is displayed as text."""
    one = visitor.start(HOSTILE)
    visitor.operate(one, "handover", {"name": HOSTILE})
    visitor.operate(one, "agent-messages", {"content": HOSTILE})
    visitor.operate(one, "close", {"closeReason": HOSTILE})
    with opened(browser, f"{visitor.control}/ui#{one}") as page:
        page.wait_for_text("#list .snippet", HOSTILE)
        page.wait_for_text("#messages .user .text", HOSTILE)
        page.wait_for_text("#messages .human_agent .by b", HOSTILE)
        page.wait_for_text("#closed", f"This conversation is closed: {HOSTILE}")
        assert page.evaluate("document.querySelectorAll('img').length") == 0
        assert page.evaluate("document.querySelectorAll('script').length") == 1
        assert page.evaluate("document.title").startswith("<script>document.title")


def test_the_policy_blocks_markup(browser: Browser, visitor: Visitor) -> None:
    """The browser blocks HTML from strings and external images, as a second line of defence."""
    with opened(browser, f"{visitor.control}/ui") as page:
        names = page.evaluate(
            "['innerHTML', 'outerHTML'].map((name) => {"
            " try { document.body[name] = '<b>x</b>'; return 'written'; }"
            " catch (error) { return error.name; } })"
        )
        assert names == ["TypeError", "TypeError"]
        blocked = page.evaluate(
            "new Promise((done) => {"
            " addEventListener('securitypolicyviolation', (event) => done(event.blockedURI));"
            " const image = document.createElement('img'); image.src = 'https://example.com/x';"
            " document.body.append(image); })"
        )
        assert blocked == "https://example.com/x"
        # The browser reports both attempts.
        assert page.problems
        page.problems.clear()


def test_a_phone_shows_one_pane(browser: Browser, visitor: Visitor) -> None:
    """A narrow page shows the list or a conversation, and works with the keyboard."""
    visitor.start("first")
    visitor.start("second")
    with opened(browser, f"{visitor.control}/ui") as page:
        page.resize(390, 780, dark=True)
        page.wait_for_text("#list .title", "first")
        page.wait("!document.querySelector('#chat').checkVisibility()")
        page.evaluate("document.querySelector('#list a').focus()")
        page.press("ArrowDown")
        page.press("Enter")
        page.wait_for_text("#chat h2", "first")
        page.wait("!document.querySelector('#list').checkVisibility()")
        page.wait("document.activeElement.tagName === 'H2'")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.click("#back")
        page.wait("document.querySelector('#list').checkVisibility()")
        page.wait("!document.querySelector('#chat').checkVisibility()")


def test_closing_asks_first(browser: Browser, visitor: Visitor) -> None:
    """Closing asks for a reason and ends the conversation; Escape cancels."""
    one = visitor.start("hello")
    with opened(browser, f"{visitor.control}/ui#{one}") as page:
        page.wait_for_text("#chat h2", "hello")
        page.click("#close")
        page.wait("document.querySelector('#closing').open")
        page.press("Escape")
        page.wait("!document.querySelector('#closing').open")
        page.click("#close")
        page.wait("document.querySelector('#closing').open")
        page.type("Resolved")
        page.press("Enter")
        page.wait_for_text("#closed", "This conversation is closed: Resolved")
        page.wait_for_text("#list .badge", "closed")
        assert visitor.say(one, "x") == 409


def test_a_reset_asks_first(browser: Browser, visitor: Visitor) -> None:
    """A reset asks for confirmation, after which the page is empty."""
    one = visitor.start("hello")
    with opened(browser, f"{visitor.control}/ui#{one}") as page:
        page.wait_for_text("#chat h2", "hello")
        page.click("#reset")
        page.wait("document.querySelector('#resetting').open")
        page.click("#resetting .primary")
        page.wait("document.querySelector('#empty').checkVisibility()")
        page.wait("document.querySelector('#nothing').checkVisibility()")
        page.wait_for_text("#count", "0")


def test_a_refusal_is_shown(browser: Browser, visitor: Visitor) -> None:
    """A refused message stays in the box, with the server's error below it."""
    one = visitor.start("hello")
    visitor.operate(one, "handover", {})
    with opened(browser, f"{visitor.control}/ui#{one}") as page:
        page.wait("document.querySelector('#answer').checkVisibility()")
        # From here on the page no longer receives changes.
        page.evaluate(
            "{ const real = fetch; window.fetch = (path, more) =>"
            " path.startsWith('state') ? new Promise(() => {}) : real(path, more); }"
        )
        visitor.operate(one, "close", {})
        page.click("#answer textarea")
        page.type("Too late")
        page.press("Enter")
        page.wait_for_text("#problem", "The conversation is closed")
        assert page.evaluate("document.querySelector('#answer textarea').value") == "Too late"
        # The browser reports each response with a status of 400 or more.
        page.problems.clear()


def test_a_lost_server_is_shown(browser: Browser) -> None:
    """Without a server, the page keeps its content and shows that it is not connected."""
    with ExitStack() as server:
        visitor = Visitor(server.enter_context(mock_server()))
        one = visitor.start("hello")
        with opened(browser, f"{visitor.control}/ui#{one}") as page:
            page.wait_for_text("#chat h2", "hello")
            server.close()
            page.wait_for_text("#live", "Not connected, retrying")
            page.wait_for_text("#chat h2", "hello")
            # The browser reports each failed connection.
            page.problems.clear()
