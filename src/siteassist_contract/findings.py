"""What a run has found so far: which rules were put to the test, and which were broken."""

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
"""In the order that they run in: what is quick and finds most comes first."""


@dataclass(frozen=True)
class Violation:
    """One way in which the server broke the contract."""

    layer: str
    rule: str
    """One of `RULES`, or for made-up requests the name of a check."""
    operation: str
    words: str
    """The rule, in plain words."""
    document: str
    """The document behind the rule."""
    expected: str
    actual: str
    commands: str
    """The shortest way to see it, as shell commands."""
    snippet: str
    """The same as a Python program with the client; empty if it cannot be said so."""
    answer: str
    """The answer that shows it: status, media type, the beginning of the body."""
    requests: int
    """How many requests it takes to see it."""
    seconds: float
    """When it was found, counted from the start of the run."""
    place: str = ""
    """Where in the request or the answer, if the rule is about several places."""
    known: bool = False
    """Whether the baseline has it."""

    @property
    def key(self) -> str:
        """What makes it the same break in another run."""
        return key_of(self.operation, self.rule, self.place)


def key_of(operation: str, rule: str, place: str = "") -> str:
    """Return what makes a break the same in another run."""
    return f"{operation} {rule} {place}".strip()


def grouped(violations: Iterable[Violation]) -> list[list[Violation]]:
    """Put breaks of one rule by one operation together, however many places they are at.

    The new ones come first, in the order that they were found in.
    """
    groups: dict[tuple[bool, str, str], list[Violation]] = {}
    for found in sorted(violations, key=lambda found: (found.known, found.seconds)):
        groups.setdefault((found.known, found.operation, found.rule), []).append(found)
    return list(groups.values())


class ViolationError(AssertionError):
    """A rule was broken, and somebody wants to find a shorter way to it."""


class StopRun(BaseException):  # no error
    """The run is over, before its end. Not an `Exception`: nobody may take it for a finding."""


@dataclass(frozen=True)
class Unreached:
    """Something of the contract that a run did not put to the test, and why."""

    operation: str
    what: str
    reason: str


Render = Callable[[Sequence[Exchange]], tuple[str, str]]


@dataclass
class Findings:
    """Collects what is found, and counts what is tested."""

    secrets: Filter
    render: Render
    """Turns exchanges into shell commands and a Python program."""
    known: frozenset[str] = frozenset()
    """The keys of breaks that the baseline accepts."""
    stop_at_first: bool = False
    on_violation: Callable[[Violation], None] = lambda _: None
    started: float = field(default_factory=time.monotonic)
    layer: str = SHAPES
    violations: dict[str, Violation] = field(default_factory=dict)
    tested: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each rule was put to the test, by rule and operation."""
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often each status was seen, by operation and status."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many requests were made, by layer and operation."""
    prevented: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why a rule could not be tested on an operation, as far as it was tried."""
    shorten: bool = False
    """Whether to raise `ViolationError` for a break that may have a shorter way to it."""
    settled: set[str] = field(default_factory=set)
    """The keys of breaks whose way is as short as it gets."""

    def see(self, exchange: Exchange, history: Sequence[Exchange]) -> None:
        """Count an exchange, and judge what can be judged of any answer."""
        operation = exchange.operation
        self.answered[operation, exchange.status] += 1
        self.requests[self.layer, operation] += 1
        self.tested["answered", operation] += 1
        if operation == "init":
            self.secrets.add_token(description.session_token(exchange.document) or "")
        header = exchange.headers.get("content-type", "")
        self.judge(
            exchange.status < 500 or exchange.status in (502, 503),  # noqa: PLR2004
            "no-server-error",
            operation,
            "an answer, or a refusal with a status below 500",
            f"{exchange.status}",
            history,
        )
        if exchange.status >= 400:  # noqa: PLR2004  # errors begin there
            told = leaks.find(exchange, self.secrets)
            words = "an error that tells nothing of the server's inside"
            self.judge(not told, "nothing-leaks", operation, words, "; ".join(told), history)
        faults = description.faults(operation, exchange.status, header, exchange.content)
        self.judge(
            not faults,
            "described",
            operation,
            "an answer as openapi.yaml describes it",
            "; ".join(faults[:3]),
            history,
            str(exchange.status),
        )

    def judge(  # noqa: PLR0913  # what a reader of a report wants to know
        self,
        kept: object,
        rule: str,
        operation: str,
        expected: str,
        actual: str,
        exchanges: Sequence[Exchange],
        place: str = "",
    ) -> bool:
        """Note whether ``rule`` was kept, and return it.

        Raises `ViolationError` if it was not and a shorter way to it is looked for,
        `StopRun` if the first break ends the run.
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
        """Note that ``rule`` could not be tested, and why."""
        self.prevented[rule, operation] = reason

    def add(self, found: Violation) -> None:
        """Take a break that was found elsewhere.

        Raises `StopRun` if the first break ends the run.
        """
        new = found.key not in self.violations
        self.violations[found.key] = found
        if new:
            self.on_violation(found)
            if self.stop_at_first and not found.known:
                raise StopRun

    def settle(self, keys: Iterable[str]) -> None:
        """Be content with the ways to these breaks."""
        self.settled.update(keys)

    @property
    def unknown(self) -> list[Violation]:
        """The breaks that the baseline does not have."""
        return [found for found in self.violations.values() if not found.known]

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self.started

    def _note(  # noqa: PLR0913  # as `judge`
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
    """Return an answer as a few lines of text: status, media type, the beginning of its body."""
    text = exchange.content.decode("utf-8", "replace")
    more = f"… ({len(text)} characters)" if len(text) > limit else ""
    media = exchange.headers.get("content-type", "no Content-Type")
    return f"{exchange.status} {media}\n{text[:limit]}{more}".strip()
