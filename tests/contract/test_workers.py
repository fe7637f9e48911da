"""Steps that run side by side, with everybody's findings."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract import workers
from siteassist_contract.description import operations, session_arguments
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES
from siteassist_contract.run import Options, Outcome, Run
from siteassist_contract.selection import Selection
from siteassist_contract.workers import Turn
from tests.values import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.conftest import InProcess, Loopback, Serve

pytestmark = pytest.mark.one_interpreter
REFUSALS = Selection(layers=frozenset({"errors"}))
FAULTY = "search"


class Crowded:
    """A mock that answers no request but `init` until there are two at once."""

    def __init__(self, mock: InProcess) -> None:
        self._mock = mock
        self._both = threading.Barrier(2)
        self._met = threading.Event()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the mock does, except that `FAULTY` fails."""
        if not self._met.is_set() and not request.url.path.endswith(operations()["init"].path):
            self._both.wait(30)
            self._met.set()
        return answer(self._mock, request)


def answer(mock: InProcess, request: httpx.Request) -> httpx.Response:
    """Answer as the mock does, except that `FAULTY` fails."""
    if request.url.path.endswith(operations()[FAULTY].path):
        return httpx.Response(500)
    return mock.handle_request(request)


def run_refusals(target: Target, number: int, **options: Any) -> Outcome:
    """Run one layer with a number of workers."""
    profile = PROFILES["quick"]
    chosen = Options(profile, 1, workers=number, seconds=60, selection=REFUSALS, **options)
    return Run(target, chosen).run()


def test_workers_share_the_findings_of_all_steps(shared: InProcess, loopback: Serve) -> None:
    """Each step runs once, beside others and with visitors of its own, and reports its findings."""
    shared.fault = None
    alone, together = (
        run_refusals(Target(loopback(respond).url, API_KEY), number)
        for number, respond in ((1, partial(answer, shared)), (4, Crowded(shared)))
    )
    assert set(alone.planned) == set(together.planned) == set(together.done)
    assert alone.findings.violations.keys() == together.findings.violations.keys()
    assert {FAULTY} == {found.operation for found in together.findings.violations.values()}
    # Which answers one worker can compare with each other depends on the steps that it gets.
    expected, tested = (
        {pair for pair in +each.findings.tested if pair[0] != "agreement"}
        for each in (alone, together)
    )
    assert expected == tested
    assert together.requests == pytest.approx(alone.requests, rel=0.2)


def test_first_violation_stops_all_workers(shared: InProcess, loopback: Serve) -> None:
    """With ``--stop-at-first``, the others do not go on."""
    shared.fault = None
    target = Target(loopback(partial(answer, shared)).url, API_KEY)
    outcome = run_refusals(target, 4, stop_at_first=True)
    assert outcome.stopped
    assert outcome.unfinished
    assert 1 == len(outcome.findings.violations)


def test_workers_need_visitors_of_their_own(shared: InProcess, served: Loopback) -> None:
    """With a token alone the steps run one after another, and a note says why."""
    shared.fault = None
    started = httpx.post(f"{served.url}/identity/init", json=session_arguments(API_KEY, "device"))
    outcome = run_refusals(Target(served.url, None, started.json()["sessionToken"]), 4)
    assert outcome.planned == outcome.done
    assert any("without a key they share one visitor" in note for note in outcome.notes)


class LostError(BaseException):
    """An error of a worker."""


def test_error_of_a_worker_ends_the_others() -> None:
    """The first error is raised once all workers have stopped."""
    turn, ended = Turn(), list[str]()

    def work(name: str) -> None:
        if name == "lost":
            raise LostError
        try:
            while True:
                with turn.given_up():
                    time.sleep(0.001)
                turn.check()
        finally:
            ended.append(name)

    with pytest.raises(LostError):
        turn.run(work, ["first", "lost", "second"])
    assert {"first", "second"} == set(ended)


def test_worker_that_waits_for_ever_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never computes again, so that the findings stay as they are."""
    monkeypatch.setattr(workers, "_GRACE", 0.05)
    turn, release, went_on = Turn(), threading.Event(), list[str]()

    def work(name: str) -> None:
        if name == "lost":
            raise LostError
        with turn.given_up():
            release.wait(30)
        went_on.append(name)

    with pytest.raises(LostError):
        turn.run(work, ["waits", "lost"])
    release.set()
    (left,) = [thread for thread in threading.enumerate() if thread.name == "worker 1"]
    left.join(0.05)
    assert left.is_alive()
    assert [] == went_on
    # The thread must not outlive the test.
    turn._lock.release()
    left.join()


def test_interrupt_ends_the_workers(interrupt: Callable[[], None]) -> None:
    """A signal is raised in the thread that waits for the workers."""
    turn = Turn()

    def work(name: str) -> None:
        if name == "interrupts":
            interrupt()
        while True:
            with turn.given_up():
                time.sleep(0.001)
            turn.check()

    with pytest.raises(KeyboardInterrupt):
        turn.run(work, ["works", "interrupts"])
