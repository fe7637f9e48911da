"""The tolerance for behaviour that the documents leave open, and for nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from siteassist_contract.http.json_reader import spelled
from siteassist_contract.tolerance import (
    GeneratedCall,
    Memory,
    altered_query,
    encodable,
    is_trimmed,
    may_be_accepted,
    may_be_refused,
    respelled,
    same_text,
    sent_query,
)

ID = "123e4567-e89b-12d3-a456-426614174000"
DEEP = 100_000 * b"["


def exchange(operation: str = "getConversations", query: str = "", **rest: Any) -> GeneratedCall:
    """Create a generated call with defaults."""
    defaults: dict[str, Any] = {
        "path": {},
        "body": None,
        "altered": None,
        "status": 400,
        "answer": None,
    }
    url = f"http://127.0.0.1/v2/conversations?{query}"
    return GeneratedCall(operation, url, **{**defaults, **rest})


@pytest.mark.parametrize(
    "query",
    ["offset=null", "offset=", "limit=1.5", "limit=1e1", "size=2.0", "orderBy=lastInteractionAt"],
)
@pytest.mark.parametrize(("status", "tolerated"), [(400, True), (422, True), (409, False)])
def test_open_value_may_be_refused(query: str, status: int, tolerated: bool) -> None:
    """O-5, O-6: a null or fractional paging value may get 400 or 422, nothing else."""
    operation = "search" if query.startswith("size") else "getConversations"
    call = exchange(operation, query=query, status=status)
    assert tolerated == Memory().may_be_refused(call)


@pytest.mark.parametrize(
    "query",
    ["", "limit=5", "offset=0", "limit=null", "q=1.5", "limit=x", "limit=inf", "orderBy=id"],
)
def test_documented_value_may_not_be_refused(query: str) -> None:
    """A value that the documents allow must be accepted."""
    assert not Memory().may_be_refused(exchange(query=query))


@pytest.mark.parametrize(
    ("query", "altered", "tolerated"),
    [
        ("offset=", {"offset"}, True),
        ("offset=&limit=0", {"offset", "limit"}, False),
        ("limit=0", {"limit"}, False),
        ("offset=", None, False),
        ("offset=", set[str](), False),
        ("orderBy=lastInteractionAt", {"orderBy"}, True),
        ("orderBy=lastInterationAt", {"orderBy"}, True),
        ("orderBy=lastinteractionat", {"orderBy"}, False),
        ("orderBy=lastInteractionAt&orderBy=id", {"orderBy"}, False),
        ("limit=1.5&limit=2.5", {"limit"}, False),
    ],
)
def test_only_open_values_may_be_accepted(
    query: str,
    altered: set[str] | None,
    tolerated: bool,
) -> None:
    """An invalid request may be accepted only if each of its faults is left open."""
    names = None if altered is None else frozenset(altered)
    accepted = exchange(query=query, altered=names, status=200)
    assert tolerated == may_be_accepted(accepted)


def test_closed_conversation_may_refuse_messages() -> None:
    """O-3: only a closed conversation may refuse a valid message."""
    memory = Memory()
    message = exchange("sendMessage", path={"conversationId": ID})
    assert not memory.may_be_refused(message)
    memory.observe(exchange("closeConversation", path={"conversationId": ID}, status=404))
    assert not memory.may_be_refused(message)
    memory.observe(exchange("closeConversation", path={"conversationId": ID.upper()}, status=200))
    assert memory.may_be_refused(message)


@pytest.mark.parametrize("name", ["data", "messages"])
@pytest.mark.parametrize(("role", "tolerated"), [("user", True), ("assistant", False)])
def test_own_message_may_refuse_feedback(name: str, role: str, tolerated: bool) -> None:
    """O-18: feedback may be refused on a visitor's own message, but not on an answer."""
    memory = Memory()
    answer = {name: [{"id": ID, "role": role}, "no message"], "other": 1}
    memory.observe(exchange("getMessages", status=200, answer=answer))
    rated = exchange("sendMessageFeedback", path={"messageId": ID})
    assert tolerated == memory.may_be_refused(rated)


