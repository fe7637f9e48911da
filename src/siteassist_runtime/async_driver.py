"""Awaited calls, on asyncio or trio."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from siteassist_runtime import body
from siteassist_runtime.calls import (
    LIMITS,
    BaseCaller,
    Call,
    NeedsToken,
    ServiceInfo,
    Session,
    Step,
    Succeeded,
    Wait,
    broken,
    no_cookies,
    opening,
)
from siteassist_runtime.environment import check_proxies, tls_context
from siteassist_runtime.errors import SiteAssistError
from siteassist_runtime.http_library import AsyncHTTPClient, AsyncTransport
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.pages import AsyncPages, PageNames
from siteassist_runtime.redaction import redacting
from siteassist_runtime.settings import ClientSettings, seconds
from siteassist_runtime.streaming.stream import AsyncStream, StreamFormat
from siteassist_runtime.transports import LoopRegistry, drop_orphans, is_closed
from siteassist_runtime.unset import UNSET, Unset

if TYPE_CHECKING:
    import httpx
    from anyio import Lock

    from siteassist_runtime.live.listener import AsyncListener
    from siteassist_runtime.live.socket_format import Place, SocketFormat

ResultT = TypeVar("ResultT")


_in_use = LoopRegistry()
"""The event loop of each pool that was passed to a client."""


def _limit(call: Call) -> float | None:
    left = call.deadline.remaining()
    return None if left == float("inf") else left


async def sleep(seconds: float) -> None:
    """Wait on the running event loop."""
    import anyio

    await anyio.sleep(seconds)


def _loop() -> Any:
    from siteassist_runtime.exchange import running_loop

    return running_loop()


class _LoopConnections:
    """The connections of one event loop; they cannot be used on another."""

    def __init__(
        self,
        library: Any,
        transport: AsyncTransport | None,
        http_client: AsyncHTTPClient | None,
    ) -> None:
        self.http: Any
        self._is_own = transport is None and http_client is None
        if http_client is not None:
            self.http = http_client
        elif transport is not None:
            self.http = library.AsyncClient(transport=transport, cookies=no_cookies())
        else:
            check_proxies(library)
            self.http = library.AsyncClient(
                verify=tls_context(library), limits=library.Limits(**LIMITS), cookies=no_cookies()
            )
        # The lock of each session that is being started.
        self._session_locks: weakref.WeakKeyDictionary[Session, Lock] = weakref.WeakKeyDictionary()
        self._end: AsyncGenerator[None] | None = None

    async def close_with_loop(self) -> None:
        """Close the connections when the loop ends, at the latest.

        A loop that ends closes the asynchronous generators that were started on it
        (`loop.shutdown_asyncgens`, which `asyncio.run` calls; trio does the same).
        """
        if self._is_own:
            self._end = self._hold()
            await anext(self._end)

    def session_lock(self, session: Session) -> Lock:
        """Return the lock that the task that starts a session holds."""
        from anyio import Lock

        return self._session_locks.setdefault(session, Lock())

    async def drop_orphans(self) -> None:
        """Remove the connections that a request which failed left in the pools."""
        for transport in (self.http._transport, *self.http._mounts.values()):
            await drop_orphans(transport)

    async def close(self) -> None:
        if self._end is not None:
            await self._end.aclose()

    async def _hold(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            # This generator refers to the loop, which is a weak key; drop the reference.
            self._end = None
            await self.http.aclose()


class AsyncCaller(BaseCaller[AsyncTransport, AsyncHTTPClient]):
    """Makes calls; can be shared by tasks, and used on several event loops in turn."""

    def __init__(self, settings: ClientSettings, service: ServiceInfo, **rest: Any) -> None:
        """Store the settings; ``rest`` goes to `BaseCaller`."""
        super().__init__(settings, service, **rest)
        if self.parent is not None:
            return
        self._loops: weakref.WeakKeyDictionary[Any, _LoopConnections] = weakref.WeakKeyDictionary()
        self._abandoned: list[object] = []

    async def call(
        self,
        operation: OperationInfo,
        path: str,
        reader: Callable[[httpx.Response], ResultT],
        **rest: Any,
    ) -> ResultT:
        """Make a call and parse its response; ``rest`` goes to `plan`."""
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
        messages: Callable[[], AsyncPages[Any, Any]] | None = None,
        **rest: Any,
    ) -> AsyncStream[Any, Any, Any]:
        """Prepare a call whose response is streamed.

        ``messages`` returns the list that holds the answer's message afterwards.
        """
        idle = (
            self.settings.idle_timeout
            if isinstance(idle_timeout, Unset)
            else seconds("idle_timeout", idle_timeout)
        )

        async def start() -> httpx.Response:
            from anyio import fail_after

            call = self.plan(operation, path, accept="text/event-stream", streamed=True, **rest)
            try:
                with fail_after(_limit(call)):
                    response = self.check_stream(call, await self._send(call))
            except TimeoutError as error:
                raise self.timeout_error(call, 0) from error
            # From now on the limit applies to the time between events, and the stream counts it.
            response.request.extensions["timeout"]["read"] = None
            return response

        return AsyncStream(operation.name, form(), idle, start, lambda: self.secrets, messages)

    async def upgrade(self, operation: OperationInfo, path: str, **rest: Any) -> httpx.Response:
        """Make a call that changes the protocol of its connection; ``rest`` goes to `plan`."""
        call = self.plan(operation, path, **rest)
        return self.check_upgrade(call, await self._send_in_time(call))

    def listen(
        self,
        form: SocketFormat,
        place: Place,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> AsyncListener[Any]:
        """Prepare to listen to a conversation; ``limits`` goes to `Listening`."""
        from siteassist_runtime.live.calls import AsyncSocketCalls
        from siteassist_runtime.live.listener import AsyncListener

        self.check_open(form.operation)
        begin = self.begin_listening(form, place.conversation_id, limits)
        calls = AsyncSocketCalls(self, form, place, extra_headers, extra_query)
        return self.keep(AsyncListener(form.operation.name, begin, calls))

    async def wait_for_reply(
        self,
        form: SocketFormat,
        place: Place,
        sending: OperationInfo,
        content: str,
        wait: float | None,
        **extra: Any,
    ) -> Any:
        """Wait for the reply to a message that ``sending`` has sent, and return it."""
        from siteassist_runtime.live.reply import Reply, wait_for_reply_async

        listens = None not in place.key.values()
        reply = Reply(form, sending.name, content, wait, listens=listens)
        return await wait_for_reply_async(self, reply, place, extra)

    def pages(
        self,
        operation: OperationInfo,
        path: str,
        reader: Callable[[httpx.Response], Any],
        query: Mapping[str, Any],
        names: PageNames,
        **rest: Any,
    ) -> AsyncPages[Any, Any]:
        """Prepare calls that fetch a list page by page."""

        async def fetch(offset: int) -> Any:
            return await self.call(
                operation, path, reader, query={**query, names.offset: offset}, **rest
            )

        return AsyncPages(operation.name, fetch, query, names)

    async def close(self) -> None:
        """Close the caller's own connections on this loop; later calls raise."""
        self._closed = True
        for listener in self._take_listeners():
            if listener.loop in {None, _loop()}:
                await listener.aclose()
        if self.parent is not None:
            return
        connections = self._loops.pop(_loop(), None)
        if connections is not None:
            await connections.close()

    def forget_connections(self) -> None:
        """Leave the connections to the process that opened them (after a fork)."""
        super().forget_connections()
        if self.parent is not None:
            return
        # Kept, since closing them would end the other process's connections.
        self._abandoned.append(self._loops)
        self._loops = weakref.WeakKeyDictionary()

    async def _connections(self, operation: OperationInfo) -> _LoopConnections:
        self.check_open(operation)
        if self.parent is not None:
            return await self.parent._connections(operation)
        loop = _loop()
        connections = self._loops.get(loop)
        if connections is None:
            self._forget_closed_loops()
            if not _in_use.claim(self.transport or self.http_client, loop):
                raise SiteAssistError(
                    "the transport belongs to another event loop: pass a new one to a new client",
                    operation=operation.name,
                )
            with opening(operation):
                connections = self._loops[loop] = _LoopConnections(
                    self.library, self.transport, self.http_client
                )
            await connections.close_with_loop()
        return connections

    def _forget_closed_loops(self) -> None:
        """Drop the connections of loops that were closed without closing their generators.

        They refer to their loop, which would stay in memory with them.
        """
        for loop in [loop for loop in self._loops if is_closed(loop)]:
            del self._loops[loop]

    async def _send_in_time(self, call: Call) -> httpx.Response:
        from siteassist_runtime.exchange import in_time

        try:
            return await in_time(lambda: self._send(call), _limit(call))
        except TimeoutError as error:
            raise self.timeout_error(call, 0) from error

    async def _send(self, call: Call) -> httpx.Response:
        """Make the call, with its retries, and return the successful response."""
        attempts = self.attempts(call)
        step = next(attempts)
        while not isinstance(step, Succeeded):
            step = attempts.send(await self._perform(step, call))
        return step.response

    async def _perform(self, step: Step, call: Call) -> Any:
        """Carry out a step of the call and return its result."""
        if isinstance(step, NeedsToken):
            return await self._token(call)
        if isinstance(step, Wait):
            await sleep(step.seconds)
            return None
        connections = await self._connections(call.operation)
        try:
            with redacting(self.known(call)):
                response = await connections.http.send(step, stream=True)
                if self.is_stream(call, response):
                    return response
                if call.streamed and response.is_success:
                    await body.read_beginning_async(response)
                else:
                    largest = self.settings.max_response_bytes
                    await body.read_async(response, call.deadline, largest)
        except broken() as error:
            # Returned and not raised: it would appear as the context of our error.
            await connections.drop_orphans()
            return error
        except BaseException:
            await connections.drop_orphans()
            raise
        return response

    async def _token(self, call: Call) -> str:
        function = self.settings.token_function
        if function is not None:
            value = function()
            return self.given_token(call, await value if isinstance(value, Awaitable) else value)
        token = self.session.token
        if token is not None:
            return token
        connections = await self._connections(call.operation)
        # One task starts the session; the others wait, each up to its own deadline.
        async with connections.session_lock(self.session):
            token = self.session.token
            if token is None:
                start = self.plan_session(call)
                token = self.session_from(start, await self._send(start))
            return token
