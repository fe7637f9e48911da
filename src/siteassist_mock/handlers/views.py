"""Conversion of rows to the JSON objects of ``openapi.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from siteassist_mock.content.assistant import Reply
from siteassist_mock.storage.tables import ConversationRow, MessageRow, VisitorRow


def visitor(row: VisitorRow) -> dict[str, Any]:
    """Return a ``Visitor``."""
    return {
        "object": "visitor",
        "id": row.id,
        "type": row.type,
        "externalId": row.external_id,
        "name": row.name,
        "avatarUrl": row.avatar_url,
    }


def conversation(row: ConversationRow, messages: Iterable[MessageRow] = ()) -> dict[str, Any]:
    """Return a ``Conversation`` with its messages."""
    return {**_conversation(row), "messages": [message(item) for item in messages]}


def conversation_summary(row: ConversationRow, last_message: MessageRow | None) -> dict[str, Any]:
    """Return a ``ConversationSummary``."""
    return {
        **_conversation(row),
        "lastMessage": None if last_message is None else message(last_message),
    }


def message(row: MessageRow) -> dict[str, Any]:
    """Return a ``Message``."""
    return {
        "object": "message",
        "id": row.id,
        "createdAt": row.created_at,
        "chatId": row.conversation_id,
        "role": row.role,
        "parts": [{"type": "text", "text": row.text}] if row.parts is None else row.parts,
        "status": row.status,
        "error": row.error,
        "feedback": row.feedback,
        "feedbackAt": row.feedback_at,
        "metadata": row.metadata,
        "humanAgent": row.human_agent,
        "pageUrl": row.page_url,
        "pageTitle": row.page_title,
        "textSelection": row.text_selection,
    }


def completion(answer: Reply) -> dict[str, Any]:
    """Return a ``Completion``."""
    return {
        "steps": [
            {
                "content": step.parts,
                "finishReason": step.finish_reason,
                "usage": {
                    "inputTokens": answer.input_tokens,
                    "outputTokens": step.output_tokens,
                    "totalTokens": answer.input_tokens + step.output_tokens,
                    "reasoningTokens": step.reasoning_tokens,
                    "cachedInputTokens": 0,
                },
            }
            for step in answer.steps()
        ]
    }


def _conversation(row: ConversationRow) -> dict[str, Any]:
    return {
        "object": "conversation",
        "id": row.id,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "status": row.status,
        "closedAt": row.closed_at,
        "closeReason": row.close_reason,
        "lastInteractionAt": row.last_interaction_at,
        "isHumanHandled": row.is_human_handled,
        "humanAgent": row.human_agent,
        "title": row.title,
    }
