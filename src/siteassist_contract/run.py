"""A run: all steps of the plan in order, with shared findings."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from hypothesis.database import ExampleDatabase

from siteassist_contract import interrupts, plan
from siteassist_contract.checks.behaviour import random_steps
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.generated.layer import STOPPING, Shapes
from siteassist_contract.checks.shown_objects import ShownObjects
from siteassist_contract.description import all_operations, operations
from siteassist_contract.findings import BEHAVIOUR, SHAPES, Findings, StopRun, Violation
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import (
    SUCCESS,
    CallFacts,
    Exchange,
    GoneError,
    Recorder,
    TimeUpError,
    UnansweredError,
)
from siteassist_contract.http.spending import Spending
from siteassist_contract.plan import Pace, Step
from siteassist_contract.profiles import Profile
from siteassist_contract.report import tested_rules
from siteassist_contract.report.reproduction import Renderer
from siteassist_contract.rules import GAPS, GENERATED, LIMIT
from siteassist_contract.selection import Pair, Place, Selection
from siteassist_contract.verdict import CannotRunError, ContractBrokenError, InternalError
from siteassist_contract.workers import Turn

_MOST_UNANSWERED = 3
_FURTHER_SHARE = 0.5
"""The share of the time after which the longer journeys must be over.

The rest is for random steps and for made-up requests, which begin slowly.
"""
_RANDOM_SHARE = 1 / 3
"""The share of the remaining time that random steps may take."""
_MADE_UP_TIME = 10.0
"""The time, in seconds, that made-up requests need to ask each operation on a busy machine."""
_REPORTS = 1.0
"""The time, in seconds, for the reports at the end of a run."""
_REPORTS_SHARE = 0.05
"""Maximum share of the time of a run for its reports."""
_NOTABLE = 0.1
"""Minimum duration of an answer, in seconds, for which a report mentions it."""
_LONGEST_TIDYING = 30.0
"""Maximum duration of closing conversations at the end, in seconds."""
_TIDYING_SHARE = 0.15
"""Maximum share of the time of a run by which closing may extend it."""


@dataclass(frozen=True)
class Options:
    """The options of a run."""

    profile: Profile
    seed: int
    examples: int | None = None
    """Maximum number of generated requests per operation and phase; by default the profile's."""
    seconds: float | None = None
    """Maximum duration; by default the profile's."""
    stop_at_first: bool = False
    known: frozenset[str] = frozenset()
    """The keys of violations that are accepted."""
    human_conversation: str | None = None
    operator: str | None = None
    """The address of the endpoints with which the tests act as a human agent."""
    socket_required: bool = False
    """Whether a server without a socket violates the contract."""
    workers: int = 1
    """Number of threads that run steps, and generated requests."""
    max_messages: int | None = None
    """Maximum number of answers of the assistant, which may cost money; None for any number."""
    database: ExampleDatabase | None = None
    """The database in which hypothesis keeps failing examples."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Tokens that the server returned before the run."""
    database_place: str | None = None
    """The address of `database`, for the process that generates requests."""
    selection: Selection = field(default_factory=Selection)
    """The tests of a narrowed run."""
    elapsed: float = 0.0
    """Seconds of the duration that the command has spent before the run."""

    @property
    def limit(self) -> float:
        """Maximum duration, in seconds."""
        return self.seconds if self.seconds is not None else self.profile.limit


@dataclass(frozen=True)
class Progress:
    """Callbacks for the progress of a run."""

    begun: Callable[[str, str], None] = lambda *_: None
    """Called before each step: layer, description."""
    step: Callable[[str, str, int, float], None] = lambda *_: None
    """Called after each step: layer, description, requests, seconds."""
    found: Callable[[Violation], None] = lambda _: None
    """Called with each new violation."""


NOT_BEGUN, STOPPED = "not begun", "stopped at its first violation"
"""Reasons why a planned step has not come to its end."""


@dataclass
class Outcome:
    """The outcome of a run."""

    findings: Findings
    requests: int = 0
    spending: Spending = field(default_factory=Spending)
    """The answers of the assistant."""
    planned: list[str] = field(default_factory=list)
    """The steps that had to come to their end."""
    unfinished: dict[str, str] = field(default_factory=dict)
    """The planned steps that did not come to their end, with the reason."""
    notes: list[str] = field(default_factory=list)
    """Remarks on the run; `findings` has those on the server."""
    problem: str = ""
    """Why the run ended early; empty if it did not."""
    advice: str = ""
    """How to complete the tests; may be empty."""
    error: InternalError | None = None
    interrupted: bool = False
    stopped: bool = False
    """Whether the run stopped at its first violation."""
    time_is_up: bool = False

    @property
    def done(self) -> list[str]:
        """The planned steps that came to their end."""
        return [step for step in self.planned if step not in self.unfinished]

    @property
    def left_out(self) -> str:
        """The reason why the run skipped tests, or an empty string."""
        if self.error is not None:
            return "the tests failed"
        if self.interrupted:
            return "the run was interrupted"
        if self.problem:
            return "the run did not finish"
        if self.stopped:
            return "the run stopped at its first violation"
        if self.time_is_up:
            return "the time ran out"
        return GAPS[LIMIT] if self.spending.withheld else ""


