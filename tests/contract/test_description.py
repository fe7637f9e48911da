"""What the description says of each operation, and where an answer breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from siteassist_contract.description import (
    complaints,
    faults,
    load_components,
    operations,
    resolve,
    validator,
)
from siteassist_spec import load_spec

SPEC = load_spec()
JSON = "application/json"
ID = "123e4567-e89b-12d3-a456-426614174000"
VISITOR: dict[str, Any] = {
    "id": ID,
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
EXAMPLES = [
    (operation["operationId"], int(status), media_type, followed["value"])
    for item in SPEC["paths"].values()
    for operation in item.values()
    for status, response in operation["responses"].items()
    for media_type, media in resolve(SPEC, response)["content"].items()
    for example in media["examples"].values()
    for followed in [resolve(SPEC, example)]
]


def test_all_operations_are_known_as_they_are_written() -> None:
    """By their ids, with method, path, credential, body and statuses."""
    written = {
        operation["operationId"]: (
            method.upper(),
            path,
            bool(operation["security"]),
            "requestBody" in operation,
            operation.get("requestBody", {}).get("required", False),
            set(map(int, operation["responses"])),
        )
        for path, item in SPEC["paths"].items()
        for method, operation in item.items()
    }
    assert written == {
        name: (
            *(each.method, each.path, each.needs_token),
            *(each.body is not None, each.body_required, set(each.responses)),
        )
        for name, each in operations().items()
    }


def test_references_of_parameters_are_followed() -> None:
    """And those of their schemas."""
    parameters = {each["name"]: each for each in operations()["getConversations"].parameters}
    assert ["limit", "offset", "status", "orderBy", "orderDir"] == list(parameters)
    assert 100 == parameters["limit"]["schema"]["maximum"]
    assert ["asc", "desc"] == parameters["orderDir"]["schema"]["enum"]


def test_label_is_what_people_call_it() -> None:
    """Method, path and id."""
    assert "GET /search (search)" == operations()["search"].label


def test_only_two_operations_stream() -> None:
    """Their payloads have a schema, their whole streams have none."""
    streams = {name: each.stream for name, each in operations().items() if each.stream}
    assert {"sendMessage", "createChatCompletion"} == set(streams)
    for name, extension in streams.items():
        assert extension is not None
        assert "[DONE]" == extension["terminator"]
        media = operations()[name].responses[200]["text/event-stream"]
        assert media.schema is None
        assert media.payload is not None
        assert media.payload.is_valid({"type": "start"})
        assert not media.payload.is_valid({"type": "text-delta"})


def encoded(media_type: str, value: Any) -> bytes:
    """Write an example as a server sends it."""
    return json.dumps(value).encode() if media_type == JSON else str(value).encode()


@pytest.mark.parametrize(
    ("name", "status", "media_type", "value"),
    EXAMPLES,
    ids=[f"{n}-{s}-{m}-{i}" for i, (n, s, m, _) in enumerate(EXAMPLES)],
)
def test_every_example_is_as_described(name: str, status: int, media_type: str, value: Any) -> None:
    """With and without parameters of the media type, in capitals too."""
    content = encoded(media_type, value)
    for header in (media_type, f"{media_type.title()} ; charset=utf-8"):
        assert [] == faults(name, status, header, content)


@pytest.mark.parametrize(
    ("status", "header", "content", "fault"),
    [
        (418, JSON, b"{}", "418 is no status that is documented for it"),
        (201, JSON, b"{}", "201 is no status that is documented for it"),
        (200, "text/html", b"{}", "200 comes as application/json, this one as text/html"),
        (200, "", b"{}", "200 comes as application/json, this one as nothing"),
        (200, JSON, b"", "the body is empty, and should be JSON"),
        (200, JSON, b" \n", "the body is empty, and should be JSON"),
        (200, JSON, b"{\xff}", "the body is not UTF-8 at byte 1"),
        (200, JSON, b"{", "the body is not JSON: "),
        (200, JSON, b'{"a": NaN}', "the body is not JSON: NaN is no JSON number"),
        (200, JSON, b"-Infinity", "the body is not JSON: -Infinity is no JSON number"),
        (200, JSON, b"\xef\xbb\xbf{}", "the body is not JSON: "),
        (200, JSON, b"[]", '[] is not of type "object"'),
        (200, JSON, b"null", 'null is not of type "object"'),
        (404, JSON, b"{}", '"error" is a required property'),
    ],
)
def test_fault_of_an_answer_is_told(status: int, header: str, content: bytes, fault: str) -> None:
    """The first thing that is wrong is said in words, and nothing that follows from it."""
    (found,) = faults("getMe", status, header, content)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"id": "no-uuid"}, '`id`: "no-uuid" is not a "uuid"'),
        ({"id": 7}, '`id`: 7 is not of type "string"'),
        ({"type": "odd"}, '`type`: "odd" is not one of'),
        ({"name": 1}, "`name`: 1 is not of types"),
    ],
)
def test_fault_of_a_field_is_told_with_its_place(changed: dict[str, Any], fault: str) -> None:
    """Formats and enums are part of the description."""
    (found,) = faults("getMe", 200, JSON, json.dumps({**VISITOR, **changed}).encode())
    assert found.startswith(fault)


def test_every_fault_of_a_body_is_told() -> None:
    """One sentence per place, also of those in a reference's reference."""
    body = {"sessionToken": 1, "visitor": {**VISITOR, "id": "x", "name": []}}
    found = faults("init", 200, JSON, json.dumps(body).encode())
    assert ["`sessionToken`", "`visitor/id`", "`visitor/name`"] == sorted(
        fault.partition(":")[0] for fault in found
    )


