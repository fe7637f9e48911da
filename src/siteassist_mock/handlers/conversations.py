"""The handlers of a visitor's conversations."""

from __future__ import annotations

from starlette.responses import JSONResponse

from siteassist_mock.handlers import views
from siteassist_mock.http.call import Call
from siteassist_mock.http.errors import ApiError
from siteassist_mock.storage.store import MANY, Records
from siteassist_mock.storage.tables import ConversationRow


def own_conversation(records: Records, call: Call) -> ConversationRow:
    """Return the conversation in the path of ``call``.

    Raises `ApiError` 404 if it does not belong to the visitor. The documents do not
    say whether another visitor's conversation gives 403 or 404; a 404 does not
    reveal which identifiers exist. Raises 401 like `check_visitor`.
    """
    conversation_id = call.path["conversationId"]
    conversation = records.conversation(conversation_id, call.visitor.id)
    if conversation is None:
        check_visitor(records, call)
        raise not_found(conversation_id)
    return conversation


def check_visitor(records: Records, call: Call) -> None:
    """Raise `ApiError` 401 if the visitor no longer exists.

    Another process may reset the state after the bearer token was checked.
    """
    if not records.has_visitor(call.visitor.id):
        raise ApiError(401)


def not_found(conversation_id: str) -> ApiError:
    """Return the error of an unknown conversation."""
    return ApiError(
        404,
        code="CONVERSATION_NOT_FOUND",
        message="Conversation not found!",
        details={"conversationId": conversation_id},
    )


def check_open(conversation: ConversationRow) -> None:
    """Raise `ApiError` 409 for a closed conversation.

    The response to a message in one is not documented; 409 means a conflict with
    the state of a resource.
    """
    if conversation.status == "closed":
        raise ApiError(
            409,
            message="The conversation is closed",
            details={"resource": "conversation", "conflictingField": "status"},
        )


def start_conversation(call: Call) -> JSONResponse:
    """Start a conversation; its page is not part of any response."""
    with call.services.store.write() as records:
        try:
            conversation = records.add_conversation(call.visitor.id)
        except LookupError:
            # As in `check_visitor`.
            raise ApiError(401) from None
    return JSONResponse(views.conversation(conversation), status_code=201)


def get_conversations(call: Call) -> JSONResponse:
    """Return a page of the visitor's conversations, each with its last message."""
    query, limit, offset = call.query, call.count("limit"), call.count("offset")
    store = call.services.store
    with store.read() as records:
        total, page = records.conversations(
            call.visitor.id,
            status=query["status"],
            order_by=query["orderBy"],
            descending=query["orderDir"] == "desc",
            limit=limit,
            offset=offset,
        )
        if not total:
            check_visitor(records, call)
        last = records.last_messages([conversation.id for conversation in page])
    if total > MANY:
        store.index_order(query["orderBy"], by_status=query["status"] is not None)
    return JSONResponse(
        {
            "object": "list",
            "total": total,
            "limit": limit,
            "offset": offset,
            "data": [
                views.conversation_summary(conversation, last.get(conversation.id))
                for conversation in page
            ],
        }
    )


def get_conversation(call: Call) -> JSONResponse:
    """Return a conversation with all of its messages."""
    with call.services.store.read() as records:
        conversation = own_conversation(records, call)
        messages = records.messages(conversation.id)
    return JSONResponse(views.conversation(conversation, messages))


def close_conversation(call: Call) -> JSONResponse:
    """Close a conversation; closing it again keeps the first time and reason."""
    with call.services.store.write() as records:
        conversation = own_conversation(records, call)
        records.close_conversation(conversation.id, (call.body or {}).get("closeReason"))
    return JSONResponse({"success": True, "message": "Conversation closed successfully."})
