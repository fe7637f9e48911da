"""The assistant, whose answers are deterministic."""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from siteassist_mock.content.answer import Item, TimedEvent, answer_events
from siteassist_mock.content.script import ScriptRule, find_rule
from siteassist_mock.content.search_index import BUILT_IN, Knowledge, words
from siteassist_mock.content.streamed_message import Part, StreamedMessage

_TITLE_CHARACTERS = 60
_TOKEN = re.compile(r"\w+|[^\w\s]")
_GREETING = "Hello! How can I assist you today?"
_GREETINGS = frozenset({"hello", "hi", "hey"})


class Step(NamedTuple):
    """One step of an answer: its parts and numbers of tokens."""

    parts: list[Part]
    finish_reason: str
    output_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True)
class Reply:
    """An answer: the items of its stream, which begins after ``delay`` seconds.

    ``input_tokens`` is the number of tokens that were read for it, ``metadata`` is sent
    with ``start``.
    """

    items: tuple[Item, ...]
    input_tokens: int
    delay: float = 0.0
    metadata: Any = None

    @property
    def text(self) -> str:
        """The texts of the answer."""
        return "".join(item["text"] for item in self.items if "text" in item)

    def events(self, message_id: str | None = None) -> list[TimedEvent]:
        """Return the events of the stream, for the stored message ``message_id`` if any."""
        start = {"messageId": message_id, "messageMetadata": self.metadata}
        given = {name: value for name, value in start.items() if value is not None}
        events = answer_events(self.items, f"msg_{uuid.uuid4().hex}")
        return [TimedEvent({"type": "start", **given}), *events]

    @functools.cached_property
    def message(self) -> StreamedMessage:
        """The message that the whole stream makes up."""
        return StreamedMessage(event.payload for event in self.events())

    def steps(self) -> list[Step]:
        """Return the steps of the whole answer."""
        steps = self.message.steps
        reason = self.items[-1].get("finishReason", "stop")
        reasons = ["tool-calls"] * (len(steps) - 1) + [reason]
        return [Step(*step, *_written(step[0])) for step in zip(steps, reasons, strict=True)]


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
            return Reply(rule.items, read, rule.delay, rule.metadata)
        return Reply(({"text": self._compose(question)},), read)

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


def _written(parts: Iterable[Part]) -> tuple[int, int]:
    """Return the number of tokens in texts, reasoning and inputs, and of those in reasoning."""
    counts = {"text": 0, "reasoning": 0}
    for part in parts:
        if part["type"] in counts:
            counts[part["type"]] += _count(part["text"])
        elif "input" in part:
            counts["text"] += _count(json.dumps(part["input"]))
    return sum(counts.values()), counts["reasoning"]
