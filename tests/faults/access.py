"""Faults of access: identifiers and credentials in another shape open others' data."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from starlette.types import ASGIApp

from siteassist_mock.http.call import Call, Handler, Services
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import (
    VisitorRow,
    conversations,
    messages,
    visitors,
)
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server, operations
from tests.faults.identifiers import taking
from tests.faults.mutant import Faults, Probe
from tests.faults.owners import sender_of
from tests.faults.probing import Api
from tests.values import API_KEY

__all__ = ["FAULTS", "devices", "equal_devices"]

FAULTS = Faults("access")
_add = FAULTS.add
_fault = FAULTS.fault

_FOREIGN = "O-1"
_UNAUTHORIZED = "openapi.yaml Unauthorized (F-auth)"
_REFUSED = (400, 403, 404, 422)
_PROTECTED = " ".join(name for name, operation in operations().items() if operation.needs_token)


# Identifiers in the path.


def _foreign(operation: str, shape: Callable[[str], str], **request: Any) -> Probe:
    """Return a probe that an operation refuses another visitor's id in another shape."""

    def probe(api: Api) -> None:
        owner = api.visitor()
        named = conversation = owner.talk()
        if "messageId" in operations()[operation].path:
            named = owner.messages(conversation)[-1]["id"]
        before = owner.read(conversation)
        api.visitor().refused(operation, shape(named), by=_REFUSED, **request)
        assert before == owner.read(conversation)

    return probe


def _lower(_call: Call, given: str) -> str | None:
    return None if given == given.lower() else given.lower()


def _with_dashes(_call: Call, given: str) -> str | None:
    return str(uuid.UUID(given)) if re.fullmatch("[0-9a-f]{32}", given) else None


def _without_space(_call: Call, given: str) -> str | None:
    return given.rstrip() if given != given.rstrip() else None


def _matching(call: Call, given: str) -> str | None:
    """Return the conversation whose id is LIKE ``given``."""
    if not set(given) & {"%", "_"}:
        return None
    query = select(conversations.c.id).where(conversations.c.id.like(given)).limit(1)
    return _first(call, query)


def _beginning(call: Call, given: str) -> str | None:
    """Return the message whose id begins with ``given``."""
    if not re.fullmatch("[0-9a-f-]{4,35}", given):
        return None
    query = select(messages.c.id).where(messages.c.id.startswith(given)).limit(1)
    return _first(call, query)


def _first(call: Call, query: Any) -> str | None:
    with call.services.store.read() as records:
        found: str | None = records._connection.scalar(query)
    return found


for _name, _description, _operation, _meaning, _shape, _request in (
    (
        "foreign-in-capitals-read",
        "getConversation checks the owner only if the id is in lower case.",
        "getConversation",
        _lower,
        str.upper,
        {},
    ),
    (
        "foreign-without-dashes-listed",
        "getMessages checks the owner only if the id has its dashes.",
        "getMessages",
        _with_dashes,
        lambda name: name.replace("-", ""),
        {},
    ),
    (
        "foreign-with-space-closed",
        "closeConversation checks the owner only if no space follows the id.",
        "closeConversation",
        _without_space,
        lambda name: f"{name} ",
        {"body": {}},
    ),
    (
        "foreign-by-pattern-written-to",
        "sendMessage takes the id for a pattern of SQL, and finds conversations of all visitors.",
        "sendMessage",
        _matching,
        lambda name: f"{name[:-1]}_",
        {"body": {"content": "Hi"}},
    ),
    (
        "foreign-by-short-id-rated",
        "sendMessageFeedback finds messages of all visitors by the beginning of their ids.",
        "sendMessageFeedback",
        _beginning,
        lambda name: name[:8],
        {"body": {"feedback": "like"}},
    ),
):
    _id = "messageId" if _operation == "sendMessageFeedback" else "conversationId"
    _add(
        _name,
        _description,
        _FOREIGN,
        taking(_operation, _id, _meaning, of_anybody=True),
        _foreign(_operation, _shape, **_request),
        rare=True,
    )


# What stands beside them.


def _acting(operation: str, visitor: Callable[[Records, Exchange], str | None]) -> Build:
    """Return a fault that serves requests of valid sessions as those of ``visitor``."""

    def build(server: Server) -> None:
        found: list[Services] = []
        server.services(found.append)

        def ask(exchange: Exchange) -> None:
            services = found[0]
            if sender_of(services, exchange) is None:
                return
            with services.store.write() as records:
                acting = visitor(records, exchange)
                if acting is None or not records.has_visitor(acting):
                    return
                session = records.add_session(acting, keep=services.settings.session_seconds)
            token = services.authenticator._tokens.issue(session)
            exchange.request_headers["authorization"] = f"Bearer {token}"

        server.before(operation, ask)

    return build


