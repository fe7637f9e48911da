"""Faults of authentication and authorization."""

from __future__ import annotations

import json
import re
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from starlette.types import ASGIApp

from siteassist_mock.http.authentication import Authenticator
from siteassist_mock.http.call import Call, Handler, Services
from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import ConversationRow, VisitorRow, conversations
from tests.faults import probes
from tests.faults.edits import assuming
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server, operations
from tests.faults.mutant import Faults, Probe
from tests.faults.owners import owner_of
from tests.faults.probing import Api
from tests.faults.probing import Visitor as Caller
from tests.values import API_KEY, PRIVATE_KEY

__all__ = ["FAULTS"]

FAULTS = Faults("auth")
_add = FAULTS.add
_fault = FAULTS.fault

_UNAUTHORIZED = "openapi.yaml Unauthorized (F-auth)"
_FOREIGN = "O-1"


def _bearer(operations: str, token: Callable[[str], str | None]) -> Build:
    """Return a fault that replaces the bearer token with ``token(header)``, unless that is None."""

    def ask(exchange: Exchange) -> None:
        replaced = token(exchange.request_headers.get("authorization", ""))
        if replaced is not None:
            exchange.request_headers["authorization"] = f"Bearer {replaced}"

    return lambda server: server.before(operations, ask)


_PROTECTED = " ".join(name for name, operation in operations().items() if operation.needs_token)


def _authenticator(server: Server, patch: Callable[[Authenticator], None]) -> None:
    server.services(lambda services: patch(services.authenticator))


def _as_owner(operation: str, when: Callable[[Call], bool] = lambda _: True) -> Build:
    """Return a fault that treats every visitor as the owner of the object."""

    def answer(call: Call, handler: Handler) -> ASGIApp:
        owner = owner_of(call) if when(call) else None
        if owner is not None:
            call = replace(call, signed_in=replace(call.visitor, id=owner))
        return handler(call)

    return lambda server: server.handler(operation, answer)


def _foreign(operation: str, *, closed: bool = False, **more: Any) -> Probe:
    """Return a probe that a second visitor cannot access an object of the first."""

    def probe(api: Api) -> None:
        first, second = api.visitor(), api.visitor()
        it = first.talk()
        if operation == "sendMessageFeedback":
            it = first.messages(it)[-1]["id"]
        elif closed:
            first.close(it)
        second.refused(operation, it, by=(403, 404), **more)

    return probe


def _with_header(operation: str, make: Callable[[Caller], str], **more: Any) -> Probe:
    """Return a probe that an ``Authorization`` header is refused."""

    def probe(api: Api) -> None:
        header = make(api.visitor())
        api.refused(operation, by=(401,), headers={"Authorization": header}, **more)

    return probe


_add(
    "no-token-me",
    "getMe returns another visitor if there is no token.",
    _UNAUTHORIZED,
    _bearer("getMe", lambda header: None if header else PRIVATE_KEY),
    lambda api: api.refused("getMe", by=(401,)),
)
_add(
    "no-token-start",
    "startConversation works without a token.",
    _UNAUTHORIZED,
    _bearer("startConversation", lambda header: None if header else PRIVATE_KEY),
    lambda api: api.refused("startConversation", by=(401,)),
)
_add(
    "no-token-chat",
    "createChatCompletion accepts any token, and no token.",
    _UNAUTHORIZED,
    _bearer("createChatCompletion", lambda _: PRIVATE_KEY),
    probes.unauthorized("createChatCompletion", body=probes.CHAT),
)
_add(
    "made-up-token-list",
    "getConversations accepts any token that it cannot parse.",
    _UNAUTHORIZED,
    _bearer(
        "getConversations",
        lambda header: PRIVATE_KEY if header and header.count(".") != 2 else None,
    ),
    _with_header("getConversations", lambda _: "Bearer made-up"),
)
_add(
    "empty-token",
    "Every operation accepts an empty bearer token.",
    _UNAUTHORIZED,
    _bearer(_PROTECTED, lambda header: PRIVATE_KEY if header.strip().lower() == "bearer" else None),
    _with_header("getConversations", lambda _: "Bearer"),
    rare=True,
)
_add(
    "basic-scheme",
    "Every operation accepts a session token with the scheme Basic.",
    "openapi.yaml bearerAuth.scheme",
    _bearer(_PROTECTED, lambda header: _after(header, "Basic ")),
    _with_header("getMe", lambda visitor: f"Basic {visitor.token}"),
)
_add(
    "token-without-scheme",
    "getMe and getConversations accept the token without a scheme.",
    "openapi.yaml bearerAuth.scheme",
    _bearer(
        "getMe getConversations", lambda header: header if " " not in header and header else None
    ),
    _with_header("getMe", lambda visitor: visitor.token),
)
_add(
    "publishable-key-as-token",
    "Every operation accepts a publishable key, which is not secret, in place of a private key.",
    "F-auth; openapi.yaml bearerAuth.description",
    _bearer(
        _PROTECTED, lambda header: PRIVATE_KEY if _after(header, "Bearer ") == API_KEY else None
    ),
    _with_header("getConversations", lambda _: f"Bearer {API_KEY}"),
)
_add(
    "token-with-appendix",
    "Every operation accepts a token with appended characters.",
    _UNAUTHORIZED,
    _bearer(_PROTECTED, lambda header: _first_token(header)),
    _with_header("getMe", lambda visitor: f"Bearer {visitor.token}.x"),
    rare=True,
)


