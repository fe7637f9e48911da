"""A visitor's way to the server: the generated client's low-level functions, and raw requests.

The low-level functions do one request each, without retries, renewal of
sessions or tolerance. What they make of an answer is thrown away, whatever it
is, even an exception: the answer's bytes are what is judged.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from siteassist import AuthenticatedClient, Client
from siteassist.api.chat import create_chat_completion
from siteassist.api.conversations import (
    close_conversation,
    get_conversation,
    get_conversations,
    start_conversation,
)
from siteassist.api.identity import get_me, init
from siteassist.api.messages import get_messages, send_message, send_message_feedback
from siteassist.api.projects import get_project
from siteassist.api.qnas import get_qna, get_qnas
from siteassist.api.search import search
from siteassist.models import (
    ChatCompletionRequest,
    CloseConversationRequest,
    ConversationOrderBy,
    ConversationStatus,
    InitRequest,
    MessageFeedbackRequest,
    MessageRole,
    MessageStatus,
    OrderDirection,
    SendMessageRequest,
    StartConversationRequest,
)
from siteassist.types import UNSET, Unset
from siteassist_contract.traffic import Exchange, Wire

Json = Mapping[str, Any]
PATIENCE = 20.0
"""How long, in seconds, the server may take for the next piece of an answer."""


class Session:
    """One credential, or none, and the requests that are made with it."""

    def __init__(self, base_url: str, wire: Wire, credential: str, token: str | None) -> None:
        """Speak over ``wire`` with ``token``; ``credential`` is its name in reports."""
        wire.base_path = urlsplit(base_url).path
        self.token = token
        self._wire = wire
        self._credential = credential
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=base_url, headers=headers, timeout=PATIENCE, transport=wire
        )
        # Annotated by what the functions ask for; the header is in `_http` already.
        client = AuthenticatedClient(base_url, token="")
        self._client = client.set_httpx_client(self._http)
        self._open = Client(base_url).set_httpx_client(self._http)

    def init(self, api_key: str, device: str) -> Exchange:
        """Start or renew the session of a device."""
        body = InitRequest(api_key=api_key, sa_vid=device)
        return self._call("init", lambda: init.sync_detailed(client=self._open, body=body))

    def me(self) -> Exchange:
        """Read the visitor that the credential stands for."""
        return self._call("getMe", lambda: get_me.sync_detailed(client=self._client))

    def start(self, body: Json | None = None) -> Exchange:
        """Start a conversation, without a body if there is none."""
        given = UNSET if body is None else StartConversationRequest.from_dict(body)
        return self._call(
            "startConversation",
            lambda: start_conversation.sync_detailed(client=self._client, body=given),
        )

    def conversations(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        status: str | None = None,
        order_by: str | None = None,
        order_dir: str | None = None,
    ) -> Exchange:
        """List conversations; what is ``None`` is left out."""
        return self._call(
            "getConversations",
            lambda: get_conversations.sync_detailed(
                client=self._client,
                limit=_unset(limit),
                offset=_unset(offset),
                status=UNSET if status is None else ConversationStatus(status),
                order_by=UNSET if order_by is None else ConversationOrderBy(order_by),
                order_dir=UNSET if order_dir is None else OrderDirection(order_dir),
            ),
        )

    def conversation(self, conversation_id: str) -> Exchange:
        """Read a conversation."""
        return self._call(
            "getConversation",
            lambda: get_conversation.sync_detailed(UUID(conversation_id), client=self._client),
        )

    def close(self, conversation_id: str, body: Json | None = None) -> Exchange:
        """Close a conversation, without a body if there is none."""
        given = UNSET if body is None else CloseConversationRequest.from_dict(body)
        return self._call(
            "closeConversation",
            lambda: close_conversation.sync_detailed(
                UUID(conversation_id), client=self._client, body=given
            ),
        )

    def send(self, conversation_id: str, body: Json) -> Exchange:
        """Send a message."""
        given = SendMessageRequest.from_dict(body)
        return self._call(
            "sendMessage",
            lambda: send_message.sync_detailed(
                UUID(conversation_id), client=self._client, body=given
            ),
        )

    def messages(
        self,
        conversation_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        role: str | None = None,
        status: str | None = None,
    ) -> Exchange:
        """List the messages of a conversation; what is ``None`` is left out."""
        return self._call(
            "getMessages",
            lambda: get_messages.sync_detailed(
                UUID(conversation_id),
                client=self._client,
                limit=_unset(limit),
                offset=_unset(offset),
                role=UNSET if role is None else MessageRole(role),
                status=UNSET if status is None else MessageStatus(status),
            ),
        )

    def feedback(self, message_id: str, feedback: str | None) -> Exchange:
        """Rate a message, or take the rating back."""
        given = MessageFeedbackRequest.from_dict({"feedback": feedback})
        return self._call(
            "sendMessageFeedback",
            lambda: send_message_feedback.sync_detailed(
                UUID(message_id), client=self._client, body=given
            ),
        )

    def complete(self, body: Json) -> Exchange:
        """Ask for a completion."""
        given = ChatCompletionRequest.from_dict(body)
        return self._call(
            "createChatCompletion",
            lambda: create_chat_completion.sync_detailed(client=self._client, body=given),
        )

    def project(self, api_key: str) -> Exchange:
        """Read the project of a publishable key."""
        return self._call(
            "getProject", lambda: get_project.sync_detailed(client=self._open, api_key=api_key)
        )

    def qnas(
        self,
        project_id: str,
        *,
        query: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Exchange:
        """List the Q&As of a project; what is ``None`` is left out."""
        return self._call(
            "getQnas",
            lambda: get_qnas.sync_detailed(
                UUID(project_id),
                client=self._open,
                query=UNSET if query is None else query,
                limit=_unset(limit),
                offset=_unset(offset),
            ),
        )

    def qna(self, project_id: str, qna_id: str) -> Exchange:
        """Read one Q&A."""
        return self._call(
            "getQna",
            lambda: get_qna.sync_detailed(UUID(project_id), UUID(qna_id), client=self._open),
        )

    def search(self, api_key: str, q: str, *, size: int | None = None) -> Exchange:
        """Search the knowledge base."""
        return self._call(
            "search",
            lambda: search.sync_detailed(
                client=self._open, q=q, size=_unset(size), api_key=api_key
            ),
        )

    def raw(  # noqa: PLR0913  # all parts of a request
        self,
        operation: str,
        method: str,
        target: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | Json | None = None,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
    ) -> Exchange:
        """Send what no client would, under the name of ``operation``."""
        given = dict(headers or {})
        content = body if isinstance(body, bytes) else None
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode("utf-8", "surrogatepass")
        if content is not None:
            given.setdefault("Content-Type", "application/json")
        # Without a query of ours, one that is part of the target would be lost.
        params = dict(query) if query is not None else None
        return self._call(
            operation,
            lambda: self._http.request(
                method, target, content=content, headers=given, params=params
            ),
            credential,
        )

    def _call(
        self, operation: str, call: Callable[[], object], credential: str | None = None
    ) -> Exchange:
        wire = self._wire
        wire.operation = operation
        wire.credential = self._credential if credential is None else credential
        wire.token = self.token
        before = wire.answers
        # The client may well be unable to read an answer that breaks the contract.
        unreadable = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
        with contextlib.suppress(*unreadable):
            call()
        if wire.answers == before:
            raise RuntimeError(f"{operation} was not sent")
        return wire.history[-1]


def _unset(number: int | None) -> int | Unset:
    return UNSET if number is None else number
