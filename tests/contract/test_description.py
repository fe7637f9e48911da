"""The description's operations, and the faults of a response according to it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from siteassist_contract import description
from siteassist_contract.description import (
    document,
    ends_object,
    faults,
    forms,
    operations,
    page_due,
    page_query,
    properties,
    session_token,
    takes_key,
    validator,
)
from siteassist_spec.transform import rest_only
from tests.description import SPEC

TOKEN = description.credential_name(description.SESSION_TOKEN)
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
    (name, status, media_type, value)
    for name, operation in operations().items()
    for status, response in operation.responses.items()
    for media_type, media in response.media.items()
    for value in media.examples.values()
]


def test_description_is_complete() -> None:
    """The suite reads each operation of ``openapi.yaml``, in order."""
    paths = rest_only(document())["paths"]
    written = [each["operationId"] for item in paths.values() for each in item.values()]
    assert written == list(operations())
    assert SPEC == document().raw


def test_publishable_key_is_found() -> None:
    """An operation takes the key as a query parameter or in its body."""
    keyed = {n for n, o in operations().items() if takes_key(o)}
    named = {
        n
        for n, o in operations().items()
        if "apiKey" in {*properties(o), *(parameter.name for parameter in o.parameters)}
    }
    assert keyed
    assert named == keyed
    assert {"apiKey", "saVid"} <= set(properties(operations()["init"]))
    assert {} == properties(operations()["getMe"])


@pytest.mark.parametrize(
    ("token", "usable"),
    [
        ("abc.DEF-_~+/=", True),
        ("a b", True),
        ("", False),
        (" a", False),
        ("a\n", False),
        ("é", False),
        ("\ud800", False),
        (1, False),
        (None, False),
    ],
)
def test_session_token_fits_into_a_header(token: object, usable: bool) -> None:
    """No request could be sent with any other token."""
    assert (token if usable else None) == session_token({TOKEN: token})


def test_only_closing_ends_an_object() -> None:
    """Closing a conversation ends it, as would any DELETE."""
    assert ["closeConversation"] == [n for n, o in operations().items() if ends_object(o)]
    assert ends_object(replace(operations()["getMe"], method="DELETE"))


def test_paging_parameters_have_their_documented_names() -> None:
    """Query and response use the names of the description; other operations have no pages."""
    assert {"limit": 2, "offset": None} == page_query("getQnas", limit=2)
    assert {"limit": 2, "offset": 0} == page_due("getQnas", limit=2, offset=0)
    assert {} == page_due("getMessages", limit=2, offset=0)
    with pytest.raises(ValueError, match="getMe has no pages"):
        page_query("getMe")


def test_forms_of_a_schema_are_resolved() -> None:
    """References are resolved; a schema without alternatives is its only form."""
    visitor = {"$ref": "#/components/schemas/Visitor"}
    (form,) = forms(visitor)
    assert [form, {"type": "null"}] == list(forms({"anyOf": [visitor, {"type": "null"}]}))


def encoded(media_type: str, value: Any) -> bytes:
    """Encode an example as a server sends it."""
    return json.dumps(value).encode() if media_type == JSON else str(value).encode()


@pytest.mark.parametrize(
    ("name", "status", "media_type", "value"),
    EXAMPLES,
    ids=[f"{n}-{s}-{m}-{i}" for i, (n, s, m, _) in enumerate(EXAMPLES)],
)
def test_every_example_is_valid(name: str, status: int, media_type: str, value: Any) -> None:
    """Each example is valid; the media type may have parameters and capitals."""
    content = encoded(media_type, value)
    for header in (media_type, f"{media_type.title()} ; charset=utf-8"):
        assert [] == faults(name, status, header, content)


@pytest.mark.parametrize(
    ("status", "header", "content", "fault"),
    [
        (418, JSON, b"{}", "undocumented status 418"),
        (201, JSON, b"{}", "undocumented status 201"),
        (200, "text/html", b"{}", "200 must have the media type application/json, got text/html"),
        (200, "", b"{}", "200 must have the media type application/json, got none"),
        (200, JSON, b"", "the body is empty, expected JSON"),
        (200, JSON, b" \n", "the body is empty, expected JSON"),
        (200, JSON, b"{\xff}", "the body is not UTF-8 at byte 1"),
        (200, JSON, b"{", "the body is not JSON: "),
        (200, JSON, b'{"a": NaN}', "the body is not JSON: NaN is not a JSON number"),
        (200, JSON, b"-Infinity", "the body is not JSON: -Infinity is not a JSON number"),
        (200, JSON, b'{"a": -1e999}', "the body is not JSON: a number is too large"),
        (200, JSON, b"\xef\xbb\xbf{}", "the body is not JSON: "),
        (200, JSON, b"[]", '[] is not of type "object"'),
        (200, JSON, b"null", 'null is not of type "object"'),
        (404, JSON, b"{}", '"error" is a required property'),
    ],
)
def test_fault_of_a_response_is_reported(
    status: int, header: str, content: bytes, fault: str
) -> None:
    """Only the first fault is reported, without its consequences."""
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
def test_fault_of_a_field_is_reported_with_its_place(changed: dict[str, Any], fault: str) -> None:
    """Types, formats and enums are validated, and the message names the field."""
    (found,) = faults("getMe", 200, JSON, json.dumps({**VISITOR, **changed}).encode())
    assert found.startswith(fault)


def test_every_fault_of_a_body_is_reported() -> None:
    """Each field has a message of its own, nested references included."""
    body = {"sessionToken": 1, "visitor": {**VISITOR, "id": "x", "name": []}}
    found = faults("init", 200, JSON, json.dumps(body).encode())
    assert ["`sessionToken`", "`visitor/id`", "`visitor/name`"] == sorted(
        fault.partition(":")[0] for fault in found
    )


def test_additional_fields_are_valid() -> None:
    """The service may add fields to its responses at any time."""
    assert [] == faults("getMe", 200, JSON, json.dumps({**VISITOR, "x": [1]}).encode())


def test_plain_text_must_be_utf_8() -> None:
    """A plain-text body may be any UTF-8 text."""
    assert [] == faults("sendMessage", 202, "text/plain; charset=utf-8", b"Message sent")
    assert [] == faults("sendMessage", 202, "text/plain", b"")
    assert ["the body is not UTF-8 at byte 0"] == faults("sendMessage", 202, "text/plain", b"\xff")


def test_stream_is_not_validated() -> None:
    """The body of an event stream is left to the grammar's check."""
    assert [] == faults("sendMessage", 200, "text/event-stream; charset=utf-8", b"\xff")