def _after(header: str, scheme: str) -> str | None:
    return header[len(scheme) :] if header.startswith(scheme) else None


def _first_token(header: str) -> str | None:
    found = re.match(r"Bearer ([\w-]+\.[\w-]+\.[\w-]+)", header)
    return found[1] if found else None


@_fault(
    "signature-unchecked",
    "The signature of a token is not checked, so that tokens can be forged.",
    _UNAUTHORIZED,
    _with_header("getMe", lambda visitor: f"Bearer {_forged(visitor.token)}"),
)
def _signature_unchecked(server: Server) -> None:
    def read(token: str) -> str | None:
        try:
            claims = json.loads(urlsafe_b64decode(f"{token.split('.')[1]}==="))
            return str(claims["jti"])
        except (ValueError, LookupError, TypeError):
            return None

    def patch(authenticator: Authenticator) -> None:
        assert authenticator._tokens.read("x") is None
        authenticator._tokens.read = read  # type: ignore[method-assign] # the fault

    _authenticator(server, patch)


def _forged(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[::-1]}"


for _name, _operation, _description, _body in (
    (
        "read-foreign",
        "getConversation",
        "getConversation returns conversations of other visitors.",
        None,
    ),
    ("messages-foreign", "getMessages", "getMessages returns messages of other visitors.", None),
    (
        "send-foreign",
        "sendMessage",
        "sendMessage writes into conversations of other visitors.",
        {"content": "Hi"},
    ),
    (
        "close-foreign",
        "closeConversation",
        "closeConversation closes conversations of other visitors.",
        {},
    ),
    (
        "rate-foreign",
        "sendMessageFeedback",
        "sendMessageFeedback rates messages of other visitors.",
        {"feedback": "like"},
    ),
):
    _sent: dict[str, Any] = {} if _body is None else {"body": _body}
    _add(_name, _description, _FOREIGN, _as_owner(_operation), _foreign(_operation, **_sent))
_add(
    "read-foreign-closed",
    "getConversation returns closed conversations of other visitors.",
    _FOREIGN,
    _as_owner("getConversation", lambda call: _is_closed(call)),
    _foreign("getConversation", closed=True),
    rare=True,
)
_add(
    "messages-foreign-by-role",
    "getMessages does not check the owner if a role is given.",
    _FOREIGN,
    _as_owner("getMessages", lambda call: call.query["role"] is not None),
    _foreign("getMessages", role="assistant"),
    rare=True,
)
_add(
    "remove-foreign-feedback",
    "sendMessageFeedback removes feedback of other visitors.",
    _FOREIGN,
    _as_owner("sendMessageFeedback", lambda call: call.body["feedback"] is None),
    _foreign("sendMessageFeedback", body={"feedback": None}),
    rare=True,
)
_add(
    "stream-foreign",
    "sendMessage checks the owner only if no stream is requested.",
    _FOREIGN,
    _as_owner("sendMessage", lambda call: call.body.get("stream") is True),
    _foreign("sendMessage", body={"content": "Hi", "stream": True}),
    rare=True,
)


def _is_closed(call: Call) -> bool:
    with call.services.store.read() as records:
        found = records.any_conversation(call.path["conversationId"])
    return found is not None and found.status == "closed"


def _of_all_visitors(
    records: Records, original: Callable[..., Any], visitor_id: str, **more: Any
) -> tuple[int, list[ConversationRow]]:
    """Return a page of the conversations of all visitors."""
    del original
    status = more["status"]
    every = [
        conversation
        for conversation in records.latest_conversations(10_000)
        if status in {None, conversation.status}
    ]
    assert visitor_id
    return len(every), every[more["offset"] : more["offset"] + more["limit"]]


