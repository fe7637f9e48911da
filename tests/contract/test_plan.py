"""The plan of a run: each rule once, then as much as there is time for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import httpx
import pytest

from siteassist_contract import plan, run
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.description import all_operations, session_arguments
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.plan import Pace, Step
from siteassist_contract.profiles import PROFILES, Size
from siteassist_contract.report import tested_rules
from siteassist_contract.run import Options, Outcome, Progress, Run
from siteassist_contract.verdict import Gap
from tests.contract.conftest import BASE, InProcess, NoShapes
from tests.values import API_KEY

# Coverage doubles the time of a run, and the tests of the checks have that of the same lines.
pytestmark = [pytest.mark.one_interpreter, pytest.mark.no_cover]

SIZES = {"key": "quick", "large": "default", "token": "quick", "tokens": "quick"}
"""The profile whose size each run has."""


@dataclass
class Traced:
    """The trace of a run, step by step."""

    outcome: Outcome
    target: Target
    extra: dict[str, set[str]] = field(default_factory=dict)
    """The rules that a step tested although it does not declare them, by step."""
    first: tuple[int, int] = (0, 0)
    """The number of requests of the first pass, and of those that the assistant answered."""
    whole: tuple[int, int] = (0, 0)
    gaps: list[Gap] = field(default_factory=list)
    """The rules that the first pass did not test."""


class TracedRun(Run):
    """A run that records what each step tests."""

    trace: Traced

    def _counts(self) -> tuple[int, int]:
        answered = self.findings.answered.items()
        answers = sum(
            count
            for (name, status), count in answered
            if all_operations()[name].stream is not None and status < 300
        )
        return self._recorder.requests - answers, answers

    def _step(self, step: Step, context: CheckContext) -> None:
        before = self.findings.tested.copy()
        super()._step(step, context)
        tested = {rule for rule, _ in self.findings.tested - before}
        if tested - step.rules:
            self.trace.extra[f"{step.layer}: {step.words}"] = tested - step.rules

    def _further(self) -> None:
        self.trace.first = self._counts()
        rows = tested_rules.rows(self.findings, self.trace.target, None)
        self.trace.gaps = tested_rules.untested(rows)
        super()._further()
        self.trace.whole = self._counts()


def session(mock: InProcess, device: str) -> str:
    """Start a session on the mock, and return its token."""
    body = session_arguments(API_KEY, device)
    request = httpx.Request("POST", f"{BASE}/identity/init", json=body)
    return str(mock.forward(request).json()["sessionToken"])


class Traces(dict[str, Traced]):
    """The traces of runs with each kind of credentials, made when they are needed."""

    def __init__(self) -> None:
        super().__init__()
        self.mock = InProcess()

    def __missing__(self, kind: str) -> Traced:
        """Run all steps but random and made-up requests."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "Recorder", partial(Recorder, transport=self.mock))
            patch.setattr(run, "Shapes", NoShapes)
            tokens = [session(self.mock, f"device-{number}") for number in (1, 2)]
            target = {
                "key": Target(BASE, API_KEY),
                "large": Target(BASE, API_KEY),
                "token": Target(BASE, None, tokens[0]),
                "tokens": Target(BASE, None, tokens[0], second_token=tokens[1]),
            }[kind]
            profile = replace(PROFILES[SIZES[kind]], seconds=0, limit=3600)
            traced = TracedRun(target, Options(profile, 1))
            traced.trace = self[kind] = Traced(Outcome(traced.findings), target)
            traced.trace.outcome = outcome = traced.run()
        why = outcome.error, outcome.problem, outcome.left_out, outcome.findings.violations
        assert why == (None, "", "", {})
        return self[kind]


@pytest.fixture(scope="module")
def traces() -> Iterator[dict[str, Traced]]:
    """Trace runs on a mock of this module."""
    found = Traces()
    yield found
    found.mock.shut()


@pytest.mark.parametrize("kind", SIZES)
def test_run_comes_to_its_end(kind: str, traces: dict[str, Traced]) -> None:
    """On a correct server, each planned step is done, without a violation."""
    outcome = traces[kind].outcome
    assert outcome.planned
    assert outcome.planned == outcome.done
    assert len(set(outcome.planned)) == len(outcome.planned)
    assert ({}, "", None) == (outcome.findings.violations, outcome.problem, outcome.error)


@pytest.mark.parametrize("kind", SIZES)
def test_steps_test_only_rules_that_they_declare(kind: str, traces: dict[str, Traced]) -> None:
    """A narrowed run leaves out a step by its rules, so each step must declare all of them."""
    assert {} == traces[kind].extra


@pytest.mark.parametrize("kind", SIZES)
def test_first_pass_tests_every_rule(kind: str, traces: dict[str, Traced]) -> None:
    """The first pass tests each rule on each operation unless there is an excuse."""
    gaps = traces[kind].gaps
    assert [] == [gap for gap in gaps if not gap.excused]
    isolated = {gap.rule for gap in gaps} & {"isolation", "own-list"}
    assert (kind == "token") == bool(isolated)


