"""Findings under load: the rules of the contract tests, adapted to load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from siteassist_contract.findings import Findings
from siteassist_contract.http.recorder import Exchange

LAYER = "load"
PAYMENT_REQUIRED, TOO_MANY_REQUESTS, SERVER_ERRORS = 402, 429, 500
UNAVAILABLE = frozenset({502, 503})
"""Statuses of a server that cannot serve for the moment."""
_UNJUDGED = frozenset({"stream-incremental", "agreement", "server-clock"})
"""Not judged under load, where a server may delay streams, which percentiles show, and several
servers may answer."""


class CutShortError(BaseException):
    """A visit that cannot continue. Not an `Exception`: see `UnansweredError`."""

    def __init__(self, status: int, operation: str) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.operation = operation


@dataclass
class LoadFindings(Findings):
    """The findings of one visit.

    A status of `UNAVAILABLE` is a violation under load, since a load test examines whether a
    server withstands the load, but only of a server that can complete a visit at all. So
    `siteassist_contract.load.visitors` judges it. Any status >= 500 ends the visit, since
    further requests would only find the same fault again. So do 402 and 429, which are not
    violations.
    """

    layer: str = LAYER

    def see(
        self, exchange: Exchange, history: Sequence[Exchange], *, described: bool = True
    ) -> bool:
        """Apply the rules that every answer must keep.

        Raises `CutShortError` if the visit cannot continue.
        """
        kept = super().see(exchange, history, described=described)
        if exchange.status >= SERVER_ERRORS or exchange.status in (
            PAYMENT_REQUIRED,
            TOO_MANY_REQUESTS,
        ):
            raise CutShortError(exchange.status, exchange.operation)
        return kept

    def judge_unavailable(self, operation: str, status: int, exchanges: Sequence[Exchange]) -> None:
        """Record a status of `UNAVAILABLE` as a violation."""
        # Not with `judge`, for which these statuses prove nothing.
        self.tested["no-server-error", operation] += 1
        self.violate(
            "no-server-error",
            operation,
            "an answer, or a refusal with a status below 500",
            str(status),
            exchanges,
        )

    def judge(
        self,
        kept: object,
        rule: str,
        operation: str,
        expected: str,
        actual: str,
        exchanges: Sequence[Exchange],
        place: str = "",
    ) -> bool:
        """Record whether ``rule`` was kept, and return the result."""
        if rule in _UNJUDGED:
            return True
        return super().judge(kept, rule, operation, expected, actual, exchanges, place)