class Run:
    """A run of all steps on one server."""

    def __init__(self, target: Target, options: Options, progress: Progress | None = None) -> None:
        """Prepare a run without sending a request."""
        self._options = options
        self._progress = progress or Progress()
        devices: dict[str, str] = {}
        self.findings = Findings(
            secrets=target.secrets(*options.secrets),
            render=Renderer(target.base_url, target.api_key, devices, target.network),
            known=options.known,
            stop_at_first=options.stop_at_first,
            on_violation=self._progress.found,
            selects=options.selection.selects,
        )
        self._begun = time.monotonic() - options.elapsed
        # The reports take some time as well.
        self._until = self._begun + options.limit - min(_REPORTS, options.limit * _REPORTS_SHARE)
        spending = Spending(options.max_messages)
        self._recorder = Recorder(
            spending=spending,
            base_url=target.base_url,
            network=target.network,
            per_second=options.profile.per_second,
            watch=self._watch,
            on_exchange=self._on_exchange,
        )
        self._recorder.until = self._until
        self._target = target
        self._context = self._new_context(self._recorder, self.findings, devices)
        self._unanswered = 0
        self._watching = True
        self._examples = options.examples or options.profile.examples
        self._outcome = Outcome(self.findings, spending=spending)
        self._answers: list[float] = []
        """The durations of the accepted requests that the assistant answered."""
        self._durations: dict[str, float] = {}
        """The duration of each step, by its words."""
        self._idle = set[Place]()
        """The steps whose requests tested nothing that is selected."""
        self._sent = 0, 0
        """The number of requests in steps, and of those that the assistant answered."""
        self._turn = Turn()
        self._workers = [self._new_worker() for _ in range(self._number_of_workers)]

    def run(self) -> Outcome:
        """Run all steps; stop at the first violation if `Options.stop_at_first` is set."""
        outcome = self._outcome
        try:
            with interrupts.raised():
                try:
                    self._steps()
                finally:
                    self._tidy_up()
        except StopRun:
            outcome.stopped = True
        except TimeUpError:
            outcome.time_is_up = True
        except UnansweredError as error:
            outcome.problem = f"the first request got no answer: {error}"
        except (CannotRunError, ContractBrokenError, GoneError) as error:
            outcome.problem = self.findings.secrets.text(str(error))
        except KeyboardInterrupt:
            outcome.interrupted = True
        except (Exception, InternalError) as error:  # noqa: BLE001  # reported as an internal error
            outcome.error = InternalError.of(error)
        finally:
            for context in (self._context, *self._workers):
                context.recorder.close()
        outcome.requests = self._recorder.requests
        if lost := self._recorder.lost:
            noun = "request was" if lost == 1 else "requests were"
            outcome.notes.append(f"{lost} {noun} lost by the server or the network, and sent again")
        if outcome.unfinished and outcome.time_is_up:
            outcome.advice = self._advice()
        return outcome

    def _steps(self) -> None:
        self.findings.layer = BEHAVIOUR
        profile = self._options.profile
        planned = partial(plan.first, streams_too=self._options.selection.streams_alone)
        first = self._selected(planned(self._context))
        self._plan(*first, *([_SHAPES_STEP] if self._chooses(_SHAPES_STEP) else ()))
        self._context.visitor()
        self._run_steps(first, planned)
        if not profile.gentle:
            self._further()
            self._repeat()

    def _selected(self, steps: Iterable[Step]) -> list[Step]:
        return [step for step in steps if self._selects(step)]

    def _selects(self, step: Step) -> bool:
        return self._options.selection.needs(step.layer, step.rules, step.operation)

    def _allows(self, step: Step) -> bool:
        """Whether random steps or made-up requests, which take long, can test the selection."""
        profile = self._options.profile
        size = self._examples if step is _SHAPES_STEP else profile.seconds
        return bool(size) and not profile.gentle and self._selects(step)

    def _chooses(self, step: Step) -> bool:
        """Whether the options ask for random steps or made-up requests in any case."""
        selection = self._options.selection
        if selection.is_sparing:
            asked = self._options.profile.rounds or step.layer in selection.layers
        else:
            asked = selection.repeats(step.place, step.rules)
        return asked and self._allows(step)

    def _continues(self, step: Step) -> bool:
        """Whether to run a step in full whose first pass left nothing untested."""
        selection = self._options.selection
        if selection.is_sparing:
            return step.place not in self._idle
        return selection.repeats(step.place, step.rules, step.operation)

    def _untested(self) -> set[Pair]:
        """Return the selected pairs of rule and operation that could be tested, but were not."""
        rows = tested_rules.rows(
            self.findings,
            self._target,
            self._options.human_conversation,
            selects=self._options.selection.selects,
        )
        return {(gap.rule, gap.operation) for gap in tested_rules.untested(rows) if not gap.excused}

    @property
    def _number_of_workers(self) -> int:
        """The number of workers for the steps; 0 to run one after another."""
        options = self._options
        if options.workers == 1 or options.profile.gentle:
            return 0
        if not self._context.has_key:
            self._outcome.notes.append(
                "The steps ran one after another: without a key they share one visitor."
            )
            return 0
        return options.workers

    def _new_context(
        self, recorder: Recorder, findings: Findings, devices: dict[str, str]
    ) -> CheckContext:
        return CheckContext(
            self._target,
            self._options.profile,
            recorder,
            findings,
            devices,
            human_conversation=self._options.human_conversation,
            operator=self._options.operator,
            socket_required=self._options.socket_required,
        )

    def _new_worker(self) -> CheckContext:
        """Return the context of a worker: visitors of its own, and everybody's findings."""
        devices: dict[str, str] = {}
        target = self._target
        render = Renderer(target.base_url, target.api_key, devices, target.network)

        def on_exchange(exchange: Exchange, facts: CallFacts) -> None:
            context.remember(exchange, facts.token)
            self._count_answer(exchange)

        context = self._new_context(
            self._recorder.branch(on_exchange, self._turn.check, self._turn.given_up),
            replace(self.findings, render=render, shown=ShownObjects()),
            devices,
        )
        return context

    def _run_steps(
        self,
        steps: list[Step],
        planned: Callable[[CheckContext], Iterable[Step]],
        until: float = math.inf,
    ) -> int:
        """Run the steps that can begin until a time, and return the number of the others.

        ``planned`` returns the steps of a worker.
        """
        waiting = steps.copy()

        def begun() -> Iterator[str]:
            while waiting and time.monotonic() < until:
                self._plan(waiting[0])
                yield _label(waiting.pop(0))

        def work(context: CheckContext) -> None:
            own = {_label(step): step for step in self._selected(planned(context))}
            for label in labels:
                self._step(own[label], context)

        labels = begun()
        try:
            if self._workers:
                self._turn.run(work, self._workers)
            else:
                work(self._context)
        finally:
            for context in self._workers:
                self._recorder.adopt(context.recorder, ())
                self._context.started |= context.started
        return len(waiting)

    def _plan(self, *steps: Step) -> None:
        """Require steps to come to their end."""
        for label in map(_label, steps):
            if label not in self._outcome.planned:
                self._outcome.planned.append(label)
                self._outcome.unfinished[label] = NOT_BEGUN

    def _step(self, step: Step, context: CheckContext) -> None:
        """Run a planned step, and report it."""
        context.findings.layer, context.findings.step = step.place
        self._progress.begun(step.layer, step.words)
        begun, requests = time.monotonic(), context.recorder.requests
        tests = self._tests()
        reason = ""
        try:
            step.run()
        except UnansweredError as error:
            self._judge_unanswered(error, context)
            reason = f"{error.operation} got no answer"
        except ContractBrokenError as error:
            reason = self.findings.secrets.text(str(error))
        except StopRun:
            self._outcome.unfinished[_label(step)] = STOPPED
            raise
        finally:
            seconds = self._durations[step.words] = time.monotonic() - begun
            sent = context.recorder.requests - requests
            self._sent = self._sent[0] + sent, len(self._answers)
            if sent and self._tests() == tests:
                self._idle.add(step.place)
        if reason:
            self._outcome.unfinished[_label(step)] = reason
            self._outcome.notes.append(f"{_label(step)}: stopped because {reason}")
        else:
            self._outcome.unfinished.pop(_label(step), None)
        self._progress.step(step.layer, step.words, sent, seconds)

    def _tests(self) -> int:
        """Return the number of tests of the selection so far."""
        selects = self._options.selection.selects
        return sum(count for pair, count in self.findings.tested.items() if selects(*pair))

    def _report(self, layer: str, words: str, begun: float, requests: int) -> None:
        sent, seconds = self._recorder.requests - requests, time.monotonic() - begun
        self._progress.step(layer, words, sent, seconds)

    def _further(self) -> None:
        """Run the steps in full, at the largest size for which there is time."""
        profile, pace = self._options.profile, self._pace()
        until = self._begun + self._options.limit * _FURTHER_SHARE
        if self._allows(_SHAPES_STEP):
            until = min(until, self._until - _MADE_UP_TIME)
        left = until - time.monotonic()
        workers = max(1, len(self._workers))
        size = plan.affordable(profile, pace, left * workers)
        further = partial(
            plan.further,
            size=size or plan.SMALLEST,
            parts=bool(self._workers),
            streams_too=not self._options.selection.streams_alone,
        )
        steps = self._selected(further(self._context))
        untested = self._untested()
        steps = [step for step in steps if self._continues(step) or _can_test(step, untested)]
        if self._options.selection.is_sparing:
            for context in (self._context, *self._workers):
                context.selected = self._options.selection.tested
        if not steps:
            return
        every = len(steps)
        if size is None:
            steps = plan.fitting(steps, self._durations, pace, left * workers)
        elif size != profile.size:
            self._outcome.notes.append(
                f"{_shown_pace(pace)}Lists have {size.conversations} conversations instead of"
                f" {profile.conversations}."
            )
        if self._workers:
            # A long step at the end would keep the other workers waiting.
            steps.sort(key=lambda step: -self._durations.get(step.short, 0.0))
        # The server may become slower.
        if left_out := every - len(steps) + self._run_steps(steps, further, until):
            self._outcome.notes.append(
                f"{_shown_pace(pace)}There was no time for {left_out} of the {every}"
                " steps in full, with longer conversations and lists."
            )

    def _repeat(self) -> None:
        """Run random steps and made-up requests: once, or until the time is up.

        If the options do not ask for them, they test only rules that no other step has tested.
        """
        untested = self._untested()
        random, made_up = (
            self._chooses(step) or (self._allows(step) and _can_test(step, untested))
            for step in (_RANDOM_STEP, _SHAPES_STEP)
        )
        if made_up:
            self._plan(_SHAPES_STEP)
        steps = [
            *([self._random_steps] if random else ()),
            *([partial(self._made_up_requests, untested=untested)] if made_up else ()),
        ]
        if made_up and self._random_end() > self._until - _MADE_UP_TIME:
            # They are planned, and random steps are not.
            steps.reverse()
        for number in itertools.count() if steps else ():
            for step in steps:
                step(number)
            if not self._options.profile.rounds or time.monotonic() > self._until:
                return

    def _random_end(self) -> float:
        """Return the time at which random steps end that begin now."""
        now = time.monotonic()
        return now + min(self._options.profile.seconds, (self._until - now) * _RANDOM_SHARE)

    def _random_steps(self, number: int) -> None:
        options, now = self._options, time.monotonic()
        if now >= self._until:
            self._outcome.notes.append("There was no time for random steps.")
            return
        self.findings.layer, self.findings.step = _RANDOM_STEP.place
        self._progress.begun(BEHAVIOUR, plan.RANDOM)
        requests = self._recorder.requests
        try:
            random_steps.run_random_steps(
                self._context,
                seed_=options.seed + 1000 * number,
                until=self._random_end(),
                database=options.database,
            )
        except UnansweredError as error:
            self._judge_unanswered(error)
        self._report(BEHAVIOUR, plan.RANDOM, now, requests)

    def _made_up_requests(self, number: int, untested: Iterable[Pair]) -> None:
        self.findings.layer, self.findings.step = _SHAPES_STEP.place
        self._progress.begun(SHAPES, _SHAPES_STEP.words)
        options = self._options
        wanted = {name for _, name in untested}
        if self._chooses(_SHAPES_STEP):
            repeats = partial(options.selection.repeats, _SHAPES_STEP.place, GENERATED)
            wanted |= set(filter(repeats, operations()))
        shapes = Shapes(
            self._context,
            self._examples,
            options.seed + number,
            self._until - min(STOPPING, options.limit * _REPORTS_SHARE),
            options.workers,
            options.database_place,
            operations=[
                name
                for name in operations()
                if name in wanted and options.selection.needs(SHAPES, GENERATED, name)
            ],
        )
        begun, requests = time.monotonic(), self._recorder.requests
        try:
            for words in shapes.run():
                self._report(SHAPES, words, begun, requests)
                begun, requests = time.monotonic(), self._recorder.requests
        except CannotRunError:
            self._require_answer()
            raise
        unasked = [name for name in shapes.operations if not shapes.answered[name]]
        label = _label(_SHAPES_STEP)
        if not unasked:
            self._outcome.unfinished.pop(label, None)
        elif label in self._outcome.unfinished:
            self._outcome.unfinished[label] = f"none was answered by {', '.join(unasked)}"
        if shapes.out_of_time and label in self._outcome.unfinished:
            raise TimeUpError
        if shapes.out_of_time and not options.profile.rounds:
            self._outcome.notes.append(f"{SHAPES}: stopped because the time ran out")

    def _judge_unanswered(
        self, error: UnansweredError, context: CheckContext | None = None
    ) -> None:
        """Record a violation for an unanswered request, if the server still answers others."""
        context = context or self._context
        self._unanswered += 1
        exchanges = [*context.recorder.history, *([error.exchange] if error.exchange else ())]
        self._require_answer(context)
        context.findings.judge(
            kept=False,
            rule="answered",
            operation=error.operation,
            expected="an answer",
            actual=str(error),
            exchanges=exchanges,
        )
        if self._unanswered >= _MOST_UNANSWERED:
            raise GoneError(f"{self._unanswered} requests got no answer, the last one: {error}")

    def _require_answer(self, context: CheckContext | None = None) -> None:
        """Raise `GoneError` if the server no longer answers."""
        try:
            (context or self._context).anonymous.call("getMe")
        except UnansweredError as again:
            raise GoneError(f"the server no longer answers: {again}") from None

    def _tidy_up(self) -> None:
        """Close all conversations if others may use the server or the visitor."""
        has_token = self._context.target.token is not None
        if not (self._options.profile.gentle or has_token):
            return
        self._watching = False
        longest = min(_LONGEST_TIDYING, self._options.limit * _TIDYING_SHARE)
        self._recorder.until = time.monotonic() + longest
        try:
            self._context.close_all()
        except (ContractBrokenError, GoneError, TimeUpError, UnansweredError):
            pass  # The tests are over; conversations left open are noted.
        finally:
            if left := len(self._context.started):
                noun = "conversation" if left == 1 else "conversations"
                self._outcome.notes.append(f"{left} {noun} could not be closed")

    def _watch(self) -> None:
        """End the run before a request if it was interrupted."""
        if self._watching:
            interrupts.check()

    def _on_exchange(self, exchange: Exchange, facts: CallFacts) -> None:
        self._context.remember(exchange, facts.token)
        self._count_answer(exchange)

    def _count_answer(self, exchange: Exchange) -> None:
        accepted = exchange.status in SUCCESS and exchange.is_of_method
        if accepted and all_operations()[exchange.operation].stream is not None:
            self._answers.append(exchange.seconds)

    def _pace(self) -> Pace:
        """Return the mean time of a request of a step, waits and our own work included."""
        requests, answered = self._sent
        answers = self._answers[:answered]
        others = max(1, requests - answered)
        plain = max(0.0, sum(self._durations.values()) - sum(answers)) / others
        return Pace(plain, sum(answers) / len(answers) if answers else plain)

    def _advice(self) -> str:
        """Return how to complete a run whose time was up."""
        done = max(1, self._recorder.requests)
        needed = (time.monotonic() - self._begun) / done * plan.FIRST_PASS / _FURTHER_SHARE
        minutes = math.ceil(max(needed, 1.5 * self._options.limit) / 60)
        noun = "minute is" if minutes == 1 else "minutes are"
        return f"{_shown_pace(self._pace())}About {minutes} {noun} needed: pass --time {minutes}m."


_SHAPES_STEP = Step(SHAPES, "made-up requests", lambda: None, GENERATED)
_RANDOM_STEP = Step(BEHAVIOUR, plan.RANDOM, lambda: None, random_steps.TESTED)


def _can_test(step: Step, pairs: Iterable[Pair]) -> bool:
    return any(rule in step.rules and step.operation in ("", name) for rule, name in pairs)


def _label(step: Step) -> str:
    return f"{step.layer}: {step.words}"


def _shown_pace(pace: Pace) -> str:
    """Return the pace of a slow server as a sentence, or an empty string."""
    times = [
        f"{seconds:.1f} s for {what}"
        for what, seconds in (
            ("a request", pace.plain),
            ("an answer of the assistant", pace.answer),
        )
        if seconds >= _NOTABLE
    ]
    return f"The server takes {' and '.join(times)}. " if times else ""
