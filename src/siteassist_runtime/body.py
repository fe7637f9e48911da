"""Bodies of responses: decompression in pieces, and limits on size and time."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from siteassist_runtime.deadline import Deadline
from siteassist_runtime.http_library import errors, library_of

if TYPE_CHECKING:
    import httpx

_PIECE = 256 * 1024
"""The maximum size of a decompressed piece in bytes."""
_HEAD = 2
"""The size of the header of zlib in bytes."""

_BEGINNING = 1.0
"""The maximum time in seconds to read the body of an error that has no end."""
_LONGEST_BEGINNING = 64 * 1024
"""The maximum size of that body in bytes."""


class TooLargeError(Exception):
    """The body is larger than the limit."""


class _Decompressor:
    """Decompresses gzip and deflate, the encodings that the client accepts.

    The decoders of httpx decompress each chunk at once, to up to a thousand times its
    size, and support each other encoding whose package happens to be installed.
    """

    def __init__(self, encoding: str, failure: type[Exception]) -> None:
        self._failure = failure
        # With 32 added, zlib recognises the header of gzip and of zlib.
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        # Some servers leave out the header of deflate; it has two bytes.
        self._head: bytes | None = b"" if encoding == "deflate" else None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed data in pieces."""
        if self._head is not None:
            data = self._head + data
            if len(data) < _HEAD:
                self._head = data
                return
            self._head = None
            if data[0] & 0x0F != zlib.DEFLATED or int.from_bytes(data[:2], "big") % 31:
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        # Whatever follows the end of the compressed data is ignored.
        while not self._zlib.eof:
            try:
                piece = self._zlib.decompress(data, _PIECE)
            except zlib.error as error:
                raise self._failure(str(error)) from error
            data = self._zlib.unconsumed_tail
            if piece:
                yield piece
            # A full piece may leave output behind, even if it leaves no input.
            if not data and len(piece) < _PIECE:
                return


def _decompressor(response: httpx.Response) -> _Decompressor | None:
    """Return the decompressor for the body, or None if it is not compressed."""
    named = response.headers.get("content-encoding", "").lower().split(",")
    encodings = [name for text in named if (name := text.strip()) not in {"", "identity"}]
    if not encodings:
        return None
    failure = library_of(response).DecodingError
    if len(encodings) > 1 or encodings[0] not in {"gzip", "x-gzip", "deflate"}:
        raise failure(f"unsupported content encoding {', '.join(encodings)!r}")
    return _Decompressor(encodings[0], failure)


def pieces(response: httpx.Response) -> Iterator[bytes]:
    """Return the decompressed body in pieces."""
    if response.is_stream_consumed:
        return iter((response.content,))
    decompressor = _decompressor(response)
    # Not `iter_raw`, which takes longer for a small piece than decoding it: the reader of a body
    # closes the response, and counts what it needs.
    raw = iter(cast("Iterable[bytes]", response.stream))
    if decompressor is None:
        return raw
    return (piece for chunk in raw for piece in decompressor.pieces(chunk))


def pieces_async(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the decompressed body in pieces, asynchronously."""
    if response.is_stream_consumed:
        return _one(response.content)
    decompressor = _decompressor(response)
    # Not `aiter_raw`: that of httpx2 closes the response when reading is cancelled, and the
    # cancellation interrupts the closing, too. The reader of a body closes the response.
    raw = aiter(cast("AsyncIterable[bytes]", response.stream))
    return raw if decompressor is None else _decompressed(raw, decompressor)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _decompressed(
    raw: AsyncIterator[bytes], decompressor: _Decompressor
) -> AsyncIterator[bytes]:
    from anyio.lowlevel import checkpoint

    async for chunk in raw:
        for piece in decompressor.pieces(chunk):
            yield piece
            if len(piece) == _PIECE:
                # Other tasks, and timeouts, get their turn.
                await checkpoint()


def _check_size(size: int, largest: int | None) -> None:
    if largest is not None and size > largest:
        raise TooLargeError(f"larger than {largest:,} bytes (max_response_bytes)")


class _Collector:
    """The pieces of a body up to the limits."""

    def __init__(self, response: httpx.Response, deadline: Deadline, largest: int | None) -> None:
        self._response = response
        self._deadline = deadline
        self._largest = largest
        self._size = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        _check_size(self._size, self._largest)
        if self._pieces and not self._deadline.remaining():
            raise library_of(self._response).ReadTimeout("the body did not end in time")
        self._pieces.append(piece)

    def content(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


def read(response: httpx.Response, deadline: Deadline, largest: int | None) -> None:
    """Read the body of a response and always release its connection."""
    content = b""
    try:
        if response.is_stream_consumed:
            # A transport in memory has the whole body.
            _check_size(len(response.content), largest)
            return
        collector = _Collector(response, deadline, largest)
        for piece in pieces(response):
            collector.add(piece)
        content = collector.content()
    except errors("DecodingError", TooLargeError):
        # An error status is reported without its body.
        if response.is_success:
            raise
    finally:
        response.close()
    response._content = content


async def read_async(response: httpx.Response, deadline: Deadline, largest: int | None) -> None:
    """Read the body of a response and always release its connection."""
    content = b""
    try:
        if response.is_stream_consumed:
            # A transport in memory has the whole body.
            _check_size(len(response.content), largest)
            return
        collector = _Collector(response, deadline, largest)
        async for piece in pieces_async(response):
            collector.add(piece)
        content = collector.content()
    except errors("DecodingError", TooLargeError):
        # An error status is reported without its body.
        if response.is_success:
            raise
    finally:
        await response.aclose()
    response._content = content


def read_beginning(response: httpx.Response, deadline: Deadline) -> None:
    """Read the beginning of a body, for an error, and release the connection."""
    content = b""
    try:
        with Deadline(min(deadline.remaining(), _BEGINNING)):
            for piece in pieces(response):
                content += piece
                if len(content) > _LONGEST_BEGINNING:
                    break
    except errors("HTTPError"):
        pass
    finally:
        response.close()
    response._content = content


async def read_beginning_async(response: httpx.Response) -> None:
    """Read the beginning of a body, for an error, and release the connection."""
    from anyio import move_on_after

    content = b""
    try:
        with move_on_after(_BEGINNING):
            async for piece in pieces_async(response):
                content += piece
                if len(content) > _LONGEST_BEGINNING:
                    break
    except errors("HTTPError"):
        pass
    finally:
        await response.aclose()
    response._content = content
