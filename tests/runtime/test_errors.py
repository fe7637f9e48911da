"""Exceptions: their classes, messages and attributes, and their copies."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from siteassist import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    BadGatewayError,
    CredentialsError,
    InternalServerError,
    NotFoundError,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
    TooManyRequestsError,
)
from siteassist.errors import STATUS_ERRORS
from tests.runtime.helpers import BASE_URL, VISITOR, Handler, Run, Service, me

Fail = Callable[..., Any]

ERROR = {
    "error": {
        "message": "There is no such visitor.",
        "code": "not_found",
        "details": {"field": "id", "retryAfter": 7},
    }
}


@pytest.fixture
def fail(run_steps: Run) -> Fail:
    """Return a function that calls `get_me` with either client and returns the exception."""

    def fail(handler: Handler, **settings: Any) -> Any:
        with pytest.raises(SiteAssistError) as caught:
            run_steps(handler, me, **{"token": "a-token", "max_retries": 0, **settings})
        return caught.value

    return fail


def answering(status: int, **content: Any) -> Handler:
    """Return a service that always gives the same response."""
    return lambda _: httpx.Response(status, **content)


class Late(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is read after the head of the response, as from a socket."""

    def __init__(self, body: bytes) -> None:
        """Take the encoded bytes."""
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes."""
        yield self._body

    async def __aiter__(self) -> Any:
        """Yield the bytes."""
        yield self._body


# Error responses


@pytest.mark.parametrize("status", sorted(STATUS_ERRORS))
def test_documented_status_raises_its_class(fail: Fail, status: int) -> None:
    """A documented status raises its class, with everything the response contains as attributes."""
    headers = {"X-Request-Id": "request-1", "Retry-After": "3"}
    error = fail(answering(status, json=ERROR, headers=headers))
    assert STATUS_ERRORS[status] is type(error)
    sent: dict[str, Any] = ERROR["error"]
    assert (status, sent["code"], sent["message"], sent["details"]) == (
        error.status_code,
        error.code,
        error.message,
        error.details,
    )
    # The longer of the two waits.
    assert (7.0, "request-1", "getMe") == (error.retry_after, error.request_id, error.operation)
    assert ERROR == error.body == json.loads(error.text)
    assert httpx.codes.get_reason_phrase(status) == error.reason


def test_response_is_kept_with_its_request(fail: Fail) -> None:
    """The exception keeps the whole response and its request."""
    error = fail(answering(404, json=ERROR, headers={"X-Note": "kept"}))
    response: httpx.Response = error.response
    assert (404, "kept", ERROR) == (
        response.status_code,
        response.headers["x-note"],
        response.json(),
    )
    assert ("GET", f"{BASE_URL}/identity/me") == (
        response.request.method,
        str(response.request.url),
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {},
            (
                "getMe: 404 Not Found: There is no such visitor. "
                f"(not_found, field: id, retry after 7 s, {BASE_URL}/identity/me)"
            ),
        ),
        (
            {"X-Request-Id": "r-1"},
            (
                "getMe: 404 Not Found: There is no such visitor. "
                "(not_found, field: id, retry after 7 s, request r-1, "
                f"{BASE_URL}/identity/me)"
            ),
        ),
    ],
    ids=["plain", "request id"],
)
def test_message_names_operation_status_and_reason(
    fail: Fail, headers: dict[str, str], expected: str
) -> None:
    """The message names operation, status, reason, code, wait and, if known, the request."""
    assert expected == str(fail(answering(404, json=ERROR, headers=headers)))


def test_message_omits_unknown_parts(fail: Fail) -> None:
    """The message omits unknown parts."""
    error = fail(answering(409, json={"error": {"message": "Gone."}}))
    assert "getMe: 409 Conflict: Gone." == str(error)
    assert (None, None, None, None) == (
        error.code,
        error.details,
        error.retry_after,
        error.request_id,
    )


@pytest.mark.parametrize("status", [302, 304, 405, 418, 451, 504, 599, 777])
def test_undocumented_status_raises_the_base_class(fail: Fail, status: int) -> None:
    """An undocumented status, redirects included, raises the base class."""
    error = fail(answering(status, json=ERROR))
    assert (APIStatusError, status, "not_found") == (type(error), error.status_code, error.code)
    assert str(error).startswith(f"getMe: {status}")


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ({"field": "content", "reason": "too long"}, "(v, field: content, reason: too long)"),
        ({"field": "content", "reason": None, "at": [1]}, "(v, field: content)"),
        ({"retryAfter": 7, "limit": 10}, "(v, limit: 10, retry after 7 s)"),
        ({"reason": "x" * 1000}, f"(v, reason: {'x' * 200}…)"),
        ({"reason": "a\x1b[2J\nb"}, r"(v, reason: a\x1b[2J b)"),
        ({}, "(v)"),
    ],
)
def test_message_shows_the_details(fail: Fail, details: dict[str, Any], shown: str) -> None:
    """The field and the reason of a 422 are in the message; all plain values are."""
    told = {"error": {"message": "Invalid.", "code": "v", "details": details}}
    reason = httpx.codes.get_reason_phrase(422)
    assert f"getMe: 422 {reason}: Invalid. {shown}" == str(fail(answering(422, json=told)))


@pytest.mark.parametrize(
    "answer",
    [
        {"html": "<html>404</html>"},
        {"text": "Cannot GET /identity/me"},
        {"json": {"statusCode": 404, "message": "Cannot GET /identity/me", "error": "Not Found"}},
        {"json": {"detail": "Not Found"}},
        {"json": []},
    ],
    ids=["HTML", "text", "Nest", "FastAPI", "list"],
)
def test_unknown_address_is_no_missing_resource(fail: Fail, answer: dict[str, Any]) -> None:
    """A 404 that is not the documented error names the URL and is no `NotFoundError`."""
    error = fail(answering(404, **answer))
    assert APIStatusError is type(error)
    assert str(error).endswith(f": the base_url may be wrong ({BASE_URL}/identity/me)")
    assert f"{BASE_URL}/identity/me" == error.url


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_names_both_urls(fail: Fail, status: int) -> None:
    """The message has the URL that was asked and the one of the answer."""
    error = fail(answering(status, headers={"Location": "https://example.com/v3/"}))
    assert "redirected to https://example.com/v3/: the base_url may be wrong" == error.message
    assert str(error).endswith(f"({BASE_URL}/identity/me)")


def test_url_shows_no_query(run_steps: Run) -> None:
    """A query may hold a secret that is not known as one."""
    with pytest.raises(NotFoundError) as caught:
        run_steps(
            answering(404, json=ERROR),
            lambda client: client.get_me(extra_query={"subscription-key": "s"}),
            token="t",
        )
    assert f"{BASE_URL}/identity/me" == caught.value.url
    assert "subscription-key" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={"error": {"message": "a\x1b[31mb\r\nc\x9b\u202e\u2028"}}),
        httpx.Response(500, json={"error": {"message": "m", "code": "a\x1b\n\x07"}}),
        httpx.Response(500, content=b"\x1b]0;title\x07"),
        httpx.Response(200, content=b"\x1b]0;title\x07"),
        httpx.Response(500, headers={"X-Request-Id": "r\x07"}),
        httpx.Response(500, content=b'{"error": {"message": "\\ud83d"}}'),
        httpx.ConnectError("\x1b[2J"),
    ],
    ids=["message", "code", "body", "success", "request id", "surrogate", "connection"],
)
def test_message_has_no_control_character(
    run_steps: Run, answer: httpx.Response | Exception
) -> None:
    """Control characters and lone surrogates of a server are shown as escapes."""
    with pytest.raises(SiteAssistError) as caught:
        run_steps(Service(answer), me, token="t", max_retries=0)
    assert str(caught.value).isprintable()
    assert caught.value.message.isprintable()
    assert str(caught.value).encode()
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


BODIES: dict[str, tuple[bytes, str, object]] = {
    # Content, message, parsed body.
    "no JSON": (b"<h1>Bad\n  gateway</h1>", "<h1>Bad gateway</h1>", None),
    "empty": (b"", "the service gave no reason", None),
    "blank": (b" \n ", "the service gave no reason", None),
    "list": (b"[1]", "[1]", [1]),
    "text": (b'"Words"', '"Words"', "Words"),
    "null": (b"null", "null", None),
    "error is text": (b'{"error":"Words"}', '{"error":"Words"}', {"error": "Words"}),
    "error is a list": (b'{"error":[]}', '{"error":[]}', {"error": []}),
    "no error": (b'{"message":"Words"}', '{"message":"Words"}', {"message": "Words"}),
    "empty message": (
        b'{"error":{"message":""}}',
        '{"error":{"message":""}}',
        {"error": {"message": ""}},
    ),
    "all of the wrong type": (
        b'{"error":{"message":1,"code":2,"details":3}}',
        '{"error":{"message":1,"code":2,"details":3}}',
        {"error": {"message": 1, "code": 2, "details": 3}},
    ),
    "too deep": (b"[" * 100_000, "[" * 200 + "…", None),
    "number too long": (b"1" * 5_000, "1" * 200 + "…", None),
    "huge": (b"x" * 3_000_000, "x" * 200 + "…", None),
}


@pytest.mark.parametrize(("content", "message", "body"), BODIES.values(), ids=BODIES)
def test_body_of_any_shape_raises_the_right_class(
    fail: Fail, content: bytes, message: str, body: object
) -> None:
    """The status decides the class even if the body does not match the schema."""
    error = fail(answering(502, content=content))
    assert (BadGatewayError, message, body) == (type(error), error.message, error.body)
    assert (content.decode(), None, None) == (error.text, error.code, error.details)


def test_invalid_utf8_in_a_body_is_replaced(fail: Fail) -> None:
    """An invalid byte in the body is replaced, and the rest is read."""
    error = fail(answering(500, content=b'{"error":{"code":"oops","message":"caf\xe9"}}'))
    assert (InternalServerError, "oops", "caf\N{REPLACEMENT CHARACTER}") == (
        type(error),
        error.code,
        error.message,
    )


def test_body_with_a_byte_order_mark_is_read(fail: Fail) -> None:
    """A byte order mark, which some proxies add, is ignored."""
    error = fail(answering(404, content=b"\xef\xbb\xbf" + json.dumps(ERROR).encode()))
    assert "not_found" == error.code


def test_compressed_body_is_kept_decompressed(fail: Fail) -> None:
    """The kept response is decompressed and no longer declares an encoding."""
    packed = gzip.compress(json.dumps(ERROR).encode())
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}
    error = fail(lambda _: httpx.Response(404, headers=headers, stream=Late(packed)))
    assert ("not_found", ERROR) == (error.code, error.response.json())
    assert "content-encoding" not in error.response.headers
    assert str(len(error.text)) == error.response.headers["content-length"]


def test_error_with_invalid_gzip_keeps_its_status(fail: Fail) -> None:
    """An error response with invalid gzip raises the class of its status."""
    headers = {"Content-Encoding": "gzip"}
    error = fail(lambda _: httpx.Response(404, headers=headers, stream=Late(b"no gzip")))
    assert NotFoundError is type(error)


@pytest.mark.parametrize("status", [200, 404], ids=["success", "error"])
def test_non_ascii_header_is_accepted(fail: Fail, status: int) -> None:
    """A header with non-ASCII bytes, such as a file name, does not break error handling."""
    content = b"[]" if status == 200 else json.dumps(ERROR).encode()
    error = fail(answering(status, headers=[(b"X-Note", b"caf\xe9")], content=content))
    expected: type[SiteAssistError] = APIResponseError if status == 200 else NotFoundError
    assert expected.__name__ == type(error).__name__
    assert "café" == error.response.headers["x-note"]


@pytest.mark.parametrize("status", [200, 404], ids=["success", "error"])
@pytest.mark.parametrize(
    "charset", ["utf-16", "utf-32", "base64", "rot13", "zlib", "idna", "undefined", "unheard-of"]
)
def test_wrong_charset_is_ignored(fail: Fail, status: int, charset: str) -> None:
    """A wrong charset is ignored for JSON, including Python codecs that are not text encodings."""
    content = json.dumps(ERROR).encode()
    headers = {"Content-Type": f"application/json; charset={charset}"}
    error = fail(answering(status, content=content, headers=headers))
    expected: type[SiteAssistError] = APIResponseError if status == 200 else NotFoundError
    assert expected.__name__ == type(error).__name__
    if status == 404:
        assert "not_found" == error.code


@pytest.mark.parametrize("location", ["/elsewhere", "https://example.com/", "//", ""], ids=repr)
def test_redirect_is_an_error_with_its_status(fail: Fail, location: str) -> None:
    """A redirect is not followed; the exception keeps its Location header."""
    error = fail(answering(302, headers={"Location": location}))
    assert (APIStatusError, 302) == (type(error), error.status_code)
    assert location == error.response.headers["location"]


@pytest.mark.parametrize("location", ["mailto:x", "http://[::1", "http://a:b", "\0"], ids=repr)
def test_redirect_with_an_invalid_location_is_an_error(fail: Fail, location: str) -> None:
    """An invalid Location, which httpx parses anyway, raises SiteAssistError."""
    assert "getMe" == fail(answering(302, headers={"Location": location})).operation


def test_reason_phrase_of_the_server_is_shown(fail: Fail) -> None:
    """The message shows the server's own reason phrase."""
    error = fail(answering(777, extensions={"reason_phrase": b"Too Tired"}))
    assert "getMe: 777 Too Tired: the service gave no reason" == str(error)
    assert "Too Tired" == error.response.reason_phrase


