"""The random walk: it finds faults that no journey finds, shortens them and ends in time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from siteassist_contract.checks.behaviour import journeys, random_steps
from siteassist_contract.checks.behaviour.random_steps import run_random_steps
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Clock, Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter
# Coverage doubles the time of a walk, and the other walks take the same branches.
unmeasured = pytest.mark.no_cover

PER_REQUEST = 0.005
"""The seconds that a request takes on the tests' clock."""


def loses_one_reason(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Lose a closing reason that ends with an emoji."""
    answer = forward(request)
    text = re.sub('"closeReason":"[^"]*🎉"', '"closeReason":null', answer.text)
    return httpx.Response(answer.status_code, headers=answer.headers, text=text)


def fails_on_a_new_line(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Fail on a message that is only a line feed."""
    if b'"content":"\\n"' in request.content.replace(b" ", b""):
        return httpx.Response(500, json={"error": {"message": "Oh"}})
    return forward(request)


Walking = Callable[["Fault | None"], None]


@pytest.fixture
def walking(shared: InProcess, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Walking:
    """Return a function that sets the fault; only requests advance the clock."""
    monkeypatch.setattr(random_steps, "time", clock)

    def choose(fault: Fault | None) -> None:
        def timed(request: httpx.Request, forward: Forward) -> httpx.Response:
            clock.now += PER_REQUEST
            return forward(request) if fault is None else fault(request, forward)

        shared.fault = timed

    return choose


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    ("fault", "seed", "seconds", "key"),
    [
        # With these seeds the faults are found soon.
        (loses_one_reason, 1, 8.0, "getConversation read-back"),
        pytest.param(fails_on_a_new_line, 1, 4, "sendMessage no-server-error", marks=unmeasured),
    ],
)
def test_walk_finds_faults_that_no_journey_finds(
    fault: Fault,
    seed: int,
    seconds: float,
    key: str,
    shared: InProcess,
    clock: Clock,
    walking: Walking,
    make_context: MakeContext,
) -> None:
    """A violation that depends on one unusual value is found and shortened to a few requests."""
    walking(fault)
    context = make_context(shared)
    for journey in journeys.JOURNEYS:
        journey.run(context)
    assert {} == context.findings.violations
    run_random_steps(context, seed_=seed, until=clock.now + seconds, database=None)
    found = context.findings.violations
    assert key in found
    assert 8 >= found[key].requests
    assert found[key].commands.count("curl") <= 8


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=unmeasured)])
@pytest.mark.parametrize("with_key", [True, False])
def test_walk_finds_nothing_on_a_correct_server(
    seed: int,
    with_key: bool,
    shared: InProcess,
    clock: Clock,
    walking: Walking,
    make_context: MakeContext,
) -> None:
    """A walk of one or two visitors finds no violation and ends in time."""
    walking(None)
    given = {} if with_key else {"api_key": None, "token": PRIVATE_KEY}
    context = make_context(shared, **given)
    until = clock.now + 2
    run_random_steps(context, seed_=seed, until=until, database=None)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}
    assert 300 < context.recorder.requests
    # The current step is completed, and each conversation is read once more.
    assert until <= clock.now < until + 1


@unmeasured
def test_walk_ends_without_a_second_visitor(
    shared: InProcess, clock: Clock, walking: Walking, make_context: MakeContext
) -> None:
    """A violation at the start of the second session is reported; the sequence has ended."""
    sessions = iter(range(10**6))

    def refuses_each_second_session(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.url.path.endswith("/identity/init") and next(sessions) % 2:
            return httpx.Response(400, json={"error": {"message": "No"}})
        return forward(request)

    walking(refuses_each_second_session)
    context = make_context(shared)
    run_random_steps(context, seed_=1, until=clock.now + 2, database=None)
    assert "init accepted" in context.findings.violations


def test_walk_without_time_sends_nothing(
    shared: InProcess,
    clock: Clock,
    walking: Walking,
    make_context: MakeContext,
) -> None:
    """A walk whose time has expired sends no request."""
    walking(None)
    context = make_context(shared)
    run_random_steps(context, seed_=1, until=clock.now, database=None)
    assert 0 == context.recorder.requests


@unmeasured
def test_example_database_is_tried_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared: InProcess,
    clock: Clock,
    walking: Walking,
    make_context: MakeContext,
) -> None:
    """A later run with another seed finds a stored violation in fewer requests."""
    walking(loses_one_reason)
    at_first: list[int] = []
    for seed in (6, 50):
        context = make_context(shared)
        noted: list[int] = []
        monkeypatch.setattr(
            context.findings,
            "on_violation",
            lambda _, noted=noted, recorder=context.recorder: noted.append(recorder.requests),
        )
        database = DirectoryBasedExampleDatabase(tmp_path)
        run_random_steps(context, seed_=seed, until=clock.now + 2, database=database)
        at_first.append(noted[0])
        assert "getConversation read-back" in context.findings.violations
    assert at_first[1] < at_first[0]
