"""The connection pools of transports."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import httpcore
import httpx
import pytest

from siteassist import AsyncSiteAssist, SiteAssist, SiteAssistError
from siteassist_runtime import transports
from siteassist_runtime.network import _Backend, guard
from siteassist_runtime.transports import LoopRegistry, drop_orphans, is_closed, pools
from tests.runtime.helpers import visitor


class Wrapper(httpx.BaseTransport):
    """A transport that wraps others, in an attribute, a list or a mapping."""

    def __init__(self, inner: Any) -> None:
        self.name = "wrapper"
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        response: httpx.Response = self.inner.handle_request(request)
        return response


class Untyped:
    """A transport by its method only."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        response: httpx.Response = await self._inner.handle_async_request(request)
        return response


class AsyncWrapper(httpx.AsyncBaseTransport):
    """An async transport that wraps another."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the other one."""
        await self.inner.aclose()


class Slotted:
    """A transport without attributes."""

    __slots__ = ()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        raise AssertionError(request)


@pytest.fixture
def inner() -> Iterator[httpx.HTTPTransport]:
    """Return a transport with a pool."""
    with httpx.HTTPTransport() as transport:
        yield transport


def test_pool_of_a_wrapped_transport_is_found(inner: httpx.HTTPTransport) -> None:
    """A pool is found through transports that wrap each other, whatever their classes."""
    pool: Any = inner._pool
    for transport in (
        inner,
        Wrapper(inner),
        Wrapper(Wrapper(inner)),
        Wrapper([httpx.MockTransport(lambda _: visitor()), inner]),
        Wrapper({"all://": inner}),
        Untyped(Wrapper((inner,))),
    ):
        assert [pool] == list(pools(transport))
    assert [pool, pool] == list(pools(Wrapper([inner, inner])))


def test_other_transports_have_no_pool() -> None:
    """A transport without httpcore has no pool; one that wraps itself is no endless search."""
    circular = Wrapper(None)
    circular.inner = circular
    for transport in (None, httpx.MockTransport(lambda _: visitor()), Slotted(), circular):
        assert [] == list(pools(transport))


def test_wrapped_transport_is_guarded(inner: httpx.HTTPTransport) -> None:
    """The deadline of a call applies to the connections of a wrapped transport."""
    with httpx.Client(transport=Wrapper(inner)) as client:
        guard(client)
    pool: Any = inner._pool
    assert isinstance(pool._network_backend, _Backend)


def test_client_guards_a_wrapped_transport(inner: httpx.HTTPTransport) -> None:
    """The client does so when it makes its first call."""
    with (
        SiteAssist(token="t", base_url="http://127.0.0.1:1/v2", transport=Wrapper(inner)) as client,
        pytest.raises(SiteAssistError, match="cannot reach"),
    ):
        client.get_me(max_retries=0)
    pool: Any = inner._pool
    assert isinstance(pool._network_backend, _Backend)


# Event loops


def test_transport_serves_one_loop_at_a_time() -> None:
    """A second loop gets a clear error, even through another client; later loops do not."""
    transport = httpx.AsyncHTTPTransport()
    seen: list[str] = []

    async def call() -> None:
        async with AsyncSiteAssist(
            token="t", base_url="http://127.0.0.1:1/v2", transport=AsyncWrapper(transport)
        ) as client:
            try:
                await client.get_me(max_retries=0)
            except SiteAssistError as error:
                seen.append(str(error))
            if len(seen) == 1:
                # Another loop, in another thread, while this one is running.
                await asyncio.to_thread(asyncio.run, call())

    asyncio.run(call())
    asyncio.run(call())
    assert 3 == len(seen)
    assert "cannot reach" in seen[0]
    assert "getMe: the transport belongs to another event loop" in seen[1]
    assert "cannot reach" in seen[2]


def test_transport_in_memory_serves_all_loops() -> None:
    """A transport without connections can be used on several loops at once."""
    client = AsyncSiteAssist(token="t", transport=httpx.MockTransport(lambda _: visitor()))

    async def call() -> None:
        await client.get_me()
        await asyncio.to_thread(lambda: asyncio.run(another()))
        await client.get_me()

    async def another() -> None:
        await client.get_me()

    asyncio.run(call())