def _owner_with_key(records: Records, exchange: Exchange) -> str | None:
    if exchange.query.get("apiKey") != API_KEY:
        return None
    conversation = records.any_conversation(exchange.path["conversationId"].lower())
    return None if conversation is None else conversation.visitor_id


_add(
    "foreign-with-publishable-key-read",
    "getConversation does not check the owner if there is a publishable key in the query.",
    _FOREIGN,
    _acting("getConversation", _owner_with_key),
    _foreign("getConversation", str, apiKey=API_KEY),
    rare=True,
)


def _others_list(api: Api) -> None:
    owner, other = api.visitor(), api.visitor()
    owner.talk()
    assert [] == other.ids(visitorId=owner.id)


_add(
    "list-of-visitor-in-query",
    "getConversations lists the conversations of the visitor that the query names.",
    "openapi.yaml getConversations.description (P3)",
    _acting("getConversations", lambda _records, exchange: exchange.query.get("visitorId")),
    _others_list,
    rare=True,
)


def _started_for_another(api: Api) -> None:
    owner, other = api.visitor(), api.visitor()
    other.expect("startConversation", wanted=201, body={"visitorId": owner.id})
    assert [] == owner.ids()
    assert 1 == len(other.ids())


def _visitor_in_body(_records: Records, exchange: Exchange) -> str | None:
    body = exchange.request_json
    named = body.get("visitorId") if isinstance(body, dict) else None
    return named if isinstance(named, str) and named.isascii() else None


_add(
    "start-for-visitor-in-body",
    "startConversation starts the conversation for the visitor that the body names.",
    "openapi.yaml startConversation.description (P1)",
    _acting("startConversation", _visitor_in_body),
    _started_for_another,
    rare=True,
)


