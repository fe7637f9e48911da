"""Listening to a conversation: keep-alive, reconnection, missed messages, limits and ends."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import logging.config
import pickle
import sys
import threading
from typing import Any

import httpcore
import httpx
import pytest

from siteassist import (
    AnswerTimeoutError,
    APIConnectionError,
    APIResponseError,
    APITimeoutError,
    CredentialsError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    SiteAssist,
    SiteAssistError,
    SocketHumanAssigned,
    SocketNewMessage,
    SocketOtherMessage,
    TooManyRequestsError,
    UnauthorizedError,
)
from siteassist_runtime.live import listening
from tests.description import WEBSOCKETS
from tests.runtime.helpers import CONVERSATION, FakeTime
from tests.runtime.live.conftest import Kind
from tests.runtime.live.service import (
    KEY,
    TOKEN,
    Awaitable,
    Service,
    Socket,
    message,
    message_id,
    pushed,
)

ASSIGNED = json.dumps({"type": "human_assigned", "chatId": CONVERSATION})
(OPERATION,) = WEBSOCKETS.values()
assert OPERATION.websocket is not None
TIMES = OPERATION.websocket


def error(status: int, **headers: str) -> httpx.Response:
    """Return an error of the service."""
    return httpx.Response(status, json={"error": {"message": "No."}}, headers=headers)


def told(event: Any) -> tuple[int, bool]:
    """Return the number of the message in an event, and whether it was caught up."""
    assert isinstance(event, SocketNewMessage)
    return int(str(event.message.id)[-12:]), event.caught_up


def test_events_are_typed(kind: Kind, clock: FakeTime) -> None:
    """Each type of event has its class; an unknown one arrives with all its fields."""
    other = json.dumps({"type": "typing", "by": "Sam"})
    service = Service(Socket(clock, ASSIGNED, pushed(1), other))
    events = kind.listen(service)
    assigned, new, unknown = (kind.next(events) for _ in range(3))
    assert isinstance(assigned, SocketHumanAssigned)
    assert isinstance(new, SocketNewMessage)
    assert "message 1" == new.message.text
    assert isinstance(unknown, SocketOtherMessage)
    assert "Sam" == unknown["by"]
    assert not any(event.caught_up for event in (assigned, new, unknown))
    kind.close(events)


def test_handshake_has_the_key_and_the_list_has_the_token(kind: Kind, clock: FakeTime) -> None:
    """The key travels in the query of the handshake only, and the token nowhere in it."""
    service = Service(Socket(clock, pushed(1)))
    events = kind.listen(service, extra_headers={"X-Team": "blue"}, extra_query={"trace": "1"})
    kind.next(events)
    (handshake,) = service.of("/ws")
    assert {"apiKey": KEY, "trace": "1"} == dict(handshake.url.params)
    assert "authorization" not in handshake.headers
    for request in service.of("/messages"):
        assert f"Bearer {TOKEN}" == request.headers["authorization"]
        assert "1" == request.url.params["trace"]
        assert "human_agent" == request.url.params["role"]
    assert {"blue"} == {request.headers["x-team"] for request in service.requests}
    kind.close(events)


def test_old_messages_are_not_delivered(kind: Kind, clock: FakeTime) -> None:
    """Listening begins with the next message, also in a conversation of several pages."""
    service = Service(Socket(clock, pushed(251)))
    service.messages = [message(number) for number in range(1, 251)]
    events = kind.listen(service)
    assert (251, False) == told(kind.next(events))
    kind.close(events)


def test_message_between_the_first_list_and_the_connection_arrives(
    kind: Kind, clock: FakeTime
) -> None:
    """What is said while the first connection is opened is caught up."""
    socket = Socket(clock, pushed(3))
    service = Service(error(503), socket)
    service.messages = [message(1)]
    clock.sleep = lambda seconds: service.messages.append(message(2))  # type: ignore[method-assign]
    events = kind.listen(service)
    assert [(2, True), (3, False)] == [told(kind.next(events)) for _ in range(2)]
    kind.close(events)


def test_listening_after_a_known_message(kind: Kind, clock: FakeTime) -> None:
    """With ``after`` the messages behind the known one come first, in order."""
    service = Service(Socket(clock, pushed(4)))
    service.messages = [message(number) for number in (1, 2, 3)]
    events = kind.listen(service, after=message_id(1))
    expected = [(2, True), (3, True), (4, False)]
    assert expected == [told(kind.next(events)) for _ in range(3)]
    kind.close(events)


def test_unknown_message_to_listen_after_is_an_error(kind: Kind, clock: FakeTime) -> None:
    """A message that the conversation does not have is named."""
    events = kind.listen(Service(Socket(clock)), after=message_id(7))
    with pytest.raises(SiteAssistError, match=f"no message {message_id(7)}"):
        kind.next(events)


@pytest.mark.parametrize(
    "end",
    [b"", httpcore.ReadError("reset"), b"\x88\x02\x03\xe9", b"\x88\x02\x03\xf4", b"\xff\xff"],
    ids=["end", "reset", "going away", "restart", "no frame"],
)
def test_missed_messages_are_caught_up_once(kind: Kind, clock: FakeTime, end: Any) -> None:
    """What was said between two connections comes once, in order, before what is new."""
    second = Socket(clock, pushed(3), pushed(4))
    service = Service(second)

    def leave() -> None:
        service.messages += [message(2), message(3)]

    first = Socket(clock, pushed(1), leave, end)
    service.handshakes = [first, second]
    events = kind.listen(service)
    # The list has the first message as well.
    first.items.appendleft(lambda: service.messages.append(message(1)))
    expected = [(1, False), (2, True), (3, True), (4, False)]
    assert expected == [told(kind.next(events)) for _ in expected]
    assert [TIMES.first_delay] == [wait for wait in clock.slept if wait]
    kind.close(events)


def test_pages_of_missed_messages(kind: Kind, clock: FakeTime) -> None:
    """Many missed messages arrive in order, over several requests."""
    service = Service(Socket(clock, pushed(1), b""), Socket(clock, pushed(302)))
    events = kind.listen(service)
    assert (1, False) == told(kind.next(events))
    service.messages = [message(number) for number in range(1, 302)]
    expected = [*((number, True) for number in range(2, 302)), (302, False)]
    assert expected == [told(kind.next(events)) for _ in expected]
    kind.close(events)


def test_service_without_offsets_does_not_hang(kind: Kind, clock: FakeTime) -> None:
    """A service that returns the same full page for each offset is listened to nevertheless."""
    page = [message(number) for number in range(1, 101)]
    service = Service(Socket(clock, pushed(101)))
    service.lists.extend(
        httpx.Response(200, json={"object": "list", "data": page}) for _ in range(4)
    )
    events = kind.listen(service)
    for _ in page:
        assert told(kind.next(events))[1]
    assert (101, False) == told(kind.next(events))
    kind.close(events)


def test_doubled_message_is_delivered_once(kind: Kind, clock: FakeTime) -> None:
    """A message that the service sends twice comes once."""
    service = Service(Socket(clock, pushed(1), pushed(1), pushed(2), pushed(1), ASSIGNED))
    events = kind.listen(service)
    assert [1, 2] == [told(kind.next(events))[0] for _ in range(2)]
    assert isinstance(kind.next(events), SocketHumanAssigned)
    kind.close(events)


def test_memory_is_bounded(kind: Kind, clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long connection remembers few identifiers, and still doubles nothing afterwards."""
    monkeypatch.setattr(listening, "_REMEMBERED", 20)
    monkeypatch.setattr(listening, "_UNLISTED", 10)
    service = Service(Socket(clock))
    first = Socket(clock)
    for number in range(1, 101):
        first.push(lambda number=number: service.messages.append(message(number)))
        first.push(pushed(number))
    first.push(b"")
    service.handshakes = [first, Socket(clock, pushed(101))]
    events = kind.listen(service)
    expected = [(number, False) for number in range(1, 102)]
    assert expected == [told(kind.next(events)) for _ in expected]
    assert len(events._listening._delivered) <= 20
    kind.close(events)


