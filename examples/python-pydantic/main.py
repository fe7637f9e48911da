"""A visitor's journey: start, send, read, list, close, and look up an unknown conversation."""

import os
from typing import Any

import httpx
from client.models import (
    CloseConversationRequest,
    CloseConversationResult,
    Completion,
    Conversation,
    ConversationList,
    Error,
    InitRequest,
    MessageList,
    SendMessageRequest,
    TextPart,
    VisitorSession,
)
from pydantic import BaseModel

url = os.environ.get("SITEASSIST_BASE_URL", "http://127.0.0.1:8787/v2")
client = httpx.Client(base_url=url)


def body(model: BaseModel) -> Any:
    """Return a model as JSON, without the fields that were left out."""
    return model.model_dump(mode="json", exclude_unset=True)


def post(path: str, model: BaseModel | None = None) -> bytes:
    """Send a model and return the body of the response."""
    response = client.post(path, json=None if model is None else body(model))
    return response.raise_for_status().content


start = InitRequest(apiKey="sa_pk_1234567890abcdef", saVid="pydantic")
session = VisitorSession.model_validate_json(post("/identity/init", start))
print("visitor", session.visitor.id.root)
client.headers["Authorization"] = f"Bearer {session.sessionToken}"

started = Conversation.model_validate_json(post("/conversations"))
path = f"/conversations/{started.id.root}"
print("started", started.id.root)

question = SendMessageRequest(content="How long does shipping take?")
answer = Completion.model_validate_json(post(f"{path}/messages", question))
parts = [part.root for step in answer.steps for part in step.content]
text = "".join(part.text for part in parts if isinstance(part, TextPart))
assert text
stored = MessageList.model_validate_json(client.get(f"{path}/messages").content).data
assert [message.role for message in stored] == ["user", "assistant"]
assert isinstance(stored[1].parts[0].root, TextPart)
print("answered", text)

page = ConversationList.model_validate_json(client.get("/conversations").content)
assert page.data[0].id == started.id
print("listed", page.data[0].id.root)

reason = CloseConversationRequest(closeReason="done")
closed = CloseConversationResult.model_validate_json(post(f"{path}/close", reason))
assert closed.success
print("closed", closed.success)

missing = client.get("/conversations/00000000-0000-4000-8000-000000000000")
assert missing.status_code == httpx.codes.NOT_FOUND
print("missing", Error.model_validate_json(missing.content).error.code)
