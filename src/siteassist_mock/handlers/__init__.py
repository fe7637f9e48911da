"""The handlers of the operations."""

from __future__ import annotations

from collections.abc import Mapping

from siteassist_mock.handlers import chat, conversations, identity, knowledge, messages
from siteassist_mock.http.call import Handler

__all__ = ["HANDLERS"]

HANDLERS: Mapping[str, Handler] = {
    "init": identity.init,
    "getMe": identity.get_me,
    "getConversations": conversations.get_conversations,
    "startConversation": conversations.start_conversation,
    "getConversation": conversations.get_conversation,
    "closeConversation": conversations.close_conversation,
    "getMessages": messages.get_messages,
    "sendMessage": messages.send_message,
    "sendMessageFeedback": messages.send_message_feedback,
    "createChatCompletion": chat.create_chat_completion,
    "getProject": knowledge.get_project,
    "getQnas": knowledge.get_qnas,
    "getQna": knowledge.get_qna,
    "search": knowledge.search,
}
"""All handlers by ``operationId``; `siteassist_mock.app` refuses missing and extra ones."""
