"""A fake service with a list of messages and a WebSocket, without a network."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import httpcore
import httpx
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from siteassist import AsyncSiteAssist, SiteAssist
from tests.runtime.helpers import BASE_URL, CONVERSATION, FakeTime

KEY = "pk_test_1234567890"
TOKEN = "token-of-a-visitor"

# Not registered, so that the tests of other modules cannot enable it.
SILENT = logging.Logger("tests.frames", logging.CRITICAL + 1)  # noqa: LOG001

Item = bytes | Exception | Callable[[], object]


def message_id(number: int) -> str:
    """Return the id of a message."""
    return f"00000000-0000-4000-8000-{number:012d}"


def message(number: int, role: str = "human_agent", text: str | None = None) -> dict[str, Any]:
    """Return a message of a conversation."""
    words = f"message {number}" if text is None else text
    nothing = ("status", "error", "feedback", "feedbackAt", "metadata")
    return {
        "object": "message",
        "id": message_id(number),
        "createdAt": "2030-01-31T12:00:00.000Z",
        "chatId": CONVERSATION,
        "role": role,
        "parts": [{"type": "text", "text": words}],
        **dict.fromkeys((*nothing, "pageUrl", "pageTitle", "textSelection")),
    }


def pushed(number: int) -> str:
    """Return the text with which the socket sends a message."""
    return json.dumps({"type": "new_message", "chatId": CONVERSATION, "message": message(number)})


class Socket:
    """The service's side of a connection.

    A read returns the next item, or raises it, or calls it and reads on. Without an item the
    clock of the test moves by the time of the read.
    """

    def __init__(self, clock: FakeTime, *items: Item | str, answers: bool = True) -> None:
        """Send the items, and answer pings if ``answers``."""
        self._clock = clock
        self._protocol = ServerProtocol(state=State.OPEN, logger=SILENT)
        self._answers = answers
        self.items: deque[Item] = deque()
        self.received: list[str] = []
        """The texts of the client."""
        self.closed = False
        """Whether the client has closed the connection."""
        for item in items:
            self.push(item)

    def push(self, item: Item | str) -> None:
        """Add an item; a string is sent as a text."""
        self.items.append(self.frame(item) if isinstance(item, str) else item)

    def frame(self, text: str) -> bytes:
        """Return the bytes of a text."""
        self._protocol.send_text(text.encode())
        return b"".join(self._protocol.data_to_send())

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """Return the next bytes."""
        assert size > 0
        assert timeout is not None
        while self.items:
            item = self.items.popleft()
            if isinstance(item, bytes):
                return item
            if isinstance(item, Exception):
                raise item
            item()
        self._clock.sleep(timeout)
        raise httpcore.ReadTimeout

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Take what the client sends."""
        assert timeout is not None
        if self.closed:
            raise httpcore.WriteError
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode is Opcode.TEXT:
                self.received.append(bytes(frame.data).decode())
                if self._answers:
                    self.push("pong")
        if self._protocol.state is not State.OPEN:
            self.closed = True

    def get_extra_info(self, info: str) -> Any:
        """Return nothing: there is no socket."""
        assert info == "socket"


class Awaitable:
    """The same, for an asynchronous client."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def read(self, size: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # that of httpcore
        """Return the next bytes."""
        return self._socket.read(size, timeout)

    async def write(self, data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # that of httpcore
        """Take what the client sends."""
        self._socket.write(data, timeout)


class Service:
    """The service: its messages, and what each handshake gets."""

    def __init__(self, *handshakes: Socket | httpx.Response | Exception) -> None:
        """Take the results of the handshakes, of which the last one is repeated."""
        self.handshakes = list(handshakes)
        self.messages: list[dict[str, Any]] = []
        self.requests: list[httpx.Request] = []
        self.lists: deque[httpx.Response | Exception] = deque()
        """Results of requests for the messages, before the list itself."""
        self.awaited = False
        self.stream: Callable[[Socket], Any] = Awaitable
        """What an asynchronous client reads from."""

    def of(self, ending: str) -> list[httpx.Request]:
        """Return the requests whose path ends with a word."""
        return [request for request in self.requests if request.url.path.endswith(ending)]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        if request.url.path.endswith("/ws"):
            return self._upgrade(request)
        if request.method == "POST":
            content = json.loads(request.content)["content"]
            self.messages.append(message(len(self.messages) + 1, "user", content))
            return httpx.Response(202, text="Message sent")
        if self.lists:
            result = self.lists.popleft()
            if isinstance(result, Exception):
                raise result
            return result
        query = request.url.params
        role = query.get("role")
        found = [one for one in self.messages if role in {None, one["role"]}]
        start = int(query["offset"])
        page = found[start : start + int(query["limit"])]
        return httpx.Response(200, json={"object": "list", "data": page})

    def _upgrade(self, request: httpx.Request) -> httpx.Response:
        result = self.handshakes[0] if len(self.handshakes) == 1 else self.handshakes.pop(0)
        if isinstance(result, Exception):
            raise result
        if isinstance(result, httpx.Response):
            return result
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Accept": accept_key(request.headers["Sec-WebSocket-Key"]),
        }
        stream = self.stream(result) if self.awaited else result
        return httpx.Response(101, headers=headers, extensions={"network_stream": stream})

    def client(self, *, awaited: bool, **settings: Any) -> Any:
        """Return a client of the service."""
        self.awaited = awaited
        given = {"base_url": BASE_URL, "api_key": KEY, "token": TOKEN, **settings}
        transport = httpx.MockTransport(self)
        kind = AsyncSiteAssist if awaited else SiteAssist
        return kind(transport=transport, **given)
