"""Traffic of a widget with a server, recorded as a HAR file."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.in_process import InProcess
from tests.values import API_KEY, PROJECT_ID, UNKNOWN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

BASE = "http://mock.test/v2"
_OF_THE_BODY = (b"content-encoding", b"content-length")
QUESTION = "How long does shipping take?"
_TOO_LONG = "I have read all of your pages. " * 400
_PAGE = {"url": "https://shop.example/lamps", "title": "Lamps", "textSelection": "40 watts"}


class Recording(httpx.BaseTransport):
    """A transport that records each exchange as an entry of a HAR file."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        """Forward requests to ``inner``."""
        self._inner = inner
        self.entries: list[dict[str, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Forward a request."""
        started, begun = datetime.now(UTC), time.perf_counter()
        answer = self._inner.handle_request(request)
        content = answer.read()  # unpacked, as browsers record it
        self.entries.append(
            {
                "startedDateTime": started.isoformat(),
                "time": (time.perf_counter() - begun) * 1000,
                "request": {
                    "method": request.method,
                    "url": str(request.url),
                    "headers": _pairs(request.headers),
                    "postData": {"mimeType": "application/json", "text": request.content.decode()},
                },
                "response": {
                    "status": answer.status_code,
                    "headers": _pairs(answer.headers),
                    "content": {
                        "size": len(content),
                        "encoding": "base64",
                        "text": base64.b64encode(content).decode(),
                    },
                },
            }
        )
        headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _OF_THE_BODY]
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()


