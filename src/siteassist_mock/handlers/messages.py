"""The handlers of messages and their feedback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp

from siteassist_mock.content.answer import TimedEvent
from siteassist_mock.content.assistant import title
from siteassist_mock.content.streamed_message import StreamedMessage
from siteassist_mock.handlers import views
from siteassist_mock.handlers.conversations import check_open, check_visitor, own_conversation
from siteassist_mock.handlers.replies import whole
from siteassist_mock.http.call import Call
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.event_stream import EventStreamResponse
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.worker import StoreUnavailable

CONTEXT = ("url", "title", "content", "textSelection")
"""The fields of a page context."""

# Number of earlier messages that count as input; a conversation has no limit.
_REMEMBERED = 20
_BROKEN_OFF = "The connection was closed before the end of the answer"


def get_messages(call: Call) -> JSONResponse:
    """Return the matching messages of a conversation, oldest first."""
    query = call.query
    with call.services.store.read() as records:
        conversation = own_conversation(records, call)
        messages = records.messages(
            conversation.id,
            role=query["role"],
            status=query["status"],
            limit=query["limit"],
            offset=query["offset"],
        )
    return JSONResponse({"object": "list", "data": [views.message(row) for row in messages]})


def send_message(call: Call) -> ASGIApp:
    """Store the visitor's message and answer it, as JSON or as a stream.

    A conversation with a human agent gets a 202 without an answer. Raises
    `ApiError` 409 for a closed conversation.
    """
    content = call.body["content"]
    page = call.body.get("pageContext") or {}
    stream = call.body.get("stream", False)
    store = call.services.store
    with store.write() as records:
        conversation = own_conversation(records, call)
        check_open(conversation)
        # Read before the new message is added.
        earlier = records.latest_texts(conversation.id, _REMEMBERED)
        records.add_message(
            conversation.id,
            "user",
            content,
            page_url=page.get("url"),
            page_title=page.get("title"),
            text_selection=page.get("textSelection"),
        )
        if conversation.is_human_handled:
            records.touch_conversation(conversation.id, title(content))
            return PlainTextResponse("Message sent", status_code=202)
        # Only the described fields: others may have values of any type.
        context = [*earlier, *(page.get(name) for name in CONTEXT)]
        reply = call.services.assistant.answer(content, context)
        message = StreamedMessage() if stream else reply.message
        stored = records.add_message(
            conversation.id,
            "assistant",
            message.text,
            **_other_content(message),
            status="streaming" if stream else "complete",
        )
        if message.error is not None:
            _end_message(records, stored.id, message)
        records.touch_conversation(conversation.id, title(content))
    if not stream:
        return whole(reply)

    async def settle(sent: Sequence[TimedEvent], complete: bool) -> None:
        def change(records: Records) -> None:
            message = StreamedMessage(event.payload for event in sent)
            if not complete:
                message.error = _BROKEN_OFF
            _end_message(records, stored.id, message)
            records.touch_conversation(conversation.id)

        def write() -> None:
            with store.write() as records:
                change(records)

        try:
            await store.perform(write)
        except StoreUnavailable:
            # The client has the text, so it must not be lost.
            store.write_later(change)

    return EventStreamResponse(
        reply.events(stored.id),
        delay=call.services.settings.stream_delay,
        wait=reply.delay,
        settle=settle,
    )


def _end_message(records: Records, message_id: str, message: StreamedMessage) -> None:
    records.end_message(message_id, message.text, **_other_content(message), error=message.error)


def _other_content(message: StreamedMessage) -> dict[str, Any]:
    """Return the columns of a message's content besides its text."""
    parts = message.parts
    only_text = len(parts) <= 1 and all(part["type"] == "text" for part in parts)
    return {"parts": None if only_text else parts, "metadata": message.metadata}


def send_message_feedback(call: Call) -> JSONResponse:
    """Store feedback for a message of one of the visitor's own conversations."""
    message_id, feedback = call.path["messageId"], call.body["feedback"]
    with call.services.store.write() as records:
        if not records.set_feedback(message_id, call.visitor.id, feedback):
            check_visitor(records, call)
            raise ApiError(
                404,
                code="MESSAGE_NOT_FOUND",
                message="Message not found!",
                details={"messageId": message_id},
            )
    return JSONResponse({"feedback": feedback})
