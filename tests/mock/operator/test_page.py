"""Tests for the operator page in a browser."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect
from websockets.sync.client import connect

from siteassist_mock.testing import mock_server
from tests.browser import in_the_dark, on_a_phone, overflow
from tests.values import API_KEY as KEY
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.one_interpreter

HOSTILE = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
)
SECONDS = 20


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


def visit(page: Page, visitor: Visitor, conversation_id: str = "") -> None:
    """Open the operator page, and wait until it is live."""
    page.goto(f"{visitor.control}/ui#{conversation_id}")
    expect(page.get_by_role("status")).to_have_text("Live")


def test_an_operator_takes_over_and_answers(visitor: Visitor, page: Page) -> None:
    """The visitor's socket receives the handover and the answer made in the page."""
    one = visitor.start("How long does shipping take?")
    address = f"{visitor.url.replace('http', 'ws')}/conversations/{one}/ws?apiKey={KEY}"
    said = page.get_by_role("log").locator(".text")
    with connect(address, proxy=None) as socket:
        visit(page, visitor)
        page.get_by_role("link", name="How long does shipping take?").click()
        expect(said.first).to_have_text("How long does shipping take?")
        page.get_by_label("Your name").click()
        page.keyboard.type("Sam")
        page.keyboard.press("Enter")
        assigned = json.loads(socket.recv(timeout=SECONDS))
        assert {"type": "human_assigned", "chatId": one} == assigned
        answer = page.get_by_label("Answer as Sam")
        expect(answer).to_be_focused()
        page.keyboard.type("Two days, I promise.")
        page.keyboard.press("Enter")
        pushed = json.loads(socket.recv(timeout=SECONDS))
        assert ("new_message", one) == (pushed["type"], pushed["chatId"])
        assert "human_agent" == pushed["message"]["role"]
        assert {"name": "Sam", "image": None} == pushed["message"]["humanAgent"]
        assert [{"type": "text", "text": "Two days, I promise."}] == pushed["message"]["parts"]
        expect(page.locator("#messages .human_agent .text")).to_have_text("Two days, I promise.")
        expect(answer).to_have_value("")
        assert 202 == visitor.say(one, "Thanks!")
        expect(said.last).to_have_text("Thanks!")
        expect(page.locator("#list .snippet")).to_have_text("Thanks!")


def test_new_conversations_appear(visitor: Visitor, page: Page) -> None:
    """A new conversation appears, marked as unread, also in an empty list."""
    visit(page, visitor)
    expect(page.get_by_text("No conversations yet.")).to_be_visible()
    visitor.start("hello")
    expect(page.locator("#list .unread .title")).to_have_text("hello")
    expect(page.locator("#count")).to_have_text("1")


def test_texts_are_not_markup(visitor: Visitor, page: Page) -> None:
    """HTML in messages, names and reasons is displayed as text."""
    one = visitor.start(HOSTILE)
    visitor.operate(one, "handover", {"name": HOSTILE})
    visitor.operate(one, "agent-messages", {"content": HOSTILE})
    visitor.operate(one, "close", {"closeReason": HOSTILE})
    visit(page, visitor, one)
    for selector in ("#list .snippet", "#messages .user .text", "#messages .human_agent .by b"):
        expect(page.locator(selector)).to_have_text(HOSTILE)
    expect(page.locator("#closed")).to_have_text(f"This conversation is closed: {HOSTILE}")
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator("script")).to_have_count(1)
    expect(page).to_have_title(re.compile(r"^<script>document\.title"))


@pytest.mark.provokes("Trusted Types|TrustedHTML|Content Security Policy")
def test_the_policy_blocks_markup(visitor: Visitor, page: Page) -> None:
    """The browser blocks HTML from strings and external images, as a second line of defence."""
    visit(page, visitor)
    names = page.evaluate(
        """() => ["innerHTML", "outerHTML"].map((name) => {
            try { document.body[name] = "<b>x</b>"; return "written"; }
            catch (error) { return error.name; }
        })"""
    )
    assert ["TypeError", "TypeError"] == names
    blocked = page.evaluate(
        """() => new Promise((resolve) => {
            addEventListener("securitypolicyviolation", (event) => resolve(event.blockedURI));
            const image = document.createElement("img");
            image.src = "https://example.com/x";
            document.body.append(image);
        })"""
    )
    assert "https://example.com/x" == blocked


@pytest.mark.parametrize("width", [360, 1280])
def test_long_texts_fit(visitor: Visitor, page: Page, width: int) -> None:
    """A long word in any text neither widens the page nor hides the title of a conversation."""
    word = "x" * 200
    one = visitor.start(word)
    visitor.operate(one, "handover", {"name": word})
    visitor.operate(one, "agent-messages", {"content": word})
    page.set_viewport_size({"width": width, "height": 740})
    visit(page, visitor)
    title = page.locator("#list .title").bounding_box()
    assert title is not None
    assert title["width"] > 100
    assert 0 == overflow(page)
    page.get_by_role("link", name=word).click()
    expect(page.get_by_text(f"Answer as {word}")).to_be_visible()
    assert 0 == overflow(page)
    visitor.operate(one, "close", {"closeReason": word})
    expect(page.get_by_text(f"This conversation is closed: {word}")).to_be_visible()
    assert 0 == overflow(page)


