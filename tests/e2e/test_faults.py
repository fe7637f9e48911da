"""Whatever a server does, each call ends in time, as documented, and leaves nothing behind.

`Way.run` looks after every scenario whether a connection is still in use, open
after the client was closed, or collected without having been closed.
"""

from __future__ import annotations

import gzip
import itertools
import json
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from siteassist import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    BadGatewayError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    PaymentRequiredError,
    ServiceUnavailableError,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
    TooManyRequestsError,
    UnauthorizedError,
    UnprocessableEntityError,
)
from tests.values import API_KEY

if TYPE_CHECKING:
    from tests.e2e.conftest import Connection, FaultServer, Step, Waits, Way

SHORT = 0.2
"""Seconds that a call gets where the server does not answer."""
IDLE = 0.2
"""Seconds that a stream may be silent where the server falls silent."""
CONVERSATION_ID = "7c0e3f5a-1b2d-4c6e-8f90-a1b2c3d4e5f6"
MESSAGES = f"/conversations/{CONVERSATION_ID}/messages"
STAMP = "2024-01-10T09:00:00.000Z"
VISITOR = {"id": CONVERSATION_ID, "type": "anonymous", "externalId": None}
CONVERSATION: dict[str, Any] = {
    "object": "conversation",
    "id": CONVERSATION_ID,
    "createdAt": STAMP,
    "updatedAt": STAMP,
    "status": "open",
    "closedAt": None,
    "closeReason": None,
    "lastInteractionAt": STAMP,
    "title": None,
    "messages": [],
}
COMPLETION = {
    "steps": [
        {
            "content": [{"type": "text", "text": "Hello"}],
            "finishReason": "stop",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        }
    ]
}

Script = Sequence["Step"]
Make = Callable[[Any], Any]


def http(
    status: int = 200,
    body: object = b"",
    content_type: str | None = "application/json",
    **headers: Any,
) -> bytes:
    """Return a whole answer; what is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if content_type is not None:
        headers["content_type"] = content_type
    headers.setdefault("content_length", len(data))
    lines = [f"HTTP/1.1 {status} Said so"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + data


def error(status: int, *, details: dict[str, Any] | None = None, **headers: Any) -> bytes:
    """Return an answer with the documented error body."""
    body: dict[str, Any] = {"message": "The words of the server", "code": "ITS_CODE"}
    if details is not None:
        body["details"] = details
    return http(status, {"error": body}, **headers)


def head(content_type: str = "text/event-stream", status: int = 200) -> bytes:
    """Return the head of an answer in chunks."""
    lines = [f"HTTP/1.1 {status} Said so", f"Content-Type: {content_type}"]
    return "\r\n".join((*lines, "Transfer-Encoding: chunked", "", "")).encode()


def chunk(data: bytes) -> bytes:
    """Return one chunk of an answer."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(payload: object) -> bytes:
    """Return one event of a stream, in a chunk of its own."""
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return chunk(f"data: {data}\n\n".encode())


def hold(connection: Connection) -> None:
    """Say nothing more."""
    connection.hold()


def close(connection: Connection) -> None:
    """Hang up in order."""
    connection.close()


def reset(connection: Connection) -> None:
    """Hang up without a word."""
    connection.reset()


def pause(connection: Connection) -> None:
    """Wait for the test."""
    connection.wait()


def drip(pieces: Callable[[], Iterator[bytes]]) -> Callable[[Connection], None]:
    """Return a step that goes on for ever in small pieces."""
    return lambda connection: connection.drip(pieces())


def for_ever(piece: bytes) -> Callable[[Connection], None]:
    """Return a step that repeats a piece for ever."""
    return drip(lambda: itertools.repeat(piece))


LAST_CHUNK = b"0\r\n\r\n"
DONE = event("[DONE]") + LAST_CHUNK
WORDS = (
    head()
    + event({"type": "start"})
    + event({"type": "start-step"})
    + event({"type": "text-start", "id": "1"})
    + event({"type": "text-delta", "id": "1", "delta": "Hello"})
)
WHOLE = (
    WORDS
    + event({"type": "text-delta", "id": "1", "delta": " there"})
    + event({"type": "text-end", "id": "1"})
    + event({"type": "finish-step", "usage": {"inputTokens": 3, "outputTokens": 2}})
    + event({"type": "finish"})
    + DONE
)
HEAD_OF_10 = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"

BROKEN: dict[str, Script] = {
    "closed before answering": [close],
    "reset before answering": [reset],
    "closed in the headers": [b"HTTP/1.1 200 OK\r\nContent-Ty", close],
    "reset in the headers": [b"HTTP/1.1 200 OK\r\nContent-Ty", reset],
    "closed in the body": [HEAD_OF_10, b'{"id"', close],
    "reset in the body": [HEAD_OF_10, b'{"id"', reset],
    "closed before the last chunk": [head("application/json"), chunk(b"{}"), close],
    "closed in a chunk": [head("application/json"), b'10\r\n{"id"', close],
    "closed after the head of an error": [
        http(500, content_length=100),
        close,
    ],
    "another protocol": [b"\x16\x03\x01\x02\x00\x01", close],
    "garbage": [b"\x00\xff garbage \r\n\r\n", hold],
    "a status that is no number": [b"HTTP/1.1 abc OK\r\n\r\n", hold],
    "a status below all": [b"HTTP/1.1 099 OK\r\n\r\n", hold],
    "an upgrade that nobody asked for": [b"HTTP/1.1 101 OK\r\nUpgrade: x\r\n\r\n", hold],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", hold],
    "a length below zero": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", hold],
    "a chunk of no length": [head("application/json"), b"zz\r\n", hold],
    "a header without end": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, hold],
}
"""Answers that are no HTTP, or not all of it."""