def _own_only(visitor: Caller, mine: set[str], **query: Any) -> None:
    page = visitor.list(**query)
    assert {item["id"] for item in page["data"]} <= mine
    assert len(mine) == page["total"]


def _two_lists(api: Api) -> None:
    first, second = api.visitor(), api.visitor()
    first.start()
    _own_only(second, {second.start(), second.start()})


def _two_closed_lists(api: Api) -> None:
    first, second = api.visitor(), api.visitor()
    first.close(first.start())
    mine = second.start()
    second.close(mine)
    _own_only(second, {mine}, status="closed")


def _two_second_pages(api: Api) -> None:
    first, second = api.visitor(), api.visitor()
    for _ in range(5):
        first.start()
    _own_only(second, {second.start(), second.start()}, offset=1, limit=2)


@_fault(
    "list-of-everybody",
    "getConversations lists the conversations of all visitors.",
    "openapi.yaml getConversations.description (P3)",
    _two_lists,
)
def _list_of_everybody(server: Server) -> None:
    server.records("conversations", _of_all_visitors)


@_fault(
    "list-of-everybody-by-status",
    "getConversations with a status lists the conversations of all visitors.",
    "openapi.yaml getConversations.description (P3)",
    _two_closed_lists,
    rare=True,
)
def _list_of_everybody_by_status(server: Server) -> None:
    def query(records: Records, original: Callable[..., Any], *who: str, **more: Any) -> Any:
        if more["status"] is None:
            return original(*who, **more)
        return _of_all_visitors(records, original, *who, **more)

    server.records("conversations", query)


@_fault(
    "second-page-of-everybody",
    "The second page of getConversations has the conversations of all visitors.",
    "openapi.yaml getConversations.description (P3)",
    _two_second_pages,
    rare=True,
)
def _second_page_of_everybody(server: Server) -> None:
    def query(records: Records, original: Callable[..., Any], *who: str, **more: Any) -> Any:
        if not more["offset"]:
            return original(*who, **more)
        return original(*who, **more)[0], _of_all_visitors(records, original, *who, **more)[1]

    server.records("conversations", query)


@_fault(
    "total-of-everybody",
    "The total of getConversations counts the conversations of all visitors.",
    "R-17",
    _two_lists,
)
def _total_of_everybody(server: Server) -> None:
    def query(records: Records, original: Callable[..., Any], *who: str, **more: Any) -> Any:
        _, page = original(*who, **more)
        every = select(func.count()).select_from(conversations)
        return records._connection.scalar(every), page

    server.records("conversations", query)


def _wrong_key(operation: str, key: str = "pk_wrong", **query: Any) -> Probe:
    def probe(api: Api) -> None:
        if operation == "init":
            query["body"] = {"apiKey": key, "saVid": uuid.uuid4().hex}
        else:
            query["apiKey"] = key
        api.refused(operation, by=(401, 403), **query)

    return probe


def _any_key(operation: str, *, when: Callable[[str], bool]) -> Build:
    """Return a fault that an operation accepts publishable keys that do not exist."""

    def ask(exchange: Exchange) -> None:
        if operation == "init":
            sent = exchange.request_json
            if isinstance(sent, dict) and when(str(sent.get("apiKey", ""))):
                exchange.request_json = {**sent, "apiKey": API_KEY}
        elif when(exchange.query.get("apiKey", "")):
            exchange.query["apiKey"] = API_KEY

    return lambda server: server.before(operation, ask)


_KEYS = "C-18; openapi.yaml Unauthorized (F-auth)"
_add(
    "any-key-init",
    "init accepts any publishable key.",
    _KEYS,
    _any_key("init", when=bool),
    _wrong_key("init"),
)
_add(
    "any-key-project",
    "getProject accepts any publishable key.",
    _KEYS,
    _any_key("getProject", when=bool),
    _wrong_key("getProject"),
)
_add(
    "any-key-search",
    "search accepts any publishable key.",
    _KEYS,
    _any_key("search", when=bool),
    _wrong_key("search", q="desk"),
)
_add(
    "missing-key-search",
    "search does not require a publishable key.",
    "openapi.yaml parameter ApiKey.required",
    assuming("search", apiKey=API_KEY),
    lambda api: api.refused("search", q="desk", by=(400, 401, 403, 422)),
)
_add(
    "beginning-of-key",
    "init accepts a publishable key with appended characters.",
    _KEYS,
    _any_key("init", when=lambda key: key.startswith(API_KEY)),
    _wrong_key("init", key=f"{API_KEY}0"),
    rare=True,
)


