"""The findings of a run: which rules were tested, and which were violated."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from siteassist_contract import description
from siteassist_contract.checks import error_bodies, leaks, server_clock
from siteassist_contract.checks.shown_objects import ShownObjects
from siteassist_contract.http.recorder import NO_ANSWER, Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.report.origins import Origins
from siteassist_contract.report.reproduction import shortest
from siteassist_contract.rules import CLOCK, LIMIT, RULES
from siteassist_spec import EVENT_STREAM

SHAPES = "shapes"
BEHAVIOUR = "behaviour"
STREAMS = "streams"
ERRORS = "errors"
SOCKET = "socket"
_OF_EVERY_ANSWER = frozenset({"answered", "described", "error-body", "nothing-leaks"})
"""Rules that hold for refusals by circumstances as well."""
_OF_THE_FIRST = frozenset({"device-status"})
"""Rules about the status of the first of several equal requests."""
_OF_STATUS_OR_STREAM = _OF_EVERY_ANSWER | {
    "accepted",
    "answer-form",
    "bounds",
    "closes-again",
    "created",
    "cross-origin",
    "device-status",
    "framing",
    "isolation",
    "key-checked",
    "made-up-requests",
    "malformed-refused",
    "negotiation",
    "no-server-error",
    "no-such-path",
    "no-token-needed",
    "preflight",
    "queued",
    "socket-assigned",
    "socket-delivery",
    "socket-isolation",
    "socket-messages",
    "socket-pong",
    "socket-silence",
    "socket-stored",
    "socket-texts",
    "stream-end",
    "stream-frames",
    "stream-ids",
    "stream-incremental",
    "stream-order",
    "token-checked",
    "token-required",
    "unknown-not-found",
    "website-checked",
}
"""Rules that do not compare the properties of an answer, so that they hold for invalid answers."""
_MOST_FAULTS = 3
"""The number of faults of an answer that a violation describes."""
_PER_REQUEST = 1000
"""The effort of a request, in bytes of a body."""
LAYERS = (ERRORS, STREAMS, BEHAVIOUR, SOCKET, SHAPES)
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
    steps: tuple[str, ...] = ()
    """The operations of the requests in the reproduction, in order."""
    known: bool = False
    """Whether the violation is in the baseline."""
    step: str = ""
    """The step of the layer that found the violation first; empty before the first step."""
    exchange: str = ""
    """A digest of the last request of the reproduction and its answer; empty if there is none."""
    failed: tuple[str, ...] = ()
    """The operations of the requests in the reproduction that fail: no answer, or 500 and above."""

    @property
    def key(self) -> str:
        """The key of the violation, which is the same in every run."""
        return key_of(self.operation, self.rule, self.place)

    def redacted(self, secrets: Filter) -> Violation:
        """Return the violation without secrets in the texts of requests and answers."""
        tidy = secrets.text
        return replace(
            self,
            expected=tidy(self.expected),
            actual=tidy(self.actual),
            commands=tidy(self.commands),
            snippet=tidy(self.snippet),
            answer=tidy(self.answer),
        )


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
    step: str = ""
    """The step of the layer that runs."""
    violations: dict[str, Violation] = field(default_factory=dict)
    tested: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of tests by rule and operation."""
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Number of answers by operation and status."""
    circumstances: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Number of refusals for reasons outside the request, by operation and status."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of requests by layer and operation."""
    prevented: dict[tuple[str, str], str] = field(default_factory=dict)
    """The reason why a rule could not be tested, by rule and operation."""
    selects: Callable[[str, str], bool] = lambda *_: True
    """Whether the run tests a rule on an operation; other violations are ignored."""
    shorten: bool = False
    """Whether to raise `ViolationError` for a violation that is not yet minimised."""
    settled: set[str] = field(default_factory=set)
    """The keys of violations that are minimised."""
    efforts: dict[str, int] = field(default_factory=dict)
    """The effort of repeating each violation: its requests, and the bytes of their bodies."""
    notes: dict[str, None] = field(default_factory=dict)
    """Remarks on behaviour that the documents leave open, in order, each once."""
    shown: ShownObjects = field(default_factory=ShownObjects)
    """The objects in earlier answers."""
    origins: Origins = field(default_factory=Origins)
    """The requests that made these objects."""

    def see(
        self, exchange: Exchange, history: Sequence[Exchange], *, described: bool = True
    ) -> bool:
        """Count an exchange, and apply the rules that every answer must keep.

        The refusals before the answer are held to the description as well. Returns whether the
        answer matches the description; for a request that is not ``described``, whether it is
        below 500.
        """
        before = list(history[:-1])
        for refusal in exchange.refusals:
            self._see_one(refusal, [*before, refusal])
        return self._see_one(exchange, history, described=described)

    def _see_one(
        self, exchange: Exchange, history: Sequence[Exchange], *, described: bool = True
    ) -> bool:
        if exchange.withheld:
            return True
        self._count(exchange)
        self.origins.remember(exchange)
        operation = exchange.operation
        if operation == "init":
            self.secrets.add_token(description.session_token(exchange.document) or "")
        if not exchange.refused:
            self.judge(
                exchange.status < 500,
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
        if not described:
            return exchange.status < 500
        if exchange.status >= 400:
            wrong = error_bodies.faults(exchange)
            words = "an error that says what is wrong, with a code of its own status"
            self.judge(not wrong, "error-body", operation, words, "; ".join(wrong), history)
        faults = faults_of(exchange)
        described = self.judge(
            not faults,
            "described",
            operation,
            "an answer that matches openapi.yaml",
            few(faults),
            history,
            str(exchange.status),
        )
        self._compare(exchange, history, described=described)
        if described:
            self._compare_times(exchange, history)
        return described

    def _count(self, exchange: Exchange) -> None:
        operation = exchange.operation
        self.answered[operation, exchange.status] += 1
        self.requests[self.layer, operation] += 1
        self.tested["answered", operation] += 1
        if exchange.refused:
            self.circumstances[operation, exchange.status] += 1
            for rule in RULES.keys() - _OF_EVERY_ANSWER:
                if operation in RULES[rule].operations:
                    self.prevented.setdefault((rule, operation), refused_reason(exchange))

    def _compare(self, exchange: Exchange, history: Sequence[Exchange], *, described: bool) -> None:
        """Compare the objects in an answer with earlier answers, and remember them."""
        compared, differences = self.shown.compare(exchange, described=described)
        if exchange.operation not in RULES["agreement"].operations:
            return
        for operation in (exchange.operation, *compared) if compared and not differences else ():
            self.judge(True, "agreement", operation, "", "", history)
        for each in differences:
            earlier = each.earlier.exchange
            # The answer about a new object is compared with all later ones.
            wrong = exchange if earlier.method == "GET" else earlier
            self.judge(
                False,
                "agreement",
                wrong.operation,
                each.expected,
                each.actual,
                compared_with(earlier, history),
                each.name,
            )

    def _compare_times(self, exchange: Exchange, history: Sequence[Exchange]) -> None:
        """Compare the times in an answer with the clock of the server."""
        operation = exchange.operation
        if operation not in RULES["server-clock"].operations:
            return
        wrong = server_clock.faults(exchange)
        if wrong is None:
            self.prevented.setdefault(("server-clock", operation), CLOCK)
            return
        words = "times that are not ahead of the `Date` of the answer"
        self.judge(not wrong, "server-clock", operation, words, few(wrong), history)

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

        The last of ``exchanges`` shows the result. If it was refused by circumstances, or shows
        properties although it does not match the description, it proves nothing about other
        rules, and the reason is recorded instead.
        Raises `ViolationError` if it was violated and `shorten` is set, and `StopRun` if the
        first violation ends the run.
        """
        if not self.selects(rule, operation):
            return bool(kept)
        reason = _no_proof(bool(kept), rule, operation, exchanges)
        if reason:
            self.prevent(rule, operation, reason)
            return bool(kept)
        self.tested[rule, operation] += 1
        if not kept:
            self.violate(rule, operation, expected, actual, exchanges, place)
        return bool(kept)

    def violate(
        self,
        rule: str,
        operation: str,
        expected: str,
        actual: str,
        exchanges: Sequence[Exchange],
        place: str = "",
    ) -> None:
        """Record a violation of a rule that is already counted as tested.

        Raises an error as `judge` does.
        """
        if not self.selects(rule, operation):
            return
        # The place is a part of the key, which a baseline repeats.
        place = self.secrets.values(place)
        key = key_of(operation, rule, place)
        before = self.violations.get(key)
        exchanges = self.origins.completed(exchanges)
        effort = sum(_PER_REQUEST + len(each.body) for each in exchanges)
        if before is None or (key not in self.settled and effort < self.efforts.get(key, 0)):
            self.efforts[key] = effort
            self._note(rule, operation, expected, actual, exchanges, place)
        if self.shorten and key not in self.settled:
            raise ViolationError(key)

    def prevent(self, rule: str, operation: str, reason: str) -> None:
        """Record the reason why ``rule`` could not be tested."""
        self.prevented[rule, operation] = reason

    def note(self, text: str) -> None:
        """Add a remark to the report, which does not count against the server."""
        self.notes[text] = None

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
        needed = shortest(exchanges) if exchanges else []
        self.add(
            Violation(
                layer=self.layer if before is None else before.layer,
                step=self.step if before is None else before.step,
                rule=rule,
                operation=operation,
                words=RULES[rule].words,
                document=RULES[rule].document,
                expected=expected,
                actual=actual,
                commands=commands,
                snippet=snippet,
                answer=shown(exchanges[-1]) if exchanges else "",
                requests=len(exchanges),
                seconds=self.seconds if before is None else before.seconds,
                place=place,
                steps=tuple(each.operation for each in needed),
                known=key in self.known,
                exchange=_digest(needed[-1]) if needed else "",
                failed=tuple(dict.fromkeys(each.operation for each in needed if _fails(each))),
            ).redacted(self.secrets)
        )


def _digest(exchange: Exchange) -> str:
    """Return a short text that only the same request with the same answer has."""
    parts = (
        exchange.operation,
        exchange.credential,
        exchange.method,
        exchange.target,
        exchange.content_type,
        sorted(exchange.sent_headers.items()),
        exchange.body,
        exchange.status,
        exchange.content,
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _fails(exchange: Exchange) -> bool:
    return exchange.status == NO_ANSWER or exchange.status >= 500


def few(faults: Sequence[str]) -> str:
    """Return the first of some faults as text, with the number of the others."""
    more = len(faults) - _MOST_FAULTS
    return "; ".join(faults[:_MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")


def compared_with(earlier: Exchange, history: Sequence[Exchange]) -> list[Exchange]:
    """Return a history that ends with two answers to compare, so that both are repeated."""
    marked = replace(earlier, compared=True)
    before = [marked if each is earlier else each for each in history]
    return before if marked in before else [marked, *before]


def faults_of(exchange: Exchange) -> list[str]:
    """Return the differences between an answer and its description."""
    media = exchange.headers.get("content-type", "")
    return description.faults(exchange.operation, exchange.status, media, exchange.content)


def refused_reason(exchange: Exchange) -> str:
    """Return the reason why a refusal by circumstances proves nothing."""
    if exchange.withheld:
        return LIMIT
    return f"the server refused with {exchange.status}"


def _no_proof(kept: bool, rule: str, operation: str, exchanges: Sequence[Exchange]) -> str:
    """Return the reason why exchanges prove nothing about ``rule``, or an empty string."""
    if exchanges and exchanges[-1].withheld:
        return LIMIT
    if rule in _OF_EVERY_ANSWER or not exchanges:
        return ""
    if exchanges[-1].refused:
        return refused_reason(exchanges[-1])
    if kept:
        return ""
    if rule not in _OF_STATUS_OR_STREAM and faults_of(exchanges[-1]):
        return "the answer does not match the description"
    repeated = any(each.repeats for each in exchanges if each.operation == operation)
    if rule in _OF_THE_FIRST and repeated:
        return "a request was lost and sent again"
    return ""


def shown(exchange: Exchange, limit: int = 600) -> str:
    """Return an answer as text: status, media type, the beginning of its body.

    A long stream is shown with its end, as whole lines.
    """
    if exchange.status == NO_ANSWER:
        return "no answer"
    text = exchange.content.decode("utf-8", "replace")
    if len(text) > limit:
        text = _middle_left_out(text, limit) if _is_stream(exchange) else _end_left_out(text, limit)
    media = exchange.headers.get("content-type", "no Content-Type")
    return f"{exchange.status} {media}\n{text}".strip()


def _is_stream(exchange: Exchange) -> bool:
    return exchange.media_type == EVENT_STREAM


def _end_left_out(text: str, limit: int) -> str:
    return f"{text[:limit]}… ({len(text)} characters in all)"


def _middle_left_out(text: str, limit: int) -> str:
    """Return the first and the last lines of a text, each of about half of ``limit``."""
    begin, end = text[: limit // 2], text[-limit // 2 :]
    # A line that does not fit is cut.
    begin = begin[: begin.rfind("\n") + 1] or begin
    end = end[end.find("\n") + 1 :] or end
    return f"{begin.rstrip()}\n\n… ({len(text)} characters in all)\n\n{end.lstrip()}"
