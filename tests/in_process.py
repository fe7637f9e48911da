"""An HTTPX transport that calls an ASGI application without a socket, and streams its responses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Scope


@contextmanager
def in_process(app: Starlette) -> Iterator[httpx.Client]:
    """Yield a client of ``app``, and close the store of the application at the end."""
    with httpx.Client(base_url="http://127.0.0.1/v2", transport=InProcess(app)) as http:
        yield http


class InProcess(httpx.BaseTransport):
    """A transport that runs an application in the caller's thread, until its next message.

    One event loop serves all requests: starting a loop and a thread for each of them takes
    longer than the response. Threads take turns.
    """

    def __init__(self, app: Starlette) -> None:
        """Create the loop; the transport owns the store of the application."""
        self._app = app
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._turn = threading.RLock()

    def close(self) -> None:
        """Cancel what still runs, and close the store of the application."""
        self._runner.close()
        self._app.state.store.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response as soon as its headers are sent; the body is streamed."""
        request.read()
        with self._turn:
            body = _Body(self._app, request, self._runner.get_loop(), self._turn)
            start = body.message()
        assert start is not None, "the application sent no response"
        # A server adds the date, which an application leaves to it.
        headers = [*start["headers"], (b"date", formatdate(usegmt=True).encode())]
        return httpx.Response(start["status"], headers=headers, stream=body)


class _Body(httpx.SyncByteStream):
    """One call of an application, whose body is returned message by message."""

    def __init__(
        self,
        app: ASGIApp,
        request: httpx.Request,
        loop: asyncio.AbstractEventLoop,
        turn: threading.RLock,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._unread = [request.content]
        self._disconnected = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task = loop.create_task(self._run(app, _scope(request)))

    def __iter__(self) -> Iterator[bytes]:
        while (message := self.message()) is not None:
            if content := message.get("body"):
                yield content

    def message(self) -> Message | None:
        """Return the next message, or None at the end; raise the error of the application."""
        with self._turn:
            if self._messages.empty():
                message = self._loop.run_until_complete(self._messages.get())
            else:
                message = self._messages.get_nowait()
            if message is None:
                self._loop.run_until_complete(self._task)
            return message

    def close(self) -> None:
        """Disconnect, and let the application end."""
        with self._turn:
            self._disconnected.set()
            if not self._task.done():
                self._loop.run_until_complete(self._task)

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._messages.put)
        finally:
            self._messages.put_nowait(None)

    async def _receive(self) -> Message:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}


def _scope(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
    }
