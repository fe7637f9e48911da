"""The assistant: the same question always gets the same answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siteassist_mock.content.script import find_rule
from siteassist_mock.content.search_index import BUILT_IN, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from siteassist_mock.content.script import ScriptRule
    from siteassist_mock.content.search_index import Knowledge

__all__ = ["Assistant", "Reply", "title"]

_TITLE_CHARACTERS = 60
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*\S+\s*")
_GREETING = "Hello! How can I assist you today?"
_GREETINGS = frozenset({"hello", "hi", "hey"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What the assistant says, in Markdown, and how many tokens that took.

    It comes after ``delay`` seconds, and breaks off with ``error`` if that is not None.
    """

    text: str
    input_tokens: int
    output_tokens: int
    delay: float = 0.0
    error: str | None = None

    def pieces(self) -> list[str]:
        """Return the text word by word; joined, the pieces are the text."""
        return _PIECE.findall(self.text)


class Assistant:
    """Answers out of what a website knows, and out of a script before that."""

    def __init__(self, knowledge: Knowledge = BUILT_IN, rules: Sequence[ScriptRule] = ()) -> None:
        """Answer by the first of ``rules`` that fits, or else from ``knowledge``."""
        self._knowledge = knowledge
        self._rules = rules

    def answer(self, question: str, context: Iterable[str | None] = ()) -> Reply:
        """Answer ``question``.

        ``context`` is what else the model reads, such as earlier messages or the
        page; it counts as input and changes nothing else. A token is a word or a
        punctuation mark.
        """
        read = _count(question) + sum(_count(part) for part in context if part)
        rule = find_rule(self._rules, question)
        if rule is not None:
            return Reply(rule.text, read, _count(rule.text), rule.delay, rule.error)
        text = self._compose(question)
        return Reply(text, read, _count(text))

    def _compose(self, question: str) -> str:
        asked = words(question)
        pages = self._knowledge.find_pages(question, 1)
        known = self._knowledge.best_qna(question)
        if known is not None:
            # What the page says may be more than the question has words for.
            told = f"{known['question']} {known['answer']}"
            pages = pages or self._knowledge.find_pages(told, 1)
            more = [f"- Read more: {_link(page)}.\n" for page in pages]
            return (
                f"**{known['question']}**\n\n"
                f"{known['answer']}\n\n"
                f"{''.join(more)}"
                "- Ask me anything else."
            )
        if not asked or asked[0] in _GREETINGS:
            return _GREETING
        pages = pages or self._knowledge.find_pages("contact", 1)
        return (
            "I found no answer to that in our knowledge base.\n\n"
            "You can\n\n"
            "1. put your question in other words, or\n"
            f"2. {f'look at {_link(pages[0])}' if pages else 'ask for a human agent'}."
        )


def title(message: str) -> str | None:
    """Return a conversation's title for its first message; None for a blank one.

    It is the message in one line, cut to 60 characters.
    """
    line = " ".join(message.split())
    if len(line) > _TITLE_CHARACTERS:
        line = line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
    return line or None


def _link(page: Mapping[str, Any]) -> str:
    # What would end the link too early is escaped, as Markdown wants it.
    title = re.sub(r"([\\\[\]])", r"\\\1", page["title"])
    return f"[{title}]({page['url'].replace('(', '%28').replace(')', '%29')})"


def _count(text: str) -> int:
    return len(_TOKEN.findall(text))
