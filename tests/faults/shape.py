"""Faults in the JSON of responses."""

from __future__ import annotations

import re
from typing import Any

from tests.faults import probes
from tests.faults.edits import change, drop, edit, put, rename, together, whole
from tests.faults.mutant import Faults
from tests.faults.probing import Api
from tests.values import API_KEY, PROJECT_ID

__all__ = ["FAULTS"]

FAULTS = Faults("shape")
_add = FAULTS.add

_MILLISECONDS = 1_705_314_600_000


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): _snake(item)
            for key, item in value.items()
        }
    return [_snake(item) for item in value] if isinstance(value, list) else value


def _identity() -> None:
    _add(
        "session-token-missing",
        "init returns the visitor without the session token.",
        "VisitorSession.required (F-init)",
        edit("init", "sessionToken", drop),
        probes.init,
    )
    _add(
        "session-token-missing-for-known-device",
        "init omits the session token for a known device.",
        "VisitorSession.required (F-init)",
        edit("init", "sessionToken", drop, when=lambda exchange: exchange.status == 200),
        probes.init,
        rare=True,
    )
    _add(
        "visitor-type-unknown",
        "getMe returns a visitor of the unknown type guest.",
        "VisitorType.enum",
        edit("getMe", "type", put("guest")),
        probes.me,
    )
    _add(
        "visitor-id-prefixed",
        "init adds a prefix to the id of the visitor, which is then not a UUID.",
        "VisitorId.format (F-init)",
        edit("init", "visitor.id", change(lambda value: f"vis_{value}")),
        probes.init,
    )
    _add(
        "visitor-name-missing",
        "getMe omits the name of a visitor without a name, instead of null.",
        "Visitor.required (R-3)",
        edit("getMe", "name", drop, where=lambda visitor: visitor["name"] is None),
        probes.me,
    )


def _conversations() -> None:
    every = "startConversation getConversation getConversations"
    _add(
        "conversation-without-title",
        "startConversation omits the title.",
        "C-02",
        edit("startConversation", "title", drop),
        probes.started,
    )
    _add(
        "conversation-in-snake-case",
        "getConversation uses snake case, such as created_at for createdAt.",
        "Conversation.required",
        whole("getConversation", _snake),
        probes.read,
    )
    _add(
        "conversation-wrapped",
        "getConversation wraps the conversation in data.",
        "Conversation.required (P5)",
        whole("getConversation", lambda value: {"data": value}),
        probes.read,
    )
    _add(
        "conversation-in-array",
        "startConversation returns an array with one conversation.",
        "Conversation.type (P1)",
        whole("startConversation", lambda value: [value]),
        probes.started,
    )
    _add(
        "conversations-as-bare-array",
        "getConversations returns a bare array instead of a page.",
        "ConversationList.type (F-list)",
        whole("getConversations", lambda value: value["data"]),
        probes.listed,
    )
    _add(
        "total-as-text",
        "getConversations returns the total as a string.",
        "ConversationList.properties.total",
        edit("getConversations", "total", change(str)),
        probes.listed,
    )
    _add(
        "conversations-by-id",
        "getConversations returns an object keyed by id instead of an array.",
        "ConversationList.properties.data",
        edit(
            "getConversations", "data", change(lambda items: {item["id"]: item for item in items})
        ),
        probes.listed,
    )
    _add(
        "second-summary-without-title",
        "getConversations omits the title of the second conversation.",
        "ConversationSummary.required (C-02)",
        edit("getConversations", "data.1.title", drop),
        probes.listed,
        rare=True,
    )
    _add(
        "last-message-as-text",
        "lastMessage is only the text of the message in lists.",
        "ConversationSummary.properties.lastMessage (C-03)",
        edit(
            "getConversations",
            "data.*.lastMessage",
            change(lambda message: message and message["parts"][0]["text"]),
        ),
        probes.listed,
    )
    _add(
        "last-message-without-parts",
        "lastMessage has no parts in lists.",
        "Message.required (R-24)",
        edit("getConversations", "data.*.lastMessage.parts", drop),
        probes.listed,
    )
    _add(
        "human-agent-empty",
        "getConversation returns an empty object in place of a missing human agent.",
        "HumanAgent.required (C-04)",
        edit("getConversation", "humanAgent", change(lambda agent: agent or {})),
        probes.read,
    )
    _add(
        "human-handled-as-number",
        "isHumanHandled is 0 or 1 in lists.",
        "ConversationSummary.properties.isHumanHandled",
        edit("getConversations", "data.*.isHumanHandled", change(int)),
        probes.listed,
    )
    _add(
        "no-messages-is-null",
        "startConversation returns null instead of an empty array of messages.",
        "Conversation.properties.messages (C-13)",
        edit("startConversation", "messages", change(lambda messages: messages or None)),
        probes.started,
    )
    _add(
        "closed-at-as-number",
        "closedAt of a closed conversation is a number of milliseconds.",
        "Conversation.properties.closedAt (O-7)",
        edit("getConversation", "closedAt", change(lambda time: time and _MILLISECONDS)),
        probes.closed,
        rare=True,
    )
    _add(
        "close-reason-as-object",
        "closeReason is an object in lists.",
        "ConversationSummary.properties.closeReason",
        edit(
            "getConversations",
            "data.*.closeReason",
            change(lambda reason: reason and {"text": reason}),
        ),
        probes.closed,
        rare=True,
    )
    _add(
        "status-in-capitals",
        "The status of conversations is in upper case, OPEN or CLOSED.",
        "ConversationStatus.enum",
        together(
            edit("startConversation getConversation", "status", change(str.upper)),
            edit("getConversations", "data.*.status", change(str.upper)),
        ),
        probes.read,
    )
    _add(
        "last-interaction-null-before-messages",
        "lastInteractionAt is null for a conversation without messages.",
        "Conversation.required, Conversation.properties.lastInteractionAt",
        edit(every, "lastInteractionAt", put(None), where=lambda value: not value.get("messages")),
        probes.started,
    )
    _add(
        "close-success-as-text",
        "closeConversation returns success as a string.",
        "CloseConversationResult.properties.success",
        edit("closeConversation", "success", put("true")),
        probes.closed,
    )
    _add(
        "empty-page-is-null",
        "getConversations returns null instead of an empty page.",
        "ConversationList.properties.data",
        edit("getConversations", "data", change(lambda data: data or None)),
        probes.found_nothing,
        rare=True,
    )