@pytest.mark.parametrize(
    "garbage",
    ["no JSON", "[]", "{}", '{"type": 1}', '{"type": "new_message"}', "5", b"\x82\x01x"],
)
def test_unreadable_message_loses_nothing(kind: Kind, clock: FakeTime, garbage: Any) -> None:
    """What cannot be read may have been a message, so the list is read; the connection stays."""
    service = Service(Socket(clock))
    socket = Socket(clock, lambda: service.messages.append(message(1)), garbage, pushed(2))
    service.handshakes = [socket]
    events = kind.listen(service)
    assert [(1, True), (2, False)] == [told(kind.next(events)) for _ in range(2)]
    assert 1 == len(service.of("/ws"))
    kind.close(events)


def test_text_in_fragments_is_one_message(kind: Kind, clock: FakeTime) -> None:
    """A text may come in frames, with a ping of the protocol between them, and byte by byte."""
    text = ASSIGNED.encode()
    data = b"\x01\x05" + text[:5] + b"\x89\x00" + b"\x80" + bytes([len(text) - 5]) + text[5:]
    service = Service(Socket(clock, *(bytes([byte]) for byte in data)))
    events = kind.listen(service)
    assert isinstance(kind.next(events), SocketHumanAssigned)
    kind.close(events)


def test_invalid_text_ends_the_connection(kind: Kind, clock: FakeTime) -> None:
    """A text that is not UTF-8 breaks the connection, not the listener."""
    service = Service(Socket(clock, b"\x81\x01\xff"), Socket(clock, pushed(1)))
    events = kind.listen(service)
    assert (1, False) == told(kind.next(events))
    assert 2 == len(service.of("/ws"))
    kind.close(events)


