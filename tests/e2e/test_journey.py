"""A visitor's journey with the generated functions, against the mock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

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
    ChatMessage,
    ChatRole,
    CloseConversationRequest,
    CloseConversationResult,
    Completion,
    Conversation,
    ConversationContext,
    ConversationList,
    ConversationStatus,
    ErrorResponse,
    Feedback,
    InitRequest,
    MessageFeedback,
    MessageFeedbackRequest,
    MessageList,
    MessageRole,
    Project,
    Qna,
    QnaList,
    SearchResults,
    SendMessageRequest,
    StartConversationRequest,
    TextPart,
    Visitor,
    VisitorSession,
)
from siteassist_mock.testing import mock_server
from tests.values import API_KEY, PRIVATE_KEY


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a mock and return its URL."""
    with mock_server() as base_url:
        yield base_url


def sign_in(url: str, device: str) -> AuthenticatedClient:
    """Start a session for ``device``."""
    with Client(url) as client:
        session = init.sync(client=client, body=InitRequest(api_key=API_KEY, sa_vid=device))
    assert isinstance(session, VisitorSession)
    return AuthenticatedClient(url, token=session.session_token)


def test_visitor_talks_rates_and_closes(url: str) -> None:
    """From the first message to a closed conversation, each step shows the previous ones."""
    with sign_in(url, "journey") as client:
        visitor = get_me.sync(client=client)
        assert isinstance(visitor, Visitor)

        context = ConversationContext(page_url="https://example.com/contact")
        started = start_conversation.sync(
            client=client, body=StartConversationRequest(context=context)
        )
        assert isinstance(started, Conversation)
        assert (ConversationStatus.OPEN, None) == (started.status, started.title)

        answer = send_message.sync(
            started.id, client=client, body=SendMessageRequest(content="Where is my parcel?")
        )
        assert isinstance(answer, Completion)
        part = answer.steps[0].content[0]
        assert isinstance(part, TextPart)

        messages = get_messages.sync(started.id, client=client)
        assert isinstance(messages, MessageList)
        roles = [message.role for message in messages.data]
        assert [MessageRole.USER, MessageRole.ASSISTANT] == roles
        assert [part.to_dict()] == [stored.to_dict() for stored in messages.data[1].parts]

        stored = send_message_feedback.sync(
            messages.data[1].id, client=client, body=MessageFeedbackRequest(Feedback.LIKE)
        )
        assert isinstance(stored, MessageFeedback)
        assert Feedback.LIKE == stored.feedback

        closed = close_conversation.sync(
            started.id, client=client, body=CloseConversationRequest(close_reason="done")
        )
        assert isinstance(closed, CloseConversationResult)
        assert closed.success

        ended = get_conversation.sync(started.id, client=client)
        assert isinstance(ended, Conversation)
        assert (ConversationStatus.CLOSED, "done") == (ended.status, ended.close_reason)

        listed = get_conversations.sync(client=client, status=ConversationStatus.CLOSED)
        assert isinstance(listed, ConversationList)
        assert [started.id] == [conversation.id for conversation in listed.data]

        refused = send_message.sync_detailed(
            started.id, client=client, body=SendMessageRequest(content="Still there?")
        )
        assert 409 == refused.status_code
        assert isinstance(refused.parsed, ErrorResponse)


def test_knowledge_is_found_without_a_session(url: str) -> None:
    """Project, Q&As and search need no session."""
    with Client(url) as client:
        project = get_project.sync(client=client, api_key=API_KEY)
        assert isinstance(project, Project)
        qnas = get_qnas.sync(project.id, client=client)
        assert isinstance(qnas, QnaList)
        qna = get_qna.sync(project.id, qnas.data[0].id, client=client)
        assert isinstance(qna, Qna)
        assert qnas.data[0].question == qna.question
        found = search.sync(client=client, q=qna.question, api_key=API_KEY)
        assert isinstance(found, SearchResults)
        assert found.results


def test_private_key_completes_a_chat(url: str) -> None:
    """A private key is accepted as a bearer token, by the async functions as well."""

    async def complete() -> object:
        async with AuthenticatedClient(url, token=PRIVATE_KEY) as client:
            messages = [ChatMessage(role=ChatRole.USER, content="Hello")]
            return await create_chat_completion.asyncio(
                client=client, body=ChatCompletionRequest(messages=messages)
            )

    completion = asyncio.run(complete())
    assert isinstance(completion, Completion)
    assert completion.steps[0].content


def test_wrong_token_is_an_error_with_the_documented_body(url: str) -> None:
    """A wrong token returns the documented 401 response."""
    with AuthenticatedClient(url, token="wrong") as client:
        response = get_me.sync_detailed(client=client)
    assert 401 == response.status_code
    assert isinstance(response.parsed, ErrorResponse)
    assert response.parsed.error.message