def test_older_spelling_is_valid() -> None:
    """C-01: one of the two spellings is required."""
    summary = next(v for n, s, _, v in EXAMPLES if (n, s) == ("startConversation", 201))
    older = json.dumps(summary).replace("lastInteractionAt", "lastInterationAt")
    assert older != json.dumps(summary)
    assert [] == faults("startConversation", 201, JSON, older.encode())
    without = json.dumps({k: v for k, v in summary.items() if k != "lastInteractionAt"})
    assert ['"lastInteractionAt" is a required property'] == faults(
        "startConversation", 201, JSON, without.encode()
    )


def test_schema_with_references_is_compiled() -> None:
    """A reference may have other keywords beside it."""
    schema = {"$ref": "#/components/schemas/VisitorId", "maxLength": 5}
    assert not validator(schema).is_valid(ID)
    assert validator({"$ref": "#/components/schemas/Visitor"}).is_valid(VISITOR)


@pytest.mark.parametrize(
    ("header", "content", "found"),
    [
        ("", b"", []),
        ("text/html", b"", []),
        ("application/json", b"{}", ["204 must have no body, got '{}'"]),
        ("", b"\n", ["204 must have no body, got '\\n'"]),
    ],
)
def test_response_without_content_must_have_no_body(
    header: str, content: bytes, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response without content needs no media type, and a body is a fault."""
    known = operations()
    empty = replace(known["getMe"].responses[200], status=204, media={})
    changed = replace(known["getMe"], responses={204: empty})
    monkeypatch.setattr(description, "all_operations", lambda: {"getMe": changed})
    assert found == faults("getMe", 204, header, content)