def _pairs(headers: httpx.Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def write(path: Path, entries: list[dict[str, Any]]) -> Path:
    """Write a HAR file."""
    log = {"version": "1.2", "creator": {"name": "test", "version": "1"}, "entries": entries}
    path.write_text(json.dumps({"log": log}))
    return path


@contextmanager
def recording(app: Starlette) -> Iterator[tuple[httpx.Client, list[dict[str, Any]]]]:
    """Yield a client of an application, and the entries that it records."""
    transport = Recording(InProcess(app))
    with httpx.Client(base_url=BASE, transport=transport) as http:
        yield http, transport.entries


def record(app: Starlette, visit: Callable[[httpx.Client], None]) -> list[dict[str, Any]]:
    """Return the entries of a visit."""
    with recording(app) as (http, entries):
        visit(http)
    return entries


def visit(http: httpx.Client) -> None:
    """Do what a widget does on a page: as one visitor, and again after a reload, and as another.

    What a faulty server refuses or leaves out is skipped.
    """
    first = _Widget(http, "device-1")
    first.look()
    known = first.start()
    for content, stream in ((QUESTION, True), ("Grüße, 日本 👋", False), ("And back?", None)):
        first.send(known, content, stream=stream)
        first.read(known)
    first.rate(known)
    first.send(known, "", stream=False)
    first.read(known)
    other = first.start()
    first.send(other, "Another question", stream=True)
    stranger = _Widget(http, "device-2")
    for path in (f"/conversations/{known}", f"/conversations/{known}/messages"):
        stranger.call("GET", path)
    stranger.send(known, "Let me in", stream=False)
    stranger.call("GET", "/conversations")
    first.close(known)
    first.close(known)
    first.read(known)
    again = _Widget(http, "device-1")
    again.read(known)
    for query in ("", "?status=open", "?limit=1&offset=1", "?orderBy=createdAt&orderDir=asc"):
        again.call("GET", f"/conversations{query}")
    http.get("/identity/me")
    again.call("GET", "/conversations?limit=101")
    again.call("POST", "/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]})


def long_visit(http: httpx.Client) -> None:
    """Do the same as `visit`, and then what a widget does less often.

    A visitor pastes a text that is too long, changes a rating, or writes in a closed conversation;
    a widget has lost its token, or remembers a conversation that does not exist.
    """
    visit(http)
    first, stranger = _Widget(http, "device-1"), _Widget(http, "device-2")
    for path in ("/identity/me", "/conversations"):
        http.get(path)
    http.post("/conversations")
    known = first.start()
    first.send(known, "Two lines:\n<b>one</b>\n\ttwo", stream=True, page=_PAGE)
    first.read(known)
    for content in ("", _TOO_LONG):
        first.send(known, content, stream=True)
        first.read(known)
    http.post(f"/conversations/{known}/messages", json={"content": "Who am I?"})
    first.read(known)
    for feedback in ("dislike", "like", None):
        first.rate(known, feedback)
        first.read(known)
        first.call("GET", "/conversations")
    stranger.rate(known, "dislike", reader=first)
    stranger.close(known)
    first.read(known)
    for path in ("", "/messages"):
        first.call("GET", f"/conversations/{UNKNOWN_ID}{path}")
    first.call("POST", f"/messages/{UNKNOWN_ID}/feedback", {"feedback": "like"})
    for query in ("limit=1", "limit=1&offset=1", "role=user"):
        first.call("GET", f"/conversations/{known}/messages?{query}")
    first.close(known, "solved")
    first.read(known)
    first.send(known, "One more question", stream=False)
    first.read(known)
    for query in ("?status=closed", "?limit=2", "?limit=2&offset=2"):
        first.call("GET", f"/conversations{query}")
    question = {"messages": [{"role": "user", "content": QUESTION}]}
    for stream in (True, False):
        first.call("POST", "/chat/completions", question | {"stream": stream})
    http.get("/projects/current", params={"apiKey": "wrong"})
    for offset in (0, 2):
        http.get(f"/projects/{PROJECT_ID}/qnas", params={"limit": 2, "offset": offset})
    http.get(f"/projects/{PROJECT_ID}/qnas", params={"query": "return"})
    http.get(f"/projects/{PROJECT_ID}/qnas/{UNKNOWN_ID}")


class _Widget:
    """A widget with a session."""

    def __init__(self, http: httpx.Client, device: str) -> None:
        self._http = http
        answer = http.post("/identity/init", json={"apiKey": API_KEY, "saVid": device})
        self._token = str(_object(answer).get("sessionToken"))
        self.call("GET", "/identity/me")

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a request, and return the JSON object of the answer, or an empty one."""
        headers = {"Authorization": f"Bearer {self._token}"}
        content = {} if body is None else {"json": body}
        return _object(self._http.request(method, path, headers=headers, **content))

    def look(self) -> None:
        """Read the project and its knowledge."""
        key = {"apiKey": API_KEY}
        project = _object(self._http.get("/projects/current", params=key))
        listed = _object(self._http.get(f"/projects/{project.get('id')}/qnas", params={"limit": 2}))
        for entry in listed.get("data", ())[:1]:
            self._http.get(f"/projects/{project.get('id')}/qnas/{entry.get('id')}")
        self._http.get("/search", params={"q": "shipping", "size": 1, **key})

    def start(self) -> str:
        """Start a conversation, and return its id."""
        return str(self.call("POST", "/conversations").get("id"))

    def send(self, known: str, content: str, *, stream: bool | None, page: Any = None) -> None:
        """Send a message."""
        body = {"content": content, "pageContext": page}
        chosen = {} if stream is None else {"stream": stream}
        self.call("POST", f"/conversations/{known}/messages", body | chosen)

    def read(self, known: str) -> None:
        """Read a conversation and its messages."""
        self.call("GET", f"/conversations/{known}")
        self.call("GET", f"/conversations/{known}/messages")

    def rate(
        self, known: str, feedback: str | None = "like", reader: _Widget | None = None
    ) -> None:
        """Rate the latest answer, which ``reader`` finds, by default this widget."""
        messages = (reader or self).call("GET", f"/conversations/{known}/messages").get("data", ())
        for message in messages[-1:]:
            self.call("POST", f"/messages/{message.get('id')}/feedback", {"feedback": feedback})

    def close(self, known: str, reason: str | None = None) -> None:
        """Close a conversation."""
        body = None if reason is None else {"closeReason": reason}
        self.call("POST", f"/conversations/{known}/close", body)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
