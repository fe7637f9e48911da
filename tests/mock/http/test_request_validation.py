"""Tests for the validation of requests against the description."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.request_validation import RequestValidator, compile_schema, describe
from siteassist_spec import Body, Document, SpecError, read_operations

JSON = "application/json"
Validators: TypeAlias = dict[str, RequestValidator]


@pytest.fixture(scope="module")
def validators(spec: dict[str, Any]) -> Validators:
    """Compile the validator of each operation."""
    return {
        name: RequestValidator(name, operation.parameters, operation.body, spec)
        for name, operation in read_operations(Document(spec)).items()
    }


def refused(error: ApiError) -> tuple[int, str, Any]:
    """Return the status, the code and the field of a refusal."""
    return error.status, error.code, (error.details or {}).get("field")


def test_path_parameters_are_lower_cased(validators: Validators) -> None:
    """UUIDs are case-insensitive (RFC 9562)."""
    path = {"conversationId": "123E4567-E89B-12D3-A456-426614174000"}
    assert validators["getConversation"].path(path) == {
        "conversationId": "123e4567-e89b-12d3-a456-426614174000"
    }


@pytest.mark.parametrize("value", ["x", "\0", "123e4567e89b12d3a456426614174000", "é"])
def test_an_invalid_path_parameter_is_named(validators: Validators, value: str) -> None:
    """A path parameter that is not a UUID is a 400."""
    with pytest.raises(ApiError) as caught:
        validators["getConversation"].path({"conversationId": value})
    assert refused(caught.value) == (400, "INVALID_PARAMETER", "conversationId")


@pytest.mark.parametrize(
    ("operation_id", "query", "values"),
    [
        (
            "getConversations",
            b"offset=null&x=1&x=2",
            {
                "limit": 10,
                "offset": 0,
                "status": None,
                "orderBy": "lastInteractionAt",
                "orderDir": "desc",
            },
        ),
        (
            "getMessages",
            b"offset=&role=user",
            {"limit": None, "offset": 0, "role": "user", "status": None},
        ),
    ],
)
def test_absent_and_null_parameters_have_their_defaults(
    validators: Validators, operation_id: str, query: bytes, values: dict[str, Any]
) -> None:
    """Each operation has its own defaults; unknown parameters are ignored."""
    assert validators[operation_id].query(query) == values


@pytest.mark.parametrize(
    ("operation_id", "query", "field", "reason"),
    [
        ("getConversations", b"limit=0", "limit", "limit is less than the minimum of 1"),
        ("getConversations", b"limit=101", "limit", "limit is greater than the maximum of 100"),
        ("getConversations", b"limit=0.5", "limit", "limit is less than the minimum of 1"),
        ("getMessages", b"limit=1.5", "limit", 'limit is not of type "integer"'),
        ("getConversations", b"limit=1&limit=1", "limit", "limit is given more than once"),
        ("getConversations", b"limit=null", "limit", 'limit is not of type "number"'),
        ("getConversations", b"offset=-1", "offset", "offset is less than the minimum of 0"),
        ("getConversations", b"offset=x", "offset", 'offset is not of types "null", "number"'),
        ("getConversations", b"offset=1e999", "offset", "offset is out of range"),
        ("getConversations", b"status=", "status", 'status is not one of "open" or "closed"'),
        ("getConversations", b"status=%ff", None, "The query string is not UTF-8"),
        ("getMessages", b"limit=1001", "limit", "limit is greater than the maximum of 1000"),
        ("getProject", b"", "apiKey", "apiKey is required"),
        ("search", b"apiKey=k&q=", "q", "q is below minimum length of 1 characters"),
        (
            "search",
            b"apiKey=k&q=" + b"x" * 501,
            "q",
            "q exceeds maximum length of 500 characters",
        ),
    ],
)
def test_an_invalid_query_parameter_is_named(
    validators: Validators, operation_id: str, query: bytes, field: str | None, reason: str
) -> None:
    """Each violated constraint of a parameter, lengths included, is a 400."""
    with pytest.raises(ApiError) as caught:
        validators[operation_id].query(query)
    assert refused(caught.value) == (400, "INVALID_PARAMETER", field)
    assert (caught.value.details or {})["reason"] == reason


@pytest.mark.parametrize(
    ("operation_id", "raw", "reason"),
    [
        ("sendMessageFeedback", b'{"feedback": "x"}', 'feedback must be "like", "dislike" or null'),
        ("sendMessageFeedback", b'{"feedback": 1}', 'feedback must be "like", "dislike" or null'),
        ("init", b"{}", "apiKey is required, and 1 more"),
        ("init", b'{"apiKey": 1}', "saVid is required, and 1 more"),
        ("sendMessage", b'{"content": 1}', 'Content is not of type "string"'),
    ],
)
def test_a_refusal_names_allowed_values_and_fields_as_they_are_spelled(
    validators: Validators, operation_id: str, raw: bytes, reason: str
) -> None:
    """A refusal of a body can be repaired without the description, and counts other problems."""
    with pytest.raises(ApiError) as caught:
        validators[operation_id].body(JSON, raw)
    assert reason == (caught.value.details or {})["reason"]


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ({"enum": ["a", 1]}, "x", '"a" or 1'),
        ({"enum": ["a", "b", "c", "d", "e"]}, "x", 'not one of "a", "b", "c", "d" or "e"'),
        ({"enum": ["a"]}, "x", 'is not one of "a"'),
        ({"const": "a"}, "x", 'must be "a"'),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            [],
            "must be a string or an integer",
        ),
        ({"anyOf": [{"type": "null"}, {"const": 5}]}, "x", "must be null or 5"),
        (
            {
                "anyOf": [
                    {"properties": {"type": {"const": kind}}, "required": ["type", kind]}
                    for kind in ("text", "file")
                ]
            },
            {"type": "x"},
            'matches none of the allowed forms: type must be "text" or "file"',
        ),
        ({"anyOf": [{"type": "null"}, {"minLength": 5}]}, "x", "matches none of the allowed forms"),
        ({"anyOf": [{"type": "null"}]}, 1, "must be null"),
    ],
)
def test_a_union_names_what_it_allows(schema: dict[str, Any], value: object, reason: str) -> None:
    """Every enum and union names its values, types or discriminating values."""
    whole = {"type": "object", "properties": {"someField": schema}}
    validator = compile_schema("search", whole, {})
    text = describe(validator.iter_errors({"someField": value}))
    assert text.startswith("someField ")
    assert text.endswith(reason)


@pytest.mark.parametrize(
    ("example", "status", "more", "raw"),
    [
        ("BadRequest", 400, {"reason": "Content is required"}, b"{}"),
        ("UnprocessableEntity", 422, {}, b'{"content": "' + b"x" * 10_001 + b'"}'),
    ],
)
def test_a_refusal_equals_the_documented_example(
    spec: dict[str, Any],
    validators: Validators,
    example: str,
    status: int,
    more: dict[str, str],
    raw: bytes,
) -> None:
    """Message, code and details of a refused body are those of the description's example."""
    documented = spec["components"]["examples"][example]["value"]["error"]
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(JSON, raw)
    assert caught.value.status == status
    assert caught.value.code == documented["code"]
    assert caught.value.message == documented["message"]
    assert caught.value.details == {**documented["details"], **more}


