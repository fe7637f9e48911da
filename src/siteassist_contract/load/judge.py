"""Findings under load: the rules of the contract tests, adapted to load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from siteassist_contract.findings import Findings
from siteassist_contract.http.recorder import Exchange

LAYER = "load"
PAYMENT_REQUIRED, TOO_MANY_REQUESTS, SERVER_ERRORS = 402, 429, 500
_UNJUDGED = frozenset({"stream-incremental"})
"""Not judged under load, where a server may delay streams; percentiles show it."""


class CutShortError(BaseException):
    """A visit that cannot continue. Not an `Exception`: see `UnansweredError`."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status}")
        self.status = status


@dataclass
class LoadFindings(Findings):
    """The findings of one visit.

    Any status >= 500 is a violation, including 502 and 503: a load test examines whether a
    server withstands the load. Such a status ends the visit, since further requests would
    only find the same fault again. So do 402 and 429, which are not violations.
    """

    layer: str = LAYER

    def see(self, exchange: Exchange, history: Sequence[Exchange]) -> bool:
        """Apply the rules that every answer must keep.

        Raises `CutShortError` if the visit cannot continue.
        """
        described = super().see(exchange, history)
        if exchange.status >= SERVER_ERRORS:
            # Not `judge`, which takes 502 and 503 for circumstances.
            self.tested["no-server-error", exchange.operation] += 1
            self.violate(
                "no-server-error",
                exchange.operation,
                "an answer, or a refusal with a status below 500",
                str(exchange.status),
                history,
            )
        if exchange.status >= SERVER_ERRORS or exchange.status in (
            PAYMENT_REQUIRED,
            TOO_MANY_REQUESTS,
        ):
            raise CutShortError(exchange.status)
        return described

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
