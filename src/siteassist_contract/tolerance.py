"""Behaviour that the documents leave open, and that the tests therefore accept.

Each case names its entry in ``docs/evidence.md``. The statuses that are accepted for
generated requests are in ``checks/generated/configuration.py``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from siteassist_contract.description import ends_object, operations, takes_feedback
from siteassist_contract.http.json_reader import LAST_INTERACTION, MISSPELLED, read_json

REFUSALS = (400, 422)
"""Statuses for an invalid request: O-2."""
HIDDEN = (403, 404)
"""Statuses for another visitor's object, or an object that never existed: O-1."""
CIRCUMSTANCES = (402, 429, 502, 503)
"""Statuses for any request, for reasons outside the request."""
NO_LONGER_OPEN = (403, 404, 409, 422)
"""Statuses that may say that a conversation is closed; 400 says that a message is invalid, too."""
CLOSED = (200, 202, 400, *NO_LONGER_OPEN)
"""Statuses for a message to a closed conversation: O-3."""
UNSUPPORTED = (405, 406, 411, 415, 417, 501)
"""Statuses for a way of sending requests that a server does not support: O-30."""
NO_SOCKET = (*range(300, 400), 404, 405, 426, 501)
"""Statuses, besides success, of a valid handshake at a server without a socket: O-31."""
REFUSING_CODES = (1008, *range(4000, 5000))
"""Close codes of a socket that is opened only to be refused: O-31."""
CHANGING = ("title", "updatedAt")
"""Properties that may change without a request: when titles are set is not documented."""
HANDLED = "isHumanHandled"
"""The property of a conversation that tells whether a human agent handles it."""
OF_AGENTS = ("humanAgent", HANDLED)
"""Properties that change when a human agent takes over a conversation, which may be at any time."""
MESSAGE = "message"
"""The kind of objects that are never edited, apart from `OF_OTHERS`."""
OF_OTHERS = ("humanAgent", "metadata")
"""Properties of a message that others than its visitor may change."""
FIXED = ("createdAt",)
"""The properties of other objects that never change."""
PICTURES = ("avatarUrl", "image")
"""Addresses of pictures of people."""
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
"""An escape in JSON; the group is half of a surrogate pair."""
LONGEST_TEXT = 2000
"""Maximum length of a text without a documented maximum that must be accepted: O-21."""
LARGE = (400, 413, 422)
"""Statuses for a longer one: O-21."""
TRIMMED = "The server removes white space around texts, which no document rules out (O-20)."
_TRIMMED_TOO = "\ufeff"
"""A character that JavaScript removes around a text, though it is not white space in Unicode."""
CREATED = 201
ACCEPTED = range(200, 300)
_MOST_DIGITS = 20
"""Number of digits up to which a number in a query is read."""


@dataclass(frozen=True)
class GeneratedCall:
    """A generated request and its answer."""

    operation_id: str
    url: str
    """The URL with its query, as it was sent."""
    path: Mapping[str, Any]
    """The parameters in the path."""
    body: object
    """The body of the request, before its encoding as JSON."""
    altered: frozenset[str] | None
    """The query parameters that are deliberately invalid; None if another part of the request
    is invalid as well, or if this is unknown."""
    status: int
    answer: object
    """The answer's body if it is JSON, else ``None``."""


@dataclass
class Memory:
    """The objects in earlier answers."""

    opened: list[str] = field(default_factory=list)
    """Conversations that were started, in order."""
    closed: set[str] = field(default_factory=set)
    """Conversations that were closed."""
    own: set[str] = field(default_factory=set)
    """Messages that visitors wrote."""

    def observe(self, exchange: GeneratedCall) -> None:
        """Remember the objects in ``exchange``."""
        answer = exchange.answer if isinstance(exchange.answer, Mapping) else {}
        if exchange.operation_id == "startConversation" and exchange.status == CREATED:
            self.opened.append(str(answer.get("id")).lower())
        if exchange.status not in ACCEPTED:
            return
        if ends_object(operations()[exchange.operation_id]):
            self.closed.add(str(exchange.path.get("conversationId")).lower())
        lists = [answer.get(name) for name in ("messages", "data")]
        for message in (item for items in lists if isinstance(items, list) for item in items):
            if isinstance(message, Mapping) and message.get("role") == "user":
                self.own.add(str(message.get("id")).lower())

    def open_instead_of(self, conversation_id: str) -> str | None:
        """Return an open conversation if this one is closed, or None."""
        if conversation_id.lower() not in self.closed:
            return None
        while self.opened and self.opened[-1] in self.closed:
            self.opened.pop()
        return self.opened[-1] if self.opened else None

    def may_be_refused(self, exchange: GeneratedCall) -> bool:
        """Whether the documents permit the 400 or 422 that a valid request got."""
        if exchange.status not in REFUSALS:
            return False
        if any(_free_parameters(exchange)):
            return True
        if may_be_refused((exchange.body, list(sent_query(exchange.url).values()))):
            return True
        match exchange.operation_id:
            case "sendMessage":  # O-3
                return str(exchange.path.get("conversationId")).lower() in self.closed
            case "createChatCompletion":  # O-9
                return isinstance(exchange.body, Mapping) and exchange.body.get("messages") == []
        if takes_feedback(operations()[exchange.operation_id]):  # O-18
            return str(exchange.path.get("messageId")).lower() in self.own
        return False