def test_three_idle_minutes(kind: Kind, clock: FakeTime) -> None:
    """A silent connection is kept alive by pings in the described interval."""
    socket = Socket(clock)
    service = Service(socket)
    start = clock.now
    events = kind.listen(service, timeout=180)
    with pytest.raises(APITimeoutError, match="within 180 s"):
        kind.next(events)
    assert 1 == len(service.of("/ws"))
    assert 180 == clock.now - start
    assert [TIMES.ping] * int(179 // TIMES.ping_interval) == socket.received


def test_dead_connection_is_replaced(kind: Kind, clock: FakeTime) -> None:
    """Without a sign of life for the described time, the client connects again."""
    service = Service(Socket(clock, answers=False), Socket(clock, pushed(1)))
    start = clock.now
    events = kind.listen(service)
    assert (1, False) == told(kind.next(events))
    assert TIMES.idle_limit + TIMES.first_delay == clock.now - start
    kind.close(events)


def test_slow_program_does_not_kill_the_connection(kind: Kind, clock: FakeTime) -> None:
    """The time that the program takes for an event does not count as silence or as idle."""
    service = Service(Socket(clock, pushed(1), pushed(2)))
    events = kind.listen(service, idle_timeout=50)
    kind.next(events)
    clock.now += 1000
    assert (2, False) == told(kind.next(events))
    assert 1 == len(service.of("/ws"))
    kind.close(events)


def test_slow_list_does_not_kill_the_connection(kind: Kind, clock: FakeTime) -> None:
    """The time in which the missed messages are read does not count as silence."""

    class Slow(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if not request.url.path.endswith("/ws"):
                clock.now += 2 * TIMES.idle_limit
            return super().__call__(request)

    service = Slow(Socket(clock, pushed(1)), httpx.Response(403))
    events = kind.listen(service)
    assert (1, False) == told(kind.next(events))
    kind.close(events)


def test_unexpected_error_is_raised_again(
    kind: Kind, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is none of the library's does not become a silent end either."""

    def fails(*_: object) -> None:
        raise KeyError("fault")

    monkeypatch.setattr(listening.Listening, "_take", fails)
    events = kind.listen(Service(Socket(clock, pushed(1))))
    for _ in range(2):
        with pytest.raises(KeyError, match="fault"):
            kind.next(events)


def test_delays_double_up_to_the_longest(kind: Kind, clock: FakeTime) -> None:
    """The waits before the attempts double, and begin anew after a sign of life."""
    refused = httpx.ConnectError("refused")
    service = Service(*[refused] * 7, Socket(clock, pushed(1), b""), Socket(clock, pushed(2)))
    events = kind.listen(service)
    kind.next(events)
    expected = []
    delay = TIMES.first_delay
    for _ in range(7):
        expected.append(min(delay, TIMES.longest_delay))
        delay *= 2
    assert expected == clock.slept
    assert (2, False) == told(kind.next(events))
    assert [*expected, TIMES.first_delay] == clock.slept
    kind.close(events)


def test_stated_wait_is_kept(kind: Kind, clock: FakeTime) -> None:
    """A refusal that states a wait is repeated after it, or raised if it is too long."""
    busy = error(429, **{"Retry-After": "7"})
    service = Service(busy, error(503), Socket(clock, pushed(1)))
    events = kind.listen(service)
    kind.next(events)
    assert [7, 2 * TIMES.first_delay] == clock.slept
    kind.close(events)
    events = kind.listen(Service(error(429, **{"Retry-After": "3600"})))
    with pytest.raises(TooManyRequestsError) as caught:
        kind.next(events)
    assert 3600 == caught.value.retry_after


@pytest.mark.parametrize(
    ("status", "cls"), [(401, UnauthorizedError), (403, ForbiddenError), (404, NotFoundError)]
)
def test_refused_handshake_is_its_error(
    kind: Kind, clock: FakeTime, status: int, cls: type[Exception]
) -> None:
    """A handshake that would be refused again raises, and so does reading on."""
    events = kind.listen(Service(error(status)))
    for _ in range(2):
        with pytest.raises(cls, match="connectConversation"):
            kind.next(events)
    assert KEY not in repr(events)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status_code": 200, "text": "hi"}, "expected 101"),
        ({"status_code": 101, "extensions": {"network_stream": Socket}}, "handshake is invalid"),
    ],
    ids=["200", "no accept"],
)
def test_invalid_handshake_is_an_error(
    kind: Kind, clock: FakeTime, answer: dict[str, Any], words: str
) -> None:
    """A success that opens no WebSocket does not match the description."""
    with pytest.raises(APIResponseError, match=words):
        kind.next(kind.listen(Service(httpx.Response(**answer))))


def test_transport_without_connections_is_named(kind: Kind, clock: FakeTime) -> None:
    """A transport that has no connection to read from cannot be listened with."""
    with pytest.raises(SiteAssistError, match="the transport cannot open a WebSocket"):
        kind.next(kind.listen(Service(httpx.Response(101))))


def test_error_of_the_list_is_raised_or_repeated(kind: Kind, clock: FakeTime) -> None:
    """A list that cannot be read at first is an error; later it is read again, or raised."""
    service = Service(Socket(clock))
    service.lists.extend([error(500)] * 3)
    with pytest.raises(InternalServerError):
        kind.next(kind.listen(service))
    service = Service(Socket(clock, pushed(1)), Socket(clock, pushed(2)))
    service.lists.append(httpx.Response(200, json={"object": "list", "data": []}))
    service.lists.extend([error(500)] * 3)
    events = kind.listen(service)
    # The connection without its list is of no use.
    assert (2, False) == told(kind.next(events))
    service.lists.append(error(404))
    service.handshakes[0].push(b"")  # type: ignore[union-attr]
    service.handshakes.append(Socket(clock))
    with pytest.raises(NotFoundError):
        kind.next(events)


def test_limits_are_kept(kind: Kind, clock: FakeTime) -> None:
    """``idle_timeout`` bounds the wait for an event; it also ends attempts to connect."""
    service = Service(Socket(clock, pushed(1)))
    events = kind.listen(service, idle_timeout=100)
    kind.next(events)
    start = clock.now
    with pytest.raises(APITimeoutError, match="no event within 100 s"):
        kind.next(events)
    assert 100 == clock.now - start
    events = kind.listen(Service(httpx.ConnectError("refused")), timeout=100)
    start = clock.now
    with pytest.raises(APITimeoutError, match="within 100 s"):
        kind.next(events)
    assert 100 == clock.now - start


@pytest.mark.parametrize("name", ["timeout", "idle_timeout"])
def test_invalid_limit_is_an_error(kind: Kind, name: str) -> None:
    """A limit that is not a positive number is refused at once."""
    with pytest.raises(SiteAssistError, match=f"{name} must be more than 0"):
        kind.listen(Service(), **{name: 0})


def test_no_limit_at_all(kind: Kind, clock: FakeTime) -> None:
    """Without limits, calls keep those of the client."""
    service = Service(Socket(clock, pushed(1)))
    client = kind.client(service, timeout=None)
    events = client.listen(CONVERSATION)
    kind.next(events)
    (handshake,) = service.of("/ws")
    assert handshake.extensions["timeout"]["read"] is None
    kind.close(client)
    with pytest.raises(kind.ended):
        kind.next(events)


def test_closed_listener_ends(kind: Kind, clock: FakeTime) -> None:
    """Closing says goodbye to the service and ends the iteration; it can be repeated."""
    socket = Socket(clock, pushed(1))
    events = kind.listen(Service(socket))
    kind.next(events)
    kind.close(events)
    kind.close(events)
    assert socket.closed
    assert "closed" in repr(events)
    with pytest.raises(kind.ended):
        kind.next(events)


def test_closed_client_ends_its_listeners(kind: Kind, clock: FakeTime) -> None:
    """Closing the client ends the listeners of the clients that were derived from it, too."""
    socket = Socket(clock, pushed(1))
    client = kind.client(Service(socket))
    events = client.with_options(timeout=5).listen(CONVERSATION)
    kind.next(events)
    kind.close(client)
    assert socket.closed
    with pytest.raises(kind.ended):
        kind.next(events)
    with pytest.raises(SiteAssistError, match="the client is closed"):
        client.listen(CONVERSATION)


def test_client_that_is_closed_during_a_call_ends_its_listeners(
    kind: Kind, clock: FakeTime
) -> None:
    """Another thread may close the client between the handshake and the missed messages."""
    socket = Socket(clock, pushed(1))
    service = Service(socket)
    client = kind.client(service)
    upgrade = service._upgrade

    def closing(request: httpx.Request) -> httpx.Response:
        client._caller._closed = True
        return upgrade(request)

    service._upgrade = closing  # type: ignore[method-assign]
    events = client.listen(CONVERSATION)
    for _ in range(2):
        with pytest.raises(kind.ended):
            kind.next(events)
    assert socket.closed


def test_dropped_listener_closes_its_connection(kind: Kind, clock: FakeTime) -> None:
    """A listener that nobody refers to any more leaves no connection."""
    closed: list[bool] = []

    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            return iter(())

        async def __aiter__(self) -> Any:
            return
            yield

        def close(self) -> None:
            closed.append(True)

        async def aclose(self) -> None:
            closed.append(True)

    service = Service(Socket(clock, pushed(1)))
    upgrade = service._upgrade

    def with_stream(request: httpx.Request) -> httpx.Response:
        found = upgrade(request)
        return httpx.Response(
            101, headers=found.headers, extensions=found.extensions, stream=Stream()
        )

    service._upgrade = with_stream  # type: ignore[method-assign]
    events = kind.listen(service)
    kind.next(events)
    del events
    gc.collect()
    kind.run(asyncio.sleep(0) if kind.awaited else None)
    assert [True] == closed


def test_listener_is_a_context_manager(clock: FakeTime) -> None:
    """Leaving the block closes the connection, for both kinds."""
    socket = Socket(clock, pushed(1))
    with Service(socket).client(awaited=False).listen(CONVERSATION) as events:
        for event in events:
            assert (1, False) == told(event)
            break
    assert socket.closed
    socket = Socket(clock, pushed(1))

    async def main() -> None:
        client = Service(socket).client(awaited=True)
        async with client.listen(CONVERSATION) as events:
            async for event in events:
                assert (1, False) == told(event)
                break

    asyncio.run(main())
    assert socket.closed


def test_close_from_another_thread() -> None:
    """A thread that closes the listener ends the wait of another one."""
    waiting = threading.Event()

    class Waiting(Socket):
        def read(self, size: int, timeout: float | None = None) -> bytes:
            waiting.set()
            assert closing.wait(10)
            return b""

    closing = threading.Event()
    events = Service(Waiting(FakeTime())).client(awaited=False).listen(CONVERSATION)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.extend(events))
    thread.start()
    assert waiting.wait(10)
    with pytest.raises(SiteAssistError, match="one reader at a time"):
        next(events)
    events.close()
    closing.set()
    thread.join(10)
    assert not thread.is_alive()
    assert [] == results