def _messages() -> None:
    _add(
        "parts-as-text",
        "getMessages returns the text instead of the parts.",
        "Message.properties.parts",
        edit("getMessages", "data.*.parts", change(lambda parts: parts[0]["text"])),
        probes.messages,
    )
    _add(
        "text-part-with-content",
        "getMessages returns text parts with content instead of text.",
        "TextPart.required (R-10)",
        edit("getMessages", "data.*.parts.*.text", rename("content")),
        probes.messages,
    )
    _add(
        "message-status-unknown",
        "getConversation returns messages with the unknown status done.",
        "MessageStatus.enum",
        edit("getConversation", "messages.*.status", put("done")),
        probes.read,
    )
    _add(
        "message-role-unknown",
        "getMessages returns the unknown role bot for the assistant.",
        "MessageRole.enum",
        edit(
            "getMessages",
            "data.*.role",
            change(lambda role: "bot" if role == "assistant" else role),
        ),
        probes.messages,
    )
    _add(
        "answers-without-page",
        "getMessages omits pageUrl, pageTitle and textSelection of answers.",
        "Message.required",
        together(
            *(
                edit("getMessages", f"data.*.{name}", drop, where=_is_answer)
                for name in ("pageUrl", "pageTitle", "textSelection")
            )
        ),
        probes.messages,
    )
    _add(
        "error-missing-unless-broken-off",
        "getConversation omits the error of messages.",
        "Message.required",
        edit("getConversation", "messages.*.error", drop),
        probes.read,
    )
    _add(
        "feedback-as-boolean",
        "getConversation returns true instead of like as feedback.",
        "Feedback.enum (F-feedback)",
        edit(
            "getConversation",
            "messages.*.feedback",
            change(lambda feedback: feedback and feedback == "like"),
        ),
        probes.rated,
        rare=True,
    )
    _add(
        "feedback-at-as-number",
        "getMessages returns feedbackAt of a rated message as a number.",
        "Message.properties.feedbackAt (O-7)",
        edit("getMessages", "data.*.feedbackAt", change(lambda time: time and _MILLISECONDS)),
        probes.rated,
        rare=True,
    )
    _add(
        "fifth-message-without-metadata",
        "getMessages omits metadata from the fifth message on.",
        "Message.required (C-19)",
        together(*(edit("getMessages", f"data.{index}.metadata", drop) for index in range(4, 20))),
        lambda api: _long_talk(api, 3),
        rare=True,
    )
    _add(
        "feedback-answer-empty",
        "sendMessageFeedback returns an empty object.",
        "MessageFeedback.required",
        whole("sendMessageFeedback", lambda _: {}),
        probes.rated,
    )
    _add(
        "removed-feedback-is-none",
        "sendMessageFeedback returns none instead of null when feedback is removed.",
        "MessageFeedback.properties.feedback",
        edit("sendMessageFeedback", "feedback", change(lambda feedback: feedback or "none")),
        probes.unrated,
        rare=True,
    )


