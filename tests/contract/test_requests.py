"""Plain requests: one that is valid per operation, and copies with one thing changed."""

from __future__ import annotations

import pytest

from siteassist_contract.description import operations
from siteassist_contract.requests import Plain, Things, valid_requests

ID, OTHER = "123e4567-e89b-12d3-a456-426614174000", "00000000-0000-4000-8000-000000000001"
KEY = "sa_pk_1234567890abcdef"
BASIC = {
    "getMe",
    "getConversations",
    "startConversation",
    "getConversation",
    "getMessages",
    "sendMessage",
    "createChatCompletion",
    "closeConversation",
}


@pytest.mark.parametrize(
    ("things", "more"),
    [
        (Things(ID, ""), set[str]()),
        (Things(ID, OTHER), {"sendMessageFeedback"}),
        (Things(ID, "", project=OTHER), {"getQnas"}),
        (Things(ID, "", project=OTHER, qna=OTHER), {"getQnas", "getQna"}),
        (Things(ID, "", api_key=KEY), {"getProject", "search", "init"}),
    ],
)
def test_each_thing_allows_its_operations(things: Things, more: set[str]) -> None:
    """What there is nothing for is left out."""
    assert BASIC | more == set(valid_requests(things))


def test_all_things_allow_all_operations() -> None:
    """Nothing of the description is without a request; closing comes last of all."""
    found = valid_requests(Things(ID, ID, ID, ID, KEY))
    assert set(operations()) == set(found)
    assert "closeConversation" == list(found)[-1]
    assert {"sendMessage", "createChatCompletion"} == {n for n, each in found.items() if each.costs}


def test_target_has_its_parameters_filled_in() -> None:
    """Whatever a value is, it stays one step of the path."""
    plain = Plain("getQna", {"projectId": "a/b", "qnaId": "ü?#%"})
    assert ("GET", "/projects/a%2Fb/qnas/%C3%BC%3F%23%25") == (plain.method, plain.target)


def test_copy_has_what_was_changed_and_nothing_else() -> None:
    """The request that was changed stays as it was, deep inside too."""
    plain = Plain("search", {"p": "1"}, {"q": "a", "size": "1"}, {"list": [1]}, costs=True)
    other = plain.changed(path={"p": "2"}, query={"q": None, "n": "5", "x": None})
    assert Plain("search", {"p": "2"}, {"size": "1", "n": "5"}, {"list": [1]}, costs=True) == other
    other.body["list"].append(2)
    assert {"list": [1]} == plain.body
    assert {"q": "a", "size": "1"} == plain.query


@pytest.mark.parametrize("body", [None, {}, [], "x", 0])
def test_body_can_become_anything(body: object) -> None:
    """Nothing at all as well."""
    assert body == Plain("init", body={"a": 1}).changed(body=body).body
    assert {"a": 1} == Plain("init", body={"a": 1}).changed().body
