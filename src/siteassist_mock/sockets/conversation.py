"""The WebSocket of a conversation, which notifies a visitor of a human agent's actions.

The only source is the widget of the vendor. Its client sends the text ``ping``
every 30 seconds and disconnects after 60 seconds without a message. So it detects
a dead connection by itself, and the server sends no pings.

Only messages of human agents are pushed. The client already has the others from
its own requests, where they have no id. It could not recognise them, and would show
them twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from siteassist_mock.handlers import views
from siteassist_mock.handlers.conversations import not_found
from siteassist_mock.http.call import Services
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.limits import Limits
from siteassist_mock.http.preferences import header_values
from siteassist_mock.http.request_validation import RequestValidator
from siteassist_mock.storage.events import ConversationEvent
from siteassist_mock.storage.tables import MessageRow
from siteassist_mock.storage.worker import StoreUnavailable
from siteassist_spec import Operation, WebSocket

MAX_OPEN = 500
"""The greatest number of open sockets, which leaves connections for requests."""

MAX_PENDING = 64
"""The number of unsent events at which a connection is dropped."""

MAX_SENT_BYTES = 4096
"""The greatest size of a client's message; the only known one, ``ping``, has four bytes."""

GOING_AWAY = 1001
"""The close code when the server stops (RFC 6455, 7.4.1)."""

SERVICE_RESTART = 1012
"""The close code after a reset of the state; the client may connect again."""

# Longest wait for a client that does not read.
_CLOSE_SECONDS = 1.0


class ConversationSockets:
    """An ASGI application that serves the sockets of all conversations.

    The documents do not say how a handshake is refused. It is an HTTP request, so it
    gets the same documented errors: 400 if malformed, 401 for a wrong key, 403 for
    another website, 404 for an unknown conversation, 429 beyond a rate limit, 503 if
    there are too many sockets. Accepting first and then closing would give clients no
    more information: browsers hide the status, and the widget always reconnects.

    A client needs only the identifier of the conversation and the public key: the
    known URL has no other credential.
    """

    def __init__(
        self,
        services: Services,
        operation: Operation,
        websocket: WebSocket,
        spec: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        """Push the events of ``services``, and count handshakes in ``limits``.

        ``operation`` is the handshake, and ``websocket`` the socket that it opens.
        """
        self._services = services
        self._operation_id = operation.operation_id
        self._websocket = websocket
        self._limits = limits
        self._validator = RequestValidator(operation.operation_id, operation.parameters, None, spec)
        self._open: set[_Outbox] = set()
        self._closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise `ApiError` to refuse the handshake, or serve the socket to its end."""
        store = self._services.store
        # Without a bearer token the handshake counts for the address, like `init`.
        await store.perform(self._limits.check, self._operation_id, scope)
        path = self._validator.path(scope["path_params"])
        query = self._validator.query(scope["query_string"])
        self._services.authenticator.check_api_key(
            query["apiKey"], header_values(scope.get("headers", ()), b"origin")
        )
        conversation_id = path["conversationId"]
        outbox = _Outbox()
        # Subscribe before the handshake ends, so that the client misses no events
        # after it.
        await store.perform(store.listen)
        with self._services.events.subscribe(conversation_id, outbox.put):
            await store.perform(self._find, conversation_id)
            if self._closing or len(self._open) >= MAX_OPEN:
                raise ApiError(503)
            self._open.add(outbox)
            try:
                await receive()
                await self._serve(conversation_id, outbox, receive, send)
            finally:
                self._open.remove(outbox)

    def close(self) -> None:
        """Close all sockets because the server stops, and refuse new ones.

        Call it on the thread of the event loop. Sockets end within a second.
        """
        self._closing = True
        for outbox in self._open:
            outbox.end(GOING_AWAY)

    def _find(self, conversation_id: str) -> None:
        with self._services.store.read() as records:
            if records.any_conversation(conversation_id) is None:
                raise not_found(conversation_id)

    async def _serve(
        self, conversation_id: str, outbox: _Outbox, receive: Receive, send: Send
    ) -> None:
        # `send` raises an OSError after the client has disconnected.
        with suppress(OSError):
            await send({"type": "websocket.accept"})
            code = await _first_end(
                outbox.ended,
                self._answer_pings(receive, send),
                self._push(conversation_id, outbox, send),
            )
            if code is not None:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await send({"type": "websocket.close", "code": code})

    async def _answer_pings(self, receive: Receive, send: Send) -> None:
        # Other messages are ignored: their meaning is not known.
        while (message := await receive())["type"] != "websocket.disconnect":
            if message.get("text") == self._websocket.ping:
                await _send_text(send, self._websocket.pong)

    async def _push(self, conversation_id: str, outbox: _Outbox, send: Send) -> None:
        while True:
            event = await outbox.next()
            payload: dict[str, Any] = {"type": event.type, "chatId": conversation_id}
            if event.message_id is not None:
                try:
                    message = await self._services.store.perform(self._read, event.message_id)
                except StoreUnavailable:
                    # The client can read the messages when it has connected again.
                    outbox.end(SERVICE_RESTART)
                    return
                # The state may have been reset in the meantime.
                if message is None:
                    continue
                payload["message"] = views.message(message)
            text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            await _send_text(send, text)

    def _read(self, message_id: str) -> MessageRow | None:
        with self._services.store.read() as records:
            return records.message(message_id)


class _Outbox:
    """The unsent events of one client.

    Publishers do not wait for clients, so a slow client does not delay others.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[ConversationEvent] = asyncio.Queue(MAX_PENDING)
        self.ended: asyncio.Future[int | None] = self._loop.create_future()
        """The close code with which the server ends the connection; None sends no close."""

    def put(self, event: ConversationEvent) -> None:
        """Add an event, from any thread."""
        # Raised if the loop has ended, and the listener with it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, event)

    async def next(self) -> ConversationEvent:
        """Take the oldest event."""
        return await self._events.get()

    def end(self, code: int | None) -> None:
        """End the connection, unless it is ending already; on the thread of the loop."""
        if not self.ended.done():
            self.ended.set_result(code)

    def _put(self, event: ConversationEvent) -> None:
        if event.type == "reset":
            self.end(SERVICE_RESTART)
            return
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            # The client does not read, so it would not read a close frame either. It
            # can read the missed messages from the conversation later.
            self.end(None)


async def _first_end(ended: asyncio.Future[int | None], *work: Any) -> int | None:
    """Run ``work`` until one coroutine ends or ``ended`` has a result, and return the result.

    Raises the exceptions of ``work``.
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


async def _send_text(send: Send, text: str) -> None:
    try:
        await send({"type": "websocket.send", "text": text})
    except RuntimeError as error:
        # uvicorn raises it after it has closed the connection because of a message
        # that was too large or malformed.
        raise ConnectionError from error