SLOW: dict[str, Script] = {
    "silence": [hold],
    "silence in the headers": [b"HTTP/1.1 200 OK\r\nContent-Ty", hold],
    "silence in the body": [HEAD_OF_10, b'{"id"', hold],
    "silence before the last chunk": [head("application/json"), chunk(b"{}"), hold],
    "silence in the body of an error": [http(500, content_length=100), b"{", hold],
    "headers in drops": [b"HTTP/1.1 200 OK\r\nX: ", for_ever(b"a")],
    "a body in drops": [http(content_length=10**9), for_ever(b" ")],
    "chunks in drops": [head("application/json"), for_ever(chunk(b" "))],
    "the body of an error in drops": [http(404, content_length=10**9), for_ever(b" ")],
    "nothing but announcements": [for_ever(b"HTTP/1.1 103 Early Hints\r\n\r\n")],
}
"""Answers that never come to an end."""

STRANGE: dict[str, Script] = {
    "no JSON": [http(200, b"nonsense")],
    "half of the JSON": [http(200, b'{"id": "')],
    "a web page": [http(200, b"<html>Welcome to the network</html>", "text/html")],
    "nothing": [http(200)],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "null": [http(200, None)],
    "a number": [http(200, 5)],
    "a list": [http(200, [])],
    "a text": [http(200, "id")],
    "an empty object": [http(200, {})],
    "fields of other types": [http(200, {"id": 5, "type": [], "steps": 5})],
    "a list of other things": [http(200, {"id": [], "steps": [5]})],
    "no UTF-8": [http(200, b'{"id": "\xff"}')],
    "JSON that is too deep": [http(200, b"[" * 100_000)],
    "no gzip": [http(200, b"no gzip", content_encoding="gzip")],
    "half of the gzip": [http(200, gzip.compress(b'{"id"' * 99)[:30], content_encoding="gzip")],
    "a charset that is none": [http(200, b"\xe9", "application/json; charset=none")],
    "a charset that refuses": [http(200, b"\xe9", "application/json; charset=undefined")],
    "a charset of bytes": [http(200, b"\xe9", "application/json; charset=hex")],
    "a header beyond ASCII": [http(200, b"", x_request_id="ré")],
    "an undocumented success": [http(299, {})],
}
"""Successes with an answer that nobody was promised."""

FAULTS: dict[str, tuple[Script, type[SiteAssistError]]] = {
    **{name: (script, APIConnectionError) for name, script in BROKEN.items()},
    **{name: (script, APITimeoutError) for name, script in SLOW.items()},
    **{name: (script, APIResponseError) for name, script in STRANGE.items()},
}

STATUSES: dict[int, type[APIStatusError]] = {
    300: APIStatusError,
    302: APIStatusError,
    304: APIStatusError,
    400: BadRequestError,
    401: UnauthorizedError,
    402: PaymentRequiredError,
    403: ForbiddenError,
    404: NotFoundError,
    408: APIStatusError,
    409: ConflictError,
    418: APIStatusError,
    422: UnprocessableEntityError,
    429: TooManyRequestsError,
    499: APIStatusError,
    500: InternalServerError,
    501: APIStatusError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: APIStatusError,
    599: APIStatusError,
    600: APIStatusError,
    777: APIStatusError,
    999: APIStatusError,
}

BODIES: dict[str, bytes] = {
    "nothing": http(500),
    "no type": http(500, b"{}", None),
    "no JSON": http(500, b"upstream failed", "text/plain"),
    "a web page": http(500, b"<h1>Oops</h1>", "text/html; charset=utf-8"),
    "a list": http(500, [1, 2]),
    "a text for an error": http(500, {"error": "failed"}),
    "no message": http(500, {"error": {"code": None, "details": 7}}),
    "other types": http(500, {"error": {"message": 5, "code": [], "details": {"retryAfter": []}}}),
    "JSON that is too deep": http(500, b"[" * 100_000),
    "numbers without end": http(500, b'{"error": {"details": {"retryAfter": 1' + b"0" * 5000),
    "no UTF-8": http(500, b"\xff\xfe\x00\xd8", "text/plain; charset=utf-8"),
    "a charset that is none": http(500, b"\xe9", "text/plain; charset=none"),
    "a charset that refuses": http(500, b"\xe9", "text/plain; charset=undefined"),
    "a charset of bytes": http(500, b"\xe9", "text/plain; charset=hex"),
    "a charset that starts otherwise": http(500, b"{}", "application/json; charset=utf-16"),
    "a header beyond ASCII": error(500, x_request_id="ré"),
    "no gzip": http(500, b"no gzip", content_encoding="gzip"),
    "a date without end": error(500, retry_after=f"Wed, {'9' * 30} Oct 2015 07:28:00 GMT"),
    "a zone without end": error(500, retry_after=f"Wed, 21 Oct 2015 07:28:00 +{'9' * 30}"),
}
"""Answers that say 500, and with it anything."""


async def get(client: Any, **named: Any) -> Any:
    """Ask for something."""
    return await client.get_me(**named)


async def send(client: Any, **named: Any) -> Any:
    """Send a message."""
    return await client.send_message(CONVERSATION_ID, content="Hi", **named)


async def start(client: Any, **named: Any) -> Any:
    """Start a conversation."""
    return await client.start_conversation(**named)


async def stream(client: Any, **named: Any) -> Any:
    """Send a message, and read the answer as it comes."""
    async with client.send_message_stream(CONVERSATION_ID, content="Hi", **named) as answer:
        return await answer.until_done()


Call = Callable[..., Any]
POSTS: tuple[Call, ...] = (send, start, stream)
CALLS: tuple[Call, ...] = (get, *POSTS)
GOOD: dict[Call, bytes] = {
    get: http(200, VISITOR),
    send: http(200, COMPLETION),
    start: http(201, CONVERSATION),
    stream: WHOLE,
}
"""What each call wants to hear."""
OPERATIONS = {get: "getMe", send: "sendMessage", start: "startConversation", stream: "sendMessage"}


