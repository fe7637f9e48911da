"""Who may send how much: rate limits and the quota of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.rate_limiter import RateLimiter, SharedRateLimiter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.types import Scope

    from siteassist_mock.http.rate_limiter import RateLimit
    from siteassist_mock.storage.store import Store
    from siteassist_mock.storage.tables import VisitorRow

__all__ = ["TOO_MANY", "Limits"]

# Of all operations only this one stores what somebody says.
_COUNTED = "sendMessage"
TOO_MANY = 429
"""The status of a request that is one too many."""


class Limits:
    """The limits of one server; processes that share the state count together."""

    def __init__(
        self,
        store: Store,
        rates: Sequence[RateLimit],
        quota: int | None,
        exempt: Collection[str] = (),
    ) -> None:
        """Hold everybody to ``rates``, and the project to ``quota`` messages in all.

        ``exempt`` are the operations that rates do not count for, since a 429
        is none of their documented answers.
        """
        self._exempt = frozenset(exempt)
        self._limiter: RateLimiter | SharedRateLimiter | None = None
        if rates and store.shared:
            self._limiter = SharedRateLimiter(rates, store)
        elif rates:
            self._limiter = RateLimiter(rates, store.clock.seconds)
        self._quota = quota
        self._store = store

    def reset(self) -> None:
        """Give everybody the whole allowance again; the quota's messages are the store's."""
        if self._limiter is not None:
            self._limiter.forget()

    def check(self, operation_id: str, scope: Scope, visitor: VisitorRow | None = None) -> None:
        """Count a request; raises `ApiError` 429 if it is one too many.

        Requests count for the visitor whose credential is valid, and for the
        address that they come from otherwise: a token that is made up opens no
        new account. So does a publishable key, which is no secret and the same
        in every browser: by it one visitor could use up everybody's allowance.
        """
        if self._limiter is not None and operation_id not in self._exempt:
            wait = self._limiter.wait(
                f"visitor {visitor.id}" if visitor else f"address {_address(scope)}"
            )
            if wait:
                raise ApiError(
                    TOO_MANY, details={"retryAfter": wait}, headers={"Retry-After": str(wait)}
                )
        if self._quota is not None and operation_id == _COUNTED and visitor is not None:
            with self._store.read() as records:
                used = records.count_questions(visitor.id, at_most=self._quota)
            if used >= self._quota:
                raise ApiError(
                    TOO_MANY,
                    code="USAGE_QUOTA_EXCEEDED",
                    message=f"The project has used up its quota of {self._quota} messages.",
                    details={"quota": self._quota},
                )


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
