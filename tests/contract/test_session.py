"""Every method of a session sends what ``openapi.yaml`` says, and keeps whatever comes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from siteassist_contract import description
from siteassist_contract.session import Session
from siteassist_contract.traffic import Exchange, UnansweredError, Wire

URL = "http://127.0.0.1:1/v2"
C, M, P, Q = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 5))
TOKEN = "t0ken"
KEY = "sa_pk_1234567890abcdef"
MESSAGE = {"content": "Hé🎉\n", "stream": True, "pageContext": {"url": None}}
CHAT = {"messages": [{"role": "user", "content": "Hi"}], "stream": False, "assistantId": M}
CONTEXT = {"context": {"pageUrl": "https://example.com"}}
Call = Callable[[Session], Exchange]

CALLS: dict[str, tuple[Call, str, str, Any]] = {
    "init": (lambda s: s.init(KEY, "d"), "init", "/identity/init", {"apiKey": KEY, "saVid": "d"}),
    "me": (lambda s: s.me(), "getMe", "/identity/me", None),
    "start": (lambda s: s.start(), "startConversation", "/conversations", None),
    "start with nothing": (lambda s: s.start({}), "startConversation", "/conversations", {}),
    "start there": (lambda s: s.start(CONTEXT), "startConversation", "/conversations", CONTEXT),
    "conversations": (lambda s: s.conversations(), "getConversations", "/conversations", None),
    "conversations, all": (
        lambda s: s.conversations(
            limit=5, offset=0, status="closed", order_by="createdAt", order_dir="asc"
        ),
        "getConversations",
        "/conversations?limit=5&offset=0&status=closed&orderBy=createdAt&orderDir=asc",
        None,
    ),
    "conversation": (lambda s: s.conversation(C), "getConversation", f"/conversations/{C}", None),
    "close": (lambda s: s.close(C), "closeConversation", f"/conversations/{C}/close", None),
    "close with a reason": (
        lambda s: s.close(C, {"closeReason": "done"}),
        "closeConversation",
        f"/conversations/{C}/close",
        {"closeReason": "done"},
    ),
    "send": (
        lambda s: s.send(C, MESSAGE),
        "sendMessage",
        f"/conversations/{C}/messages",
        MESSAGE,
    ),
    "messages": (lambda s: s.messages(C), "getMessages", f"/conversations/{C}/messages", None),
    "messages, all": (
        lambda s: s.messages(C, limit=1, offset=2, role="assistant", status="complete"),
        "getMessages",
        f"/conversations/{C}/messages?limit=1&offset=2&role=assistant&status=complete",
        None,
    ),
    "feedback": (
        lambda s: s.feedback(M, "like"),
        "sendMessageFeedback",
        f"/messages/{M}/feedback",
        {"feedback": "like"},
    ),
    "feedback, taken back": (
        lambda s: s.feedback(M, None),
        "sendMessageFeedback",
        f"/messages/{M}/feedback",
        {"feedback": None},
    ),
    "complete": (lambda s: s.complete(CHAT), "createChatCompletion", "/chat/completions", CHAT),
    "project": (
        lambda s: s.project("k+ é"),
        "getProject",
        "/projects/current?apiKey=k%2B+%C3%A9",
        None,
    ),
    "qnas": (lambda s: s.qnas(P), "getQnas", f"/projects/{P}/qnas", None),
    "qnas, all": (
        lambda s: s.qnas(P, query="a b", limit=1, offset=2),
        "getQnas",
        f"/projects/{P}/qnas?query=a+b&limit=1&offset=2",
        None,
    ),
    "qna": (lambda s: s.qna(P, Q), "getQna", f"/projects/{P}/qnas/{Q}", None),
    "search": (lambda s: s.search(KEY, "a&b"), "search", f"/search?q=a%26b&apiKey={KEY}", None),
    "search, all": (
        lambda s: s.search(KEY, "a", size=3),
        "search",
        f"/search?q=a&size=3&apiKey={KEY}",
        None,
    ),
}


class Server(httpx.BaseTransport):
    """Keeps what it is sent, and gives every request the same answer."""

    def __init__(self, status: int = 200, content: bytes = b"{}", media: str = "") -> None:
        self._answer = (status, content, media)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Give the answer."""
        self.requests.append(request)
        status, content, media = self._answer
        headers = {"Content-Type": media} if media else {}
        return httpx.Response(status, headers=headers, content=content)


def session(server: httpx.BaseTransport, token: str | None = TOKEN) -> Session:
    """Make a session with a server of ours."""
    return Session(URL, Wire(transport=server), "first", token)


