"""An ASGI application in this process that is tested without a port."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from email.utils import formatdate
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import unquote

import httpx

from siteassist_contract.verdict import CannotRunError

Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
"""An application of ASGI 3. Its types are as wide as those of every framework."""
_START, _BODY = "http.response.start", "http.response.body"
_FAILED = b"Internal Server Error"
_PATIENCE = 30.0
"""Time, in seconds, for the start of an application, and for its end."""
_UNREAD = 100
"""Maximum number of messages of an answer that the client has not read."""


class RunningApp:
    """An application, with an event loop in a thread of its own.

    Requests at the same time run at the same time, as on a server.
    """

    def __init__(self, app: App) -> None:
        """Run ``app``, from the beginning of a ``with`` block to its end."""
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="siteassist-contract-app", daemon=True
        )
        self._lifespan = _Lifespan(app)

    def __enter__(self) -> RunningApp:
        """Start the application.

        Raises `CannotRunError` if it fails to start.
        """
        self._thread.start()
        self._task = asyncio.run_coroutine_threadsafe(self._lifespan.run(), self._loop)
        try:
            problem = self._lifespan.started.result(_PATIENCE)
        except TimeoutError:
            problem = f"no end of its startup within {_PATIENCE:.0f} s"
        if problem:
            self.close()
            raise CannotRunError(f"the application does not start: {problem}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the application."""
        self.close()

    def close(self) -> None:
        """Stop the application, and cancel the tasks that still run."""
        self._loop.call_soon_threadsafe(self._lifespan.stop.set)
        with contextlib.suppress(
            concurrent.futures.TimeoutError, concurrent.futures.CancelledError
        ):
            self._task.result(_PATIENCE)
        # An application that swallows cancellation, or blocks its loop, is left behind.
        with contextlib.suppress(concurrent.futures.TimeoutError):
            asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():
            self._loop.close()

    def transport(self) -> httpx.BaseTransport:
        """Return a transport to the application, which may be used in any thread."""
        return _Transport(self._app, self._loop, self._lifespan.state)


async def _cancel_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Lifespan:
    """The lifespan of an application, which need not support it."""

    def __init__(self, app: App) -> None:
        self.started: concurrent.futures.Future[str] = concurrent.futures.Future()
        """The reason why the application did not start; empty if it did."""
        self.stop = asyncio.Event()
        self.state: dict[str, Any] = {}
        """The state that the application keeps for its requests, each of which gets a copy."""
        self._app = app
        self._sent_startup = False

    async def run(self) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self.state}
        # An application without a lifespan may raise anything.
        with contextlib.suppress(Exception):
            try:
                await self._app(scope, self._receive, self._send)
            except SystemExit as error:
                # It would end the loop.
                self._answer(f"it exits with {error.code}")
        self._answer("")

    async def _receive(self) -> Message:
        if not self._sent_startup:
            self._sent_startup = True
            return {"type": "lifespan.startup"}
        await self.stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            reason = " ".join(str(message.get("message", "")).split())
            self._answer(reason or "it reported a failure")
        elif message["type"] == "lifespan.startup.complete":
            self._answer("")

    def _answer(self, problem: str) -> None:
        if not self.started.done():
            self.started.set_result(problem)


class _Transport(httpx.BaseTransport):
    """A transport that calls an application; the body of an answer is read as it is sent."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, state: dict[str, Any]) -> None:
        self._app = app
        self._loop = loop
        self._state = state

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        timeout = request.extensions.get("timeout", {}).get("read")
        scope = {**_scope(request), "state": dict(self._state)}
        body = _Body(self._app, self._loop, scope, content, timeout)
        try:
            start = body.take()
        except BaseException:
            body.close()
            raise
        if start is None or start["type"] != _START:
            # A server answers in place of an application that fails.
            body.close()
            headers = {"content-type": "text/plain; charset=utf-8", "date": formatdate(usegmt=True)}
            return httpx.Response(500, headers=headers, content=_FAILED)
        headers_sent = [(bytes(name), bytes(value)) for name, value in start.get("headers", ())]
        if all(name.lower() != b"date" for name, _ in headers_sent):
            headers_sent.append((b"date", formatdate(usegmt=True).encode()))
        body.is_sent = request.method != "HEAD"
        return httpx.Response(
            start["status"],
            headers=headers_sent,
            stream=body,
            extensions={"http_version": b"HTTP/1.1"},
        )


class _Body(httpx.SyncByteStream):
    """One call of an application, whose messages are read in another thread."""

    def __init__(
        self,
        app: App,
        loop: asyncio.AbstractEventLoop,
        scope: dict[str, Any],
        content: bytes,
        timeout: float | None,
    ) -> None:
        self.is_sent = True
        """Whether the client gets the body."""
        self._timeout = timeout
        self._loop = loop
        self._unread = [content]
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_UNREAD)
        self._gone = asyncio.Event()
        self._call = asyncio.run_coroutine_threadsafe(self._run(app, scope), loop)

    def __iter__(self) -> Iterator[bytes]:
        more = True
        while more:
            message = self.take()
            if message is None:
                raise httpx.RemoteProtocolError("peer closed connection: the application failed")
            if message["type"] != _BODY:
                continue
            more = message.get("more_body", False)
            content = bytes(message.get("body", b""))
            if content and self.is_sent:
                yield content

    def take(self) -> Message | None:
        """Return the next message, or None at the end.

        Raises `httpx.ReadTimeout` if it takes too long.
        """
        try:
            message = self._messages.get(timeout=self._timeout)
        except queue.Empty:
            raise httpx.ReadTimeout("no message of the application in time") from None
        if message is not None:
            self._loop.call_soon_threadsafe(self._room.release)
        return message

    def close(self) -> None:
        """Disconnect; the application may go on."""
        self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._gone.set()
        # Messages sent from now on do not wait.
        self._room.release()

    async def _run(self, app: App, scope: dict[str, Any]) -> None:
        try:
            # The client sees that the answer is missing or cut. An exit would end the loop.
            with contextlib.suppress(Exception, SystemExit):
                await app(scope, self._receive, self._send)
        finally:
            self._messages.put(None)

    async def _receive(self) -> Message:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        # Other calls, and a cancellation, have their turn.
        await asyncio.sleep(0)
        await self._room.acquire()
        if self._gone.is_set():
            # As on servers of this version of ASGI, it has no effect.
            self._room.release()
        else:
            self._messages.put(message)


def _scope(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": (request.url.host, request.url.port or 80),
    }
