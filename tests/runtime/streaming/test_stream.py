"""`Stream` and `AsyncStream`: answers that are read while they arrive."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import orjson
import pytest

from siteassist import (
    APIResponseError,
    APITimeoutError,
    AsyncSiteAssist,
    DataPayload,
    FinishPayload,
    FinishStepPayload,
    NotFoundError,
    OtherPayload,
    ReasoningDeltaPayload,
    ReasoningEndPayload,
    ReasoningStartPayload,
    SiteAssist,
    SiteAssistError,
    SourceUrlPayload,
    StartPayload,
    StartStepPayload,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
    TextDeltaPayload,
    TextEndPayload,
    TextStartPayload,
    ToolInputAvailablePayload,
    ToolOutputAvailablePayload,
)
from siteassist.models.other_part import OtherPart
from siteassist.models.text_part import TextPart
from siteassist.models.token_usage import TokenUsage
from siteassist.models.tool_part import ToolPart
from siteassist_runtime.streaming import sse, stream
from siteassist_runtime.streaming.queued import QueuedNotice
from siteassist_runtime.streaming.stream import (
    AsyncStream,
    EventTable,
    Stream,
    StreamFormat,
    _Reader,
)
from siteassist_runtime.texts import printable
from tests.runtime.helpers import BASE_URL, FakeTime

TOKEN = "sk_test_1234567890abcdef"
EVENT_STREAM = {"content-type": "text/event-stream"}
WATCHDOG = 10.0  # seconds after which an awaited stream counts as hung
DONE = b"data: [DONE]\n\n"
PING = b": keep-alive\n\n"

Chunks = Iterable[bytes | Exception]
Loads = Callable[[str], Any]


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A response body in these chunks; an exception is raised instead of a chunk.

    It records how many chunks were read and whether it was closed.
    """

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self.given = 0
        self.closed = False

    def _next(self, chunk: bytes | Exception) -> bytes:
        if isinstance(chunk, Exception):
            raise chunk
        self.given += 1
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""
        for chunk in self.chunks:
            yield self._next(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        for chunk in self.chunks:
            # As on a connection, other tasks run before each chunk.
            await anyio.lowlevel.checkpoint()
            yield self._next(chunk)

    def close(self) -> None:
        """Record the close."""
        self.closed = True

    async def aclose(self) -> None:
        """Record the close."""
        self.closed = True


class Stalled(Body):
    """A body that repeats its chunks, each after a wait, or, with no wait, yields nothing."""

    def __init__(self, chunks: Chunks, wait: float | None) -> None:
        super().__init__(chunks)
        self.wait = wait

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks, or nothing."""
        while self.wait is not None:
            for chunk in self.chunks:
                await anyio.sleep(self.wait)
                yield self._next(chunk)
        await anyio.sleep_forever()


@dataclass
class Outcome:
    """The result of reading a stream."""

    stream: Any
    body: Body
    events: list[Any] = field(default_factory=list)
    error: SiteAssistError | None = None

    @property
    def types(self) -> list[str]:
        """The types of the events."""
        return [event.type_ for event in self.events]

    @property
    def dicts(self) -> list[dict[str, Any]]:
        """The events as JSON objects."""
        return [event.to_dict() for event in self.events]


Play = Callable[..., Outcome]


def answering(body: Body, status: int, headers: dict[str, str]) -> httpx.MockTransport:
    """Return a transport that answers every request with ``body``."""
    return httpx.MockTransport(
        lambda _request: httpx.Response(status, headers=headers, stream=body)
    )


def play_sync(
    chunks: Chunks | Body,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Outcome:
    """Read a stream to its end or its error."""
    body = chunks if isinstance(chunks, Body) else Body(chunks)
    transport = answering(body, status, EVENT_STREAM if headers is None else headers)
    with SiteAssist(token=TOKEN, base_url=BASE_URL, max_retries=0, transport=transport) as client:
        outcome = Outcome(client.send_message_stream("c", content="Hi", **options), body)
        try:
            with outcome.stream as opened:
                assert opened is outcome.stream
                for event in opened:
                    outcome.events.append(event)
        except SiteAssistError as error:
            outcome.error = error
    return outcome


def play_async(
    chunks: Chunks | Body,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Outcome:
    """Read an async stream to its end or its error."""
    body = chunks if isinstance(chunks, Body) else Body(chunks)
    transport = answering(body, status, EVENT_STREAM if headers is None else headers)

    async def main() -> Outcome:
        async with AsyncSiteAssist(
            token=TOKEN, base_url=BASE_URL, max_retries=0, transport=transport
        ) as client:
            outcome = Outcome(client.send_message_stream("c", content="Hi", **options), body)
            try:
                async with outcome.stream as opened:
                    assert opened is outcome.stream
                    async for event in opened:
                        outcome.events.append(event)
            except SiteAssistError as error:
                outcome.error = error
        return outcome

    outcome: Outcome = awaited(main)
    return outcome


def awaited(main: Callable[[], Any]) -> Any:
    """Run ``main`` on a new event loop, and fail if it hangs."""

    async def watched() -> Any:
        with anyio.fail_after(WATCHDOG):
            return await main()

    return asyncio.run(watched())


@pytest.fixture(params=[play_sync, play_async], ids=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Play:
    """Return the function that reads either kind of stream."""
    found: Play = request.param
    return found


@pytest.fixture(params=["orjson", "standard"])
def loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Parse JSON with orjson or with the standard library."""
    found: Loads = orjson.loads if request.param == "orjson" else stream._standard_loads
    monkeypatch.setattr(stream, "_fastest_loads", lambda: found)
    return found


def frame(event: Any) -> bytes:
    """Return an event as sent; a string is sent as it is, which may be invalid JSON."""
    data = event if isinstance(event, str) else json.dumps(event)
    return f"data: {data}\n\n".encode()


def frames(*events: Any) -> bytes:
    """Return several events as sent."""
    return b"".join(map(frame, events))


def delta(words: str, id_: str = "1") -> dict[str, Any]:
    """Return a text delta."""
    return {"type": "text-delta", "id": id_, "delta": words}


USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
ANSWER: list[dict[str, Any]] = [
    {"type": "start", "messageId": "m", "messageMetadata": {"model": "a"}},
    {"type": "start-step"},
    {"type": "reasoning-start", "id": "r"},
    {"type": "reasoning-delta", "id": "r", "delta": "Shoes…"},
    {"type": "reasoning-end", "id": "r"},
    {"type": "tool-input-available", "toolCallId": "c", "toolName": "find", "input": {"q": 1}},
    {"type": "tool-output-available", "toolCallId": "c", "output": [1]},
    {"type": "source-url", "sourceId": "s", "url": "https://example.com/"},
    {"type": "data-weather", "id": "w", "data": "rain"},
    {"type": "data-weather", "id": "w", "data": "sun"},
    {"type": "data-toast", "data": "soon", "transient": True},
    {"type": "text-start", "id": "1", "providerMetadata": {"some": {"key": 1}}},
    delta("Grüße"),
    delta(" 👋\u2028"),
    {"type": "text-end", "id": "1"},
    {"type": "finish-step", "usage": USAGE},
    {"type": "brand-new", "with": {"more": [1, None]}},
    {"type": "finish", "finishReason": "stop", "messageMetadata": {"took": 5}},
]
WHOLE = b": hello\n\n" + frames(*ANSWER) + DONE
CLASSES: list[type] = [
    StartPayload,
    StartStepPayload,
    ReasoningStartPayload,
    ReasoningDeltaPayload,
    ReasoningEndPayload,
    ToolInputAvailablePayload,
    ToolOutputAvailablePayload,
    SourceUrlPayload,
    DataPayload,
    DataPayload,
    DataPayload,
    TextStartPayload,
    TextDeltaPayload,
    TextDeltaPayload,
    TextEndPayload,
    FinishStepPayload,
    OtherPayload,
    FinishPayload,
]


def check_whole(outcome: Outcome) -> None:
    """Check for everything that `WHOLE` contains."""
    read = outcome.stream
    assert outcome.error is None
    assert CLASSES == [type(event) for event in outcome.events]
    assert ANSWER == outcome.dicts
    assert "Grüße 👋\u2028" == read.text
    assert [OtherPart, ToolPart, OtherPart, OtherPart, TextPart] == [
        type(part) for part in read.parts
    ]
    assert [
        {"type": "reasoning", "text": "Shoes…"},
        {
            "type": "tool-find",
            "toolCallId": "c",
            "state": "output-available",
            "input": {"q": 1},
            "output": [1],
        },
        {"type": "source-url", "sourceId": "s", "url": "https://example.com/"},
        {"type": "data-weather", "id": "w", "data": "sun"},
        {"type": "text", "text": "Grüße 👋\u2028"},
    ] == [part.to_dict() for part in read.parts]
    assert TokenUsage(input_tokens=3, output_tokens=2, total_tokens=5) == read.usage
    assert {"model": "a", "took": 5} == read.metadata
    assert (True, None, 200) == (read.done, read.queued, read.status_code)
    assert outcome.body.closed


# Complete answers


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(WHOLE)])
def test_answer_does_not_depend_on_the_chunks(play: Play, size: int, loads: Loads) -> None:
    """Events, text, parts, usage and metadata do not depend on the chunks."""
    assert loads is stream._fastest_loads()
    check_whole(play([WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]))


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_compressed_answer(play: Play, size: int) -> None:
    """A gzip body is decompressed as it arrives."""
    packed = gzip.compress(WHOLE)
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    check_whole(play(chunks, headers=EVENT_STREAM | {"content-encoding": "gzip"}))


