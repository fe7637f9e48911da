"""A deterministic search by words in the Q&As and pages of a website."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from siteassist_mock.content.seed import PAGES, QNAS

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of ``text`` in lower case, without punctuation."""
    return _WORD.findall(text.lower())


# Words of nearly every question, which do not identify its subject.
_COMMON = frozenset(
    words(
        "a an and are can do does for how i in is it my of on or the there to what when which"
        " you your"
    )
)


class Knowledge:
    """The Q&As and the pages of one website."""

    def __init__(
        self, qnas: Sequence[Mapping[str, Any]], pages: Sequence[Mapping[str, Any]]
    ) -> None:
        """Index ``qnas``, oldest first, and ``pages``."""
        self.qnas = tuple(qnas)
        self._qna_words = [(qna, _significant(qna["question"])) for qna in qnas]
        self._questions = [(qna, words(qna["question"])) for qna in qnas]
        self._page_words = [
            (page, _significant(page["title"]), _significant(f"{page['title']} {page['content']}"))
            for page in pages
        ]

    def find_qnas(self, query: str | None) -> list[Mapping[str, Any]]:
        """Return the Q&As whose question has every word of ``query``, or all without a query.

        A word also matches the beginning of a longer word. A query with only
        punctuation finds nothing.
        """
        if not (query or "").strip():
            return list(self.qnas)
        # Each word once: a long query repeats some.
        wanted = set(words(query or ""))
        return [
            qna
            for qna, question in self._questions
            if wanted and all(any(word.startswith(want) for word in question) for want in wanted)
        ]

    def find_pages(self, query: str, size: int) -> list[dict[str, Any]]:
        """Return at most ``size`` pages that share a word with ``query``, best first.

        Each has a ``score`` above 0 and at most 1: the share of the significant words
        of the query in the page, where a word that is only in the content counts half.
        """
        wanted = _significant(query)
        scored = [
            {"score": score, **page}
            for page, title, every in self._page_words
            if (score := _share(wanted, title, every)) > 0
        ]
        # sorted() is stable: pages with equal scores keep their order.
        return sorted(scored, key=lambda page: -page["score"])[:size]

    def best_qna(self, text: str) -> Mapping[str, Any] | None:
        """Return the Q&A that shares most significant words with ``text``, or None."""
        wanted = _significant(text)
        best, most = None, 0
        for qna, question in self._qna_words:
            shared = len(wanted & question)
            if shared > most:
                best, most = qna, shared
        return best


def _significant(text: str) -> frozenset[str]:
    # Without a plural's "s", "orders" finds "order".
    return frozenset(word.removesuffix("s") for word in words(text) if word not in _COMMON)


def _share(wanted: frozenset[str], title: frozenset[str], every: frozenset[str]) -> float:
    if not wanted:
        return 0.0
    return round((len(wanted & title) + len(wanted & every)) / (2 * len(wanted)), 4)


BUILT_IN = Knowledge(QNAS, PAGES)
"""The knowledge of the built-in seed."""
