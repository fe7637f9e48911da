"""A small model of the conversations of a visitor: the expected state of the server.

The model contains only the promises of the documents. Behaviour that the documents leave
open is listed in `siteassist_contract.tolerance`; there, the model adopts the data that
the server shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_FRACTION = re.compile(r"\.(\d+)")


@dataclass
class KnownMessage:
    """A message, as the server has shown it."""

    id: str
    role: str
    text: str
    created_at: str
    feedback: str | None = None
    feedback_at: str | None = None

    @classmethod
    def of(cls, shown: dict[str, Any]) -> KnownMessage:
        """Create a message from JSON; parts of the wrong shape count as empty."""
        return cls(
            id=str(shown.get("id")).lower(),
            role=str(shown.get("role")),
            text=text_of(shown.get("parts")),
            created_at=str(shown.get("createdAt")),
            feedback=shown.get("feedback"),
            feedback_at=shown.get("feedbackAt"),
        )

    def is_same(self, other: KnownMessage) -> bool:
        """Whether id, role, text and creation time are the same, which never change."""
        facts = [(each.id, each.role, each.text) for each in (self, other)]
        return facts[0] == facts[1] and same_time(self.created_at, other.created_at)


def are_same(before: Sequence[KnownMessage], now: Sequence[KnownMessage]) -> bool:
    """Whether messages are the same ones, in the same order."""
    return len(before) == len(now) and all(map(KnownMessage.is_same, before, now))


@dataclass
class KnownConversation:
    """A conversation of a visitor, started by the run or before it."""

    id: str
    created_at: str
    status: str = "open"
    closed_at: str | None = None
    close_reason: str | None = None
    reason_given: bool = False
    """Whether the run closed the conversation exactly once, with a reason that must be kept."""
    updated_at: str = ""
    updated_in: dict[str, str] = field(default_factory=dict)
    """The last `updatedAt` by operation. Another operation may show an older one briefly (O-22)."""
    last_interaction_at: str = ""
    title: str | None = None
    human: bool = False
    messages: list[KnownMessage] = field(default_factory=list)
    older: bool = False
    """Whether the conversation existed before the run and must not be changed."""
    stale: bool = False
    """Whether the server may have changed the conversation in a way that the model lacks."""

    @property
    def closed(self) -> bool:
        """Whether the conversation is closed."""
        return self.status == "closed"


def text_of(parts: object) -> str:
    """Join the texts of message parts; parts of other types are ignored."""
    items = parts if isinstance(parts, list) else []
    known = (part for part in items if isinstance(part, dict) and part.get("type") == "text")
    texts = (part.get("text") for part in known)
    return "".join(text for text in texts if isinstance(text, str))


def answer_text(completion: dict[str, Any]) -> str:
    """Join the texts of all steps of a completion."""
    steps = completion.get("steps")
    items = steps if isinstance(steps, list) else []
    return "".join(text_of(step.get("content")) for step in items if isinstance(step, dict))


def moment(text: object) -> datetime | None:
    """Parse a timestamp; return None if it is neither ISO 8601 nor as in headers of HTTP.

    No document gives times a format (O-7).
    """
    if not isinstance(text, str):
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError, OverflowError):
            found = read(text.upper())  # fromisoformat takes no "t" and "z"
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def same_time(first: object, second: object) -> bool:
    """Whether two timestamps are equal, as texts or as times."""
    return first == second or same_moment(str(first), str(second))


def same_moment(first: str, second: str) -> bool:
    """Whether two times are the same, up to the precision of the coarser one.

    It is false if either cannot be parsed.
    """
    early, late = moment(first), moment(second)
    if early is None or late is None:
        return False
    digits = min(_digits(first), _digits(second))
    return bool(abs((late - early).total_seconds()) < 10.0**-digits)


def has_fraction(time: str) -> bool:
    """Whether a time has a fraction of a second; zeros may be a server's format of seconds."""
    return _digits(time) > 0


def _digits(time: str) -> int:
    """Return the number of digits of the fraction of a second; 0 if all of them are zeros."""
    match = _FRACTION.search(time)
    # Times in Python have microseconds, so further digits are ignored.
    return min(len(match[1]), 6) if match and match[1].strip("0") else 0


def went_back(before: object, after: object) -> bool:
    """Whether a timestamp is earlier than a previous one; False if either cannot be parsed.

    One that is only written with fewer digits is not earlier.
    """
    early, late = moment(before), moment(after)
    if early is None or late is None:
        return False
    return late < early and not same_moment(str(before), str(after))


def advanced(before: str, after: str) -> bool:
    """Whether a timestamp has advanced.

    Times that are equal up to their precision pass if one of them has whole seconds only. All
    times pass if one of them cannot be parsed.
    """
    early, late = moment(before), moment(after)
    if early is None or late is None:
        return True  # O-7
    fine = has_fraction(before) and has_fraction(after)
    return early < late or (not fine and same_moment(before, after))


def sent_page(body: Any) -> dict[str, Any]:
    """Return the page context in a request to send a message, by its names in a stored message."""
    return {name: value for name, value in _page(body).items() if value is not None}


def sent_nulls(body: Any) -> set[str]:
    """Return the properties of a stored message that a page context leaves null.

    The address and the title are left out: the page may be the one that the conversation was
    started from (O-25), and a server may know its title.
    """
    nulls = {name for name, value in _page(body).items() if value is None}
    return nulls - {"pageUrl", "pageTitle"}


def _page(body: Any) -> dict[str, Any]:
    page = body.get("pageContext") if isinstance(body, Mapping) else None
    names = {"url": "pageUrl", "title": "pageTitle", "textSelection": "textSelection"}
    sent = page.items() if isinstance(page, Mapping) else ()
    return {names[name]: value for name, value in sent if name in names}
