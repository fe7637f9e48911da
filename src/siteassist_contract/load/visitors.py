"""The visitors of one process: what they share, and what one of them does again and again."""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import GoneError, UnansweredError, Wire
from siteassist_contract.load.judge import PAYMENT_REQUIRED, TOO_MANY_REQUESTS, CutShortError
from siteassist_contract.load.meter import Meter, Timing
from siteassist_contract.load.reachability import Pulse
from siteassist_contract.load.results import Ledger
from siteassist_contract.load.visit import Visit

PAUSE = 1.0
"""How many seconds a visitor stays away after a visit that was cut short."""
_LONG_PAUSE = 30.0
"""The same, if the server says to come back later than a visitor waits for an answer."""
_RENDERED = 50
"""In how many visits with breaks the way to them is written down; it takes its time."""


@dataclass
class Crowd:
    """What the visitors of one process share."""

    target: Target
    tell: Callable[[str, Timing], None] = lambda _operation, _timing: None
    """Called after each answer with its ``operationId``, but for 429."""
    sleep: Callable[[float], None] = time.sleep
    ledger: Ledger = field(default_factory=Ledger)
    pulse: Pulse = field(default_factory=Pulse)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    # One for all: it takes longer to make than a request.
    _tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)

    def join(self, think: Callable[[], None]) -> Guest:
        """Return one more visitor, who calls ``think`` between two steps."""
        return Guest(self, think)

    def number(self) -> int:
        """Return the number of the next visit."""
        return next(self._numbers)

    def transport(self) -> httpx.BaseTransport:
        """Return connections for one visitor."""
        return httpx.HTTPTransport(verify=self._tls, limits=httpx.Limits(max_connections=2))

    @property
    def renders(self) -> bool:
        """Whether the way to a break is still to be written down."""
        return self.ledger.counts.total() < _RENDERED

    def lost(self) -> str | None:
        """Return how the server went away, if it did."""
        return self.pulse.lost()

    def settle(self) -> None:
        """Find out at the end whether the last requests that failed were breaks.

        Notes in the ledger that the server went away, if it did.
        """
        reason = self.pulse.lost(patience=0)
        if reason is None:
            return
        began = time.monotonic()
        try:
            httpx.get(self.target.base_url, timeout=PAUSE, verify=self._tls)
        except httpx.HTTPError:
            self.ledger.problem = self.ledger.problem or reason
        else:
            self.pulse.answered(began)


class Guest:
    """One simulated visitor, with connections of its own, who comes again and again."""

    def __init__(self, crowd: Crowd, think: Callable[[], None]) -> None:
        self._crowd = crowd
        self._think = think
        self._wire = Wire(transport=Meter(crowd.transport(), self._tell), sleep=crowd.sleep)

    def visit(self) -> None:
        """Make one visit, and enter what it has found into the ledger."""
        crowd = self._crowd
        visit = Visit.prepare(crowd.target, self._wire, self._think, render=crowd.renders)
        # What `think` raises ends a visit, too, and what it has found until then counts.
        try:
            visit.run(crowd.number())
            crowd.ledger.visits += 1
        except CutShortError:
            crowd.sleep(PAUSE)
        except UnansweredError as error:
            self._unanswered(visit, error.operation, str(error))
        except GoneError as error:
            if isinstance(error.__context__, httpx.HTTPError) and error.operation:
                self._unanswered(visit, error.operation, str(error))
            else:  # the server is there, and says to come back much later
                crowd.sleep(_LONG_PAUSE)
        finally:
            crowd.ledger.take(visit.findings)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _unanswered(self, visit: Visit, operation: str, reason: str) -> None:
        crowd, history = self._crowd, list(self._wire.history)
        # Nothing that the visit has found before is entered a second time.
        late = Visit.prepare(crowd.target, self._wire, self._think)
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
            crowd.ledger.take(late.findings)

        crowd.pulse.failed(f"{operation}: {reason}", confirm)
        crowd.sleep(PAUSE)

    def _tell(self, timing: Timing) -> None:
        crowd, operation = self._crowd, timing.operation
        crowd.pulse.answered(timing.began)
        if timing.status == TOO_MANY_REQUESTS:
            crowd.ledger.throttled[operation] += 1
            return
        if timing.status == PAYMENT_REQUIRED:
            crowd.ledger.refused[operation] += 1
        crowd.tell(operation, timing)