def test_close_during_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing ends the wait before the next attempt, for both kinds."""
    monkeypatch.setattr("siteassist_runtime.retry.backoff", lambda *_: 3600.0)
    events: Any = None

    def refuse(request: httpx.Request) -> httpx.Response:
        events._closing.set()
        events._closed = True
        raise httpx.ConnectError("refused")

    service = Service()
    service._upgrade = refuse  # type: ignore[method-assign]
    events = service.client(awaited=False).listen(CONVERSATION)
    assert [] == list(events)
    events = service.client(awaited=True).listen(CONVERSATION)

    async def main() -> list[object]:
        return [event async for event in events]

    assert [] == asyncio.run(main())


def test_cancelled_wait_loses_nothing() -> None:
    """After a cancelled wait, the next one continues where it was."""

    async def main() -> None:
        socket = Socket(FakeTime())
        service = Service(socket)
        client = service.client(awaited=True)
        waiting, proceed = asyncio.Event(), asyncio.Event()

        class Slow(Awaitable):
            async def read(self, size: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # that of httpcore
                waiting.set()
                await proceed.wait()
                return await super().read(size, timeout)

        service.stream = Slow
        async with client.listen(CONVERSATION) as events:
            task = asyncio.ensure_future(anext(events))
            await waiting.wait()
            with pytest.raises(SiteAssistError, match="one reader at a time"):
                await anext(events)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            socket.push(pushed(1))
            proceed.set()
            assert (1, False) == told(await anext(events))

    asyncio.run(main())


def test_one_key_is_needed(kind: Kind) -> None:
    """Without a publishable key there is no handshake."""
    client = kind.client(Service(), api_key=None)
    with pytest.raises(CredentialsError, match="api_key is needed"):
        client.listen(CONVERSATION)
    kind.close(client)


def test_missing_library_is_named(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without websockets, one sentence names the extra."""
    monkeypatch.setitem(sys.modules, "websockets.client", None)
    with pytest.raises(SiteAssistError) as caught:
        kind.listen(Service())
    expected = "connectConversation: listen() needs `pip install 'siteassist[live]'`"
    assert expected == str(caught.value)


