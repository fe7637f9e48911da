"""Tests for the assistant's answers."""

from __future__ import annotations

import pytest

from siteassist_mock.content.assistant import Assistant, title
from siteassist_mock.content.search_index import Knowledge


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("Hello! Can anybody hear me?", "Hello! How can I assist you today?"),
        ("", "Hello! How can I assist you today?"),
        ("How long does shipping take?", "**How long does shipping take?**\n\nTwo to four"),
        ("What about zebras?", "I found no answer to that"),
    ],
)
def test_the_answer_depends_on_the_question(question: str, start: str) -> None:
    """Greetings, known topics and unknown topics have different answers."""
    assert Assistant().answer(question).text.startswith(start)


def test_the_same_question_gets_the_same_answer() -> None:
    """Answers are deterministic."""
    assert Assistant().answer("Where is my parcel?", ["a", None]) == Assistant().answer(
        "Where is my parcel?", ["a", None]
    )


@pytest.mark.parametrize("question", ["", "How long does shipping take?", "zebra"])
def test_deltas_join_to_the_whole_text(question: str) -> None:
    """An answer has several deltas, which together are its whole text."""
    reply = Assistant().answer(question)
    events = [event.payload for event in reply.events()]
    deltas = [event["delta"] for event in events if event["type"] == "text-delta"]
    assert "".join(deltas) == reply.text == reply.message.text
    assert len(deltas) > 5


def test_tokens_are_counted() -> None:
    """Words and punctuation marks of the question and of its context count as input."""
    reply = Assistant().answer("Hello, you", ["One page.", None, ""])
    (step,) = reply.steps()
    assert (reply.input_tokens, step.output_tokens, step.reasoning_tokens) == (6, 9, 0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Hi", "Hi"),
        ("  two\n lines ", "two lines"),
        (" \n", None),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_a_title_is_one_short_line(message: str, expected: str | None) -> None:
    """A title is one line of at most 60 characters; a blank message has none."""
    assert title(message) == expected


@pytest.mark.parametrize(
    ("question", "link"),
    [
        ("How long does shipping take?", "[Shipping](https://example.com/help/shipping)"),
        ("Is there a warranty?", "[Oak desk](https://example.com/products/oak-desk)"),
        ("What about a lamp?", "[Desk lamp](https://example.com/products/desk-lamp)"),
        ("What about zebras?", "[Contact](https://example.com/contact)"),
    ],
)
def test_answers_link_to_the_website(question: str, link: str) -> None:
    """An answer links to the best matching page."""
    assert link in Assistant().answer(question).text


def test_a_website_without_pages_gets_no_links() -> None:
    """An answer contains no links if the website has no pages."""
    assistant = Assistant(Knowledge([{"question": "Where?", "answer": "Here."}], []))
    for question in ("Where?", "zebra"):
        assert "](" not in assistant.answer(question).text


def test_link_titles_are_escaped() -> None:
    """Markdown characters in titles and URLs are escaped."""
    page = {"title": "a]b", "content": "zebra", "url": "https://example.com/a_(b)"}
    assert r"[a\]b](https://example.com/a_%28b%29)" in (
        Assistant(Knowledge([], [page])).answer("zebra").text
    )