@pytest.mark.parametrize(
    "found", ["text/event-stream", "Text/Event-Stream", "text/event-stream; charset=utf-8"]
)
def test_media_type_is_compared_without_case_and_parameters(play: Play, found: str) -> None:
    """The media type is compared without case and parameters."""
    check_whole(play([WHOLE], headers={"content-type": found}))


def test_texts_may_be_interleaved(play: Play) -> None:
    """Each delta belongs to its own text, also across chunks."""
    first = frames({"type": "text-start", "id": "1"}, delta("b", "2"), delta("a", "1"))
    second = frames(delta("A", "1"), delta("B", "2"), delta("A", "1")) + DONE
    outcome = play([first, second])
    assert "aAAbB" == outcome.stream.text
    assert ["aAA", "bB"] == [part.text for part in outcome.stream.parts]


def test_empty_answer(play: Play) -> None:
    """The terminal marker alone is a complete, empty answer."""
    outcome = play([DONE])
    read = outcome.stream
    assert ([], None) == (outcome.events, outcome.error)
    assert ("", [], None, None, True) == (
        read.text,
        read.parts,
        read.usage,
        read.metadata,
        read.done,
    )


def test_answer_can_be_read_while_it_arrives() -> None:
    """Text, parts and usage can be read while the answer arrives."""
    body = Body([frames(*ANSWER) + DONE])
    with (
        SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client,
        client.send_message_stream("c", content="Hi") as read,
    ):
        seen = [(read.text, len(read.parts), read.usage is None, read.done) for _ in read]
    assert ("", 0, True, False) == seen[0]
    assert ("Grüße", 5, True, False) == seen[ANSWER.index(delta("Grüße"))]
    assert ("Grüße 👋\u2028", 5, False, False) == seen[-1]


def test_request_id_is_kept(play: Play) -> None:
    """The request id is available, so a problem report can name the call."""
    headers = EVENT_STREAM | {"X-Request-Id": "r-1"}
    assert "r-1" == play([DONE], headers=headers).stream.request_id
    assert play([DONE]).stream.request_id is None


def test_chat_completion_can_be_streamed() -> None:
    """A streamed chat completion works alike, under its own operation name."""
    body = Body([WHOLE[:-5]])
    with SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client:
        read = client.create_chat_completion_stream(messages=[{"role": "user", "content": "Hi"}])
        with read, pytest.raises(StreamTruncatedError, match=r"^createChatCompletion: "):
            read.until_done()
    assert "Grüße 👋\u2028" == read.text