# Invalid successful responses


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>hello</html>", "<html>hello</html>"),
        (b"", "application/json; Expecting value"),
        (b"null", "null"),
        (b"[]", "[]"),
        (b"[1,2]", "[1,2]"),
        (b"{}", "missing 'id'"),
        (json.dumps(VISITOR | {"id": None}).encode(), "one of the hex"),
        (json.dumps(VISITOR | {"id": "no uuid"}).encode(), "badly formed"),
        (json.dumps(VISITOR | {"type": 5}).encode(), "5 is not a valid VisitorType"),
        (b"[" * 100_000, "[[[["),
        (b'{"id": "\xff"}', "utf-8"),
    ],
    ids=["html", "empty", "null", "list", "numbers", "field", "null id", "id", "type", "deep", "x"],
)
def test_invalid_successful_body_is_an_error(fail: Fail, content: bytes, words: str) -> None:
    """An invalid visitor raises an error with the status, the problem and the text."""
    error = fail(answering(200, content=content, headers={"Content-Type": "application/json"}))
    assert (APIResponseError, "getMe") == (type(error), error.operation)
    assert str(error).startswith("getMe: 200 with an unexpected body (application/json; ")
    assert words in str(error)
    assert content.decode("utf-8", "replace") == error.text == error.response.text
    assert len(str(error)) < 600


