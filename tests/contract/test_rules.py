"""Every rule that the journeys, the streams and the refusals judge is judged for good reason.

Each fault breaks one rule, on a server that keeps all others. The fixed ways have to
find it, without chance, at the operation that it is in, and nothing else but what
follows from it.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.checks import derived, streams
from siteassist_contract.checks.behaviour import journeys
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.refusals import Refusals
from siteassist_contract.rules import RULES

if TYPE_CHECKING:
    from tests.contract.conftest import Clock, Forward, InProcess

PRIVATE_KEY = "sk_test_1234567890abcdef"
KEY = "sa_pk_1234567890abcdef"
LONG_AGO = "2020-01-01T00:00:00.000Z"
OTHER = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

Memory = dict[str, Any]
Fault = Callable[[httpx.Request, "Forward", Memory], httpx.Response]
Way = Callable[[CheckContext], None]

# What a request is for; `re.fullmatch` decides.
INIT = "POST /identity/init"
ME = "GET /identity/me"
START = "POST /conversations"
LIST = "GET /conversations"
READ = "GET /conversations/[^/]+"
CLOSE = "POST /conversations/[^/]+/close"
SEND = "POST /conversations/[^/]+/messages"
MESSAGES = "GET /conversations/[^/]+/messages"
FEEDBACK = "POST /messages/[^/]+/feedback"
CHAT = "POST /chat/completions"
PROJECT = "GET /projects/current"
QNAS = "GET /projects/[^/]+/qnas"
QNA = "GET /projects/[^/]+/qnas/[^/]+"
SEARCH = "GET /search"


def refusals(context: CheckContext) -> None:
    """Provoke every refusal."""
    list(Refusals(context).run())


def event_streams(context: CheckContext) -> None:
    """Ask for streams in every way."""
    list(streams.run(context))


def starts_twice(context: CheckContext) -> None:
    """Start two conversations."""
    visitor = context.visitor()
    visitor.start()
    visitor.start()


@dataclass(frozen=True)
class Case:
    """A fault, and what comes of it."""

    fault: Fault
    way: Way
    break_: str
    """Operation, rule and perhaps place."""
    actual: str
    """What the break has to say came, as a regular expression."""
    also: frozenset[str]
    """What may follow from it."""


CASES: dict[str, Case] = {}


def violations(break_: str, way: Way, actual: str, *also: str) -> Callable[[Fault], Fault]:
    """Register a fault under its name."""

    def register(fault: Fault) -> Fault:
        CASES[getattr(fault, "__name__", "")] = Case(fault, way, break_, actual, frozenset(also))
        return fault

    return register


def asks(request: httpx.Request, what: str) -> bool:
    """Whether a request is for ``what``."""
    path = request.url.path.removeprefix("/v2")
    return re.fullmatch(what, f"{request.method} {path}") is not None


def body_of(request: httpx.Request) -> Memory:
    """Return the JSON object of a request; an empty one if it is none."""
    try:
        document = json.loads(request.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def say(answer: httpx.Response, document: object, status: int | None = None) -> httpx.Response:
    """Put another JSON body into an answer."""
    kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return httpx.Response(status or answer.status_code, headers=kept, content=json.dumps(document))


def refuse(status: int, message: str = "No") -> httpx.Response:
    """Return a documented refusal."""
    return httpx.Response(status, json={"error": {"code": "NO", "message": message}})


def ask(
    request: httpx.Request,
    *,
    body: object = ...,
    query: Memory | None = None,
    headers: dict[str, str] | None = None,
    path: str | None = None,
) -> httpx.Request:
    """Return the request with another part."""
    url = request.url if query is None else request.url.copy_merge_params(query)
    if path is not None:
        url = url.copy_with(path=path)
    kept = {n: v for n, v in request.headers.items() if n not in ("content-length", "host")}
    content = request.content if body is ... else json.dumps(body).encode()
    new = {name.lower(): value for name, value in (headers or {}).items()}
    return httpx.Request(request.method, url, headers=kept | new, content=content)


Change = Callable[[Any, Memory, httpx.Request], Any]


def showing(what: str, change: Change) -> Fault:
    """Return a fault that changes the JSON of good answers to ``what``."""

    def fault(request: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
        answer = forward(request)
        if asks(request, what) and answer.status_code < 300 and _is_json(answer):
            return say(answer, change(answer.json(), memory, request))
        return answer

    return fault


def _is_json(answer: httpx.Response) -> bool:
    return str(answer.headers.get("content-type")).startswith("application/json")


def shows(  # noqa: PLR0913  # a row of a table
    name: str, what: str, change: Change, break_: str, way: Way, actual: str, *also: str
) -> None:
    """Register a fault that changes the JSON of good answers to ``what``."""
    CASES[name] = Case(showing(what, change), way, break_, actual, frozenset(also))


def each(change: Callable[[Memory], Memory]) -> Change:
    """Change each entry of a list."""
    return lambda document, *_: {**document, "data": [change(item) for item in document["data"]]}


def counted(memory: Memory, name: str) -> int:
    """Count up, from 1."""
    memory[name] = memory.get(name, 0) + 1
    return int(memory[name])


# Devices and visitors


@violations("init device-status", journeys.identity, "201, 201, 201")
def greets_every_device_as_new(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    return say(answer, answer.json(), 201) if asks(r, INIT) else answer


@violations("init device-visitor", journeys.identity, r"[\w-]+, aaaaaaaa-\S+, [\w-]+", "getMe me")
def makes_a_new_visitor_of_an_old_device(
    r: httpx.Request, forward: Forward, _: Memory
) -> httpx.Response:
    answer = forward(r)
    if not asks(r, INIT) or answer.status_code != 200:
        return answer
    document = answer.json()
    return say(answer, {**document, "visitor": {**document["visitor"], "id": OTHER}})


shows(
    "shows_another_visitor",
    ME,
    lambda d, *_: {**d, "id": OTHER},
    "getMe me",
    journeys.identity,
    f"200 with {OTHER}",
)

# One conversation


@violations(
    "startConversation created", journeys.conversation, "200", "startConversation described 200"
)
def creates_with_200(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    return say(answer, answer.json(), 200) if asks(r, START) else answer


shows(
    "starts_closed",
    START,
    lambda d, *_: {**d, "closedAt": d["createdAt"]},
    "startConversation started-open",
    journeys.conversation,
    "status 'open', closedAt '20.+",
)
shows(
    "gives_an_id_twice",
    START,
    lambda d, memory, _: memory.setdefault("first", d),
    "startConversation new-id",
    starts_twice,
    r"[0-9a-f-]{36}",
)
shows(
    "shows_another_conversation",
    READ,
    lambda d, *_: {**d, "id": OTHER},
    "getConversation same-object",
    journeys.conversation,
    OTHER,
)
shows(
    "forgets_the_reason",
    READ,
    lambda d, *_: {**d, "closeReason": None},
    "getConversation read-back",
    journeys.conversation,
    "closeReason None instead of '.+'",
)
shows(
    "moves_the_creation",
    READ,
    lambda d, *_: {**d, "createdAt": d["lastInteractionAt"]},
    "getConversation read-back",
    journeys.conversation,
    "createdAt '.+' instead of '.+'",
    "getConversations read-back",
)
shows(
    "turns_the_clock_back",
    READ,
    lambda d, memory, _: {**d, "updatedAt": LONG_AGO} if counted(memory, "read") > 1 else d,
    "getConversation times",
    journeys.conversation,
    f"updatedAt from .+ to {LONG_AGO}",
)
shows(
    "never_moves_the_interaction",
    READ,
    lambda d, *_: {**d, "lastInteractionAt": d["createdAt"]},
    "getConversation last-interaction",
    journeys.conversation,
    "20.+Z",
)


@violations(
    "closeConversation closes",
    journeys.conversation,
    "status 'open', closedAt None",
    "getConversation read-back",
    "getConversations read-back",
)
def does_not_close(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, CLOSE):
        return httpx.Response(200, json={"success": True, "message": "Closed"})
    return forward(r)


@violations("closeConversation closes-again", journeys.conversation, "409")
def closes_only_once(r: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
    if asks(r, CLOSE) and counted(memory, r.url.path) > 1:
        return refuse(409)
    return forward(r)


# Messages


@violations(
    "sendMessage stored-message", journeys.conversation, "1 messages|.*user: spaces around.*"
)
def trims_messages(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, SEND):
        body = body_of(r)
        r = ask(r, body={**body, "content": body["content"].strip()})
    return forward(r)


@violations("sendMessage stored-message", journeys.conversation, ".*'textSelection': None.*")
def forgets_the_selection(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, SEND) and body_of(r).get("pageContext"):
        body = body_of(r)
        r = ask(r, body={**body, "pageContext": body["pageContext"] | {"textSelection": None}})
    return forward(r)


@violations("sendMessage accepted", journeys.conversation, "400")
def refuses_null_pages(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, SEND) and body_of(r).get("pageContext", "") is None:
        return refuse(400)
    return forward(r)


def every_message(change: Callable[[Memory], Memory]) -> Change:
    """Change each message, in their list and in their conversation."""
    return lambda document, *_: {
        **document,
        **{n: [change(m) for m in document[n]] for n in ("data", "messages") if n in document},
    }


def louder(message: Memory) -> Memory:
    """Add to the text of an answer."""
    if message["role"] != "assistant":
        return message
    return {**message, "parts": [{"type": "text", "text": "Well, "}, *message["parts"]]}


@violations("sendMessage stored-answer", journeys.conversation, "1 messages, … assistant: Well, .*")
def stores_another_answer(r: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
    return showing(f"{READ}|{MESSAGES}", every_message(louder))(r, forward, memory)


shows(
    "leaves_answers_unfinished",
    MESSAGES,
    each(lambda m: m | {"status": "streaming"} if m["role"] == "assistant" else m),
    "sendMessage stored-answer",
    journeys.conversation,
    "streaming",
    "getMessages list-filter",
    "getMessages list-page",
)


def silent(document: Memory, *_: object) -> Memory:
    """Take the text out of an answer."""
    steps = document["steps"]
    return {**document, "steps": [s | {"content": [{"type": "text", "text": ""}]} for s in steps]}


shows(
    "answers_nothing",
    SEND,
    silent,
    "sendMessage answer",
    event_streams,
    "none",
    "sendMessage stored-answer",
)
shows("completes_nothing", CHAT, silent, "createChatCompletion answer", event_streams, "none")


def never_streams(what: str) -> Fault:
    """Return a fault that answers with JSON, whatever was asked for."""

    def fault(request: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
        if asks(request, what) and body_of(request).get("stream"):
            request = ask(request, body={**body_of(request), "stream": False})
        return forward(request)

    return fault


for _operation, _what in (("sendMessage", SEND), ("createChatCompletion", CHAT)):
    CASES[f"{_operation}_never_streams"] = Case(
        never_streams(_what),
        event_streams,
        f"{_operation} answer-form",
        "application/json",
        frozenset(),
    )

shows(
    "mixes_conversations_up",
    MESSAGES,
    each(lambda message: message | {"chatId": OTHER}),
    "getMessages history",
    journeys.conversation,
    OTHER,
)
shows(
    "forgets_the_first_message",
    MESSAGES,
    lambda d, *_: d if len(d["data"]) < 12 else {**d, "data": d["data"][1:]},
    "getMessages history",
    journeys.conversation,
    "8 messages, … .+|1.+ messages, … .+",
    "getConversation one-history",
    "getMessages list-filter",
    "getMessages list-page",
    "sendMessage stored-message",
)
shows(
    "dates_answers_back",
    MESSAGES,
    each(lambda m: m | {"createdAt": LONG_AGO} if m["role"] == "assistant" else m),
    "getMessages times",
    journeys.conversation,
    f"{LONG_AGO} after .+",
)
shows(
    "shows_no_messages",
    READ,
    lambda d, *_: {**d, "messages": []},
    "getConversation one-history",
    journeys.conversation,
    "no message",
)


@violations(
    "getMessages list-filter",
    journeys.conversation,
    "[1-9]+ others, 0 missing",
    "getMessages list-page",
)
def ignores_the_role(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, MESSAGES) and "role" in r.url.params:
        r = httpx.Request(r.method, r.url.copy_remove_param("role"), headers=r.headers)
    return forward(r)


@violations("getMessages list-page", journeys.conversation, "[0-9]+: .*")
def ignores_the_offset(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, MESSAGES) and "offset" in r.url.params:
        r = httpx.Request(r.method, r.url.copy_remove_param("offset"), headers=r.headers)
    return forward(r)


shows(
    "answers_feedback_with_null",
    FEEDBACK,
    lambda *_: {"feedback": None},
    "sendMessageFeedback feedback",
    journeys.conversation,
    "200 with None",
)


@violations("sendMessageFeedback feedback", journeys.conversation, "None, feedbackAt None")
def stores_no_feedback(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, FEEDBACK):
        return httpx.Response(200, json={"feedback": body_of(r)["feedback"]})
    return forward(r)


@violations("sendMessageFeedback feedback-alone", journeys.conversation, "changed: [0-9a-f-]{36}.*")
def rates_all_messages(r: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
    if asks(r, FEEDBACK):
        memory["feedback"] = body_of(r)["feedback"]
    elif "feedback" in memory and asks(r, f"{READ}|{MESSAGES}"):
        rated = memory["feedback"]
        new = {"feedback": rated, "feedbackAt": rated and LONG_AGO}
        change = every_message(lambda message: message | new)
        return showing(f"{READ}|{MESSAGES}", change)(r, forward, memory)
    return forward(r)


# Lists

shows(
    "repeats_an_entry_on_later_pages",
    LIST,
    lambda d, *_: (
        {**d, "data": [*d["data"][:-1], d["data"][-2]]} if d["offset"] and len(d["data"]) > 1 else d
    ),
    "getConversations list-own",
    journeys.lists,
    "[1-9] twice, [1-9] on none",
)
shows(
    "counts_the_page_only",
    LIST,
    lambda d, *_: {**d, "total": len(d["data"])},
    "getConversations list-total",
    journeys.lists,
    "[0-9]+",
)
shows(
    "always_says_limit_10",
    LIST,
    lambda d, *_: {**d, "limit": 10},
    "getConversations list-page",
    journeys.lists,
    "`limit` 10, `offset` 0",
)
shows(
    "loses_the_last_of_a_page",
    LIST,
    lambda d, *_: {**d, "data": d["data"][:-1]} if len(d["data"]) > 2 else d,
    "getConversations list-page",
    journeys.lists,
    "[0-9]+",
    "getConversations list-order",
    "getConversations list-own",
)


@violations(
    "getConversations list-filter",
    journeys.lists,
    "[1-9][0-9]* that say otherwise, [1-9][0-9]* that are otherwise",
    "getConversations list-own",
    "getConversations list-page",
    "getConversations list-total",
)
def ignores_the_status(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, LIST) and "status" in r.url.params:
        r = httpx.Request(r.method, r.url.copy_remove_param("status"), headers=r.headers)
    return forward(r)


@violations("getConversations list-order", journeys.lists, ".+ before .+|desc .+, asc .+")
def ignores_the_direction(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, LIST) and "orderDir" in r.url.params:
        r = httpx.Request(r.method, r.url.copy_remove_param("orderDir"), headers=r.headers)
    return forward(r)


shows(
    "forgets_the_reason_in_lists",
    LIST,
    each(lambda item: item | {"closeReason": None}),
    "getConversations read-back",
    journeys.lists,
    "closeReason None instead of 'Reason 1?[0-9]'",
)
shows(
    "lists_old_times",
    LIST,
    each(lambda item: item | {"lastInteractionAt": LONG_AGO}),
    "getConversations times",
    journeys.lists,
    f"lastInteractionAt from .+ to {LONG_AGO}",
)
shows(
    "lists_another_message",
    LIST,
    each(
        lambda item: (
            item | {"lastMessage": item["lastMessage"] and item["lastMessage"] | {"id": OTHER}}
        )
    ),
    "getConversations last-message",
    journeys.lists,
    OTHER,
)

# Somebody else's


def keep_owner(request: httpx.Request, answer: httpx.Response, memory: Memory) -> None:
    """Remember whose a conversation and its messages are."""
    token = request.headers.get("Authorization", "")
    document = answer.json() if answer.status_code < 300 and _is_json(answer) else {}
    if asks(request, START) and "id" in document:
        memory[document["id"]] = token
    if asks(request, READ):
        memory |= {message["id"]: token for message in document.get("messages", ())}


def opens(what: str) -> Fault:
    """Return a fault that lets everybody do ``what`` to everything."""

    def fault(request: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
        answer = forward(request)
        keep_owner(request, answer, memory)
        owner = memory.get(request.url.path.split("/")[3]) if asks(request, what) else None
        if answer.status_code == 404 and owner is not None:
            return forward(ask(request, headers={"Authorization": owner}))
        return answer

    return fault


for _operation, _what, _also in (
    ("getConversation", READ, ()),
    ("getMessages", MESSAGES, ()),
    (
        "sendMessage",
        SEND,
        ("getConversation one-history", "getConversations last-message"),
    ),
    ("closeConversation", CLOSE, ("getConversation read-back",)),
    ("sendMessageFeedback", FEEDBACK, ()),
):
    CASES[f"opens_{_operation}_to_strangers"] = Case(
        opens(_what), journeys.isolation, f"{_operation} isolation", "200.*", frozenset(_also)
    )


@violations(
    "getConversations own-list",
    journeys.isolation,
    "also [0-9a-f-]{36}",
    "getConversations last-message",
    "getConversations list-order",
    "getConversations list-own",
    "getConversations times",
)
def lists_what_is_somebody_elses(
    r: httpx.Request, forward: Forward, memory: Memory
) -> httpx.Response:
    answer = forward(r)
    if asks(r, LIST) and answer.json()["data"]:
        document = answer.json()
        strange = memory.setdefault("first", document["data"][0])
        return say(answer, {**document, "data": [strange, *document["data"][1:]]})
    if asks(r, START):
        memory.setdefault("first", answer.json() | {"lastMessage": None})
    return answer


# Streams


def restreams(what: str, change: Callable[[bytes], bytes]) -> Fault:
    """Return a fault that changes the streams of an operation."""

    def fault(request: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
        answer = forward(request)
        if asks(request, what) and not _is_json(answer):
            content = change(answer.content)
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)
        return answer

    return fault


_STREAMS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "stream-frames": (
        lambda s: s.replace(b"data: [DONE]", b"done: yes\n\ndata: [DONE]"),
        "a line is no field of an event: done: yes",
    ),
    "stream-order": (
        lambda s: s.replace(b'data: {"type":"finish-step"}\n\n', b""),
        "`finish` comes before `finish-step`",
    ),
    "stream-ids": (
        lambda s: re.sub(rb'("text-delta","id":")', rb"\1other-", s),
        "`text-delta` has the id 'other-.+', open is .+",
    ),
    "stream-end": (
        lambda s: s.replace(b"data: [DONE]\n\n", b""),
        r"the stream ends without \[DONE\]",
    ),
}
for _operation, _what in (("sendMessage", SEND), ("createChatCompletion", CHAT)):
    for _rule, (_change, _actual) in _STREAMS.items():
        CASES[f"{_operation}_breaks_{_rule}"] = Case(
            restreams(_what, _change), event_streams, f"{_operation} {_rule}", _actual, frozenset()
        )

# Knowledge


@violations("search no-token-needed", journeys.knowledge, "401")
def searches_for_visitors_only(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    return refuse(401) if asks(r, SEARCH) else forward(r)


shows(
    "renames_the_project",
    PROJECT,
    lambda d, *_: {**d, "name": uuid.uuid4().hex},
    "getProject project-stable",
    journeys.knowledge,
    ".+",
)


@violations("getQnas qnas-search", journeys.knowledge, "[1-9][0-9]* entries, `total` [1-9][0-9]*")
def ignores_the_query(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, QNAS) and "query" in r.url.params:
        r = httpx.Request(r.method, r.url.copy_remove_param("query"), headers=r.headers)
    return forward(r)


@violations("getQnas qnas-search", journeys.knowledge, "0 others")
def finds_no_question(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, QNAS) and "query" in r.url.params:
        r = ask(r, query={"query": "nothing has these words"})
    return forward(r)


shows(
    "repeats_an_answer",
    QNAS,
    lambda d, *_: {**d, "data": d["data"][:1] * len(d["data"])} if d["offset"] else d,
    "getQnas qnas-all",
    journeys.knowledge,
    "[0-9]+, [0-9]+ of them different",
)
shows(
    "counts_one_more",
    QNAS,
    lambda d, *_: {**d, "total": d["total"] + bool(d["total"])},
    "getQnas list-total",
    journeys.knowledge,
    "[0-9]+",
)
shows(
    "pages_answers_by_10",
    QNAS,
    lambda d, *_: {**d, "limit": 10},
    "getQnas list-page",
    journeys.knowledge,
    "[0-9]+, `limit` 10, `offset` 0",
)
shows(
    "shows_another_answer",
    QNA,
    lambda d, *_: {**d, "id": OTHER},
    "getQna same-object",
    journeys.knowledge,
    OTHER,
)


@violations("search list-page", journeys.knowledge, "[2-9]")
def ignores_the_size(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, SEARCH) and "size" in r.url.params:
        r = httpx.Request(r.method, r.url.copy_remove_param("size"), headers=r.headers)
    return forward(r)


# Refusals


@violations("getMe token-required no token", refusals, "200")
def takes_nobody_for_somebody(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, ME) and "Authorization" not in r.headers:
        r = ask(r, headers={"Authorization": f"Bearer {PRIVATE_KEY}"})
    return forward(r)


def takes(prefix: str, suffix: str = "") -> Fault:
    """Return a fault that takes bad tokens that look so."""

    def fault(request: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
        token = request.headers.get("Authorization", "")
        bad = token.startswith(prefix) and token.endswith(suffix)
        if asks(request, ME) and bad:
            request = ask(request, headers={"Authorization": f"Bearer {PRIVATE_KEY}"})
        return forward(request)

    return fault


for _words, _fault in {
    "a header without a token": takes("Bearer", "Bearer"),
    "a made-up token": takes("Bearer made-up"),
    "a changed token": takes("Bearer", "x"),
    "a token with an appendix": takes("Bearer", ".x"),
    "another scheme": takes("Basic"),
}.items():
    CASES[f"takes_{_words.replace(' ', '_')}"] = Case(
        _fault,
        refusals,
        f"getMe token-checked {_words}",
        "200",
        # What takes a token with an "x" after it takes it after a dot, too.
        frozenset({"getMe token-checked a token with an appendix"}),
    )


def takes_keys(what: str) -> Fault:
    """Return a fault that takes every key."""

    def fault(request: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
        if asks(request, what) and request.url.params.get("apiKey", "").startswith("pk_made"):
            request = ask(request, query={"apiKey": KEY})
        if asks(request, what) and str(body_of(request).get("apiKey")).startswith("pk_made"):
            request = ask(request, body={**body_of(request), "apiKey": KEY})
        return forward(request)

    return fault


for _operation, _what in (("init", INIT), ("getProject", PROJECT), ("search", SEARCH)):
    CASES[f"{_operation}_takes_every_key"] = Case(
        takes_keys(_what), refusals, f"{_operation} key-checked made up", "20[01]", frozenset()
    )


@violations("getConversations bounds limit", refusals, "200")
def accepts_limit_101(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, LIST) and r.url.params.get("limit") == "101":
        r = ask(r, query={"limit": "100"})
    return forward(r)


@violations("getConversations bounds limit", refusals, "400")
def refuses_limit_100(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    return refuse(400) if r.url.params.get("limit") == "100" and asks(r, LIST) else forward(r)


@violations("sendMessage bounds body/content", refusals, "200")
def cuts_long_messages(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    body = body_of(r)
    if asks(r, SEND) and len(str(body.get("content", ""))) > 10_000:
        r = ask(r, body={**body, "content": str(body["content"])[:10_000]})
    return forward(r)


@violations("startConversation bounds body", refusals, "422")
def refuses_to_start_with_an_empty_body(
    r: httpx.Request, forward: Forward, _: Memory
) -> httpx.Response:
    answer = forward(r)
    # The ground work is done without a body, too; so it is what an empty object gets.
    return refuse(422) if asks(r, START) and r.content == b"{}" else answer


@violations(
    "sendMessage malformed-refused no JSON",
    refusals,
    "200",
    "sendMessage malformed-refused no UTF-8",
)
def reads_any_body(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, SEND):
        try:
            json.loads(r.content)
        except ValueError:
            r = ask(r, body={"content": "Hello"})
    return forward(r)


@violations("getConversation malformed-refused conversationId", refusals, "200")
def shows_something_for_any_id(
    r: httpx.Request, forward: Forward, memory: Memory
) -> httpx.Response:
    answer = forward(r)
    if asks(r, START) and answer.status_code == 201:
        memory["last"] = answer
    if asks(r, READ) and r.url.path.endswith("/not-a-uuid"):
        return say(memory["last"], memory["last"].json(), 200)
    return answer


@violations("getMessages unknown-not-found conversationId", refusals, "200")
def lists_nothing_of_nothing(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    if asks(r, MESSAGES) and answer.status_code == 404:
        return httpx.Response(200, json={"object": "list", "data": []})
    return answer


@violations("getMe no-such-path", refusals, "200")
def answers_under_any_path(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if r.url.path == "/v2/no-such-path":
        return httpx.Response(200, json={})
    return forward(r)


# Every answer


@violations("sendMessage no-server-error", journeys.conversation, "500", "sendMessage accepted")
def fails_on_emoji(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if asks(r, SEND) and "🇨🇭" in str(body_of(r).get("content")):
        return refuse(500)
    return forward(r)


shows(
    "leaves_a_field_out",
    READ,
    lambda d, *_: {name: value for name, value in d.items() if name != "lastInteractionAt"},
    "getConversation described 200",
    journeys.conversation,
    '"lastInteractionAt" is a required property',
)


@violations("getQna nothing-leaks", refusals, "a path of the server: /srv/app/qnas.py")
def shows_its_inside(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    if asks(r, QNA) and answer.status_code == 404:
        return refuse(404, "not in /srv/app/qnas.py")
    return answer


# The tests

ELSEWHERE = {
    "answered": "test_run, since a run decides what silence means",
    "fits-request": "test_answers and test_faults: made-up requests",
    "made-up-requests": "test_faults: made-up requests",
    "queued": "below, since it needs a human agent",
    "stream-incremental": "below, since it needs time",
}
"""Rules that have no case, and where they are tested."""


def test_every_rule_has_a_fault() -> None:
    """No rule is without a server that breaks it."""
    broken = {case.break_.split(" ")[1] for case in CASES.values()}
    assert set(RULES) == broken | set(ELSEWHERE)


@pytest.mark.parametrize("name", CASES)
def test_fault_is_found(
    name: str, shared: InProcess, make_context: Callable[..., CheckContext]
) -> None:
    """The fixed way finds the fault, says what came, and finds nothing that does not follow."""
    case = CASES[name]
    memory: Memory = {}
    shared.fault = lambda request, forward: case.fault(request, forward, memory)
    context = make_context(shared)
    case.way(context)
    found = context.findings.violations
    shown = {key: each.actual for key, each in found.items()}
    assert case.break_ in found, shown
    assert set() == set(found) - {case.break_, *case.also}, shown
    told = found[case.break_]
    assert re.fullmatch(case.actual, told.actual, re.DOTALL), told.actual
    assert told.expected
    assert told.expected != told.actual
    assert told.commands.startswith("BASE=http://mock.test/v2\n")
    assert PRIVATE_KEY not in str(told)
    assert KEY not in str(told)


ALL_WAYS: tuple[Way, ...] = (
    refusals,
    event_streams,
    *(check for _, check in derived.DERIVED),
    *(journey for _, journey in journeys.JOURNEYS),
)
CREDENTIALS: dict[str, Memory] = {
    "key": {},
    "token": {"api_key": None, "token": PRIVATE_KEY},
    "both": {"token": PRIVATE_KEY},
}


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_clean_server_is_quiet(
    credentials: str, shared: InProcess, make_context: Callable[..., CheckContext]
) -> None:
    """Nothing is found on a server that keeps every rule, whatever it is asked with."""
    shared.fault = None
    context = make_context(shared, **CREDENTIALS[credentials])
    for way in ALL_WAYS:
        way(context)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}
    tested = {rule for rule, _ in context.findings.tested}
    # Nobody asked for an answer that takes long, and nobody lent a human agent.
    untested = {"made-up-requests", "fits-request", "queued", "stream-incremental"}
    if credentials == "token":
        untested |= {rule for rule, known in RULES.items() if known.needs}
        # Others may use the same token, so nobody knows all that belongs to it.
        untested |= {"key-checked", "list-own"}
    assert untested == set(RULES) - tested
    if credentials != "token":
        # A rule that an operation has by its description and that nothing tests is a mistake.
        due = {(rule, name) for rule in tested for name in RULES[rule].operations}
        assert set() == due - set(context.findings.tested)


# What the documents leave open


def swaps_statuses(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    swapped = {400: 422, 422: 400, 404: 403}.get(answer.status_code)
    # A project has no 422, and what the body of another path is, nobody says.
    if swapped is None or asks(r, PROJECT) or r.url.path == "/v2/no-such-path":
        return answer
    return say(answer, answer.json(), swapped)


def spells_it_wrong(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    if r.url.params.get("orderBy") == "lastInteractionAt":
        return refuse(400)
    if r.url.params.get("orderBy") == "lastInterationAt":
        r = ask(r, query={"orderBy": "lastInteractionAt"})
    answer = forward(r)
    if not _is_json(answer):
        return answer
    content = answer.content.replace(b"lastInteractionAt", b"lastInterationAt")
    return httpx.Response(answer.status_code, headers=answer.headers, content=content)


def says_more(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    if not _is_json(answer):
        return answer
    document = answer.json()
    if "data" in document:
        document["data"] = [item | {"more": {"a": 1}} for item in document["data"]]
    return say(answer, document | {"requestId": "r-1"})


def rates_answers_only(r: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
    answer = forward(r)
    if asks(r, MESSAGES) and answer.status_code == 200:
        mine = {m["id"] for m in answer.json()["data"] if m["role"] == "user"}
        memory["mine"] = memory.get("mine", set()) | mine
    if asks(r, FEEDBACK) and r.url.path.split("/")[3] in memory.get("mine", ()):
        return refuse(422)
    return answer


def answers_in_closed_conversations(
    r: httpx.Request, forward: Forward, memory: Memory
) -> httpx.Response:
    answer = forward(r)
    if asks(r, SEND):
        name = "stream" if body_of(r).get("stream") else "json"
        if answer.status_code == 409:
            return httpx.Response(200, headers=memory[name].headers, content=memory[name].content)
        if answer.status_code == 200:
            memory[name] = answer
    return answer


def closes_once_more(r: httpx.Request, forward: Forward, memory: Memory) -> httpx.Response:
    def change(document: Any, *_: object) -> Any:
        items = document.get("data", [document])
        for item in items:
            item.update(memory.get(item["id"], {}))
        return document

    answer = forward(r)
    closed = asks(r, CLOSE) and answer.status_code == 200
    if closed and counted(memory, r.url.path) > 1:
        reason = body_of(r).get("closeReason")
        memory[r.url.path.split("/")[3]] = {
            "closedAt": f"21{counted(memory, 'closed'):02}-01-01T00:00:00Z",
            # Without a new reason, the old one stays.
            **({} if reason is None else {"closeReason": reason}),
        }
    return showing(f"{READ}|{LIST}", change)(r, lambda _: answer, memory)


def has_formats_of_its_own(r: httpx.Request, forward: Forward, _: Memory) -> httpx.Response:
    answer = forward(r)
    content = re.sub(rb"(T[0-9:]{8})\.[0-9]+Z", rb"\1Z", answer.content)
    if not _is_json(answer):
        return answer
    return httpx.Response(answer.status_code, headers=answer.headers, content=content)


FREEDOMS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        swaps_statuses,
        spells_it_wrong,
        says_more,
        rates_answers_only,
        answers_in_closed_conversations,
        closes_once_more,
        has_formats_of_its_own,
    )
}


@pytest.mark.parametrize("name", FREEDOMS)
def test_freedom_is_no_break(
    name: str, shared: InProcess, make_context: Callable[..., CheckContext]
) -> None:
    """What the documents leave open breaks nothing, either way."""
    memory: Memory = {}
    shared.fault = lambda request, forward: FREEDOMS[name](request, forward, memory)
    context = make_context(shared)
    for way in ALL_WAYS:
        way(context)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}


# A human agent


@pytest.fixture
def handled(shared: InProcess) -> str:
    """Return a conversation of the private key's visitor that a human agent handles."""
    shared.fault = None
    started = httpx.Request(
        "POST",
        "http://localhost/v2/conversations",
        headers={"Authorization": f"Bearer {PRIVATE_KEY}"},
    )
    name = str(shared.forward(started).json()["id"])
    path = f"http://localhost/_mock/conversations/{name}/handover"
    assert 200 == shared.forward(httpx.Request("POST", path, json={"name": "Ada"})).status_code
    return name


