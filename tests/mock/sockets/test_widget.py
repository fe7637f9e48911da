"""Tests that replay the vendor's chat widget in a real browser on another website.

Only the widget's known requests are reproduced, not its code. It fetches the project,
starts a session and a conversation without a body, sends messages with an empty page
context, reads the answer as a stream, listens to the socket, and closes the
conversation without a body. The browser sends a CORS preflight before each
cross-origin request that needs one.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.testing import mock_server
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.one_interpreter

KEY = "pk_zoo"
WIDGET = """\
<!doctype html><html lang="en"><title>Zoo</title><script>
const ask = async (method, path, body, more = {}) => {
  const headers = {...more};
  if (widget.token) headers.Authorization = `Bearer ${widget.token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(widget.api + path, {method, headers, body: body && JSON.stringify(body)});
};
const widget = {
  api: "", token: "", heard: [],
  async json(...request) {
    const reply = await ask(...request);
    return [reply.status, await reply.json()];
  },
  async send(path, content) {
    const reply = await ask("POST", path, {content, pageContext: null, stream: true});
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part; !(part = await reader.read()).done;) text += part.value;
    return [reply.status, reply.headers.get("Content-Type"), text];
  },
  listen(address) {
    this.socket = new WebSocket(address);
    this.socket.onmessage = (message) => this.heard.push(message.data);
    return new Promise((done) => {
      this.socket.onopen = () => done("open");
      this.socket.onclose = () => done("closed");
    });
  },
};
</script>
"""


class Website(BaseHTTPRequestHandler):
    """Request handler that serves the page with the widget at every path."""

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(WIDGET.encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def website() -> Iterator[str]:
    """Run a website and yield its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Website) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def zoo() -> Iterator[str]:
    """Run the website that the key belongs to."""
    with website() as origin:
        yield origin


@pytest.fixture
def api(zoo: str, tmp_path: Path) -> Iterator[str]:
    """Run the mock with a key for that website."""
    seed = tmp_path / "data.yaml"
    seed.write_text(f"publishableKeys: [{{key: {KEY}, origins: ['{zoo}']}}]")
    with mock_server(seed=seed, strict=True) as url:
        yield url


def ask(page: Page, *request: Any) -> Any:
    """Send a request from the page and return its status and JSON."""
    return page.evaluate("request => widget.json(...request)", request)


def load(page: Page, website: str, api: str) -> None:
    """Open the page of a website and set the API's base URL."""
    page.goto(website)
    page.evaluate("api => { widget.api = api; }", api)


def operate(api: str, conversation: str, action: str, body: Any) -> None:
    """Call a control endpoint of a conversation, as the operator page does."""
    control = f"{api.removesuffix('/v2')}/_mock"
    httpx.post(f"{control}{conversation}/{action}", json=body).raise_for_status()


def test_the_widget_completes_a_conversation(zoo: str, api: str, page: Page) -> None:
    """The widget completes a conversation, from the project to its close."""
    load(page, zoo, api)

    status, project = ask(page, "GET", f"/projects/current?apiKey={KEY}")
    assert (200, True) == (status, "welcomeMessage" in project["chatWidgetConfig"])

    device = {"apiKey": KEY, "saVid": "device-1"}
    status, session = ask(page, "POST", "/identity/init", device)
    assert (201, "anonymous") == (status, session["visitor"]["type"])
    page.evaluate("token => { widget.token = token; }", session["sessionToken"])
    assert [200, session["visitor"]] == ask(page, "GET", "/identity/me")

    status, started = ask(page, "POST", "/conversations")
    assert (201, "open", []) == (status, started["status"], started["messages"])
    chat = started["id"]
    path = f"/conversations/{chat}"
    address = f"{api.replace('http', 'ws', 1)}{path}/ws?apiKey={KEY}"
    assert "open" == page.evaluate("address => widget.listen(address)", address)
    page.evaluate("widget.socket.send('ping')")
    page.wait_for_function("widget.heard[0] === 'pong'")

    send = "([path, content]) => widget.send(path, content)"
    question = "How long does shipping take?"
    status, media_type, body = page.evaluate(send, [f"{path}/messages", question])
    assert (200, "text/event-stream") == (status, media_type)
    *events, end, rest = body.split("\n\n")
    assert ("data: [DONE]", "") == (end, rest)
    payloads = [json.loads(event.removeprefix("data: ")) for event in events]
    text = "".join(payload.get("delta", "") for payload in payloads)
    assert ("start", "finish") == (payloads[0]["type"], payloads[-1]["type"])

    operate(api, path, "handover", {"name": "Sam"})
    operate(api, path, "agent-messages", {"content": "Two days."})
    page.wait_for_function("widget.heard.length === 3")
    assigned, said = map(json.loads, page.evaluate("widget.heard.slice(1)"))
    assert {"type": "human_assigned", "chatId": chat} == assigned
    assert ("new_message", chat) == (said["type"], said["chatId"])

    status, media_type, body = page.evaluate(send, [f"{path}/messages", "Thanks!"])
    assert (202, "Message sent") == (status, body)
    assert 200 == ask(page, "POST", f"{path}/close")[0]

    status, shown = ask(page, "GET", path)
    assert (200, "closed", True) == (status, shown["status"], shown["isHumanHandled"])
    assert said["message"] == shown["messages"][2]
    assert [question, text, "Two days.", "Thanks!"] == [
        message["parts"][0]["text"] for message in shown["messages"]
    ]


# The browser logs each refused request.
@pytest.mark.provokes("status of 429")
def test_the_widget_reads_errors(zoo: str, api: str, page: Page) -> None:
    """The page can read an error's body and its ``Retry-After``, which CORS hides by default."""
    load(page, zoo, api)
    status, seconds, error = page.evaluate(
        """async () => {
            const reply = await ask("GET", "/identity/me", undefined, {Prefer: "code=429"});
            return [reply.status, reply.headers.get("Retry-After"), await reply.json()];
        }"""
    )
    assert (429, "60", 60) == (status, seconds, error["error"]["details"]["retryAfter"])


@pytest.mark.provokes("status of 403|WebSocket connection")
def test_another_website_may_not_use_the_key(api: str, page: Page) -> None:
    """The page can read the refusal, and gets neither a session nor a socket."""
    with website() as other:
        load(page, other, api)
        status, refusal = ask(page, "POST", "/identity/init", {"apiKey": KEY, "saVid": "one"})
        assert (403, "FORBIDDEN") == (status, refusal["error"]["code"])
        chat = httpx.post(f"{api}/conversations", headers=BEARER).json()["id"]
        address = f"{api.replace('http', 'ws', 1)}/conversations/{chat}/ws?apiKey={KEY}"
        assert "closed" == page.evaluate("address => widget.listen(address)", address)