def test_nothing_is_sent_before_the_block_is_entered() -> None:
    """Creating a stream sends nothing; entering its block sends one request for events."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, headers=EVENT_STREAM, stream=Body([DONE]))

    with SiteAssist(token=TOKEN, transport=httpx.MockTransport(answer)) as client:
        read = client.send_message_stream("c", content="Hi")
        assert [] == sent
        assert read.status_code is None
        assert read.request_id is None
        with read:
            assert ["text/event-stream"] == [request.headers["accept"] for request in sent]
            assert [] == list(read)


# Unknown and invalid events


@pytest.mark.parametrize(
    "event",
    [
        {"type": "brand-new"},
        {"type": "brand-new", "id": "1", "delta": "x", "deep": {"er": [1, None, {"a": 0.5}]}},
        {"type": ""},
        {"type": "Text-Delta", "delta": "x"},
        {"type": "tool-", "additional_properties": 1, "type_": 2},
        {"type": "reasoning-delta", "id": "r"},
        {"type": "reasoning-delta", "delta": "r"},
        {"type": "tool-output-available", "output": 1},
        {"type": "data-weather", "id": "w"},
        {"type": "data-"},
    ],
)
def test_unknown_event_is_passed_through(play: Play, event: dict[str, Any]) -> None:
    """An unknown type, or an event without a field that texts do not need, is passed through."""
    outcome = play([frames(delta("a"), event, delta("b")), DONE])
    assert outcome.error is None
    assert [TextDeltaPayload, OtherPayload, TextDeltaPayload] == list(map(type, outcome.events))
    assert [delta("a"), event, delta("b")] == outcome.dicts
    assert "ab" == outcome.stream.text


def test_unknown_fields_of_known_events_are_kept(play: Play) -> None:
    """Unknown fields of a known event survive a round trip."""
    events = [event | {"brandNew": {"a": [1]}} for event in ANSWER]
    outcome = play([frames(*events), DONE])
    assert CLASSES == list(map(type, outcome.events))
    assert events == outcome.dicts


@pytest.mark.parametrize(
    "event",
    [
        {"type": "text-start"},
        {"type": "text-start", "id": "1", "providerMetadata": 5},
        {"type": "text-start", "id": 5},
        {"type": "text-delta", "id": "1"},
        {"type": "text-delta", "delta": "x"},
        {"type": "text-delta", "id": "1", "delta": None},
        {"type": "text-delta", "id": "1", "delta": 5},
        {"type": "text-delta", "id": "1", "delta": ["x"]},
        {"type": "text-delta", "id": 5, "delta": "x"},
        {"type": "text-delta", "id": None, "delta": "x"},
        {"type": "text-end"},
        {},
        {"id": "1"},
        {"type": None},
        {"type": 5},
        {"type": True},
        {"type": ["text-delta"]},
        {"type": {"a": 1}},
        [],
        ["type"],
        5,
        1.5,
        True,
        None,
        '"type"',
        '"text-delta"',
    ],
    ids=str,
)
def test_invalid_event_is_an_error(play: Play, event: Any) -> None:
    """A documented event with a missing or wrong field, or a non-event, raises an error."""
    outcome = play([frames(delta("Hi"), event, delta("never")), DONE])
    assert StreamDecodeError is type(outcome.error)
    data = frame(event).decode().removeprefix("data: ").strip()
    assert (f"sendMessage: the stream contains an invalid event: {data}") == str(outcome.error)
    assert ("Hi", False) == (outcome.stream.text, outcome.stream.done)
    assert [delta("Hi")] == outcome.dicts
    assert outcome.body.closed


@pytest.mark.parametrize(
    "data",
    [
        *("x", "{", '{"type":"x"', '{"type":"x"}}', '{"type":"x"} x', '{"type":"x"}{}', "[DONE"),
        *('{"type":"x",}', "{'type':'x'}", '{"type":"x\ty"}', '{"type":"x","n":01}', "[DONE] "),
        *("\ufeff{}", " ", '{"type":"x","n":-}', "Infinity", '"\\ud800"', "done", "[done]"),
        *("[" * 100_000, '{"type":' * 100_000, '{"type":"x","a":' + "[" * 50_000),
        '{"type":"x","a":' + 5000 * "1" + "}",
    ],
    ids=lambda data: data[:20],
)
def test_invalid_json_is_an_error(loads: Loads, data: str) -> None:
    """Invalid, too deep or too long JSON raises an error, with either JSON library."""
    assert loads is stream._fastest_loads()
    outcome = play_sync([frames(delta("Hi"), data), DONE])
    assert StreamDecodeError is type(outcome.error)
    shown = data if len(data) <= 100 else data[:100] + "…"
    assert str(outcome.error).endswith(f"an invalid event: {printable(shown)}")
    assert "Hi" == outcome.stream.text


@pytest.mark.parametrize(
    "data",
    [
        '{"type":"x","n":NaN}',
        '{"type":"x","n":[Infinity,-Infinity,1e999]}',
        '{"type":"x","n":"\\ud83d"}',
        '{"type":"x","\\udc4b":1}',
        '{"type":"x","n":"\\ud83d\\udc4b \\u0000 \\u2028"}',
        '{"type":"x","n":-0,"m":-0.0,"o":1E5,"p":9007199254740993}',
        '{"type":"y","type":"x"}',
        ' \t{"type":"x"} \t',
        '{"type":"x","n":' + 200 * "[" + 200 * "]" + "}",
    ],
    ids=lambda data: data[:40],
)
def test_unusual_json_is_parsed_alike(loads: Loads, data: str) -> None:
    """Both JSON libraries accept the same edge cases, such as NaN and lone surrogates."""
    assert loads is stream._fastest_loads()
    outcome = play_sync([frames(data), DONE])
    assert outcome.error is None
    # Compared as text, since NaN does not equal itself and 1 equals 1.0.
    assert [json.dumps(json.loads(data), sort_keys=True)] == [
        json.dumps(event, sort_keys=True) for event in outcome.dicts
    ]


def test_split_surrogate_pair_is_joined(play: Play, loads: Loads) -> None:
    """A character split between two deltas is joined again, in texts and in reasoning."""
    assert loads is stream._fastest_loads()
    halves = [
        {"type": "reasoning-delta", "id": "r", "delta": "\ud83d"},
        {"type": "reasoning-delta", "id": "r", "delta": "\udc4b"},
        delta("Hi \ud83d"),
        delta("\udc4b!"),
    ]
    for chunks in ([frames(*halves), DONE], [*map(frame, halves), DONE]):
        outcome = play(chunks)
        assert outcome.error is None
        assert "Hi 👋!" == outcome.stream.text
        assert ["👋", "Hi 👋!"] == [part.to_dict()["text"] for part in outcome.stream.parts]
        # Events stay as they were sent.
        assert [event["delta"] for event in halves] == [event.delta for event in outcome.events]


def test_invalid_event_is_shown_truncated_and_redacted(play: Play) -> None:
    """The error shows the invalid event truncated and with its secrets redacted."""
    outcome = play([frame({"sessionToken": "abc", "padding": 200 * "x"}), DONE])
    words = str(outcome.error)
    assert '{"sessionToken": "[redacted]' in words
    assert "abc" not in words
    assert words.endswith("x…")
    assert len(words) < 250


@pytest.mark.parametrize(
    "event", [{"echo": f"you said {TOKEN}"}, {"type": "error", "errorText": f"no, {TOKEN}"}]
)
def test_error_does_not_repeat_the_token(play: Play, event: dict[str, Any]) -> None:
    """A token echoed by the service is not in the exception."""
    outcome = play([frame(event), DONE])
    assert isinstance(outcome.error, StreamError)
    assert TOKEN not in str(outcome.error) + repr(outcome.error)


def test_events_without_data_are_skipped(play: Play) -> None:
    """Comments, other fields and empty data are skipped."""
    chunks = [PING, b"id: 1\n\nevent: x\n\nretry: 1\n\n", b"data\n\ndata:\n\n", frame(delta("Hi"))]
    outcome = play([*chunks, PING, DONE])
    assert ([delta("Hi")], None) == (outcome.dicts, outcome.error)


# Reported failures and truncated streams


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"errorText": "The model is asleep."}, "The model is asleep."),
        ({}, "no reason given"),
        ({"errorText": ""}, "no reason given"),
        ({"errorText": None}, "no reason given"),
        ({"errorText": {"code": 5}}, "{'code': 5}"),
        (
            {"errorText": "Grüße, bearer abcdefghijklmnop", "more": 1},
            "Grüße, bearer [redacted]",
        ),
    ],
)
def test_error_event_is_raised(play: Play, event: dict[str, Any], words: str) -> None:
    """An error event raises the service's message; earlier events are kept, later ones unread."""
    failure = {"type": "error", **event}
    outcome = play([frames(delta("Hi"), failure, delta("never")), frame(delta("never")), DONE])
    assert StreamError is type(outcome.error)
    assert f"sendMessage: the answer failed: {words}" == str(outcome.error)
    assert "sendMessage" == getattr(outcome.error, "operation", None)
    assert ([delta("Hi")], "Hi") == (outcome.dicts, outcome.stream.text)
    assert ["Hi"] == [part.text for part in outcome.stream.parts]
    assert not outcome.stream.done
    assert outcome.body.closed


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([], ""),
        ([b""], ""),
        ([PING], ""),
        ([WHOLE.removesuffix(DONE)], "Grüße 👋\u2028"),
        ([WHOLE.removesuffix(b"\n")], "Grüße 👋\u2028"),
        ([frame(delta("Hi"))], "Hi"),
        ([frame(delta("Hi")), frame(delta("!"))[:-1]], "Hi"),
        ([frame(delta("Hi")) + b"data: [DO"], "Hi"),
    ],
)
def test_missing_terminal_marker_is_an_error(play: Play, chunks: list[bytes], text: str) -> None:
    """A stream without its terminal marker raises an error, even if the connection ends cleanly."""
    outcome = play(chunks)
    assert StreamTruncatedError is type(outcome.error)
    assert (
        "sendMessage: the stream ended without its terminal marker; the answer may be incomplete"
    ) == str(outcome.error)
    assert outcome.error is not None
    assert outcome.error.__cause__ is None
    assert (text, False) == (outcome.stream.text, outcome.stream.done)
    assert outcome.body.closed


