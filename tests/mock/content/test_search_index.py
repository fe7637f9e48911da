"""Tests for the search index of the built-in texts."""

from __future__ import annotations

import pytest

from siteassist_mock.content.search_index import BUILT_IN
from siteassist_mock.content.seed import QNAS


@pytest.mark.parametrize(
    ("query", "questions"),
    [
        ("shipping", ["How long does shipping take?", "What does shipping cost?"]),
        (
            "SHIP",
            ["How long does shipping take?", "What does shipping cost?", "Do you ship abroad?"],
        ),
        ("shipping cost", ["What does shipping cost?"]),
        ("ipping", []),
        ("?!", []),
        ("\0", []),
    ],
)
def test_a_query_finds_the_questions_with_all_of_its_words(
    query: str, questions: list[str]
) -> None:
    """Words match by prefix and ignore case; punctuation matches nothing."""
    assert [qna["question"] for qna in BUILT_IN.find_qnas(query)] == questions


@pytest.mark.parametrize("query", [None, "", "  "])
def test_no_query_finds_everything(query: str | None) -> None:
    """A blank query finds all Q&As, like no query."""
    assert BUILT_IN.find_qnas(query) == list(QNAS)


def test_pages_come_best_first() -> None:
    """A page about the topic precedes a page that only mentions it."""
    found = BUILT_IN.find_pages("How long does shipping take?", 10)
    assert [page["title"] for page in found] == ["Shipping", "Shipping costs"]
    assert [page["score"] for page in found] == [0.6667, 0.3333]


def test_the_number_of_pages_is_limited() -> None:
    """The limit keeps the best pages."""
    assert [page["title"] for page in BUILT_IN.find_pages("desk", 1)] == ["Oak desk"]


@pytest.mark.parametrize("query", ["how do you", "zebra", "?"])
def test_common_words_find_no_page(query: str) -> None:
    """Words that occur in most questions match no page."""
    assert BUILT_IN.find_pages(query, 10) == []


def test_the_best_qna_shares_most_words() -> None:
    """The best Q&A shares the most words; a plural matches its singular."""
    found = BUILT_IN.best_qna("Can I return my orders?")
    assert found is not None
    assert found["question"] == "How can I return an order?"
    assert BUILT_IN.best_qna("Good morning") is None