def test_listener_is_not_pickled(kind: Kind) -> None:
    """A listener has a connection."""
    events = kind.listen(Service())
    assert "open" in repr(events)
    with pytest.raises(TypeError, match="a listener cannot be pickled"):
        pickle.dumps(events)


def test_logs_have_no_secret(kind: Kind, clock: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    """No log of any library shows the key, the token, or an echo of them."""
    # As uvicorn does, which enables the loggers that there are.
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"type": "echo", "apiKey": KEY, "token": f"Bearer {TOKEN}"})
    service = Service(Socket(clock, echo, "no JSON", b""), Socket(clock, pushed(1)))
    events = kind.listen(service)
    for _ in range(2):
        kind.next(events)
    kind.close(events)
    assert "connectConversation: retry in" in caplog.text
    assert KEY not in caplog.text
    assert TOKEN not in caplog.text


# Asking


def test_answer_of_the_assistant(kind: Kind) -> None:
    """If no human agent handles the conversation, the answer is the assistant's."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert {"content": "Hi", "stream": False} == json.loads(request.content)
        usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
        content = [{"type": "text", "text": "Hello."}]
        step = {"content": content, "finishReason": "stop", "usage": usage}
        return httpx.Response(200, json={"steps": [step]})

    service = Service()
    service.__class__ = type("Answering", (Service,), {"__call__": lambda _, sent: answer(sent)})
    assert "Hello." == kind.ask(service, "Hi").text


@pytest.fixture(params=[True, False], ids=["live", "polling"])
def live(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Ask with and without the library for WebSockets."""
    if not request.param:
        monkeypatch.setitem(sys.modules, "websockets.client", None)
    return bool(request.param)