@pytest.mark.parametrize(
    ("broken", "shown"),
    [
        (httpx.ReadError("reset by peer"), " (reset by peer)"),
        (httpx.RemoteProtocolError("bearer abcdefghijklmnop"), " (bearer [redacted])"),
        (httpx.ReadError(""), ""),
    ],
)
def test_connection_error_truncates_the_stream(play: Play, broken: Exception, shown: str) -> None:
    """A connection error truncates the answer; the message states the reason."""
    outcome = play([frame(delta("Hi")), broken])
    assert StreamTruncatedError is type(outcome.error)
    assert f"the stream ended without its terminal marker{shown}; " in str(outcome.error)
    assert outcome.error is not None
    cause = outcome.error.__cause__
    # It is a copy, which holds no request.
    assert type(broken) is type(cause)
    assert ("Hi", outcome.dicts) == (outcome.stream.text, [delta("Hi")])
    assert outcome.body.closed


def test_invalid_gzip_truncates_the_stream(play: Play) -> None:
    """Invalid gzip truncates the stream instead of raising an exception of httpx."""
    packed = gzip.compress(frame(delta("Hi")) + 10 * PING)
    outcome = play(
        [packed[:-30], b"rubbish" * 10], headers=EVENT_STREAM | {"content-encoding": "gzip"}
    )
    assert StreamTruncatedError is type(outcome.error)


@pytest.mark.parametrize("idle", [30.0, None])
def test_timeout_of_the_transport(play: Play, idle: float | None) -> None:
    """A timeout of the transport is an APITimeoutError, with or without an idle timeout."""
    late = httpx.ReadTimeout("too late")
    outcome = play([frame(delta("Hi")), late], idle_timeout=idle)
    assert APITimeoutError is type(outcome.error)
    assert str(outcome.error).startswith("sendMessage: no event arrived")
    assert outcome.error is not None
    assert type(late) is type(outcome.error.__cause__)
    assert "Hi" == outcome.stream.text


