"""A run: all layers in order, with shared findings."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from hypothesis.database import ExampleDatabase

from siteassist_contract import interrupts
from siteassist_contract.checks import streams
from siteassist_contract.checks.behaviour import random_steps
from siteassist_contract.checks.behaviour.journeys import JOURNEYS
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.derived import DERIVED
from siteassist_contract.checks.generated.layer import Shapes
from siteassist_contract.checks.refusals import Refusals
from siteassist_contract.findings import (
    BEHAVIOUR,
    ERRORS,
    SHAPES,
    STREAMS,
    Findings,
    StopRun,
    Violation,
)
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import (
    CallFacts,
    Exchange,
    GoneError,
    Recorder,
    TimeUpError,
    UnansweredError,
)
from siteassist_contract.profiles import Profile
from siteassist_contract.report.reproduction import Renderer
from siteassist_contract.verdict import CannotRunError, ContractBrokenError, ExitStatus

_MOST_UNANSWERED = 3
_GRACE = 3.0
"""Seconds that a run has to finish its current step after its time is up."""
_LEAST_SHAPES = 8.0
"""Minimum duration of generated requests, in seconds."""


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
    workers: int = 1
    """Number of threads for generated requests."""
    database: ExampleDatabase | None = None
    """The database in which hypothesis keeps failing examples."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Tokens that the server returned before the run."""
    database_place: str | None = None
    """The address of `database`, for the process that generates requests."""


@dataclass(frozen=True)
class Progress:
    """Callbacks for the progress of a run."""

    step: Callable[[str, str, int, int, float], None] = lambda *_: None
    """Called after each step: layer, description, requests, violations so far, seconds."""
    found: Callable[[Violation], None] = lambda _: None
    """Called with each new violation."""


@dataclass
class Outcome:
    """The outcome of a run."""

    findings: Findings
    status: ExitStatus
    problem: str = ""
    """Why the run did not finish; empty if it did."""
    requests: int = 0
    notes: list[str] = field(default_factory=list)
    time_is_up: bool = False
    """Whether the run stopped because its time was up."""