def test_success_without_a_media_type_is_an_error(fail: Fail) -> None:
    """A success without content raises an error that mentions the missing type."""
    error = fail(answering(204))
    assert str(error).startswith("getMe: 204 with an unexpected body (no type; ")
    assert "" == error.text


def test_success_with_invalid_gzip_is_a_response_error(fail: Fail) -> None:
    """Invalid gzip in a success is a response error, not a connection error."""
    headers = {"Content-Encoding": "gzip"}
    error = fail(lambda _: httpx.Response(200, headers=headers, stream=Late(b"no gzip")))
    assert (APIResponseError, None, "") == (type(error), error.response, error.text)
    assert str(error).startswith("getMe: cannot decode the response: ")
    assert isinstance(error.__cause__, httpx.DecodingError)


# Connections


def raising(error: Exception) -> Handler:
    """Return a service to which every connection fails."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (httpx.ConnectError("refused"), f"cannot reach {BASE_URL}: refused"),
        (httpx.ConnectError(""), f"cannot reach {BASE_URL}: ConnectError"),
        (httpx.ReadError("reset"), f"cannot get an answer from {BASE_URL}: reset"),
        (httpx.RemoteProtocolError("odd"), f"cannot get an answer from {BASE_URL}: odd"),
        (httpx.ProxyError("403"), f"cannot reach {BASE_URL}: 403"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_broken_connection_is_an_error_with_its_cause(
    fail: Fail, cause: Exception, words: str
) -> None:
    """The message says whether the service was reached; httpx's exception is the cause."""
    error = fail(raising(cause))
    assert (APIConnectionError, f"getMe: {words}") == (type(error), str(error))
    assert (type(cause), str(cause)) == (type(error.__cause__), str(error.__cause__))


