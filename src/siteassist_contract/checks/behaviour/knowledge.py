"""Checks of the documented behaviour of a project, its Q&As and the search."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from siteassist_contract.checks.behaviour.model import same_time
from siteassist_contract.checks.behaviour.visitor import is_uuid
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.description import key_argument, page_due, page_query, page_words
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.session import Session

Json = Mapping[str, Any]
OK = 200
PAGE = 10
_MOST = 500
"""Maximum number of Q&As to read."""
_STEP = 100
_QUERIES = 80
"""Maximum number of searches for single words."""
_FEW_QUERIES = 8
_ALONE = 20
"""Maximum number of further entries that are read alone."""
_SIGN = re.compile(r"[^\w\s]|[^\x00-\x7f]")
"""The characters that mark up a text, or that a server may convert."""
WORD = re.compile(r"[^\W\d_]{4,40}")
"""Words that are long enough to search for."""


def read_knowledge(context: CheckContext) -> None:
    """Read the project, its Q&As and search results, and compare them with each other."""
    if context.target.api_key is None:
        context.without_key(
            ("project-stable", "getProject"),
            ("qnas-all", "getQnas"),
            ("qnas-search", "getQnas"),
            *(("no-token-needed", n) for n in ("getProject", "getQnas", "getQna", "search")),
        )
        return
    context.recorder.history.clear()
    key, reader = context.target.api_key, _Reader(context, context.anonymous)
    project_id = vocabulary = ""
    few = context.profile.gentle or not context.size.whole
    with contextlib.suppress(_UnusableError):
        project_id = _project(context, reader, key)
    if is_uuid(project_id):
        with contextlib.suppress(_UnusableError):
            vocabulary = _qnas(reader, project_id, 0 if few else _ALONE)
    context.recorder.history.clear()
    with contextlib.suppress(_UnusableError):
        _search(reader, key, _FEW_QUERIES if few else _QUERIES, vocabulary)


def _project(context: CheckContext, reader: _Reader, key: str) -> str:
    """Read the project twice, and return its id."""
    project = reader.read(context.anonymous.call("getProject", query=key_argument(key)))
    again = reader.read(context.anonymous.call("getProject", query=key_argument(key)))
    reader.judge(
        project.get("id") == again.get("id") and project.get("name") == again.get("name"),
        "project-stable",
        "getProject",
        f"the project {project.get('id')}, {shown_value(project.get('name'))}",
        f"{again.get('id')}, {shown_value(again.get('name'))}",
    )
    return str(project.get("id"))


class _UnusableError(Exception):
    """An answer that further checks cannot use: it was refused, or does not match its schema."""


class _Reader:
    """A reader without a credential, which checks that its requests are accepted."""

    def __init__(self, context: CheckContext, session: Session) -> None:
        self.session = session
        self._findings = context.findings
        self._history = context.recorder.history

    def read(self, exchange: Exchange) -> dict[str, Any]:
        """Return the JSON object of an answer.

        Raises `_UnusableError` if the request was refused, or if the answer is invalid.
        """
        described = self._findings.see(exchange, self._history)
        kept = exchange.status == OK
        self.judge(kept, "no-token-needed", exchange.operation, "200", str(exchange.status))
        if not kept or not described:
            raise _UnusableError
        return exchange.document

    def judge(self, kept: object, rule: str, operation: str, expected: str, actual: str) -> None:
        """Judge a rule; all requests so far are part of the reproduction."""
        self._findings.judge(kept, rule, operation, expected, actual, self._history)


def _qnas(reader: _Reader, project: str, alone: int) -> str:
    """Check the lists of Q&As, and return the texts of all entries.

    In addition to the first and the last entry, as many as ``alone`` are read alone.
    """
    session = reader.session
    whole: list[Json] = []
    page: Json = {}
    total = 0
    while len(whole) < _MOST:
        page = reader.read(_list(session, project, limit=_STEP, offset=len(whole)))
        entries = _objects(page.get("data"))
        whole += entries
        total = _count(page.get("total"))
        if not entries or len(whole) >= total:
            break
    if len(whole) < _MOST:
        reader.judge(
            total == len(whole),
            "list-total",
            "getQnas",
            f"`total` {len(whole)}",
            shown_value(page.get("total")),
        )
    ids = [str(entry.get("id")) for entry in whole]
    size = max(1, len(ids) // 2)
    found: list[str] = []
    for offset in range(0, len(ids), size):
        found += _page(reader, project, len(ids), limit=size, offset=offset)
    reader.judge(
        sorted(found) == sorted(ids) and len(set(ids)) == len(ids),
        "qnas-all",
        "getQnas",
        f"{len(ids)} entries, each once, on pages of {size}",
        f"{len(found)}, {len(set(found))} of them distinct",
    )
    _page(reader, project, len(ids))
    _page(reader, project, len(ids), limit=1)
    _page(reader, project, len(ids), offset=1)
    if ids:
        _page(reader, project, len(ids), limit=10, offset=len(ids) - 1)
    _page(reader, project, len(ids), limit=10, offset=len(ids))
    for entry in (whole[:1] + whole[-1:]) if whole else []:
        with contextlib.suppress(_UnusableError):
            _one(reader, project, entry)
        _by_words(reader, project, entry)
    for entry in sorted(whole[1:-1], key=_signs, reverse=True)[:alone]:
        with contextlib.suppress(_UnusableError):
            _one(reader, project, entry)
    nothing = reader.read(_list(session, project, query="zyxwvq qwvxyz"))
    reader.judge(
        not _objects(nothing.get("data")) and _count(nothing.get("total")) == 0,
        "qnas-search",
        "getQnas",
        "no entries for words that no question contains",
        f"{len(_objects(nothing.get('data')))} entries,"
        f" `total` {shown_value(nothing.get('total'))}",
    )
    return " ".join(f"{entry.get('question')} {entry.get('answer')}" for entry in whole)


def _signs(entry: Json) -> int:
    """Return how many characters of an entry may be converted."""
    return len(_SIGN.findall(f"{entry.get('question')} {entry.get('answer')}"))


def _page(
    reader: _Reader,
    project: str,
    count: int,
    *,
    limit: int | None = None,
    offset: int | None = None,
) -> list[str]:
    page = reader.read(_list(reader.session, project, limit=limit, offset=offset))
    entries = _objects(page.get("data"))
    begin, most = offset or 0, limit or PAGE
    due = max(0, min(most, count - begin))
    expected = page_due("getQnas", limit=most, offset=begin)
    actual = {name: page.get(name) for name in expected}
    reader.judge(
        len(entries) == due and actual == expected,
        "list-page",
        "getQnas",
        f"{due} of {count} entries, {page_words(expected)}",
        f"{len(entries)}, {page_words(actual)}",
    )
    total = page.get("total")
    shown_total = shown_value(total)
    reader.judge(total == count, "list-total", "getQnas", f"`total` {count}", shown_total)
    return [str(entry.get("id")) for entry in entries]


def _list(
    session: Session,
    project: str,
    *,
    limit: int | None = None,
    offset: int | None = None,
    query: str | None = None,
) -> Exchange:
    page = page_query("getQnas", limit=limit, offset=offset)
    return session.call("getQnas", path={"projectId": project}, query={**page, "query": query})


def _one(reader: _Reader, project: str, entry: Json) -> None:
    if not is_uuid(str(entry.get("id"))):
        return  # the rule `described` reports it
    shown = reader.read(
        reader.session.call("getQna", path={"projectId": project, "qnaId": str(entry.get("id"))})
    )
    names = ("id", "question", "answer")
    reader.judge(
        [shown.get(n) for n in names] == [entry.get(n) for n in names]
        and same_time(shown.get("createdAt"), entry.get("createdAt")),
        "same-object",
        "getQna",
        f"the entry of the list, {entry.get('id')}",
        str(shown.get("id")),
    )


def _by_words(reader: _Reader, project: str, entry: Json) -> None:
    question = str(entry.get("question"))
    page = reader.read(_list(reader.session, project, query=question[:300], limit=_STEP))
    found = [str(other.get("id")) for other in _objects(page.get("data"))]
    if len(found) < _STEP:
        total = _count(page.get("total"))
        words = f"`total` {len(found)}, the number of matching entries"
        shown_total = shown_value(page.get("total"))
        reader.judge(total == len(found), "list-total", "getQnas", words, shown_total)
    reader.judge(
        str(entry.get("id")) in found,
        "qnas-search",
        "getQnas",
        f"{question!r} among the results of a search for its words",
        f"{len(found)} other entries",
    )


def _search(reader: _Reader, key: str, most: int, vocabulary: str) -> None:
    for words in ("shipping", "How long does shipping take?", "zyxwvq qwvxyz"):
        for size in (None, 1, 2, 50):
            vocabulary += _text(_find(reader, key, words, size))
    # Words in the results lead to further results, such as products among pages.
    found: dict[str, list[Json]] = {}
    for _ in range(most):
        new = [word for word in WORD.findall(vocabulary.lower()) if word not in found]
        if not new:
            break
        found[new[0]] = _find(reader, key, new[0], 50)
        vocabulary += _text(found[new[0]])
    # A server may search each kind of result by itself, and add them up.
    for words in sorted(found, key=lambda words: _kinds(found[words]))[-1:]:
        for size in (1, 2):
            _find(reader, key, words, size)


def _text(results: Sequence[Json]) -> str:
    return "".join(f" {result.get('title')} {result.get('content')}" for result in results)


def _kinds(results: Sequence[Json]) -> tuple[int, int]:
    """Return the number of different sets of properties among results, and that of the results."""
    return len({frozenset(result) for result in results}), len(results)


def _find(reader: _Reader, key: str, words: str, size: int | None) -> list[Json]:
    """Search once, and return the results."""
    results = _objects(
        reader.read(
            reader.session.call("search", query={"q": words, "size": size, **key_argument(key)})
        ).get("results")
    )
    wrong = [each for each in results if not _is_path_of(each.get("path"), each.get("url"))]
    reader.judge(
        not wrong,
        "described",
        "search",
        "in `path` the path of `url`",
        ", ".join(f"{shown_value(each['path'])} for {each['url']}" for each in wrong[:3]),
    )
    most = size or PAGE
    reader.judge(
        len(results) <= most, "list-page", "search", f"at most {most} results", str(len(results))
    )
    return results


def _is_path_of(path: object, url: object) -> bool:
    """Whether a path occurs in an address, in whichever spelling; True without either."""
    if not isinstance(path, str) or not isinstance(url, str):
        return True
    return unquote(path).strip("/").lower() in unquote(url).lower()


def _objects(value: object) -> list[Json]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
