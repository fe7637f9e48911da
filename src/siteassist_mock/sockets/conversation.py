"""The WebSocket of a conversation: it tells the visitor what a human agent does.

What is known of it comes from the vendor's widget alone. The client sends the
text ``ping`` every 30 seconds and gives up after 60 seconds without hearing
anything, so it finds out by itself when a connection is dead, and the server
needs no ping of its own.

Pushed are the messages of human agents, and no others: the visitor's own and
the assistant's answers reach a client in the request that causes them, and
there without an id. A client could not tell that it has them already, and would
show them twice.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from siteassist_mock.handlers import views
from siteassist_mock.handlers.conversations import not_found
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.preferences import header_values
from siteassist_mock.http.request_validation import RequestValidator
from siteassist_spec import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from siteassist_mock.http.call import Services
    from siteassist_mock.http.limits import Limits
    from siteassist_mock.storage.events import ConversationEvent

__all__ = [
    "CONVERSATION_ID",
    "GOING_AWAY",
    "MAX_OPEN",
    "MAX_PENDING",
    "MAX_SENT_BYTES",
    "SERVICE_RESTART",
    "SOCKET_PATH",
    "ConversationSockets",
]

SOCKET_PATH = "/conversations/{conversationId}/ws"
"""Where the sockets are, below the API's own path."""

MAX_OPEN = 500
"""How many sockets a server keeps open; each lasts, so they must leave room for requests."""

MAX_PENDING = 64
"""How many events a client may be behind before its connection is dropped."""

MAX_SENT_BYTES = 4096
"""How large a client's message may be; the one that is known, ``ping``, has four bytes."""

GOING_AWAY = 1001
"""The code of a close because the server stops (RFC 6455, 7.4.1)."""

SERVICE_RESTART = 1012
"""The code of a close because the state was reset: to come back later may help."""

_NAME = "the socket"
# How long a client that does not read is waited for.
_CLOSE_SECONDS = 1.0

CONVERSATION_ID = Parameter(
    name="conversationId",
    place="path",
    required=True,
    schema={"type": "string", "format": "uuid"},
    resolved={"type": "string", "format": "uuid"},
)
"""The parameter in the path of whatever concerns one conversation."""

_API_KEY = Parameter(
    name="apiKey",
    place="query",
    required=True,
    schema={"type": "string"},
    resolved={"type": "string"},
)


class ConversationSockets:
    """An ASGI application that answers the sockets of all conversations.

    The documents do not say how a handshake is refused. Until it is complete it
    is a request by HTTP, so it gets the documented error of any other request:
    400 for what is malformed, 401 for a wrong key, 403 for another website, 404 for an
    unknown conversation, 429 beyond a rate limit, 503 if there are too many sockets.
    To accept first and then close would tell no client more: browsers hide the
    status, and the widget tries again after every end.

    The identifier of the conversation is all that a listener needs besides the
    key, which is public: there is no other credential in the known address.
    """

    def __init__(self, services: Services, spec: Mapping[str, Any], limits: Limits) -> None:
        """Listen to the events of ``services``, and hold handshakes to ``limits``."""
        self._services = services
        self._limits = limits
        self._validator = RequestValidator(_NAME, (CONVERSATION_ID, _API_KEY), None, spec)
        self._open: set[_Outbox] = set()
        self._closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the handshake with an `ApiError`, or serve the socket to its end."""
        # There is no bearer, so it counts for the address, like `init`.
        self._limits.check(_NAME, scope)
        path = self._validator.path(scope["path_params"])
        query = self._validator.query(scope["query_string"])
        self._services.authenticator.check_api_key(
            query["apiKey"], header_values(scope.get("headers", ()), b"origin")
        )
        if self._closing or len(self._open) >= MAX_OPEN:
            raise ApiError(503)
        conversation_id = path["conversationId"]
        outbox = _Outbox()
        # Listening begins before anything is looked up or answered: a client
        # that has its handshake has missed nothing since.
        with self._services.events.subscribe(conversation_id, outbox.put):
            with self._services.store.read() as records:
                if records.any_conversation(conversation_id) is None:
                    raise not_found(conversation_id)
            self._open.add(outbox)
            try:
                await receive()
                await self._serve(conversation_id, outbox, receive, send)
            finally:
                self._open.remove(outbox)

    def close(self) -> None:
        """End all sockets because the server stops, and refuse new ones.

        On the loop's own thread; each is over a second later at most.
        """
        self._closing = True
        for outbox in self._open:
            outbox.end(GOING_AWAY)

    async def _serve(
        self, conversation_id: str, outbox: _Outbox, receive: Receive, send: Send
    ) -> None:
        # A server raises an OSError when it sends to a client that left.
        with suppress(OSError):
            await send({"type": "websocket.accept"})
            code = await _first_end(
                outbox.ended,
                _answer_pings(receive, send),
                self._push(conversation_id, outbox, send),
            )
            if code is not None:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await send({"type": "websocket.close", "code": code})

    async def _push(self, conversation_id: str, outbox: _Outbox, send: Send) -> None:
        while True:
            event = await outbox.next()
            payload: dict[str, Any] = {"type": event.type, "chatId": conversation_id}
            if event.message_id is not None:
                with self._services.store.read() as records:
                    message = records.message(event.message_id)
                # Gone if the state was reset in the meantime.
                if message is None:
                    continue
                payload["message"] = views.message(message)
            text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            await _send_text(send, text)


class _Outbox:
    """The events that one client has not been told of yet.

    Whoever has an event puts it here and goes on: a client that does not read
    holds up nobody.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[ConversationEvent] = asyncio.Queue(MAX_PENDING)
        self.ended: asyncio.Future[int | None] = self._loop.create_future()
        """Why the server ends the connection: a close code; None drops it without a word."""

    def put(self, event: ConversationEvent) -> None:
        """Add an event, from any thread."""
        # Raised where the loop, and the listener with it, is gone.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, event)

    async def next(self) -> ConversationEvent:
        """Take the oldest event."""
        return await self._events.get()

    def end(self, code: int | None) -> None:
        """End the connection, unless it is ending already; on the loop's own thread."""
        if not self.ended.done():
            self.ended.set_result(code)

    def _put(self, event: ConversationEvent) -> None:
        if event.type == "reset":
            self.end(SERVICE_RESTART)
            return
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            # Nobody reads, so a close frame would not be read either. What the
            # client missed it finds in the conversation when it comes back.
            self.end(None)


async def _first_end(ended: asyncio.Future[int | None], *work: Any) -> int | None:
    """Do all ``work`` until one of it is done or ``ended`` has a result; return that.

    Raises what the work has raised.
    """
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return ended.result() if ended.done() else None


async def _answer_pings(receive: Receive, send: Send) -> None:
    # Whatever else a client says means nothing that is known.
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") == "ping":
            await _send_text(send, "pong")


async def _send_text(send: Send, text: str) -> None:
    try:
        await send({"type": "websocket.send", "text": text})
    except RuntimeError as error:
        # uvicorn's word for a client that it has just closed the connection to,
        # because of a message that was too large or malformed.
        raise ConnectionError from error
