"""The consequences of a violation of each rule for those who use the API.

Reports show it beside a finding, so that a reader can judge how urgent it is.
"""

from __future__ import annotations

from enum import IntEnum

IMPACT = {
    # Every answer
    "answered": "Callers wait until their time limit, and do not know whether the request counted.",
    "no-server-error": "Callers cannot tell a mistake of theirs from a fault of the server.",
    "described": "Typed clients fail to read the answer, or lose a part of it.",
    "accepted": "Clients that follow the documentation are refused.",
    "nothing-leaks": "Attackers learn about the inside of the server, or get a credential.",
    "fits-request": "Applications show data that the user did not ask for.",
    "made-up-requests": "Clients can get an answer that the documentation does not allow.",
    # Sockets
    "socket-pong": "Clients take the connection for a broken one, and connect again and again.",
    "socket-silence": "Visitors miss what an agent says while they are silent.",
    "socket-texts": "Clients of a later version lose their connection.",
    "socket-messages": "Clients fail to read what an agent says.",
    "socket-assigned": "Visitors do not learn that they talk to a human, or learn it twice.",
    "socket-delivery": "Visitors miss what an agent says, or see it twice or in disorder.",
    "socket-stored": "Visitors see another text now than after they come back.",
    "socket-isolation": "Visitors read what an agent says to others.",
    # Credentials
    "token-required": "Anyone can use the operation without signing in.",
    "token-checked": "A forged or damaged token opens the API to strangers.",
    "key-checked": "Anyone can use the API in the name of a customer.",
    "no-token-needed": "Public pages cannot show the data before a visitor has a session.",
    # Refusals
    "bounds": "Invalid data is stored or valid data is lost, depending on the side of the bound.",
    "malformed-refused": "Mistakes of a client go unnoticed, and unexpected data gets in.",
    "unknown-not-found": "Clients take objects that do not exist for real ones.",
    "no-such-path": "Misspelled requests seem to succeed, or do something that nobody documented.",
    # Identity
    "device-status": "Clients cannot tell new visitors from returning ones.",
    "device-visitor": "Visitors lose their history, or see that of somebody else.",
    "me": "An application shows one visitor's identity to another.",
    # Conversations
    "created": "Clients that check the status take a success for something else.",
    "started-open": "A new conversation looks closed, so that visitors cannot write.",
    "new-id": "Two conversations are mixed up.",
    "same-object": "Applications show another object than the one that the user opened.",
    "read-back": "Data that the server confirmed is lost or changed.",
    "times": "Sorting and polling by time miss entries.",
    "last-interaction": "Active conversations sink in lists, and agents overlook them.",
    "closes": "Conversations that are over stay open, or open again.",
    "closes-again": "A client that repeats a request after a lost answer gets an error.",
    # Lists
    "list-own": "Applications that read all pages miss entries, or show them twice.",
    "list-total": "Page numbers are wrong, and readers stop too early or never.",
    "list-page": "Readers of pages skip entries, or read them twice.",
    "list-filter": "Users see entries that they filtered out, or miss some.",
    "list-order": "The entry that users look for is not at the top.",
    "last-message": "Lists of conversations show an old or a wrong message.",
    # Messages
    "stored-message": "What a visitor wrote is lost or changed.",
    "stored-answer": "The history differs from the answer that the visitor read.",
    "answer": "Visitors see an empty answer.",
    "answer-form": "Clients wait for a stream and get JSON, or the reverse, and show nothing.",
    "history": "Visitors and agents read a conversation in the wrong order, or with changed texts.",
    "one-history": "Two screens of an application show different conversations.",
    "queued": "Visitors do not learn that a person will answer, or their message is lost.",
    "feedback": "Ratings of answers are lost or wrong.",
    "feedback-alone": "Ratings are counted for the wrong answer.",
    # Texts
    "texts-accepted": "People cannot write in their own language or script.",
    "texts-kept": "Texts come back damaged: names, code, links and emoji.",
    # Isolation
    "isolation": "Visitors can read or change the data of others.",
    "own-list": "Visitors see the conversations of others.",
    # Errors, and questions that no page answers
    "error-body": "Programs handle the wrong error, and users read no reason.",
    "undescribed-ignored": "A client can set data or rights that it must not set.",
    # Streams
    "stream-frames": "Clients cannot read the stream.",
    "stream-order": "Clients show an incomplete answer, or none.",
    "stream-ids": "Texts of one answer are mixed up.",
    "stream-end": "Clients wait forever, or take a broken connection for the end.",
    "stream-incremental": "Visitors wait for the whole answer in front of an empty screen.",
    # The same object in several places, refusals, overlap, time
    "agreement": "Two screens of an application contradict each other.",
    "nothing-sticks": "A request of one user changes the results of another.",
    "no-side-effects": "A request that was refused has an effect all the same.",
    "overlap": "Data is lost or doubled if two people, tabs or devices act at the same time.",
    "server-clock": "Sorting, polling and reports by time are wrong.",
    "own-times": "Programs that follow changes by time miss them, or see changes that are none.",
    # Browsers
    "preflight": "Web pages cannot call the operation.",
    "cross-origin": "Web pages cannot read the answer, or the reason of an error.",
    "website-checked": "Other websites can use the key, or the customer's own cannot.",
    # Negotiation and framing
    "negotiation": "Some HTTP clients get another answer than others.",
    "framing": "Requests through some HTTP clients and proxies arrive damaged.",
    # Knowledge
    "project-stable": "A website shows the name and the colours of another project.",
    "qnas-search": "Visitors do not find answers that exist.",
    "qnas-all": "Some entries can never be found.",
}
"""The consequence of a violation, as a sentence, by the id of its rule."""


class Severity(IntEnum):
    """The severity of a violation: the lower, the more urgent."""

    ACCESS = 0
    """Strangers, other visitors or other websites see or do what they must not."""
    LOSS = 1
    """Requests fail, clients cannot read answers, or data is lost or wrong."""
    DETAIL = 2
    """Everything else."""


ACCESS_RULES = frozenset(
    {
        "device-visitor",
        "isolation",
        "key-checked",
        "me",
        "no-side-effects",
        "nothing-leaks",
        "own-list",
        "socket-isolation",
        "token-checked",
        "token-required",
        "undescribed-ignored",
        "website-checked",
    }
)
"""The rules on access."""
REFUSALS = frozenset({"isolation", "key-checked", "token-checked", "token-required"})
"""Those that demand a refusal. One with another status than the demanded one opens nothing."""
LOSS_RULES = frozenset(
    {
        "accepted",
        "agreement",
        "answer",
        "answer-form",
        "answered",
        "closes",
        "described",
        "feedback",
        "feedback-alone",
        "history",
        "list-own",
        "new-id",
        "no-server-error",
        "no-token-needed",
        "nothing-sticks",
        "one-history",
        "overlap",
        "preflight",
        "queued",
        "read-back",
        "same-object",
        "socket-delivery",
        "socket-messages",
        "socket-stored",
        "started-open",
        "stored-answer",
        "stored-message",
        "stream-end",
        "stream-frames",
        "stream-ids",
        "stream-order",
        "texts-accepted",
        "texts-kept",
    }
)
"""The rules without which clients fail or data is lost."""


def severity(rule: str, *, is_refused: bool = False) -> Severity:
    """Return the severity of a violation of a rule, whose request may have been refused."""
    if rule in REFUSALS and is_refused:
        return Severity.DETAIL
    if rule in ACCESS_RULES:
        return Severity.ACCESS
    return Severity.LOSS if rule in LOSS_RULES else Severity.DETAIL