class Run:
    """A run of all layers on one server."""

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
        )
        limit = options.seconds if options.seconds is not None else options.profile.limit
        self._until = time.monotonic() + limit
        self._recorder = Recorder(
            base_url=target.base_url,
            network=target.network,
            per_second=options.profile.per_second,
            watch=self._watch,
            on_exchange=self._on_exchange,
        )
        self._context = CheckContext(
            target,
            options.profile,
            self._recorder,
            self.findings,
            devices,
            human_conversation=options.human_conversation,
        )
        self._unanswered = 0
        self._watching = True
        self._examples = options.examples or options.profile.examples
        self.time_is_up = False
        self._notes: list[str] = []

    def run(self) -> Outcome:
        """Run all layers; stop at the first violation if `Options.stop_at_first` is set."""
        problem = ""
        try:
            with interrupts.raised():
                try:
                    self._layers()
                finally:
                    self._tidy_up()
        except (StopRun, TimeUpError):
            pass
        except UnansweredError as error:
            problem = f"the first request got no answer: {error}"
        except (CannotRunError, ContractBrokenError, GoneError) as error:
            problem = self.findings.secrets.text(str(error))
        except KeyboardInterrupt:
            return self._outcome(ExitStatus.INTERRUPTED, "")
        finally:
            self._recorder.close()
        status = ExitStatus.KEPT
        if self.findings.unknown:
            status = ExitStatus.BROKEN
        elif problem:
            status = ExitStatus.NOT_RUN
        return self._outcome(status, problem)

    def _outcome(self, status: ExitStatus, problem: str) -> Outcome:
        return Outcome(
            self.findings, status, problem, self._recorder.requests, self._notes, self.time_is_up
        )

    def _layers(self) -> None:
        self.findings.layer = BEHAVIOUR
        self._context.visitor()
        self._layer(ERRORS, lambda: Refusals(self._context).run())
        self._layer(STREAMS, lambda: streams.run(self._context))
        self._layer(BEHAVIOUR, self._journeys)
        profile = self._options.profile
        for number in itertools.count() if not profile.gentle else ():
            self._layer(BEHAVIOUR, partial(self._random_steps, number))
            if self._examples:
                self._layer(SHAPES, partial(self._shapes, number))
            if not profile.rounds or time.monotonic() > self._until:
                break

    def _on_exchange(self, exchange: Exchange, facts: CallFacts) -> None:
        self._context.remember(exchange, facts.token)

    def _watch(self) -> None:
        """Raise `TimeUpError` before a request if the time is up."""
        if self._watching:
            interrupts.check()
        if self._watching and time.monotonic() > self._until + _GRACE:
            raise TimeUpError

    def _layer(self, layer: str, steps: Callable[[], Iterator[str]]) -> None:
        """Run the steps of a layer, and report each one."""
        self.findings.layer = layer
        begun, requests = time.monotonic(), self._recorder.requests
        iterator: Iterator[str] | None = None
        while True:
            try:
                iterator = steps() if iterator is None else iterator
                words = next(iterator)
            except StopIteration:
                return
            except TimeUpError:
                self._time_is_up(layer)
                return
            except UnansweredError as error:
                self._judge_unanswered(error)
                # A generator cannot continue after an exception: its other steps are not tested.
                self._notes.append(f"{layer}: stopped because {error.operation} got no answer")
                return
            except ContractBrokenError as error:
                self._notes.append(f"{layer}: stopped because {error}")
                return
            now, sent = time.monotonic(), self._recorder.requests
            self._progress.step(
                layer, words, sent - requests, len(self.findings.violations), now - begun
            )
            begun, requests = now, sent

    def _journeys(self) -> Iterator[str]:
        for words, journey in (*DERIVED, *JOURNEYS):
            try:
                journey(self._context)
            except UnansweredError as error:
                self._judge_unanswered(error)
            except ContractBrokenError as error:
                self._notes.append(f"{words}: stopped because {error}")
            yield words

    def _time_is_up(self, layer: str) -> None:
        self.time_is_up = True
        self._notes.append(f"{layer}: stopped because the time was up")

    def _random_steps(self, number: int) -> Iterator[str]:
        options = self._options
        until = time.monotonic() + options.profile.seconds
        random_steps.run_random_steps(
            self._context,
            seed_=options.seed + 1000 * number,
            until=min(until, self._until - _LEAST_SHAPES),
            database=options.database,
        )
        yield "random steps of two visitors"

    def _shapes(self, number: int) -> Iterator[str]:
        until = max(self._until, time.monotonic() + _LEAST_SHAPES)
        shapes = Shapes(
            self._context,
            self._examples,
            self._options.seed + number,
            until,
            self._options.workers,
            self._options.database_place,
        )
        try:
            yield from shapes.run()
        except CannotRunError:
            self._require_answer()
            raise
        if shapes.out_of_time and not self._options.profile.rounds:
            self._time_is_up(SHAPES)

    def _judge_unanswered(self, error: UnansweredError) -> None:
        """Record a violation for an unanswered request, if the server still answers others."""
        self._unanswered += 1
        exchanges = list(self._recorder.history)
        self._require_answer()
        self.findings.judge(
            kept=False,
            rule="answered",
            operation=error.operation,
            expected="an answer",
            actual=str(error),
            exchanges=exchanges,
        )
        if self._unanswered >= _MOST_UNANSWERED:
            raise GoneError(f"{self._unanswered} requests got no answer, the last one: {error}")

    def _require_answer(self) -> None:
        """Raise `GoneError` if the server no longer answers."""
        try:
            self._context.anonymous.call("getMe")
        except UnansweredError as again:
            raise GoneError(f"the server no longer answers: {again}") from None

    def _tidy_up(self) -> None:
        """Close all conversations if others may use the server or the visitor."""
        self._watching = False
        has_token = self._context.target.token is not None
        if self._options.profile.gentle or has_token:
            try:
                self._context.close_all()
            finally:
                if left := len(self._context.started):
                    noun = "conversation" if left == 1 else "conversations"
                    self._notes.append(f"{left} {noun} could not be closed")