def test_event_over_the_limit_is_an_error(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about a too large event names the operation; earlier text is kept."""
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    outcome = play([frame(delta("Hi")), b"data: ", *(100 * b"x" for _ in range(20)), DONE])
    assert StreamDecodeError is type(outcome.error)
    assert "sendMessage: an event of the stream is larger than 1,000 bytes" == str(outcome.error)
    assert "Hi" == outcome.stream.text


# The end of a stream


@pytest.mark.parametrize(
    ("same", "later"),
    [
        (b"", [frame(delta("never"))]),
        (b"", [b"data: rubbish\n\n"]),
        (b"", [frame({"type": "error", "errorText": "never"})]),
        (b"", [DONE]),
        (b"", [httpx.ReadError("reset by peer")]),
        (b"", [frame(delta("never")), httpx.RemoteProtocolError("cut off")]),
        (frame(delta("never")) + b"data: rubbish\n\n", []),
    ],
)
def test_nothing_counts_after_the_end(
    play: Play, same: bytes, later: list[bytes | Exception]
) -> None:
    """Everything after the terminal marker is ignored, in the same chunk or a later one."""
    outcome = play([frame(delta("Hi")) + DONE + same, *later])
    assert (None, True) == (outcome.error, outcome.stream.done)
    assert ("Hi", [delta("Hi")]) == (outcome.stream.text, outcome.dicts)


class Bounded:
    """A connection that respects deadlines, as those do that the client opens."""

    respects_deadlines = True


def respecting(body: Body, **extensions: Any) -> httpx.MockTransport:
    """Return a transport whose connections respect deadlines."""
    return httpx.MockTransport(
        lambda _: httpx.Response(200, headers=EVENT_STREAM, stream=body, extensions=extensions)
    )


@pytest.mark.parametrize(
    ("extensions", "given"),
    [
        ({"network_stream": Bounded(), "http_version": b"HTTP/1.1"}, 3),
        # Reading on could wait for ever.
        ({}, 1),
        ({"network_stream": object()}, 1),
        # A read that is late would end the other streams of the connection.
        ({"network_stream": Bounded(), "http_version": b"HTTP/2"}, 1),
    ],
)
def test_body_is_read_to_its_end(extensions: dict[str, Any], given: int) -> None:
    """The body is read to its end if that keeps its deadline, to reuse the connection."""
    body = Body([DONE, PING, PING])
    with (
        SiteAssist(token=TOKEN, transport=respecting(body, **extensions)) as client,
        client.send_message_stream("c", content="Hi") as read,
    ):
        read.until_done()
        # A connection without a rest of the body can be used inside the block.
        assert (given, given > 1) == (body.given, body.closed)
    assert body.closed


def test_async_body_is_read_to_its_end() -> None:
    """An async body is read to its end, so that the connection can be reused."""
    outcome = play_async([DONE, PING, PING])
    assert 3 == outcome.body.given
    assert outcome.body.closed


def test_endless_body_is_abandoned(clock: FakeTime) -> None:
    """After the terminal marker a body gets 0.1 s to end."""

    def endless() -> Iterator[bytes]:
        yield DONE
        for _ in range(1000):
            clock.now += 0.03
            yield PING

    body = Body(endless())
    transport = respecting(body, network_stream=Bounded())
    with (
        SiteAssist(token=TOKEN, transport=transport) as client,
        client.send_message_stream("c", content="Hi") as read,
    ):
        read.until_done()
    assert read.done
    assert 5 == body.given
    assert body.closed


def test_endless_async_body_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limit applies to an async body that continues, or that stalls."""
    monkeypatch.setattr(stream, "_DRAIN", 0.02)
    for wait in (0.001, None):
        body = Stalled([frame(delta("Hi")) + DONE, PING], wait or 0.001)
        outcome = play_async(body)
        assert (None, True) == (outcome.error, outcome.stream.done)
        assert body.closed


# Iteration


def opened_by(body: Body, form: StreamFormat | None = None) -> Stream[Any, Any, Any]:
    """Return a stream that reads ``body``, without a client."""
    response = httpx.Response(200, headers=EVENT_STREAM, stream=body)
    return Stream("op", form or FORM, None, lambda: response)


def sync_stream(*chunks: bytes | Exception) -> tuple[Stream[Any, Any, Any], Body]:
    """Return a stream of these chunks, and its body."""
    body = Body(chunks)
    return opened_by(body), body


def async_stream(*chunks: bytes | Exception) -> tuple[AsyncStream[Any, Any, Any], Body]:
    """Return an async stream of these chunks, and its body."""
    body = Body(chunks)

    async def start() -> httpx.Response:
        return httpx.Response(200, headers=EVENT_STREAM, stream=body)

    return AsyncStream("op", FORM, None, start), body


FORM = StreamFormat(
    terminator="[DONE]",
    error_type="error",
    error_text="errorText",
    events=EventTable({"text-delta": TextDeltaPayload.from_event}, {}, OtherPayload.from_event),
    part=lambda part: part,
    usage=lambda usage: usage,
)
FOUR = (frames(delta("a"), delta("b"), {"type": "x"}), frame(delta("c")), DONE)


def test_iteration_can_be_continued() -> None:
    """A second loop, or `next`, continues after a break, within a chunk or not."""
    read, _ = sync_stream(*FOUR)
    with read:
        for event in read:
            assert "a" == event.delta
            break
        assert "b" == next(read).delta
        for event in read:
            assert "x" == event.type_
            break
        assert ["c"] == [event.delta for event in read]
        assert [] == list(read)
        with pytest.raises(StopIteration):
            next(read)
    assert "abc" == read.text


def test_async_iteration_can_be_continued() -> None:
    """`async for` and `anext` continue likewise."""
    read, _ = async_stream(*FOUR)

    async def main() -> None:
        async with read:
            async for event in read:
                assert "a" == event.delta
                break
            assert "b" == (await anext(read)).delta
            async for event in read:
                assert "x" == event.type_
                break
            assert ["c"] == [event.delta async for event in read]
            assert [] == [event async for event in read]
            with pytest.raises(StopAsyncIteration):
                await anext(read)

    awaited(main)
    assert "abc" == read.text


def test_text_deltas() -> None:
    """`text_deltas` skips other events and can be interrupted and continued."""
    read, _ = sync_stream(*FOUR)
    with read:
        for words in read.text_deltas():
            assert "a" == words
            break
        assert ["b", "c"] == list(read.text_deltas())
    assert read.done


def test_async_text_deltas() -> None:
    """The async `text_deltas` behaves likewise."""
    read, _ = async_stream(*FOUR)

    async def main() -> None:
        async with read:
            deltas = read.text_deltas()
            assert "a" == await anext(deltas)
            assert ["b", "c"] == [words async for words in read.text_deltas()]
            assert [] == [words async for words in deltas]

    awaited(main)
    assert read.done


def test_until_done() -> None:
    """`until_done` returns the complete stream, also when called twice."""
    read, _ = sync_stream(*FOUR)
    with read:
        assert read is read.until_done()
        assert read is read.until_done()
    assert ("abc", True) == (read.text, read.done)
    awaited_read, _ = async_stream(*FOUR)

    async def main() -> None:
        async with awaited_read:
            assert awaited_read is await awaited_read.until_done()
            assert awaited_read is await awaited_read.until_done()

    awaited(main)
    assert ("abc", True) == (awaited_read.text, awaited_read.done)


def test_stream_must_be_entered() -> None:
    """Reading outside the block raises an error and sends nothing; the stream is empty."""
    read, body = sync_stream(*FOUR)
    message = "^op: a stream must be read inside its `with` block$"
    for way in (iter, next, list, Stream.until_done, lambda read: list(read.text_deltas())):
        with pytest.raises(SiteAssistError, match=message):
            way(read)
    assert ("", [], None, None, None) == (
        read.text,
        read.parts,
        read.usage,
        read.metadata,
        read.queued,
    )
    read.close()
    assert (0, False) == (body.given, read.done)


def test_async_stream_must_be_entered() -> None:
    """Reading an async stream outside its block raises an error."""
    read, body = async_stream(*FOUR)
    message = "^op: a stream must be read inside its `async with` block$"

    async def main() -> None:
        with pytest.raises(SiteAssistError, match=message):
            aiter(read)
        with pytest.raises(SiteAssistError, match=message):
            await anext(read)
        with pytest.raises(SiteAssistError, match=message):
            await read.until_done()
        with pytest.raises(SiteAssistError, match=message):
            await anext(read.text_deltas())
        await read.aclose()

    awaited(main)
    assert (0, False) == (body.given, read.done)


def test_stream_cannot_be_read_after_its_block() -> None:
    """After the block the text so far is kept, and further reading raises an error."""
    read, body = sync_stream(*FOUR)
    with read:
        next(read)
    for rest in (iter, lambda read: list(read.text_deltas())):
        with pytest.raises(SiteAssistError, match="inside its `with` block"):
            rest(read)
    assert ("a", False, 1) == (read.text, read.done, body.given)
    read.close()


def test_async_stream_cannot_be_read_after_its_block() -> None:
    """The same holds after the block of an async stream."""
    read, body = async_stream(*FOUR)

    async def main() -> None:
        async with read:
            await anext(read)
        with pytest.raises(SiteAssistError, match="inside its `async with` block"):
            aiter(read)
        await read.aclose()

    awaited(main)
    assert ("a", False, 1) == (read.text, read.done, body.given)


def test_stream_entered_twice() -> None:
    """Entering the block again neither mixes two answers nor sends the message again."""
    bodies = [Body(FOUR), Body(FOUR)]
    responses = iter(httpx.Response(200, headers=EVENT_STREAM, stream=body) for body in bodies)
    read: Stream[Any, Any, Any] = Stream("op", FORM, None, lambda: next(responses))
    with read:
        next(read)
    try:
        with read:
            read.until_done()
    except SiteAssistError:
        assert "a" == read.text
        assert 0 == bodies[1].given
    else:
        assert "abc" == read.text


def test_stream_can_be_entered_after_a_failed_request() -> None:
    """A request that failed can be sent again by entering the block again."""
    body = Body(FOUR)
    outcomes: Iterator[Exception | None] = iter([APITimeoutError("late", operation="op"), None])

    def start() -> httpx.Response:
        if error := next(outcomes):
            raise error
        return httpx.Response(200, headers=EVENT_STREAM, stream=body)

    async def start_async() -> httpx.Response:
        return start()

    async def main() -> None:
        read: AsyncStream[Any, Any, Any] = AsyncStream("op", FORM, None, start_async)
        with pytest.raises(APITimeoutError):
            await read.__aenter__()
        async with read:
            assert "abc" == (await read.until_done()).text

    awaited(main)
    outcomes = iter([APITimeoutError("late", operation="op"), None])
    read: Stream[Any, Any, Any] = Stream("op", FORM, None, start)
    with pytest.raises(APITimeoutError):
        read.__enter__()
    with read:
        assert "abc" == read.until_done().text


def test_two_streams_share_nothing() -> None:
    """Two open streams do not affect each other."""
    first, _ = sync_stream(*FOUR)
    second, _ = sync_stream(frame(delta("other")), DONE)
    with first, second:
        next(first)
        second.until_done()
        first.until_done()
    assert ("abc", "other") == (first.text, second.text)


# The state after a failure

FAILURES: list[tuple[list[bytes | Exception], type[SiteAssistError]]] = [
    ([frame({"type": "error", "errorText": "no"}), frame(delta("never")), DONE], StreamError),
    ([frame("rubbish"), frame(delta("never")), DONE], StreamDecodeError),
    ([frame(delta("a")) + frame("rubbish") + frame(delta("never")) + DONE], StreamDecodeError),
    ([frame(delta("a"))], StreamTruncatedError),
    ([httpx.ReadError("reset"), DONE], StreamTruncatedError),
    ([httpx.ReadTimeout("late"), DONE], APITimeoutError),
]


@pytest.mark.parametrize(("chunks", "kind"), FAILURES)
def test_failed_stream_stays_failed(
    chunks: list[bytes | Exception], kind: type[SiteAssistError]
) -> None:
    """A failed stream fails again, however it is read; it never ends as if it were complete."""
    read, _ = sync_stream(*chunks)
    with read:
        events, deltas = iter(read), read.text_deltas()
        ways: list[Callable[[], Any]] = [
            read.until_done,
            lambda: list(read),
            lambda: next(read),
            lambda: list(read.text_deltas()),
            lambda: next(events),
            lambda: next(deltas),
        ]
        seen = []
        for way in 2 * ways:
            with pytest.raises(SiteAssistError) as caught:
                way()
            seen.append(caught.value)
    assert {kind} == {type(error) for error in seen}
    assert ["op"] * len(seen) == [error.operation for error in seen]
    # After the block, too.
    with pytest.raises(kind):
        read.until_done()
    assert (read.text in {"", "a"}, False) == (True, read.done)


@pytest.mark.parametrize(("chunks", "kind"), FAILURES)
def test_failed_async_stream_stays_failed(
    chunks: list[bytes | Exception], kind: type[SiteAssistError]
) -> None:
    """The same holds for an async stream."""
    read, _ = async_stream(*chunks)

    async def main() -> None:
        async with read:
            events, deltas = aiter(read), read.text_deltas()
            ways: list[Callable[[], Any]] = [
                read.until_done,
                lambda: anext(read),
                lambda: anext(events),
                lambda: anext(deltas),
                lambda: anext(read.text_deltas()),
            ]
            for way in 4 * ways:
                with pytest.raises(kind):
                    await way()
        with pytest.raises(kind):
            await read.until_done()

    awaited(main)
    assert (read.text in {"", "a"}, False) == (True, read.done)


def interrupted(*_: object) -> None:
    """Fail as Ctrl-C does."""
    raise KeyboardInterrupt


class Interrupted(Body):
    """A body whose second chunk is interrupted by Ctrl-C."""

    def _next(self, chunk: bytes | Exception) -> bytes:
        if self.given:
            raise KeyboardInterrupt
        return super()._next(chunk)


def test_interrupted_read_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting or while decoding does not end the stream as if it were complete."""
    waiting = opened_by(Interrupted([frame(delta("a")), DONE]))
    decoding, _ = sync_stream(frame(delta("a")), frame({"type": "x"}) + frame(delta("b")), DONE)
    with waiting, decoding:
        for read in (waiting, decoding):
            assert "a" == next(read).delta
            monkeypatch.setattr(_Reader, "_other", interrupted)
            with pytest.raises(KeyboardInterrupt):
                next(read)
            for _ in range(2):
                with pytest.raises(StreamTruncatedError, match="reading was interrupted"):
                    read.until_done()


def test_interrupted_async_read_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds for an async stream, in either half of a chunk."""
    monkeypatch.setattr(_Reader, "_other", interrupted)

    async def main(*events: dict[str, Any]) -> None:
        read, _ = async_stream(frames(*events, delta("never")), DONE)
        async with read:
            with pytest.raises(KeyboardInterrupt):
                await read.until_done()
            with pytest.raises(StreamTruncatedError, match="reading was interrupted"):
                await read.until_done()

    awaited(lambda: main({"type": "x"}))
    awaited(lambda: main(delta("a"), {"type": "x"}))


def test_cancelled_wait_loses_nothing() -> None:
    """A wait that is cancelled, or that times out, can be repeated."""
    body = Stalled([frame(delta("a")), frame(delta("b")), frame(delta("c")) + DONE], 0.05)

    async def start() -> httpx.Response:
        return httpx.Response(200, headers=EVENT_STREAM, stream=body)

    async def main() -> None:
        read: AsyncStream[Any, Any, Any] = AsyncStream("op", FORM, 5.0, start)
        deltas = []
        cancelled = 0
        async with read:
            pieces = read.text_deltas()
            while not read.done:
                try:
                    deltas.append(await asyncio.wait_for(anext(pieces), 0.005))
                except TimeoutError:
                    cancelled += 1
                except StopAsyncIteration:
                    break
        assert ["a", "b", "c"] == deltas
        assert cancelled > 3
        assert ("abc", True) == (read.text, read.done)

    awaited(main)


def test_polling_does_not_outrun_the_idle_timeout() -> None:
    """Waits that are cancelled count; the time between them does not."""
    body = Stalled([], None)

    async def start() -> httpx.Response:
        return httpx.Response(200, headers=EVENT_STREAM, stream=body)

    async def main() -> int:
        read: AsyncStream[Any, Any, Any] = AsyncStream("op", FORM, 0.1, start)
        cancelled = 0
        async with read:
            while True:
                try:
                    await asyncio.wait_for(anext(read), 0.02)
                except TimeoutError:
                    cancelled += 1
                    await asyncio.sleep(0.1)
                except APITimeoutError:
                    return cancelled

    assert awaited(main) >= 2


def test_stream_has_one_reader_at_a_time() -> None:
    """A second thread or task that reads gets an error; the first one goes on."""
    body = Waiting()
    read = opened_by(body)
    caught: list[BaseException] = []

    def work() -> None:
        with pytest.raises(StreamTruncatedError):
            read.until_done()

    with read:
        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert body.reading.wait(WATCHDOG)
            for way in (lambda: next(read), lambda: next(read.text_deltas()), read.until_done):
                with pytest.raises(SiteAssistError, match="is being read already") as error:
                    way()
                caught.append(error.value)
        finally:
            body.ended.set()
            thread.join()
    assert {SiteAssistError} == {type(error) for error in caught}


def test_async_stream_has_one_reader_at_a_time() -> None:
    """The same holds for tasks."""
    body = Stalled([frame(delta("a")) + DONE], 0.05)

    async def start() -> httpx.Response:
        return httpx.Response(200, headers=EVENT_STREAM, stream=body)

    async def main() -> None:
        read: AsyncStream[Any, Any, Any] = AsyncStream("op", FORM, None, start)
        async with read:
            first = asyncio.create_task(read.until_done())
            await asyncio.sleep(0)
            with pytest.raises(SiteAssistError, match="is being read already"):
                await anext(read)
            await first
        assert ("a", True) == (read.text, read.done)

    awaited(main)


# Aborted answers, identifiers, split characters


def test_aborted_answer_is_not_done(play: Play) -> None:
    """An answer that the service aborted is not complete, although its marker arrives."""
    outcome = play([frames(delta("half"), {"type": "abort", "reason": "stopped"}) + DONE])
    assert outcome.error is None
    assert (True, False, "half") == (
        outcome.stream.aborted,
        outcome.stream.done,
        outcome.stream.text,
    )
    assert repr(outcome.stream).endswith("sendMessage: aborted>")
    assert not play([frame(delta("whole")) + DONE]).stream.aborted


@pytest.mark.parametrize(
    ("start", "finish", "expected"),
    [
        ({}, {}, (None, None)),
        ({"messageId": "m"}, {"finishReason": "stop"}, ("m", "stop")),
        ({"messageId": 7}, {"finishReason": None}, (None, None)),
    ],
)
def test_message_id_and_finish_reason(
    play: Play, start: dict[str, Any], finish: dict[str, Any], expected: tuple[Any, Any]
) -> None:
    """The identifier and the reason are those of the protocol, or None."""
    body = frames({"type": "start", **start}, delta("Hi"), {"type": "finish", **finish}) + DONE
    read = play([body]).stream
    assert expected == (read.message_id, read.finish_reason)


SPLIT = ["Hi \ud83d", "\ude00", " \ud83d", "\ude00\ud83d", "x", "\ude00", "ok \ud83d"]


def test_text_deltas_join_split_characters() -> None:
    """No piece ends in half a character, unless the other half never comes."""
    events = [frame(delta(words)) for words in SPLIT]
    expected = ["Hi ", "😀", " ", "😀", "\ud83dx", "\ude00", "ok ", "\ud83d"]
    read, _ = sync_stream(*events, DONE)
    with read:
        pieces = []
        for piece in read.text_deltas():
            pieces.append(piece)
            assert "".join(pieces) == read.text or read.done
    assert expected == pieces
    assert "".join(expected) == read.text
    awaited_read, _ = async_stream(*events, DONE)

    async def main() -> list[str]:
        async with awaited_read:
            return [piece async for piece in awaited_read.text_deltas()]

    assert expected == awaited(main)


@pytest.mark.parametrize("kind", ["text-start", "text-end"])
def test_half_a_character_belongs_to_its_text(play: Play, kind: str) -> None:
    """The half at the end of a text is not joined with the next text."""
    events = frames(delta("a\ud83d", "1"), {"type": kind, "id": "1"}, delta("\ude00", "2")) + DONE
    body = Body([events])
    with (
        SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client,
        client.send_message_stream("c", content="Hi") as read,
    ):
        assert ["a", "\ud83d", "\ude00"] == list(read.text_deltas())
    assert "a\ud83d\ude00" == read.text == play([events]).stream.text


# Leaving early


def test_leaving_the_block_closes_the_response() -> None:
    """Leaving the block closes the response at once, unread."""
    read, body = sync_stream(*FOUR)
    with read:
        next(read)
        assert not body.closed
    assert (True, 1) == (body.closed, body.given)


def test_exception_in_the_block_closes_the_response() -> None:
    """An exception in the block closes the response and is raised unchanged."""
    read, body = sync_stream(*FOUR)

    def work() -> None:
        with read:
            for _ in read:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert (True, 1) == (body.closed, body.given)


def test_close_ends_the_iteration() -> None:
    """`close` inside the loop ends it, and can be called again."""
    read, body = sync_stream(*FOUR)
    with read:
        for _ in read:
            read.close()
        assert body.closed
        read.close()
    assert "a" == read.text


class Waiting(Body):
    """A body that yields nothing until it is closed."""

    def __init__(self) -> None:
        super().__init__([])
        self.reading = threading.Event()
        self.ended = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        """Wait to be closed."""
        self.reading.set()
        self.ended.wait(WATCHDOG)
        yield from ()

    def close(self) -> None:
        """End the wait."""
        super().close()
        self.ended.set()


def test_another_thread_can_close_the_stream() -> None:
    """Another thread can close a stream whose reader waits for an event."""
    body = Waiting()
    read = opened_by(body)

    def work() -> None:
        with suppress(SiteAssistError), read:
            read.until_done()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert body.reading.wait(WATCHDOG)
        read.close()
        assert body.closed
    finally:
        body.ended.set()
        thread.join()


class Socket:
    """A connection that records whether it was shut down."""

    def __init__(self) -> None:
        self.down = False

    def get_extra_info(self, _info: str) -> Socket:
        """Return the socket."""
        return self

    def shutdown(self, _how: int) -> None:
        """Record the shutdown."""
        self.down = True


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/2"])
def test_closing_hangs_up_unless_streams_share_the_connection(version: bytes) -> None:
    """Another thread's close shuts down its own connection only, never one of several streams."""
    connection = Socket()
    body = Waiting()
    extensions = {"network_stream": connection, "http_version": version}
    response = httpx.Response(200, headers=EVENT_STREAM, stream=body, extensions=extensions)
    read: Stream[Any, Any, Any] = Stream("op", FORM, None, lambda: response)

    def work() -> None:
        with read, pytest.raises(StreamTruncatedError):
            read.until_done()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert body.reading.wait(WATCHDOG)
        read.close()
        assert (version == b"HTTP/1.1") == connection.down == body.closed
    finally:
        body.ended.set()
        thread.join()
    assert body.closed


class Late(Waiting):
    """A body whose chunk arrives after it was closed."""

    def __iter__(self) -> Iterator[bytes]:
        """Wait to be released."""
        self.reading.set()
        self.ended.wait(WATCHDOG)
        yield frame(delta("late"))


def test_chunk_after_the_close_is_not_read() -> None:
    """A chunk that arrives after another thread's close ends the reading."""
    body = Late()
    response = httpx.Response(
        200, headers=EVENT_STREAM, stream=body, extensions={"http_version": b"HTTP/2"}
    )
    read: Stream[Any, Any, Any] = Stream("op", FORM, None, lambda: response)

    def work() -> None:
        with read, pytest.raises(StreamTruncatedError, match="closed by another thread"):
            read.until_done()

    thread = threading.Thread(target=work)
    thread.start()
    assert body.reading.wait(WATCHDOG)
    read.close()
    body.ended.set()
    thread.join()
    assert ("", True) == (read.text, body.closed)


def test_another_task_can_close_the_stream() -> None:
    """Another task can close a stream whose reader waits for an event."""
    body = Stalled([], None)

    async def start() -> httpx.Response:
        return httpx.Response(200, headers=EVENT_STREAM, stream=body)

    async def main() -> None:
        read: AsyncStream[Any, Any, Any] = AsyncStream("op", FORM, None, start)

        async def work() -> None:
            async with read:
                reading.set()
                await read.until_done()

        reading = asyncio.Event()
        task = asyncio.create_task(work())
        await reading.wait()
        await asyncio.sleep(0)
        try:
            await read.aclose()
            assert body.closed
        finally:
            task.cancel()
            await asyncio.wait([task])

    awaited(main)


def test_leaving_an_async_stream_closes_the_response() -> None:
    """Leaving an async block, an exception in it and `aclose` each close the response."""

    async def leave() -> Body:
        read, body = async_stream(*FOUR)
        async with read:
            await anext(read)
            assert not body.closed
        return body

    async def fail() -> Body:
        read, body = async_stream(*FOUR)

        async def work() -> None:
            async with read:
                async for _ in read:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        return body

    async def close() -> Body:
        read, body = async_stream(*FOUR)
        async with read:
            async for _ in read:
                await read.aclose()
            assert body.closed
            await read.aclose()
        return body

    for main in (leave, fail, close):
        body = awaited(main)
        assert (True, 1) == (body.closed, body.given)


def test_cancelled_task_closes_the_response() -> None:
    """Cancelling a task that waits for an event closes the response."""
    body = Stalled([], None)

    async def main() -> None:
        async def read() -> None:
            async with client.send_message_stream("c", content="Hi") as opened:
                reading.set()
                await opened.until_done()

        reading = asyncio.Event()
        transport = answering(body, 200, EVENT_STREAM)
        async with AsyncSiteAssist(token=TOKEN, transport=transport) as client:
            task = asyncio.create_task(read())
            await reading.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    awaited(main)
    assert body.closed


# Responses other than streams


def test_queued_message_gives_an_empty_stream(play: Play) -> None:
    """A queued message gives an empty stream with the service's notice."""
    outcome = play([b"Message ", b"sent\xff"], status=202, headers={"content-type": "text/plain"})
    read = outcome.stream
    assert ([], None) == (outcome.events, outcome.error)
    assert isinstance(read.queued, QueuedNotice)
    assert "Message sent\ufffd" == read.queued.text
    assert (202, "", [], False) == (read.status_code, read.text, read.parts, read.done)
    assert repr(read).endswith(" sendMessage: queued>")
    assert outcome.body.closed


@pytest.mark.parametrize("chunks", [[], [b"Mess", httpx.ReadError("reset")]])
def test_queued_message_without_a_notice(play: Play, chunks: Chunks) -> None:
    """A queued message is recognised without a notice."""
    outcome = play(chunks, status=202, headers={})
    assert ([], None) == (outcome.events, outcome.error)
    assert "" == outcome.stream.queued
    assert repr(outcome.stream).endswith(" sendMessage: queued>")
    assert outcome.body.closed


def test_queued_message_whose_notice_never_ends() -> None:
    """Waiting for the notice ends, even while bytes keep arriving."""
    body = Stalled([b"x"], 0.01)
    outcome = play_async(body, status=202, idle_timeout=0.05)
    assert ("", None) == (outcome.stream.queued, outcome.error)
    assert body.closed


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (200, "application/json"),
        (200, "text/plain"),
        (200, "text/event-stream-not"),
        (200, "bearer abcdefghijklmnop"),
        (200, None),
        (201, "text/html; charset=utf-8"),
        (204, None),
    ],
)
def test_other_media_type_is_an_error(play: Play, status: int, found: str | None) -> None:
    """Another media type raises an error that names it and has the body."""
    headers = {} if found is None else {"content-type": found}
    outcome = play([WHOLE], status=status, headers=headers)
    assert APIResponseError is type(outcome.error)
    shown = {None: "no type", "bearer abcdefghijklmnop": "bearer [redacted]"}.get(found, found)
    expected = (
        f"sendMessage: {status} with an unexpected body ({shown}; expected text/event-stream)"
    )
    assert str(outcome.error).startswith(f"{expected}: : hello data: ")
    assert WHOLE.decode() == outcome.error.text
    assert ([], True) == (outcome.events, outcome.body.closed)


