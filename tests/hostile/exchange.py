"""One request of a client, and the ways to answer it."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import socket
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import h11

from siteassist_spec import JSON, SPEC_PATH, Document, Operation, base_path, read_operations

if TYPE_CHECKING:
    from random import Random

GIB = 1 << 30
READ_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 18
# Headers that belong to one connection; h11 writes its own.
_CONNECTION = {b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}

Headers = Sequence[tuple[bytes, bytes]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@functools.cache
def operations() -> dict[tuple[str, re.Pattern[str]], Operation]:
    """Return the operations of the description, by method and pattern of the path."""
    document = Document.load(SPEC_PATH)
    prefix = base_path(document)
    return {
        (one.method, re.compile(prefix + re.sub(r"\{\w+\}", "[^/]+", one.path))): one
        for one in read_operations(document).values()
    }


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived."""

    number: int
    """The number of the request on this server, from 1."""
    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def operation(self) -> Operation | None:
        """The operation of the request, or None if the description has none for it."""
        path = self.target.partition("?")[0]
        for (method, pattern), operation in operations().items():
            if method == self.method and pattern.fullmatch(path):
                return operation
        return None

    @property
    def is_message(self) -> bool:
        """Whether the assistant answers the request."""
        operation = self.operation
        return operation is not None and operation.stream is not None

    @property
    def is_stream(self) -> bool:
        """Whether the request asks for an event stream."""
        operation = self.operation
        if operation is None or operation.stream is None:
            return False
        try:
            body = json.loads(self.body)
        except ValueError:
            return False
        return isinstance(body, dict) and body.get(operation.stream.request_flag) is True

    @property
    def is_made_up(self) -> bool:
        """Whether schemathesis sent the request: it says so in its headers."""
        return any(b"schemathesis" in name + value.lower() for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with its whole body."""

    status: int
    headers: Headers
    body: bytes
    reason: bytes = b"Hostile"

    @property
    def media_type(self) -> str:
        """The media type, without parameters; empty without one."""
        value = dict(self.headers).get(b"content-type", b"")
        return value.decode("latin-1").partition(";")[0].strip().lower()

    def with_body(self, body: bytes) -> Answer:
        """Return the answer with another body."""
        return replace(self, body=body)

    def head(self, *lines: str) -> bytes:
        """Return the status line and the headers, with more lines in place of the framing."""
        said = [f"HTTP/1.1 {self.status} ".encode() + self.reason]
        said += [name + b": " + value for name, value in _without_framing(self.headers)]
        return b"\r\n".join([*said, *(line.encode() for line in lines), b"", b""])


def json_answer(status: int, value: Any) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, [(b"content-type", JSON.encode())], json.dumps(value).encode())


class Exchange:
    """A request, and the connection on which a mode answers it.

    ``pace`` is the number of seconds that a mode calls one second.
    """

    def __init__(
        self,
        request: Request,
        received: bytes,
        connection: h11.Connection,
        streams: Streams,
        upstream: tuple[str, int],
        random: Random,
        pace: float,
    ) -> None:
        """Take a request that ``connection`` made of the ``received`` bytes."""
        self.request = request
        self.random = random
        self._received = received
        self._connection = connection
        self._reader, self._writer = streams
        self._upstream = upstream
        self._pace = pace

    async def wait(self, seconds: float) -> None:
        """Wait for some of the server's seconds."""
        await asyncio.sleep(seconds * self._pace)

    async def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises `ConnectionError` if the client has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def drip(self, data: bytes) -> None:
        """Send one byte a second."""
        for number in range(len(data)):
            await self.write(data[number : number + 1])
            await self.wait(1)

    async def pour(self, data: bytes, size: int | None = None) -> None:
        """Send the same bytes again and again, up to ``size`` bytes or until the client has gone.

        They go at the speed of the connection.
        """
        block = data * max(_BLOCK_BYTES // len(data), 1)
        left = size
        while left is None or left > 0:
            await self.write(block if left is None else block[:left])
            left = None if left is None else left - len(block)
            # A fast client must not keep the others waiting.
            await asyncio.sleep(0)

    async def wait_for_client(self) -> None:
        """Wait until the client closes the connection."""
        while await self._reader.read(READ_BYTES):
            pass

    def reset(self) -> None:
        """Reset the connection; what was written before may be lost."""
        # With this option the system sends RST in place of FIN.
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        self._writer.transport.abort()

    async def send(self, answer: Answer) -> None:
        """Send an answer with a correct frame."""
        length = str(len(answer.body)).encode()
        headers = [*_without_framing(answer.headers), (b"content-length", length)]
        await self._send(
            h11.Response(status_code=answer.status, headers=headers, reason=answer.reason)
        )
        if self.request.method != "HEAD" and answer.status != 204:
            await self._send(h11.Data(data=answer.body))
        await self._send(h11.EndOfMessage())

    async def forward(self) -> Answer:
        """Let the mock answer, and return its answer."""
        answer = Answer(502, [], b"")
        body = bytearray()
        async with aclosing(self._upstream_events()) as events:
            async for event in events:
                if isinstance(event, h11.Response):
                    headers = [(bytes(name), bytes(value)) for name, value in event.headers]
                    answer = Answer(event.status_code, headers, b"")
                elif isinstance(event, h11.Data):
                    body += event.data
        return answer.with_body(bytes(body))

    async def relay(self) -> None:
        """Let the mock answer, and pass each piece of its answer on as it comes."""
        if b"upgrade" in dict(self.request.headers):
            # The handshake of a WebSocket.
            await pipe(self._received, (self._reader, self._writer), self._upstream)
            return
        async with aclosing(self._upstream_events()) as events:
            async for event in events:
                if isinstance(event, h11.Response):
                    # The length or the coding of the body stays, and h11 does the same again.
                    headers = [pair for pair in event.headers if pair[0] != b"connection"]
                    await self._send(
                        h11.Response(
                            status_code=event.status_code, reason=event.reason, headers=headers
                        )
                    )
                else:
                    await self._send(event)

    async def _send(self, event: h11.Event) -> None:
        data = self._connection.send(event)
        if data:
            await self.write(data)

    async def _upstream_events(self) -> AsyncGenerator[h11.Event, None]:
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            client = h11.Connection(h11.CLIENT)
            writer.write(_request_bytes(client, self.request))
            while True:
                event = client.next_event()
                if event is h11.NEED_DATA:
                    client.receive_data(await reader.read(READ_BYTES))
                    continue
                assert isinstance(event, h11.Event)
                if not isinstance(event, h11.InformationalResponse):
                    yield event
                if isinstance(event, h11.EndOfMessage):
                    return
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def pipe(received: bytes, client: Streams, upstream: tuple[str, int]) -> None:
    """Connect a client with the mock, byte for byte, after what was already received."""
    mock_reader, mock_writer = await asyncio.open_connection(*upstream)
    mock_writer.write(received)
    reader, writer = client
    copies = {
        asyncio.create_task(_copy(reader, mock_writer)),
        asyncio.create_task(_copy(mock_reader, writer)),
    }
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        mock_writer.close()
        with suppress(ConnectionError):
            await mock_writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()


def _request_bytes(client: h11.Connection, request: Request) -> bytes:
    framed = any(name in {b"content-length", b"transfer-encoding"} for name, _ in request.headers)
    headers = [*_without_framing(request.headers), (b"connection", b"close")]
    if all(name != b"host" for name, _ in headers):
        # h11 accepts requests of HTTP/1.0 without it, but sends HTTP/1.1 only.
        headers.append((b"host", b"127.0.0.1"))
    if framed:
        headers.append((b"content-length", str(len(request.body)).encode()))
    events: list[h11.Event] = [
        h11.Request(method=request.method, target=request.target, headers=headers)
    ]
    if request.body:
        events.append(h11.Data(data=request.body))
    return b"".join(client.send(event) or b"" for event in [*events, h11.EndOfMessage()])


def _without_framing(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [pair for pair in headers if pair[0] not in _CONNECTION]
