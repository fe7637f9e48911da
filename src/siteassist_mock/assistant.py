"""The assistant: the same question always gets the same answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from siteassist_mock.knowledge import best_qna, words

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Answer", "answer", "title"]

_TITLE_CHARACTERS = 60
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*\S+\s*")
_GREETING = "Hello! How can I assist you today?"
_GREETINGS = frozenset({"hello", "hi", "hey"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the assistant says, in Markdown, and how many tokens that took."""

    text: str
    input_tokens: int
    output_tokens: int

    def pieces(self) -> list[str]:
        """Return the text word by word; joined, the pieces are the text."""
        return _PIECE.findall(self.text)


def answer(question: str, context: Iterable[str | None] = ()) -> Answer:
    """Answer ``question``.

    ``context`` is what else the model reads, such as earlier messages or the
    page; it counts as input and changes nothing else. A token is a word or a
    punctuation mark.
    """
    text = _compose(question)
    read = _count(question) + sum(_count(part) for part in context if part)
    return Answer(text=text, input_tokens=read, output_tokens=_count(text))


def title(message: str) -> str | None:
    """Return a conversation's title for its first message; None for a blank one.

    It is the message in one line, cut to 60 characters.
    """
    line = " ".join(message.split())
    if len(line) > _TITLE_CHARACTERS:
        line = line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
    return line or None


def _compose(question: str) -> str:
    known = best_qna(question)
    if known is not None:
        return (
            f"**{known['question']}**\n\n"
            f"{known['answer']}\n\n"
            "- Read more in our [help center](https://example.com/help).\n"
            "- Ask me anything else."
        )
    asked = words(question)
    if not asked or asked[0] in _GREETINGS:
        return _GREETING
    return (
        "I found nothing about that in our knowledge base.\n\n"
        "You can\n\n"
        "1. put your question in other words, or\n"
        "2. [write to us](https://example.com/contact)."
    )


def _count(text: str) -> int:
    return len(_TOKEN.findall(text))
