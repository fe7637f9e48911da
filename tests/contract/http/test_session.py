"""Sessions send requests as ``openapi.yaml`` describes them, and record any response."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from siteassist_contract import description
from siteassist_contract.http.recorder import Recorder, UnansweredError
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_contract.verdict import ContractBrokenError
from tests.values import API_KEY as KEY

URL = "http://127.0.0.1:1/v2"
C, M, P, Q = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 5))
TOKEN = "t0ken"
MESSAGE = {"content": "Hé🎉\n", "stream": True, "pageContext": {"url": None}}
CONTEXT = {"context": {"pageUrl": "https://example.com"}}

CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "body": ("init", {"body": {"apiKey": KEY, "saVid": "d"}}, "/identity/init"),
    "nothing": ("getMe", {}, "/identity/me"),
    "no body": ("startConversation", {}, "/conversations"),
    "empty body": ("startConversation", {"body": {}}, "/conversations"),
    "nested body": ("startConversation", {"body": CONTEXT}, "/conversations"),
    "query": (
        "getConversations",
        {"query": {"limit": 5, "offset": 0, "status": None, "orderBy": "createdAt"}},
        "/conversations?limit=5&offset=0&orderBy=createdAt",
    ),
    "nothing of a query": ("getConversations", {"query": {"limit": None}}, "/conversations"),
    "path": ("getConversation", {"path": {"conversationId": C}}, f"/conversations/{C}"),
    "path that is quoted": (
        "getConversation",
        {"path": {"conversationId": "a/b ?"}},
        "/conversations/a%2Fb%20%3F",
    ),
    "path and body": (
        "sendMessage",
        {"path": {"conversationId": C}, "body": MESSAGE},
        f"/conversations/{C}/messages",
    ),
    "null in a body": (
        "sendMessageFeedback",
        {"path": {"messageId": M}, "body": {"feedback": None}},
        f"/messages/{M}/feedback",
    ),
    "quoted query": (
        "search",
        {"query": {"q": "a&b é", "apiKey": KEY}},
        f"/search?q=a%26b+%C3%A9&apiKey={KEY}",
    ),
    "two in a path": ("getQna", {"path": {"projectId": P, "qnaId": Q}}, f"/projects/{P}/qnas/{Q}"),
}


class Server(httpx.BaseTransport):
    """A transport that records requests and always returns the same response."""

    def __init__(self, status: int = 200, content: bytes = b"{}", media: str = "") -> None:
        self._answer = (status, content, media)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response."""
        self.requests.append(request)
        status, content, media = self._answer
        headers = {"Content-Type": media} if media else {}
        return httpx.Response(status, headers=headers, content=content)


def session(server: httpx.BaseTransport, token: str | None = TOKEN) -> Session:
    """Create a session with a fake server."""
    return Session(URL, Recorder(transport=server), "first", token)


def query(target: str) -> list[tuple[str, str]]:
    """Return the parameters of a query in a fixed order."""
    return sorted(parse_qsl(urlsplit(target).query, keep_blank_values=True))


@pytest.mark.parametrize("name", CALLS)
def test_call_follows_the_description(name: str) -> None:
    """Method, path, query and body are the described ones, and the body is valid UTF-8."""
    operation_id, given, target = CALLS[name]
    server = Server()
    kept = session(server).call(operation_id, **given)
    (request,) = server.requests
    body = given.get("body")
    assert (operation_id, "first") == (kept.operation, kept.credential)
    assert description.operations()[operation_id].method == request.method == kept.method
    assert urlsplit(target).path == urlsplit(kept.target).path
    assert query(target) == query(kept.target)
    assert body == kept.sent
    assert ("" if body is None else "application/json") == kept.content_type
    assert body is None or body == json.loads(kept.body.decode())


@pytest.mark.parametrize("place", ["path", "query", "header"])
def test_undescribed_parameter_is_refused(place: str) -> None:
    """An unknown or missing parameter raises an error before anything is sent."""
    server = Server()
    with pytest.raises(KeyError, match="limt"):
        session(server).call("getConversations", **{place: {"limt": "1"}})
    with pytest.raises(KeyError, match="conversationId"):
        session(server).call("getConversation")
    assert [] == server.requests


def test_token_is_sent_as_bearer() -> None:
    """A session without a token sends no `Authorization` header."""
    with_token, without = Server(), Server()
    session(with_token).call("getMe")
    session(without, token=None).call("getMe")
    assert "Bearer t0ken" == with_token.requests[0].headers["Authorization"]
    assert "Authorization" not in without.requests[0].headers


def test_request_parts_are_sent() -> None:
    """Header parameters are sent as well, and another body may replace the request's own."""
    server = Server()
    request = RequestParts("search", query={"q": "a"}, header={"X-Lang": "de"}, body={"a": 1})
    kept = session(server).send(request)
    assert ("search", "GET", "/search?q=a", {"a": 1}) == (
        *(kept.operation, kept.method, kept.target, kept.sent),
    )
    assert "de" == server.requests[0].headers["X-Lang"]
    assert b"{" == session(server).send(request, body=b"{").body


