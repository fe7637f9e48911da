"""The rules that a server must keep: in words, with the document behind each.

Every judgement belongs to one rule, so a report can list the rules that were tested
and those that were not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from siteassist_contract.checks import server_clock, shown_objects
from siteassist_contract.checks.bounds import has_bounds
from siteassist_contract.checks.generated import fitting_answers
from siteassist_contract.checks.objects import changes_object
from siteassist_contract.checks.text_fields import shows_text, takes_text
from siteassist_contract.description import (
    CLOSING,
    handshakes,
    operations,
    optional_names,
    takes_feedback,
    takes_key,
)
from siteassist_spec import Operation

Applies = Callable[[Operation], bool]


@dataclass(frozen=True)
class Rule:
    """One requirement that every server must meet."""

    words: str
    """The requirement as a sentence, which is true of a correct server."""
    document: str
    """The source of the rule: ids of pages or entries in ``docs/evidence.md``."""
    applies: Applies = field(repr=False)
    """Whether the rule applies to an operation; derived from the description if possible."""
    needs: str = ""
    """A requirement for testing the rule, besides a token: see `GAPS`."""
    samples: int = 1
    """Minimum number of tests of the rule on an operation."""
    handshakes: bool = False
    """Whether the rule applies to the operations that open a WebSocket as well."""

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that the rule applies to, those that open a WebSocket last."""
        described = operations()
        known = _known.get(self)
        # This is asked about each answer, and the description is read once.
        if known is None or known[0] is not described:
            both = {**described, **(handshakes() if self.handshakes else {})}
            found = tuple(name for name, each in both.items() if self.applies(each))
            known = _known[self] = described, found
        return known[1]


_known: dict[Rule, tuple[Mapping[str, Operation], tuple[str, ...]]] = {}
"""The operations that each rule applies to, and the description from which they were derived."""


class _Named:
    """A condition on the name of an operation, for promises outside schemas and extensions."""

    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)

    def __call__(self, operation: Operation) -> bool:
        return operation.operation_id in self.names


def _every(_: Operation) -> bool:
    return True


def opens_socket(operation: Operation) -> bool:
    """Whether the answer to a request of ``operation`` is a socket."""
    return operation.websocket is not None


def _none(_: Operation) -> bool:
    return False


def _is_first_of_its_path(operation: Operation) -> bool:
    return operation == next(o for o in operations().values() if o.path == operation.path)


def _needs_token(operation: Operation) -> bool:
    return operation.needs_token


def _needs_no_token(operation: Operation) -> bool:
    return not operation.needs_token


def _has_body(operation: Operation) -> bool:
    return operation.body is not None


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


def _writes(operation: Operation) -> bool:
    return operation.method != "GET"


def _concerns_objects(operation: Operation) -> bool:
    """Whether an operation concerns a visitor, or an object of one."""
    shown = shown_objects.kinds(operation.operation_id)
    return bool(shown or operation.owned) and (
        operation.needs_token or operation.session_token is not None
    )


def _has_options(operation: Operation) -> bool:
    """Whether a part of a request can be left out."""
    optional = any(not each.required for each in operation.places("query"))
    return optional or bool(optional_names(operation))


def _either(*conditions: Applies) -> Applies:
    return lambda operation: any(applies(operation) for applies in conditions)


KEY = "a publishable key"
TWO_VISITORS = "two visitors"
HUMAN = "a human agent"
SLOW_STREAM = "a slow stream of some length"
WEBSITE = "a website of the key"
LISTED_WEBSITES = "a key that lists websites"
DIRECT = "a connection without a proxy"
CONNECTION = "a connection"
OBJECT = "an object"
LIMIT = "more answers of the assistant"
GENTLE = "a server that is not in production"
ACCEPTED = "an operation without accepted violations"
CLOCK = "a clock to compare times with"
SOCKET = "a socket"
OPERATOR = "a human agent who writes"
REFUSED_BY_CLOSING = "refusals with a status"

