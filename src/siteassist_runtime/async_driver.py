"""Calls that are awaited, on asyncio or trio."""

from __future__ import annotations

import time
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeVar

import httpx
from anyio import Lock, fail_after, sleep
from anyio.lowlevel import current_token

from siteassist_runtime.calls import (
    BROKEN,
    LIMITS,
    BaseCaller,
    Call,
    ServiceInfo,
    no_cookies,
    opening,
)
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.pages import AsyncPages, PageNames
from siteassist_runtime.settings import ClientSettings, seconds
from siteassist_runtime.streaming.stream import AsyncStream, StreamFormat
from siteassist_runtime.unset import UNSET, Unset

ResultT = TypeVar("ResultT")


def _loop() -> Any:
    token = current_token()
    # Newer versions of anyio wrap the loop in an object of the moment.
    return getattr(token, "native_token", token)


class _OnLoop:
    """The connections of one event loop, which cannot be used from another."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None) -> None:
        self.http = httpx.AsyncClient(transport=transport, limits=LIMITS, cookies=no_cookies())
        self.session_lock = Lock()
        self._end: AsyncGenerator[None] | None = None

    async def end_with_loop(self) -> None:
        """See to it that the connections are closed when the loop ends, at the latest.

        A loop that ends closes the asynchronous generators that were begun on it
        (`loop.shutdown_asyncgens`, which `asyncio.run` calls; trio does the same).
        """
        self._end = self._hold()
        await anext(self._end)

    async def close(self) -> None:
        if self._end is not None:
            await self._end.aclose()

    async def _hold(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            # What ends it holds the loop, which is the key to all of this.
            self._end = None
            await self.http.aclose()


class AsyncCaller(BaseCaller):
    """Makes calls, for any number of tasks at once, on one event loop after another."""

    def __init__(
        self,
        settings: ClientSettings,
        service: ServiceInfo,
        *,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """Take what the client was told; connect when there is something to say."""
        super().__init__(settings, service)
        self._transport = transport
        self._loops: weakref.WeakKeyDictionary[Any, _OnLoop] = weakref.WeakKeyDictionary()
        self._abandoned: list[object] = []

    async def call(
        self,
        operation: OperationInfo,
        path: str,
        reader: Callable[[httpx.Response], ResultT],
        **rest: Any,
    ) -> ResultT:
        """Make a call and read its answer; ``rest`` is what `plan` takes."""
        call = self.plan(operation, path, **rest)
        response = await self._send_in_time(call)
        return self.parse(call, response, reader)

    def stream(
        self,
        operation: OperationInfo,
        path: str,
        form: Callable[[], StreamFormat],
        *,
        idle_timeout: float | Unset | None = UNSET,
        **rest: Any,
    ) -> AsyncStream[Any, Any, Any]:
        """Prepare a call whose answer is read as it comes."""
        idle = (
            self.settings.idle_timeout
            if isinstance(idle_timeout, Unset)
            else seconds("idle_timeout", idle_timeout)
        )

        async def start() -> httpx.Response:
            call = self.plan(operation, path, accept="text/event-stream", streamed=True, **rest)
            response = await self._send_in_time(call)
            # From here on the limit is on the time between events.
            response.request.extensions["timeout"]["read"] = idle
            return response

        return AsyncStream(operation.name, form(), idle, start, lambda: self.secrets)

    def pages(
        self,
        operation: OperationInfo,
        path: str,
        reader: Callable[[httpx.Response], Any],
        query: Mapping[str, Any],
        names: PageNames,
        **rest: Any,
    ) -> AsyncPages[Any, Any]:
        """Prepare calls for one page after the other."""

        async def fetch(offset: int) -> Any:
            return await self.call(
                operation, path, reader, query={**query, names.offset: offset}, **rest
            )

        return AsyncPages(fetch, query, names)

    async def close(self) -> None:
        """Close this loop's connections; no call can be made any more."""
        self._closed = True
        state = self._loops.pop(_loop(), None)
        if state is not None:
            await state.close()

    def forget_connections(self) -> None:
        """Leave the connections to the process that opened them (after a fork)."""
        # Kept, since closing them would end the other process's connections.
        self._abandoned.append(self._loops)
        self._loops = weakref.WeakKeyDictionary()

    async def _on_loop(self, operation: OperationInfo) -> _OnLoop:
        self.check_open(operation)
        loop = _loop()
        state = self._loops.get(loop)
        if state is None:
            with opening(operation):
                state = self._loops[loop] = _OnLoop(self._transport)
            await state.end_with_loop()
        return state

    async def _send_in_time(self, call: Call) -> httpx.Response:
        left = call.deadline.remaining()
        try:
            with fail_after(None if left == float("inf") else left):
                return await self._send(call)
        except TimeoutError as error:
            raise self.timeout_error(call, 0) from error

    async def _send(self, call: Call) -> httpx.Response:
        """Make the call, again if need be; the answer is a success."""
        self.check(call.operation)
        session = self.needs_session(call.operation)
        renewed = False
        attempt = 0
        while True:
            state = await self._on_loop(call.operation)
            token = None
            if call.operation.bearer:
                token = await self._session(call, state) if session else self.settings.token
            request = self.request(call, token)
            sent = time.monotonic()
            try:
                self.check_open(call.operation)
                response = await state.http.send(request, stream=True)
                if response.is_success and call.streamed:
                    self.log_answer(call, response, sent)
                    return response
                await _read(response)
                if response.is_success:
                    self.log_answer(call, response, sent)
                    return response
            except BROKEN as caught:
                error, repeat = self.connection_error(call, caught, attempt)
            else:
                self.log_answer(call, response, sent)
                if not renewed and self.is_expired(call, response.status_code):
                    renewed = True
                    self.expire(token)
                    continue
                failed = self.status_error(call, response)
                repeat = self.repeats(call, failed)
                error = failed
            await sleep(self.wait_after(call, error, attempt, repeat=repeat))
            attempt += 1

    async def _session(self, call: Call, state: _OnLoop) -> str:
        token = self.session_token
        if token is not None:
            return token
        # One starts the session, the others wait for it, each as long as it has time.
        async with state.session_lock:
            token = self.session_token
            if token is None:
                start = self.plan_session(call)
                token = self.session_from(start, await self._send(start))
            return token


async def _read(response: httpx.Response) -> None:
    """Read the body of an answer, and let go of its connection whatever happens."""
    try:
        await response.aread()
    except httpx.DecodingError:
        if response.is_success:
            raise
        # The status says enough.
        response._content = b""  # noqa: SLF001  # there is no other way to give up a body
    finally:
        await response.aclose()
