"""Event streams that are cut, mixed up or never come."""

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
    """Return a fault that needs no memory."""
    return lambda server: server.stream(operations, lambda _: step)


def _with_memory(operations: str, begin: Callable[[Exchange], Step]) -> Build:
    """Return a fault that remembers what came before in its stream."""
    return lambda server: server.stream(operations, begin)


def _without(operations: str, kind: str) -> Build:
    """Return a fault: events of one type are left out."""
    return _each(operations, lambda event: [] if event.type == kind else [event])


def _moved(operations: str, kind: str, before: str) -> Build:
    """Return a fault: events of one type come with those of another, before them."""

    def begin(_exchange: Exchange) -> Step:
        waiting: list[Event] = []
        done: list[str] = []

        def step(event: Event) -> Iterable[Event]:
            if event.type == before and not waiting and before not in done:
                done.append(before)
                moved = Event.of({"type": kind, **_id_of(event)})
                return [moved, event]
            return [] if event.type == kind else [event]

        return step

    return lambda server: server.stream(operations, begin)


def _id_of(event: Event) -> dict[str, Any]:
    return {"id": event.payload["id"]} if "id" in event.payload else {}


def _late(kind: str, after: str) -> Step:
    """Return what sends events of one type after those of another."""
    waiting: list[Event] = []

    def step(event: Event) -> Iterable[Event]:
        if event.type == kind:
            waiting.append(event)
            return []
        if event.type == after:
            late = [event, *waiting]
            waiting.clear()
            return late
        return [event]

    return step


_DELTA = "text-delta"

for _name, _says, _context, _build, _probe in (
    (
        "no-start",
        "The stream of sendMessage has no start.",
        _PAYLOAD,
        _without(_SEND, "start"),
        probes.streamed,
    ),
    (
        "no-start-step",
        "The stream of createChatCompletion begins no step, but finishes one.",
        _PAYLOAD,
        _without(_CHAT, "start-step"),
        probes.chat_streamed,
    ),
    (
        "no-text-start",
        "The stream of sendMessage has deltas of a text that never begins.",
        "TextDeltaPayload.description (P2)",
        _without(_SEND, "text-start"),
        probes.streamed,
    ),
    (
        "no-text-end",
        "The stream of createChatCompletion never ends its text.",
        _PAYLOAD,
        _without(_CHAT, "text-end"),
        probes.chat_streamed,
    ),
    (
        "no-finish-step",
        "The stream of sendMessage never finishes its step.",
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
        "The stream of sendMessage ends with [DONE] twice.",
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
        "The stream of sendMessage goes on after [DONE].",
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
        "The stream of sendMessage finishes the answer before its step.",
        _PAYLOAD,
        _moved(_SEND, "finish", "finish-step"),
        probes.streamed,
    ),
    (
        "text-end-too-early",
        "The stream of createChatCompletion ends its text at once, and then sends it.",
        "TextEndPayload.description (P2)",
        _moved(_CHAT, "text-end", _DELTA),
        probes.chat_streamed,
    ),
    (
        "text-start-too-late",
        "The stream of sendMessage begins its text after all of its deltas.",
        "TextDeltaPayload.description (P2)",
        _moved(_SEND, "text-start", "text-end"),
        probes.streamed,
    ),
    (
        "ids-differ",
        "Each delta of sendMessage has an id of its own.",
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
        "The end of a text in createChatCompletion has another id than its start.",
        "TextEndPayload.properties.id; R-13",
        _each(_CHAT, lambda event: [event.but(id="text-2") if event.type == "text-end" else event]),
        probes.chat_streamed,
    ),
    (
        "delta-named-text",
        "A delta of sendMessage says its piece as text.",
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
        "A delta of createChatCompletion has no id.",
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
        "createChatCompletion streams choices with deltas, as other services do.",
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
        "sendMessage puts no blank line between its events.",
        "StreamEvent.description: server-sent events end with a blank line",
        _each(_SEND, lambda event: [event.frame()[:-1]]),
        probes.streamed,
    ),
    (
        "json-lines",
        "createChatCompletion streams lines of JSON, without `data:`.",
        "StreamEvent.description: server-sent events have fields",
        _each(_CHAT, lambda event: [f"{event.data}\n".encode()]),
        probes.chat_streamed,
    ),
    (
        "payload-over-two-lines",
        "sendMessage breaks its JSON after the first comma, and the second line has no `data:`.",
        "StreamEvent.properties.data",
        _each(_SEND, lambda event: [event.frame().replace(b",", b",\n", 1)]),
        probes.streamed,
    ),
    (
        "payload-in-python",
        "createChatCompletion writes payloads as Python does, with single quotes.",
        "StreamEvent.properties.data (C-10)",
        _each(_CHAT, lambda event: [Event(event.data.replace('"', "'"))]),
        probes.chat_streamed,
    ),
):
    _add(_name, _says, _context, _build, _probe)