@pytest.mark.parametrize(
    ("operation_id", "raw", "expected"),
    [
        ("sendMessage", b'{"content": ""}', (422, "VALIDATION_ERROR", "content")),
        ("sendMessage", b'{"content": 5}', (400, "INVALID_REQUEST_BODY", "content")),
        ("sendMessage", b'{"content": "", "stream": 1}', (400, "INVALID_REQUEST_BODY", "stream")),
        (
            "sendMessage",
            b'{"content": "x", "pageContext": {"url": 5}}',
            (400, "INVALID_REQUEST_BODY", "pageContext"),
        ),
        ("sendMessage", b"null", (400, "INVALID_REQUEST_BODY", "body")),
        ("sendMessage", b"", (400, "INVALID_REQUEST_BODY", "body")),
        ("sendMessage", b"{", (400, "INVALID_REQUEST_BODY", "body")),
        ("sendMessageFeedback", b'{"feedback": 1}', (400, "INVALID_REQUEST_BODY", "feedback")),
        ("startConversation", b"null", (400, "INVALID_REQUEST_BODY", "body")),
        (
            "startConversation",
            b'{"context": {"pageUrl": "not a uri"}}',
            (400, "INVALID_REQUEST_BODY", "context.pageUrl"),
        ),
        (
            "createChatCompletion",
            b'{"messages": [{"role": "user"}]}',
            (400, "INVALID_REQUEST_BODY", "messages.0.content"),
        ),
        (
            "createChatCompletion",
            b'{"messages": [], "assistantId": "x"}',
            (400, "INVALID_REQUEST_BODY", "assistantId"),
        ),
    ],
)
def test_an_invalid_body_is_named(
    validators: Validators, operation_id: str, raw: bytes, expected: tuple[int, str, str]
) -> None:
    """A malformed body is a 400, which precedes the 422 for an invalid length."""
    with pytest.raises(ApiError) as caught:
        validators[operation_id].body(JSON, raw)
    assert refused(caught.value) == expected


def test_refusals_do_not_repeat_values(validators: Validators) -> None:
    """A refused value may be long or secret."""
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(JSON, b'{"content": "x", "stream": "s3cret"}')
    assert "s3cret" not in f"{caught.value.message} {caught.value.details}"


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json;charset=ascii"])
def test_a_body_must_be_declared_as_json(validators: Validators, content_type: str | None) -> None:
    """A wrong media type is a 400, because no 415 is documented."""
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(content_type, b'{"content": "x"}')
    assert refused(caught.value) == (400, "INVALID_REQUEST_BODY", "body")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json; charset="utf-8"; a'],
)
def test_the_media_type_may_have_parameters(validators: Validators, content_type: str) -> None:
    """Case and unknown parameters are ignored, and the charset may be UTF-8."""
    assert validators["sendMessage"].body(content_type, b'{"content": "x"}') == {"content": "x"}


@pytest.mark.parametrize(
    ("operation_id", "content_type", "raw"),
    [
        ("closeConversation", None, b""),
        ("closeConversation", "text/plain", b""),
        ("getMe", "text/plain", b"x"),
    ],
)
def test_an_optional_or_undocumented_body_is_none(
    validators: Validators, operation_id: str, content_type: str | None, raw: bytes
) -> None:
    """The media type of an absent body, and the body of an operation without one, are ignored."""
    assert validators[operation_id].body(content_type, raw) is None


@pytest.mark.parametrize("schema", [{"type": "no"}, {"$ref": "#/components/schemas/No"}])
def test_an_invalid_schema_is_refused(schema: dict[str, Any]) -> None:
    """The error names the operation in one line."""
    with pytest.raises(SpecError, match=r"^openapi\.yaml: a: [^\n]+$"):
        RequestValidator("a", (), Body(required=True, schema=schema), {})
