"""Answers whose JSON is not what openapi.yaml describes."""

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
        "init answers the visitor alone, without the session's token.",
        "VisitorSession.required (F-init)",
        edit("init", "sessionToken", drop),
        probes.init,
    )
    _add(
        "session-token-missing-for-known-device",
        "init leaves out the token when the device is known already.",
        "VisitorSession.required (F-init)",
        edit("init", "sessionToken", drop, when=lambda exchange: exchange.status == 200),
        probes.init,
        rare=True,
    )
    _add(
        "visitor-type-unknown",
        "getMe has a visitor of the type guest.",
        "VisitorType.enum",
        edit("getMe", "type", put("guest")),
        probes.me,
    )
    _add(
        "visitor-id-prefixed",
        "init shows the visitor's id with a prefix, so that it is no UUID.",
        "VisitorId.format (F-init)",
        edit("init", "visitor.id", change(lambda value: f"vis_{value}")),
        probes.init,
    )
    _add(
        "visitor-name-missing",
        "getMe leaves the name out while there is none, instead of null.",
        "Visitor.required (R-3)",
        edit("getMe", "name", drop, where=lambda visitor: visitor["name"] is None),
        probes.me,
    )


def _conversations() -> None:
    every = "startConversation getConversation getConversations"
    _add(
        "conversation-without-title",
        "A new conversation comes without its title.",
        "C-02",
        edit("startConversation", "title", drop),
        probes.started,
    )
    _add(
        "conversation-in-snake-case",
        "getConversation writes created_at instead of createdAt, and so on.",
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
        "startConversation answers an array with the one conversation.",
        "Conversation.type (P1)",
        whole("startConversation", lambda value: [value]),
        probes.started,
    )
    _add(
        "conversations-as-bare-array",
        "getConversations answers the array without the page around it.",
        "ConversationList.type (F-list)",
        whole("getConversations", lambda value: value["data"]),
        probes.listed,
    )
    _add(
        "total-as-text",
        "getConversations writes the total as a text.",
        "ConversationList.properties.total",
        edit("getConversations", "total", change(str)),
        probes.listed,
    )
    _add(
        "conversations-by-id",
        "getConversations has an object by id where the array belongs.",
        "ConversationList.properties.data",
        edit(
            "getConversations", "data", change(lambda items: {item["id"]: item for item in items})
        ),
        probes.listed,
    )
    _add(
        "second-summary-without-title",
        "Of a list of conversations all but the first lack their title.",
        "ConversationSummary.required (C-02)",
        edit("getConversations", "data.1.title", drop),
        probes.listed,
        rare=True,
    )
    _add(
        "last-message-as-text",
        "In a list lastMessage is only the text of the message.",
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
        "In a list lastMessage comes without its parts.",
        "Message.required (R-24)",
        edit("getConversations", "data.*.lastMessage.parts", drop),
        probes.listed,
    )
    _add(
        "human-agent-empty",
        "A conversation without a human agent has an empty object in its place.",
        "HumanAgent.required (C-04)",
        edit("getConversation", "humanAgent", change(lambda agent: agent or {})),
        probes.read,
    )
    _add(
        "human-handled-as-number",
        "isHumanHandled is 0 or 1, as the database has it, in lists.",
        "ConversationSummary.properties.isHumanHandled",
        edit("getConversations", "data.*.isHumanHandled", change(int)),
        probes.listed,
    )
    _add(
        "no-messages-is-null",
        "A conversation without messages has null for them.",
        "Conversation.properties.messages (C-13)",
        edit("startConversation", "messages", change(lambda messages: messages or None)),
        probes.started,
    )
    _add(
        "closed-at-as-number",
        "Once a conversation is closed, closedAt is a number of milliseconds.",
        "Conversation.properties.closedAt (O-7)",
        edit("getConversation", "closedAt", change(lambda time: time and _MILLISECONDS)),
        probes.closed,
        rare=True,
    )
    _add(
        "close-reason-as-object",
        "In lists the reason of a closed conversation is an object.",
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
        "Conversations are OPEN or CLOSED, wherever they are shown.",
        "ConversationStatus.enum",
        together(
            edit("startConversation getConversation", "status", change(str.upper)),
            edit("getConversations", "data.*.status", change(str.upper)),
        ),
        probes.read,
    )
    _add(
        "last-interaction-null-before-messages",
        "lastInteractionAt is null until there is a message.",
        "Conversation.required, Conversation.properties.lastInteractionAt",
        edit(every, "lastInteractionAt", put(None), where=lambda value: not value.get("messages")),
        probes.started,
    )
    _add(
        "close-success-as-text",
        "closeConversation says success with a text.",
        "CloseConversationResult.properties.success",
        edit("closeConversation", "success", put("true")),
        probes.closed,
    )
    _add(
        "empty-page-is-null",
        "A page of conversations beyond the last one has null for its data.",
        "ConversationList.properties.data",
        edit("getConversations", "data", change(lambda data: data or None)),
        probes.found_nothing,
        rare=True,
    )