def test_error_status_is_raised(play: Play) -> None:
    """An error status raises the same exception as any other call."""
    body = json.dumps({"error": {"message": "No such thing.", "code": "not_found"}}).encode()
    outcome = play([body], status=404, headers={"content-type": "application/json"})
    assert NotFoundError is type(outcome.error)
    assert str(outcome.error).startswith("sendMessage: 404 Not Found: No such thing. (not_found, ")
    assert ([], True) == (outcome.events, outcome.body.closed)
    assert outcome.stream.status_code is None


def test_repr_shows_the_state(play: Play) -> None:
    """The repr shows the operation and the state, but no text."""
    kind = "Stream" if play is play_sync else "AsyncStream"
    assert f"<{kind} sendMessage: done>" == repr(play([WHOLE]).stream)
    assert f"<{kind} sendMessage: not done>" == repr(play([frame(delta("Hi"))]).stream)


# Idle timeouts


def after(clock: FakeTime, *steps: tuple[float, bytes]) -> Iterator[bytes]:
    """Yield each chunk after its number of seconds."""
    for seconds, chunk in steps:
        clock.now += seconds
        yield chunk


@pytest.mark.parametrize(
    "silence",
    [
        PING,
        b":\n",
        b"id: 1\n\n",
        b"event: x\n\n",
        b"data:\n\n",
        b"\n\n",
        b"data: an event that never ends ",
    ],
)
def test_keep_alive_does_not_reset_the_idle_timeout(
    play: Play, clock: FakeTime, silence: bytes
) -> None:
    """Keep-alives and other bytes without an event do not reset the idle timeout."""
    chunks = after(clock, (0, frame(delta("Hi"))), *(100 * [(4, silence)]), (0, DONE))
    outcome = play(chunks, idle_timeout=10)
    assert APITimeoutError is type(outcome.error)
    assert "sendMessage: no event arrived for 10 s" == str(outcome.error)
    # The chunks arrive after 4, 8 and 12 s: the third one is too late.
    assert (4, "Hi") == (outcome.body.given, outcome.stream.text)
    assert outcome.body.closed


