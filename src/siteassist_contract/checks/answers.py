"""The judgement of an answer of the assistant, as JSON or as a stream, on its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import httpx

from siteassist_contract.checks import stream_grammar
from siteassist_contract.checks.behaviour.model import answer_text
from siteassist_contract.findings import Findings, faults_of, few
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.rules import SLOW_STREAM
from siteassist_spec import EVENT_STREAM

MOST_HELD_BACK = 3
"""The number of streams held back in a row that makes a violation."""


def announced(exchange: Exchange) -> str:
    """Return the id of the message that a streamed answer becomes, or an empty text."""
    is_stream = exchange.media_type == EVENT_STREAM
    return stream_grammar.read(exchange.operation, exchange.content).message if is_stream else ""


class Answers:
    """The judgement of answers, which remembers how streams have arrived."""

    def __init__(self, findings: Findings) -> None:
        """Record violations in ``findings``."""
        self._findings = findings
        self._paces: dict[str, list[bool | None]] = {}

    def judge(
        self,
        exchange: Exchange,
        stream: bool | None,
        history: Sequence[Exchange],
        *,
        is_left_out: bool = False,
    ) -> str | None:
        """Judge an answer; return its text, or None if it broke off, is invalid or is not due.

        ``stream`` is the choice of the request, or None; ``is_left_out`` is whether it chose JSON
        by leaving `stream` out. ``history`` ends with the exchange.
        """
        if exchange.status == httpx.codes.ACCEPTED:
            return None  # The message waits for a human agent, so it has no answer.
        operation = exchange.operation
        judge = partial(self._findings.judge, exchanges=history)
        is_stream = exchange.media_type == EVENT_STREAM
        form = EVENT_STREAM if stream else "application/json"
        chosen = "a request without `stream`" if is_left_out else f"`stream: {str(stream).lower()}`"
        if stream is not None:
            judge(
                is_stream == stream,
                "answer-form",
                operation,
                f"{form} for {chosen}",
                exchange.media_type or "no media type",
            )
        if not is_stream:
            text = answer_text(exchange.document)
            judge(text, "answer", operation, "an answer with a text", "none")
            return None if faults_of(exchange) else text
        reading = stream_grammar.read(operation, exchange.content)
        for rule in (
            stream_grammar.FRAMES,
            stream_grammar.ORDER,
            stream_grammar.IDS,
            stream_grammar.END,
        ):
            wrong = [fault.sentence for fault in reading.faults if fault.rule == rule]
            judge(not wrong, rule, operation, stream_grammar.EXPECTED[rule], few(wrong))
        self._pace(exchange, reading.deltas, history)
        if reading.broken_off or any(f.rule == stream_grammar.FRAMES for f in reading.faults):
            # The text of invalid events proves nothing.
            return None
        judge(reading.text, "answer", operation, "an answer with a text", "none")
        return reading.text

    def _pace(self, exchange: Exchange, deltas: int, history: Sequence[Exchange]) -> None:
        """Judge whether streams are sent piece by piece.

        A single stream may be held back by chance, so three in a row make a violation. One
        that is not held back shows that the server sends piece by piece.
        """
        held = stream_grammar.held_back(
            exchange.seconds, exchange.first, deltas, exchange.arrivals, exchange.content
        )
        if held is None:
            self._findings.prevent("stream-incremental", exchange.operation, SLOW_STREAM)
            return
        seen = self._paces.setdefault(exchange.operation, [])
        seen.append(held)
        if not held or len(seen) >= MOST_HELD_BACK:
            self._findings.judge(
                not all(seen[-MOST_HELD_BACK:]),
                "stream-incremental",
                exchange.operation,
                "the events over the whole length of the stream",
                f"{_arrival(exchange)} the end, after {exchange.seconds:.1f} s, three times in a"
                " row",
                history,
            )

    def needs_stream(self, operation: str) -> bool:
        """Whether streams of an operation were held back, but too few of them to judge."""
        seen = self._paces.get(operation, [])
        return all(seen) and 0 < len(seen) < MOST_HELD_BACK


def _arrival(exchange: Exchange) -> str:
    """Return how a stream arrived that was held back."""
    early = exchange.arrivals and exchange.first < exchange.seconds / 2
    return "only the first bytes before" if early else "no byte before"
