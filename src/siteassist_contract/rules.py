"""The rules that a server is held to: in words, with the document behind each.

Everything that is judged is judged by one of these, so that a report can say
which of them were put to the test and which were not.
"""

from __future__ import annotations

from dataclasses import dataclass

CONVERSATION_OPERATIONS = (
    "getConversation",
    "closeConversation",
    "getMessages",
    "sendMessage",
)
PROTECTED = (
    "getMe",
    "getConversations",
    "startConversation",
    *CONVERSATION_OPERATIONS,
    "sendMessageFeedback",
    "createChatCompletion",
)
OPEN = ("init", "getProject", "getQnas", "getQna", "search")
ALL = (*PROTECTED, *OPEN)
WITH_BOUNDS = (
    "init",
    "getConversations",
    "startConversation",
    "closeConversation",
    "getMessages",
    "sendMessage",
    "sendMessageFeedback",
    "createChatCompletion",
    "getProject",
    "getQnas",
    "search",
)
STREAMING = ("sendMessage", "createChatCompletion")


@dataclass(frozen=True)
class Rule:
    """Something that every server has to keep."""

    words: str
    """In plain words, as a sentence that is true of a server that keeps it."""
    document: str
    """What it rests on: pages by their id in ``docs/evidence.md``, or entries there."""
    operations: tuple[str, ...]
    """The operations that it can be seen in."""
    needs: str = ""
    """What a run must be given to test it, if a publishable key is not enough: see `GAPS`."""


TWO_VISITORS = "two visitors"
HUMAN = "a human agent"
SLOW_STREAM = "a slow stream"

GAPS = {
    TWO_VISITORS: "needs a publishable key: --api-key",
    HUMAN: "needs a conversation that a human agent handles: --human-conversation",
    SLOW_STREAM: "the streams came too fast to tell",
}
"""Why a rule may not have been tested, by what it needs."""

