"""The simulated visitors of one process, and their shared state."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import GoneError, Recorder, UnansweredError
from siteassist_contract.load.judge import (
    PAYMENT_REQUIRED,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    CutShortError,
    LoadFindings,
)
from siteassist_contract.load.meter import Meter, Timing
from siteassist_contract.load.reachability import PATIENCE, Reachability
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.time_limit import within
from siteassist_contract.load.visit import Visit

PAUSE = 1.0
"""Seconds that a visitor waits after a visit that was cut short."""
_LONG_PAUSE = 30.0
"""Seconds that a visitor waits if the server asked for a longer wait than visitors accept."""
_RENDERED = 50
"""Number of violations after which commands are no longer rendered, which takes time."""


@dataclass
class VisitorPool:
    """The state that the visitors of one process share."""

    target: Target
    on_answer: Callable[[str, Timing], None] = lambda _operation, _timing: None
    """Called after each answer other than 429, with its ``operationId``."""
    sleep: Callable[[float], None] = time.sleep
    results: LoadResults = field(default_factory=LoadResults)
    reachability: Reachability = field(default_factory=Reachability)
    slowest: float = 0.0
    """Duration of the slowest answer, in seconds."""
    _unavailable: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Records each operation's 502 or 503 as a violation, once a visit is complete."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def join(self, think: Callable[[], None]) -> SimulatedVisitor:
        """Return a new visitor, who calls ``think`` between two steps."""
        return SimulatedVisitor(self, think)

    def number(self) -> int:
        """Return the number of the next visit."""
        return next(self._numbers)

    def transport(self) -> httpx.BaseTransport:
        """Return a transport with the connections of one visitor."""
        # A socket that always has data would never let another greenlet run, not even the one
        # that ends the load.
        return self.target.network.transport(
            self.target.base_url, connections=2, pause=lambda: self.sleep(0)
        )

    @property
    def renders(self) -> bool:
        """Whether the commands of a violation are still rendered."""
        return self.results.counts.total() < _RENDERED

    def lost(self) -> str | None:
        """Return why the server counts as gone, or None."""
        return self.reachability.lost()

    def completed(self) -> None:
        """Record a complete visit; a 502 or 503 is a violation from now on."""
        self.results.visits += 1
        while self._unavailable:
            self._unavailable.popitem()[1]()

    def unavailable(self, operation: str, confirm: Callable[[], None]) -> None:
        """Record a 502 or 503; ``confirm`` records a violation if a visit was or is complete."""
        self.results.unavailable[operation] += 1
        if self.results.visits:
            confirm()
        else:
            self._unavailable.setdefault(operation, confirm)

    def settle(self) -> None:
        """Decide at the end whether the last failed requests were violations.

        If the server is gone, they were not, and the reason becomes the problem of the results.
        """
        reason = self.reachability.lost(patience=0)
        if reason is None:
            return
        began = time.monotonic()
        try:
            within(2 * PAUSE, self._knock)
        except (httpx.HTTPError, TimeoutError):
            self.results.problem = self.results.problem or f"the server is gone ({reason})"
        else:
            self.reachability.answered(began)

    def _knock(self) -> None:
        """Request any answer from the server."""
        with (
            httpx.Client(
                transport=self.transport(),
                headers=self.target.network.headers,
                timeout=PAUSE,
                trust_env=False,
            ) as client,
            client.stream("GET", self.target.base_url),
        ):
            pass


class SimulatedVisitor:
    """A simulated visitor, with its own connections, that makes one visit after another."""

    def __init__(self, pool: VisitorPool, think: Callable[[], None]) -> None:
        self._pool = pool
        self._think = think
        self._has_completed = False
        self._meter = Meter(pool.transport(), self._measure)
        self._recorder = Recorder(
            network=pool.target.network,
            transport=self._meter,
            sleep=pool.sleep,
            # Under load, 502 and 503 are violations.
            waits_for=(TOO_MANY_REQUESTS,),
        )

    def visit(self) -> None:
        """Make one visit, and add its findings to the results."""
        pool = self._pool
        visit = Visit.prepare(pool.target, self._recorder, self._think, render=pool.renders)
        # An exception of `think` ends the visit, too; the findings up to that point count.
        try:
            if visit.run(pool.number()):
                self._completed()
        except CutShortError as error:
            if error.status in UNAVAILABLE:
                self._unavailable(visit, error.operation, error.status)
            pool.sleep(PAUSE)
        except UnansweredError as error:
            self._unanswered(visit, error)
        except GoneError as error:
            if isinstance(error.__context__, httpx.HTTPError) and error.operation:
                self._unanswered(visit, error)
            else:  # the server asked for a long wait
                pool.sleep(_LONG_PAUSE)
        finally:
            self._note_abandoned()
            pool.results.take(visit.findings)
            pool.results.steps.update(visit.steps)
            pool.results.unmet.update(visit.unmet)

    def close(self) -> None:
        """Close the connections."""
        self._recorder.close()

    def _completed(self) -> None:
        self._pool.results.visitors += not self._has_completed
        self._has_completed = True
        self._pool.completed()

    def _note_abandoned(self) -> None:
        """Record a request that the end of the load cut off, if it was overdue."""
        pool, pending = self._pool, self._meter.pending
        if pending is None:
            return
        operation, began = pending
        self._meter.pending = None
        if time.monotonic() - began > max(PATIENCE, 2 * pool.slowest):
            pool.results.abandoned[operation] += 1

    def _late_findings(self, visit: Visit) -> LoadFindings:
        """Return new findings, since those of the visit are already in the results."""
        late = Visit.prepare(self._pool.target, self._recorder, self._think)
        late.devices.update(visit.devices)
        return late.findings

    def _unavailable(self, visit: Visit, operation: str, status: int) -> None:
        pool, history = self._pool, list(self._recorder.history)
        late = self._late_findings(visit)

        def confirm() -> None:
            late.judge_unavailable(operation, status, history)
            pool.results.take(late)

        pool.unavailable(operation, confirm)

    def _unanswered(self, visit: Visit, error: UnansweredError | GoneError) -> None:
        pool, operation, reason = self._pool, error.operation, str(error)
        history = [*self._recorder.history, *([error.exchange] if error.exchange else ())]
        self._meter.pending = None
        pool.results.unanswered[operation] += 1
        late = self._late_findings(visit)

        def confirm() -> None:
            late.judge(
                kept=False,
                rule="answered",
                operation=operation,
                expected="an answer",
                actual=reason,
                exchanges=history,
            )
            pool.results.take(late)

        pool.reachability.failed(f"{operation}: {reason}", confirm)
        pool.sleep(PAUSE)

    def _measure(self, timing: Timing) -> None:
        pool, operation = self._pool, timing.operation
        pool.reachability.answered(timing.began)
        pool.slowest = max(pool.slowest, timing.seconds)
        if timing.status == TOO_MANY_REQUESTS:
            pool.results.throttled[operation] += 1
            return
        if timing.status == PAYMENT_REQUIRED:
            pool.results.refused[operation] += 1
        pool.on_answer(operation, timing)
