"""Calls and streams that are cancelled at any moment lose no connection."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist

CONVERSATION = "7c0e3f5a-1b2d-4c6e-8f90-a1b2c3d4e5f6"
VISITOR = json.dumps(
    {
        "object": "visitor",
        "id": CONVERSATION,
        "type": "anonymous",
        "externalId": None,
        "name": None,
        "avatarUrl": None,
    }
).encode()
DELTA = b'data: {"type": "text-delta", "id": "1", "delta": "x"}\n\n'
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
DONE = b"data: [DONE]\n\n"
TRIALS = 200
TASKS = 20
PLACES = 10

Step = Callable[[AsyncSiteAssist], Awaitable[Any]]


def chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Server:
    """A server whose responses come in pieces, some of them a moment apart."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.connections: set[asyncio.Task[Any]] = set()

    async def _moment(self) -> None:
        await asyncio.sleep(self._random.choice([0, 0, 0.001]))

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                await self._respond(reader, writer)
        writer.close()
        self.connections.discard(task)

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
        await self._moment()
        if head.startswith(b"get"):
            pieces = [
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(VISITOR),
                VISITOR,
            ]
        else:
            pieces = [
                STREAM_HEAD,
                chunk(DELTA),
                chunk(DELTA),
                chunk(DONE),
                b"0\r\n\r\n",
            ]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await self._moment()


async def call(client: AsyncSiteAssist) -> str:
    """Make a call."""
    return str((await client.get_me()).id)


async def read(client: AsyncSiteAssist) -> str:
    """Read a stream."""
    async with client.send_message_stream(CONVERSATION, content="Hi") as stream:
        return (await stream.until_done()).text


async def cancelled(work: Step, client: AsyncSiteAssist, chance: random.Random) -> str | None:
    """Start a task and cancel it at a random moment, often more than once."""
    task = asyncio.ensure_future(work(client))
    for _ in range(chance.randrange(60)):
        await asyncio.sleep(0)
    if chance.random() < 0.5:
        await asyncio.sleep(chance.random() * 0.01)
    for _ in range(chance.choice([1, 1, 2, 3])):
        task.cancel()
        await asyncio.sleep(0)
    try:
        return str(await task)
    except asyncio.CancelledError:
        return None


@pytest.mark.parametrize("places", [None, PLACES])
@pytest.mark.parametrize("work", [call, read])
@pytest.mark.parametrize("seed", [1, 2])
def test_cancelled_work_loses_no_connection(work: Step, places: int | None, seed: int) -> None:
    """After hundreds of cancelled calls or streams no connection counts as in use.

    That also holds where more of them run than connections are allowed. Whatever was
    not cancelled has its whole result.
    """
    chance = random.Random(seed)

    async def main() -> None:
        serve = Server(seed)
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        limits = httpx.Limits(max_connections=places, max_keepalive_connections=places)
        transport = httpx.AsyncHTTPTransport(limits=limits)
        pool: Any = transport._pool
        free = asyncio.Semaphore(TASKS)

        async def one() -> str | None:
            async with free:
                return await cancelled(work, client, chance)

        async with (
            transport,
            AsyncSiteAssist(
                token="t",
                base_url=f"http://127.0.0.1:{port}/v2",
                transport=transport,
                max_retries=0,
            ) as client,
        ):
            whole = await work(client)
            results = await asyncio.gather(*(one() for _ in range(TRIALS)))
            assert {whole, None} >= set(results)
            assert results.count(None) > TRIALS / 20
            assert [] == pool._requests
            assert [] == [
                connection
                for connection in pool.connections
                if not (connection.is_idle() or connection.is_closed())
            ]
            # As many as there are places still work at the same time.
            assert [whole] * PLACES == await asyncio.gather(*(work(client) for _ in range(PLACES)))
        server.close()
        for task in list(serve.connections):
            task.cancel()
        if serve.connections:
            await asyncio.wait(serve.connections)

    async def watched() -> None:
        await asyncio.wait_for(main(), 60)
        assert {asyncio.current_task()} == asyncio.all_tasks()

    asyncio.run(watched())
