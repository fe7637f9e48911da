"""The random walk finds what no journey reaches, by a short way, and ends in time."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from siteassist_contract.checks.behaviour import journeys, random_steps
from siteassist_contract.checks.behaviour.random_steps import run_random_steps
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.findings import Violation
from siteassist_contract.http.recorder import Recorder
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Fault, Forward, InProcess

PER_REQUEST = 0.005
"""How long, in seconds, a request takes by the clock of these tests."""


def loses_one_reason(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Forget a reason that is no ASCII."""
    answer = forward(request)
    text = re.sub('"closeReason":"[^"]*🎉"', '"closeReason":null', answer.text)
    return httpx.Response(answer.status_code, headers=answer.headers, text=text)


def fails_on_a_new_line(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Fail on a message that is only a new line."""
    if b'"content":"\\n"' in request.content.replace(b" ", b""):
        return httpx.Response(500, json={"error": {"message": "Oh"}})
    return forward(request)


FAULTS: dict[str, Fault] = {
    "getConversation read-back": loses_one_reason,
    "sendMessage no-server-error": fails_on_a_new_line,
}


class Clock:
    """The time that a walk takes, in seconds."""

    now = 0.0


@pytest.fixture
def clock() -> Clock:
    """Begin somewhere."""
    return Clock()


@pytest.fixture
def walking(
    shared: InProcess, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Fault | None], None]:
    """Return a function that chooses the fault; time passes with requests only."""
    monkeypatch.setattr(random_steps, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def choose(fault: Fault | None) -> None:
        def timed(request: httpx.Request, forward: Forward) -> httpx.Response:
            clock.now += PER_REQUEST
            return forward(request) if fault is None else fault(request, forward)

        shared.fault = timed

    return choose


@pytest.mark.parametrize("broken", FAULTS)
def test_walk_finds_what_no_journey_reaches(
    broken: str,
    shared: InProcess,
    clock: Clock,
    walking: Callable[[Fault | None], None],
    make_context: Callable[..., CheckContext],
) -> None:
    """A violation that depends on one odd value is found, and takes a few requests to see."""
    walking(FAULTS[broken])
    context = make_context(shared)
    for _, journey in journeys.JOURNEYS:
        journey(context)
    assert {} == context.findings.violations
    run_random_steps(context, seed_=1, until=clock.now + 9, database=None)
    found = context.findings.violations
    assert broken in found
    assert 8 >= found[broken].requests
    assert found[broken].commands.count("curl") <= 8


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("credentials", ["key", "token"])
def test_walk_is_quiet_on_a_clean_server(
    seed: int,
    credentials: str,
    shared: InProcess,
    clock: Clock,
    walking: Callable[[Fault | None], None],
    make_context: Callable[..., CheckContext],
) -> None:
    """Nothing is found where nothing is wrong, by two visitors or by one; and it ends in time."""
    walking(None)
    lent = {"api_key": None, "token": PRIVATE_KEY} if credentials == "token" else {}
    context = make_context(shared, **lent)
    until = clock.now + 2
    run_random_steps(context, seed_=seed, until=until, database=None)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}
    assert 300 < context.recorder.requests
    # The step that was going on comes to its end, and every conversation is read once more.
    assert until <= clock.now < until + 1


def test_walk_without_time(
    shared: InProcess,
    clock: Clock,
    walking: Callable[[Fault | None], None],
    make_context: Callable[..., CheckContext],
) -> None:
    """A walk whose time is up before it begins sends nothing."""
    walking(None)
    context = make_context(shared)
    run_random_steps(context, seed_=1, until=clock.now, database=None)
    assert 0 == context.recorder.requests


def test_example_database_is_tried_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared: InProcess,
    clock: Clock,
    walking: Callable[[Fault | None], None],
    make_context: Callable[..., CheckContext],
) -> None:
    """What one run has found, the next one tries first, whatever its seed: it takes less."""
    walking(loses_one_reason)
    at_first: list[int] = []
    for seed in (1, 50):
        context = make_context(shared)
        noted: list[int] = []
        monkeypatch.setattr(
            context.findings, "on_violation", functools.partial(_note, noted, context.recorder)
        )
        database = DirectoryBasedExampleDatabase(tmp_path)
        run_random_steps(context, seed_=seed, until=clock.now + 4, database=database)
        at_first.append(noted[0])
        assert "getConversation read-back" in context.findings.violations
    assert at_first[1] < at_first[0]


def _note(noted: list[int], recorder: Recorder, _: Violation) -> None:
    """Note how many requests it took to find a violation."""
    noted.append(recorder.requests)