@pytest.mark.parametrize("kind", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.PoolTimeout])
@pytest.mark.parametrize(
    ("timeout", "within"), [(5, " within 5 s"), (0.25, " within 0.25 s"), (None, "")]
)
def test_timeout_names_the_limit(
    fail: Fail, kind: type[httpx.TimeoutException], timeout: float | None, within: str
) -> None:
    """Every kind of timeout raises the same exception, which states the limit."""
    error = fail(raising(kind("slow")), timeout=timeout)
    assert (APITimeoutError, f"getMe: no answer from {BASE_URL}{within}") == (
        type(error),
        str(error),
    )
    assert isinstance(error.__cause__, kind)


# Copies and pickles


def one_of_each_class() -> list[SiteAssistError]:
    """Create one exception of each class."""
    request = httpx.Request("GET", f"{BASE_URL}/identity/me", headers={"X-Note": "request"})
    response = httpx.Response(404, json=ERROR, headers={"X-Note": "response"}, request=request)
    with_status: list[type[APIStatusError]] = [APIStatusError, *STATUS_ERRORS.values()]
    plain: list[type[SiteAssistError]] = [
        SiteAssistError,
        CredentialsError,
        APIConnectionError,
        APITimeoutError,
        StreamError,
        StreamTruncatedError,
        StreamDecodeError,
    ]
    whole: list[SiteAssistError] = [
        cls(
            "words",
            operation="getMe",
            status_code=404,
            reason="Not Found",
            code="not_found",
            details={"a": [1]},
            retry_after=2.5,
            request_id="r-1",
            body={"error": {}},
            text="text",
            response=response,
        )
        for cls in with_status
    ]
    whole += [cls("words", operation="getMe") for cls in plain]
    whole.append(APIResponseError("words", operation="getMe", response=response, text="text"))
    whole.append(SiteAssistError("no operation"))
    return whole


