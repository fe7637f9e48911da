"""Faults of the assistant's answers, of the search and the Q&As, and of caches and proxies."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from siteassist_mock.content.search_index import _significant
from tests.faults import probes
from tests.faults.browsers import read_from
from tests.faults.edits import change, edit
from tests.faults.exchange import Event
from tests.faults.faulty import operations
from tests.faults.mutant import Faults
from tests.faults.probes import CHAT
from tests.faults.probing import text_of
from tests.values import API_KEY, PROJECT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler
    from tests.faults.exchange import Exchange
    from tests.faults.faulty import Server, Step
    from tests.faults.probing import Api

__all__ = ["FAULTS"]

FAULTS = Faults("reported")
_add = FAULTS.add
_fault = FAULTS.fault

_READING = " ".join(name for name, each in operations().items() if each.method == "GET")
_LONG_BYTES = 2048
_CACHED_SECONDS = 60


# Answers.


def _each_start_names_its_answer(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    for content in ("Hi", "Hello"):
        body = {"content": content, "stream": True}
        start = visitor.expect("sendMessage", conversation, body=body).split("\n\n")[0]
        if "messageId" in start:
            assert visitor.messages(conversation)[-1]["id"] in start


@_fault(
    "start-repeats-first-message-id",
    "The messageId in start is that of the first streamed answer in the conversation.",
    "StartPayload.properties.messageId (F-stream, R-29)",
    _each_start_names_its_answer,
)
def _first_id_repeated(server: Server) -> None:
    first: dict[str, str] = {}

    def begin(exchange: Exchange) -> Step:
        conversation = exchange.path["conversationId"].lower()

        def step(event: Event) -> Iterable[Event]:
            if event.type != "start":
                return [event]
            name = first.setdefault(conversation, event.payload["messageId"])
            return [event.but(messageId=name)]

        return step

    server.stream("sendMessage", begin)


@_fault(
    "usage-event-after-done",
    "In the stream of createChatCompletion, an event with the usage follows [DONE].",
    "StreamTerminator (P2, F-chat); R-12",
    probes.chat_streamed,
)
def _usage_after_done(server: Server) -> None:
    metadata = {"usage": {"totalTokens": 42}}
    usage = Event.of({"type": "message-metadata", "messageMetadata": metadata})

    def step(event: Event) -> Iterable[Event]:
        return [event, usage] if event.data == "[DONE]" else [event]

    server.stream("createChatCompletion", lambda _: step)


def _json_though_streams_accepted(api: Api) -> None:
    visitor = api.visitor()
    body = {"content": "Hi", "stream": False}
    accept = {"Accept": "application/json, text/event-stream"}
    assert text_of(visitor.expect("sendMessage", visitor.start(), body=body, headers=accept))


@_fault(
    "accept-overrides-stream-false",
    "sendMessage streams the answer to a message with stream=false if the client accepts event"
    " streams as well.",
    "openapi.yaml sendMessage.description (P2); O-30",
    _json_though_streams_accepted,
)
def _accept_overrides(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        accepted = exchange.request_headers.get("accept", "").lower()
        if (
            "text/event-stream" in accepted
            and isinstance(sent, dict)
            and sent.get("stream") is False
        ):
            # The request keeps its media type, which may be one that is refused.
            exchange.request_body = json.dumps({**sent, "stream": True}).encode()

    server.before("sendMessage", ask)


def _asked_twice(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(2):
        assert text_of(visitor.expect("createChatCompletion", body=CHAT))


@_fault(
    "cached-completion-without-usage",
    "The steps of a completion that was asked for before have no usage.",
    "CompletionStep.properties.usage (P4); R-8",
    _asked_twice,
)
def _cached_without_usage(server: Server) -> None:
    known: set[str] = set()

    def answered(exchange: Exchange) -> None:
        if not exchange.succeeded:
            return
        body = exchange.request_json
        key = json.dumps([body["messages"], body.get("assistantId")])
        if key in known:
            value = exchange.json
            for step in value["steps"]:
                del step["usage"]
            exchange.json = value
        known.add(key)

    server.after("createChatCompletion", answered)


# Caches and proxies.


@_fault(
    "project-cached-with-first-origin",
    "For a minute, getProject allows only the website that asked first.",
    "C-28; O-29",
    read_from("https://one.example", "https://two.example"),
)
def _first_origin_cached(server: Server) -> None:
    cached: dict[str, float] = {}

    def found(exchange: Exchange) -> None:
        origin = exchange.request_headers.get("origin")
        if not origin or exchange.status != 200:
            return
        now = time.monotonic()
        if not any(now <= until for until in cached.values()):
            cached.clear()
            cached[origin] = now + _CACHED_SECONDS
        (allowed,) = cached
        exchange.headers["access-control-allow-origin"] = allowed
        exchange.headers["vary"] = "Origin"

    server.after("getProject", found)


def _feedback_since(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    before = visitor.send("getConversation", conversation)
    visitor.rate(before.json()["messages"][-1]["id"], "like")
    known = {"If-None-Match": before.headers.get("etag", '"none"')}
    found = visitor.expect("getConversation", conversation, headers=known)
    assert "like" == found["messages"][-1]["feedback"]


@_fault(
    "etag-ignores-feedback",
    "The entity tag of getConversation stays the same when a message gets feedback.",
    "openapi.yaml getConversation 200 (P5); O-30",
    _feedback_since,
)
def _tag_ignores_feedback(server: Server) -> None:
    def found(exchange: Exchange) -> None:
        if exchange.status != 200:
            return
        value = exchange.json
        names = [value[name] for name in ("id", "updatedAt", "status")]
        state = f"{names} {len(value['messages'])}"
        tag = f'W/"{hashlib.sha256(state.encode()).hexdigest()[:16]}"'
        exchange.headers["etag"] = tag
        if tag in exchange.request_headers.get("if-none-match", ""):
            exchange.status, exchange.body = 304, b""
            del exchange.headers["content-length"]

    server.after("getConversation", found)


def _long_and_plain(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("long " * 600)
    for coding in ("identity", "gzip;q=0"):
        sent = {"Accept-Encoding": coding}
        response = visitor.send("getConversation", conversation, headers=sent)
        assert "identity" == response.headers.get("content-encoding", "identity")


@_fault(
    "long-json-always-gzipped",
    "JSON of more than 2 KiB in the answer to a GET is compressed, even if the client does not"
    " accept gzip.",
    "openapi.yaml getConversation 200: application/json; O-30",
    _long_and_plain,
)
def _always_gzipped(server: Server) -> None:
    def found(exchange: Exchange) -> None:
        is_json = exchange.headers.get("content-type", "").startswith("application/json")
        if is_json and len(exchange.body) > _LONG_BYTES:
            exchange.body = gzip.compress(exchange.body, 6)
            exchange.headers["content-encoding"] = "gzip"
            exchange.headers["vary"] = "Accept-Encoding"

    server.after(_READING, found)


# The search and the Q&As.


def _search_for_common_words(api: Api) -> None:
    response = api.send("search", q="how do you do?", apiKey=API_KEY)
    # The parser of Python takes NaN for a number.
    assert "NaN" not in response.text
    api.expect("search", q="how do you do?", apiKey=API_KEY)


@_fault(
    "score-nan-for-common-words",
    "The results of a query without a significant word have the score NaN, which is not JSON.",
    "SearchResult.properties.score (F-search)",
    _search_for_common_words,
)
def _score_nan(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        if _significant(call.query["q"]):
            return response
        pages = call.services.knowledge._page_words[: min(call.count("size"), 3)]
        results = [{"score": float("nan"), **page} for page, *_ in pages]
        return Response(json.dumps({"results": results}), media_type="application/json")

    server.handler("search", answer)


def _one_result(api: Api) -> None:
    found = api.expect("search", q="desk shipping", size=1, apiKey=API_KEY)["results"]
    assert 1 == len(found)


@_fault(
    "size-counts-per-kind",
    "search returns up to size pages, and up to size products as well.",
    "openapi.yaml search size (F-search)",
    _one_result,
)
def _size_per_kind(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        size = call.count("size")
        response = handler(replace(call, query={**call.query, "size": 50}))
        assert isinstance(response, Response)
        found = json.loads(bytes(response.body))["results"]
        pages = [result for result in found if "productId" not in result]
        products = [result for result in found if "productId" in result]
        results = sorted(
            [*pages[:size], *products[:size]], key=lambda result: result["score"], reverse=True
        )
        return JSONResponse({"results": results})

    server.handler("search", answer)


def _each_qna_as_listed(api: Api) -> None:
    for qna in api.expect("getQnas", PROJECT_ID, limit=100)["data"]:
        assert qna == api.expect("getQna", PROJECT_ID, qna["id"])


def _rendered(text: str) -> str:
    return re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", text)


_add(
    "qna-markdown-rendered",
    "getQna shows the emphasis in an answer as HTML, and getQnas as Markdown.",
    "Qna.properties.answer; R-6; O-22",
    edit("getQna", "answer", change(_rendered)),
    _each_qna_as_listed,
)