def query(target: str) -> list[tuple[str, str]]:
    """Return what a query says, in any order."""
    return sorted(parse_qsl(urlsplit(target).query, keep_blank_values=True))


@pytest.mark.parametrize("name", CALLS)
def test_method_sends_what_the_description_says(name: str) -> None:
    """Method, path, query and body, and nothing that was not asked for."""
    call, operation_id, target, body = CALLS[name]
    server = Server()
    kept = call(session(server))
    operation = description.operations()[operation_id]
    (request,) = server.requests
    assert (operation_id, "first") == (kept.operation, kept.credential)
    assert operation.method == request.method == kept.method
    path = re.sub(r"\{\w+\}", "[^/?]+", operation.path)
    assert re.fullmatch(path, urlsplit(kept.target).path)
    assert urlsplit(target).path == urlsplit(kept.target).path
    assert query(target) == query(kept.target)
    known = {each["name"] for each in operation.parameters if each["in"] == "query"}
    assert {each for each, _ in query(kept.target)} <= known
    assert body == kept.sent
    assert ("" if body is None else "application/json") == kept.content_type
    assert b"" != kept.body or body is None
    if operation.body is not None and body is not None:
        assert description.validator(operation.body).is_valid(body)


@pytest.mark.parametrize("name", CALLS)
def test_token_is_the_bearer(name: str) -> None:
    """A session without a token sends no header."""
    call, operation_id, _, _ = CALLS[name]
    lent, none = Server(), Server()
    call(session(lent))
    call(session(none, token=None))
    if description.operations()[operation_id].needs_token:
        assert "Bearer t0ken" == lent.requests[0].headers["Authorization"]
    assert "Authorization" not in none.requests[0].headers


def test_every_operation_has_a_method() -> None:
    """And every method is one of an operation, besides the raw one."""
    assert set(description.operations()) == {each[1] for each in CALLS.values()}
    public = {name for name, _ in inspect.getmembers(Session, inspect.isfunction) if name[0] != "_"}
    assert {name.partition(",")[0].partition(" ")[0] for name in CALLS} | {"raw"} == public


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
def test_what_no_client_can_read_is_kept_all_the_same(answer: tuple[int, bytes, str]) -> None:
    """The answer is what is judged, so that no answer is an exception, from any operation."""
    visitor = session(Server(*answer))
    for call, operation_id, _, _ in CALLS.values():
        kept = call(visitor)
        assert (operation_id, *answer) == (
            *(kept.operation, kept.status, kept.content, kept.headers.get("content-type", "")),
        )


def test_answers_belong_to_their_own_requests() -> None:
    """Sessions that share a wire keep apart who asked for what."""
    wire = Wire(transport=Server())
    one, other = Session(URL, wire, "first", "a"), Session(URL, wire, "second", "b")
    assert ("first", "getMe") == ((first := one.me()).credential, first.operation)
    assert ("second", "getMe") == ((second := other.me()).credential, second.operation)
    assert [first, second, one.start()] == wire.history


def test_silence_is_an_exception() -> None:
    """Where there is no answer, none is made up."""

    class Silent(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(UnansweredError, match="no answer within 20 s"):
        session(Silent()).me()


def test_request_that_cannot_be_made_is_a_mistake_of_ours() -> None:
    """An answer to an earlier request is never taken for one to this."""
    visitor = session(Server())
    visitor.me()
    with pytest.raises(RuntimeError, match="getMe was not sent"):
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
def test_raw_body_is_sent_as_it_is(body: Any, sent: bytes) -> None:
    """Bytes stay bytes, anything else becomes JSON; an empty one still has its media type."""
    server = Server()
    kept = session(server).raw("init", "POST", "/identity/init", body=body)
    assert sent == kept.body
    assert "application/json" == server.requests[0].headers["Content-Type"]


def test_raw_request_without_a_body_has_no_media_type() -> None:
    """Nothing is nothing."""
    server = Server()
    kept = session(server).raw("init", "POST", "/identity/init")
    assert (b"", "") == (kept.body, kept.content_type)
    assert "Content-Type" not in server.requests[0].headers


def test_raw_headers_win() -> None:
    """A bad credential takes the place of the good one, and is named by whoever sends it."""
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
def test_raw_target_is_sent_as_it_is(
    target: str, given: dict[str, str] | None, expected: str
) -> None:
    """With a query of its own, or with the one that is given."""
    assert expected == session(Server()).raw("search", "GET", target, query=given).target


def test_json_of_the_description_is_sent_whole() -> None:
    """What is sent is UTF-8 that anybody can read back."""
    kept = session(Server()).send(C, MESSAGE)
    assert MESSAGE == json.loads(kept.body.decode())
