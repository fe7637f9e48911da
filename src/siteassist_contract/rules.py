"""The rules that a server is held to: in words, with the document behind each.

Everything that is judged is judged by one of these, so that a report can say
which of them were put to the test and which were not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from siteassist_contract.checks.bounds import has_bounds
from siteassist_contract.checks.generated import fitting_answers
from siteassist_contract.description import CLOSING, operations, takes_feedback, takes_key
from siteassist_spec import Operation

Applies = Callable[[Operation], bool]


@dataclass(frozen=True)
class Rule:
    """Something that every server has to keep."""

    words: str
    """In plain words, as a sentence that is true of a server that keeps it."""
    document: str
    """What it rests on: pages by their id in ``docs/evidence.md``, or entries there."""
    applies: Applies = field(repr=False)
    """Whether it can be seen in an operation: derived from the description where it says so."""
    needs: str = ""
    """What a run must be given to test it, if a publishable key is not enough: see `GAPS`."""

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that it can be seen in, in the order of the description."""
        return tuple(name for name, each in operations().items() if self.applies(each))


class _Named:
    """Applies to operations by name: what their words promise and no schema says."""

    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)

    def __call__(self, operation: Operation) -> bool:
        return operation.operation_id in self.names


def _every(_: Operation) -> bool:
    return True


def _none(_: Operation) -> bool:
    return False


def _needs_token(operation: Operation) -> bool:
    return operation.needs_token


def _needs_no_token(operation: Operation) -> bool:
    return not operation.needs_token


def _has_ids(operation: Operation) -> bool:
    return bool(operation.places("path"))


def _can_be_malformed(operation: Operation) -> bool:
    return operation.body is not None or _has_ids(operation)


def _is_owned(operation: Operation) -> bool:
    return operation.needs_token and bool(operation.owned)


def _is_paged(operation: Operation) -> bool:
    return operation.paging is not None


def _has_total(operation: Operation) -> bool:
    return operation.paging is not None and operation.paging.total is not None


def _is_own_list(operation: Operation) -> bool:
    return operation.needs_token and operation.paging is not None and not _has_ids(operation)


def _streams(operation: Operation) -> bool:
    return operation.stream is not None


def _either(*conditions: Applies) -> Applies:
    return lambda operation: any(applies(operation) for applies in conditions)


TWO_VISITORS = "two visitors"
HUMAN = "a human agent"
SLOW_STREAM = "a slow stream"

GAPS = {
    TWO_VISITORS: "needs a publishable key: --api-key",
    HUMAN: "needs a conversation that a human agent handles: --human-conversation",
    SLOW_STREAM: "the streams came too fast to tell",
}
"""Why a rule may not have been tested, by what it needs."""

