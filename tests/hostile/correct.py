"""Servers that keep the contract, but are slow or restrictive."""

from __future__ import annotations

import json

from siteassist_spec import JSON
from tests.hostile.exchange import Answer, Exchange, json_answer
from tests.hostile.mode import Modes

CORRECT = Modes()


@CORRECT.add
async def answers_150ms(exchange: Exchange) -> None:
    """Take 150 ms for each answer."""
    await exchange.wait(0.15)
    await exchange.relay()


@CORRECT.add
async def answers_2_to_4s(exchange: Exchange) -> None:
    """Take 2 to 4 seconds for each answer."""
    await exchange.wait(exchange.random.uniform(2, 4))
    await exchange.relay()


@CORRECT.add
async def assistant_2_to_4s(exchange: Exchange) -> None:
    """Take 2 to 4 seconds for each answer of the assistant, as language models do."""
    if exchange.request.is_message:
        await exchange.wait(exchange.random.uniform(2, 4))
    await exchange.relay()


async def limit_60(exchange: Exchange) -> None:
    """Allow 60 requests a minute for each visitor, and say how long to wait."""
    await exchange.relay()


async def limit_120(exchange: Exchange) -> None:
    """Allow 120 requests a minute for each visitor, and say how long to wait."""
    await exchange.relay()


CORRECT.add(limit_60, rate_limits=("60/m",))
CORRECT.add(limit_120, rate_limits=("120/m",))


@CORRECT.add
async def bare_429(exchange: Exchange) -> None:
    """Refuse each 15th request with a 429 without details."""
    await _refuse(exchange, 429, refused=exchange.request.number % 15 == 0, details=False)


@CORRECT.add
async def plan_402(exchange: Exchange) -> None:
    """Refuse every request with 402 after 30 answers."""
    await _refuse(exchange, 402, refused=exchange.request.number > 30)


@CORRECT.add
async def overloaded_503(exchange: Exchange) -> None:
    """Refuse each 50th request with 503."""
    await _refuse(exchange, 503, refused=exchange.request.number % 50 == 0)


@CORRECT.add
async def resets_10th(exchange: Exchange) -> None:
    """Reset the connection of each tenth request, before the request has an effect."""
    if exchange.request.number % 10 == 0:
        exchange.reset()
    else:
        await exchange.relay()


async def _refuse(exchange: Exchange, status: int, *, refused: bool, details: bool = True) -> None:
    """Send the documented refusal, or the answer of the mock where none is documented."""
    refusal = _documented(exchange, status) if refused else None
    if refusal is None:
        await exchange.relay()
        return
    if not details:
        value = json.loads(refusal.body)
        value["error"].pop("details", None)
        refusal = json_answer(status, value)
    await exchange.send(refusal)


def _documented(exchange: Exchange, status: int) -> Answer | None:
    operation = exchange.request.operation
    response = operation.responses.get(status) if operation is not None else None
    if response is None:
        return None
    return json_answer(status, next(iter(response.media[JSON].examples.values())))