@pytest.mark.parametrize(
    ("body", "tolerated"), [({"messages": []}, True), ({"messages": [{}]}, False), (None, False)]
)
def test_empty_chat_may_be_refused(body: object, tolerated: bool) -> None:
    """O-9: only an empty list of messages may be refused."""
    chat = exchange("createChatCompletion", body=body)
    assert tolerated == Memory().may_be_refused(chat)


def place(location: str | None, parameter: str | None, *mutations: Any) -> SimpleNamespace:
    """Create the part of schemathesis's metadata that names the altered parameters."""
    return SimpleNamespace(parameter_location=location, parameter=parameter, mutations=mutations)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (place("query", "limit"), {"limit"}),
        (place("query", None), None),
        (place("body", "content"), None),
        (place(None, None), None),
        (place(None, None, place("query", "limit"), place("query", "offset")), {"limit", "offset"}),
        (place(None, None, place("query", "limit"), place("path", "id")), None),
        (None, set[str]()),
    ],
)
def test_altered_parameters_are_read(data: Any, expected: set[str] | None) -> None:
    """The coverage phase names one parameter and fuzzing several; only query parameters count."""
    case = SimpleNamespace(meta=SimpleNamespace(phase=SimpleNamespace(data=data)))
    assert expected == altered_query(case)


def test_request_without_metadata_has_no_altered_parameter() -> None:
    """A request that schemathesis did not generate has no altered parameter."""
    assert frozenset() == altered_query(SimpleNamespace(meta=None))


def test_open_conversation_replaces_a_closed_one() -> None:
    """Only a closed conversation is replaced, and only by an open one."""
    memory = Memory()
    for number in (1, 2):
        memory.observe(exchange("startConversation", status=201, answer={"id": f"ID-{number}"}))
    assert memory.open_instead_of("id-2") is None
    memory.observe(exchange("closeConversation", path={"conversationId": "id-2"}, status=200))
    assert "id-1" == memory.open_instead_of("ID-2")
    memory.observe(exchange("closeConversation", path={"conversationId": "id-1"}, status=200))
    assert memory.open_instead_of("id-2") is None


def test_refused_calls_do_not_change_the_memory() -> None:
    """Only a 201 opens a conversation, and only a 200 closes one."""
    memory = Memory()
    memory.observe(exchange("startConversation", status=400, answer={"id": "id-1"}))
    memory.observe(exchange("startConversation", status=201, answer="no object"))
    assert ["none"] == memory.opened
    memory.observe(exchange("closeConversation", path={"conversationId": "id-1"}, status=404))
    assert set() == memory.closed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"lastInterationAt": 1}, {"lastInterationAt": 1, "lastInteractionAt": 1}),
        (
            {"lastInterationAt": 1, "lastInteractionAt": 2},
            {"lastInterationAt": 1, "lastInteractionAt": 2},
        ),
        (
            [{"data": [{"lastInterationAt": {"lastInterationAt": None}}]}],
            [
                {
                    "data": [
                        {
                            "lastInterationAt": {
                                "lastInterationAt": None,
                                "lastInteractionAt": None,
                            },
                            "lastInteractionAt": {
                                "lastInterationAt": None,
                                "lastInteractionAt": None,
                            },
                        }
                    ]
                }
            ],
        ),
        ("lastInterationAt", "lastInterationAt"),
        (None, None),
    ],
)
def test_older_spelling_is_read_as_the_documented_one(value: Any, expected: Any) -> None:
    """C-01: the documented name is added at any depth, and never overwritten."""
    assert expected == spelled(value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":  1}', b'{"a":  1}'),
        (b'{"lastInterationAt"', b'{"lastInterationAt"'),
        (b"\xff lastInterationAt", b"\xff lastInterationAt"),
        (DEEP + b"lastInterationAt", DEEP + b"lastInterationAt"),
        (b'{"lastInterationAt":1}', b'{"lastInterationAt": 1, "lastInteractionAt": 1}'),
    ],
)
def test_only_bodies_with_the_older_spelling_are_rewritten(body: bytes, expected: bytes) -> None:
    """Every other body stays the same, byte for byte."""
    assert expected == respelled(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'{"a": "\ud83c\udf89 \u00e9 \n"}', rb'{"a": "\ud83c\udf89 \u00e9 \n"}'),
        (rb'["\ud83c", "\uDF89"]', rb'["\ufffd", "\ufffd"]'),
        (rb'"\udf89\ud83c\ud83c\udf89"', rb'"\ufffd\ufffd\ud83c\udf89"'),
        # A backslash, and then text.
        (rb'"\\ud83c"', rb'"\\ud83c"'),
        (rb'"\\\ud83c"', rb'"\\\ufffd"'),
        (b'"\\', b'"\\'),
    ],
)
def test_halves_of_surrogate_pairs_are_replaced(body: bytes, expected: bytes) -> None:
    """Whole pairs and all other bytes stay the same."""
    assert expected == encodable(body)


