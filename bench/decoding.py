"""The time to read a stream as typed events, as a ratio over a minimal reader.

The minimal reader splits the same bytes at blank lines and parses the JSON of each block
with the standard library. The time of the client includes everything it does for its
user, from the call to the last event: the work of httpx and the assembly of the text.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import httpx

from . import samples
from .peers import Opening, anthropic_stream, httpx_sse_stream, openai_stream, transport
from .results import Row, apart, hand_over, show_progress
from .samples import CONVERSATION, QUESTION, STREAM_TYPE
from .timing import cheapest

DELTAS = 20_000
REPETITIONS = 25
TEXT_REPETITIONS = 3
PEER_DELTAS = 3_000
PEER_REPETITIONS = 5
URL = "https://example.com/"

WHOLE = "decode 64 KiB chunks / split + json.loads"
SINGLE = "decode one-event chunks / httpx + split + json.loads"
TEXT = "read, with .text after each event / without"
GOALS = {"standard": 1.1, "fast": 0.5}
AWAITED_GOAL = 1.5
TEXT_GOAL = 3
NAMES = {"standard": "siteassist", "fast": "siteassist[fast]"}


def measure() -> list[Row]:
    """Return the ratios of each subject, each measured in a separate process."""
    rows: list[Row] = []
    for subject in ("standard", "fast", "openai", "anthropic", "httpx-sse"):
        show_progress(f"decoding: {NAMES.get(subject, subject)}")
        rows += apart("decoding", subject)
    return sorted(rows, key=lambda row: (WHOLE, SINGLE, TEXT).index(row.what))


def split(body: bytes) -> None:
    """Read a body whose blocks have a single line."""
    loads = json.loads
    for block in body.split(b"\n\n"):
        if block and block != b"data: [DONE]":
            loads(block[6:])


def split_named(body: bytes) -> None:
    """Read a body whose blocks have an `event` line before the `data` line."""
    loads = json.loads
    for block in body.split(b"\n\n"):
        if block:
            loads(block[block.index(b"data: ") + 6 :])


def _bare(chunks: list[bytes], read: Callable[[bytes], None]) -> Callable[[], None]:
    """Return a function that reads the chunks with httpx alone."""
    client = httpx.Client(transport=transport(httpx, chunks, STREAM_TYPE))

    def run() -> None:
        with client.stream("POST", URL) as response:
            for chunk in response.iter_bytes():
                read(chunk)

    return run


def _drained(begin: Opening) -> Callable[[], None]:
    def run() -> None:
        with begin() as events:
            for _ in events:
                pass

    return run


def _watched(begin: Opening) -> Callable[[], None]:
    """Return a function that looks at the text so far after each event, as an editor does."""

    def run() -> None:
        with begin() as stream:
            for _ in stream:
                len(stream.text)

    return run


def _count(begin: Opening) -> int:
    with begin() as events:
        return sum(1 for _ in events)


def _peer(name: str) -> list[Row]:
    stream, begin, read = {
        "openai": (samples.openai_stream, openai_stream, split),
        "anthropic": (samples.anthropic_stream, anthropic_stream, split_named),
        "httpx-sse": (samples.siteassist_stream, httpx_sse_stream, split),
    }[name]
    events = stream(PEER_DELTAS)
    body = b"".join(events)
    cut, single = begin(samples.cut(events)), begin(events)
    _check(name, PEER_DELTAS, _count(cut), _count(single))
    best = cheapest(
        PEER_REPETITIONS,
        lambda: read(body),
        _drained(cut),
        _bare(events, read),
        _drained(single),
    )
    return [Row(WHOLE, name, best[1] / best[0]), Row(SINGLE, name, best[3] / best[2])]


def _check(name: str, least: int, *counts: int) -> None:
    """Raise `RuntimeError` if a subject has read an unexpected number of events."""
    if any(not least <= count <= least + 10 for count in counts):
        raise RuntimeError(
            f"{name}: expected {least} to {least + 10} events, got {', '.join(map(str, counts))}"
        )


def _ours(kind: str) -> list[Row]:
    # Imported here, after `main` has decided whether orjson can be imported.
    from siteassist import SiteAssist

    events = samples.siteassist_stream(DELTAS)
    chunks = samples.cut(events)
    body = b"".join(events)

    def stream(pieces: list[bytes]) -> Opening:
        def begin() -> Any:
            client = SiteAssist(token="x", transport=transport(httpx, pieces, STREAM_TYPE))
            return client.send_message_stream(CONVERSATION, content=QUESTION)

        return begin

    _check(kind, DELTAS, _count(stream(chunks)), _count(stream(events)))
    with asyncio.Runner() as runner:
        best = cheapest(
            REPETITIONS,
            lambda: split(body),
            _drained(stream(chunks)),
            _awaited(runner, chunks),
            _bare(events, split),
            _drained(stream(events)),
            _bare_awaited(runner, events),
            _awaited(runner, events),
        )
    texts = cheapest(TEXT_REPETITIONS, _drained(stream(events)), _watched(stream(events)))
    name = NAMES[kind]
    return [
        Row(WHOLE, name, best[1] / best[0], GOALS[kind]),
        Row(WHOLE, f"{name}, async", best[2] / best[0]),
        Row(SINGLE, name, best[4] / best[3], GOALS[kind]),
        Row(SINGLE, f"{name}, async", best[6] / best[5], AWAITED_GOAL),
        Row(TEXT, name, texts[1] / texts[0], TEXT_GOAL),
    ]


def _awaited(runner: asyncio.Runner, pieces: list[bytes]) -> Callable[[], None]:
    """Return a function that reads the pieces with the asynchronous client."""
    from siteassist import AsyncSiteAssist

    chunks = samples.AsyncChunks(pieces)

    async def read() -> None:
        client = AsyncSiteAssist(token="x", transport=transport(httpx, chunks, STREAM_TYPE))
        async with client, client.send_message_stream(CONVERSATION, content=QUESTION) as stream:
            async for _ in stream:
                pass

    return lambda: runner.run(read())


def _bare_awaited(runner: asyncio.Runner, pieces: list[bytes]) -> Callable[[], None]:
    """Return a function that reads the pieces with httpx's asynchronous client alone."""
    chunks = samples.AsyncChunks(pieces)

    async def read() -> None:
        async with (
            httpx.AsyncClient(transport=transport(httpx, chunks, STREAM_TYPE)) as client,
            client.stream("POST", URL) as response,
        ):
            async for chunk in response.aiter_bytes():
                split(chunk)

    return lambda: runner.run(read())


def main(subject: str) -> None:
    """Measure one subject, for `measure`."""
    if subject == "standard":
        # None makes `import orjson` fail, as if it were not installed.
        sys.modules["orjson"] = None  # type: ignore[assignment]  # None is allowed here
    hand_over(_ours(subject) if subject in NAMES else _peer(subject))


if __name__ == "__main__":
    main(sys.argv[1])