RULES: dict[str, Rule] = {
    # Every answer
    "answered": Rule("Every request is answered.", "F-status", ALL),
    "no-server-error": Rule("No request makes the server fail.", "F-status (500)", ALL),
    "described": Rule(
        "Status, media type and body of an answer are as described.",
        "openapi.yaml, F-errors",
        ALL,
    ),
    "accepted": Rule("A valid request is accepted.", "openapi.yaml", ALL),
    "nothing-leaks": Rule(
        "An error tells nothing of the server's inside: no path, trace, SQL or token.",
        "F-errors",
        ALL,
    ),
    "fits-request": Rule(
        "An answer fits its request: its page, its filter, its object.",
        "P3, P5, F-messages, F-feedback, F-qnas, F-search",
        (
            "getConversation",
            "getConversations",
            "getMessages",
            "getQna",
            "getQnas",
            "search",
            "sendMessageFeedback",
            "startConversation",
        ),
    ),
    "made-up-requests": Rule("schemathesis finds nothing wrong besides.", "openapi.yaml", ()),
    # Credentials
    "token-required": Rule(
        "Without a token a protected operation answers 401.", "F-auth, F-status", PROTECTED
    ),
    "token-checked": Rule(
        "A malformed, made-up or changed token gets 401, and so does another scheme.",
        "F-auth, F-status",
        PROTECTED,
    ),
    "key-checked": Rule(
        "A wrong publishable key is refused.", "F-auth, C-18", ("init", "getProject", "search")
    ),
    "no-token-needed": Rule(
        "Operations that take no token work without one.",
        "F-project, F-qnas, F-search, O-14",
        ("getProject", "getQnas", "getQna", "search"),
        TWO_VISITORS,
    ),
    # Refusals
    "bounds": Rule(
        "A value beyond its bounds, of another type or left out though required is refused"
        " with 400 or 422, and one at its bounds is accepted.",
        "openapi.yaml, O-2",
        WITH_BOUNDS,
    ),
    "malformed-refused": Rule(
        "A body that is not JSON, and an id that is no UUID, are refused.",
        "F-status (400, 422), O-2",
        (
            "init",
            "startConversation",
            "sendMessage",
            "sendMessageFeedback",
            "createChatCompletion",
            "getConversation",
            "closeConversation",
            "getMessages",
            "getQnas",
            "getQna",
        ),
    ),
    "unknown-not-found": Rule(
        "What never existed is not found.",
        "F-status (404), O-1",
        (*CONVERSATION_OPERATIONS, "sendMessageFeedback", "getQnas", "getQna"),
    ),
    "no-such-path": Rule(
        "A path that is not described is not found.", "F-status (404)", ("getMe",)
    ),
    # Identity
    "device-status": Rule(
        "A device gets 201 the first time, and 200 from then on.", "F-init", ("init",), TWO_VISITORS
    ),
    "device-visitor": Rule(
        "A device always gets the same visitor; another device another one.",
        "F-init, R-26",
        ("init",),
        TWO_VISITORS,
    ),
    "me": Rule("A session's token stands for its visitor.", "F-init, F-me", ("getMe",)),
    # Conversations
    "created": Rule(
        "What is created is answered with 201, all else with 200.",
        "F-status, R-2",
        ("startConversation",),
    ),
    "started-open": Rule(
        "A conversation that was just started is open and not closed at any time.",
        "P1",
        ("startConversation",),
    ),
    "new-id": Rule("Every conversation has an id of its own.", "P1", ("startConversation",)),
    "same-object": Rule(
        "The object that was asked for comes.", "P5", ("getConversation", "getQna")
    ),
    "read-back": Rule(
        "What was stored is read back: time of creation, status, reason, messages.",
        "P1, P5, P4, F-list",
        ("getConversation", "getConversations"),
    ),
    "times": Rule(
        "Times do not go back, and that of creation does not change.",
        "P1, F-list",
        ("getConversation", "getConversations", "getMessages"),
    ),
    "last-interaction": Rule(
        "An exchange of messages moves `lastInteractionAt`.", "P1, F-list", ("getConversation",)
    ),
    "closes": Rule(
        "Closing closes: the status and `closedAt` say so, and it stays so.",
        "P4, F-close",
        ("closeConversation",),
    ),
    "closes-again": Rule("Closing again is no error.", "F-close, C-23", ("closeConversation",)),
    # Lists
    "list-own": Rule(
        "A list has all that matches, once, and nothing else, whatever the pages.",
        "F-list, P3, R-17",
        ("getConversations",),
    ),
    "list-total": Rule(
        "`total` counts what matches, on all pages together.",
        "F-list, R-17",
        ("getConversations", "getQnas"),
    ),
    "list-page": Rule(
        "A page is as long as asked for, begins where asked for, and says so.",
        "F-list, P3, F-messages, F-qnas, F-search",
        ("getConversations", "getMessages", "getQnas", "search"),
    ),
    "list-filter": Rule(
        "A filter lets through what matches, and only that.",
        "F-list, P3, F-messages",
        ("getConversations", "getMessages"),
    ),
    "list-order": Rule(
        "A list is sorted as asked for, by default the latest interaction first.",
        "F-list, P3",
        ("getConversations",),
    ),
    "last-message": Rule(
        "`lastMessage` is the latest message.", "F-list, C-03", ("getConversations",)
    ),
    # Messages
    "stored-message": Rule(
        "A message is stored as it was sent, with where it was sent from.",
        "P2, F-messages",
        ("sendMessage",),
    ),
    "stored-answer": Rule(
        "The stored answer is the one that was given, JSON or stream.",
        "P2, F-messages, F-send",
        ("sendMessage",),
    ),
    "answer": Rule("An answer has a text.", "P2, F-send", STREAMING),
    "answer-form": Rule(
        "`stream` decides between JSON and event stream.", "P2, F-chat, R-15, O-10", STREAMING
    ),
    "history": Rule(
        "Messages stay as they are, in the order that they were written in, oldest first.",
        "F-messages",
        ("getMessages",),
    ),
    "one-history": Rule(
        "A conversation shows the same messages as their list.",
        "P5, F-messages, R-24",
        ("getConversation",),
    ),
    "queued": Rule(
        "While a human agent handles a conversation, a message is queued: 202 as text, and stored.",
        "P2, F-send, F-status",
        ("sendMessage",),
        HUMAN,
    ),
    "feedback": Rule(
        "Feedback is stored with its time, replaced by the next, removed by null.",
        "F-feedback",
        ("sendMessageFeedback",),
    ),
    "feedback-alone": Rule(
        "Feedback touches no other message.", "F-feedback", ("sendMessageFeedback",)
    ),
    # Isolation
    "isolation": Rule(
        "Nobody reads or changes what is somebody else's: 403 or 404.",
        "F-messages, F-feedback, P5, O-1",
        (*CONVERSATION_OPERATIONS, "sendMessageFeedback"),
        TWO_VISITORS,
    ),
    "own-list": Rule(
        "A list shows nothing of anybody else's.", "P3, F-list", ("getConversations",), TWO_VISITORS
    ),
    # Streams
    "stream-frames": Rule(
        "A stream is UTF-8, `data:` and an empty line per event, JSON with a type.",
        "P2, F-chat, F-stream",
        STREAMING,
    ),
    "stream-order": Rule(
        "A stream begins with `start` and ends with `finish`; steps and texts are opened before"
        " they are written to, and closed.",
        "P2, F-stream",
        STREAMING,
    ),
    "stream-ids": Rule(
        "Pieces of a text carry the id that it was opened with.", "P2, F-stream", STREAMING
    ),
    "stream-end": Rule(
        "A stream ends with `[DONE]`, once, and with nothing after it.",
        "P2, F-chat, R-12, O-15",
        STREAMING,
    ),
    "stream-incremental": Rule(
        "A stream comes piece by piece, not at once at its end.", "P2", STREAMING, SLOW_STREAM
    ),
    # Knowledge
    "project-stable": Rule(
        "A key always names the same project.", "F-project", ("getProject",), TWO_VISITORS
    ),
    "qnas-search": Rule(
        "The words of a question find it; words that nothing has find nothing.",
        "F-qnas",
        ("getQnas",),
        TWO_VISITORS,
    ),
    "qnas-all": Rule(
        "The pages of a list have every entry, once.", "F-qnas, R-17", ("getQnas",), TWO_VISITORS
    ),
}