GAPS = {
    KEY: "needs a publishable key: --api-key",
    TWO_VISITORS: "needs a second visitor: --api-key, or --second-token beside --token",
    HUMAN: "needs a conversation that a human agent handles: --human-conversation",
    SLOW_STREAM: "the streams were too fast or too short to measure",
    WEBSITE: "needs a website from which the credentials may be used: --origin",
    LISTED_WEBSITES: "needs a publishable key that lists websites",
    DIRECT: "a proxy rewrites the requests",
    CONNECTION: "an application in the process has no connection",
    OBJECT: "no answer contained an object to request",
    LIMIT: "the limit of --max-messages was reached",
    GENTLE: "left out by the profile live",
    ACCEPTED: "a violation that the baseline accepts prevents the test",
    SOCKET: "the server has no socket",
    REFUSED_BY_CLOSING: "the server refuses handshakes by closing the socket (O-31)",
    OPERATOR: "needs a human agent: --operator, or one who writes in --human-conversation during"
    " the tests",
    CLOCK: "the server sends no `Date`, or no time with an offset (O-7)",
}
"""The reason why a rule was not tested, by the missing requirement.

These reasons excuse a missing test: the server, the credentials or the options do not allow it.
"""

RULES: dict[str, Rule] = {
    # Every answer
    "answered": Rule("Every request is answered.", "F-status", _every, handshakes=True),
    "no-server-error": Rule(
        "No request makes the server fail.", "F-status (500)", _every, handshakes=True
    ),
    "described": Rule(
        "The status, the media type and the body of an answer match the description.",
        "openapi.yaml, F-errors",
        _every,
        handshakes=True,
    ),
    "accepted": Rule("A valid request is accepted.", "openapi.yaml", _every, handshakes=True),
    "nothing-leaks": Rule(
        "An error reveals no internals of the server: no path, trace, SQL or token.",
        "F-errors",
        _every,
        handshakes=True,
    ),
    "fits-request": Rule(
        "An answer matches its request: the page, the filter, the object.",
        "P3, P5, F-messages, F-feedback, F-qnas, F-search",
        fitting_answers.is_judged,
    ),
    "made-up-requests": Rule(
        "Requests that schemathesis generates reveal no failure beyond those that other rules"
        " cover.",
        "openapi.yaml",
        _none,
    ),
    # Credentials
    "token-required": Rule(
        "A protected operation answers 401 to a request without a token.",
        "F-auth, F-status",
        _needs_token,
    ),
    "token-checked": Rule(
        "A malformed, unknown or altered token gets 401, and so does another authentication"
        " scheme.",
        "F-auth, F-status",
        _needs_token,
    ),
    "key-checked": Rule(
        "A wrong publishable key is refused.", "F-auth, C-18", takes_key, handshakes=True
    ),
    "no-token-needed": Rule(
        "Operations that need no token work without one.",
        "F-project, F-qnas, F-search, O-14",
        _needs_no_token,
        KEY,
    ),
    # Refusals
    "bounds": Rule(
        "A value that is out of bounds or of the wrong type is refused with 400 or 422, and so is a"
        " request without a required value; a value at its bounds is accepted.",
        "openapi.yaml, O-2",
        has_bounds,
    ),
    "malformed-refused": Rule(
        "A body that is not JSON and an id that is not a UUID are refused.",
        "F-status (400, 422), O-2",
        _can_be_malformed,
        handshakes=True,
    ),
    "unknown-not-found": Rule(
        "An object that never existed is not found.",
        "F-status (404), O-1",
        _has_ids,
        handshakes=True,
    ),
    "no-such-path": Rule(
        "An undescribed path is not found, and an undescribed method does not have the effect of"
        " a described one.",
        "F-status (404), O-8, O-28",
        _is_first_of_its_path,
    ),
    # Identity
    "device-status": Rule(
        "A device gets 201 the first time, and 200 afterwards.",
        "F-init",
        _Named("init"),
        KEY,
    ),
    "device-visitor": Rule(
        "A device always gets the same visitor, and another device gets another one.",
        "F-init, R-26",
        _Named("init"),
        KEY,
    ),
    "me": Rule("The token of a session identifies its visitor.", "F-init, F-me", _Named("getMe")),
    # Conversations
    "created": Rule(
        "A request that starts a conversation gets 201.",
        "F-status, R-2",
        _Named("startConversation"),
    ),
    "started-open": Rule(
        "A new conversation is open, and its `closedAt` is null.",
        "P1",
        _Named("startConversation"),
    ),
    "new-id": Rule(
        "Every conversation has its own id.", "P1", _Named("startConversation"), samples=2
    ),
    "same-object": Rule(
        "The answer is the object that was requested.", "P5", fitting_answers.is_one_object
    ),
    "read-back": Rule(
        "Stored data can be read back: the time of creation, the status, the reason, the messages.",
        "P1, P5, P4, F-list",
        _Named("getConversation", "getConversations"),
    ),
    "times": Rule(
        "Times never go back, and the time of creation never changes.",
        "P1, F-list",
        _Named("getConversation", "getConversations", "getMessages"),
    ),
    "last-interaction": Rule(
        "A message updates `lastInteractionAt`.",
        "P1, F-list",
        _Named("getConversation"),
    ),
    "closes": Rule(
        "A closed conversation has the status closed and a `closedAt`, and stays closed.",
        "P4, F-close",
        _Named(CLOSING),
    ),
    "closes-again": Rule(
        "A conversation can be closed again without an error.", "F-close, C-23", _Named(CLOSING)
    ),
    # Lists
    "list-own": Rule(
        "The pages of a list contain each matching entry once, and no other.",
        "F-list, P3, R-17",
        _Named("getConversations"),
    ),
    "list-total": Rule(
        "`total` is the number of matching entries on all pages.",
        "F-list, R-17",
        _has_total,
    ),
    "list-page": Rule(
        "A page has the requested length and offset, and reports both.",
        "F-list, P3, F-messages, F-qnas, F-search",
        _either(_is_paged, _Named("search")),
    ),
    "list-filter": Rule(
        "A filter returns the entries that match, and no others.",
        "F-list, P3, F-messages",
        fitting_answers.has_filter,
    ),
    "list-order": Rule(
        "A list is sorted as requested, by default with the latest interaction first.",
        "F-list, P3",
        _Named("getConversations"),
    ),
    "last-message": Rule(
        "`lastMessage` is the latest message.", "F-list, C-03", _Named("getConversations")
    ),
    # Messages
    "stored-message": Rule(
        "A message is stored as it was sent, together with the page it was sent from.",
        "P2, F-messages",
        _Named("sendMessage"),
    ),
    "stored-answer": Rule(
        "The stored answer is the one that was sent, as JSON or as a stream.",
        "P2, F-messages, F-send",
        _Named("sendMessage"),
    ),
    "answer": Rule("An answer contains text.", "P2, F-send", _streams),
    "answer-form": Rule(
        "`stream` chooses between JSON and an event stream.", "P2, F-chat, R-15, O-10", _streams
    ),
    "history": Rule(
        "Messages do not change, and are listed in the order they were written in, oldest first.",
        "F-messages",
        _Named("getMessages"),
    ),
    "one-history": Rule(
        "A conversation contains the same messages as the list of its messages.",
        "P5, F-messages, R-24",
        _Named("getConversation"),
    ),
    "queued": Rule(
        "While a human agent handles a conversation, a message is queued: it gets 202 with a text"
        " notice, and is stored.",
        "P2, F-send, F-status",
        _Named("sendMessage"),
        HUMAN,
    ),
    "feedback": Rule(
        "Feedback is stored with its time, replaced by new feedback, and removed by null.",
        "F-feedback",
        takes_feedback,
    ),
    "feedback-alone": Rule("Feedback changes no other message.", "F-feedback", takes_feedback),
    # Texts
    "texts-accepted": Rule(
        "Text is accepted whatever characters it contains, except those that O-20 lets a server"
        " refuse.",
        "openapi.yaml, O-20, O-21",
        takes_text,
    ),
    "texts-kept": Rule(
        "A text comes back code point for code point, wherever it shows.",
        "P2, P4, F-messages, O-20, O-21",
        shows_text,
    ),
    # Isolation
    "isolation": Rule(
        "No visitor can read or change another visitor's data: 403 or 404.",
        "F-messages, F-feedback, P5, O-1",
        _is_owned,
        TWO_VISITORS,
    ),
    "own-list": Rule(
        "A list contains no data of another visitor.", "P3, F-list", _is_own_list, TWO_VISITORS
    ),
    # Errors, and questions that no page answers
    "error-body": Rule(
        "An error describes the problem in words; its code is not that of another status, and a"
        " time to wait is a number of seconds.",
        "F-errors, C-15, R-33",
        _every,
        handshakes=True,
    ),
    "undescribed-ignored": Rule(
        "A property that the description does not have is not stored, and gives no access.",
        "P1, P2, P4, F-init, F-feedback, O-26",
        changes_object,
    ),
    # Streams
    "stream-frames": Rule(
        "A stream is UTF-8; an event is a `data:` line with typed JSON, followed by an empty line.",
        "P2, F-chat, F-stream",
        _streams,
    ),
    "stream-order": Rule(
        "A stream begins with `start` and ends with `finish`. Each step and each text is started"
        " before it is used, and is ended.",
        "P2, F-stream",
        _streams,
    ),
    "stream-ids": Rule(
        "Each delta of a text has the id that the text was started with.", "P2, F-stream", _streams
    ),
    "stream-end": Rule(
        "A stream ends with exactly one `[DONE]`, and nothing follows it.",
        "P2, F-chat, R-12, O-15",
        _streams,
    ),
    "stream-incremental": Rule(
        "A stream is sent piece by piece, not all at once at its end.", "P2", _streams, SLOW_STREAM
    ),
    # The same object in several places, refusals, overlap, time
    "agreement": Rule(
        "An object is the same in every answer that shows it, and only a request changes it.",
        "P1, P5, F-list, F-messages, F-init, F-me, R-24, O-22",
        shown_objects.shares_objects,
    ),
    "nothing-sticks": Rule(
        "The values in one request have no effect on another request that leaves them out.",
        "P1, P2, P3, F-close, F-messages, O-25",
        _has_options,
    ),
    "no-side-effects": Rule(
        "A refused request changes nothing: no object, no time, no device.",
        "F-status, F-init",
        _writes,
    ),
    "overlap": Rule(
        "Simultaneous requests are answered as if they were sent one after the other: nothing is"
        " lost, doubled or mixed up, and closed stays closed.",
        "P1, P4, F-init, F-messages, F-feedback, O-23",
        _concerns_objects,
    ),
    "server-clock": Rule(
        "No time is ahead of the server's own clock by more than a minute, and a new object has"
        " the time of its request.",
        "P1, F-list, F-messages, F-feedback, F-close, O-24",
        server_clock.has_times,
    ),
    "own-times": Rule(
        "A request updates the times of the objects that it changes and no others; reading"
        " updates none.",
        "P1, P4, F-list, F-feedback, O-24",
        _Named("getConversation", "getMessages", "getQna", "getQnas"),
    ),
    # Browsers
    "preflight": Rule(
        "The preflight of a browser is answered: it allows the website, the method and the headers"
        " of the operation.",
        "F-auth, O-11, O-29",
        _every,
    ),
    "cross-origin": Rule(
        "A page of another website can read an answer, errors included.",
        "F-auth, O-29",
        _every,
    ),
    "website-checked": Rule(
        "A key that lists websites is accepted from them and refused from others.",
        "F-auth, O-13",
        takes_key,
        KEY,
        handshakes=True,
    ),
    # Negotiation and framing
    "negotiation": Rule(
        "An answer does not depend on what else a client accepts or supports, or on how the client"
        " uses its connections.",
        "openapi.yaml, O-30",
        _every,
    ),
    "framing": Rule(
        "A body arrives whole however it is sent: in chunks, in pieces, after `Expect`, as UTF-8"
        " or with escapes.",
        "openapi.yaml, O-30",
        _has_body,
    ),
    # Sockets
    "socket-pong": Rule(
        "Each ping of a socket is answered by one pong.",
        "F-widget, R-30, O-32",
        opens_socket,
        handshakes=True,
    ),
    "socket-silence": Rule(
        "A socket stays open while its client is silent for the time between two pings.",
        "F-widget, R-30",
        opens_socket,
        handshakes=True,
    ),
    "socket-texts": Rule(
        "A text message that is not described is ignored, and the socket stays open.",
        "F-widget, O-33",
        opens_socket,
        handshakes=True,
    ),
    "socket-messages": Rule(
        "A socket sends only text messages: pongs, and described messages of its own conversation.",
        "F-widget, R-10, R-30",
        opens_socket,
        handshakes=True,
    ),
    "socket-assigned": Rule(
        "A hand-over to a human agent is announced once on each socket of the conversation.",
        "F-widget, R-30, O-35",
        opens_socket,
        OPERATOR,
        handshakes=True,
    ),
    "socket-delivery": Rule(
        "Each socket of a conversation gets each message of the human agent once, in order.",
        "F-widget, O-34, O-35",
        opens_socket,
        OPERATOR,
        handshakes=True,
    ),
    "socket-stored": Rule(
        "A message on a socket is the stored one, and a message of a human agent has the role"
        " `human_agent`.",
        "F-widget, F-messages, O-22",
        opens_socket,
        OPERATOR,
        handshakes=True,
    ),
    "socket-isolation": Rule(
        "A socket gets nothing of another conversation.",
        "F-widget, O-36",
        opens_socket,
        OPERATOR,
        handshakes=True,
    ),
    # Knowledge
    "project-stable": Rule(
        "A key always belongs to the same project.", "F-project", _Named("getProject"), KEY
    ),
    "qnas-search": Rule(
        "A search for the words of a question finds it; a search for unused words finds nothing.",
        "F-qnas",
        _Named("getQnas"),
        KEY,
    ),
    "qnas-all": Rule(
        "The pages of a list contain every entry once.",
        "F-qnas, R-17",
        _Named("getQnas"),
        KEY,
    ),
}

