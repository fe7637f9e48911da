"""The assistant, whose answers are deterministic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siteassist_mock.content.script import ScriptRule, find_rule
from siteassist_mock.content.search_index import BUILT_IN, Knowledge, words

_TITLE_CHARACTERS = 60
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*\S+\s*")
_GREETING = "Hello! How can I assist you today?"
_GREETINGS = frozenset({"hello", "hi", "hey"})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in Markdown with its numbers of tokens.

    It begins after ``delay`` seconds and ends with ``error``, unless that is None.
    """

    text: str
    input_tokens: int
    output_tokens: int
    delay: float = 0.0
    error: str | None = None

    def pieces(self) -> list[str]:
        """Return the words of the text, with the whitespace between them."""
        return _PIECE.findall(self.text)


class Assistant:
    """An assistant that answers with a script, or else with the knowledge of a website."""

    def __init__(self, knowledge: Knowledge = BUILT_IN, rules: Sequence[ScriptRule] = ()) -> None:
        """Answer with the first of ``rules`` that matches, or else with ``knowledge``."""
        self._knowledge = knowledge
        self._rules = rules

    def answer(self, question: str, context: Iterable[str | None] = ()) -> Reply:
        """Answer ``question``.

        ``context`` is other input of the model, such as earlier messages or the page.
        It counts as input tokens and does not change the answer. A token is a word or
        a punctuation mark.
        """
        read = _count(question) + sum(_count(part) for part in context if part)
        rule = find_rule(self._rules, question)
        if rule is not None:
            return Reply(rule.text, read, _count(rule.text), rule.delay, rule.error)
        text = self._compose(question)
        return Reply(text, read, _count(text))

    def _compose(self, question: str) -> str:
        question_words = words(question)
        pages = self._knowledge.find_pages(question, 1)
        qna = self._knowledge.best_qna(question)
        if qna is not None:
            # The words of the Q&A may match a page even if the question does not.
            qna_text = f"{qna['question']} {qna['answer']}"
            pages = pages or self._knowledge.find_pages(qna_text, 1)
            more = [f"- Read more: {_link(page)}.\n" for page in pages]
            return (
                f"**{qna['question']}**\n\n"
                f"{qna['answer']}\n\n"
                f"{''.join(more)}"
                "- Ask me anything else."
            )
        if not question_words or question_words[0] in _GREETINGS:
            return _GREETING
        pages = pages or self._knowledge.find_pages("contact", 1)
        return (
            "I found no answer to that in our knowledge base.\n\n"
            "You can\n\n"
            "1. put your question in other words, or\n"
            f"2. {f'look at {_link(pages[0])}' if pages else 'ask for a human agent'}."
        )


def title(message: str) -> str | None:
    """Return the title of a conversation with the first ``message``; None if it is blank.

    It is the message in one line, cut to 60 characters.
    """
    line = " ".join(message.split())
    if len(line) > _TITLE_CHARACTERS:
        line = line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
    return line or None


def _link(page: Mapping[str, Any]) -> str:
    # Escape the characters that would end a Markdown link too early.
    title = re.sub(r"([\\\[\]])", r"\\\1", page["title"])
    return f"[{title}]({page['url'].replace('(', '%28').replace(')', '%29')})"


def _count(text: str) -> int:
    return len(_TOKEN.findall(text))
