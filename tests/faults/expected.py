"""The violations that the fixed checks of the contract suite must find in the mutants.

Each rule of the suite has a mutant that breaks it. The mutant breaks no other rule,
except as a consequence of the same fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.checking import (
    Check,
    conversation,
    event_streams,
    identity,
    isolation,
    knowledge,
    lists,
    refusals,
)

__all__ = ["EXPECTED", "Expectation"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A violation that one check must find in one mutant."""

    mutant: str
    check: Check
    violation: str
    """The operation, the rule and, for some rules, the place."""
    actual: str
    """A regular expression for the actual value in the report."""
    also: Sequence[str] = ()
    """Patterns of other violations that may follow from the same fault."""


_ID = "[0-9a-f-]{36}"
_TIME = "20.+Z"

EXPECTED: Sequence[Expectation] = tuple(
    Expectation(mutant, check, violation, actual, also)
    for check, rows in {
        identity: (
            ("known-device-201", "init device-status", "201, 201, 201"),
            (
                "new-visitor-each-time",
                "init device-visitor",
                f"{_ID}, {_ID}, {_ID}",
                "init device-status",
            ),
            ("me-is-the-first", "getMe me", f"200 with {_ID}"),
        ),
        conversation: (
            ("start-200", "startConversation created", "200", "startConversation described 200"),
            ("started-with-end", "startConversation started-open", 'status "open", closedAt "20.+'),
            (
                "start-returns-the-open-one",
                "startConversation new-id",
                f"{_ID}",
                "getConversation read-back",
            ),
            ("read-shows-another", "getConversation same-object", f"{_ID}"),
            (
                "close-reason-lost",
                "getConversation read-back",
                'closeReason null instead of ".+"',
                "getConversations read-back",
            ),
            (
                "created-at-changes",
                "getConversation read-back",
                'createdAt ".+" instead of ".+"',
                "getConversations read-back",
            ),
            ("closing-turns-updates-back", "getConversation times", "updatedAt from .+ to 2020.+"),
            ("last-interaction-never-noted", "getConversation last-interaction", f"{_TIME}"),
            (
                "close-without-effect",
                "closeConversation closes",
                'status "open", closedAt null',
                "getConversation read-back",
                "getConversations read-back",
            ),
            ("close-again-409", "closeConversation closes-again", "409"),
            ("lines-joined", "sendMessage stored-message", ".*user: .*"),
            ("text-selection-lost", "sendMessage stored-message", '.*"textSelection": null.*'),
            ("null-page-context-refused", "sendMessage accepted", "400"),
            ("answer-stored-otherwise", "sendMessage stored-answer", "1 messages, … assistant: .*"),
            ("streamed-answer-never-complete", "sendMessage stored-answer", '"streaming"'),
            ("chat-id-of-another", "getMessages history", f"{_ID}, {_ID}"),
            (
                "tenth-message-lost",
                "sendMessage stored-message",
                "no message",
                "sendMessage stored-answer",
            ),
            (
                "messages-newest-first",
                "getMessages history",
                ".+",
                "* times",
                "sendMessage stored-*",
                "getConversation one-history",
                "getMessages list-page",
                "getConversations last-message",
            ),
            ("answers-dated-back", "getMessages times", f"2020.+ after {_TIME}"),
            ("read-lacks-latest", "getConversation one-history", "1 messages, … user: .+"),
            (
                "role-ignored",
                "getMessages list-filter",
                "[1-9]+ others, 0 missing",
                "getMessages list-page",
            ),
            ("messages-offset-ignored", "getMessages list-page", "[0-9]+: .*"),
            ("feedback-answer-always-null", "sendMessageFeedback feedback", "200 with null"),
            ("feedback-not-stored", "sendMessageFeedback feedback", "null, feedbackAt null"),
            (
                "feedback-on-previous-message",
                "sendMessageFeedback feedback-alone",
                f"changed: {_ID}",
                "sendMessageFeedback feedback",
            ),
            ("emoji-500", "sendMessage no-server-error", "500", "sendMessage accepted"),
            (
                "message-role-unknown",
                "getMessages described 200",
                '`data/1/role`: "bot" is not one of .+',
                "sendMessage stored-answer",
                "getConversation one-history",
                "getMessages list-*",
            ),
        ),
        lists: (
            (
                "twice-on-later-pages",
                "getConversations list-own",
                "[1-9] duplicated, [0-9] missing",
                "getConversations list-page",
            ),
            ("total-of-page", "getConversations list-total", "[0-9]+"),
            ("limit-said-wrong", "getConversations list-page", "`limit` 10, `offset` 0"),
            (
                "offset-one-too-high",
                "getConversations list-page",
                "[0-9]+",
                "getConversations list-own",
            ),
            (
                "status-ignored",
                "getConversations list-filter",
                "[1-9][0-9]* with another status, [1-9][0-9]* that must have another one",
                "getConversations list-*",
            ),
            ("direction-ignored", "getConversations list-order", ".+ before .+"),
            (
                "close-reason-lost",
                "getConversations read-back",
                'closeReason null instead of "Reason 1?[0-9]"',
                "getConversation read-back",
            ),
            ("old-times-in-lists", "getConversations times", "lastInteractionAt from .+ to 2020.+"),
            ("last-message-is-the-first", "getConversations last-message", f"{_ID}"),
        ),
        isolation: (
            ("read-foreign", "getConversation isolation", "200.*"),
            ("messages-foreign", "getMessages isolation", "200.*"),
            (
                "send-foreign",
                "sendMessage isolation",
                "200.*",
                "getConversation one-history",
                "getConversations last-message",
            ),
            ("close-foreign", "closeConversation isolation", "200.*", "getConversation read-back"),
            ("rate-foreign", "sendMessageFeedback isolation", "200.*"),
            (
                "list-of-everybody",
                "getConversations own-list",
                f"also {_ID}.*",
                "getConversations list-*",
            ),
        ),
        event_streams: (
            ("empty-answer", "sendMessage answer", "none", "sendMessage stored-answer"),
            ("empty-completion", "createChatCompletion answer", "none"),
            ("json-though-stream", "sendMessage answer-form", "application/json"),
            ("chat-json-though-stream", "createChatCompletion answer-form", "application/json"),
            (
                "character-cut",
                "sendMessage stream-frames",
                "the stream is not UTF-8 .+",
                "sendMessage stored-answer",
            ),
            (
                "json-lines",
                "createChatCompletion stream-frames",
                "a line is not a field of an event: .+",
                "createChatCompletion stream-*",
                "createChatCompletion answer",
            ),
            ("no-finish-step", "sendMessage stream-order", "`finish` comes before `finish-step`"),
            ("no-finish", "createChatCompletion stream-order", "the stream ends without `finish`"),
            ("ids-differ", "sendMessage stream-ids", "`text-delta` has the id '.+', expected .+"),
            (
                "text-end-of-another",
                "createChatCompletion stream-ids",
                "`text-end` has the id 'text-2', expected .+",
                "createChatCompletion stream-order",
            ),
            ("no-done", "sendMessage stream-end", r"the stream ends without \[DONE\]"),
            (
                "no-done-in-chat",
                "createChatCompletion stream-end",
                r"the stream ends without \[DONE\]",
            ),
        ),
        knowledge: (
            ("search-needs-a-token", "search no-token-needed", "401"),
            ("project-renamed", "getProject project-stable", ".+"),
            (
                "qnas-query-ignored",
                "getQnas qnas-search",
                "[1-9][0-9]* entries, `total` [1-9][0-9]*",
            ),
            ("qnas-query-finds-nothing", "getQnas qnas-search", "0 other entries"),
            (
                "qnas-offset-ignored",
                "getQnas qnas-all",
                "[0-9]+, [0-9]+ of them distinct",
                "getQnas list-page",
            ),
            ("qnas-total-of-page", "getQnas list-total", "[0-9]+"),
            ("qnas-total-one-too-many", "getQnas list-total", "[0-9]+"),
            ("qnas-last-page-full", "getQnas list-page", "[0-9]+, `limit` 10, `offset` [0-9]+"),
            ("qna-always-the-first", "getQna same-object", f"{_ID}"),
            ("size-ignored", "search list-page", "[2-9]"),
        ),
        refusals: (
            ("no-token-me", "getMe token-required no token", "200"),
            (
                "empty-token",
                "getMe token-checked a header without a token",
                "200",
                "* token-checked a header without a token",
            ),
            (
                "made-up-token-list",
                "getConversations token-checked a made-up token",
                "200",
                "getConversations token-checked *",
            ),
            (
                "signature-unchecked",
                "getMe token-checked a changed token",
                "200",
                "* token-checked a changed token",
                "* token-checked a token with a suffix",
            ),
            (
                "token-with-appendix",
                "getMe token-checked a token with a suffix",
                "200",
                "* token-checked a token with a suffix",
            ),
            (
                "basic-scheme",
                "getMe token-checked another scheme",
                "200",
                "* token-checked another scheme",
            ),
            (
                "any-key-init",
                "init key-checked made up",
                "20[01]",
                "init key-checked *",
                "init bounds body/apiKey",
            ),
            (
                "any-key-project",
                "getProject key-checked made up",
                "200",
                "getProject key-checked *",
            ),
            ("any-key-search", "search key-checked made up", "200", "search key-checked *"),
            ("limit-101-taken", "getConversations bounds limit", "200"),
            ("limit-100-refused", "getConversations bounds limit", "400"),
            ("content-one-too-long-taken", "sendMessage bounds body/content", "200"),
            ("start-with-empty-body-refused", "startConversation bounds body", "422"),
            (
                "no-json-taken",
                "sendMessage malformed-refused not JSON",
                "200",
                "sendMessage malformed-refused not UTF-8",
                "sendMessage bounds body",
            ),
            (
                "malformed-id-shows-the-latest",
                "getConversation malformed-refused conversationId",
                "200",
            ),
            ("unknown-message-rated", "sendMessageFeedback unknown-not-found messageId", "200"),
            ("unknown-path-answered", "getMe no-such-path", "200"),
            (
                "error-in-html",
                "getConversation described 404",
                "404 must have the media type application/json, got text/html",
            ),
            (
                "error-with-stack-trace",
                "getConversation nothing-leaks",
                "a stack trace: .+; a path of the server: /srv/api/.+",
            ),
        ),
    }.items()
    for mutant, violation, actual, *also in rows
)
"""All expectations, grouped by check."""