_add(
    "key-in-capitals",
    "getProject compares publishable keys without regard to case.",
    _KEYS,
    _any_key("getProject", when=lambda key: key.lower() == API_KEY),
    _wrong_key("getProject", key=API_KEY.upper()),
    rare=True,
)


def _device(change: Callable[[str], str]) -> Build:
    """Return a fault that init replaces the device with ``change(device)``."""

    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        if isinstance(sent, dict):
            device = sent.get("saVid")
            if isinstance(device, str) and 0 < len(device) <= 100:
                exchange.request_json = {**sent, "saVid": change(device)}

    return lambda server: server.before("init", ask)


def _two_devices(one: str, other: str) -> Probe:
    def probe(api: Api) -> None:
        tag = uuid.uuid4().hex
        first = api.session(one.format(tag), wanted=201)
        second = api.session(other.format(tag), wanted=201)
        assert first["visitor"]["id"] != second["visitor"]["id"]

    return probe


_add(
    "one-visitor-for-all",
    "init returns the same visitor for all devices.",
    "R-26; openapi.yaml init.description (F-init)",
    _device(lambda _: "device"),
    _two_devices("{}-1", "{}-2"),
)
_add(
    "devices-by-their-beginning",
    "init compares only the first 36 characters of devices.",
    "InitRequest.properties.saVid.maxLength; R-26",
    _device(lambda device: device[:36]),
    _two_devices("{}-phone-1", "{}-phone-2"),
    rare=True,
)
_add(
    "new-visitor-each-time",
    "init creates a new visitor for a known device.",
    "R-26",
    _device(lambda _: uuid.uuid4().hex),
    probes.init,
)


@_fault(
    "known-device-gets-another-visitor",
    "The token of the second session of a device belongs to another visitor.",
    "openapi.yaml init.description (F-init); VisitorSession.properties.sessionToken",
    lambda api: _second_session(api),
    rare=True,
)
def _another_visitor(server: Server) -> None:
    def patch(services: Services) -> None:
        authenticator = services.authenticator
        begin = authenticator.begin_session

        def begin_session(device: str) -> tuple[str, VisitorRow, bool]:
            token, visitor, new = begin(device)
            return (token if new else begin(f"{device[:90]}-again")[0]), visitor, new

        authenticator.begin_session = begin_session  # type: ignore[method-assign] # the fault

    server.services(patch)


def _second_session(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    again = api.session(visitor.device, wanted=200)
    other = api.bearing(again["sessionToken"])
    assert visitor.id == other.expect("getMe")["id"]
    other.read(conversation)


@_fault(
    "me-is-the-first",
    "getMe caches the first visitor and returns it to all others.",
    "openapi.yaml getMe.description (F-me)",
    lambda api: _two_visitors(api),
)
def _me_is_the_first(server: Server) -> None:
    known: list[bytes] = []

    def hook(exchange: Exchange) -> None:
        if exchange.succeeded:
            known.append(exchange.body)
            exchange.body = known[0]

    server.after("getMe", hook)


def _two_visitors(api: Api) -> None:
    probes.me(api)
    probes.me(api)


def _refuse_without_token(operation: str) -> Build:
    def ask(exchange: Exchange) -> ASGIApp | None:
        return (
            None if "authorization" in exchange.request_headers else error_response(ApiError(401))
        )

    return lambda server: server.before(operation, ask)


_add(
    "init-needs-a-token",
    "init requires a token, which only init can issue.",
    "openapi.yaml init.security (F-init)",
    _refuse_without_token("init"),
    probes.init,
)
_add(
    "qnas-need-a-token",
    "getQnas requires a token.",
    "O-14",
    _refuse_without_token("getQnas"),
    probes.qnas,
)
_add(
    "search-needs-a-token",
    "search requires a token in addition to the key.",
    "C-24; openapi.yaml search.security (F-search)",
    _refuse_without_token("search"),
    probes.found,
)


@_fault(
    "session-refused-for-chat",
    "createChatCompletion accepts private keys only, and refuses sessions.",
    "openapi.yaml createChatCompletion.description (F-chat)",
    probes.chatted,
)
def _session_refused(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        session = exchange.request_headers.get("authorization", "").count(".") == 2
        return error_response(ApiError(403)) if session else None

    server.before("createChatCompletion", ask)
