"""How long it takes to read a stream as typed events, over the least that it can take.

That floor is to cut the same bytes at blank lines and to read the JSON of each
block with the standard library. The client is timed through all that it does
for its user: from the call to the last event, with httpx and with the text put
together.
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
from .results import Row, apart, hand_over, tell
from .samples import CONVERSATION, QUESTION, STREAM_TYPE
from .timing import cheapest

DELTAS = 20_000
REPETITIONS = 15
PEER_DELTAS = 3_000
PEER_REPETITIONS = 5
URL = "https://example.com/"

WHOLE = "decode chunks of 64 KiB / split + json.loads"
SINGLE = "decode chunks of one event / httpx + the same"
GOALS = {"standard": 1.1, "fast": 0.5}
NAMES = {"standard": "siteassist", "fast": "siteassist[fast]"}


def measure() -> list[Row]:
    """Return the ratios of each subject, measured in a process of its own."""
    rows: list[Row] = []
    for who in ("standard", "fast", "openai", "anthropic", "httpx-sse"):
        tell(f"decoding: {NAMES.get(who, who)}")
        rows += apart("decoding", who)
    return sorted(rows, key=lambda row: (WHOLE, SINGLE).index(row.what))


def split(body: bytes) -> None:
    """Read a body of blocks with one line each."""
    loads = json.loads
    for block in body.split(b"\n\n"):
        if block and block != b"data: [DONE]":
            loads(block[6:])


def split_named(body: bytes) -> None:
    """Read a body of blocks with an `event` line before that of the data."""
    loads = json.loads
    for block in body.split(b"\n\n"):
        if block:
            loads(block[block.index(b"data: ") + 6 :])


def _bare(chunks: list[bytes], read: Callable[[bytes], None]) -> Callable[[], None]:
    """Return what reads the chunks with httpx and nothing else."""
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
    """Raise if a subject has read something else than what is measured."""
    if any(not least <= count <= least + 10 for count in counts):
        msg = f"{name} finds {counts} events where there are {least}"
        raise RuntimeError(msg)


def _ours(kind: str) -> list[Row]:
    # Only here: `main` decides first whether orjson is there.
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
    name = NAMES[kind]
    return [
        Row(WHOLE, name, best[1] / best[0], GOALS[kind]),
        Row(WHOLE, f"{name}, async", best[2] / best[0]),
        Row(SINGLE, name, best[4] / best[3], GOALS[kind]),
        Row(SINGLE, f"{name}, async", best[6] / best[5]),
    ]


def _awaited(runner: asyncio.Runner, pieces: list[bytes]) -> Callable[[], None]:
    """Return what reads the pieces with the asynchronous client."""
    from siteassist import AsyncSiteAssist

    chunks = samples.AsyncChunks(pieces)

    async def read() -> None:
        client = AsyncSiteAssist(token="x", transport=transport(httpx, chunks, STREAM_TYPE))
        async with client, client.send_message_stream(CONVERSATION, content=QUESTION) as stream:
            async for _ in stream:
                pass

    return lambda: runner.run(read())


def _bare_awaited(runner: asyncio.Runner, pieces: list[bytes]) -> Callable[[], None]:
    """Return what reads the pieces with httpx's asynchronous client and nothing else."""
    chunks = samples.AsyncChunks(pieces)

    async def read() -> None:
        async with (
            httpx.AsyncClient(transport=transport(httpx, chunks, STREAM_TYPE)) as client,
            client.stream("POST", URL) as response,
        ):
            async for chunk in response.aiter_bytes():
                split(chunk)

    return lambda: runner.run(read())


def main(who: str) -> None:
    """Measure one subject, for `measure`."""
    if who == "standard":
        # As if the accelerator were not installed.
        sys.modules["orjson"] = None  # type: ignore[assignment]  # that is how to say so
    hand_over(_ours(who) if who in NAMES else _peer(who))


if __name__ == "__main__":
    main(sys.argv[1])