def comparable(error: SiteAssistError) -> dict[str, Any]:
    """Return everything that an exception holds, in comparable form."""
    held: dict[str, Any] = dict(vars(error))
    response = held.pop("response", None)
    if response is not None:
        held["response"] = (
            response.status_code,
            response.headers.multi_items(),
            response.content,
            response.request.method,
            response.request.url,
            response.request.headers.multi_items(),
        )
    return {"class": type(error), "args": error.args, "str": str(error), **held}


def pickled(protocol: int) -> Callable[[Any], Any]:
    """Return a function that pickles and unpickles with this protocol."""
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


COPIERS: dict[str, Callable[[Any], Any]] = {
    **{f"pickle {protocol}": pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copy_of", COPIERS.values(), ids=COPIERS)
@pytest.mark.parametrize("error", one_of_each_class(), ids=lambda error: type(error).__name__)
def test_exception_can_be_pickled_and_copied(
    error: SiteAssistError, copy_of: Callable[[Any], Any]
) -> None:
    """A pickled or copied exception has the same class, message and attributes."""
    again = copy_of(error)
    assert error is not again
    assert comparable(error) == comparable(again)


def test_exception_of_a_call_can_be_pickled(fail: Fail) -> None:
    """An exception raised by a client can be sent to another process."""
    error = fail(answering(429, json=ERROR, headers={"X-Request-Id": "r-1"}))
    again = pickle.loads(pickle.dumps(error))
    assert comparable(error) == comparable(again)
    assert TooManyRequestsError is type(again)


def test_notes_survive_pickling() -> None:
    """Notes added to an exception are pickled with it."""
    error = NotFoundError("words", operation="getMe", status_code=404)
    error.add_note("while testing")
    assert ["while testing"] == pickle.loads(pickle.dumps(error)).__notes__


def test_deep_copy_shares_nothing() -> None:
    """Changing a deep copy leaves the original unchanged."""
    error = NotFoundError("words", operation="getMe", status_code=404, details={"a": [1]})
    again = copy.deepcopy(error)
    assert again.details is not None
    again.details["a"].append(2)
    assert {"a": [1]} == error.details


# The class hierarchy


@pytest.mark.parametrize(
    ("cls", "parents"),
    [
        (CredentialsError, {SiteAssistError}),
        (APIConnectionError, {SiteAssistError}),
        (APITimeoutError, {SiteAssistError, APIConnectionError}),
        (APIResponseError, {SiteAssistError}),
        (APIStatusError, {SiteAssistError}),
        (StreamError, {SiteAssistError}),
        (StreamTruncatedError, {SiteAssistError, StreamError}),
        (StreamDecodeError, {SiteAssistError, StreamError}),
        *((cls, {SiteAssistError, APIStatusError}) for cls in STATUS_ERRORS.values()),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_exception_has_its_documented_bases(
    cls: type[SiteAssistError], parents: set[type[Exception]]
) -> None:
    """Each exception has exactly the documented base classes."""
    ours = {found for found in cls.__mro__ if issubclass(found, SiteAssistError)} - {cls}
    assert parents == ours
    assert issubclass(cls, Exception)


def test_message_without_an_operation() -> None:
    """An exception without an operation shows only its message."""
    assert "words" == str(SiteAssistError("words"))
    assert "getMe: words" == str(SiteAssistError("words", operation="getMe"))
