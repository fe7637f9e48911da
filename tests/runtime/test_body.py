"""Bodies of responses: decompression in pieces, and limits on size and time."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteassist import APIResponseError, APITimeoutError, InternalServerError
from siteassist_runtime import body
from siteassist_runtime.body import pieces, pieces_async
from tests.runtime.helpers import VISITOR, FakeTime, Run, chat, me

JSON = json.dumps(VISITOR).encode()


def deflated(data: bytes, wbits: int) -> bytes:
    """Compress with zlib."""
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "zlib": ("deflate", lambda data: deflated(data, zlib.MAX_WBITS)),
    "raw": ("deflate", lambda data: deflated(data, -zlib.MAX_WBITS)),
}


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in these chunks, each of which takes some time on a clock."""

    def __init__(self, chunks: list[bytes], clock: FakeTime | None = None, each: float = 0) -> None:
        self.chunks = chunks
        self.clock = clock
        self.each = each
        self.given = 0

    def _take(self, chunk: bytes) -> bytes:
        self.given += 1
        if self.clock is not None:
            self.clock.now += self.each
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""
        for chunk in self.chunks:
            yield self._take(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        for chunk in self.chunks:
            yield self._take(chunk)


def response(stream: Chunks, encoding: str) -> httpx.Response:
    """Return a response that is not read yet."""
    return httpx.Response(200, headers={"content-encoding": encoding}, stream=stream)


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut into chunks of a size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


async def collect(of: AsyncIterator[bytes]) -> list[bytes]:
    """Return the pieces."""
    return [piece async for piece in of]


@pytest.mark.parametrize("name", ENCODINGS)
@given(data=st.binary(max_size=300), size=st.integers(1, 40))
def test_pieces_do_not_depend_on_the_chunks(name: str, data: bytes, size: int) -> None:
    """The content is the same however its chunks are cut."""
    encoding, pack = ENCODINGS[name]
    chunks = cut(pack(data), size)
    assert data == b"".join(pieces(response(Chunks(chunks), encoding)))
    assert data == b"".join(asyncio.run(collect(pieces_async(response(Chunks(chunks), encoding)))))


@pytest.mark.parametrize("name", ["gzip", "zlib", "raw"])
def test_pieces_are_bounded(name: str) -> None:
    """One chunk that unpacks to 50 MB comes in small pieces, and never as a whole."""
    encoding, pack = ENCODINGS[name]
    packed = pack(bytes(50_000_000))
    for ways in (pieces, lambda of: iter(asyncio.run(collect(pieces_async(of))))):
        whole = 0
        for piece in ways(response(Chunks([packed]), encoding)):
            assert len(piece) <= body._PIECE
            whole += len(piece)
        assert 50_000_000 == whole
    tracemalloc.start()
    for _ in pieces(response(Chunks([packed]), encoding)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_data_after_the_end_is_ignored() -> None:
    """Whatever follows the compressed data is neither kept nor decoded."""
    chunks = [gzip.compress(b"Hi") + b"rubbish", b"more"]
    assert b"Hi" == b"".join(pieces(response(Chunks(chunks), "gzip")))


def answer(content: bytes | Chunks, status: int = 200, **headers: str) -> Callable[..., Any]:
    """Return a handler whose response is not read yet."""
    named = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }

    def handler(_request: httpx.Request) -> httpx.Response:
        stream = content if isinstance(content, Chunks) else Chunks(cut(content, 64 * 1024))
        return httpx.Response(status, headers=named, stream=stream)

    return handler


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (b"rubbish", "gzip", "cannot decode the response"),
        (b"\xff\xff\xff\xff", "deflate", "cannot decode the response"),
        (JSON, "br", "unsupported content encoding 'br'"),
        (JSON, "zstd", "unsupported content encoding 'zstd'"),
        (gzip.compress(gzip.compress(JSON)), "gzip, gzip", "unsupported content encoding 'gzip, g"),
    ],
)
def test_other_encodings_are_refused(
    run_steps: Run, content: bytes, encoding: str, words: str
) -> None:
    """The service cannot choose an encoding that the client did not offer."""
    handler = answer(content, content_encoding=encoding)
    with pytest.raises(APIResponseError, match=words):
        run_steps(handler, me, token="t")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_largest_body_is_64_mib(run_steps: Run, encoding: str) -> None:
    """A larger body ends the call, and names the setting; it is not read to its end."""
    data = bytes(66 * 1024 * 1024)
    packed = gzip.compress(data, 1) if encoding == "gzip" else data
    stream = Chunks(cut(packed, 1024 * 1024))
    expected = r"^getMe: cannot read the response: larger than 67,108,864 bytes \(max_response_"
    with pytest.raises(APIResponseError, match=expected):
        run_steps(answer(stream, content_encoding=encoding), me, token="t", max_retries=3)
    assert stream.given <= 65


@pytest.mark.parametrize(
    ("limit", "fits"), [(len(JSON), True), (len(JSON) - 1, False), (None, True)]
)
def test_largest_body_can_be_set(run_steps: Run, limit: int | None, *, fits: bool) -> None:
    """The limit is the size of the unpacked body, for the client."""
    handler = answer(gzip.compress(JSON), content_encoding="gzip")
    if fits:
        (found,) = run_steps(handler, me, token="t", max_response_bytes=limit)
        assert VISITOR["id"] == str(found.id)
    else:
        with pytest.raises(APIResponseError, match="larger than"):
            run_steps(handler, me, token="t", max_response_bytes=limit)


def test_largest_body_holds_for_a_transport_in_memory(run_steps: Run) -> None:
    """A response that its transport has read already is held to the limit, too."""

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=JSON)

    with pytest.raises(APIResponseError, match="larger than"):
        run_steps(handler, me, token="t", max_response_bytes=10)


@pytest.mark.parametrize("in_memory", [False, True])
def test_error_with_too_large_a_body_is_reported_without_it(
    run_steps: Run, *, in_memory: bool
) -> None:
    """An error status stays that error, even if its body is too large."""

    def handler(request: httpx.Request) -> httpx.Response:
        if in_memory:
            return httpx.Response(500, content=b"x" * 1000)
        found: httpx.Response = answer(b"x" * 1000, status=500)(request)
        return found

    with pytest.raises(InternalServerError) as caught:
        run_steps(handler, me, token="t", max_response_bytes=100, max_retries=0)
    assert "" == caught.value.text


def test_slow_body_is_cut_off(run_steps: Run, clock: FakeTime) -> None:
    """The deadline holds between the pieces of a body, with any transport."""
    stream = Chunks(cut(JSON, 1), clock, 1.0)
    with pytest.raises(APITimeoutError, match="within 5 s"):
        run_steps(answer(stream), me, token="t", timeout=5, max_retries=0)
    assert 6 >= stream.given


def test_stream_is_unpacked_in_pieces(run_steps: Run) -> None:
    """A stream may be compressed, by the encodings that the client offered."""
    events = b'data: {"type":"text-delta","id":"1","delta":"Hi"}\n\n' * 2000 + b"data: [DONE]\n\n"
    named = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    packed = gzip.compress(events)

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=named, stream=Chunks([packed]))

    ((stream, read),) = run_steps(handler, chat, token="t", max_response_bytes=100)
    assert (2000, True) == (len(read), stream.done)
