"""A decoder of server-sent events (WHATWG HTML standard, 9.2.6)."""

from __future__ import annotations

from siteassist_runtime.errors import StreamDecodeError

_BOM = b"\xef\xbb\xbf"
LARGEST_EVENT = 16 * 1024 * 1024
"""The maximum size of an event in bytes."""


class EventDecoder:
    """Decodes the bytes of an event stream into the data of its events.

    Chunks may be split anywhere. The fields `event`, `id` and `retry` are
    ignored, since this API uses only `data`. Lines after the last blank line are
    not an event, even at the end of the stream.
    """

    __slots__ = ("_after_cr", "_parts", "_size", "_started")

    def __init__(self) -> None:
        """Begin a stream."""
        self._parts: list[bytes] = []
        self._size = 0
        self._started = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[str]:  # noqa: C901  # a fast path, and all other cases
        """Return the data of the events that ``chunk`` completes.

        Raises `StreamDecodeError` if an event is larger than `LARGEST_EVENT`.
        """
        carriage = b"\r" in chunk or self._after_cr
        if self._started and not self._parts and not carriage and chunk.endswith(b"\n\n"):
            # Fast path for nearly all chunks: whole events, and no rest of an earlier one.
            if len(chunk) > LARGEST_EVENT:
                self._check_blocks(chunk)
            return _events(chunk[:-2].decode("utf-8", "replace"))
        if carriage:
            chunk = self._with_line_feeds(chunk)
        if self._started and b"\n\n" not in chunk and not self._ends_with(chunk):
            # Without a blank line no event is complete, so earlier chunks are not joined yet.
            return self._keep(chunk)
        if self._parts:
            chunk = b"".join((*self._parts, chunk))
            self._parts.clear()
            self._size = 0
        if not self._started:
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                return self._keep(chunk)
            self._started = True
            chunk = chunk.removeprefix(_BOM)
        end = chunk.rfind(b"\n\n")
        if end < 0:
            return self._keep(chunk)
        if end + 2 < len(chunk):
            self._keep(chunk[end + 2 :])
        if len(chunk) > LARGEST_EVENT:
            self._check_blocks(chunk)
        return _events(chunk[:end].decode("utf-8", "replace"))

    def _check_blocks(self, chunk: bytes) -> None:
        for block in chunk.split(b"\n\n"):
            self._check(len(block))

    def _ends_with(self, chunk: bytes) -> bool:
        return chunk.startswith(b"\n") and bool(self._parts) and self._parts[-1].endswith(b"\n")

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """Replace CR and CRLF by LF; a CRLF may be split between chunks."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, chunk: bytes) -> list[str]:
        if chunk:
            self._parts.append(chunk)
            self._size += len(chunk)
            self._check(self._size)
        return []

    def _check(self, size: int) -> None:
        if size > LARGEST_EVENT:
            raise StreamDecodeError(
                f"an event of the stream is larger than {LARGEST_EVENT:,} bytes"
            )


def _events(text: str) -> list[str]:
    """Return the data of the events in ``text``, whose blocks are all complete."""
    if text.startswith("data: "):
        # Nearly all streams consist of blocks of one `data: ` line.
        if "\n" not in text:
            return [text[6:]]
        pieces = text[6:].split("\n\ndata: ")
        if text.count("\n") == 2 * (len(pieces) - 1):
            return pieces
    return [data for block in text.split("\n\n") if (data := _data(block)) is not None]


def _data(block: str) -> str | None:
    """Return the data of one block of lines; None if it has no `data` field."""
    found = None
    for line in block.split("\n"):
        # A comment has no name before its colon.
        name, _, value = line.partition(":")
        if name == "data":
            value = value.removeprefix(" ")
            found = value if found is None else f"{found}\n{value}"
    return found
