"""The answers of the assistant in a run, which may cost money, and their limit."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from siteassist_contract.description import operations, validator
from siteassist_spec.schemas import accepts

WITHHELD = 402
"""The status of a request that was not sent: a refusal for reasons outside the request."""
_REFUSED = range(400, 500)


def costs(operation: str) -> bool:
    """Whether the assistant answers requests of an operation."""
    known = operations().get(operation)
    return known is not None and known.stream is not None


def may_be_answered(operation: str, body: bytes) -> bool:
    """Whether the assistant may answer a request: whether its body is valid."""
    known = operations()[operation].body
    if known is None:
        return True
    try:
        return accepts(validator(known.schema), json.loads(body))
    except (RecursionError, ValueError):
        return False


@dataclass
class Spending:
    """The answers of the assistant so far, by operation, and their limit."""

    limit: int | None = None
    """Maximum number of answers; None for any number."""
    answers: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    """Number of requests that were not sent because of the limit."""
    _reserved: int = field(default=0, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def left(self) -> int | None:
        """The number of answers up to the limit, or None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.answers.total())

    @contextmanager
    def allowed(self, operation: str, body: bytes) -> Iterator[bool]:
        """Yield whether a request may be sent, and reserve its answer meanwhile.

        Requests at the same time can thus not exceed the limit together. One that must not be
        sent is counted.
        """
        if self.limit is None or not costs(operation) or not may_be_answered(operation, body):
            yield True
            return
        with self._lock:
            allowed = self.answers.total() + self._reserved < self.limit
            self._reserved += allowed
            self.withheld += not allowed
        try:
            yield allowed
        finally:
            with self._lock:
                self._reserved -= allowed

    def count(self, operation: str, status: int, number: int = 1) -> None:
        """Count answers with a status; a server that fails may have asked its model before."""
        if costs(operation) and status not in _REFUSED:
            with self._lock:
                self.answers[operation] += number

    def take(self) -> tuple[Counter[str], int]:
        """Return the counts since the last call; the limit becomes the number left."""
        with self._lock:
            answers, withheld, left = self.answers, self.withheld, self.left
            self.answers, self.withheld, self.limit = Counter(), 0, left
        return answers, withheld

    @property
    def words(self) -> str:
        """The answers, as text for a report."""
        total = self.answers.total()
        noun = "answer" if total == 1 else "answers"
        each = ", ".join(f"{number} of {name}" for name, number in sorted(self.answers.items()))
        found = f"{total} {noun} of the assistant{f' ({each})' if each else ''}"
        if self.limit is not None:
            found += f", at most {self.limit} allowed"
        if self.withheld:
            noun = "request was" if self.withheld == 1 else "requests were"
            found += f"; {self.withheld} {noun} not sent because of the limit"
        return found
