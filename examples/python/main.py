"""A visitor's journey: start, send, read, list, close, and look up an unknown conversation."""

import json
import os

from openapi_siteassist import (
    ApiClient,
    CloseConversationRequest,
    Configuration,
    ConversationsApi,
    Error,
    IdentityApi,
    InitRequest,
    MessagesApi,
    SendMessageRequest,
    TextPart,
)
from openapi_siteassist.exceptions import NotFoundException

url = os.environ.get("SITEASSIST_BASE_URL", "http://127.0.0.1:8787/v2")
client = ApiClient(Configuration(host=url))

session = IdentityApi(client).init(InitRequest(apiKey="sa_pk_1234567890abcdef", saVid="python"))
print("visitor", session.visitor.id)
client.configuration.access_token = session.session_token

conversations, messages = ConversationsApi(client), MessagesApi(client)
id_ = conversations.start_conversation().id
print("started", id_)

question = SendMessageRequest(content="How long does shipping take?")
answer = messages.send_message(id_, question)
parts = [part.actual_instance for step in answer.steps for part in step.content]
text = "".join(part.text for part in parts if isinstance(part, TextPart))
assert text
stored = messages.get_messages(id_).data
assert [message.role for message in stored] == ["user", "assistant"]
assert isinstance(stored[1].parts[0].actual_instance, TextPart)
print("answered", text)

page = conversations.get_conversations()
assert page.data[0].id == id_
print("listed", page.data[0].id)

closed = conversations.close_conversation(id_, CloseConversationRequest(closeReason="done"))
assert closed.success
print("closed", closed.success)

try:
    conversations.get_conversation("00000000-0000-4000-8000-000000000000")
    raise SystemExit("404 expected")
except NotFoundException as missing:
    error = Error.from_dict(json.loads(missing.body)).error
    print("missing", error.code)