def _completions() -> None:
    both = "sendMessage createChatCompletion"
    _add(
        "steps-as-object",
        "sendMessage returns one step instead of an array of steps.",
        "Completion.properties.steps (R-8)",
        edit("sendMessage", "steps", change(lambda steps: steps[0])),
        probes.sent,
    )
    _add(
        "usage-missing",
        "createChatCompletion omits the token usage.",
        "CompletionStep.required (R-8)",
        edit("createChatCompletion", "steps.*.usage", drop),
        probes.chatted,
    )
    _add(
        "usage-as-text",
        "sendMessage returns the total of tokens as a string.",
        "TokenUsage.properties.totalTokens (R-9)",
        edit("sendMessage", "steps.*.usage.totalTokens", change(str)),
        probes.sent,
    )
    _add(
        "usage-with-fraction",
        "inputTokens has a fraction.",
        "TokenUsage.properties.inputTokens (R-9)",
        edit(both, "steps.*.usage.inputTokens", change(lambda count: count + 0.5)),
        probes.sent,
    )
    _add(
        "completion-of-another-vendor",
        "createChatCompletion returns choices, like another service.",
        "Completion.required",
        whole(
            "createChatCompletion",
            lambda value: {
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": value["steps"][0]["content"][0]["text"],
                        },
                    }
                ]
            },
        ),
        probes.chatted,
    )


def _website() -> None:
    widget = "chatWidgetConfig"
    for name, description, evidence, build in (
        (
            "widget-null",
            "The configuration of the widget is null.",
            "Project.properties.chatWidgetConfig",
            edit("getProject", widget, put(None)),
        ),
        (
            "widget-offset-number",
            "The offset of the widget is a number.",
            "WidgetOffset.type",
            edit("getProject", f"{widget}.offset", put(20)),
        ),
        (
            "widget-position-right",
            "The position of the widget is right, as in the printed example.",
            "C-17",
            edit("getProject", f"{widget}.position", put("right")),
        ),
        (
            "widget-font-size-with-unit",
            "The font size of the widget has a unit.",
            "ChatWidgetConfig.properties.baseFontSize",
            edit("getProject", f"{widget}.baseFontSize", put("14px")),
        ),
        (
            "widget-icon-relative",
            "The URL of the icon of the widget is only a path.",
            "ChatWidgetConfig.properties.chatButtonIcon.format",
            edit("getProject", f"{widget}.chatButtonIcon", put("/icons/chat button.svg")),
        ),
        (
            "project-name-long",
            "The name of the project has more than 100 characters.",
            "Project.properties.name.maxLength",
            edit("getProject", "name", put("Example Shop " * 8)),
        ),
    ):
        _add(name, description, evidence, build, probes.project)
    _add(
        "qna-without-object",
        "getQnas omits the object of each Q&A.",
        "Qna.required (R-4)",
        edit("getQnas", "data.*.object", drop),
        probes.qnas,
    )
    _add(
        "qna-author-null",
        "createdBy is null, though it may only be omitted.",
        "Qna.properties.createdBy",
        edit("getQna", "createdBy", put(None)),
        probes.qna,
    )
    _add(
        "qna-updated-at-missing-on-later-pages",
        "getQnas omits updatedAt from the second page on.",
        "Qna.required (F-qnas)",
        edit(
            "getQnas", "data.*.updatedAt", drop, when=lambda exchange: _offset(exchange.query) > 0
        ),
        probes.qnas,
        rare=True,
    )
    _add(
        "score-as-text",
        "The score of a search result is a string.",
        "SearchResult.properties.score",
        edit("search", "results.*.score", change(str)),
        probes.found,
    )
    _add(
        "result-url-relative",
        "The URL of a search result is only a path.",
        "SearchResult.properties.url.format (F-search)",
        edit("search", "results.*.url", put("help/our shipping")),
        probes.found,
    )
    _add(
        "price-as-text",
        "The price of a product is a string.",
        "SearchResult.properties.price",
        edit("search", "results.*.price", change(str)),
        probes.found,
        rare=True,
    )
    _add(
        "nothing-found-is-null",
        "search returns null instead of an empty array of results.",
        "SearchResults.properties.results",
        edit("search", "results", change(lambda results: results or None)),
        probes.found_nothing,
        rare=True,
    )
    _add(
        "empty-list-without-total",
        "getQnas omits the total if there are no matches.",
        "QnaList.required",
        edit("getQnas", "total", drop, where=lambda page: page["total"] == 0),
        _no_qna,
        rare=True,
    )


def _is_answer(message: dict[str, Any]) -> bool:
    return bool(message["role"] == "assistant")


def _offset(query: dict[str, str]) -> float:
    value = query.get("offset", "0")
    return float(value) if value.replace(".", "", 1).isdecimal() else 0


def _long_talk(api: Api, exchanges: int) -> None:
    visitor = api.visitor()
    visitor.messages(visitor.talk(*(["Hi"] * exchanges)))


def _no_qna(api: Api) -> None:
    assert 0 == api.expect("getQnas", PROJECT_ID, query="xyzzyx")["total"]
    assert api.expect("getProject", apiKey=API_KEY)


_identity()
_conversations()
_messages()
_completions()
_website()
