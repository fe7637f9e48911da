"""What is kept of a stream's events, however many there are.

Peak memory is the system's own count (`ru_maxrss`), of a fresh process for each
length: tracemalloc slows a million events down tenfold and does not see what
is allocated outside of Python. The count begins after a short stream has been
read, when everything is imported, so that the memory of the process which
started this one (a smaller one, whose count a new process inherits) plays no
part. What the text itself takes is subtracted, one byte for each character.
Buffers of a fixed size weigh on short streams, so that flat means: from the
second length to the third, an event adds next to nothing. Of a thousand
events the count is too coarse to tell much.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from itertools import cycle, islice

import httpx

from .peers import transport
from .results import Row, apart, hand_over, tell
from .samples import CLOSING, CONVERSATION, DELTAS, OPENING, QUESTION, SILENT, STREAM_TYPE

COUNTS = (1_000, 100_000, 1_000_000)
KINDS = {"text": "with text", "silent": "without text"}
# A text grows with a quarter to spare, some 1.5 bytes for the pieces used here;
# the least that could be kept of an event by mistake takes dozens.
GOAL = 2.0
WHAT = "bytes kept per event, beyond the text"
AT_ONCE = 500
UNIT = 1024 if sys.platform != "darwin" else 1


def measure() -> list[Row]:
    """Return what each event adds, for each length of stream."""
    rows: list[Row] = []
    for kind, words in KINDS.items():
        growth: list[float] = []
        for count in COUNTS:
            tell(f"memory: {count:,} events {words}")
            (row,) = apart("memory", kind, str(count))
            growth.append(row.value * count)
            rows.append(row)
        added = (growth[-1] - growth[-2]) / (COUNTS[-1] - COUNTS[-2])
        name = f"siteassist, {words}, {COUNTS[-2]:,} to {COUNTS[-1]:,}"
        rows.append(Row(WHAT, name, added, GOAL, " B"))
    return rows


def _chunks(kind: str, count: int) -> Iterator[bytes]:
    """Make an answer up as it is read, so that it is never in memory as a whole."""
    events = cycle(DELTAS if kind == "text" else [SILENT])
    yield b"".join(OPENING)
    left = count
    while left:
        size = min(left, AT_ONCE)
        yield b"".join(islice(events, size))
        left -= size
    yield b"".join(CLOSING)


def _read(kind: str, count: int) -> tuple[int, int]:
    """Read a stream; return the peak of memory and the characters of the text."""
    from siteassist import SiteAssist

    carrier = transport(httpx, _chunks(kind, count), STREAM_TYPE)
    with (
        SiteAssist(token="x", transport=carrier) as client,
        client.send_message_stream(CONVERSATION, content=QUESTION) as stream,
    ):
        for _ in stream:
            pass
        # First the peak: asking for the text copies it.
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
