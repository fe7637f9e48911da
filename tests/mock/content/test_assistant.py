"""The assistant."""

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
    """A greeting, something known and something unknown."""
    assert Assistant().answer(question).text.startswith(start)


def test_the_same_question_gets_the_same_answer() -> None:
    """Tests can rest on it."""
    assert Assistant().answer("Where is my parcel?", ["a", None]) == Assistant().answer(
        "Where is my parcel?", ["a", None]
    )


@pytest.mark.parametrize("question", ["", "How long does shipping take?", "zebra"])
def test_pieces_are_the_whole_text(question: str) -> None:
    """Nothing is lost between the pieces, and there are several."""
    reply = Assistant().answer(question)
    assert "".join(reply.pieces()) == reply.text
    assert len(reply.pieces()) > 5


def test_tokens_are_counted() -> None:
    """Words and punctuation marks, of the question and of what else is read."""
    reply = Assistant().answer("Hello, you", ["One page.", None, ""])
    assert (reply.input_tokens, reply.output_tokens) == (6, 9)


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
    """A blank message gives none."""
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
    """To the page that fits best."""
    assert link in Assistant().answer(question).text


def test_a_website_without_pages_gets_no_links() -> None:
    """Nothing leads to a page that is not there."""
    assistant = Assistant(Knowledge([{"question": "Where?", "answer": "Here."}], []))
    for question in ("Where?", "zebra"):
        assert "](" not in assistant.answer(question).text


def test_no_title_breaks_a_link() -> None:
    """What means something in Markdown is escaped."""
    page = {"title": "a]b", "content": "zebra", "url": "https://example.com/a_(b)"}
    assert r"[a\]b](https://example.com/a_%28b%29)" in (
        Assistant(Knowledge([], [page])).answer("zebra").text
    )