@pytest.mark.parametrize(
    ("wrong", "also", "actual"),
    [
        (None, set(), ""),
        ("answers", set(), "202 text/plain `Queued`"),
        ("forgets", {"getConversation one-history"}, "no message"),
    ],
)
def test_message_to_a_human_agent(  # noqa: PLR0913  # a row of a table
    wrong: str | None,
    also: set[str],
    actual: str,
    handled: str,
    shared: InProcess,
    make_context: Callable[..., CheckContext],
) -> None:
    """It is queued, 202 as text, and stored; whatever else comes is a break."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if wrong == "answers" and asks(request, SEND):
            return httpx.Response(202, headers={"content-type": "text/plain"}, text="Queued")
        if wrong == "forgets" and asks(request, MESSAGES):
            return say(answer, {**answer.json(), "data": []})
        return answer

    shared.fault = fault
    context = make_context(shared, token=PRIVATE_KEY, human=handled)
    journeys.human(context)
    found = context.findings.violations
    assert ({"sendMessage queued"} if wrong else set()) | also == set(found)
    assert 0 < context.findings.tested["queued", "sendMessage"]
    if wrong:
        assert actual == found["sendMessage queued"].actual


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's"])
def test_lent_conversation_that_is_none_of_the_visitors(
    whose: str, shared: InProcess, make_context: Callable[..., CheckContext]
) -> None:
    """Nothing is sent to it, and the report says why the rule was not tested."""
    shared.fault = None
    name = str(uuid.uuid4())
    if whose != "nobody's":
        known = make_context(shared).visitor().start()
        assert known is not None
        name = known.id
    context = make_context(shared, token=PRIVATE_KEY, human=name)
    shared.requests.clear()
    journeys.human(context)
    assert [] == [r for r in shared.requests if r.method == "POST"]
    reason = context.findings.prevented["queued", "sendMessage"]
    assert "--human-conversation is none of the token's visitor" == reason


# Time


class Slow(httpx.SyncByteStream):
    """A body that takes a second, either before its beginning or between its pieces."""

    def __init__(self, clock: Clock, content: bytes, *, held_back: bool) -> None:
        self._clock = clock
        self._content = content
        self._held_back = held_back

    def __iter__(self) -> Iterator[bytes]:
        """Yield it in ten pieces."""
        size = len(self._content) // 10 + 1
        for begin in range(0, len(self._content), size):
            if begin == 0 or not self._held_back:
                self._clock.sleep(1.0 if self._held_back else 0.1)
            yield self._content[begin : begin + size]


@pytest.mark.parametrize("held_back", [False, True])
def test_stream_that_is_held_back(
    held_back: bool,  # noqa: FBT001  # drawn
    make_mock: Callable[..., InProcess],
    clock: Clock,
    make_context: Callable[..., CheckContext],
) -> None:
    """A stream that comes at once at its end is a break, one that comes slowly is not."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        slow = Slow(clock, answer.content, held_back=held_back)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=slow)

    context = make_context(make_mock(fault, now=clock.time))
    event_streams(context)
    broken = {"sendMessage stream-incremental", "createChatCompletion stream-incremental"}
    assert (broken if held_back else set()) == set(context.findings.violations)
    assert 0 < context.findings.tested["stream-incremental", "sendMessage"]
    if held_back:
        told = context.findings.violations["sendMessage stream-incremental"].actual
        assert "all of 1.0 s passed before the first byte, three times" == told
