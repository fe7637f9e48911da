"""Hard texts take the place of valid texts in generated requests, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from siteassist_contract.checks.generated.hard_texts import mixed_in
from siteassist_contract.checks.hard_values import HARD_TEXTS
from siteassist_contract.description import operations, validator
from siteassist_spec.schemas import accepts

HARD = {text.value for text in HARD_TEXTS}
BODY = {"content": "Hi", "stream": True, "pageContext": {"title": None, "url": "/a"}}


def drawn(strategy: SearchStrategy[Any]) -> list[Any]:
    """Draw values with a fixed seed."""
    found: list[Any] = []

    @settings(max_examples=200, database=None, derandomize=True, deadline=None)
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


def test_texts_of_a_body_are_replaced_one_at_a_time() -> None:
    """The body remains valid; what is no text remains as it is."""
    values = drawn(mixed_in("sendMessage", BODY, in_query=False))
    body = operations()["sendMessage"].body
    assert body is not None
    assert all(accepts(validator(body.schema), value) for value in values)
    assert BODY in values
    contents = {value["content"] for value in values} - {"Hi"}
    urls = {value["pageContext"]["url"] for value in values} - {"/a"}
    assert contents
    assert urls
    assert HARD >= contents | urls
    assert [] == [v for v in values if v["content"] != "Hi" and v["pageContext"]["url"] != "/a"]
    assert {"content", "pageContext", "stream"} == {name for value in values for name in value}
    assert {None} == {value["pageContext"]["title"] for value in values}


@pytest.mark.parametrize(
    ("operation", "value", "in_query"),
    [
        ("sendMessage", {"content": ""}, False),
        ("sendMessage", {"content": 7}, False),
        ("sendMessage", [], False),
        ("sendMessage", None, False),
        ("createChatCompletion", {"messages": ["x"]}, False),
        ("createChatCompletion", {"messages": []}, False),
        ("init", {"apiKey": "k", "saVid": "d"}, False),
        ("search", {"q": ""}, True),
        ("search", {"size": "5"}, True),
        ("getMe", {}, True),
    ],
)
def test_invalid_and_other_values_are_kept(operation: str, value: Any, in_query: bool) -> None:
    """A value that is deliberately invalid must remain invalid."""
    assert {repr(value)} == {repr(v) for v in drawn(mixed_in(operation, value, in_query=in_query))}


def test_queries_and_elements_of_arrays_are_replaced() -> None:
    """A query has at most as many characters as it may have."""
    queries = drawn(mixed_in("search", {"q": "lamp", "apiKey": "k"}, in_query=True))
    assert HARD & {query["q"] for query in queries}
    assert {"k"} == {query["apiKey"] for query in queries}
    chat = {"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Ho"}]}
    bodies = drawn(mixed_in("createChatCompletion", chat, in_query=False))
    assert HARD & {body["messages"][0]["content"] for body in bodies}
    assert {"Ho"} == {body["messages"][1]["content"] for body in bodies}