@on_a_phone
@in_the_dark
def test_a_phone_shows_one_pane(visitor: Visitor, page: Page) -> None:
    """A narrow page shows the list or a conversation, and works with the keyboard."""
    visitor.start("first")
    visitor.start("second")
    visit(page, visitor)
    conversations, conversation = page.get_by_role("navigation"), page.get_by_role("main")
    expect(page.get_by_role("link", name="first")).to_be_visible()
    expect(conversation).to_be_hidden()
    page.get_by_role("link", name="second").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="first")
    expect(heading).to_be_focused()
    expect(conversations).to_be_hidden()
    assert 0 == overflow(page)
    page.get_by_role("link", name="Back to all conversations").click()
    expect(conversations).to_be_visible()
    expect(conversation).to_be_hidden()


def test_closing_asks_first(visitor: Visitor, page: Page) -> None:
    """Closing asks for a reason and ends the conversation; Escape cancels."""
    one = visitor.start("hello")
    visit(page, visitor, one)
    dialog = page.get_by_role("dialog", name="Close this conversation?")
    close = page.get_by_role("main").get_by_role("button", name="Close …")
    close.click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    close.click()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Resolved")
    page.keyboard.press("Enter")
    expect(page.locator("#closed")).to_have_text("This conversation is closed: Resolved")
    expect(page.locator("#list .badge")).to_have_text("closed")
    assert 409 == visitor.say(one, "x")


def test_a_reset_asks_first(visitor: Visitor, page: Page) -> None:
    """A reset asks for confirmation, after which the page is empty."""
    one = visitor.start("hello")
    visit(page, visitor, one)
    expect(page.get_by_role("heading", name="hello")).to_be_visible()
    page.get_by_role("button", name="Reset …").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(page.get_by_text("No conversations yet.")).to_be_visible()
    expect(page.get_by_text("Choose a conversation")).to_be_visible()
    expect(page.locator("#count")).to_have_text("0")


@pytest.mark.parametrize("width", [360, 1280])
def test_requests_are_shown(visitor: Visitor, page: Page, width: int) -> None:
    """The received requests appear live, newest first, and an opened one stays open."""
    page.set_viewport_size({"width": width, "height": 740})
    visit(page, visitor)
    page.get_by_role("button", name="Requests").click()
    dialog = page.get_by_role("dialog", name="Requests to the API")
    expect(dialog.get_by_text("No requests yet.")).to_be_visible()
    one = visitor.start(HOSTILE)
    rows = dialog.locator("summary")
    path = f"/v2/conversations/{one}/messages"
    expect(rows).to_have_text([f"200POST {path}sendMessage", re.compile("startConversation$")])
    rows.first.click()
    body = dialog.locator("pre").first
    expect(body).to_contain_text(json.dumps(HOSTILE))
    httpx.get(f"{visitor.url}/search?q={'x' * 200}&apiKey=none")
    expect(rows.first).to_contain_text("apiKey=***")
    expect(rows.first).to_have_class("failed")
    expect(dialog.locator("details[open] summary")).to_have_text(f"200POST {path}sendMessage")
    expect(body).to_have_text("No body")
    assert 0 == overflow(page)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("img")).to_have_count(0)


def test_the_list_of_requests_keeps_the_latest(visitor: Visitor, page: Page) -> None:
    """Beyond the limit the oldest are dropped, and a reset empties the list."""
    with httpx.Client(base_url=visitor.url) as client:
        for number in range(99):
            client.get(f"/none/{number}")
        visit(page, visitor)
        page.get_by_role("button", name="Requests").click()
        rows = page.get_by_role("dialog").locator("summary")
        expect(rows).to_have_count(99)
        for number in range(99, 103):
            client.get(f"/none/{number}")
    expect(rows.first).to_contain_text("/none/102")
    expect(rows).to_have_count(100)
    expect(rows.last).to_contain_text("/none/3")
    httpx.post(f"{visitor.control}/reset", json={}).raise_for_status()
    expect(page.get_by_text("No requests yet.")).to_be_visible()
    expect(rows).to_have_count(0)


def test_the_pages_link_to_each_other(visitor: Visitor, page: Page) -> None:
    """The reference links to the operator's page, and back."""
    visit(page, visitor)
    page.get_by_role("link", name="API reference").click()
    page.get_by_role("link", name="Operator's page").click()
    expect(page.get_by_role("status")).to_have_text("Live")


# The browser logs each failed request.
@pytest.mark.provokes("Failed to load resource")
def test_a_refusal_is_shown(visitor: Visitor, page: Page) -> None:
    """A refused message stays in the box, with the server's error below it."""
    one = visitor.start("hello")
    visitor.operate(one, "handover", {})
    visit(page, visitor, one)
    answer = page.get_by_label("Answer as")
    expect(answer).to_be_visible()
    # From here on the page no longer receives changes.
    page.route("**/state?*", lambda route: route.abort())
    visitor.operate(one, "close", {})
    answer.click()
    page.keyboard.type("Too late")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The conversation is closed")
    expect(answer).to_have_value("Too late")


@pytest.mark.provokes("Failed to load resource")
def test_a_lost_server_is_shown(page: Page) -> None:
    """Without a server, the page keeps its content and shows that it is not connected."""
    with ExitStack() as server:
        visitor = Visitor(server.enter_context(mock_server()))
        one = visitor.start("hello")
        visit(page, visitor, one)
        heading = page.get_by_role("heading", name="hello")
        expect(heading).to_be_visible()
        server.close()
        expect(page.get_by_role("status")).to_have_text("Not connected, retrying")
        expect(heading).to_be_visible()
