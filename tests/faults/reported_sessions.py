"""Faults of sessions, and of the borders between the visitors of one server."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import jwt
from sqlalchemy import func, select

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.tokens import Tokens
from siteassist_mock.storage.store import ORDERS
from siteassist_mock.storage.tables import conversations, visitors
from tests.faults.access import devices, equal_devices
from tests.faults.faulty import operations
from tests.faults.mutant import Faults
from tests.faults.owners import session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement
    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler
    from siteassist_mock.storage.store import Records
    from tests.faults.exchange import Exchange
    from tests.faults.faulty import Server
    from tests.faults.probing import Api

__all__ = ["FAULTS"]

FAULTS = Faults("reported")
_add = FAULTS.add
_fault = FAULTS.fault

_OF_VISITORS = " ".join(
    name
    for name, operation in operations().items()
    if operation.needs_token and name != "createChatCompletion"
)


# Devices and tokens.


_add(
    "device-key-cut-at-64",
    "Devices whose identifiers have the same 64 first characters get one visitor.",
    "InitRequest.properties.saVid (F-init); R-26",
    equal_devices(lambda device: device[:64]),
    devices(f"{'d' * 64}-a", f"{'d' * 64}-b"),
    rare=True,
)


def _each_token_has_its_visitor(api: Api) -> None:
    visitor = api.visitor()
    # Like that of a browser, the client of the probe keeps cookies.
    api.visitor()
    assert visitor.id == visitor.expect("getMe")["id"]


@_fault(
    "cookie-outranks-bearer",
    "init sets a cookie as well, and a request with another token is one of the cookie's visitor.",
    "F-auth; openapi.yaml getMe.description (F-me)",
    _each_token_has_its_visitor,
)
def _cookie_outranks_bearer(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        cookies = exchange.request_headers.get("cookie", "")
        found = re.search(r"(?:^|;\s*)sa_session=([^;]+)", cookies)
        if found is not None and session_of(server.store, exchange.bearer) is not None:
            bearer = f"Bearer {found[1]}"
            if session_of(server.store, bearer) is not None:
                exchange.request_headers["authorization"] = bearer

    def begun(exchange: Exchange) -> None:
        if exchange.succeeded:
            token = exchange.json["sessionToken"]
            cookie = f"sa_session={token}; Path=/; HttpOnly; SameSite=Lax"
            exchange.headers.append("set-cookie", cookie)

    server.before(_OF_VISITORS, ask)
    server.after("init", begun)


def _forged_token_refused(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    claims, _, _ = visitor.token.rpartition(".")
    signature = urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    api.bearing(f"{claims}.{signature}").refused("getMessages", conversation, by=(401,))


@_fault(
    "messages-token-not-verified",
    "getMessages does not verify the signature of a session token.",
    "openapi.yaml Unauthorized (F-status, F-auth)",
    _forged_token_refused,
)
def _token_not_verified(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        scheme, _, token = exchange.bearer.partition(" ")
        try:
            claims = jwt.decode(
                token.strip(), options={"verify_signature": False, "verify_exp": False}
            )
            session = str(claims["jti"])
        except (jwt.InvalidTokenError, LookupError, RecursionError, ValueError):
            return
        if session and scheme.lower() == "bearer":
            verified = Tokens(server.store.secret, server.store.steady).issue(session)
            exchange.request_headers["authorization"] = f"Bearer {verified}"

    server.before("getMessages", ask)


# Data of other visitors.


def _longer_device_apart(api: Api) -> None:
    visitor = api.visitor()
    api.visitor(f"{visitor.device}-2").start()
    page = visitor.list()
    assert ([], 0) == (page["data"], page["total"])


@_fault(
    "list-matches-device-prefix",
    "getConversations lists the conversations of all devices whose identifiers begin with that of"
    " the visitor.",
    "openapi.yaml getConversations.description (P3); R-17",
    _longer_device_apart,
)
def _matching_prefix(server: Server) -> None:
    def query(
        records: Records,
        _original: Callable[..., Any],
        visitor: str,
        *,
        status: str | None,
        order_by: str,
        descending: bool,
        limit: int,
        offset: int,
    ) -> Any:
        run = records._connection
        device = run.scalar(select(visitors.c.device).where(visitors.c.id == visitor))
        # The visitor of a private key has an empty device, with which all others begin.
        begins = visitors.c.device.startswith(device or "\N{NO-BREAK SPACE}server", autoescape=True)
        own = select(visitors.c.id).where(begins | (visitors.c.id == visitor))
        where: list[ColumnElement[bool]] = [conversations.c.visitor_id.in_(own)]
        if status is not None:
            where.append(conversations.c.status == status)
        total = run.scalar(select(func.count()).select_from(conversations).where(*where))
        column, seq = ORDERS[order_by], conversations.c.seq
        order = (
            (column.desc().nulls_last(), seq.desc())
            if descending
            else (column.asc().nulls_first(), seq.asc())
        )
        matching = select(conversations.c.id).where(*where).order_by(*order)
        page = run.scalars(matching.limit(limit).offset(min(offset, 2**62))).all()
        return total, [records.any_conversation(conversation) for conversation in page]

    server.records("conversations", query)


def _refused_stream_is_not_stored(api: Api) -> None:
    owner, other = api.visitor(), api.visitor()
    conversation = owner.start()
    body = {"content": "Hi", "stream": True}
    other.refused("sendMessage", conversation, by=(403, 404), body=body)
    assert [] == owner.messages(conversation)


@_fault(
    "refused-foreign-stream-is-stored",
    "A message that asks for a stream in another visitor's conversation is stored before it is"
    " refused.",
    "R-32; openapi.yaml sendMessage (F-status)",
    _refused_stream_is_not_stored,
)
def _refused_is_stored(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        try:
            return handler(call)
        except ApiError as error:
            if error.status == 404 and call.body.get("stream"):
                with call.services.store.write() as records:
                    row = records.any_conversation(call.path["conversationId"])
                    if row is not None and row.status == "open":
                        records.add_message(row.id, "user", call.body["content"])
            raise

    server.handler("sendMessage", answer)


def _rated_in_a_second_session(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    again = api.bearing(api.session(visitor.device, wanted=200)["sessionToken"])
    again.rate(again.messages(conversation)[-1]["id"], "like")


@_fault(
    "feedback-only-from-first-session",
    "Feedback gets a 403 in other sessions than the one in which the conversation was started.",
    "openapi.yaml sendMessageFeedback.description (F-feedback); R-26",
    _rated_in_a_second_session,
)
def _only_first_session(server: Server) -> None:
    sessions: dict[str, str] = {}
    bearer: ContextVar[str] = ContextVar("bearer")

    def started(exchange: Exchange) -> None:
        found = session_of(server.store, exchange.bearer)
        if exchange.succeeded and found is not None:
            sessions[exchange.json["id"]] = found[0]

    def ask(exchange: Exchange) -> None:
        # A handler gets the visitor of a request, but not its session.
        bearer.set(exchange.bearer)

    def rated(call: Call, handler: Handler) -> ASGIApp:
        found = session_of(server.store, bearer.get())
        with call.services.store.read() as records:
            message = records.message(call.path["messageId"])
            own = message and records.conversation(message.conversation_id, call.visitor.id)
        if found is not None and own and sessions.get(own.id, found[0]) != found[0]:
            raise ApiError(403, message="Access denied to this message")
        return handler(call)

    server.after("startConversation", started)
    server.before("sendMessageFeedback", ask)
    server.handler("sendMessageFeedback", rated)
