"""The simulated visitors of one process, and their shared state."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import GoneError, Recorder, UnansweredError
from siteassist_contract.load.judge import PAYMENT_REQUIRED, TOO_MANY_REQUESTS, CutShortError
from siteassist_contract.load.meter import Meter, Timing
from siteassist_contract.load.reachability import Reachability
from siteassist_contract.load.results import LoadResults
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
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def join(self, think: Callable[[], None]) -> SimulatedVisitor:
        """Return a new visitor, who calls ``think`` between two steps."""
        return SimulatedVisitor(self, think)

    def number(self) -> int:
        """Return the number of the next visit."""
        return next(self._numbers)

    def transport(self) -> httpx.BaseTransport:
        """Return a transport with the connections of one visitor."""
        return self.target.network.transport(self.target.base_url, connections=2)

    @property
    def renders(self) -> bool:
        """Whether the commands of a violation are still rendered."""
        return self.results.counts.total() < _RENDERED

    def lost(self) -> str | None:
        """Return why the server counts as gone, or None."""
        return self.reachability.lost()

    def settle(self) -> None:
        """Decide at the end whether the last failed requests were violations.

        If the server is gone, they were not, and the reason becomes the problem of the results.
        """
        reason = self.reachability.lost(patience=0)
        if reason is None:
            return
        began = time.monotonic()
        try:
            with httpx.Client(
                transport=self.transport(),
                headers=self.target.network.headers,
                timeout=PAUSE,
                trust_env=False,
            ) as client:
                client.get(self.target.base_url)
        except httpx.HTTPError:
            self.results.problem = self.results.problem or reason
        else:
            self.reachability.answered(began)


class SimulatedVisitor:
    """A simulated visitor, with its own connections, that makes one visit after another."""

    def __init__(self, pool: VisitorPool, think: Callable[[], None]) -> None:
        self._pool = pool
        self._think = think
        self._recorder = Recorder(
            network=pool.target.network,
            transport=Meter(pool.transport(), self._measure),
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
            visit.run(pool.number())
            pool.results.visits += 1
        except CutShortError:
            pool.sleep(PAUSE)
        except UnansweredError as error:
            self._unanswered(visit, error.operation, str(error))
        except GoneError as error:
            if isinstance(error.__context__, httpx.HTTPError) and error.operation:
                self._unanswered(visit, error.operation, str(error))
            else:  # the server asked for a long wait
                pool.sleep(_LONG_PAUSE)
        finally:
            pool.results.take(visit.findings)

    def close(self) -> None:
        """Close the connections."""
        self._recorder.close()

    def _unanswered(self, visit: Visit, operation: str, reason: str) -> None:
        pool, history = self._pool, list(self._recorder.history)
        # New findings: those of the visit are already in the results.
        late = Visit.prepare(pool.target, self._recorder, self._think)
        late.devices.update(visit.devices)

        def confirm() -> None:
            late.findings.judge(
                kept=False,
                rule="answered",
                operation=operation,
                expected="an answer",
                actual=reason,
                exchanges=history,
            )
            pool.results.take(late.findings)

        pool.reachability.failed(f"{operation}: {reason}", confirm)
        pool.sleep(PAUSE)

    def _measure(self, timing: Timing) -> None:
        pool, operation = self._pool, timing.operation
        pool.reachability.answered(timing.began)
        if timing.status == TOO_MANY_REQUESTS:
            pool.results.throttled[operation] += 1
            return
        if timing.status == PAYMENT_REQUIRED:
            pool.results.refused[operation] += 1
        pool.on_answer(operation, timing)