def _messages() -> None:
    _add(
        "parts-as-text",
        "getMessages has the text itself for the parts.",
        "Message.properties.parts",
        edit("getMessages", "data.*.parts", change(lambda parts: parts[0]["text"])),
        probes.messages,
    )
    _add(
        "text-part-with-content",
        "getMessages names the text of a text part content.",
        "TextPart.required (R-10)",
        edit("getMessages", "data.*.parts.*.text", rename("content")),
        probes.messages,
    )
    _add(
        "message-status-unknown",
        "Messages within a conversation have the status done.",
        "MessageStatus.enum",
        edit("getConversation", "messages.*.status", put("done")),
        probes.read,
    )
    _add(
        "message-role-unknown",
        "getMessages calls the assistant a bot.",
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
        "Answers lack pageUrl, pageTitle and textSelection; questions have them.",
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
        "A message within a conversation has error only if it broke off.",
        "Message.required",
        edit("getConversation", "messages.*.error", drop),
        probes.read,
    )
    _add(
        "feedback-as-boolean",
        "A liked message within a conversation has the feedback true.",
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
        "Once a message is rated, getMessages has a number for feedbackAt.",
        "Message.properties.feedbackAt (O-7)",
        edit("getMessages", "data.*.feedbackAt", change(lambda time: time and _MILLISECONDS)),
        probes.rated,
        rare=True,
    )
    _add(
        "fifth-message-without-metadata",
        "From the fifth message of a conversation on, metadata is missing.",
        "Message.required (C-19)",
        together(*(edit("getMessages", f"data.{index}.metadata", drop) for index in range(4, 20))),
        lambda api: _long_talk(api, 3),
        rare=True,
    )
    _add(
        "feedback-answer-empty",
        "sendMessageFeedback answers an empty object.",
        "MessageFeedback.required",
        whole("sendMessageFeedback", lambda _: {}),
        probes.rated,
    )
    _add(
        "removed-feedback-is-none",
        "Where feedback was taken back, sendMessageFeedback says none instead of null.",
        "MessageFeedback.properties.feedback",
        edit("sendMessageFeedback", "feedback", change(lambda feedback: feedback or "none")),
        _take_back,
        rare=True,
    )


