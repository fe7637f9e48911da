"""Answers that are read while they are written, blocking and awaited."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
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
from siteassist_runtime import deadline
from siteassist_runtime.streaming import sse, stream
from siteassist_runtime.streaming.events import BY_TYPE
from siteassist_runtime.streaming.queued import QueuedNotice
from siteassist_runtime.streaming.stream import AsyncStream, EventTable, Stream, StreamFormat

TOKEN = "sk_test_1234567890abcdef"
BASE_URL = "http://127.0.0.1/v2"
EVENT_STREAM = {"content-type": "text/event-stream"}
WATCHDOG = 10.0  # Seconds after which an awaited stream counts as hung.
DONE = b"data: [DONE]\n\n"
PING = b": keep-alive\n\n"

Chunks = Iterable[bytes | Exception]
Loads = Callable[[str], Any]


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer, in these chunks; an exception is raised. Knows what became of it."""

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
        """Give the chunks."""
        for chunk in self.chunks:
            yield self._next(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the chunks."""
        for chunk in self.chunks:
            # As on a connection, others get their turn before each chunk.
            await anyio.lowlevel.checkpoint()
            yield self._next(chunk)

    def close(self) -> None:
        """Note that the reader hung up."""
        self.closed = True

    async def aclose(self) -> None:
        """Note that the reader hung up."""
        self.closed = True


class Stalled(Body):
    """A body that gives its chunks again and again, each after a wait; or none, ever."""

    def __init__(self, chunks: Chunks, wait: float | None) -> None:
        super().__init__(chunks)
        self.wait = wait

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the chunks, or nothing."""
        while self.wait is not None:
            for chunk in self.chunks:
                await anyio.sleep(self.wait)
                yield self._next(chunk)
        await anyio.sleep_forever()


@dataclass
class Outcome:
    """What came of reading a stream."""

    stream: Any
    body: Body
    events: list[Any] = field(default_factory=list)
    error: SiteAssistError | None = None

    @property
    def types(self) -> list[str]:
        """The types of the events."""
        return [event.type_ for event in self.events]

    @property
    def told(self) -> list[dict[str, Any]]:
        """The events as they are written."""
        return [event.to_dict() for event in self.events]


Play = Callable[..., Outcome]


def answering(body: Body, status: int, headers: dict[str, str]) -> httpx.MockTransport:
    """Return what answers every request with ``body``."""
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
    """Read a stream to its end, or to its error."""
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
    """Read an awaited stream to its end, or to its error."""
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
    """Run ``main`` on a loop of its own, and fail if it hangs."""

    async def watched() -> Any:
        with anyio.fail_after(WATCHDOG):
            return await main()

    return asyncio.run(watched())


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=[play_sync, play_async], ids=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Play:
    """Read a stream in either way."""
    found: Play = request.param
    return found


@pytest.fixture(params=["orjson", "standard"])
def loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Read JSON with the accelerator, and without."""
    found: Loads = orjson.loads if request.param == "orjson" else stream._standard_loads
    monkeypatch.setattr(stream, "_loads", found)
    return found


@dataclass
class FakeClock:
    """A clock that stands still until a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Give deadlines a clock to move."""
    fake = FakeClock()
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=fake))
    return fake


def frame(event: Any) -> bytes:
    """Return an event as it travels; what is a string is no JSON yet."""
    data = event if isinstance(event, str) else json.dumps(event)
    return f"data: {data}\n\n".encode()


def frames(*events: Any) -> bytes:
    """Return several events as they travel."""
    return b"".join(map(frame, events))


def delta(words: str, id_: str = "1") -> dict[str, Any]:
    """Return the next words of a text."""
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
    """Find everything that `WHOLE` says."""
    read = outcome.stream
    assert outcome.error is None
    assert CLASSES == [type(event) for event in outcome.events]
    assert ANSWER == outcome.told
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


# What a whole answer gives.


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(WHOLE)])
def test_an_answer_adds_up_however_it_is_cut(play: Play, size: int, loads: Loads) -> None:
    """Typed events, text, parts, usage and metadata do not depend on the chunks."""
    assert loads is stream._loads
    check_whole(play([WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]))


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_compressed_answer(play: Play, size: int) -> None:
    """A body in gzip is unpacked as it comes."""
    packed = gzip.compress(WHOLE)
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    check_whole(play(chunks, headers=EVENT_STREAM | {"content-encoding": "gzip"}))


@pytest.mark.parametrize(
    "found", ["text/event-stream", "Text/Event-Stream", "text/event-stream; charset=utf-8"]
)
def test_the_media_type_may_be_written_differently(play: Play, found: str) -> None:
    """Case and parameters do not matter."""
    check_whole(play([WHOLE], headers={"content-type": found}))


def test_texts_may_be_interleaved(play: Play) -> None:
    """Also across chunks, each delta goes to its own text."""
    first = frames({"type": "text-start", "id": "1"}, delta("b", "2"), delta("a", "1"))
    second = frames(delta("A", "1"), delta("B", "2"), delta("A", "1")) + DONE
    outcome = play([first, second])
    assert "aAAbB" == outcome.stream.text
    assert ["aAA", "bB"] == [part.text for part in outcome.stream.parts]


def test_an_answer_without_words(play: Play) -> None:
    """The terminal marker alone is a whole answer, with nothing in it."""
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


def test_what_is_known_grows_with_each_event() -> None:
    """Text, parts and usage can be asked for while the answer is read."""
    body = Body([frames(*ANSWER) + DONE])
    with (
        SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client,
        client.send_message_stream("c", content="Hi") as read,
    ):
        seen = [(read.text, len(read.parts), read.usage is None, read.done) for _ in read]
    assert ("", 0, True, False) == seen[0]
    assert ("Grüße", 5, True, False) == seen[ANSWER.index(delta("Grüße"))]
    assert ("Grüße 👋\u2028", 5, False, False) == seen[-1]


def test_the_request_id_is_kept(play: Play) -> None:
    """Whoever reports a problem can name the call."""
    headers = EVENT_STREAM | {"X-Request-Id": "r-1"}
    assert "r-1" == play([DONE], headers=headers).stream.request_id
    assert play([DONE]).stream.request_id is None


def test_a_chat_completion_is_a_stream_as_well() -> None:
    """The other operation that streams, under its own name."""
    body = Body([WHOLE[:-5]])
    with SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client:
        read = client.create_chat_completion_stream(messages=[{"role": "user", "content": "Hi"}])
        with read, pytest.raises(StreamTruncatedError, match=r"^createChatCompletion: "):
            read.until_done()
    assert "Grüße 👋\u2028" == read.text


def test_nothing_is_sent_before_the_block_is_entered() -> None:
    """Making a stream costs nothing; the request asks for events."""
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


# What is no event of a documented type.


@pytest.mark.parametrize(
    "event",
    [
        {"type": "brand-new"},
        {"type": "brand-new", "id": "1", "delta": "x", "deep": {"er": [1, None, {"a": 0.5}]}},
        {"type": ""},
        {"type": "Text-Delta", "delta": "x"},
        {"type": "tool-", "additional_properties": 1, "type_": 2},
        *({"type": kind, "more": 1} for kind in BY_TYPE if kind != "abort"),
        {"type": "reasoning-delta", "id": "r"},
        {"type": "reasoning-delta", "delta": "r"},
        {"type": "tool-output-available", "output": 1},
        {"type": "data-weather", "id": "w"},
        {"type": "data-"},
    ],
)
def test_what_is_not_known_passes_through(play: Play, event: dict[str, Any]) -> None:
    """An unknown type, or a type of the public protocol that lacks a field, keeps every field."""
    outcome = play([frames(delta("a"), event, delta("b")), DONE])
    assert outcome.error is None
    assert [TextDeltaPayload, OtherPayload, TextDeltaPayload] == list(map(type, outcome.events))
    assert [delta("a"), event, delta("b")] == outcome.told
    assert "ab" == outcome.stream.text


def test_unknown_fields_of_known_events_are_kept(play: Play) -> None:
    """Whatever a newer service adds to an event survives the round trip."""
    events = [event | {"brandNew": {"a": [1]}} for event in ANSWER]
    outcome = play([frames(*events), DONE])
    assert CLASSES == list(map(type, outcome.events))
    assert events == outcome.told


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
def test_a_faulty_event_is_an_error(play: Play, event: Any) -> None:
    """A documented event with a missing or wrong field, and JSON that is no event at all."""
    outcome = play([frames(delta("Hi"), event, delta("never")), DONE])
    assert StreamDecodeError is type(outcome.error)
    data = frame(event).decode().removeprefix("data: ").strip()
    assert (f"sendMessage: the stream contains an invalid event: {data}") == str(outcome.error)
    assert ("Hi", False) == (outcome.stream.text, outcome.stream.done)
    assert [delta("Hi")] == outcome.told
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
def test_what_is_no_json_is_an_error(loads: Loads, data: str) -> None:
    """Whichever library reads it, and however deep or long it is."""
    assert loads is stream._loads
    outcome = play_sync([frames(delta("Hi"), data), DONE])
    assert StreamDecodeError is type(outcome.error)
    shown = data if len(data) <= 100 else data[:100] + "…"
    assert str(outcome.error).endswith(f"an invalid event: {shown}")
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
def test_odd_json_is_read_alike(loads: Loads, data: str) -> None:
    """The accelerator changes nothing: not a number, not half a surrogate pair."""
    assert loads is stream._loads
    outcome = play_sync([frames(data), DONE])
    assert outcome.error is None
    # As text: what is not a number does not equal itself, and 1 equals 1.0.
    assert [json.dumps(json.loads(data), sort_keys=True)] == [
        json.dumps(event, sort_keys=True) for event in outcome.told
    ]


def test_half_a_surrogate_pair_is_part_of_the_text(loads: Loads) -> None:
    """Words that were cut within a character are put together again, not refused."""
    assert loads is stream._loads
    outcome = play_sync([frames(delta("\ud83d"), delta("\udc4b")), DONE])
    assert outcome.error is None
    assert "\ud83d\udc4b" == outcome.stream.text


def test_a_faulty_event_is_shown_in_short_and_without_secrets(play: Play) -> None:
    """The error repeats what came, so it must not repeat a secret."""
    outcome = play([frame({"sessionToken": "abc", "padding": 200 * "x"}), DONE])
    words = str(outcome.error)
    assert '{"sessionToken": "[redacted]' in words
    assert "abc" not in words
    assert words.endswith("x…")
    assert len(words) < 250


@pytest.mark.parametrize(
    "event", [{"echo": f"you said {TOKEN}"}, {"type": "error", "errorText": f"no, {TOKEN}"}]
)
def test_errors_never_repeat_the_token(play: Play, event: dict[str, Any]) -> None:
    """A service that echoes the credential does not bring it into an exception."""
    outcome = play([frame(event), DONE])
    assert isinstance(outcome.error, StreamError)
    assert TOKEN not in str(outcome.error) + repr(outcome.error)


def test_events_without_data_are_left(play: Play) -> None:
    """Comments, other fields and empty data are no events of the protocol."""
    chunks = [PING, b"id: 1\n\nevent: x\n\nretry: 1\n\n", b"data\n\ndata:\n\n", frame(delta("Hi"))]
    outcome = play([*chunks, PING, DONE])
    assert ([delta("Hi")], None) == (outcome.told, outcome.error)


# The service reports a failure, or the stream breaks off.


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"errorText": "The model is asleep."}, "The model is asleep."),
        ({"errorText": ""}, "no reason given"),
        ({"errorText": None}, "no reason given"),
        ({"errorText": {"code": 5}}, "{'code': 5}"),
        (
            {"errorText": "Grüße, bearer abcdefghijklmnop", "more": 1},
            "Grüße, bearer [redacted]",
        ),
    ],
)
def test_a_reported_failure_is_an_error(play: Play, event: dict[str, Any], words: str) -> None:
    """With the service's words; what came before is kept, what comes later is not read."""
    failure = {"type": "error", **event}
    outcome = play([frames(delta("Hi"), failure, delta("never")), frame(delta("never")), DONE])
    assert StreamError is type(outcome.error)
    assert f"sendMessage: the answer failed: {words}" == str(outcome.error)
    assert "sendMessage" == getattr(outcome.error, "operation", None)
    assert ([delta("Hi")], "Hi") == (outcome.told, outcome.stream.text)
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
def test_a_stream_without_its_end_is_truncated(play: Play, chunks: list[bytes], text: str) -> None:
    """A connection that ends in good order is no end of an answer."""
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
def test_a_broken_connection_is_told(play: Play, broken: Exception, shown: str) -> None:
    """The answer is truncated, the message says why, and the cause is kept."""
    outcome = play([frame(delta("Hi")), broken])
    assert StreamTruncatedError is type(outcome.error)
    assert f"the stream ended without its terminal marker{shown}; " in str(outcome.error)
    assert outcome.error is not None
    cause = outcome.error.__cause__
    # A copy of it, which holds no request.
    assert type(broken) is type(cause)
    assert ("Hi", outcome.told) == (outcome.stream.text, [delta("Hi")])
    assert outcome.body.closed


def test_a_body_that_cannot_be_unpacked_is_truncated(play: Play) -> None:
    """Rubbish in place of gzip is a broken stream, and no exception of httpx."""
    packed = gzip.compress(frame(delta("Hi")) + 10 * PING)
    outcome = play(
        [packed[:-30], b"rubbish" * 10], headers=EVENT_STREAM | {"content-encoding": "gzip"}
    )
    assert StreamTruncatedError is type(outcome.error)


@pytest.mark.parametrize("idle", [30.0, None])
def test_a_transport_that_runs_out_of_time(play: Play, idle: float | None) -> None:
    """It is a timeout like any other, whether or not this client set one."""
    late = httpx.ReadTimeout("too late")
    outcome = play([frame(delta("Hi")), late], idle_timeout=idle)
    assert APITimeoutError is type(outcome.error)
    assert str(outcome.error).startswith("sendMessage: no event arrived")
    assert outcome.error is not None
    assert type(late) is type(outcome.error.__cause__)
    assert "Hi" == outcome.stream.text


def test_an_event_over_the_limit_is_an_error(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported under the operation's name, and the text before it is kept."""
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    outcome = play([frame(delta("Hi")), b"data: ", *(100 * b"x" for _ in range(20)), DONE])
    assert StreamDecodeError is type(outcome.error)
    assert "sendMessage: an event of the stream is larger than 1,000 bytes" == str(outcome.error)
    assert "Hi" == outcome.stream.text


# The end.


@pytest.mark.parametrize(
    "after",
    [
        [frame(delta("never"))],
        [b"data: rubbish\n\n"],
        [frame({"type": "error", "errorText": "never"})],
        [DONE],
        [httpx.ReadError("reset by peer")],
        [frame(delta("never")), httpx.RemoteProtocolError("cut off")],
    ],
)
def test_nothing_counts_after_the_end(play: Play, after: list[bytes | Exception]) -> None:
    """The answer is whole, whatever follows its terminal marker."""
    outcome = play([frame(delta("Hi")) + DONE, *after])
    assert (None, True) == (outcome.error, outcome.stream.done)
    assert ("Hi", [delta("Hi")]) == (outcome.stream.text, outcome.told)


def test_nothing_counts_after_the_end_in_the_same_chunk(play: Play) -> None:
    """Events, failures and rubbish behind the marker are not looked at."""
    outcome = play([frame(delta("Hi")) + DONE + frame(delta("never")) + b"data: rubbish\n\n"])
    assert (None, True, "Hi") == (outcome.error, outcome.stream.done, outcome.stream.text)
    assert [delta("Hi")] == outcome.told


def test_the_body_is_read_to_its_end(play: Play) -> None:
    """A connection whose answer was read to its end can be used again."""
    outcome = play([DONE, PING, PING])
    assert 3 == outcome.body.given
    assert outcome.body.closed


def test_a_body_that_does_not_end_is_left(clock: FakeClock) -> None:
    """After the marker, the connection gets a tenth of a second to end, not more."""

    def endless() -> Iterator[bytes]:
        yield DONE
        for _ in range(1000):
            clock.now += 0.03
            yield PING

    outcome = play_sync(endless())
    assert (None, True) == (outcome.error, outcome.stream.done)
    assert 5 == outcome.body.given
    assert outcome.body.closed


def test_an_awaited_body_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, whether the service goes on or says nothing."""
    monkeypatch.setattr(stream, "_DRAIN", 0.02)
    for wait in (0.001, None):
        body = Stalled([frame(delta("Hi")) + DONE, PING], wait or 0.001)
        outcome = play_async(body)
        assert (None, True) == (outcome.error, outcome.stream.done)
        assert body.closed


# Ways to read.


def opened_by(body: Body, form: StreamFormat | None = None) -> Stream[Any, Any, Any]:
    """Return a stream of its own, without a client."""
    response = httpx.Response(200, headers=EVENT_STREAM, stream=body)
    return Stream("op", form or FORM, None, lambda: response)


def sync_stream(*chunks: bytes | Exception) -> tuple[Stream[Any, Any, Any], Body]:
    """Return a stream of its own, and its body."""
    body = Body(chunks)
    return opened_by(body), body


def async_stream(*chunks: bytes | Exception) -> tuple[AsyncStream[Any, Any, Any], Body]:
    """Return an awaited stream of its own, and its body."""
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


def test_reading_goes_on_where_it_stopped() -> None:
    """A second loop, or `next`, takes up where a break left off, within a chunk or not."""
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


def test_awaited_reading_goes_on_where_it_stopped() -> None:
    """The same with `async for` and `anext`."""
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


def test_only_the_words() -> None:
    """`text_deltas` leaves out all other events, and can be broken off and taken up."""
    read, _ = sync_stream(*FOUR)
    with read:
        for words in read.text_deltas():
            assert "a" == words
            break
        assert ["b", "c"] == list(read.text_deltas())
    assert read.done


def test_only_the_awaited_words() -> None:
    """The same, awaited."""
    read, _ = async_stream(*FOUR)

    async def main() -> None:
        async with read:
            deltas = read.text_deltas()
            assert "a" == await anext(deltas)
            assert ["b", "c"] == [words async for words in read.text_deltas()]
            assert [] == [words async for words in deltas]

    awaited(main)
    assert read.done


def test_to_the_end_at_once() -> None:
    """`until_done` returns the stream itself, with everything in it; twice is no error."""
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


def test_a_stream_that_is_not_open_says_how_to_open_it() -> None:
    """However it is read, and nothing is sent; what it has is nothing yet."""
    read, body = sync_stream(*FOUR)
    message = "^op: a stream must be read inside a `with` block$"
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


def test_an_awaited_stream_that_is_not_open_says_how_to_open_it() -> None:
    """The same, with the words that fit."""
    read, body = async_stream(*FOUR)
    message = "^op: a stream must be read inside a `async with` block$"

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


def test_after_the_block_there_is_no_more() -> None:
    """What had arrived stays; half an answer is not taken for a whole one by reading on."""
    read, body = sync_stream(*FOUR)
    with read:
        next(read)
    for rest in (iter, lambda read: list(read.text_deltas())):
        with pytest.raises(SiteAssistError, match="inside a `with` block"):
            rest(read)
    assert ("a", False, 1) == (read.text, read.done, body.given)
    read.close()


def test_after_the_awaited_block_there_is_no_more() -> None:
    """The same, awaited."""
    read, body = async_stream(*FOUR)

    async def main() -> None:
        async with read:
            await anext(read)
        with pytest.raises(SiteAssistError, match="inside a `async with` block"):
            aiter(read)
        await read.aclose()

    awaited(main)
    assert ("a", False, 1) == (read.text, read.done, body.given)


def test_a_stream_is_not_opened_twice_over() -> None:
    """A second answer must not be mixed into the first; the message is not sent again unasked."""
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


def test_two_streams_share_nothing() -> None:
    """Reading one while another is open mixes nothing up."""
    first, _ = sync_stream(*FOUR)
    second, _ = sync_stream(frame(delta("other")), DONE)
    with first, second:
        next(first)
        second.until_done()
        first.until_done()
    assert ("abc", "other") == (first.text, second.text)


def test_after_an_error_there_is_no_more() -> None:
    """A stream that broke off stays broken off, and does not claim to be done."""
    read, _ = sync_stream(frame({"type": "error", "errorText": "no"}), frame(delta("never")), DONE)
    with read:
        with pytest.raises(StreamError):
            next(read)
        assert [] == list(read)
    assert ("", False) == (read.text, read.done)


# Leaving early.


def test_leaving_early_hangs_up_at_once() -> None:
    """The response is closed on the way out, and nothing more is read."""
    read, body = sync_stream(*FOUR)
    with read:
        next(read)
        assert not body.closed
    assert (True, 1) == (body.closed, body.given)


def test_an_error_in_the_block_hangs_up() -> None:
    """Whatever goes wrong in the program, the connection is closed, and the error is its own."""
    read, body = sync_stream(*FOUR)

    def work() -> None:
        with read:
            for _ in read:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert (True, 1) == (body.closed, body.given)


def test_close_hangs_up() -> None:
    """By hand, within the loop: it ends there, and again is no error."""
    read, body = sync_stream(*FOUR)
    with read:
        for _ in read:
            read.close()
        assert body.closed
        read.close()
    assert "a" == read.text


class Waiting(Body):
    """A body that gives nothing before it is closed."""

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
        """Let the reader go."""
        super().close()
        self.ended.set()


def test_another_thread_can_hang_up() -> None:
    """A button that stops the answer closes it while somebody waits for the next event."""
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


def test_another_task_can_hang_up() -> None:
    """The same, awaited."""
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


def test_leaving_an_awaited_stream_early_hangs_up_at_once() -> None:
    """The same, awaited: by leaving, by an error, by hand."""

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


def test_a_cancelled_task_hangs_up() -> None:
    """Cancelling whoever waits for the next event closes the connection."""
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


# Answers that are no stream.


def test_a_queued_message_has_no_answer(play: Play) -> None:
    """The stream is empty, and says in the service's words that a human agent will answer."""
    outcome = play([b"Message ", b"sent\xff"], status=202, headers={"content-type": "text/plain"})
    read = outcome.stream
    assert ([], None) == (outcome.events, outcome.error)
    assert isinstance(read.queued, QueuedNotice)
    assert "Message sent\ufffd" == read.queued.text
    assert (202, "", [], False) == (read.status_code, read.text, read.parts, read.done)
    assert repr(read).endswith(" sendMessage: queued>")
    assert outcome.body.closed


@pytest.mark.parametrize("chunks", [[], [b"Mess", httpx.ReadError("reset")]])
def test_a_queued_message_without_words(play: Play, chunks: Chunks) -> None:
    """The message is queued all the same, and the stream says so."""
    outcome = play(chunks, status=202, headers={})
    assert ([], None) == (outcome.events, outcome.error)
    assert "" == outcome.stream.queued
    assert repr(outcome.stream).endswith(" sendMessage: queued>")
    assert outcome.body.closed


def test_a_queued_message_whose_words_never_come() -> None:
    """Waiting for them has an end, though pieces keep coming."""
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
def test_what_is_no_stream_is_an_error(play: Play, status: int, found: str | None) -> None:
    """It is raised before anything is read, and says what came instead."""
    headers = {} if found is None else {"content-type": found}
    outcome = play([WHOLE], status=status, headers=headers)
    assert APIResponseError is type(outcome.error)
    shown = {None: "nothing", "bearer abcdefghijklmnop": "bearer [redacted]"}.get(found, found)
    assert f"sendMessage: expected text/event-stream, got {shown}" == str(outcome.error)
    assert ([], 0, True) == (outcome.events, outcome.body.given, outcome.body.closed)


def test_an_error_status_is_raised_before_the_first_event(play: Play) -> None:
    """The error is that of any other call, and there is nothing to read."""
    told = json.dumps({"error": {"message": "No such thing.", "code": "not_found"}}).encode()
    outcome = play([told], status=404, headers={"content-type": "application/json"})
    assert NotFoundError is type(outcome.error)
    assert "sendMessage: 404 Not Found: No such thing. (not_found)" == str(outcome.error)
    assert ([], True) == (outcome.events, outcome.body.closed)
    assert outcome.stream.status_code is None


def test_the_shown_form_tells_the_state(play: Play) -> None:
    """It names the operation, and never the words."""
    kind = "Stream" if play is play_sync else "AsyncStream"
    assert f"<{kind} sendMessage: done>" == repr(play([WHOLE]).stream)
    assert f"<{kind} sendMessage: not done>" == repr(play([frame(delta("Hi"))]).stream)


# Silence.


def after(clock: FakeClock, *steps: tuple[float, bytes]) -> Iterator[bytes]:
    """Give each chunk after so many seconds."""
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
def test_what_is_no_event_is_no_sign_of_life(play: Play, clock: FakeClock, silence: bytes) -> None:
    """A service that only keeps the connection alive is given up after the idle timeout."""
    chunks = after(clock, (0, frame(delta("Hi"))), *(100 * [(4, silence)]), (0, DONE))
    outcome = play(chunks, idle_timeout=10)
    assert APITimeoutError is type(outcome.error)
    assert "sendMessage: no event arrived for 10 s" == str(outcome.error)
    # 4, 8, 12: the third is too late.
    assert (4, "Hi") == (outcome.body.given, outcome.stream.text)
    assert outcome.body.closed


def test_the_first_event_has_to_come_in_time_too(play: Play, clock: FakeClock) -> None:
    """Silence counts from the moment at which reading begins."""
    outcome = play(after(clock, *(100 * [(4, PING)])), idle_timeout=10)
    assert APITimeoutError is type(outcome.error)
    assert 3 == outcome.body.given


def test_every_event_starts_the_time_anew(play: Play, clock: FakeClock) -> None:
    """A slow answer may take as long as it wants, and an unknown event is one, too."""
    steps = 30 * [(4, PING), (4, frame({"type": "brand-new"})), (9, frame(delta("a")))]
    outcome = play(after(clock, *steps, (9, DONE)), idle_timeout=10)
    assert (None, 30 * "a") == (outcome.error, outcome.stream.text)


def test_no_idle_timeout_is_no_limit(play: Play, clock: FakeClock) -> None:
    """None waits for ever, as it says."""
    outcome = play(after(clock, *(50 * [(1e6, PING)]), (1e6, WHOLE)), idle_timeout=None)
    check_whole(outcome)


def test_the_time_of_the_reader_does_not_count(clock: FakeClock) -> None:
    """Whoever thinks about an event for an hour finds the next one in time."""
    body = Body([frames(delta("a"), delta("b")), PING, frame(delta("c")), PING, DONE])
    with (
        SiteAssist(token=TOKEN, transport=answering(body, 200, EVENT_STREAM)) as client,
        client.send_message_stream("c", content="Hi", idle_timeout=1) as read,
    ):
        for _ in read:
            clock.now += 3600
    assert ("abc", True) == (read.text, read.done)


def test_the_time_of_the_awaiting_reader_does_not_count(clock: FakeClock) -> None:
    """The same, awaited."""
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
def test_an_awaited_stream_that_stalls_is_given_up(wait: float | None) -> None:
    """Neither a silent service nor one that drips comments keeps a task for ever."""
    body = Stalled([PING], wait)
    outcome = play_async(body, idle_timeout=0.05)
    assert APITimeoutError is type(outcome.error)
    assert "sendMessage: no event arrived for 0.05 s" == str(outcome.error)
    assert body.closed


# What it takes.


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
def test_a_stream_takes_the_memory_of_its_words(events: list[dict[str, Any]], rounds: int) -> None:
    """Thousands of events of all kinds leave nothing behind but the text."""
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
    # The words and some events at a time; all events, or their pieces of text, take millions.
    assert peak - before < 1_000_000


# The parts by themselves.


def test_the_table_finds_a_reader_for_every_type() -> None:
    """By name, by family, or the one for the rest; what is not known is not remembered."""
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


def test_the_accelerator_is_used_if_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And if not, the standard library does the same."""
    assert orjson.loads is stream._loads
    monkeypatch.setitem(sys.modules, "orjson", None)
    spec = importlib.util.find_spec(stream.__name__)
    assert spec is not None
    assert spec.loader is not None
    without = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(without)
    assert without._standard_loads is without._loads


def test_another_protocol_has_other_words() -> None:
    """The terminal marker, the type of a failure and its words are the format's."""
    form = FORM._replace(terminator="END", error_type="failed", error_text="why")
    chunks = [frame(delta("Hi")), DONE.replace(b"[DONE]", b"END")]
    with opened_by(Body(chunks), form) as read:
        assert "Hi" == read.until_done().text
    chunks = [frames({"type": "error"}, {"type": "failed", "why": "because"})]
    with opened_by(Body(chunks), form) as read:
        assert "error" == next(read).type_
        with pytest.raises(StreamError, match=r"^op: the answer failed: because$"):
            next(read)