def test_registry_forgets_closed_loops() -> None:
    """A pool is free again when its loop is closed, without the connections of that loop."""
    registry, loops = LoopRegistry(), [asyncio.new_event_loop() for _ in range(2)]
    transport = httpx.AsyncHTTPTransport()
    assert registry.claim(transport, loops[0])
    assert registry.claim(transport, loops[0])
    assert not registry.claim(transport, loops[1])
    transport._pool._connections.append(object())  # type: ignore[arg-type]  # a fake
    loops[0].close()
    assert registry.claim(transport, loops[1])
    assert [] == transport._pool._connections
    loops[1].close()
    del transport
    gc.collect()
    assert not registry._loops


def test_closed_loop_is_forgotten() -> None:
    """A loop that was closed without its generators does not stay in memory."""
    client = AsyncSiteAssist(token="t", transport=httpx.MockTransport(lambda _: visitor()))

    def run() -> weakref.ref[Any]:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(client.get_me())
            return weakref.ref(loop)
        finally:
            # Not what `asyncio.run` does: `loop.shutdown_asyncgens` is missing.
            loop.close()

    references = [run() for _ in range(5)]
    gc.collect()
    assert [None] * 4 == [reference() for reference in references[:4]]
    assert 1 >= len(client._caller._loops)


def test_other_loops_do_not_say_whether_they_are_closed() -> None:
    """A loop without `is_closed` counts as open."""
    assert not is_closed(object())


# Orphans


class Connection:
    """A connection of a pool."""

    def __init__(self, *, idle: bool = False, closed: bool = False, expired: bool = False) -> None:
        self._state = idle, closed, expired

    def is_idle(self) -> bool:
        """Return whether it can be reused."""
        return self._state[0]

    def is_closed(self) -> bool:
        """Return whether it is closed."""
        return self._state[1]

    def has_expired(self) -> bool:
        """Return whether it is too old."""
        return self._state[2]


class Assigned:
    """A request with a connection, or without."""

    def __init__(self, connection: Connection | None) -> None:
        self.connection = connection


@pytest.mark.parametrize("name", ["_connections", "_pool"])
def test_connection_without_a_request_is_dropped(name: str) -> None:
    """A connection that neither serves a request nor can serve one leaves the pool."""

    class Pool:
        _network_backend = None

    class Transport:
        _pool = Pool()

    used, orphan = Connection(), Connection()
    others = [Connection(idle=True), Connection(closed=True), Connection(expired=True)]
    setattr(Transport._pool, name, [used, orphan, *others])
    Transport._pool._requests = [Assigned(used), Assigned(None)]  # type: ignore[attr-defined]  # a fake pool
    asyncio.run(drop_orphans(Transport()))
    assert [used, *others] == getattr(Transport._pool, name)


@pytest.mark.skipif(httpcore.__name__ != "httpcore", reason="httpcore2 removes them itself")
def test_waiting_request_gets_the_place_of_an_orphan() -> None:
    """A request that waits for a place in the pool gets it, and its call goes on."""

    async def main() -> None:
        async with httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1)) as transport:
            pool: Any = transport._pool
            # What a request leaves that was cancelled before it used its connection.
            pool._connections.append(pool.create_connection(httpcore.Origin(b"http", b"x", 1)))
            request = httpx.Request("GET", "http://127.0.0.1:1/")
            task = asyncio.create_task(transport.handle_async_request(request))
            for _ in range(20):
                await asyncio.sleep(0)
            assert (1, False) == (len(pool._requests), task.done())
            await drop_orphans(transport)
            with pytest.raises(httpx.ConnectError):
                await asyncio.wait_for(task, 10)

    asyncio.run(main())


def test_httpcore_has_what_dropping_needs() -> None:
    """The private attributes of httpcore that are used exist."""
    transport = httpx.AsyncHTTPTransport()
    pool: Any = transport._pool
    assert [] == list(pool._connections) == list(pool._requests)
    assert callable(pool._assign_requests_to_connections)
    assert [pool] == list(transports.pools(transport))
