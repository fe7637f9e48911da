"""The findings of a run: which rules were tested, and which were violated."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from siteassist_contract import description
from siteassist_contract.checks import leaks
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.rules import RULES

SHAPES = "shapes"
BEHAVIOUR = "behaviour"
STREAMS = "streams"
ERRORS = "errors"
LAYERS = (ERRORS, STREAMS, BEHAVIOUR, SHAPES)
"""The layers in the order in which they run: fast layers with many findings come first."""


@dataclass(frozen=True)
class Violation:
    """One judgement against the server."""

    layer: str
    rule: str
    """A key of `RULES`, or the name of a check of schemathesis."""
    operation: str
    words: str
    """The rule as a sentence."""
    document: str
    """The document behind the rule."""
    expected: str
    actual: str
    commands: str
    """Shell commands that reproduce the violation."""
    snippet: str
    """A Python program that reproduces the violation with the client, or an empty string."""
    answer: str
    """The answer: status, media type, the beginning of the body."""
    requests: int
    """Number of requests in the reproduction."""
    seconds: float
    """Time from the start of the run to the violation."""
    place: str = ""
    """The part of the request or of the answer, for rules about several parts."""
    known: bool = False
    """Whether the violation is in the baseline."""

    @property
    def key(self) -> str:
        """The key of the violation, which is the same in every run."""
        return key_of(self.operation, self.rule, self.place)


def key_of(operation: str, rule: str, place: str = "") -> str:
    """Return the key of a violation, which is the same in every run."""
    return f"{operation} {rule} {place}".strip()


def grouped(violations: Iterable[Violation]) -> list[list[Violation]]:
    """Merge violations of one rule by one operation into findings.

    New findings come first, in the order of their first violations.
    """
    groups: dict[tuple[bool, str, str], list[Violation]] = {}
    for found in sorted(violations, key=lambda found: (found.known, found.seconds)):
        groups.setdefault((found.known, found.operation, found.rule), []).append(found)
    return list(groups.values())


class ViolationError(AssertionError):
    """A violation whose steps hypothesis must minimise."""


class StopRun(BaseException):  # not an error
    """An early end of the run. Not an `Exception`: hypothesis would treat it as a failure."""


Render = Callable[[Sequence[Exchange]], tuple[str, str]]


@dataclass
class Findings:
    """The violations of a run, and the number of tests of each rule."""

    secrets: Filter
    render: Render
    """Returns the shell commands and the Python program that repeat exchanges."""
    known: frozenset[str] = frozenset()
    """The keys of violations that the baseline accepts."""
    stop_at_first: bool = False
    on_violation: Callable[[Violation], None] = lambda _: None
    started: float = field(default_factory=time.monotonic)
    layer: str = SHAPES
    violations: dict[str, Violation] = field(default_factory=dict)
    tested: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of tests by rule and operation."""
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Number of answers by operation and status."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of requests by layer and operation."""
    prevented: dict[tuple[str, str], str] = field(default_factory=dict)
    """The reason why a rule could not be tested, by rule and operation."""
    shorten: bool = False
    """Whether to raise `ViolationError` for a violation that is not yet minimised."""
    settled: set[str] = field(default_factory=set)
    """The keys of violations that are minimised."""

    def see(self, exchange: Exchange, history: Sequence[Exchange]) -> None:
        """Count an exchange, and apply the rules that every answer must keep."""
        operation = exchange.operation
        self.answered[operation, exchange.status] += 1
        self.requests[self.layer, operation] += 1
        self.tested["answered", operation] += 1
        if operation == "init":
            self.secrets.add_token(description.session_token(exchange.document) or "")
        header = exchange.headers.get("content-type", "")
        self.judge(
            exchange.status < 500 or exchange.status in (502, 503),
            "no-server-error",
            operation,
            "an answer, or a refusal with a status below 500",
            f"{exchange.status}",
            history,
        )
        if exchange.status >= 400:
            found = leaks.find(exchange, self.secrets)
            words = "an error that reveals no internals of the server"
            self.judge(not found, "nothing-leaks", operation, words, "; ".join(found), history)
        faults = description.faults(operation, exchange.status, header, exchange.content)
        self.judge(
            not faults,
            "described",
            operation,
            "an answer that matches openapi.yaml",
            "; ".join(faults[:3]),
            history,
            str(exchange.status),
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
        """Record whether ``rule`` was kept, and return the result.

        Raises `ViolationError` if it was violated and `shorten` is set, and `StopRun` if the
        first violation ends the run.
        """
        self.tested[rule, operation] += 1
        if kept:
            return True
        key = key_of(operation, rule, place)
        before = self.violations.get(key)
        if before is None or (key not in self.settled and len(exchanges) < before.requests):
            self._note(rule, operation, expected, actual, exchanges, place)
        if self.shorten and key not in self.settled:
            raise ViolationError(key)
        return False

    def prevent(self, rule: str, operation: str, reason: str) -> None:
        """Record the reason why ``rule`` could not be tested."""
        self.prevented[rule, operation] = reason

    def add(self, found: Violation) -> None:
        """Add a violation.

        Raises `StopRun` if the first violation ends the run.
        """
        new = found.key not in self.violations
        self.violations[found.key] = found
        if new:
            self.on_violation(found)
            if self.stop_at_first and not found.known:
                raise StopRun

    def settle(self, keys: Iterable[str]) -> None:
        """Stop minimising these violations."""
        self.settled.update(keys)

    @property
    def unknown(self) -> list[Violation]:
        """The violations that are not in the baseline."""
        return [found for found in self.violations.values() if not found.known]

    @property
    def seconds(self) -> float:
        """Duration of the run so far."""
        return time.monotonic() - self.started

    def _note(
        self,
        rule: str,
        operation: str,
        expected: str,
        actual: str,
        exchanges: Sequence[Exchange],
        place: str,
    ) -> None:
        key = key_of(operation, rule, place)
        before = self.violations.get(key)
        commands, snippet = self.render(exchanges)
        tidy = self.secrets.text
        self.add(
            Violation(
                layer=self.layer if before is None else before.layer,
                rule=rule,
                operation=operation,
                words=RULES[rule].words,
                document=RULES[rule].document,
                expected=tidy(expected),
                actual=tidy(actual),
                commands=tidy(commands),
                snippet=tidy(snippet),
                answer=tidy(shown(exchanges[-1])) if exchanges else "",
                requests=len(exchanges),
                seconds=self.seconds if before is None else before.seconds,
                place=place,
                known=key in self.known,
            )
        )


def shown(exchange: Exchange, limit: int = 600) -> str:
    """Return an answer as text: status, media type, the beginning of its body."""
    text = exchange.content.decode("utf-8", "replace")
    more = f"… ({len(text)} characters)" if len(text) > limit else ""
    media = exchange.headers.get("content-type", "no Content-Type")
    return f"{exchange.status} {media}\n{text[:limit]}{more}".strip()