def test_idle_timeout_applies_to_the_first_event(play: Play, clock: FakeTime) -> None:
    """The idle timeout also applies to the first event."""
    outcome = play(after(clock, *(100 * [(4, PING)])), idle_timeout=10)
    assert APITimeoutError is type(outcome.error)
    assert 3 == outcome.body.given


def test_event_resets_the_idle_timeout(play: Play, clock: FakeTime) -> None:
    """Each event, even of an unknown type, resets the idle timeout."""
    steps = 30 * [(4, PING), (4, frame({"type": "brand-new"})), (9, frame(delta("a")))]
    outcome = play(after(clock, *steps, (9, DONE)), idle_timeout=10)
    assert (None, 30 * "a") == (outcome.error, outcome.stream.text)


def test_no_idle_timeout(play: Play, clock: FakeTime) -> None:
    """Without an idle timeout a stream waits without limit."""
    outcome = play(after(clock, *(50 * [(1e6, PING)]), (1e6, WHOLE)), idle_timeout=None)
    check_whole(outcome)


def test_time_of_the_reader_does_not_count(clock: FakeTime) -> None:
    """The time that the program spends between two events does not count."""
    body = Body([frames(delta("a"), delta("b")), PING, frame(delta("c")), PING, DONE])
    with (
        SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client,
        client.send_message_stream("c", content="Hi", idle_timeout=1) as read,
    ):
        for _ in read:
            clock.now += 3600
    assert ("abc", True) == (read.text, read.done)


