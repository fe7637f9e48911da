"""Valid requests built from the description, and copies with one change."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from siteassist_contract.description import (
    API_KEY,
    credential_name,
    operations,
    takes_key,
    validator,
)
from siteassist_contract.http.valid_requests import (
    RequestParts,
    valid_request,
    valid_requests,
    value_of,
    with_key,
)
from tests.values import API_KEY as KEY

ID = "123e4567-e89b-12d3-a456-426614174000"
IDS = dict.fromkeys(("conversationId", "messageId", "projectId", "qnaId"), ID)


def test_all_ids_and_a_key_allow_all_operations() -> None:
    """Each operation has a request, which is valid according to the description."""
    found = valid_requests(IDS, KEY)
    assert list(operations()) == list(found)
    for name, request in found.items():
        operation = operations()[name]
        for parameter in operation.parameters:
            given = getattr(request, parameter.place)
            assert parameter.name in given or not parameter.required
        if operation.body is not None and request.body is not None:
            assert validator(operation.body.schema).is_valid(request.body)


def test_request_is_minimal() -> None:
    """A request has only required parts, with the examples' values and the suite's device."""
    found = valid_requests(IDS, KEY)
    assert found["startConversation"].body is None
    assert found["getConversations"].query == {}
    assert found["sendMessageFeedback"].body == {"feedback": "like"}
    assert set(found["sendMessage"].body) == {"content"}
    assert found["init"].body == {"apiKey": KEY, "saVid": "siteassist-contract"}
    assert set(found["search"].query) == {"q", "apiKey"}
    streaming = {name for name, operation in operations().items() if operation.stream}
    assert streaming == {name for name, each in found.items() if each.costs}


@pytest.mark.parametrize("missing", IDS)
def test_operation_without_its_id_has_no_request(missing: str) -> None:
    """Only operations whose object is missing have no request."""
    found = valid_requests({name: ID for name in IDS if name != missing}, KEY)
    assert {
        name
        for name, operation in operations().items()
        if missing not in {parameter.name for parameter in operation.places("path")}
    } == set(found)


def test_operation_that_takes_a_key_has_no_request_without_one() -> None:
    """The key may be in the query or in the body."""
    left_out = set(operations()) - set(valid_requests(IDS, None))
    assert {name for name, each in operations().items() if takes_key(each)} == left_out
    assert valid_request(operations()["getMe"], {}, None) == RequestParts("getMe")


@pytest.mark.parametrize(
    ("name", "place"), [("search", "query"), ("getProject", "query"), ("init", "body")]
)
def test_key_is_changed_in_place(name: str, place: str) -> None:
    """Only the key changes."""
    request = valid_requests(IDS, KEY)[name]
    changed = with_key(request, "other")
    assert {**getattr(request, place), credential_name(API_KEY): "other"} == getattr(changed, place)
    assert request == with_key(changed, KEY)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "minLength": 7},
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "uri"},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 3},
        {"type": ["null", "number"]},
        {"type": "boolean"},
        {"type": "array", "minItems": 2, "items": {"type": "integer"}},
        {"enum": [None, "a"]},
        {"const": 7},
        {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
        {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
        },
    ],
)
def test_value_is_valid(schema: dict[str, Any]) -> None:
    """A parameter or field without an example has a valid value."""
    value = value_of(schema)
    assert value is not None
    assert jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)


def test_target_quotes_path_parameters() -> None:
    """Any value of a path parameter stays one segment of the path."""
    request = RequestParts("getQna", {"projectId": "a/b", "qnaId": "ü?#%"})
    assert ("GET", "/projects/a%2Fb/qnas/%C3%BC%3F%23%25") == (request.method, request.target)


def test_copy_does_not_change_the_original() -> None:
    """The original stays the same, nested values included."""
    request = RequestParts("search", {"p": "1"}, {"q": "a", "size": "1"}, {"h": "1"}, {"list": [1]})
    other = request.changed(path={"p": "2"}, query={"q": None, "n": "5", "x": None})
    other = other.changed(header={"h": "2"})
    assert other == RequestParts(
        "search", {"p": "2"}, {"size": "1", "n": "5"}, {"h": "2"}, {"list": [1]}
    )
    other.body["list"].append(2)
    assert {"list": [1]} == request.body
    assert {"q": "a", "size": "1"} == request.query


@pytest.mark.parametrize("body", [None, {}, [], "x", 0])
def test_body_can_be_replaced_by_any_value(body: object) -> None:
    """The body may also be removed."""
    request = RequestParts("init", body={"a": 1})
    assert body == request.changed(body=body).body
    assert {"a": 1} == request.changed().body
