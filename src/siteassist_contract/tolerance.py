"""Where the documents leave a server free, so do the tests: all of it is here.

Each freedom names its entry in ``docs/evidence.md``. Statuses that a server may
choose between are in ``schemathesis.toml``, beside the checks they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

PAGING = ("limit", "offset", "size")
NULLABLE = ("offset",)
REFUSALS = (400, 422)
OK, CREATED = 200, 201


@dataclass(frozen=True)
class Exchange:
    """A request that was made up, and what the server answered."""

    operation_id: str
    url: str
    """What was requested, with its query as it was sent."""
    path: Mapping[str, Any]
    """The parameters in the path."""
    body: object
    """The request's body, before it became JSON."""
    altered: frozenset[str] | None
    """The query parameters that are wrong on purpose; ``None`` if another part
    of the request is, or nothing is known."""
    status: int
    answer: object
    """The answer's body if it is JSON, else ``None``."""


@dataclass
class Memory:
    """What earlier answers told of the objects that requests are about."""

    opened: list[str] = field(default_factory=list)
    """Conversations that were started, the latest last."""
    closed: set[str] = field(default_factory=set)
    """Conversations that were closed."""
    own: set[str] = field(default_factory=set)
    """Messages that a visitor wrote."""

    def observe(self, exchange: Exchange) -> None:
        """Remember what ``exchange`` tells."""
        answer = exchange.answer if isinstance(exchange.answer, Mapping) else {}
        if exchange.operation_id == "startConversation" and exchange.status == CREATED:
            self.opened.append(str(answer.get("id")).lower())
        if exchange.status != OK:
            return
        if exchange.operation_id == "closeConversation":
            self.closed.add(str(exchange.path.get("conversationId")).lower())
        lists = [answer.get(name) for name in ("messages", "data")]
        for message in (item for items in lists if isinstance(items, list) for item in items):
            if isinstance(message, Mapping) and message.get("role") == "user":
                self.own.add(str(message.get("id")).lower())

    def open_instead_of(self, conversation_id: str) -> str | None:
        """Return an open conversation if this one is closed and there is another."""
        if conversation_id.lower() not in self.closed:
            return None
        while self.opened and self.opened[-1] in self.closed:
            self.opened.pop()
        return self.opened[-1] if self.opened else None

    def is_tolerated(self, failure: Failure, exchange: Exchange) -> bool:
        """Whether the documents leave open what ``failure`` finds fault with."""
        if isinstance(failure, RejectedPositiveData):
            return exchange.status in REFUSALS and self._may_be_refused(exchange)
        if isinstance(failure, AcceptedNegativeData):
            free = frozenset(_free_parameters(exchange.url))
            return bool(exchange.altered) and frozenset(exchange.altered or ()) <= free
        return False

    def _may_be_refused(self, exchange: Exchange) -> bool:
        """Whether a valid request may get 400 or 422 all the same."""
        if any(_free_parameters(exchange.url)):
            return True
        match exchange.operation_id:
            case "sendMessage":  # O-3
                return str(exchange.path.get("conversationId")).lower() in self.closed
            case "createChatCompletion":  # O-9
                return isinstance(exchange.body, Mapping) and exchange.body.get("messages") == []
            case "sendMessageFeedback":  # O-18
                return str(exchange.path.get("messageId")).lower() in self.own
        return False


def sent_query(url: str) -> dict[str, list[str]]:
    """Return the query of ``url``, each name with all that was sent for it."""
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


def _free_parameters(url: str) -> Iterator[str]:
    """Yield the query parameters whose values a server may take or refuse."""
    for name, texts in sent_query(url).items():
        # O-6: a null offset has no documented spelling on the wire.
        null = name in NULLABLE and texts in (["null"], [""])
        # O-5: a paging value is a "number"; whether 1.5 is one is not stated.
        fraction = name in PAGING and len(texts) == 1 and _is_not_whole(texts[0])
        if null or fraction:
            yield name


def _is_not_whole(text: str) -> bool:
    """Whether ``text`` is a number, but not one in plain digits."""
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and not (text.isascii() and text.isdigit())


def altered_query(case: Any) -> frozenset[str] | None:
    """Return the query parameters that a generated request got wrong on purpose.

    ``None`` if another part of it is wrong as well, or nothing is known.
    """
    data = None if case.meta is None else case.meta.phase.data
    # Coverage gets one place wrong at a time, fuzzing any number of them.
    places = getattr(data, "mutations", None) or ([data] if data is not None else [])
    if any(place.parameter_location != "query" or not place.parameter for place in places):
        return None
    return frozenset(place.parameter for place in places)
