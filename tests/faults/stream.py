"""Faults of event streams."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from siteassist_mock.content.assistant import Reply
from siteassist_mock.handlers import views
from siteassist_mock.http.call import Call, Handler, Services
from siteassist_mock.http.event_stream import EventStreamResponse
from siteassist_mock.storage.store import Records
from tests.faults import probes
from tests.faults.edits import together
from tests.faults.exchange import Event, Exchange
from tests.faults.faulty import Build, Server, Step
from tests.faults.mutant import Faults
from tests.faults.probing import EMOJI, Api, read_stream, text_of

__all__ = ["FAULTS"]

FAULTS = Faults("stream")
_add = FAULTS.add
_fault = FAULTS.fault

_SEND = "sendMessage"
_CHAT = "createChatCompletion"
_BOTH = f"{_SEND} {_CHAT}"
_PAYLOAD = "StreamPayload.description (P2)"
_TERMINATOR = "C-12; R-12; StreamTerminator"


def _each(operations: str, step: Step) -> Build:
    """Return a fault that replaces each event, independently of the others."""
    return lambda server: server.stream(operations, lambda _: step)


def _without(operations: str, kind: str) -> Build:
    """Return a fault that drops events of one type."""
    return _each(operations, lambda event: [] if event.type == kind else [event])


def _moved(operations: str, kind: str, before: str) -> Build:
    """Return a fault that moves an event of one type before the first of another."""

    def begin(_exchange: Exchange) -> Step:
        done: list[str] = []

        def step(event: Event) -> Iterable[Event]:
            if event.type == before and before not in done:
                done.append(before)
                moved = Event.of({"type": kind, **_id_of(event)})
                return [moved, event]
            return [] if event.type == kind else [event]

        return step

    return lambda server: server.stream(operations, begin)


def _id_of(event: Event) -> dict[str, Any]:
    return {"id": event.payload["id"]} if "id" in event.payload else {}


_DELTA = "text-delta"

for _name, _description, _evidence, _build, _probe in (
    (
        "no-start",
        "The stream of sendMessage has no start.",
        _PAYLOAD,
        _without(_SEND, "start"),
        probes.streamed,
    ),
    (
        "no-start-step",
        "The stream of createChatCompletion has no start-step.",
        _PAYLOAD,
        _without(_CHAT, "start-step"),
        probes.chat_streamed,
    ),
    (
        "no-text-start",
        "The stream of sendMessage has no text-start.",
        "TextDeltaPayload.description (P2)",
        _without(_SEND, "text-start"),
        probes.streamed,
    ),
    (
        "no-text-end",
        "The stream of createChatCompletion has no text-end.",
        _PAYLOAD,
        _without(_CHAT, "text-end"),
        probes.chat_streamed,
    ),
    (
        "no-finish-step",
        "The stream of sendMessage has no finish-step.",
        _PAYLOAD,
        _without(_SEND, "finish-step"),
        probes.streamed,
    ),
    (
        "no-finish",
        "The stream of createChatCompletion has no finish.",
        _PAYLOAD,
        _without(_CHAT, "finish"),
        probes.chat_streamed,
    ),
    (
        "no-done",
        "The stream of sendMessage ends without [DONE].",
        _TERMINATOR,
        _without(_SEND, "[DONE]"),
        probes.streamed,
    ),
    (
        "no-done-in-chat",
        "The stream of createChatCompletion ends without [DONE].",
        _TERMINATOR,
        _without(_CHAT, "[DONE]"),
        probes.chat_streamed,
    ),
    (
        "done-twice",
        "The stream of sendMessage ends with two [DONE].",
        _TERMINATOR,
        _each(_SEND, lambda event: [event, event] if event.type == "[DONE]" else [event]),
        probes.streamed,
    ),
    (
        "done-in-small-letters",
        "The stream of createChatCompletion ends with [done].",
        _TERMINATOR,
        _each(_CHAT, lambda event: [Event("[done]") if event.type == "[DONE]" else event]),
        probes.chat_streamed,
    ),
    (
        "event-after-done",
        "The stream of sendMessage has an event after [DONE].",
        _TERMINATOR,
        _each(
            _SEND,
            lambda event: (
                [event, Event.of({"type": "finish"})] if event.type == "[DONE]" else [event]
            ),
        ),
        probes.streamed,
    ),
    (
        "finish-before-step",
        "The stream of sendMessage has finish before finish-step.",
        _PAYLOAD,
        _moved(_SEND, "finish", "finish-step"),
        probes.streamed,
    ),
    (
        "text-end-too-early",
        "The stream of createChatCompletion has text-end before the deltas.",
        "TextEndPayload.description (P2)",
        _moved(_CHAT, "text-end", _DELTA),
        probes.chat_streamed,
    ),
    (
        "text-start-too-late",
        "The stream of sendMessage has text-start after the deltas.",
        "TextDeltaPayload.description (P2)",
        _moved(_SEND, "text-start", "text-end"),
        probes.streamed,
    ),
    (
        "ids-differ",
        "Each delta of sendMessage has a different id.",
        "TextStartPayload.description; R-13",
        _each(
            _SEND,
            lambda event: [
                event.but(id=f"d{time.monotonic_ns()}") if event.type == _DELTA else event
            ],
        ),
        probes.streamed,
    ),
    (
        "text-end-of-another",
        "The text-end of createChatCompletion has another id than its text-start.",
        "TextEndPayload.properties.id; R-13",
        _each(_CHAT, lambda event: [event.but(id="text-2") if event.type == "text-end" else event]),
        probes.chat_streamed,
    ),
    (
        "delta-named-text",
        "Deltas of sendMessage have text instead of delta.",
        "TextDeltaPayload.required (P2)",
        _each(
            _SEND,
            lambda event: [
                Event.of({"type": _DELTA, "id": "t", "text": event.payload["delta"]})
                if event.type == _DELTA
                else event
            ],
        ),
        probes.streamed,
    ),
    (
        "delta-without-id",
        "Deltas of createChatCompletion have no id.",
        "TextDeltaPayload.required (P2)",
        _each(
            _CHAT,
            lambda event: [
                Event.of({"type": _DELTA, "delta": event.payload["delta"]})
                if event.type == _DELTA
                else event
            ],
        ),
        probes.chat_streamed,
    ),
    (
        "payload-without-type",
        "The last payload of sendMessage has no type.",
        "OtherPayload.required (C-10)",
        _each(_SEND, lambda event: [Event.of({"done": True}) if event.type == "finish" else event]),
        probes.streamed,
    ),
    (
        "payloads-of-another-vendor",
        "createChatCompletion streams choices with deltas, like another service.",
        "StreamEvent.properties.data (C-10, F-chat)",
        _each(
            _CHAT,
            lambda event: [
                event
                if event.type == "[DONE]"
                else Event.of({"choices": [{"delta": {"content": event.payload.get("delta")}}]})
            ],
        ),
        probes.chat_streamed,
    ),
    (
        "no-blank-line",
        "sendMessage sends no blank lines between its events.",
        "StreamEvent.description: server-sent events end with a blank line",
        _each(_SEND, lambda event: [event.frame()[:-1]]),
        probes.streamed,
    ),
    (
        "json-lines",
        "createChatCompletion streams lines of JSON without `data:`.",
        "StreamEvent.description: server-sent events have fields",
        _each(_CHAT, lambda event: [f"{event.data}\n".encode()]),
        probes.chat_streamed,
    ),
    (
        "payload-over-two-lines",
        "sendMessage writes its JSON in two lines, the second without `data:`.",
        "StreamEvent.properties.data",
        _each(_SEND, lambda event: [event.frame().replace(b",", b",\n", 1)]),
        probes.streamed,
    ),
    (
        "payload-in-python",
        "createChatCompletion writes payloads as Python literals, with single quotes.",
        "StreamEvent.properties.data (C-10)",
        _each(_CHAT, lambda event: [Event(event.data.replace('"', "'"))]),
        probes.chat_streamed,
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


# Changed texts.


def _last_lost(_exchange: Exchange) -> Step:
    kept: list[Event] = []

    def step(event: Event) -> Iterable[Event]:
        if event.type == _DELTA:
            kept.append(event)
            return [] if len(kept) == 1 else [kept.pop(0)]
        return [event]

    return step


def _doubled(_exchange: Exchange) -> Step:
    seen: list[Event] = []

    def step(event: Event) -> Iterable[Event]:
        if event.type == _DELTA:
            seen.append(event)
            return [event, event] if len(seen) == 2 else [event]
        return [event]

    return step


def _so_far(_exchange: Exchange) -> Step:
    seen: list[str] = []

    def step(event: Event) -> Iterable[Event]:
        if event.type == _DELTA:
            seen.append(event.payload["delta"])
            return [event.but(delta="".join(seen))]
        return [event]

    return step


def _swapping(_exchange: Exchange) -> Step:
    kept: list[Event] = []

    def step(event: Event) -> Iterable[Event]:
        if event.type != _DELTA:
            rest = [*kept, event]
            kept.clear()
            return rest
        kept.append(event)
        if len(kept) == 2:
            swapped = kept[::-1]
            kept.clear()
            return swapped
        return []

    return step


def _each_stream(begin: Callable[[Exchange], Step]) -> Build:
    return lambda server: server.stream(_SEND, begin)


_TEXT = "TextDeltaPayload.properties.delta; openapi.yaml sendMessage link getMessages"
for _name, _description, _begin in (
    ("last-delta-lost", "sendMessage omits the last delta.", _last_lost),
    ("delta-doubled", "sendMessage repeats the second delta.", _doubled),
    (
        "deltas-accumulate",
        "Each delta of sendMessage repeats the text so far.",
        _so_far,
    ),
    ("deltas-out-of-order", "sendMessage swaps each pair of deltas.", _swapping),
):
    _add(_name, _description, _TEXT, _each_stream(_begin), probes.streamed)
_add(
    "spaces-between-words-lost",
    "sendMessage strips the spaces around each delta.",
    _TEXT,
    _each(
        _SEND,
        lambda event: [
            event.but(delta=event.payload["delta"].strip()) if event.type == _DELTA else event
        ],
    ),
    probes.streamed,
)
_add(
    "no-deltas",
    "The stream of sendMessage has no deltas, though the stored answer has a text.",
    _TEXT,
    _without(_SEND, _DELTA),
    probes.streamed,
)


@_fault(
    "second-stream-repeats-first",
    "The second stream of a conversation repeats the answer of the first.",
    _TEXT,
    lambda api: probes.streams(api, "How long does shipping take?", "Hi"),
    rare=True,
)
def _repeats_first(server: Server) -> None:
    earlier: dict[str, list[Event]] = {}

    def begin(exchange: Exchange) -> Step:
        key = exchange.path["conversationId"]
        repeated = list(earlier.get(key, ()))
        known = earlier.setdefault(key, [])

        def step(event: Event) -> Iterable[Event]:
            if event.type != _DELTA:
                return [event]
            known.append(event)
            before = [event.but(delta=old.payload["delta"]) for old in repeated]
            repeated.clear()
            return [*before, event]

        return step

    server.stream(_SEND, begin)


def _speaking(words: str) -> Build:
    """Return a build that appends ``words`` to every answer of the assistant."""

    def patch(services: Services) -> None:
        assistant = services.assistant
        original = assistant.answer

        def answer(*asked: Any) -> Reply:
            found = original(*asked)
            return replace(found, items=({"text": f"{found.text} {words}"},))

        assistant.answer = answer  # type: ignore[assignment] # replaces the method of the class

    return lambda server: server.services(patch)


def _broken_character(event: Event) -> Iterable[Event | bytes]:
    # Without its first byte, the character is invalid UTF-8.
    return [event.frame().replace("ü".encode(), "ü".encode()[1:])]


def _replaced_character(event: Event) -> Iterable[Event]:
    return [Event(event.data.replace("ü", "\ufffd\ufffd"))]


_add(
    "character-cut",
    "sendMessage splits multibyte characters, so that the stream is not UTF-8.",
    "openapi.yaml sendMessage text/event-stream: server-sent events are UTF-8",
    together(_speaking("Grüße!"), _each(_SEND, _broken_character)),
    probes.streamed,
)
_add(
    "character-replaced",
    "sendMessage sends replacement characters in place of multibyte characters.",
    _TEXT,
    together(_speaking("Grüße!"), _each(_SEND, _replaced_character)),
    probes.streamed,
)


# Stored messages of streams.


def _ending(store: Callable[..., Any]) -> Build:
    return lambda server: server.records("end_message", store)


_STORED = "openapi.yaml sendMessage link getMessages; MessageStatus.description"
_add(
    "streamed-answer-not-stored",
    "A streamed answer is stored without its text.",
    _STORED,
    _ending(lambda _records, original, message, _text, **more: original(message, "", **more)),
    probes.streamed,
)
_add(
    "streamed-answer-never-complete",
    "A streamed answer keeps the status streaming.",
    _STORED,
    _ending(lambda *words, **more: _still_streaming(*words, **more)),
    probes.streamed,
)
_add(
    "streamed-answer-is-error",
    "A streamed answer is stored with the status error.",
    _STORED,
    _ending(lambda _records, original, message, text, **_: original(message, text, error="gone")),
    probes.streamed,
)
_add(
    "streamed-answer-stored-in-part",
    "Only the first 20 characters of a streamed answer are stored.",
    _STORED,
    _ending(lambda _records, original, message, text, **more: original(message, text[:20], **more)),
    probes.streamed,
)


def _still_streaming(
    records: Records, original: Callable[..., Any], message: str, text: str, **more: Any
) -> None:
    original(message, text, **more)
    records._connection.exec_driver_sql(
        "UPDATE messages SET status = 'streaming' WHERE id = ?", (message,)
    )


# Status, media type and choice between stream and JSON.


def _head(media_type: str) -> Callable[[Exchange], None]:
    def change(exchange: Exchange) -> None:
        exchange.headers["content-type"] = media_type

    return change


def _stream_status(exchange: Exchange) -> None:
    exchange.status = 201


_FORM = "SendMessageRequest.properties.stream; C-09"
_add(
    "stream-as-text",
    "sendMessage sends its stream as text/plain.",
    "openapi.yaml sendMessage 200 content",
    lambda server: server.head(_SEND, _head("text/plain; charset=utf-8")),
    probes.streamed,
)
_add(
    "stream-as-json",
    "createChatCompletion sends its stream as application/json.",
    "openapi.yaml createChatCompletion 200 content",
    lambda server: server.head(_CHAT, _head("application/json")),
    probes.chat_streamed,
)
_add(
    "stream-as-ndjson",
    "sendMessage sends its stream as application/x-ndjson.",
    "openapi.yaml sendMessage 200 content",
    lambda server: server.head(_SEND, _head("application/x-ndjson")),
    probes.streamed,
)
_add(
    "stream-201",
    "sendMessage returns 201 for a stream.",
    "R-2",
    lambda server: server.head(_SEND, _stream_status),
    probes.streamed,
)


def _asking(stream: bool) -> Build:
    """Return a fault that sendMessage treats every explicit ``stream`` as this value."""

    def answer(call: Call, handler: Handler) -> ASGIApp:
        if call.body.get("stream") in {True, False}:
            return handler(replace(call, body={**call.body, "stream": stream}))
        return handler(call)

    return lambda server: server.handler(_SEND, answer)


def _chat_as(stream: bool) -> Build:
    """Return a fault that createChatCompletion always streams, or never."""

    def answer(call: Call, handler: Handler) -> ASGIApp:
        del handler
        asked = [said["content"] for said in call.body["messages"] if said["role"] == "user"]
        found = call.services.assistant.answer(asked[-1] if asked else "")
        return (
            EventStreamResponse(found.events()) if stream else JSONResponse(views.completion(found))
        )

    return lambda server: server.handler(_CHAT, answer)


_add(
    "stream-though-refused",
    "sendMessage streams if stream is false.",
    _FORM,
    _asking(stream=True),
    probes.sent,
)
_add(
    "json-though-stream",
    "sendMessage returns JSON if stream is true.",
    _FORM,
    _asking(stream=False),
    probes.streamed,
)
_add(
    "chat-stream-though-refused",
    "createChatCompletion always streams.",
    "ChatCompletionRequest.properties.stream (F-chat, C-27)",
    _chat_as(stream=True),
    probes.chatted,
)
_add(
    "chat-json-though-stream",
    "createChatCompletion never streams.",
    "ChatCompletionRequest.properties.stream (F-chat)",
    _chat_as(stream=False),
    probes.chat_streamed,
)


@_fault(
    "chat-streams-by-default",
    "createChatCompletion streams by default.",
    "C-27; ChatCompletionRequest.properties.stream.default",
    probes.chatted,
    rare=True,
)
def _streams_by_default(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        if isinstance(sent, dict):
            exchange.request_json = {"stream": True, **sent}

    server.before(_CHAT, ask)


@_fault(
    "stream-sent-at-the-end",
    "sendMessage holds its stream back for seconds, and sends it in one piece.",
    "openapi.yaml sendMessage.description: while it is being written",
    lambda api: _incremental(api),
)
def _sent_at_the_end(server: Server) -> None:
    server.settings["stream_delay"] = 0.06
    server.buffered.add(_SEND)


def _incremental(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    url = f"/conversations/{conversation}/messages"
    body = {"content": "How long does shipping take?", "stream": True}
    begun = time.monotonic()
    with api.http.stream("POST", url, json=body, headers=visitor.bearer()) as response:
        arrived = [time.monotonic() - begun for _ in response.iter_raw()]
    # The mock streams within milliseconds, so that its chunks may arrive together.
    assert arrived[-1] < 1 or arrived[0] < arrived[-1] / 2, arrived


# Faults in rare branches.


def _for(when: Callable[[str], bool], step: Step) -> Build:
    """Return a fault in the streams that answer messages selected by ``when``."""

    def begin(exchange: Exchange) -> Step:
        return step if when(exchange.request_json["content"]) else lambda event: [event]

    return lambda server: server.stream(_SEND, begin)


def _cut_off(event: Event) -> Iterable[Event]:
    return [] if event.type in {"text-end", "finish-step", "finish", "[DONE]"} else [event]


def _nameless_error(event: Event) -> Iterable[Event]:
    if event.type == "text-end":
        return [Event.of({"type": "error", "message": "invalid character"})]
    return [] if event.type in {"finish-step", "finish"} else [event]


_add(
    "stream-cut-off-for-long-messages",
    "sendMessage cuts off the stream for messages of more than 2,000 characters.",
    "R-12",
    _for(lambda content: len(content) > 2_000, _cut_off),
    lambda api: probes.streams(api, "word " * 500),
    rare=True,
)
_add(
    "error-without-text-for-emoji",
    "sendMessage reports an error without errorText for messages with emoji.",
    "R-11; ErrorPayload.required",
    _for(lambda content: max(content) > "\uffff", _nameless_error),
    lambda api: probes.streams(api, EMOJI),
    rare=True,
)


@_fault(
    "third-stream-not-stored",
    "Streamed answers are not stored from the third of a conversation on.",
    _STORED,
    lambda api: probes.streams(api, "Hi", "Hello", "How long does shipping take?"),
    rare=True,
)
def _third_not_stored(server: Server) -> None:
    def store(
        records: Records, original: Callable[..., Any], message: str, text: str, **more: Any
    ) -> None:
        found = records.message(message)
        assert found is not None
        late = len(records.messages(found.conversation_id, role="assistant")) > 2
        original(message, "" if late else text, **more)

    server.records("end_message", store)


@_fault(
    "chat-stream-unfinished-with-system",
    "createChatCompletion sends no finish if there is a message of the role system.",
    _PAYLOAD,
    lambda api: _chat_with_system(api),
    rare=True,
)
def _no_finish_with_system(server: Server) -> None:
    def begin(exchange: Exchange) -> Step:
        roles = {said["role"] for said in exchange.request_json["messages"]}
        return lambda event: [] if event.type == "finish" and "system" in roles else [event]

    server.stream(_CHAT, begin)


def _chat_with_system(api: Api) -> None:
    said = [{"role": "system", "content": "Be brief."}, *probes.CHAT["messages"]]
    visitor = api.visitor()
    body = {"messages": said, "stream": True}
    text = read_stream(visitor.expect(_CHAT, body=body))
    assert text_of(visitor.expect(_CHAT, body={**body, "stream": False})) == text