UNREADABLE = [
    (200, b"", ""),
    (200, b"{", "application/json"),
    (200, b"\xff\xfe", "application/json"),
    (200, b"[]", "application/json"),
    (200, b"null", "application/json"),
    (200, b'"x"', "application/json"),
    (200, b"5", "application/json"),
    (200, b'{"id": 5, "data": 5, "visitor": 5, "results": [5], "steps": {}}', "application/json"),
    (200, b'{"id": null, "data": [null], "visitor": null, "steps": [[]]}', "application/json"),
    (200, b'{"data": [{}], "total": "x", "results": [null]}', "application/json"),
    (200, b'{"id": "no-uuid", "status": "odd", "type": "odd"}', "application/json"),
    (200, b"<html>", "text/html"),
    (200, b"data: [DONE]\n\n", "text/event-stream"),
    (201, b"7", "application/json"),
    (202, b"\xff", "text/plain"),
    (204, b"", ""),
    (302, b"", ""),
    (400, b'{"error": null}', "application/json"),
    (401, b"[1]", "application/json"),
    (418, b"tea", "text/plain"),
    (429, b'{"error": {"details": []}}', "application/json"),
    (500, b'{"error": {"code": 5}}', "application/json"),
    (599, b"\x00", "application/octet-stream"),
    (999, b"", ""),
]


@pytest.mark.parametrize("answer", UNREADABLE, ids=lambda answer: f"{answer[0]}-{answer[1]!r}")
def test_unreadable_response_is_recorded(answer: tuple[int, bytes, str]) -> None:
    """Any response to any operation is recorded to be judged, and raises no exception."""
    visitor = session(Server(*answer))
    for operation_id, given, _ in CALLS.values():
        kept = visitor.call(operation_id, **given)
        assert (operation_id, *answer) == (
            *(kept.operation, kept.status, kept.content, kept.headers.get("content-type", "")),
        )


def test_shared_recorder_separates_sessions() -> None:
    """Each exchange has the operation and the credential of its own request."""
    recorder = Recorder(transport=Server())
    one, other = Session(URL, recorder, "first", "a"), Session(URL, recorder, "second", "b")
    assert ("first", "getMe") == ((first := one.call("getMe")).credential, first.operation)
    assert ("second", "getMe") == ((second := other.call("getMe")).credential, second.operation)
    assert [first, second, one.call("startConversation")] == recorder.history


def test_missing_response_raises() -> None:
    """A request without a response raises an error."""

    class Silent(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(UnansweredError, match="no answer within 20 s"):
        session(Silent()).call("getMe")


def test_cookies_are_not_kept() -> None:
    """No visitor is known by a cookie; one that is not ASCII could not be sent back."""
    sent: list[httpx.Headers] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        cookies = [(b"set-cookie", value) for value in (b"a=b; path=/", b"\xff=\xfe")]
        return httpx.Response(200, headers=cookies)

    visitor = session(httpx.MockTransport(respond))
    for _ in range(2):
        visitor.call("getMe")
    assert [] == [headers["cookie"] for headers in sent if "cookie" in headers]


def test_id_without_an_encoding_is_sent_nonetheless() -> None:
    """A server may send half of a surrogate pair as an id; it cannot know the id sent back."""
    server = Server(404)
    session(server).call("getConversation", path={"conversationId": "a\ud800/b"})
    assert server.requests[0].url.raw_path.endswith(b"/conversations/a%3F%2Fb")


def test_id_that_is_too_long_for_a_url_ends_the_step() -> None:
    """The server has made it, so it is no error of the tests."""
    with pytest.raises(ContractBrokenError, match="getConversation cannot be requested: URL"):
        session(Server()).call("getConversation", path={"conversationId": 70_000 * "x"})


def test_unsendable_request_raises() -> None:
    """The response to an earlier request is never returned for a later one."""
    visitor = session(Server())
    visitor.call("getMe")
    with pytest.raises(UnicodeEncodeError):
        visitor.raw("getMe", "GET", "/identity/me", headers={"X": "é🎉"})


# Raw requests


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"\xff{", b"\xff{"),
        (b"", b""),
        ({"a": "é"}, b'{"a": "\\u00e9"}'),
        ({"a": "\ud800"}, b'{"a": "\\ud800"}'),
        ({}, b"{}"),
        ([], b"[]"),
        (7, b"7"),
        ("x", b'"x"'),
    ],
)
def test_raw_body_is_sent(body: Any, sent: bytes) -> None:
    """Bytes are sent verbatim and other values as JSON; an empty body has a media type."""
    server = Server()
    kept = session(server).raw("init", "POST", "/identity/init", body=body)
    assert sent == kept.body
    assert "application/json" == server.requests[0].headers["Content-Type"]


def test_raw_request_without_a_body_has_no_media_type() -> None:
    """A request without a body has no `Content-Type` header."""
    server = Server()
    kept = session(server).raw("init", "POST", "/identity/init")
    assert (b"", "") == (kept.body, kept.content_type)
    assert "Content-Type" not in server.requests[0].headers


def test_raw_headers_replace_defaults() -> None:
    """An invalid credential replaces the session's, and the sender provides its name."""
    server = Server()
    headers = {"Authorization": "Basic x", "Content-Type": "text/plain"}
    kept = session(server).raw(
        "getMe", "PUT", "/identity/me", body=b"x", headers=headers, credential="Basic x"
    )
    assert ("Basic x", "text/plain", "PUT", "getMe") == (
        *(kept.credential, kept.content_type, kept.method, kept.operation),
    )
    assert ["Basic x"] == server.requests[0].headers.get_list("Authorization")
    assert "first" == session(server).raw("getMe", "GET", "/identity/me").credential


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("/search?q=a&q=b", None, "/search?q=a&q=b"),
        ("/search", {"q": "a&b", "size": ""}, "/search?q=a%26b&size="),
        ("/search", None, "/search"),
        ("/a%2Fb", None, "/a%2Fb"),
    ],
)
def test_raw_target_is_sent(target: str, given: dict[str, str] | None, expected: str) -> None:
    """A target is sent verbatim, with its own query or the given one."""
    assert expected == session(Server()).raw("search", "GET", target, query=given).target
