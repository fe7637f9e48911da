"""The time of a call, as a ratio over the same call with bare httpx.

The transport is in memory and answers immediately, so that only the work of the client
is measured.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
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
