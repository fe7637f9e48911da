"""The plan of a load: its steps, and the rules that it must test, with their samples."""

from __future__ import annotations

from dataclasses import dataclass

from siteassist_contract.description import operations
from siteassist_contract.findings import key_of
from siteassist_contract.rules import RULES, opens_socket


@dataclass(frozen=True)
class Step:
    """A kind of step of a visit, which every visit has, or one visit in several."""

    name: str
    every: int = 1
    """The interval, in visits."""
    first: int = 0
    """The number of the first visit that has the step."""

    def is_in(self, number: int) -> bool:
        """Whether the visit with this number has the step."""
        return number % self.every == self.first


_OFTEN, _SELDOM = 2, 4
PROJECT = Step("read the project")
SESSION = Step("start a session")
SESSION_AGAIN = Step("start a session again on the same device", _SELDOM)
START_WITH_CONTEXT = Step("start a conversation with a context", _OFTEN)
START_WITHOUT_BODY = Step("start a conversation without a body", _OFTEN, 1)
START_SECOND = Step("start a second conversation", _SELDOM)
SEND = Step("send a message, answered with JSON")
SEND_STREAM = Step("send a message, answered with a stream")
HISTORY = Step("read a page and a selection of the messages")
RATE = Step("rate an answer, and remove the rating")
SEARCH = Step("search")
QNAS = Step("list Q&As")
QNA = Step("read a Q&A")
COMPLETE_STREAM = Step("request a completion as a stream", _OFTEN)
COMPLETE = Step("request a completion as JSON", _OFTEN, 1)
LIST = Step("list the conversations")
INTRUDE = Step("read a conversation as another visitor", _SELDOM)
CLOSE_WITH_REASON = Step("close the conversation with a reason", _OFTEN)
CLOSE = Step("close the conversation without a body", _OFTEN, 1)
LAST = Step("read the closed conversation")

STEPS = (
    *(PROJECT, SESSION, SESSION_AGAIN, START_WITH_CONTEXT, START_WITHOUT_BODY, START_SECOND),
    *(SEND, SEND_STREAM, HISTORY, RATE, SEARCH, QNAS, QNA, COMPLETE_STREAM, COMPLETE, LIST),
    *(INTRUDE, CLOSE_WITH_REASON, CLOSE, LAST),
)
"""All steps, in the order of a visit."""
ROUND = max(step.every for step in STEPS)
"""The number of consecutive visits that contain every step."""

INTRUDED = ("getConversation", "getMessages")
"""The operations that `INTRUDE` tries."""
_COMPLETION, _QNA = "createChatCompletion", "getQna"
_REFUSED = frozenset({"error-body", "isolation", "nothing-leaks"})
"""Rules about refusals, of which a visit gets only those of `INTRUDE`."""
_OF_STREAMS = frozenset({"stream-frames", "stream-order", "stream-ids", "stream-end"})
LEFT_OUT = {
    "stream-incremental": "not judged under load, where a server may delay streams",
    "queued": "visits have no conversation that a human agent handles",
    **dict.fromkeys(
        ("token-required", "token-checked", "key-checked", "no-token-needed"),
        "visits send valid credentials only",
    ),
    **dict.fromkeys(
        ("bounds", "malformed-refused", "unknown-not-found", "no-such-path"),
        "visits send valid requests only",
    ),
    **dict.fromkeys(("fits-request", "made-up-requests"), "visits make up no requests"),
    **dict.fromkeys(
        ("texts-accepted", "texts-kept", "undescribed-ignored"),
        "visits send ordinary texts and described properties only",
    ),
    **dict.fromkeys(
        ("preflight", "cross-origin", "website-checked", "negotiation", "framing"),
        "visits send their requests in one way",
    ),
    **dict.fromkeys(
        ("agreement", "server-clock", "own-times"),
        "not judged under load, where answers of several servers may be compared",
    ),
    **dict.fromkeys(
        ("nothing-sticks", "no-side-effects", "overlap"),
        "visits send each request once, one after the other",
    ),
    **dict.fromkeys(
        (rule for rule, known in RULES.items() if known.applies is opens_socket),
        "visits open no socket",
    ),
    **dict.fromkeys(
        ("closes-again", "list-own", "project-stable", "qnas-search", "qnas-all"),
        "not a part of a visit",
    ),
}
"""The rules that visits do not test, with the reason; ``siteassist-contract`` tests them."""


@dataclass(frozen=True)
class Sample:
    """The samples that a load must have of a rule for one operation."""

    step: Step | None
    """The step that takes the samples, and thus their precondition; None if several do."""
    least: int
    """The least number of samples."""


@dataclass(frozen=True)
class Plan:
    """The amounts that a load must reach before a server can keep the contract."""

    visitors: int
    """The number of visitors that must complete a visit."""
    visits: int
    """The least number of complete visits."""
    seconds: float
    """Duration of the load."""

    @classmethod
    def of(cls, users: int, seconds: float, visits: int | None = None) -> Plan:
        """Plan a load of ``users`` visitors that may end early after ``visits`` visits."""
        if visits is None:
            return cls(users, max(users, ROUND), seconds)
        return cls(min(users, visits), min(visits, max(users, ROUND)), seconds)

    @property
    def steps(self) -> dict[str, int]:
        """The least number of each step."""
        return {step.name: self._least(step) for step in STEPS}

    @property
    def samples(self) -> dict[str, Sample]:
        """The samples of each rule for each operation, by the key of a violation."""
        found = {}
        for rule in RULES.keys() - LEFT_OUT.keys():
            for operation in _operations(rule):
                step = _step(rule, operation)
                found[key_of(operation, rule)] = Sample(step, self._least(step))
        return dict(sorted(found.items()))

    def _least(self, step: Step | None) -> int:
        # Half of the steps that the visits contain: visits that were cut short have numbers, too.
        return max(1, self.visits // (2 * (1 if step is None else step.every)))


def _operations(rule: str) -> tuple[str, ...]:
    """Return the operations for which visits test a rule."""
    if rule in _REFUSED:
        return INTRUDED
    if rule == "list-total":
        # Of other lists, a visitor does not know how many entries there are.
        return RULES["own-list"].operations
    return tuple(name for name in RULES[rule].operations if name in operations())


def _step(rule: str, operation: str) -> Step | None:
    if rule in _REFUSED:
        return INTRUDE
    if operation == _COMPLETION and rule in _OF_STREAMS:
        return COMPLETE_STREAM
    return QNA if operation == _QNA else None