async def fails(call: Call, client: Any, expected: type[SiteAssistError]) -> Any:
    """Make a call that fails as expected, with an error that travels; return the error."""
    with pytest.raises(SiteAssistError) as caught:
        await call(client)
    failed = caught.value
    assert (expected, OPERATIONS[call]) == (type(failed), failed.operation), failed
    check_travels(failed)
    return failed


def check_travels(failed: SiteAssistError) -> None:
    """Fail if an error cannot be pickled, or tells a secret."""
    copy = pickle.loads(pickle.dumps(failed))
    assert (type(failed), str(failed)) == (type(copy), str(copy))
    shown = f"{failed} {failed!r} {vars(failed)}"
    for secret in (API_KEY, "token-of-a-visitor", "half-of-a-token"):
        assert secret not in shown


async def meet(client: Any, server: FaultServer, *scripts: Script) -> None:
    """Let the client connect in peace; then let the server go wrong.

    A call that fails by a short limit must still have had the time to connect,
    on the slowest of machines.
    """
    server.answer([error(404)])
    with pytest.raises(NotFoundError):
        await client.get_project(api_key=API_KEY, timeout=60)
    server.requests.clear()
    server.answer(*scripts)


def check_asked(server: FaultServer, times: int, *, late: bool = False) -> None:
    """Fail unless the server was asked so often; if time was short, perhaps not at all."""
    asked = len(server.requests)
    assert times == asked or (late and asked < times)


def failing(call: Call, expected: type[SiteAssistError]) -> Callable[[Any], Any]:
    """Return a scenario that makes one call, and returns its error."""
    return lambda client: fails(call, client, expected)


def calling(*calls: Call) -> Callable[[Any], Any]:
    """Return a scenario that makes calls, one after the other."""

    async def scenario(client: Any) -> None:
        for call in calls:
            await call(client)

    return scenario


@pytest.mark.parametrize("fault", FAULTS)
def test_asking_ends_as_documented(way: Way, server: FaultServer, fault: str) -> None:
    """A GET to a server that breaks off, is silent, or answers nonsense."""
    script, expected = FAULTS[fault]

    async def scenario(client: Any) -> None:
        await meet(client, server, script)
        await fails(get, client, expected)

    # Where there is no time left, nothing is tried again anyway.
    settings = {"timeout": SHORT} if fault in SLOW else {"max_retries": 0}
    way.run(scenario, server, **settings)
    check_asked(server, 1, late=fault in SLOW)


@pytest.mark.parametrize("fault", [*BROKEN, *list(SLOW)[:4], "a body in drops", *STRANGE])
def test_nothing_is_delivered_twice(
    way: Way, server: FaultServer, waits: Waits, fault: str
) -> None:
    """A POST is made once, whatever becomes of its answer, and ends as documented."""
    script, expected = FAULTS[fault]
    # Each silence takes its time; all POSTs go the same way.
    calls = (send,) if fault in SLOW else (send, start)

    async def scenario(client: Any) -> None:
        await meet(client, server, script)
        for call in calls:
            await fails(call, client, expected)

    way.run(scenario, server, timeout=SHORT if fault in SLOW else 60)
    check_asked(server, len(calls), late=fault in SLOW)
    assert [] == waits.seconds


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_its_class(way: Way, server: FaultServer, status: int) -> None:
    """Documented or not, a status is raised with the server's words, and nothing is followed."""
    expected: tuple[Any, ...] = (status, "Said so", "request-1")
    expected += ("The words of the server", "ITS_CODE")
    server.answer([error(status, location="/v2/elsewhere", x_request_id="request-1")])
    if status == HTTPStatus.NOT_MODIFIED:
        # It has no body, by definition.
        expected = (*expected[:3], "the service gave no reason", None)
        server.answer([b"HTTP/1.1 304 Said so\r\nX-Request-Id: request-1\r\n\r\n"])

    async def scenario(client: Any) -> None:
        for call in CALLS:
            e = await fails(call, client, STATUSES[status])
            assert expected == (e.status_code, e.reason, e.request_id, e.message, e.code)

    way.run(scenario, server, max_retries=0)
    assert len(CALLS) == len(server.requests)


