"""Requests against the description."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.request_validation import RequestValidator
from siteassist_spec import Body, Document, SpecError, read_operations

JSON = "application/json"


@pytest.fixture(scope="module")
def validators(spec: dict[str, Any]) -> dict[str, RequestValidator]:
    """Compile the validator of every operation."""
    return {
        name: RequestValidator(name, operation.parameters, operation.body, spec)
        for name, operation in read_operations(Document(spec)).items()
    }


def refused(error: ApiError) -> tuple[int, str, Any]:
    """Return what the client learns of a refusal."""
    return error.status, error.code, (error.details or {}).get("field")


def test_path_parameters_come_back_in_lower_case(
    validators: dict[str, RequestValidator],
) -> None:
    """A UUID is the same in capitals (RFC 9562)."""
    path = {"conversationId": "123E4567-E89B-12D3-A456-426614174000"}
    assert validators["getConversation"].path(path) == {
        "conversationId": "123e4567-e89b-12d3-a456-426614174000"
    }


@pytest.mark.parametrize("value", ["x", "\0", "123e4567e89b12d3a456426614174000", "é"])
def test_a_bad_path_parameter_is_named(validators: dict[str, RequestValidator], value: str) -> None:
    """What is no UUID is a malformed parameter."""
    with pytest.raises(ApiError) as caught:
        validators["getConversation"].path({"conversationId": value})
    assert refused(caught.value) == (400, "INVALID_PARAMETER", "conversationId")


def test_absent_and_null_parameters_have_their_defaults(
    validators: dict[str, RequestValidator],
) -> None:
    """Unknown names are ignored, however often they come."""
    assert validators["getConversations"].query(b"offset=null&x=1&x=2") == {
        "limit": 10,
        "offset": 0,
        "status": None,
        "orderBy": "lastInteractionAt",
        "orderDir": "desc",
    }


def test_the_messages_parameters_have_other_defaults(
    validators: dict[str, RequestValidator],
) -> None:
    """Without a limit all messages are meant, and an empty offset is null."""
    assert validators["getMessages"].query(b"offset=&role=user") == {
        "limit": None,
        "offset": 0,
        "role": "user",
        "status": None,
    }


@pytest.mark.parametrize(
    ("operation_id", "query", "field", "reason"),
    [
        ("getConversations", b"limit=0", "limit", "Limit is less than the minimum of 1"),
        ("getConversations", b"limit=101", "limit", "Limit is greater than the maximum of 100"),
        ("getConversations", b"limit=1.5", "limit", "Limit is not a whole number"),
        ("getConversations", b"limit=1&limit=1", "limit", "Limit is given more than once"),
        ("getConversations", b"limit=null", "limit", 'Limit is not of type "number"'),
        ("getConversations", b"offset=-1", "offset", "Offset is less than the minimum of 0"),
        ("getConversations", b"offset=x", "offset", 'Offset is not of types "null", "number"'),
        ("getConversations", b"offset=1e999", "offset", "Offset is out of range"),
        ("getConversations", b"status=", "status", 'Status is not one of "open" or "closed"'),
        ("getConversations", b"status=%ff", None, "The query string is not UTF-8"),
        ("getMessages", b"limit=1001", "limit", "Limit is greater than the maximum of 1000"),
        ("getProject", b"", "apiKey", "ApiKey is required"),
        ("search", b"apiKey=k&q=", "q", "Q is below minimum length of 1 characters"),
        (
            "search",
            b"apiKey=k&q=" + b"x" * 501,
            "q",
            "Q exceeds maximum length of 500 characters",
        ),
    ],
)
def test_a_bad_query_parameter_is_named(
    validators: dict[str, RequestValidator],
    operation_id: str,
    query: bytes,
    field: str | None,
    reason: str,
) -> None:
    """Every bound of a parameter is a 400, lengths included."""
    with pytest.raises(ApiError) as caught:
        validators[operation_id].query(query)
    assert refused(caught.value) == (400, "INVALID_PARAMETER", field)
    assert (caught.value.details or {})["reason"] == reason


def test_a_missing_field_gives_the_documented_body(
    spec: dict[str, Any], validators: dict[str, RequestValidator]
) -> None:
    """Message, code and field are those of the description's own example."""
    documented = spec["components"]["examples"]["BadRequest"]["value"]["error"]
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(JSON, b"{}")
    assert caught.value.message == documented["message"]
    assert refused(caught.value) == (400, documented["code"], documented["details"]["field"])


def test_a_long_text_gives_the_documented_body(
    spec: dict[str, Any], validators: dict[str, RequestValidator]
) -> None:
    """Status, code and details are those of the description's own example."""
    documented = spec["components"]["examples"]["UnprocessableEntity"]["value"]["error"]
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(JSON, b'{"content": "' + b"x" * 10_001 + b'"}')
    assert caught.value.status == 422
    assert caught.value.code == documented["code"]
    assert caught.value.message == documented["message"]
    assert caught.value.details == documented["details"]


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
def test_a_bad_body_is_named(
    validators: dict[str, RequestValidator],
    operation_id: str,
    raw: bytes,
    expected: tuple[int, str, str],
) -> None:
    """Malformed is 400 and comes first; only a wrong length is 422."""
    with pytest.raises(ApiError) as caught:
        validators[operation_id].body(JSON, raw)
    assert refused(caught.value) == expected


def test_refusals_repeat_nothing_of_what_was_sent(
    validators: dict[str, RequestValidator],
) -> None:
    """A value can be long or secret."""
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(JSON, b'{"content": "x", "stream": "s3cret"}')
    assert "s3cret" not in f"{caught.value.message} {caught.value.details}"


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json;charset=ascii"])
def test_a_body_must_say_that_it_is_json(
    validators: dict[str, RequestValidator], content_type: str | None
) -> None:
    """There is no documented 415, so a wrong media type is a malformed body."""
    with pytest.raises(ApiError) as caught:
        validators["sendMessage"].body(content_type, b'{"content": "x"}')
    assert refused(caught.value) == (400, "INVALID_REQUEST_BODY", "body")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json; charset="utf-8"; a'],
)
def test_the_media_type_may_be_written_in_every_legal_way(
    validators: dict[str, RequestValidator], content_type: str
) -> None:
    """Case and parameters do not matter, and UTF-8 is what JSON is in."""
    assert validators["sendMessage"].body(content_type, b'{"content": "x"}') == {"content": "x"}


@pytest.mark.parametrize("content_type", [None, "text/plain"])
def test_an_optional_body_may_be_left_out(
    validators: dict[str, RequestValidator], content_type: str | None
) -> None:
    """Where there is no body its media type does not matter."""
    assert validators["closeConversation"].body(content_type, b"") is None


def test_a_body_that_no_one_asked_for_is_ignored(
    validators: dict[str, RequestValidator],
) -> None:
    """An operation without a body does not look at one."""
    assert validators["getMe"].body("text/plain", b"x") is None


@pytest.mark.parametrize("schema", [{"type": "no"}, {"$ref": "#/components/schemas/No"}])
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    """The error names the operation and fits into one line."""
    with pytest.raises(SpecError, match=r"^openapi\.yaml: a: [^\n]+$"):
        RequestValidator("a", (), Body(required=True, schema=schema), {})
