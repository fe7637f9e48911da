"""The serialization of values to path segments, JSON and queries."""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from siteassist.models.chat_message import ChatMessage
from siteassist.models.chat_role import ChatRole
from siteassist.models.conversation_order_by import ConversationOrderBy
from siteassist.models.page_context import PageContext
from siteassist_runtime.serialization import jsonable, present, segment, texts
from siteassist_runtime.unset import UNSET

ID = uuid.UUID("5d1f1f0e-3c39-4c0c-9a3e-0b6c3e0a7d51")


class Colour(Enum):
    """An enum whose members are not strings."""

    RED = "red"
    COUNT = 3


class Size(StrEnum):
    """An enum whose members are strings."""

    LARGE = "large"


class Mixed(str, Enum):  # noqa: UP042  # found in older programs
    """A string enum from before `StrEnum`, whose `str` is the member's name."""

    SMALL = "small"


class Level(IntEnum):
    """An enum whose members are numbers."""

    HIGH = 2


class Model:
    """An object with a `to_dict` method, as models have."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"a": 1}


# Paths.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc-DEF_1.~", "abc-DEF_1.~"),
        (ID, str(ID)),
        (5, "5"),
        ("...", "..."),
        (".a", ".a"),
        (" ", "%20"),
        ("a b+c", "a%20b%2Bc"),
        ("a/b", "a%2Fb"),
        ("../../identity/me", "..%2F..%2Fidentity%2Fme"),
        ("..\\", "..%5C"),
        ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"),
        ("%2e%2e", "%252e%252e"),
        ("%", "%25"),
        ("a;b:c@d", "a%3Bb%3Ac%40d"),
        ("é€😀", "%C3%A9%E2%82%AC%F0%9F%98%80"),
        ("\x00\r\n", "%00%0D%0A"),
        (Size.LARGE, "large"),
    ],
)
def test_segment_is_escaped(value: object, expected: str) -> None:
    """A segment is escaped: it reaches no other path, and the service decodes the same value."""
    assert expected == segment(value, "conversation_id")
    assert str(value) == unquote(expected)
    url = httpx.URL(f"http://127.0.0.1/v2/conversations/{expected}/messages")
    path, _, query = url.raw_path.partition(b"?")
    assert (f"/v2/conversations/{expected}/messages".encode(), b"") == (path, query)
    assert urlsplit(str(url)).path == f"/v2/conversations/{expected}/messages"


@pytest.mark.parametrize("value", ["", ".", "..", None, UNSET])
def test_empty_or_dotted_segment_is_refused(value: object) -> None:
    """Missing values and dots would address another resource; the message names the argument."""
    with pytest.raises(ValueError, match=r"^conversation_id must not be empty") as caught:
        segment(value, "conversation_id")
    assert f"conversation_id must not be empty, '.' or '..', got {value!r}" == str(caught.value)


def test_segment_must_be_encodable() -> None:
    """A lone surrogate raises ValueError."""
    with pytest.raises(ValueError, match="surrogates"):
        segment("\ud800", "conversation_id")


# JSON.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (0.5, 0.5),
        ("", ""),
        ("é", "é"),
        (ID, str(ID)),
        ({}, {}),
        ([], []),
        ((), []),
        ((1, (2,)), [1, [2]]),
        (Size.LARGE, "large"),
        (Mixed.SMALL, "small"),
        (Level.HIGH, 2),
        (Colour.RED, "red"),
        (Colour.COUNT, 3),
        (ChatRole.USER, "user"),
        (ChatRole("brand-new"), "brand-new"),
        (Model(), {"a": 1}),
        (ChatMessage(role=ChatRole.USER, content="Hi"), {"role": "user", "content": "Hi"}),
        ([Model(), {"b": Model()}], [{"a": 1}, {"b": {"a": 1}}]),
        ({"a": UNSET, "b": None, "c": {"d": UNSET, "e": [ID]}}, {"b": None, "c": {"e": [str(ID)]}}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (MappingProxyType({"a": Size.LARGE}), {"a": "large"}),
    ],
)
def test_value_becomes_plain_json(value: Any, expected: Any) -> None:
    """Models, enums, UUIDs and mappings become JSON at any depth; unset values are omitted."""
    found = jsonable(value)
    assert expected == found
    assert type(expected) is type(json.loads(json.dumps(found)))
    assert json.dumps(expected) == json.dumps(found)


@pytest.mark.parametrize("value", [Size.LARGE, Mixed.SMALL, ChatRole("brand-new")])
def test_string_enum_becomes_a_plain_string(value: str) -> None:
    """A string enum becomes a plain `str`."""
    assert str is type(jsonable(value))


def test_given_value_is_not_modified() -> None:
    """Serialization does not modify the given value, so a retry sends the same body."""
    given = {"a": UNSET, "b": [Size.LARGE]}
    jsonable(given)
    assert {"a": UNSET, "b": [Size.LARGE]} == given


def test_present_drops_unset_fields() -> None:
    """`present` drops unset fields and keeps null."""
    fields = {
        "content": "Hi",
        "pageContext": PageContext(url="https://example.com/"),
        "a": None,
        "b": UNSET,
        "c": False,
    }
    assert {
        "content": "Hi",
        "pageContext": {"url": "https://example.com/"},
        "a": None,
        "c": False,
    } == present(fields)
    assert {} == present({"a": UNSET})


# Queries.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (10, "10"),
        (10.0, "10"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (2.5, "2.5"),
        (float("inf"), "inf"),
        ("", ""),
        ("a b&c", "a b&c"),
        (ID, str(ID)),
        (Size.LARGE, "large"),
        (Mixed.SMALL, "small"),
        (Colour.RED, "red"),
        (ConversationOrderBy.CREATEDAT, "createdAt"),
        (ConversationOrderBy("brand-new"), "brand-new"),
    ],
)
def test_parameter_becomes_text(value: object, expected: str) -> None:
    """Whole numbers have no fraction, booleans are lower case, enums become their value."""
    assert {"name": expected} == texts({"name": value})


def test_unset_and_null_parameters_are_omitted() -> None:
    """Unset and null parameters are omitted; false and empty values are sent."""
    assert {"c": "0", "d": "", "e": "false"} == texts(
        {"a": UNSET, "b": None, "c": 0, "d": "", "e": False}
    )


class Object:
    """An object with a long repr, such as a model."""

    def __repr__(self) -> str:
        """Return a description."""
        return "<a long description>"


@pytest.mark.parametrize("value", [Object(), b"x", ["x"], {"id": "x"}, Object, lambda: "x"])
def test_object_in_place_of_an_identifier_is_an_error(value: Any) -> None:
    """The description of an object never travels in a path, and is not in the message."""
    with pytest.raises(TypeError, match=r"^message_id must be a string or a UUID, got ") as caught:
        segment(value, "message_id")
    assert "long description" not in str(caught.value)


@pytest.mark.parametrize("value", [Object(), b"x", ["x"], Object])
def test_object_in_a_query_is_an_error(value: Any) -> None:
    """Nor in a query or a header."""
    with pytest.raises(TypeError, match=r"^q must be a string or a number, got "):
        texts({"q": value})
