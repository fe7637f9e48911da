"""The visitors behind a request: its sender, and the owner of the object that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.tokens import Tokens

if TYPE_CHECKING:
    from siteassist_mock.http.call import Call, Services
    from siteassist_mock.storage.store import Store
    from siteassist_mock.storage.tables import VisitorRow
    from tests.faults.exchange import Exchange

__all__ = ["owner_of", "sender_of", "session_of"]


def owner_of(call: Call) -> str | None:
    """Return the id of the visitor who owns the object, or None if there is no such object."""
    with call.services.store.read() as records:
        conversation_id = call.path.get("conversationId")
        if conversation_id is None:
            message = records.message(call.path["messageId"])
            if message is None:
                return None
            conversation_id = message.conversation_id
        conversation = records.any_conversation(conversation_id)
    return None if conversation is None else conversation.visitor_id


def sender_of(services: Services, exchange: Exchange) -> VisitorRow | None:
    """Return the visitor of the bearer token, or None if it is missing or not valid."""
    try:
        return services.authenticator.visitor(exchange.request_headers.getlist("authorization"))
    except ApiError:
        return None


def session_of(store: Store, bearer: str) -> tuple[str, str] | None:
    """Return the ids of a session and of its visitor; None if the token is not of a session.

    ``bearer`` is the header ``Authorization``. It may have a private key, which has no session.
    """
    scheme, _, token = bearer.partition(" ")
    session = Tokens(store.secret, store.steady).read(token.strip())
    if scheme.lower() != "bearer" or session is None:
        return None
    with store.read() as records:
        found = records.session(session)
    return None if found is None else (session, found[0].id)