RULES: dict[str, Rule] = {
    # Every answer
    "answered": Rule("Every request is answered.", "F-status", _every),
    "no-server-error": Rule("No request makes the server fail.", "F-status (500)", _every),
    "described": Rule(
        "Status, media type and body of an answer are as described.",
        "openapi.yaml, F-errors",
        _every,
    ),
    "accepted": Rule("A valid request is accepted.", "openapi.yaml", _every),
    "nothing-leaks": Rule(
        "An error tells nothing of the server's inside: no path, trace, SQL or token.",
        "F-errors",
        _every,
    ),
    "fits-request": Rule(
        "An answer fits its request: its page, its filter, its object.",
        "P3, P5, F-messages, F-feedback, F-qnas, F-search",
        fitting_answers.is_judged,
    ),
    "made-up-requests": Rule("schemathesis finds nothing wrong besides.", "openapi.yaml", _none),
    # Credentials
    "token-required": Rule(
        "Without a token a protected operation answers 401.", "F-auth, F-status", _needs_token
    ),
    "token-checked": Rule(
        "A malformed, made-up or changed token gets 401, and so does another scheme.",
        "F-auth, F-status",
        _needs_token,
    ),
    "key-checked": Rule("A wrong publishable key is refused.", "F-auth, C-18", takes_key),
    "no-token-needed": Rule(
        "Operations that take no token work without one.",
        "F-project, F-qnas, F-search, O-14",
        _needs_no_token,
        TWO_VISITORS,
    ),
    # Refusals
    "bounds": Rule(
        "A value beyond its bounds, of another type or left out though required is refused"
        " with 400 or 422, and one at its bounds is accepted.",
        "openapi.yaml, O-2",
        has_bounds,
    ),
    "malformed-refused": Rule(
        "A body that is not JSON, and an id that is no UUID, are refused.",
        "F-status (400, 422), O-2",
        _can_be_malformed,
    ),
    "unknown-not-found": Rule(
        "What never existed is not found.",
        "F-status (404), O-1",
        _has_ids,
    ),
    "no-such-path": Rule(
        "A path that is not described is not found.", "F-status (404)", _Named("getMe")
    ),
    # Identity
    "device-status": Rule(
        "A device gets 201 the first time, and 200 from then on.",
        "F-init",
        _Named("init"),
        TWO_VISITORS,
    ),
    "device-visitor": Rule(
        "A device always gets the same visitor; another device another one.",
        "F-init, R-26",
        _Named("init"),
        TWO_VISITORS,
    ),
    "me": Rule("A session's token stands for its visitor.", "F-init, F-me", _Named("getMe")),
    # Conversations
    "created": Rule(
        "What is created is answered with 201, all else with 200.",
        "F-status, R-2",
        _Named("startConversation"),
    ),
    "started-open": Rule(
        "A conversation that was just started is open and not closed at any time.",
        "P1",
        _Named("startConversation"),
    ),
    "new-id": Rule("Every conversation has an id of its own.", "P1", _Named("startConversation")),
    "same-object": Rule(
        "The object that was asked for comes.", "P5", fitting_answers.is_one_object
    ),
    "read-back": Rule(
        "What was stored is read back: time of creation, status, reason, messages.",
        "P1, P5, P4, F-list",
        _Named("getConversation", "getConversations"),
    ),
    "times": Rule(
        "Times do not go back, and that of creation does not change.",
        "P1, F-list",
        _Named("getConversation", "getConversations", "getMessages"),
    ),
    "last-interaction": Rule(
        "An exchange of messages moves `lastInteractionAt`.",
        "P1, F-list",
        _Named("getConversation"),
    ),
    "closes": Rule(
        "Closing closes: the status and `closedAt` say so, and it stays so.",
        "P4, F-close",
        _Named(CLOSING),
    ),
    "closes-again": Rule("Closing again is no error.", "F-close, C-23", _Named(CLOSING)),
    # Lists
    "list-own": Rule(
        "A list has all that matches, once, and nothing else, whatever the pages.",
        "F-list, P3, R-17",
        _Named("getConversations"),
    ),
    "list-total": Rule(
        "`total` counts what matches, on all pages together.",
        "F-list, R-17",
        _has_total,
    ),
    "list-page": Rule(
        "A page is as long as asked for, begins where asked for, and says so.",
        "F-list, P3, F-messages, F-qnas, F-search",
        _either(_is_paged, _Named("search")),
    ),
    "list-filter": Rule(
        "A filter lets through what matches, and only that.",
        "F-list, P3, F-messages",
        fitting_answers.has_filter,
    ),
    "list-order": Rule(
        "A list is sorted as asked for, by default the latest interaction first.",
        "F-list, P3",
        _Named("getConversations"),
    ),
    "last-message": Rule(
        "`lastMessage` is the latest message.", "F-list, C-03", _Named("getConversations")
    ),
    # Messages
    "stored-message": Rule(
        "A message is stored as it was sent, with where it was sent from.",
        "P2, F-messages",
        _Named("sendMessage"),
    ),
    "stored-answer": Rule(
        "The stored answer is the one that was given, JSON or stream.",
        "P2, F-messages, F-send",
        _Named("sendMessage"),
    ),
    "answer": Rule("An answer has a text.", "P2, F-send", _streams),
    "answer-form": Rule(
        "`stream` decides between JSON and event stream.", "P2, F-chat, R-15, O-10", _streams
    ),
    "history": Rule(
        "Messages stay as they are, in the order that they were written in, oldest first.",
        "F-messages",
        _Named("getMessages"),
    ),
    "one-history": Rule(
        "A conversation shows the same messages as their list.",
        "P5, F-messages, R-24",
        _Named("getConversation"),
    ),
    "queued": Rule(
        "While a human agent handles a conversation, a message is queued: 202 as text, and stored.",
        "P2, F-send, F-status",
        _Named("sendMessage"),
        HUMAN,
    ),
    "feedback": Rule(
        "Feedback is stored with its time, replaced by the next, removed by null.",
        "F-feedback",
        takes_feedback,
    ),
    "feedback-alone": Rule("Feedback touches no other message.", "F-feedback", takes_feedback),
    # Isolation
    "isolation": Rule(
        "Nobody reads or changes what is somebody else's: 403 or 404.",
        "F-messages, F-feedback, P5, O-1",
        _is_owned,
        TWO_VISITORS,
    ),
    "own-list": Rule(
        "A list shows nothing of anybody else's.", "P3, F-list", _is_own_list, TWO_VISITORS
    ),
    # Streams
    "stream-frames": Rule(
        "A stream is UTF-8, `data:` and an empty line per event, JSON with a type.",
        "P2, F-chat, F-stream",
        _streams,
    ),
    "stream-order": Rule(
        "A stream begins with `start` and ends with `finish`; steps and texts are opened before"
        " they are written to, and closed.",
        "P2, F-stream",
        _streams,
    ),
    "stream-ids": Rule(
        "Pieces of a text carry the id that it was opened with.", "P2, F-stream", _streams
    ),
    "stream-end": Rule(
        "A stream ends with `[DONE]`, once, and with nothing after it.",
        "P2, F-chat, R-12, O-15",
        _streams,
    ),
    "stream-incremental": Rule(
        "A stream comes piece by piece, not at once at its end.", "P2", _streams, SLOW_STREAM
    ),
    # Knowledge
    "project-stable": Rule(
        "A key always names the same project.", "F-project", _Named("getProject"), TWO_VISITORS
    ),
    "qnas-search": Rule(
        "The words of a question find it; words that nothing has find nothing.",
        "F-qnas",
        _Named("getQnas"),
        TWO_VISITORS,
    ),
    "qnas-all": Rule(
        "The pages of a list have every entry, once.",
        "F-qnas, R-17",
        _Named("getQnas"),
        TWO_VISITORS,
    ),
}
