"""An HTTPX transport that calls an ASGI application without a socket, and streams its responses."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Message, Scope

__all__ = ["InProcess", "in_process"]


@contextmanager
def in_process(app: Starlette) -> Iterator[httpx.Client]:
    """Yield a client of ``app``, and close the store of the application at the end."""
    with httpx.Client(base_url="http://127.0.0.1/v2", transport=InProcess(app)) as http:
        yield http


class InProcess(httpx.BaseTransport):
    """A transport that calls an application; each request runs in its own thread."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def close(self) -> None:
        """Close the store of the application."""
        self._app.state.store.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response as soon as its headers are sent; the body is streamed."""
        messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        body = request.read()

        def run() -> None:
            try:
                asyncio.run(_call(self._app, _scope(request), body, messages.put))
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                messages.put(error)
            messages.put(None)

        thread = threading.Thread(target=run, name="in-process")
        thread.start()
        start = messages.get()
        if isinstance(start, Exception):
            thread.join()
            raise start
        return httpx.Response(
            start["status"], headers=start["headers"], stream=_Stream(messages, thread)
        )


class _Stream(httpx.SyncByteStream):
    """The body of a response, chunk by chunk."""

    def __init__(self, messages: queue.SimpleQueue[Any], thread: threading.Thread) -> None:
        self._messages = messages
        self._thread = thread

    def __iter__(self) -> Iterator[bytes]:
        while (message := self._messages.get()) is not None:
            if isinstance(message, Exception):
                raise message
            if message.get("body"):
                yield message["body"]

    def close(self) -> None:
        self._thread.join()


async def _call(app: Starlette, scope: Scope, body: bytes, put: Any) -> None:
    waiting = [body]

    async def receive() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Message) -> None:
        put(message)

    await app(scope, receive, send)


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "method": request.method,
        "path": request.url.path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
    }