def test_time_of_the_async_reader_does_not_count(clock: FakeTime) -> None:
    """The same holds for an async stream."""
    body = Body([frames(delta("a"), delta("b")), PING, frame(delta("c")), PING, DONE])

    async def main() -> None:
        transport = answering(body, 200, EVENT_STREAM)
        async with (
            AsyncSiteAssist(token=TOKEN, transport=transport) as client,
            client.send_message_stream("c", content="Hi", idle_timeout=1) as read,
        ):
            async for _ in read:
                clock.now += 3600
        assert ("abc", True) == (read.text, read.done)

    awaited(main)


@pytest.mark.parametrize("wait", [None, 0.01])
def test_stalled_async_stream_times_out(wait: float | None) -> None:
    """The idle timeout ends an async stream that is silent or sends only comments."""
    body = Stalled([PING], wait)
    outcome = play_async(body, idle_timeout=0.05)
    assert APITimeoutError is type(outcome.error)
    assert "sendMessage: no event arrived for 0.05 s" == str(outcome.error)
    assert body.closed


# Memory


EVERY_KIND: list[dict[str, Any]] = [
    delta("words "),
    {"type": "reasoning-delta", "id": "r", "delta": "words "},
    {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": 20 * "x"},
    {"type": "tool-output-available", "toolCallId": "c", "output": 20 * "x"},
    {"type": "data-progress", "id": "p", "data": 20 * "x"},
    {"type": "data-toast", "data": 20 * "x", "transient": True},
    {"type": "brand-new", "more": 20 * "x"},
    {"type": "message-metadata", "messageMetadata": {"a": 20 * "x"}},
    {"type": "finish-step", "usage": USAGE},
    {"type": "start-step"},
]


@pytest.mark.parametrize(
    ("events", "rounds"),
    [(EVERY_KIND, 1500), (5 * [delta("words ")], 6000), (600 * [delta("words ")], 50)],
    ids=["every kind", "texts in small chunks", "texts in large chunks"],
)
def test_stream_keeps_only_the_text_in_memory(events: list[dict[str, Any]], rounds: int) -> None:
    """Thousands of events of all types leave no memory in use but the text's."""
    chunk = PING + frames(*events)
    with opened_by(Body(iter([*(rounds * [chunk]), DONE]))) as read:
        for _ in range(1000):
            next(read)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            count = 1000 + sum(1 for _ in read)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert rounds * len(events) == count
    assert rounds * events.count(delta("words ")) * "words " == read.text
    # Room for the text and a few events; keeping all events would take megabytes.
    assert peak - before < 1_000_000


# The components


def test_event_table_finds_a_reader() -> None:
    """A reader is found by type or by prefix, else the default; unknown types are not cached."""
    table = EventTable(
        {"a": lambda _: "a"},
        {"data-": lambda _: "data", "x": lambda _: "x"},
        lambda _: "other",
    )
    kinds = ["a", "data-", "data-a", "xyz", "dat", "", "ab"]
    assert ["a", "data", "data", "x", "other", "other", "other"] == [
        table[kind]({}) for kind in kinds
    ]
    odd: Any
    for odd in (None, 5, True):
        assert "other" == table[odd]({})
    assert ["a"] == list(table)


def test_orjson_is_used_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orjson is used if installed, else the standard library."""
    find = stream._fastest_loads.__wrapped__
    assert orjson.loads is find()
    monkeypatch.setitem(sys.modules, "orjson", None)
    assert stream._standard_loads is find()


def test_format_of_another_protocol() -> None:
    """Terminal marker, error type and error text are those of the format."""
    form = FORM._replace(terminator="END", error_type="failed", error_text="why")
    chunks = [frame(delta("Hi")), DONE.replace(b"[DONE]", b"END")]
    with opened_by(Body(chunks), form) as read:
        assert "Hi" == read.until_done().text
    chunks = [frames({"type": "error"}, {"type": "failed", "why": "because"})]
    with opened_by(Body(chunks), form) as read:
        assert "error" == next(read).type_
        with pytest.raises(StreamError, match=r"^op: the answer failed: because$"):
            next(read)