@pytest.mark.parametrize("body", BODIES)
def test_an_error_stays_one_whatever_comes_with_it(
    way: Way, server: FaultServer, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    """The status decides on the class, even if nothing else of the answer can be used.

    It can be logged as well, without the token.
    """
    caplog.set_level("DEBUG", logger="siteassist")
    server.answer([BODIES[body]])

    async def scenario(client: Any) -> None:
        for call in CALLS:
            await fails(call, client, InternalServerError)

    way.run(scenario, server, max_retries=0)
    assert len(CALLS) == len(server.requests)
    assert "500 Said so" in caplog.text
    assert "token-of-a-visitor" not in caplog.text


def test_a_long_error_is_kept_and_shown_in_short(way: Way, server: FaultServer) -> None:
    """The message stays readable; the text is all there."""
    text = "far too much " * 100_000
    server.answer([http(502, text.encode(), "text/plain")])
    failed = way.run(failing(send, BadGatewayError), server)
    assert text == failed.text
    assert len(str(failed)) < 500


def test_the_text_of_an_error_is_read_as_its_charset_says(way: Way, server: FaultServer) -> None:
    """In the error and in the answer that it carries."""
    server.answer([http(500, "tschüß".encode("latin-1"), "text/plain; charset=latin-1")])
    failed = way.run(failing(send, InternalServerError), server)
    assert ("tschüß", "tschüß") == (failed.text, failed.response.text)


@pytest.mark.parametrize(
    "script",
    [
        [http(200, VISITOR)],
        [http(299, VISITOR)],
        [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\n\r\n", http(200, VISITOR)],
        [b"HTTP/1.0 200 OK\r\n\r\n", json.dumps(VISITOR).encode(), close],
        [head("application/json"), chunk(json.dumps(VISITOR).encode()), LAST_CHUNK],
        [http(200, gzip.compress(json.dumps(VISITOR).encode()), content_encoding="gzip")],
        [http(200, VISITOR, connection="close"), close],
        [http(200, VISITOR, x_request_id="ré", set_cookie="\xff=\xff; expires=never")],
    ],
    ids=[
        "plain",
        "undocumented status",
        "announced",
        "up to the end",
        "chunks",
        "gzip",
        "closed",
        "odd headers",
    ],
)
def test_unusual_answers_are_understood(way: Way, server: FaultServer, script: Script) -> None:
    """What HTTP allows is no fault; the client can be used again at once."""
    server.answer(script)

    async def scenario(client: Any) -> list[str]:
        return [str((await get(client)).id) for _ in range(3)]

    assert [CONVERSATION_ID] * 3 == way.run(scenario, server, max_retries=0)


def test_a_connection_that_the_server_gave_up_is_not_used_again(
    way: Way, server: FaultServer
) -> None:
    """A message that follows a pause gets a connection of its own, and arrives."""
    server.answer([GOOD[get], close], [GOOD[send]])

    async def scenario(client: Any) -> None:
        await get(client)
        await client.wait(server, lambda: server.left == 1)
        await send(client)

    way.run(scenario, server)
    assert [1, 2] == [request.connection for request in server.requests]


def test_the_limit_is_on_the_sending_too(way: Way, make_server: Callable[..., FaultServer]) -> None:
    """A server that takes a long message in small sips does not stretch the call."""
    server = make_server(slow=True)
    server.answer([GOOD[send]])
    content = "x" * 32_000_000

    async def scenario(client: Any) -> None:
        with pytest.raises(APITimeoutError):
            await client.send_message(CONVERSATION_ID, content=content)

    way.run(scenario, server, timeout=SHORT)
    # At some twenty megabytes a second there was no time for more than a small part.
    assert server.received < len(content) / 2


def test_a_server_that_accepts_nobody_is_too_late(way: Way) -> None:
    """A connection that does not open counts against the limit of the call."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            # They fill the queue: the next one is left without an answer.
            sock.settimeout(0)
            sock.connect_ex(address)
        failed = way.run(
            failing(get, APITimeoutError),
            base_url=f"http://127.0.0.1:{address[1]}",
            token="token-of-a-visitor",
            timeout=SHORT,
        )
        for sock in waiting:
            sock.close()
    assert APITimeoutError is type(failed)


def test_a_refused_connection_is_tried_again(
    way: Way, make_server: Callable[..., FaultServer], waits: Waits
) -> None:
    """The server cannot have acted on what it never got; then it is there, and gets it once."""
    for call in CALLS:
        server = make_server(listening=False)
        server.answer([GOOD[call]])
        waits.seconds.clear()

        async def listen(server: FaultServer = server) -> None:
            if len(waits.seconds) == 2:
                server.listen()

        waits.meanwhile = listen
        way.run(calling(call), server)
        assert (2, 1) == (len(waits.seconds), len(server.requests))


def test_nobody_at_home(way: Way, make_server: Callable[..., FaultServer], waits: Waits) -> None:
    """After the last attempt the error says whom the client cannot reach."""
    server = make_server(listening=False)

    async def scenario(client: Any) -> None:
        for call in CALLS:
            waits.seconds.clear()
            failed = await fails(call, client, APIConnectionError)
            assert server.url in str(failed)
            assert 3 == len(waits.seconds)
            for attempt, seconds in enumerate(waits.seconds):
                assert 0.25 * 2**attempt <= seconds <= 0.5 * 2**attempt

    way.run(scenario, server, max_retries=3)


@pytest.mark.parametrize("host", ["a..b", "a" * 64], ids=["an empty label", "a long label"])
def test_a_host_that_cannot_be_one(way: Way, host: str) -> None:
    """It is known by nobody, and the error is one of the documented ones."""

    async def scenario(client: Any) -> None:
        with pytest.raises(SiteAssistError):
            await get(client)

    way.run(scenario, base_url=f"http://{host}/v2", token="token-of-a-visitor", max_retries=0)


REPEATED: dict[str, Script] = {
    **{str(status): [error(status)] for status in (408, 429, 500, 501, 502, 503, 504, 599)},
    **{name: script for name, script in BROKEN.items() if name.startswith(("closed", "reset"))},
}


@pytest.mark.parametrize("fault", REPEATED)
def test_asking_is_repeated(way: Way, server: FaultServer, waits: Waits, fault: str) -> None:
    """A GET that failed twice in passing is answered in the end."""
    server.answer(REPEATED[fault], REPEATED[fault], [GOOD[get]])
    way.run(calling(get), server)
    assert 3 == len(server.requests)
    assert 2 == len(waits.seconds)


@pytest.mark.parametrize("status", [300, 302, 304, 400, 401, 402, 403, 404, 409, 418, 422])
def test_asking_is_not_repeated_in_vain(
    way: Way, server: FaultServer, waits: Waits, status: int
) -> None:
    """A GET that is wrong stays wrong."""
    server.answer([error(status) if status != 304 else b"HTTP/1.1 304 No\r\n\r\n"])
    way.run(failing(get, STATUSES[status]), server)
    assert 1 == len(server.requests)
    assert [] == waits.seconds


@pytest.mark.parametrize(
    "answer",
    [
        error(429),
        error(429, retry_after=1),
        error(429, retry_after="soon"),
        error(503, retry_after=1),
        error(503, retry_after=0),
        error(503, details={"retryAfter": 1}),
    ],
    ids=["429", "429, wait", "429, nonsense", "503, wait", "503, no wait at all", "503, details"],
)
def test_what_was_not_taken_is_sent_again(
    way: Way, server: FaultServer, waits: Waits, answer: bytes
) -> None:
    """The service says that it did not act on a POST: it gets the same once more."""
    server.answer(*(script for post in POSTS for script in ([answer], [answer], [GOOD[post]])))
    way.run(calling(*POSTS), server)
    sent = [(request.path, request.body) for request in server.requests]
    assert [one for one in sent[::3] for _ in range(3)] == sent
    assert 3 == len(set(sent))
    assert 2 * 3 == len(waits.seconds)


@pytest.mark.parametrize(
    "answer",
    [
        *(error(status) for status in (408, 500, 502, 503, 504, 599, 777)),
        error(500, retry_after=1),
        error(503, retry_after="soon"),
        error(503, retry_after=-1),
        error(503, details={"retryAfter": None}),
    ],
    ids=[
        *("408", "500", "502", "503", "504", "599", "777"),
        *("500, wait", "503, nonsense", "503, below zero", "503, null"),
    ],
)
def test_what_may_have_been_taken_is_not_sent_again(
    way: Way, server: FaultServer, waits: Waits, answer: bytes
) -> None:
    """An error that leaves open whether the service acted on a POST is raised at once."""
    server.answer([answer])

    async def scenario(client: Any) -> None:
        for post in POSTS:
            with pytest.raises(APIStatusError):
                await post(client)

    way.run(scenario, server)
    assert len(POSTS) == len(server.requests)
    assert [] == waits.seconds


def date(seconds: float) -> str:
    """Return the moment so many seconds from now, as HTTP writes it."""
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [
        (error(429, retry_after=7), 7, 7.05),
        (error(429, retry_after="7.5"), 7.5, 7.55),
        (error(429, details={"retryAfter": 7}), 7, 7.05),
        (error(429, details={"retryAfter": "7"}), 7, 7.05),
        (error(429, retry_after=7, details={"retryAfter": 9}), 9, 9.05),
        (error(429, retry_after=9, details={"retryAfter": 7}), 9, 9.05),
        (error(503, retry_after=7, details={"retryAfter": -9}), 7, 7.05),
        (error(503, retry_after="nan", details={"retryAfter": 7}), 7, 7.05),
        (error(429, retry_after=date(-60)), 0, 0.05),
        (error(429), 0.25, 0.5),
        (error(429, retry_after=-5), 0.25, 0.5),
        (error(429, retry_after="1e999"), 0.25, 0.5),
        (error(429, details={"retryAfter": True}), 0.25, 0.5),
    ],
    ids=[
        *("seconds", "a fraction", "details", "details as text", "both", "both, otherwise"),
        *("one below zero", "one is no number", "a date gone by", "neither"),
        *("below zero", "infinite", "a boolean"),
    ],
)
def test_the_stated_wait_is_kept(
    way: Way, server: FaultServer, waits: Waits, answer: bytes, least: float, most: float
) -> None:
    """The client waits as long as it is told, a little more at most, or backs off by itself."""
    server.answer([answer], [GOOD[get]], [answer], [GOOD[stream]])
    way.run(calling(get, stream), server)
    assert 2 == len(waits.seconds)
    for seconds in waits.seconds:
        assert least <= seconds <= most


def test_a_stated_date_is_kept(way: Way, server: FaultServer, waits: Waits) -> None:
    """The wait is what lies between now and then."""
    server.answer([error(503, retry_after=date(1000))], [GOOD[send]])
    way.run(calling(send), server, timeout=None, max_retry_wait=2000)
    (seconds,) = waits.seconds
    assert 900 < seconds <= 1000.1


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (error(429, retry_after=61), {}),
        (error(429, retry_after=8), {"max_retry_wait": 7}),
        (error(503, details={"retryAfter": 10**300}), {"timeout": None}),
        (error(429, retry_after=date(10**9)), {"timeout": None}),
        (error(429, retry_after=9), {"timeout": 8}),
    ],
    ids=["a minute", "the client's own limit", "ages", "a date far off", "the time of the call"],
)
def test_nobody_waits_too_long(
    way: Way, server: FaultServer, waits: Waits, answer: bytes, settings: dict[str, Any]
) -> None:
    """A wait over the limit, or one that the call has no time for, is left to the caller."""
    server.answer([answer])

    async def scenario(client: Any) -> None:
        for call in CALLS:
            with pytest.raises(APIStatusError) as caught:
                await call(client)
            assert (caught.value.retry_after or 0) > 7

    way.run(scenario, server, **settings)
    assert len(CALLS) == len(server.requests)
    assert [] == waits.seconds


def test_a_wait_without_limit_is_accepted(way: Way, server: FaultServer, waits: Waits) -> None:
    """As with the other limits in seconds, infinity means none."""
    server.answer([error(429, retry_after=100)], [GOOD[send]])
    way.run(calling(send), server, timeout=None, max_retry_wait=float("inf"))
    assert 1 == len(waits.seconds)


@pytest.mark.parametrize(
    ("settings", "named", "expected"),
    [
        ({}, {}, 2),
        ({"max_retries": 4}, {}, 4),
        ({"max_retries": 4}, {"max_retries": 1}, 1),
        ({}, {"max_retries": 0}, 0),
    ],
    ids=["default", "client", "call", "none"],
)
def test_attempts_are_counted(
    way: Way,
    server: FaultServer,
    waits: Waits,
    settings: dict[str, Any],
    named: dict[str, Any],
    expected: int,
) -> None:
    """The client's own number, or that of the call; then the last error is raised."""
    server.answer([error(429)])

    async def scenario(client: Any) -> None:
        for call in CALLS:
            with pytest.raises(TooManyRequestsError):
                await call(client, **named)

    way.run(scenario, server, **settings)
    calls = len(CALLS)
    assert (calls * expected, calls * (expected + 1)) == (len(waits.seconds), len(server.requests))


def test_a_client_that_was_closed_while_it_waited_does_not_connect_again(
    way: Way, server: FaultServer, waits: Waits
) -> None:
    """The retry finds the client closed, says so, and opens nothing that nobody would close."""
    server.answer([error(429)])

    async def scenario(client: Any) -> None:
        waits.meanwhile = client.close
        with pytest.raises(SiteAssistError, match="the client is closed"):
            await get(client)
        assert [] == client.pools()

    way.run(scenario, server)
    assert 1 == len(server.requests)


@pytest.mark.parametrize(
    "total", ["many", {}, [], 1e999], ids=["text", "object", "list", "infinite"]
)
def test_a_list_with_a_total_that_is_no_number_is_an_error(
    way: Way, server: FaultServer, total: object
) -> None:
    """It is one of the documented ones, also where only the iteration looks at the total."""
    page = {"object": "list", "data": [], "total": total, "limit": 10, "offset": 0}
    server.answer([http(200, page)])

    async def scenario(client: Any) -> None:
        with pytest.raises(SiteAssistError):
            await anext(aiter(client.get_conversations()))

    way.run(scenario, server)


# Streams


async def read(client: Any, *, seen: Callable[[Any], object] = lambda _: None) -> tuple[Any, Any]:
    """Read a stream to its end; return it and what it raised."""
    async with client.send_message_stream(CONVERSATION_ID, content="Hi") as answer:
        try:
            async for one in answer:
                seen(one)
        except SiteAssistError as failed:
            return answer, failed
    return answer, None


def test_a_whole_stream_leaves_its_connection_for_the_next(way: Way, server: FaultServer) -> None:
    """Words and counts add up, and one connection serves all of it."""
    server.answer([WHOLE])

    async def scenario(client: Any) -> list[Any]:
        return [(await read(client))[0] for _ in range(3)]

    for answer in way.run(scenario, server):
        assert ("Hello there", True, None) == (answer.text, answer.done, answer.queued)
        assert 3 == answer.usage.input_tokens
    assert [1, 1, 1] == [request.connection for request in server.requests]
    assert {"content": "Hi", "stream": True} == server.requests[0].json
    assert "text/event-stream" == server.requests[0].headers["accept"]


BROKEN_STREAMS: dict[str, tuple[Script, type[SiteAssistError]]] = {
    "ended without its marker": ([LAST_CHUNK], StreamTruncatedError),
    "ended in an event": ([chunk(b"data: [DO"), LAST_CHUNK], StreamTruncatedError),
    "ended without a blank line": ([chunk(b"data: [DONE]\n"), LAST_CHUNK], StreamTruncatedError),
    "closed": ([close], StreamTruncatedError),
    "closed in a chunk": ([b"20\r\ndata: {", close], StreamTruncatedError),
    "reset": ([pause, reset], StreamTruncatedError),
    "a chunk of no length": ([b"zz\r\n", hold], StreamTruncatedError),
    "silent": ([hold], APITimeoutError),
    "silent in an event": ([chunk(b"data: {"), hold], APITimeoutError),
    "nothing but comments": ([for_ever(chunk(b": still here\n\n"))], APITimeoutError),
    "nothing but lines": ([for_ever(chunk(b"\n"))], APITimeoutError),
    "nothing but other fields": ([for_ever(chunk(b"event: ping\nid: 1\n\n"))], APITimeoutError),
    "nothing but empty data": ([for_ever(chunk(b"data:\n\n"))], APITimeoutError),
    "one event in drops": (
        [b"ffffff\r\ndata: ", for_ever(b"x")],
        APITimeoutError,
    ),
    "an error event": ([event({"type": "error", "errorText": "no more"}), hold], StreamError),
    "an error event without words": ([event({"type": "error"}), hold], StreamError),
    "no JSON": ([event("nonsense"), hold], StreamDecodeError),
    "a list": ([event([]), hold], StreamDecodeError),
    "a number": ([event(5), hold], StreamDecodeError),
    "no type": ([event({"id": "1"}), hold], StreamDecodeError),
    "a type that is no text": ([event({"type": {}}), hold], StreamDecodeError),
    "words that are no text": (
        [event({"type": "text-delta", "id": "1", "delta": 5}), hold],
        StreamDecodeError,
    ),
    "JSON that is too deep": ([event("[" * 100_000), hold], StreamDecodeError),
}
"""How an answer breaks off after its first words."""


@pytest.mark.parametrize("fault", BROKEN_STREAMS)
def test_a_stream_that_breaks_off_keeps_what_has_arrived(
    way: Way, server: FaultServer, fault: str
) -> None:
    """It raises as documented, is asked for once, and has the words so far."""
    script, expected = BROKEN_STREAMS[fault]
    server.answer([WORDS, *script])

    def seen(one: Any) -> None:
        if one.type_ == "text-delta":
            server.go.set()

    async def scenario(client: Any) -> Any:
        return await read(client, seen=seen)

    late = expected is APITimeoutError
    answer, failed = way.run(scenario, server, idle_timeout=IDLE if late else 60)
    assert expected is type(failed)
    assert "sendMessage" == failed.operation
    assert ("Hello", False) == (answer.text, answer.done)
    assert ["Hello"] == [part.text for part in answer.parts]
    assert 1 == len(server.requests)
    assert str(failed) == str(pickle.loads(pickle.dumps(failed)))


@pytest.mark.parametrize(
    "script",
    [
        [LAST_CHUNK],
        [hold],
        [for_ever(chunk(b": still here\n\n"))],
        [for_ever(event({"type": "start"}))],
        [close],
        [reset],
        [b"zz\r\n", hold],
    ],
    ids=["end", "silence", "comments", "events", "close", "reset", "garbage"],
)
def test_what_follows_the_marker_does_not_matter(
    way: Way, server: FaultServer, script: Script
) -> None:
    """The answer is complete; the client neither waits nor fails, and can go on."""
    server.answer([WHOLE.removesuffix(LAST_CHUNK), *script], [WHOLE])

    async def scenario(client: Any) -> list[Any]:
        return [await read(client), await read(client)]

    for answer, failed in way.run(scenario, server, idle_timeout=None):
        assert (None, "Hello there", True) == (failed, answer.text, answer.done)


@pytest.mark.parametrize("gone", ["left", "failed", "closed"])
def test_leaving_a_stream_hangs_up(way: Way, server: FaultServer, gone: str) -> None:
    """At once, while the client is still open: the server notices, and nothing stays behind."""
    server.answer([WORDS, hold])

    async def leave(answer: Any) -> None:
        async with answer:
            async for one in answer:
                if one.type_ == "text-delta":
                    break
            if gone == "failed":
                raise LookupError
            if gone == "closed":
                await answer.aclose()
                await answer.aclose()

    async def scenario(client: Any) -> str:
        answer = client.send_message_stream(CONVERSATION_ID, content="Hi")
        with suppress(LookupError):
            await leave(answer)
        await client.wait(server, lambda: server.ended == 1)
        await client.check_idle(server)
        return str(answer.text)

    assert "Hello" == way.run(scenario, server, timeout=None, idle_timeout=None)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([http(200, COMPLETION)], APIResponseError),
        ([http(200, b"<html></html>", "text/html"), hold], APIResponseError),
        ([http(200, b"data: [DONE]\n\n", None)], APIResponseError),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], APIResponseError),
        ([head("text/plain"), for_ever(chunk(b"data: {}\n\n"))], APIResponseError),
        ([http(200, b"no gzip", "text/event-stream", content_encoding="gzip")], StreamDecodeError),
        ([http(200, b"", "text/event-stream")], StreamTruncatedError),
        ([hold], APITimeoutError),
        ([b"HTTP/1.1 200 OK\r\nX: ", for_ever(b"a")], APITimeoutError),
        ([http(500, content_length=10**9), for_ever(b" ")], APITimeoutError),
        ([close], APIConnectionError),
        ([reset], APIConnectionError),
        ([b"garbage\r\n\r\n", hold], APIConnectionError),
    ],
    ids=[
        *("JSON", "a web page", "no type", "no content", "plain text without end", "no gzip"),
        *("nothing", "silence", "headers in drops", "an error in drops", "closed", "reset"),
        "garbage",
    ],
)
def test_an_answer_that_is_no_stream_is_an_error(
    way: Way, server: FaultServer, script: Script, expected: type[SiteAssistError]
) -> None:
    """Before the first event, and without asking twice."""

    async def scenario(client: Any) -> None:
        await meet(client, server, script)
        await fails(stream, client, expected)

    late = expected is APITimeoutError
    way.run(scenario, server, timeout=SHORT if late else 60, idle_timeout=None)
    check_asked(server, 1, late=late)


