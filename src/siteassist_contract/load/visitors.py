"""The visitors of one process: what they share, and what one of them does again and again."""

from __future__ import annotations

import itertools
import ssl
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
"""How many seconds a visitor stays away after a visit that was cut short."""
_LONG_PAUSE = 30.0
"""The same, if the server says to come back later than a visitor waits for an answer."""
_RENDERED = 50
"""In how many visits with breaks the way to them is written down; it takes its time."""


@dataclass
class VisitorPool:
    """What the visitors of one process share."""

    target: Target
    tell: Callable[[str, Timing], None] = lambda _operation, _timing: None
    """Called after each answer with its ``operationId``, but for 429."""
    sleep: Callable[[float], None] = time.sleep
    results: LoadResults = field(default_factory=LoadResults)
    reachability: Reachability = field(default_factory=Reachability)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    # One for all: it takes longer to make than a request.
    _tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)

    def join(self, think: Callable[[], None]) -> SimulatedVisitor:
        """Return one more visitor, who calls ``think`` between two steps."""
        return SimulatedVisitor(self, think)

    def number(self) -> int:
        """Return the number of the next visit."""
        return next(self._numbers)

    def transport(self) -> httpx.BaseTransport:
        """Return connections for one visitor."""
        return httpx.HTTPTransport(verify=self._tls, limits=httpx.Limits(max_connections=2))

    @property
    def renders(self) -> bool:
        """Whether the way to a break is still to be written down."""
        return self.results.counts.total() < _RENDERED

    def lost(self) -> str | None:
        """Return how the server went away, if it did."""
        return self.reachability.lost()

    def settle(self) -> None:
        """Find out at the end whether the last requests that failed were breaks.

        Notes in the ledger that the server went away, if it did.
        """
        reason = self.reachability.lost(patience=0)
        if reason is None:
            return
        began = time.monotonic()
        try:
            httpx.get(self.target.base_url, timeout=PAUSE, verify=self._tls)
        except httpx.HTTPError:
            self.results.problem = self.results.problem or reason
        else:
            self.reachability.answered(began)


class SimulatedVisitor:
    """One simulated visitor, with connections of its own, who comes again and again."""

    def __init__(self, pool: VisitorPool, think: Callable[[], None]) -> None:
        self._pool = pool
        self._think = think
        self._recorder = Recorder(transport=Meter(pool.transport(), self._tell), sleep=pool.sleep)

    def visit(self) -> None:
        """Make one visit, and enter what it has found into the ledger."""
        pool = self._pool
        visit = Visit.prepare(pool.target, self._recorder, self._think, render=pool.renders)
        # What `think` raises ends a visit, too, and what it has found until then counts.
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
            else:  # the server is there, and says to come back much later
                pool.sleep(_LONG_PAUSE)
        finally:
            pool.results.take(visit.findings)

    def close(self) -> None:
        """Close the connections."""
        self._recorder.close()

    def _unanswered(self, visit: Visit, operation: str, reason: str) -> None:
        pool, history = self._pool, list(self._recorder.history)
        # Nothing that the visit has found before is entered a second time.
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

    def _tell(self, timing: Timing) -> None:
        pool, operation = self._pool, timing.operation
        pool.reachability.answered(timing.began)
        if timing.status == TOO_MANY_REQUESTS:
            pool.results.throttled[operation] += 1
            return
        if timing.status == PAYMENT_REQUIRED:
            pool.results.refused[operation] += 1
        pool.tell(operation, timing)