def test_further_fields_are_no_fault() -> None:
    """The service may add to its answers at any time."""
    assert [] == faults("getMe", 200, JSON, json.dumps({**VISITOR, "x": [1]}).encode())


def test_plain_text_is_read_as_it_is() -> None:
    """It is no JSON, but it is UTF-8."""
    assert [] == faults("sendMessage", 202, "text/plain; charset=utf-8", b"Message sent")
    assert [] == faults("sendMessage", 202, "text/plain", b"")
    assert ["the body is not UTF-8 at byte 0"] == faults("sendMessage", 202, "text/plain", b"\xff")


def test_stream_is_not_judged_here() -> None:
    """Whatever it says."""
    assert [] == faults("sendMessage", 200, "text/event-stream; charset=utf-8", b"\xff")


def test_older_spelling_is_read() -> None:
    """C-01: one of the two spellings is enough."""
    summary = next(v for n, s, _, v in EXAMPLES if (n, s) == ("startConversation", 201))
    older = json.dumps(summary).replace("lastInteractionAt", "lastInterationAt")
    assert older != json.dumps(summary)
    assert [] == faults("startConversation", 201, JSON, older.encode())
    without = json.dumps({k: v for k, v in summary.items() if k != "lastInteractionAt"})
    assert ['"lastInteractionAt" is a required property'] == faults(
        "startConversation", 201, JSON, without.encode()
    )


def test_long_complaint_is_cut_in_the_middle() -> None:
    """What is wrong is at its end, what it is about at its beginning."""
    (short,) = complaints(validator({"type": "object"}), 50 * "x")
    (long,) = complaints(validator({"type": "object"}), 500 * "x")
    assert f'"{50 * "x"}" is not of type "object"' == short
    assert 203 == len(long)
    assert long.startswith('"xxx')
    assert long.endswith('xxx" is not of type "object"')
    assert " … " in long


def test_schema_with_references_is_compiled() -> None:
    """Those beside other keywords too."""
    schema = {"$ref": "#/components/schemas/VisitorId", "maxLength": 5}
    assert not validator(schema).is_valid(ID)
    assert validator({"$ref": "#/components/schemas/Visitor"}).is_valid(VISITOR)
    assert SPEC["components"] == load_components()