EVERY_ANSWER = frozenset(
    {"answered", "no-server-error", "described", "accepted", "nothing-leaks", "error-body"}
    | {"agreement", "server-clock"}
)
"""The rules that every request tests."""
BROWSERS = EVERY_ANSWER | {"preflight", "cross-origin", "website-checked"}
"""The rules that requests from other websites test."""
FRAMES = EVERY_ANSWER | {"negotiation", "framing"}
"""The rules that requests of other clients test."""
HANDSHAKES = EVERY_ANSWER | {
    "key-checked",
    "malformed-refused",
    "unknown-not-found",
    "website-checked",
}
"""The rules that handshakes test."""
LISTENING = EVERY_ANSWER | {"socket-pong", "socket-silence", "socket-texts", "socket-messages"}
"""The rules that a client of a socket tests without a human agent."""
PUSHES = LISTENING | {"socket-assigned", "socket-delivery", "socket-stored", "socket-isolation"}
"""The rules that messages on a socket test."""
REFUSALS = EVERY_ANSWER | {
    "token-required",
    "token-checked",
    "key-checked",
    "bounds",
    "malformed-refused",
    "unknown-not-found",
    "no-such-path",
}
"""The rules that invalid requests test."""
STREAMS = EVERY_ANSWER | {
    "answer",
    "answer-form",
    "stream-frames",
    "stream-order",
    "stream-ids",
    "stream-end",
    "stream-incremental",
}
"""The rules that requests for streams test."""
MESSAGES = STREAMS | {
    "created",
    "started-open",
    "new-id",
    "same-object",
    "read-back",
    "times",
    "last-interaction",
    "closes",
    "closes-again",
    "stored-message",
    "stored-answer",
    "history",
    "one-history",
    "list-filter",
    "list-page",
    "queued",
    "feedback",
    "feedback-alone",
}
"""The rules that a conversation with messages tests."""
LISTS = MESSAGES | {"list-own", "list-total", "list-order", "last-message", "own-list"}
"""The rules that lists of conversations test."""
TEXTS = STREAMS | {
    "device-status",
    "device-visitor",
    "stored-answer",
    "texts-accepted",
    "texts-kept",
}
"""The rules that hard texts test."""
GENERATED = EVERY_ANSWER | {
    "bounds",
    "fits-request",
    "isolation",
    "made-up-requests",
    "read-back",
    "stream-end",
    "token-required",
}
"""The rules that generated requests test."""