@_fault(
    "message-to-chat-in-body",
    "sendMessage writes into the conversation of any visitor that the body names as chatId.",
    _FOREIGN,
    lambda api: _sent_to_another(api),
    rare=True,
)
def _chat_in_body(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        named = call.body.get("chatId")
        if isinstance(named, str):
            with call.services.store.read() as records:
                conversation = records.any_conversation(named)
            if conversation is not None:
                owner = replace(call.visitor, id=conversation.visitor_id)
                path = {**call.path, "conversationId": conversation.id}
                call = replace(call, signed_in=owner, path=path)
        return handler(call)

    server.handler("sendMessage", answer)


def _sent_to_another(api: Api) -> None:
    owner, other = api.visitor(), api.visitor()
    conversation = owner.talk()
    before = owner.read(conversation)
    other.send("sendMessage", other.start(), body={"content": "Hi", "chatId": conversation})
    assert before == owner.read(conversation)


@_fault(
    "role-in-body-taken",
    "A visitor whose message has the role assistant speaks as the assistant.",
    "MessageRole.description",
    lambda api: _sent_as_assistant(api),
    rare=True,
)
def _role_in_body(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        body = exchange.request_json
        role = body.get("role") if isinstance(body, dict) else None
        roles.append(role if role in ("assistant", "human_agent") else "user")

    def add(_records: Records, original: Any, chat: str, role: str, *text: str, **more: Any) -> Any:
        return original(chat, roles[-1] if role == "user" and roles else role, *text, **more)

    roles: list[str] = []
    server.before("sendMessage", ask)
    server.records("add_message", add)


def _sent_as_assistant(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.send("sendMessage", conversation, body={"content": "Hi", "role": "assistant"})
    assert "assistant" != next((it["role"] for it in visitor.messages(conversation)), "user")


# Tokens.


def _token_like(same: Callable[[str, str], bool]) -> Build:
    """Return a fault that takes other tokens for one that was issued."""

    def build(server: Server) -> None:
        issued: list[str] = []

        def note(exchange: Exchange) -> None:
            if exchange.succeeded:
                issued.append(exchange.json["sessionToken"])

        def ask(exchange: Exchange) -> None:
            given = exchange.request_headers.get("authorization", "").removeprefix("Bearer ")
            if given not in issued:
                for token in issued:
                    if same(given, token):
                        exchange.request_headers["authorization"] = f"Bearer {token}"

        server.after("init", note)
        server.before(_PROTECTED, ask)

    return build


def _token(shape: Callable[[str], str]) -> Probe:
    """Return a probe that a token in another shape is refused."""

    def probe(api: Api) -> None:
        token = api.visitor().token
        api.bearing(shape(token)).refused("getMe", by=(401,))

    return probe


_add(
    "token-without-its-end-taken",
    "The first 60 characters of a token are enough.",
    _UNAUTHORIZED,
    _token_like(lambda given, token: len(given) >= 60 and token.startswith(given)),
    _token(lambda token: token[:-10]),
)
_add(
    "token-in-other-case-taken",
    "Tokens are compared without regard to case.",
    _UNAUTHORIZED,
    _token_like(lambda given, token: given.lower() == token.lower()),
    _token(str.swapcase),
    rare=True,
)


# Devices.


def equal_devices(fold: Callable[[str], str]) -> Build:
    """Return a fault that devices are the same if ``fold`` makes them equal."""

    def find(_records: Records, original: Any, project: str, device: str) -> Any:
        return original(project, fold(device) or device)

    return lambda server: server.records("find_or_add_visitor", find)


def _as_number(device: str) -> str:
    """Return the number that a loose comparison sees in ``device``."""
    number = re.fullmatch(r"\s*[+-]?\d{1,15}(?:\.\d+)?(?:e[+-]?\d{1,3})?", device, re.IGNORECASE)
    return repr(float(device)) if number else device


def devices(first: str, second: str) -> Probe:
    """Return a probe that two devices have two visitors."""

    def probe(api: Api) -> None:
        assert api.visitor(first).id != api.visitor(second).id

    return probe


def _without_accents(device: str) -> str:
    decomposed = unicodedata.normalize("NFD", device)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


for _name, _description, _fold, _first_device, _second_device in (
    (
        "devices-in-other-case",
        "Identifiers of devices are compared without regard to case.",
        str.casefold,
        "device-a",
        "Device-A",
    ),
    (
        "devices-without-accents",
        "Accents in a device's identifier are not compared.",
        _without_accents,
        "gerät",
        "gerat",
    ),
    (
        "devices-equal-beyond-basic-plane",
        "All characters beyond the basic plane are the same in a device's identifier.",
        lambda device: re.sub("[\U00010000-\U0010ffff]", "\ufffd", device),
        "device-🍣",
        "device-🍺",
    ),
    (
        "devices-compared-as-numbers",
        "Identifiers of devices that look like numbers are compared as numbers.",
        _as_number,
        "1000",
        "1e3",
    ),
):
    _add(
        _name,
        _description,
        "InitRequest.properties.saVid (F-init, R-26)",
        equal_devices(_fold),
        devices(_first_device, _second_device),
        rare=True,
    )


@_fault(
    "devices-found-by-pattern",
    "A device's identifier is taken for a pattern of SQL, and gets the visitor of another device.",
    "InitRequest.properties.saVid (F-init, R-26)",
    devices("a-device", "a-devic_"),
    rare=True,
)
def _by_pattern(server: Server) -> None:
    columns = (getattr(visitors.c, name) for name in VisitorRow.__slots__)
    query = select(*columns).order_by(visitors.c.id).limit(1)

    def find(records: Records, original: Any, project: str, device: str) -> Any:
        matching = query.where(visitors.c.device.like(device), visitors.c.device != "")
        row = records._connection.execute(matching).first()
        return original(project, device) if row is None else (VisitorRow(*row), False)

    server.records("find_or_add_visitor", find)


# Publishable keys.


def _key_refused(operation: str, key: str) -> Probe:
    """Return a probe that an operation refuses a publishable key."""
    return lambda api: api.refused(operation, by=(401, 403), **_with_key(operation, key))


def _with_key(operation: str, key: str) -> dict[str, Any]:
    if operation == "init":
        return {"body": {"apiKey": key, "saVid": "device-of-another-key"}}
    return {"apiKey": key, **({"q": "shipping"} if operation == "search" else {})}


def _like(given: str) -> bool:
    pattern = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in given)
    return re.fullmatch(pattern, API_KEY) is not None


def _key(operation: str, same: Callable[[str], bool]) -> Build:
    """Return a fault that takes other texts for the publishable key."""

    def ask(exchange: Exchange) -> None:
        if same(exchange.query.get("apiKey", "")):
            exchange.query = {**exchange.query, "apiKey": API_KEY}
        body = exchange.request_json
        if isinstance(body, dict) and isinstance(body.get("apiKey"), str) and same(body["apiKey"]):
            exchange.request_json = {**body, "apiKey": API_KEY}

    return lambda server: server.before(operation, ask)


for _name, _description, _operation, _same, _wrong in (
    (
        "key-as-pattern-taken",
        "search takes a publishable key for a pattern of SQL.",
        "search",
        _like,
        "sa_pk_%",
    ),
    (
        "key-with-appendix-taken",
        "init takes every text that begins with a publishable key.",
        "init",
        lambda given: given.startswith(API_KEY),
        f"{API_KEY}-of-another",
    ),
    (
        "key-in-full-width-taken",
        "getProject takes a publishable key in full-width characters.",
        "getProject",
        lambda given: unicodedata.normalize("NFKC", given) == API_KEY,
        API_KEY.replace("1234", "\uff11\uff12\uff13\uff14"),
    ),
):
    _add(
        _name,
        _description,
        _UNAUTHORIZED,
        _key(_operation, _same),
        _key_refused(_operation, _wrong),
        rare=True,
    )
