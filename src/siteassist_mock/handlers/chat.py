"""The handler of completions without a stored conversation."""

from __future__ import annotations

from starlette.types import ASGIApp

from siteassist_mock.content.seed import ASSISTANT_ID
from siteassist_mock.handlers.replies import whole
from siteassist_mock.http.call import Call
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.event_stream import EventStreamResponse


def create_chat_completion(call: Call) -> ASGIApp:
    """Answer the last message of the user, as JSON or as a stream.

    The description allows an empty list of messages, which gets a greeting. Raises
    `ApiError` 404 for an unknown assistant.
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
    questions = [index for index, message in enumerate(messages) if message["role"] == "user"]
    last = questions[-1] if questions else None
    question = "" if last is None else messages[last]["content"]
    context = [message["content"] for index, message in enumerate(messages) if index != last]
    reply = call.services.assistant.answer(question, context)
    if call.body.get("stream", False):
        delay = call.services.settings.stream_delay
        return EventStreamResponse(reply.events(), delay=delay, wait=reply.delay)
    return whole(reply)
