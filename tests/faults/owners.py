"""The owner of the object that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siteassist_mock.http.call import Call

__all__ = ["owner_of"]


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