# Text that does not arrive as it was.


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


_TEXT = "TextDeltaPayload.properties.delta; openapi.yaml sendMessage link getMessages"
for _name, _says, _begin, _operation in (
    ("last-delta-lost", "The last delta of sendMessage never comes.", _last_lost, _SEND),
    ("delta-doubled", "The second delta of sendMessage comes twice.", _doubled, _SEND),
    (
        "deltas-accumulate",
        "Each delta of sendMessage repeats the text so far.",
        _so_far,
        _SEND,
    ),
    ("deltas-out-of-order", "Deltas of sendMessage come in pairs, swapped.", _swapping, _SEND),
):
    _add(_name, _says, _TEXT, _with_memory(_operation, _begin), probes.streamed)
_add(
    "spaces-between-words-lost",
    "The deltas of sendMessage lack the spaces at their ends.",
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
    "The stream of sendMessage has no deltas, though the answer that is stored has a text.",
    _TEXT,
    _without(_SEND, _DELTA),
    probes.streamed,
)


@_fault(
    "second-stream-repeats-first",
    "The second stream of a conversation begins with the answer of the first.",
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
    """Return what lets the assistant end every answer with ``words``."""

    def patch(services: Services) -> None:
        assistant = services.assistant
        original = assistant.answer

        def answer(*asked: Any) -> Reply:
            found = original(*asked)
            return replace(found, text=f"{found.text} {words}")

        assistant.answer = answer  # type: ignore[assignment] # its own is on the class

    return lambda server: server.services(patch)


def _broken_character(event: Event) -> Iterable[Event | bytes]:
    # The first byte of a character goes, and so it is no character any more.
    return [event.frame().replace("ü".encode(), "ü".encode()[1:])]


def _replaced_character(event: Event) -> Iterable[Event]:
    return [Event(event.data.replace("ü", "\ufffd\ufffd"))]


_add(
    "character-cut",
    "sendMessage cuts characters of several bytes: the stream is not UTF-8.",
    "openapi.yaml sendMessage text/event-stream: server-sent events are UTF-8",
    together(_speaking("Grüße!"), _each(_SEND, _broken_character)),
    probes.streamed,
)
_add(
    "character-replaced",
    "sendMessage cuts characters of several bytes, and sends replacement characters.",
    _TEXT,
    together(_speaking("Grüße!"), _each(_SEND, _replaced_character)),
    probes.streamed,
)


# What is stored of a stream.


def _ending(store: Callable[..., Any]) -> Build:
    return lambda server: server.records("end_message", store)


_STORED = "openapi.yaml sendMessage link getMessages; MessageStatus.description"
_add(
    "streamed-answer-not-stored",
    "An answer that was streamed is stored without its text.",
    _STORED,
    _ending(lambda _records, original, message, _text, **more: original(message, "", **more)),
    probes.streamed,
)
_add(
    "streamed-answer-never-complete",
    "An answer that was streamed keeps the status streaming.",
    _STORED,
    _ending(lambda *words, **more: _still_streaming(*words, **more)),
    probes.streamed,
)
_add(
    "streamed-answer-is-error",
    "An answer that was streamed is stored as broken off.",
    _STORED,
    _ending(lambda _records, original, message, text, **_: original(message, text, error="gone")),
    probes.streamed,
)
_add(
    "streamed-answer-stored-in-part",
    "Of an answer that was streamed only the first 20 characters are stored.",
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


# The form of the answer.


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
    "sendMessage answers 201 where it streams.",
    "R-2",
    lambda server: server.head(_SEND, _stream_status),
    probes.streamed,
)


def _asking(stream: bool) -> Build:
    """Return a fault: sendMessage takes the other value of ``stream`` for this one."""

    def answer(call: Call, handler: Handler) -> ASGIApp:
        if call.body.get("stream") in {True, False}:
            return handler(replace(call, body={**call.body, "stream": stream}))
        return handler(call)

    return lambda server: server.handler(_SEND, answer)


def _chat_as(stream: bool) -> Build:
    """Return a fault: createChatCompletion has one form of answer only."""

    def answer(call: Call, handler: Handler) -> ASGIApp:
        del handler
        asked = [said["content"] for said in call.body["messages"] if said["role"] == "user"]
        found = call.services.assistant.answer(asked[-1] if asked else "")
        return (
            EventStreamResponse(found.pieces()) if stream else JSONResponse(views.completion(found))
        )

    return lambda server: server.handler(_CHAT, answer)


_add(
    "stream-though-refused",
    "sendMessage streams though stream is false.",
    _FORM,
    _asking(stream=True),
    probes.sent,
)
_add(
    "json-though-stream",
    "sendMessage answers JSON though stream is true.",
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
    "createChatCompletion without stream streams.",
    "C-27; ChatCompletionRequest.properties.stream.default",
    probes.chatted,
    rare=True,
)
def _streams_by_default(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.sent
        if isinstance(sent, dict):
            exchange.sent = {"stream": True, **sent}

    server.before(_CHAT, ask)


@_fault(
    "stream-sent-at-the-end",
    "sendMessage keeps its stream back, and after seconds sends it in one piece.",
    "openapi.yaml sendMessage.description: while it is being written",
    lambda api: _piece_by_piece(api),
)
def _sent_at_the_end(server: Server) -> None:
    server.settings["stream_delay"] = 0.06
    server.whole.add(_SEND)


def _piece_by_piece(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    url = f"/conversations/{conversation}/messages"
    body = {"content": "How long does shipping take?", "stream": True}
    begun = time.monotonic()
    with api.http.stream("POST", url, json=body, headers=visitor.bearer()) as response:
        arrived = [time.monotonic() - begun for _ in response.iter_raw()]
    # The mock needs some milliseconds, and may send it in one piece then.
    assert arrived[-1] < 1 or arrived[0] < arrived[-1] / 2, arrived


# In rare branches only.


def _for(when: Callable[[str], bool], step: Step, rest: Step = lambda event: [event]) -> Build:
    """Return a fault of the streams of messages of a kind."""

    def begin(exchange: Exchange) -> Step:
        sent = exchange.sent
        return step if when(sent["content"]) else rest

    return lambda server: server.stream(_SEND, begin)


def _cut_off(event: Event) -> Iterable[Event]:
    return [] if event.type in {"text-end", "finish-step", "finish", "[DONE]"} else [event]


def _nameless_error(event: Event) -> Iterable[Event]:
    if event.type == "text-end":
        return [Event.of({"type": "error", "message": "invalid character"})]
    return [] if event.type in {"finish-step", "finish"} else [event]


_add(
    "stream-cut-off-for-long-messages",
    "A stream ends in the middle where the message has more than 2,000 characters.",
    "R-12",
    _for(lambda content: len(content) > 2_000, _cut_off),
    lambda api: probes.streams(api, "word " * 500),
    rare=True,
)
_add(
    "error-without-text-for-emoji",
    "A message with emoji breaks the stream off with an error that has no errorText.",
    "R-11; ErrorPayload.required",
    _for(lambda content: max(content) > "\uffff", _nameless_error),
    lambda api: probes.streams(api, EMOJI),
    rare=True,
)


@_fault(
    "third-stream-not-stored",
    "From the third stream of a conversation on, answers are not stored.",
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
    "createChatCompletion with a message of the role system sends no finish.",
    _PAYLOAD,
    lambda api: _chat_with_system(api),
    rare=True,
)
def _no_finish_with_system(server: Server) -> None:
    def begin(exchange: Exchange) -> Step:
        roles = {said["role"] for said in exchange.sent["messages"]}
        return lambda event: [] if event.type == "finish" and "system" in roles else [event]

    server.stream(_CHAT, begin)


def _chat_with_system(api: Api) -> None:
    said = [{"role": "system", "content": "Be brief."}, *probes.CHAT["messages"]]
    visitor = api.visitor()
    body = {"messages": said, "stream": True}
    text = read_stream(visitor.expect(_CHAT, body=body))
    assert text_of(visitor.expect(_CHAT, body={**body, "stream": False})) == text
