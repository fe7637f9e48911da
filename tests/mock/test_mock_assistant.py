"""The assistant."""

from __future__ import annotations

import pytest

from siteassist_mock.assistant import answer, title


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("Hello! Can anybody hear me?", "Hello! How can I assist you today?"),
        ("", "Hello! How can I assist you today?"),
        ("How long does shipping take?", "**How long does shipping take?**\n\nTwo to four"),
        ("What about zebras?", "I found nothing about that"),
    ],
)
def test_the_answer_depends_on_the_question(question: str, start: str) -> None:
    """A greeting, something known and something unknown."""
    assert answer(question).text.startswith(start)


def test_the_same_question_gets_the_same_answer() -> None:
    """Tests can rest on it."""
    assert answer("Where is my parcel?", ["a", None]) == answer("Where is my parcel?", ["a", None])


@pytest.mark.parametrize("question", ["", "How long does shipping take?", "zebra"])
def test_pieces_are_the_whole_text(question: str) -> None:
    """Nothing is lost between the pieces, and there are several."""
    reply = answer(question)
    assert "".join(reply.pieces()) == reply.text
    assert len(reply.pieces()) > 5


def test_tokens_are_counted() -> None:
    """Words and punctuation marks, of the question and of what else is read."""
    reply = answer("Hello, you", ["One page.", None, ""])
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