def later(clock: FakeTime, service: Service, number: int, after: float) -> None:
    """Let an agent answer after some seconds of the clock."""
    start, sleep = clock.now, clock.sleep

    def check(seconds: float) -> None:
        sleep(seconds)
        if clock.now - start >= after and message_id(number) not in {
            one["id"] for one in service.messages
        }:
            service.messages.append(message(number))
            socket = service.handshakes[0] if service.handshakes else None
            if isinstance(socket, Socket):
                socket.push(pushed(number))

    clock.sleep = check  # type: ignore[method-assign]


def test_reply_of_an_agent(kind: Kind, clock: FakeTime, live: bool) -> None:
    """The reply is the agent's first message after the sent one, and no earlier one."""
    service = Service(Socket(clock))
    service.messages = [message(1, "user", "Hi"), message(2)]
    later(clock, service, 9, 5)
    found = kind.ask(service, "Hi")
    assert (message_id(9), "message 9") == (str(found.id), found.text)
    assert live == bool(service.of("/ws"))
    if not live:
        assert [2.0, 2.0, 2.0] == clock.slept


def test_reply_that_is_there_already(kind: Kind, clock: FakeTime, live: bool) -> None:
    """A reply that came before the messages were read is found among them."""
    service = Service(Socket(clock))
    reading = service.__call__

    class Quick(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = reading(request)
            if request.method == "POST":
                service.messages += [message(8), message(9)]
            return answer

    service.__class__ = Quick
    assert message_id(8) == str(kind.ask(service, "Hi").id)
    assert not service.of("/ws")


def test_no_reply_in_time(kind: Kind, clock: FakeTime, live: bool) -> None:
    """The error carries the id of the message that was sent, and can be pickled."""
    service = Service(Socket(clock))
    service.messages = [message(1), message(2, "user", "Hi")]
    start = clock.now
    with pytest.raises(AnswerTimeoutError, match="no agent answered within 30 s") as caught:
        kind.ask(service, "Hello", wait=30)
    assert message_id(3) == str(caught.value.message_id)
    assert 30 == clock.now - start
    copy = pickle.loads(pickle.dumps(caught.value))
    assert caught.value.message_id == copy.message_id


def test_changed_content_is_found(kind: Kind, clock: FakeTime, live: bool) -> None:
    """If no message has the content, the last one of a visitor counts."""
    service = Service(Socket(clock))
    with pytest.raises(AnswerTimeoutError) as caught:
        kind.ask(service, "Hello", wait=30)
    assert message_id(1) == str(caught.value.message_id)
    service.messages.clear()
    reading = service.__call__

    class Changing(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = reading(request)
            if request.method == "POST":
                service.messages[-1]["parts"][0]["text"] = "Changed"
            return answer

    service.__class__ = Changing
    with pytest.raises(AnswerTimeoutError) as caught:
        kind.ask(service, "Hello", wait=30)
    assert message_id(1) == str(caught.value.message_id)


def test_message_that_is_not_listed(kind: Kind, clock: FakeTime, live: bool) -> None:
    """If the service does not list the message, the next one of an agent counts."""
    service = Service(Socket(clock))
    service.messages = [message(1)]
    reading = service.__call__

    class Hiding(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = reading(request)
            if request.method == "POST":
                service.messages.pop()
            return answer

    service.__class__ = Hiding
    later(clock, service, 9, 3)
    assert message_id(9) == str(kind.ask(service, "Hello").id)


@pytest.mark.parametrize("status", [200, 404, 403])
def test_service_without_a_socket_is_polled(kind: Kind, clock: FakeTime, status: int) -> None:
    """If the handshake is refused, the messages are read again and again."""
    service = Service(error(status))
    later(clock, service, 9, 3)
    assert message_id(9) == str(kind.ask(service, "Hello", wait=None).id)
    assert 1 == len(service.of("/ws"))


@pytest.mark.parametrize(
    "failure", [429, 500, 502, 503, httpx.ConnectError("no"), httpx.ReadError("broken")], ids=str
)
def test_messages_are_polled_while_there_is_no_socket(
    kind: Kind, clock: FakeTime, failure: int | Exception
) -> None:
    """A reply arrives within two seconds, however often the socket cannot be opened."""
    service = Service(error(failure) if isinstance(failure, int) else failure)
    start = clock.now
    later(clock, service, 9, 20)
    assert message_id(9) == str(kind.ask(service, "Hello", wait=60).id)
    assert 20 <= clock.now - start <= 22
    assert len(service.of("/ws")) > 1


def test_socket_that_opens_later_is_used(kind: Kind, clock: FakeTime) -> None:
    """A handshake that was refused first is repeated, and the reply comes by the socket."""
    service = Service(error(503), error(503), Socket(clock, pushed(9)))
    assert message_id(9) == str(kind.ask(service, "Hello", wait=60).id)
    assert 3 == len(service.of("/ws"))


@pytest.mark.parametrize("status", [404, 503])
def test_reply_at_the_last_moment_is_found(kind: Kind, clock: FakeTime, status: int) -> None:
    """The messages are read once more when the time is up."""
    service = Service(error(status))
    start = clock.now
    later(clock, service, 9, 29.5)
    assert message_id(9) == str(kind.ask(service, "Hello", wait=29.5).id)
    assert 29.5 == clock.now - start


def test_listening_without_a_socket_reads_at_its_end(kind: Kind, clock: FakeTime) -> None:
    """What was said while no connection could be opened comes before the time is up."""
    service = Service(error(503))
    later(clock, service, 9, 30)
    events = kind.listen(service, timeout=30)
    assert (9, True) == told(kind.next(events))
    with pytest.raises(APITimeoutError, match="listening ended within 30 s"):
        kind.next(events)
    lists = len(service.of("/messages"))
    # The attempts keep their times: reading is for the first position and for the end.
    assert 2 == lists
    kind.close(events)


def test_client_without_a_key_polls(kind: Kind, clock: FakeTime) -> None:
    """Without a publishable key there is no handshake."""
    service = Service(error(500))
    later(clock, service, 9, 3)
    client = kind.client(service, api_key=None)
    assert message_id(9) == str(kind.run(client.ask(CONVERSATION, "Hello")).id)
    assert not service.of("/ws")


def test_polling_outlasts_errors_that_may_pass(
    kind: Kind, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that may pass do not end the wait; others do, since they would come again."""
    monkeypatch.setitem(sys.modules, "websockets.client", None)
    service = Service()
    service.lists.extend([error(500)] * 3)
    later(clock, service, 9, 3)
    assert message_id(9) == str(kind.ask(service, "Hello").id)
    service = Service()
    service.lists.append(error(403))
    with pytest.raises(ForbiddenError):
        kind.ask(service, "Hello")


def test_closed_client_ends_the_wait(kind: Kind, clock: FakeTime) -> None:
    """A client that is closed while it waits for a reply says so."""
    service = Service()
    client = kind.client(service)

    def close() -> None:
        client._caller._closed = True
        for events in client._caller._take_listeners():
            events._closed = True

    service.handshakes = [Socket(clock, close, b"")]
    with pytest.raises(SiteAssistError, match="the client is closed"):
        kind.run(client.ask(CONVERSATION, "Hello"))


def test_invalid_wait_sends_nothing(kind: Kind) -> None:
    """A wait that is not a positive number is refused before the message is sent."""
    service = Service()
    with pytest.raises(SiteAssistError, match="wait must be more than 0"):
        kind.ask(service, "Hello", wait=0)
    assert [] == service.requests


def test_broken_connection_is_an_api_connection_error() -> None:
    """Programs that catch connection errors catch the end of `ask` as well."""
    assert issubclass(AnswerTimeoutError, APITimeoutError)
    assert issubclass(APITimeoutError, APIConnectionError)
    assert SiteAssist.listen.__doc__