def _completions() -> None:
    both = "sendMessage createChatCompletion"
    _add(
        "steps-as-object",
        "sendMessage has one step where the array of steps belongs.",
        "Completion.properties.steps (R-8)",
        edit("sendMessage", "steps", change(lambda steps: steps[0])),
        probes.sent,
    )
    _add(
        "usage-missing",
        "createChatCompletion says nothing about the tokens that it used.",
        "CompletionStep.required (R-8)",
        edit("createChatCompletion", "steps.*.usage", drop),
        probes.chatted,
    )
    _add(
        "usage-as-text",
        "sendMessage writes the tokens in all as a text.",
        "TokenUsage.properties.totalTokens (R-9)",
        edit("sendMessage", "steps.*.usage.totalTokens", change(str)),
        probes.sent,
    )
    _add(
        "usage-with-fraction",
        "The tokens that were read are not a whole number.",
        "TokenUsage.properties.inputTokens (R-9)",
        edit(both, "steps.*.usage.inputTokens", change(lambda count: count + 0.5)),
        probes.sent,
    )
    _add(
        "completion-of-another-vendor",
        "createChatCompletion answers choices, as other services do.",
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
    for name, says, evidence, build in (
        (
            "widget-null",
            "The project's widget has no settings but null.",
            "Project.properties.chatWidgetConfig",
            edit("getProject", widget, put(None)),
        ),
        (
            "widget-offset-number",
            "The widget's offset is one number.",
            "WidgetOffset.type",
            edit("getProject", f"{widget}.offset", put(20)),
        ),
        (
            "widget-position-right",
            "The widget's position is right, as in the printed example.",
            "C-17",
            edit("getProject", f"{widget}.position", put("right")),
        ),
        (
            "widget-font-size-with-unit",
            "The widget's font size has a unit.",
            "ChatWidgetConfig.properties.baseFontSize",
            edit("getProject", f"{widget}.baseFontSize", put("14px")),
        ),
        (
            "widget-icon-relative",
            "The address of the widget's icon is only a path.",
            "ChatWidgetConfig.properties.chatButtonIcon.format",
            edit("getProject", f"{widget}.chatButtonIcon", put("/icons/chat button.svg")),
        ),
        (
            "project-name-long",
            "The project's name has more than 100 characters.",
            "Project.properties.name.maxLength",
            edit("getProject", "name", put("Example Shop " * 8)),
        ),
    ):
        _add(name, says, evidence, build, probes.project)
    _add(
        "qna-without-object",
        "A Q&A in a list lacks its object.",
        "Qna.required (R-4)",
        edit("getQnas", "data.*.object", drop),
        probes.qnas,
    )
    _add(
        "qna-author-null",
        "getQna has null for an author that may be left out, but not null.",
        "Qna.properties.createdBy",
        edit("getQna", "createdBy", put(None)),
        probes.qna,
    )
    _add(
        "qna-updated-at-missing-on-later-pages",
        "From the second page on, Q&As lack updatedAt.",
        "Qna.required (F-qnas)",
        edit(
            "getQnas", "data.*.updatedAt", drop, when=lambda exchange: _offset(exchange.query) > 0
        ),
        probes.qnas,
        rare=True,
    )
    _add(
        "score-as-text",
        "The score of a search result is a text.",
        "SearchResult.properties.score",
        edit("search", "results.*.score", change(str)),
        probes.found,
    )
    _add(
        "result-url-relative",
        "The url of a search result is only its path.",
        "SearchResult.properties.url.format (F-search)",
        edit("search", "results.*.url", put("help/our shipping")),
        probes.found,
    )
    _add(
        "price-as-text",
        "The price of a product is a text.",
        "SearchResult.properties.price",
        edit("search", "results.*.price", change(str)),
        probes.found,
        rare=True,
    )
    _add(
        "nothing-found-is-null",
        "A search that finds nothing has null for its results.",
        "SearchResults.properties.results",
        edit("search", "results", change(lambda results: results or None)),
        probes.found_nothing,
        rare=True,
    )
    _add(
        "empty-list-without-total",
        "A list of Q&As in which nothing matches has no total.",
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


def _take_back(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    message = visitor.messages(conversation)[-1]["id"]
    visitor.rate(message, "like")
    visitor.rate(message, None)


def _no_qna(api: Api) -> None:
    assert 0 == api.expect("getQnas", PROJECT_ID, query="xyzzyx")["total"]
    assert api.expect("getProject", apiKey=API_KEY)


_identity()
_conversations()
_messages()
_completions()
_website()
