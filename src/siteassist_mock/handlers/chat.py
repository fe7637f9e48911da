"""Completions without a stored conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siteassist_mock.content.seed import ASSISTANT_ID
from siteassist_mock.handlers.replies import whole
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.event_stream import EventStreamResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call

__all__ = ["create_chat_completion"]


def create_chat_completion(call: Call) -> ASGIApp:
    """Answer the last message of the person, whole or as a stream.

    No messages at all are allowed by the API's description, and get a greeting.
    Raises `ApiError` 404 for an assistant that is not the project's.
    """
    assistant_id = call.body.get("assistantId", ASSISTANT_ID).lower()
    if assistant_id != ASSISTANT_ID:
        raise ApiError(
            404,
            code="ASSISTANT_NOT_FOUND",
            message="Assistant not found!",
            details={"assistantId": assistant_id},
        )
    messages = call.body["messages"]
    asked = [index for index, said in enumerate(messages) if said["role"] == "user"]
    last = asked[-1] if asked else None
    question = "" if last is None else messages[last]["content"]
    context = [said["content"] for index, said in enumerate(messages) if index != last]
    reply = call.services.assistant.answer(question, context)
    if call.body.get("stream", False):
        return EventStreamResponse(
            reply.pieces(),
            delay=call.services.settings.stream_delay,
            wait=reply.delay,
            error=reply.error,
        )
    return whole(reply)
