"""What a call costs besides its HTTP, over the same call with bare httpx.

The transport is in memory and answers at once, so that nothing but the
client's own work is left.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from uuid import UUID

import httpx

from .peers import anthropic_call, openai_call, transport
from .results import Row, apart, hand_over, tell
from .samples import ANSWER, CONVERSATION, JSON_TYPE, QUESTION, SPOKEN
from .timing import cheapest

CALLS = 50
REPETITIONS = 40
GOAL = 1.05
WHAT = "call / bare httpx"
URL = "https://example.com/v2"
PATH = f"/conversations/{CONVERSATION}/messages"
BODY = {"content": QUESTION, "stream": False}
HEADERS = {"Authorization": "Bearer x"}

Pair = tuple[Callable[[], object], Callable[[], object]]


def measure() -> list[Row]:
    """Return the ratios of each subject, measured in a process of its own."""
    rows: list[Row] = []
    for who in ("siteassist", "siteassist, async", "openai", "anthropic", "plain generated"):
        tell(f"calls: {who}")
        rows += apart("calls", who)
    return rows


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
    if found != SPOKEN:
        msg = f"{found!r} is not the answer"
        raise RuntimeError(msg)
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


def _generated() -> Pair:
    """Return a call with what openapi-python-client makes as it stands."""
    from siteassist import AuthenticatedClient
    from siteassist.api.messages import send_message
    from siteassist.models import SendMessageRequest

    more = {"transport": transport(httpx, ANSWER, JSON_TYPE)}
    client = AuthenticatedClient(URL, token="x", httpx_args=more)
    id_ = UUID(CONVERSATION)

    def call() -> object:
        return send_message.sync(id_, client=client, body=SendMessageRequest(QUESTION))

    return _times(call), _times(_bare())


def main(who: str) -> None:
    """Measure one subject, for `measure`."""
    if who == "siteassist, async":
        with asyncio.Runner() as runner:
            ratio = _ratio(_siteassist_async(runner))
    elif who in {"openai", "anthropic"}:
        call, bare = openai_call() if who == "openai" else anthropic_call()
        ratio = _ratio((_times(call), _times(bare)))
    else:
        ratio = _ratio(_siteassist() if who == "siteassist" else _generated())
    hand_over([Row(WHAT, who, ratio, GOAL if who == "siteassist" else None)])


if __name__ == "__main__":
    main(sys.argv[1])