def is_own_message(item: object) -> bool:
    """Whether an item is a message of a visitor, which a server may refuse to rate: O-18."""
    return isinstance(item, Mapping) and item.get("role") == "user"


def may_be_refused(value: Any) -> bool:
    """Whether a value contains a text that a server may refuse: O-20.

    Such a text has characters that no encoding, database or protocol has to take, or it consists
    of white space, of which a server that trims texts leaves nothing.
    """
    match value:
        case str():
            return any(map(_is_odd, value)) or bool(value and not value.strip())
        case dict():
            return any(may_be_refused(item) for item in value.values())
        case list() | tuple():
            return any(map(may_be_refused, value))
    return False


def same_text(sent: str, shown: object) -> bool:
    """Whether ``shown`` is the text that was sent: O-20."""
    if not isinstance(shown, str):
        # A server that trims texts may take white space for no text.
        return shown is None and bool(sent) and not _trimmed(sent)
    return shown in (sent, _without_halves(sent)) or is_trimmed(sent, shown)


def is_trimmed(sent: str, shown: object) -> bool:
    """Whether ``shown`` is a text that was sent, without white space around it: O-20."""
    if not isinstance(shown, str) or shown == sent:
        return False
    begin = sent.find(shown)
    return begin >= 0 and not _trimmed(sent[:begin] + sent[begin + len(shown) :])


def _trimmed(text: str) -> str:
    return text.replace(_TRIMMED_TOO, "").strip()


def _is_odd(character: str) -> bool:
    """Whether a character is a control character, a noncharacter or half of a pair."""
    number = ord(character)
    control = (number < 0x20 and character not in "\t\n\r") or 0x7F <= number <= 0x9F
    no_character = 0xFDD0 <= number <= 0xFDEF or number & 0xFFFE == 0xFFFE
    return control or no_character or 0xD800 <= number <= 0xDFFF


def _without_halves(text: str) -> str:
    """Return a text with U+FFFD in place of each half of a surrogate pair."""
    return "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in text)


def changes_alone(shown: Mapping[str, Any]) -> bool:
    """Whether an object may change without a request.

    An assistant writes an answer that is being streamed, a human agent a conversation.
    """
    return shown.get("status") == "streaming" or shown.get(HANDLED) is True


def is_picture(name: str) -> bool:
    """Whether a property is the address of a picture, whose query a server may sign again: O-22."""
    return name in PICTURES


def is_settled(shown: Mapping[str, Any]) -> bool:
    """Whether a message is finished, so that only feedback changes it."""
    return shown.get("status") in ("complete", "error")


def lasting(value: Any) -> Any:
    """Return an answer's JSON without the properties in `CHANGING`."""
    if isinstance(value, dict):
        return {name: lasting(item) for name, item in value.items() if name not in CHANGING}
    return [lasting(item) for item in value] if isinstance(value, list) else value


def may_be_accepted(exchange: GeneratedCall) -> bool:
    """Whether the documents permit the acceptance of an invalid request."""
    free = frozenset(_free_parameters(exchange))
    return bool(exchange.altered) and frozenset(exchange.altered or ()) <= free


def encodable(body: bytes) -> bytes:
    """Return JSON with U+FFFD in place of each half of a surrogate pair.

    The documents do not forbid such halves, but schemathesis fails at them.
    """
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match[1] else match[0], body)


def respelled(body: bytes) -> bytes:
    """Return the body of an answer with the documented spelling of its properties."""
    if MISSPELLED.encode() not in body:
        return body
    try:
        return json.dumps(read_json(body)).encode()
    except ValueError:
        return body


def sent_query(url: str) -> dict[str, list[str]]:
    """Return the query of ``url``: all values by name."""
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


def whole_number(texts: list[str]) -> int | None:
    """Return the number in a query, if it is unambiguous: one value, with few ASCII digits only."""
    plain = len(texts) == 1 and texts[0].isascii() and texts[0].isdigit()
    return int(texts[0]) if plain and len(texts[0]) <= _MOST_DIGITS else None


def _free_parameters(exchange: GeneratedCall) -> Iterator[str]:
    """Yield the query parameters whose values a server may accept or refuse."""
    described = {p.name: p for p in operations()[exchange.operation_id].places("query")}
    for name, texts in sent_query(exchange.url).items():
        types = described[name].types if name in described else frozenset[str]()
        # O-6: null has no documented spelling in a query.
        null = "null" in types and texts in (["null"], [""])
        # O-5: a paging value is a "number"; the documents do not state whether 1.5 is valid.
        numeric = bool(types & {"number", "integer"})
        fraction = numeric and len(texts) == 1 and _is_not_whole(texts[0])
        # C-01: a server supports at least one of the spellings.
        spelling = name == "orderBy" and texts in ([LAST_INTERACTION], [MISSPELLED])
        if null or fraction or spelling:
            yield name


def _is_not_whole(text: str) -> bool:
    """Whether ``text`` is a finite number with other characters than digits."""
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and not (text.isascii() and text.isdigit())


def altered_query(case: Any) -> frozenset[str] | None:
    """Return the query parameters that are deliberately invalid in a generated request.

    Returns None if another part of the request is invalid as well, or if this is unknown.
    """
    data = None if case.meta is None else case.meta.phase.data
    # The coverage phase changes one place at a time, the fuzzing phase any number of places.
    places = getattr(data, "mutations", None) or ([data] if data is not None else [])
    if any(place.parameter_location != "query" or not place.parameter for place in places):
        return None
    return frozenset(place.parameter for place in places)
