"""Calls every method of the client. Made by `make generate`; do not edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type
from uuid import UUID

if TYPE_CHECKING:
    from siteassist import (
        AsyncPages,
        AsyncSiteAssist,
        AsyncStream,
        Pages,
        QueuedNotice,
        SiteAssist,
        Stream,
    )
    from siteassist.client import AnswerEvent, AnswerPart
    from siteassist.models import (
        CloseConversationResult,
        Completion,
        Conversation,
        ConversationList,
        ConversationSummary,
        Message,
        MessageFeedback,
        MessageList,
        Project,
        Qna,
        QnaList,
        SearchResults,
        TokenUsage,
        Visitor,
        VisitorSession,
    )


def blocking(client: SiteAssist) -> list[object]:
    """Call every method of `SiteAssist`, and return what came of it."""
    results: list[object] = []
    results.append(
        assert_type(
            client.init(api_key="api_key", sa_vid="sa_vid", timeout=1.0, max_retries=1, headers={}),
            "VisitorSession",
        )
    )
    results.append(assert_type(client.get_me(timeout=1.0, max_retries=1, headers={}), "Visitor"))
    results.append(
        assert_type(
            client.get_conversations(
                limit=1.0,
                offset=1.0,
                status="open",
                order_by="id",
                order_dir="asc",
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Pages[ConversationSummary, ConversationList]",
        )
    )
    results.append(
        assert_type(
            client.start_conversation(context={}, timeout=1.0, max_retries=1, headers={}),
            "Conversation",
        )
    )
    results.append(
        assert_type(
            client.get_conversation(UUID(int=1), timeout=1.0, max_retries=1, headers={}),
            "Conversation",
        )
    )
    results.append(
        assert_type(
            client.close_conversation(
                UUID(int=1), close_reason="close_reason", timeout=1.0, max_retries=1, headers={}
            ),
            "CloseConversationResult",
        )
    )
    results.append(
        assert_type(
            client.get_messages(
                UUID(int=1),
                limit=1,
                offset=1,
                role="assistant",
                status="streaming",
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Pages[Message, MessageList]",
        )
    )
    results.append(
        assert_type(
            client.send_message(
                UUID(int=1),
                content="content",
                page_context={},
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Completion | QueuedNotice",
        )
    )
    results.append(
        assert_type(
            client.send_message_stream(
                UUID(int=1),
                content="content",
                page_context={},
                timeout=1.0,
                idle_timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Stream[AnswerEvent, AnswerPart, TokenUsage]",
        )
    )
    results.append(
        assert_type(
            client.send_message_feedback(
                UUID(int=1), feedback="like", timeout=1.0, max_retries=1, headers={}
            ),
            "MessageFeedback",
        )
    )
    results.append(
        assert_type(
            client.create_chat_completion(
                messages=[{}], assistant_id=UUID(int=1), timeout=1.0, max_retries=1, headers={}
            ),
            "Completion",
        )
    )
    results.append(
        assert_type(
            client.create_chat_completion_stream(
                messages=[{}],
                assistant_id=UUID(int=1),
                timeout=1.0,
                idle_timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Stream[AnswerEvent, AnswerPart, TokenUsage]",
        )
    )
    results.append(
        assert_type(
            client.get_project(api_key="api_key", timeout=1.0, max_retries=1, headers={}), "Project"
        )
    )
    results.append(
        assert_type(
            client.get_qnas(
                UUID(int=1),
                query="query",
                limit=1.0,
                offset=1.0,
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Pages[Qna, QnaList]",
        )
    )
    results.append(
        assert_type(
            client.get_qna(UUID(int=1), UUID(int=1), timeout=1.0, max_retries=1, headers={}), "Qna"
        )
    )
    results.append(
        assert_type(
            client.search(
                q="q", size=1.0, api_key="api_key", timeout=1.0, max_retries=1, headers={}
            ),
            "SearchResults",
        )
    )
    return results


async def awaited(client: AsyncSiteAssist) -> list[object]:
    """Call every method of `AsyncSiteAssist`, and return what came of it."""
    results: list[object] = []
    results.append(
        assert_type(
            await client.init(
                api_key="api_key", sa_vid="sa_vid", timeout=1.0, max_retries=1, headers={}
            ),
            "VisitorSession",
        )
    )
    results.append(
        assert_type(await client.get_me(timeout=1.0, max_retries=1, headers={}), "Visitor")
    )
    results.append(
        assert_type(
            client.get_conversations(
                limit=1.0,
                offset=1.0,
                status="open",
                order_by="id",
                order_dir="asc",
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "AsyncPages[ConversationSummary, ConversationList]",
        )
    )
    results.append(
        assert_type(
            await client.start_conversation(context={}, timeout=1.0, max_retries=1, headers={}),
            "Conversation",
        )
    )
    results.append(
        assert_type(
            await client.get_conversation(UUID(int=1), timeout=1.0, max_retries=1, headers={}),
            "Conversation",
        )
    )
    results.append(
        assert_type(
            await client.close_conversation(
                UUID(int=1), close_reason="close_reason", timeout=1.0, max_retries=1, headers={}
            ),
            "CloseConversationResult",
        )
    )
    results.append(
        assert_type(
            client.get_messages(
                UUID(int=1),
                limit=1,
                offset=1,
                role="assistant",
                status="streaming",
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "AsyncPages[Message, MessageList]",
        )
    )
    results.append(
        assert_type(
            await client.send_message(
                UUID(int=1),
                content="content",
                page_context={},
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "Completion | QueuedNotice",
        )
    )
    results.append(
        assert_type(
            client.send_message_stream(
                UUID(int=1),
                content="content",
                page_context={},
                timeout=1.0,
                idle_timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "AsyncStream[AnswerEvent, AnswerPart, TokenUsage]",
        )
    )
    results.append(
        assert_type(
            await client.send_message_feedback(
                UUID(int=1), feedback="like", timeout=1.0, max_retries=1, headers={}
            ),
            "MessageFeedback",
        )
    )
    results.append(
        assert_type(
            await client.create_chat_completion(
                messages=[{}], assistant_id=UUID(int=1), timeout=1.0, max_retries=1, headers={}
            ),
            "Completion",
        )
    )
    results.append(
        assert_type(
            client.create_chat_completion_stream(
                messages=[{}],
                assistant_id=UUID(int=1),
                timeout=1.0,
                idle_timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "AsyncStream[AnswerEvent, AnswerPart, TokenUsage]",
        )
    )
    results.append(
        assert_type(
            await client.get_project(api_key="api_key", timeout=1.0, max_retries=1, headers={}),
            "Project",
        )
    )
    results.append(
        assert_type(
            client.get_qnas(
                UUID(int=1),
                query="query",
                limit=1.0,
                offset=1.0,
                timeout=1.0,
                max_retries=1,
                headers={},
            ),
            "AsyncPages[Qna, QnaList]",
        )
    )
    results.append(
        assert_type(
            await client.get_qna(UUID(int=1), UUID(int=1), timeout=1.0, max_retries=1, headers={}),
            "Qna",
        )
    )
    results.append(
        assert_type(
            await client.search(
                q="q", size=1.0, api_key="api_key", timeout=1.0, max_retries=1, headers={}
            ),
            "SearchResults",
        )
    )
    return results