@pytest.mark.parametrize("charset", ["utf-8", "none", "undefined", "hex"])
def test_a_queued_message_has_an_empty_stream(way: Way, server: FaultServer, charset: str) -> None:
    """A human agent will answer: there is nothing to read, and nothing wrong."""
    server.answer([http(202, b"Message sent", f"text/plain; charset={charset}")])

    async def scenario(client: Any) -> Any:
        return await read(client), await send(client)

    (answer, failed), notice = way.run(scenario, server)
    assert (None, "Message sent", "", False) == (failed, answer.queued, answer.text, answer.done)
    assert ("Message sent", True) == (notice.text, notice.queued)


BROKEN_NOTICES: dict[str, tuple[Script, type[SiteAssistError]]] = {
    "closed": ([http(202, b"Mess", "text/plain", content_length=12), close], APIConnectionError),
    "reset": ([http(202, b"Mess", "text/plain", content_length=12), reset], APIConnectionError),
    "silence": ([http(202, b"Mess", "text/plain", content_length=12), hold], APITimeoutError),
    "drops": ([http(202, content_length=10**9), for_ever(b"x")], APITimeoutError),
}
"""How the few words break off that say that a human agent will answer."""


@pytest.mark.parametrize(
    ("fault", "idle"),
    [
        *((fault, IDLE) for fault in (*BROKEN_NOTICES, "nothing")),
        ("silence", None),
        ("drops", None),
    ],
)
def test_a_message_is_queued_whatever_becomes_of_the_words(
    way: Way,
    server: FaultServer,
    fault: str,
    idle: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The status says it; a stream waits for the words no longer than it may take to begin."""
    # Where there is no other limit, the words get five seconds.
    monkeypatch.setattr("siteassist_runtime.streaming.stream._TEXT_TIMEOUT", SHORT)
    nothing: tuple[Script, type] = ([http(202, b"", "text/plain")], SiteAssistError)
    script, _ = BROKEN_NOTICES.get(fault, nothing)

    async def scenario(client: Any) -> Any:
        await meet(client, server, script)
        return await read(client)

    answer, failed = way.run(scenario, server, timeout=60, idle_timeout=idle)
    assert (None, "", False) == (failed, answer.text, answer.done)
    # Whoever asks ``if stream.queued`` gets the right answer as well.
    assert answer.queued is not None
    assert bool(answer.queued)
    assert "queued" in repr(answer)
    assert 1 == len(server.requests)


@pytest.mark.parametrize("fault", BROKEN_NOTICES)
def test_a_notice_that_breaks_off_is_an_error(way: Way, server: FaultServer, fault: str) -> None:
    """Where the words are the answer, they come whole and in time, or not at all."""
    script, expected = BROKEN_NOTICES[fault]

    async def scenario(client: Any) -> None:
        await meet(client, server, script)
        await fails(send, client, expected)

    late = expected is APITimeoutError
    way.run(scenario, server, timeout=SHORT if late else 60)
    check_asked(server, 1, late=late)


# Sessions


def tokens(server: FaultServer) -> list[str]:
    """Return the paths of all requests, each with the token that it bore."""
    return [
        f"{request.path.removeprefix('/v2')} "
        + request.headers.get("authorization", "").removeprefix("Bearer ")
        for request in server.requests
    ]


PATHS = {get: "/identity/me", send: MESSAGES, start: "/conversations", stream: MESSAGES}


def test_an_expired_session_is_renewed(way: Way, server: FaultServer, waits: Waits) -> None:
    """Once, without a wait, without using up an attempt, and unseen by the caller."""
    server.answer(*(script for call in CALLS for script in ([error(401)], [GOOD[call]])))
    way.run(calling(*CALLS), server, api_key=API_KEY, device_id="device-1", max_retries=0)
    expected = ["/identity/init "]
    for number, call in enumerate(CALLS, 1):
        path = PATHS[call]
        expected += [f"{path} session-{number}", "/identity/init ", f"{path} session-{number + 1}"]
    assert expected == tokens(server)
    for request in server.of("/identity/init"):
        assert {"apiKey": API_KEY, "saVid": "device-1"} == request.json
    assert [] == waits.seconds


@pytest.mark.parametrize("call", CALLS)
def test_a_session_that_never_holds_is_an_error(
    way: Way, server: FaultServer, waits: Waits, call: Call
) -> None:
    """The client tries one new session, not one after the other."""
    server.answer([error(401)])
    way.run(failing(call, UnauthorizedError), server, api_key=API_KEY)
    path = PATHS[call]
    assert [
        "/identity/init ",
        f"{path} session-1",
        "/identity/init ",
        f"{path} session-2",
    ] == tokens(server)
    assert [] == waits.seconds


def test_a_token_of_ones_own_is_not_renewed(way: Way, server: FaultServer) -> None:
    """Even where the client has a key."""
    server.answer([error(401)])
    settings = {"token": "token-of-a-visitor", "api_key": API_KEY}
    way.run(failing(send, UnauthorizedError), server, **settings)
    assert [f"{MESSAGES} token-of-a-visitor"] == tokens(server)


LINES = "the-first-half-of-a-token\nthe-second-half-of-a-token"
INIT_FAULTS: dict[str, tuple[Script, type[SiteAssistError]]] = {
    "401": ([error(401)], UnauthorizedError),
    "403": ([error(403)], ForbiddenError),
    "500": ([error(500)], InternalServerError),
    "429, too long": ([error(429, retry_after=99)], TooManyRequestsError),
    "no JSON": ([http(200, b"nonsense")], APIResponseError),
    "a list": ([http(200, [])], APIResponseError),
    "no token": ([http(200, {"visitor": VISITOR})], APIResponseError),
    "an empty token": ([http(200, {"sessionToken": ""})], APIResponseError),
    "a number for a token": ([http(200, {"sessionToken": 5})], APIResponseError),
    "a token of two lines": ([http(200, {"sessionToken": LINES})], APIResponseError),
    "a token beyond ASCII": ([http(200, {"sessionToken": "ré"})], APIResponseError),
    "JSON that is too deep": ([http(200, b"[" * 100_000)], APIResponseError),
    "closed": ([close], APIConnectionError),
    "reset": ([reset], APIConnectionError),
    "silence": ([hold], APITimeoutError),
    "drops": ([http(content_length=10**9), for_ever(b" ")], APITimeoutError),
}


@pytest.mark.parametrize("fault", INIT_FAULTS)
def test_a_session_that_does_not_start_is_an_error(
    way: Way, server: FaultServer, waits: Waits, fault: str
) -> None:
    """It names ``init``, comes within the limit of the call, and the call itself is not made."""
    script, expected = INIT_FAULTS[fault]
    server.answer_init(script)
    late = expected is APITimeoutError
    calls = (send,) if late else CALLS

    async def scenario(client: Any) -> None:
        await meet(client, server)
        for call in calls:
            with pytest.raises(SiteAssistError) as caught:
                await call(client)
            failed = caught.value
            assert expected is type(failed), failed
            # Time is up for the call as a whole, which may also say so.
            assert "init" == failed.operation or late
            check_travels(failed)

    way.run(scenario, server, api_key=API_KEY, timeout=SHORT if late else 60)
    check_asked(server, len(calls), late=late)
    assert set(tokens(server)) <= {"/identity/init "}
    assert [] == waits.seconds


def test_the_next_call_starts_the_session_that_failed(way: Way, server: FaultServer) -> None:
    """Nothing of a failed start stays: no lock, no token."""

    async def scenario(client: Any) -> None:
        await meet(client, server, [GOOD[get]])
        for script in ([error(500)], [close], [http(200, b"nonsense")]):
            server.answer_init(script)
            with pytest.raises(SiteAssistError):
                await get(client)
        server.answer_init([hold])
        with pytest.raises(APITimeoutError):
            await get(client, timeout=SHORT)
        server.requests.clear()
        server.answer_init()
        await get(client)

    way.run(scenario, server, api_key=API_KEY)
    assert ["/identity/init ", "/identity/me session-1"] == tokens(server)


def test_starting_a_session_is_tried_again_where_it_is_safe(
    way: Way, server: FaultServer, waits: Waits
) -> None:
    """As often as the call itself may be."""
    server.answer_init([error(429)], [error(503, retry_after=1)], [error(429)])

    async def scenario(client: Any) -> None:
        with pytest.raises(TooManyRequestsError):
            await get(client)
        with pytest.raises(TooManyRequestsError):
            await get(client, max_retries=0)

    way.run(scenario, server, api_key=API_KEY)
    assert 3 + 1 == len(server.of("/identity/init"))
    assert 2 == len(waits.seconds)


def test_a_renewal_that_fails_is_told_as_such(way: Way, server: FaultServer) -> None:
    """After a 401 the new session's own error is raised."""
    server.answer([error(401)])

    async def scenario(client: Any) -> Any:
        with pytest.raises(UnauthorizedError):
            await send(client)
        server.answer_init([error(502)])
        with pytest.raises(BadGatewayError) as caught:
            await send(client)
        return caught.value

    assert "init" == way.run(scenario, server, api_key=API_KEY).operation
