"""What a server should know by now: a small model of the conversations of a visitor.

It holds what the documents promise and nothing else. Where they leave a server
free, `siteassist_contract.tolerance` says so, and the model takes what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class KnownMessage:
    """A message that a server has shown."""

    id: str
    role: str
    text: str
    created_at: str
    feedback: str | None = None
    feedback_at: str | None = None

    @classmethod
    def of(cls, shown: dict[str, Any]) -> KnownMessage:
        """Read a message; what has the wrong shape counts as empty."""
        return cls(
            id=str(shown.get("id")).lower(),
            role=str(shown.get("role")),
            text=text_of(shown.get("parts")),
            created_at=str(shown.get("createdAt")),
            feedback=shown.get("feedback"),
            feedback_at=shown.get("feedbackAt"),
        )


@dataclass
class KnownConversation:
    """A conversation that a visitor has started, or had before."""

    id: str
    created_at: str
    status: str = "open"
    closed_at: str | None = None
    close_reason: str | None = None
    reason_given: bool = False
    """Whether a reason was given with the first closing, which is then kept."""
    updated_at: str = ""
    last_interaction_at: str = ""
    title: str | None = None
    human: bool = False
    messages: list[KnownMessage] = field(default_factory=list)
    older: bool = False
    """Whether it was there before the run, so that it is not to be touched."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self.status == "closed"


def text_of(parts: object) -> str:
    """Join the texts of message parts; parts of other types say nothing."""
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
    """Read a point in time; ``None`` if it has a format of its own (docs/evidence.md, O-7)."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def went_back(before: object, after: object) -> bool:
    """Whether a time is earlier than one that was shown before it, as far as both can be read."""
    early, late = moment(before), moment(after)
    return early is not None and late is not None and late < early
