"""The time of a call, as a ratio over the same call with bare httpx.

The transport is in memory and answers immediately, so that only the work of the client
is measured. An asynchronous call runs in a task of its own, so that a cancellation
loses no connection; in memory this takes as long as a third of the call itself.
Another row therefore has calls over a connection on the loopback interface, where
both wait for their answer.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx

from .peers import anthropic_call, openai_call, transport
from .results import Row, apart, hand_over, show_progress
from .samples import ANSWER, ANSWER_TEXT, CONVERSATION, JSON_TYPE, QUESTION
from .timing import cheapest

CALLS = 50
REPETITIONS = 40
GOAL = 1.05
WHAT = "call / bare httpx"
LOOPBACK = "call over a connection / bare httpx"
AWAITED_GOAL = 1.08
URL = "https://example.com/v2"
PATH = f"/conversations/{CONVERSATION}/messages"
BODY = {"content": QUESTION, "stream": False}
HEADERS = {"Authorization": "Bearer x"}

Pair = tuple[Callable[[], object], Callable[[], object]]


def measure() -> list[Row]:
    """Return the ratio of each subject, each measured in a separate process."""
    rows: list[Row] = []
    for subject in ("siteassist", "siteassist, async", "openai", "anthropic", "plain generated"):
        show_progress(f"calls: {subject}")
        rows += apart("calls", subject)
    show_progress("calls: siteassist, async, over a connection")
    return rows + apart("calls", LOOPBACK)


def _times(call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(CALLS):
            call()

    return run


def _ratio(pair: Pair) -> float:
    best = cheapest(REPETITIONS, *pair)
    return best[0] / best[1]


def _bare() -> Callable[[], object]:
    client = httpx.Client(
        transport=transport(httpx, ANSWER, JSON_TYPE), base_url=URL, headers=HEADERS
    )
    return lambda: client.post(PATH, json=BODY).json()


def _siteassist() -> Pair:
    from siteassist import SiteAssist

    carrier = transport(httpx, ANSWER, JSON_TYPE)
    client = SiteAssist(token="x", base_url=URL, transport=carrier)
    found = client.send_message(CONVERSATION, content=QUESTION).text
    if found != ANSWER_TEXT:
        raise RuntimeError(f"expected the answer {ANSWER_TEXT!r}, got {found!r}")
    return _times(lambda: client.send_message(CONVERSATION, content=QUESTION)), _times(_bare())


def _siteassist_async(runner: asyncio.Runner) -> Pair:
    from siteassist import AsyncSiteAssist

    carrier = transport(httpx, ANSWER, JSON_TYPE)
    client = AsyncSiteAssist(token="x", base_url=URL, transport=carrier)
    bare = httpx.AsyncClient(transport=carrier, base_url=URL, headers=HEADERS)

    async def ours() -> None:
        for _ in range(CALLS):
            await client.send_message(CONVERSATION, content=QUESTION)

    async def theirs() -> None:
        for _ in range(CALLS):
            (await bare.post(PATH, json=BODY)).json()

    return lambda: runner.run(ours()), lambda: runner.run(theirs())


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of a connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while request := (await reader.readuntil(b"\r\n\r\n")).lower():
            await reader.readexactly(int(request.partition(b"content-length: ")[2].split()[0]))
            writer.write(head % len(ANSWER) + ANSWER)
    writer.close()


async def _serve_forever(ready: Callable[[int], object]) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _over_a_connection(runner: asyncio.Runner, port: int) -> Pair:
    from siteassist import AsyncSiteAssist

    url = f"http://127.0.0.1:{port}/v2"
    client = AsyncSiteAssist(token="x", base_url=url)
    bare = httpx.AsyncClient(base_url=url, headers=HEADERS)

    async def ours() -> None:
        for _ in range(CALLS):
            await client.send_message(CONVERSATION, content=QUESTION)

    async def theirs() -> None:
        for _ in range(CALLS):
            (await bare.post(PATH, json=BODY)).json()

    return lambda: runner.run(ours()), lambda: runner.run(theirs())


def _loopback() -> Row:
    """Measure against a server in another process, whose time does not count."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    server = context.Process(target=_run_server, args=(sender,), daemon=True)
    server.start()
    try:
        with asyncio.Runner() as runner:
            ratio = _ratio(_over_a_connection(runner, receiver.recv()))
    finally:
        server.terminate()
    return Row(LOOPBACK, "siteassist, async", ratio, AWAITED_GOAL)


def _run_server(sender: Any) -> None:
    asyncio.run(_serve_forever(sender.send))


def _generated() -> Pair:
    """Return a call with the unmodified output of openapi-python-client."""
    from siteassist import AuthenticatedClient
    from siteassist.api.messages import send_message
    from siteassist.models import SendMessageRequest

    more = {"transport": transport(httpx, ANSWER, JSON_TYPE)}
    client = AuthenticatedClient(URL, token="x", httpx_args=more)
    id_ = UUID(CONVERSATION)

    def call() -> object:
        return send_message.sync(id_, client=client, body=SendMessageRequest(QUESTION))

    return _times(call), _times(_bare())


def main(subject: str) -> None:
    """Measure one subject, for `measure`."""
    if subject == LOOPBACK:
        hand_over([_loopback()])
        return
    if subject == "siteassist, async":
        with asyncio.Runner() as runner:
            ratio = _ratio(_siteassist_async(runner))
    elif subject in {"openai", "anthropic"}:
        call, bare = openai_call() if subject == "openai" else anthropic_call()
        ratio = _ratio((_times(call), _times(bare)))
    else:
        ratio = _ratio(_siteassist() if subject == "siteassist" else _generated())
    hand_over([Row(WHAT, subject, ratio, GOAL if subject == "siteassist" else None)])


if __name__ == "__main__":
    main(sys.argv[1])
