"""The memory that a stream retains per event, for streams of several lengths.

Peak memory is measured by the operating system (`ru_maxrss`) in a new process for each
length. tracemalloc would slow a million events down tenfold, and it ignores memory
allocated outside Python. The measurement starts after a short stream has been read, when
all modules are imported. This removes the influence of the parent process, whose smaller
peak a new process inherits. The size of the text, one byte per character, is subtracted.

Buffers of a fixed size dominate in short streams, and for a thousand events the
resolution of the measurement is too coarse. Memory is therefore considered constant if an
event adds almost nothing from the second length to the third.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from itertools import cycle, islice

import httpx

from .peers import transport
from .results import Row, apart, hand_over, show_progress
from .samples import CLOSING, CONVERSATION, DELTAS, OPENING, QUESTION, SILENT, STREAM_TYPE

COUNTS = (1_000, 100_000, 1_000_000)
KINDS = {"text": "with text", "silent": "without text"}
# The buffer of the text is over-allocated by a quarter, about 1.5 bytes per event for the
# pieces used here. Any object kept per event by mistake would take dozens of bytes.
GOAL = 2.0
WHAT = "bytes retained per event, without the text"
AT_ONCE = 500
UNIT = 1024 if sys.platform != "darwin" else 1


def measure() -> list[Row]:
    """Return the bytes per event for each length of stream, and between the two longest."""
    rows: list[Row] = []
    for kind, words in KINDS.items():
        growth: list[float] = []
        for count in COUNTS:
            show_progress(f"memory: {count:,} events {words}")
            (row,) = apart("memory", kind, str(count))
            growth.append(row.value * count)
            rows.append(row)
        added = (growth[-1] - growth[-2]) / (COUNTS[-1] - COUNTS[-2])
        name = f"siteassist, {words}, {COUNTS[-2]:,} to {COUNTS[-1]:,}"
        rows.append(Row(WHAT, name, added, GOAL, " B"))
    return rows


def _chunks(kind: str, count: int) -> Iterator[bytes]:
    """Generate an answer while it is read, so that it is never in memory as a whole."""
    events = cycle(DELTAS if kind == "text" else [SILENT])
    yield b"".join(OPENING)
    left = count
    while left:
        size = min(left, AT_ONCE)
        yield b"".join(islice(events, size))
        left -= size
    yield b"".join(CLOSING)


def _read(kind: str, count: int) -> tuple[int, int]:
    """Read a stream, and return the peak memory in bytes and the length of the text."""
    from siteassist import SiteAssist

    carrier = transport(httpx, _chunks(kind, count), STREAM_TYPE)
    with (
        SiteAssist(token="x", transport=carrier) as client,
        client.send_message_stream(CONVERSATION, content=QUESTION) as stream,
    ):
        for _ in stream:
            pass
        # Read the peak first, because `stream.text` copies the text.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
        return peak, len(stream.text)


def main(kind: str, count: int) -> None:
    """Measure one stream, for `measure`."""
    before, _ = _read(kind, AT_ONCE)
    peak, characters = _read(kind, count)
    value = (peak - before - characters) / count
    hand_over([Row(WHAT, f"siteassist, {KINDS[kind]}, {count:,}", value, unit=" B")])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
