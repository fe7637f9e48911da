"""Streams must arrive in chunks, which only timing shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from siteassist_contract.checks import derived, stream_grammar, streams
from siteassist_contract.profiles import PROFILES

if TYPE_CHECKING:
    from tests.contract.conftest import Clock, Forward, MakeContext, MakeMock


class Slow(httpx.SyncByteStream):
    """A body that takes a second: before its start or its second chunk, or between all chunks."""

    def __init__(self, clock: Clock, content: bytes, *, held_back: bool, after: int = 0) -> None:
        self._clock = clock
        self._content = content
        self._held_back = held_back
        self._after = after

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in ten chunks, or in three if it was collected."""
        collected = self._held_back and not self._after
        size = len(self._content) // (3 if collected else 10) + 1
        for number, begin in enumerate(range(0, len(self._content), size)):
            if number == self._after or not self._held_back:
                self._clock.sleep(1.0 if self._held_back else 0.1)
            yield self._content[begin : begin + size]


CHECKS = {
    "streams": tuple(check for _, check in streams.STREAMS),
    "first pass": (derived.check_operations,),
}


@pytest.mark.parametrize("checks", CHECKS)
@pytest.mark.parametrize("held_back", [False, True])
def test_buffered_stream_is_a_violation(
    held_back: bool,
    checks: str,
    make_mock: MakeMock,
    clock: Clock,
    make_context: MakeContext,
) -> None:
    """A stream that arrives all at once at its end is a violation, a slow one is not.

    The first pass alone shows it, since a slow server may leave no time for more.
    """

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        slow = Slow(clock, answer.content, held_back=held_back)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=slow)

    context = make_context(make_mock(fault, now=clock.time))
    for check in CHECKS[checks]:
        check(context)
    broken = {"sendMessage stream-incremental", "createChatCompletion stream-incremental"}
    assert (broken if held_back else set()) == set(context.findings.violations)
    assert 0 < context.findings.tested["stream-incremental", "sendMessage"]
    if held_back:
        actual = context.findings.violations["sendMessage stream-incremental"].actual
        assert "no byte before the end, after 1.0 s, three times in a row" == actual


@pytest.mark.parametrize(("held_back", "streamed"), [(False, 1), (True, 3)])
def test_production_gets_few_streams(
    held_back: bool,
    streamed: int,
    make_mock: MakeMock,
    clock: Clock,
    make_context: MakeContext,
) -> None:
    """One stream in pieces is enough for the rule; held back ones are repeated twice."""
    sent: list[httpx.Request] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        sent.append(request)
        slow = Slow(clock, answer.content, held_back=held_back)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=slow)

    context = make_context(make_mock(fault, now=clock.time), profile=PROFILES["live"])
    streams.send_messages(context)
    assert streamed == len(sent)
    assert 1 == context.findings.tested["stream-incremental", "sendMessage"]
    assert held_back == ("sendMessage stream-incremental" in context.findings.violations)


def test_stream_with_an_early_beginning_is_a_violation(
    make_mock: MakeMock, clock: Clock, make_context: MakeContext
) -> None:
    """A stream is held back although its first bytes arrive early."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        slow = Slow(clock, answer.content, held_back=True, after=1)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=slow)

    context = make_context(make_mock(fault, now=clock.time))
    streams.send_messages(context)
    violation = context.findings.violations["sendMessage stream-incremental"]
    assert "only the first bytes before the end" in violation.actual


def test_violation_of_a_stream_says_what_was_expected(
    make_mock: MakeMock, make_context: MakeContext
) -> None:
    """Each rule on streams has its own words, and faults beyond three are counted."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        content = answer.content.replace(b"data: [DONE]\n\n", b"")
        content = 5 * b"x\n\n" + content
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)

    context = make_context(make_mock(fault))
    for _, check in streams.STREAMS:
        check(context)
    by_rule = {each.rule: each for each in context.findings.violations.values()}
    end = by_rule[stream_grammar.END]
    assert "one `[DONE]` as the last event, and nothing after it" == end.expected
    frames = by_rule[stream_grammar.FRAMES]
    assert stream_grammar.EXPECTED[stream_grammar.FRAMES] == frames.expected
    assert re.search(r"; and \d+ more$", frames.actual)