def test_query_keeps_repeated_and_empty_values() -> None:
    """The query is read with repeated, empty and percent-encoded values."""
    url = "http://h/v2/x?a=1&a=2&b=&c=%20+%C3%BC"
    assert {"a": ["1", "2"], "b": [""], "c": ["  ü"]} == sent_query(url)


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "\x1b[31m", "\x7f", "\x85", "\ud83d", "a\ufffe", "\U0010ffff", "\ufdd0", " \n"],
)
def test_text_with_odd_characters_may_be_refused(text: str) -> None:
    """O-20: control characters, noncharacters, halves of characters, and white space alone."""
    assert may_be_refused(text)
    assert may_be_refused({"a": [{"b": text}]})
    body = {"content": "x", "pageContext": {"title": text}}
    assert Memory().may_be_refused(exchange("sendMessage", body=body, path={}))
    assert not Memory().may_be_refused(exchange("sendMessage", body=body, path={}, status=409))


@pytest.mark.parametrize(
    "text", ["", "x", "a\tb\r\nc", "\ufeff", "\u2028x", "🎉", "\ue000", "\ufffd"]
)
def test_other_text_may_not_be_refused(text: str) -> None:
    """A document that restricts no characters allows all others."""
    assert not may_be_refused([text, 7, None, True, {"a": text}])


def test_refused_control_character_in_a_query_is_tolerated() -> None:
    """O-20 is about every field that takes a text."""
    assert Memory().may_be_refused(exchange("search", query="q=a%00b"))
    assert not Memory().may_be_refused(exchange("search", query="q=a%20b"))


@pytest.mark.parametrize(
    ("sent", "shown", "same", "trimmed"),
    [
        ("a", "a", True, False),
        (" a\n", "a", True, True),
        (" a ", " a", True, True),
        ("\ufeffa\u00a0", "a", True, True),
        ("  ", "", True, True),
        ("  ", None, True, False),
        ("a", None, False, False),
        ("a", "", False, False),
        ("a", 7, False, False),
        ("a b", "ab", False, False),
        ("a", "a ", False, False),
        ("a b ", "a", False, False),
        ("a\ud83db", "a\ufffdb", True, False),
        ("a\ud83db", "ab", False, False),
        ("a\U0001f389b", "a\ufffd\ufffdb", False, False),
        ("e\u0301", "\u00e9", False, False),
    ],
)
def test_only_white_space_around_a_text_may_be_removed(
    sent: str, shown: object, same: bool, trimmed: bool
) -> None:
    """O-20: half of a character may also become U+FFFD, for which there is no other text."""
    assert same == same_text(sent, shown)
    assert trimmed == is_trimmed(sent, shown)
