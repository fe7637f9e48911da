"""A server that answers in a mode: ``python -m tests.hostile.server MODE PLACE``.

It reads the requests itself, since no ASGI server can be made to send what the modes send. The
mock behind it answers all requests that are not at the place, and those whose answer a mode
changes.
"""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from random import Random
from urllib.parse import urlsplit

import click
import h11

from siteassist_mock.testing import mock_server
from tests.hostile.correct import CORRECT
from tests.hostile.exchange import READ_BYTES, Exchange, Request, pipe
from tests.hostile.mode import Mode
from tests.hostile.modes import HOSTILE
from tests.hostile.places import PLACES, Place

START = "Hostile server on "
_MAX_HEADER_BYTES = 1 << 20
_STOPS = {signal.SIGINT, signal.SIGTERM}


async def relay(exchange: Exchange) -> None:
    """Answer as the mock does."""
    await exchange.relay()


QUIET = Mode("quiet", "Answer as the mock does.", relay)
MODES: dict[str, Mode] = {QUIET.name: QUIET, **HOSTILE, **CORRECT}
"""All modes by name."""


class HostileServer:
    """The counts of a server, and its handling of connections."""

    def __init__(self, mode: Mode, place: Place, upstream: str, pace: float) -> None:
        """Answer requests at ``place`` in ``mode``, and others as ``upstream`` does."""
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        self.url = ""
        self.requests = 0
        """The number of requests."""
        self.hits = 0
        """The number of requests that the mode answered."""
        self._path = parts.path
        self._upstream = (parts.hostname, parts.port)
        self._mode = mode
        self._place = place
        self._pace = pace
        self._running: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        # The same waits in each run.
        self._random = Random(0)

    async def run(self, started: Future[None], stop: asyncio.Event) -> None:
        """Serve on a free port until ``stop``; running answers are cut."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}{self._path}"
            started.set_result(None)
            await stop.wait()
            # Before `close`: asyncio leaks connections that it is accepting at that moment.
            asyncio.get_running_loop().remove_reader(server.sockets[0].fileno())
            # Connections that are being accepted are tasks, too, and begin new ones.
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task, writer in self._running.items():
                    if not task.cancelling():
                        task.cancel()
                        # `close` would wait until the client has read everything.
                        writer.transport.abort()
                await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Known from now on: a stop may come before the task begins.
        task = asyncio.create_task(self._serve(reader, writer))
        self._running[task] = writer
        task.add_done_callback(self._running.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client may leave at any time.
        with suppress(ConnectionError, h11.RemoteProtocolError):
            await self._requests_of(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _requests_of(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEADER_BYTES)
        while True:
            received = bytearray()
            try:
                request = await self._next_request(connection, reader, writer, received)
            except h11.RemoteProtocolError:
                # The mock decides what to say to a malformed request.
                await pipe(bytes(received), (reader, writer), self._upstream)
                return
            if request is None:
                return
            hit = self._place.includes(request)
            self.hits += hit
            act = self._mode.act if hit else relay
            await act(
                Exchange(
                    request,
                    bytes(received),
                    connection,
                    (reader, writer),
                    self._upstream,
                    self._random,
                    self._pace,
                )
            )
            if (connection.our_state, connection.their_state) != (h11.DONE, h11.DONE):
                return
            connection.start_next_cycle()

    async def _next_request(
        self,
        connection: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        received: bytearray,
    ) -> Request | None:
        """Read a request; None if the client closes the connection instead."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    interim = h11.InformationalResponse(status_code=100, headers=[])
                    writer.write(connection.send(interim))
                data = await reader.read(READ_BYTES)
                received += data
                connection.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            else:
                return None
        self.requests += 1
        return Request(
            self.requests,
            head.method.decode("ascii"),
            head.target.decode("latin-1"),
            [(bytes(name), bytes(value)) for name, value in head.headers],
            bytes(body),
        )


@contextmanager
def hostile_server(mode: Mode, place: Place, *, pace: float = 1.0) -> Iterator[HostileServer]:
    """Run a server on a free port, and stop it at the end of the block.

    ``pace`` is the number of seconds that the mode calls one second.
    """
    with mock_server(**mode.settings) as upstream:
        server = HostileServer(mode, place, upstream, pace)
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        started: Future[None] = Future()

        def serve() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(server.run(started, stop))

        thread = threading.Thread(target=serve, name="hostile-server")
        thread.start()
        started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()


@click.command()
@click.argument("mode", type=click.Choice(list(MODES)))
@click.argument("place", type=click.Choice(list(PLACES)), default="first")
def main(mode: str, place: str) -> None:
    """Serve on 127.0.0.1 in MODE at PLACE until Ctrl-C, and print the counts at the end."""
    # Threads inherit the mask, so that the signals wait for `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    with hostile_server(MODES[mode], PLACES[place]) as server:
        click.echo(f"{START}{server.url} ({mode}, {place})")
        signal.sigwait(_STOPS)
    click.echo(json.dumps({"requests": server.requests, "hits": server.hits}))


if __name__ == "__main__":
    main(prog_name="python -m tests.hostile.server")