def near(expected: int, actual: int) -> bool:
    """Whether a number is within 10 % of another one."""
    return abs(expected - actual) <= actual / 10


def test_size_of_the_first_pass_is_known(traces: dict[str, Traced]) -> None:
    """`FIRST_PASS` and `FIRST_ANSWERS`, on which the advice rests, are near the numbers."""
    assert near(plan.FIRST_PASS, sum(traces["key"].first)), traces["key"].first
    assert near(plan.FIRST_ANSWERS, traces["key"].first[1]), traces["key"].first


@pytest.mark.parametrize("kind", ["key", "large"])
def test_size_of_the_further_steps_is_known(kind: str, traces: dict[str, Traced]) -> None:
    """`work`, on which the chosen size rests, is near the number of requests."""
    trace = traces[kind]
    work = plan.work(PROFILES[SIZES[kind]].size)
    plain, answers = (w - f for w, f in zip(trace.whole, trace.first, strict=True))
    assert near(work.plain, plain), (work, plain, answers)
    assert near(work.answers, answers), (work, plain, answers)


def test_work_takes_its_time() -> None:
    """Answers of the assistant have a pace of their own."""
    work = plan.Work(plain=10, answers=2)
    assert plan.PAUSES + 10 * 0.5 + 2 * 3 == work.seconds(Pace(0.5, 3.0))


def test_size_is_the_largest_that_is_affordable() -> None:
    """The size is halved until its steps fit in the time, down to the smallest one."""
    profile, pace = PROFILES["default"], Pace(1.0, 1.0)

    def chosen(seconds: float) -> Size | None:
        return plan.affordable(profile, pace, seconds)

    whole = plan.work(profile.size).seconds(pace)
    assert profile.size == chosen(whole)
    smaller = chosen(whole - 1)
    assert Size(conversations=12, messages=6) == smaller
    assert smaller is not None
    smallest = chosen(plan.work(smaller).seconds(pace) - 1)
    assert Size(conversations=8, messages=4) == smallest
    assert smallest is not None
    assert None is chosen(plan.work(smallest).seconds(pace) - 1)


def test_steps_that_fit_are_taken_in_full() -> None:
    """If not all steps fit, those do that took the least time in the first pass, in order."""
    steps = [Step("errors", f"{words}, in full", lambda: None) for words in ("b", "a", "new", "c")]
    durations = {"a": 1.0, "b": 2.0, "c": 9.0}
    pace = Pace(1.0, 1.0)
    growth = plan.work(plan.SMALLEST).seconds(pace) / plan.Work(
        plan.FIRST_PASS - plan.FIRST_ANSWERS, plan.FIRST_ANSWERS
    ).seconds(pace)

    def fitting(seconds: float) -> list[str]:
        found = plan.fitting(steps, durations, pace, seconds * growth + 0.01)
        return [step.short for step in found]

    assert [] == fitting(0.5)
    assert ["a"] == fitting(1.0)
    assert ["b", "a"] == fitting(3.0)
    # A step without a duration takes the mean.
    assert ["b", "a", "new"] == fitting(7.0)
    assert ["b", "a", "new", "c"] == fitting(16.0)


@pytest.mark.parametrize(
    ("seconds", "order"),
    [(60, ["random", "made up"]), (12, ["made up", "random"]), (5, ["made up", "random"])],
)
def test_planned_made_up_requests_come_first_if_time_is_short(
    seconds: float, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random steps, which no verdict needs, take no time from them."""
    done: list[str] = []
    monkeypatch.setattr(Run, "_random_steps", lambda *_: done.append("random"))
    monkeypatch.setattr(Run, "_made_up_requests", lambda *_, **__: done.append("made up"))
    target = Target(BASE, API_KEY)
    Run(target, Options(PROFILES["quick"], 1, seconds=seconds))._repeat()
    assert order == done


def test_random_steps_without_time_are_noted() -> None:
    """A run does not show them as a step without a request."""
    steps: list[str] = []
    progress = Progress(step=lambda *each: steps.append(each[1]))
    late = Run(Target(BASE, API_KEY), Options(PROFILES["quick"], 1, seconds=0), progress)
    late._random_steps(0)
    assert [] == steps
    assert ["There was no time for random steps."] == late._outcome.notes


def test_duration_counts_from_the_start_of_the_command() -> None:
    """What the command does before the run belongs to its time, and so do the reports."""
    profile = PROFILES["quick"]
    begun = time.monotonic()
    until = Run(Target(BASE, API_KEY), Options(profile, 1, elapsed=10.0))._until
    rest = profile.limit - 10.0 - run._REPORTS
    assert begun + rest <= until <= time.monotonic() + rest
