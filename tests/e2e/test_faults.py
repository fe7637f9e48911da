"""Faulty servers: each call ends in time, raises as documented, and leaves nothing open.

After each scenario `ClientKind.run` checks that no connection is in use, open after the client
was closed, or garbage collected without being closed.
"""

from __future__ import annotations

import gzip
import itertools
import json
import pickle
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    BadGatewayError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    SiteAssist,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
    TooManyRequestsError,
    UnauthorizedError,
)
from siteassist.errors import STATUS_ERRORS
from tests.e2e.conftest import in_time
from tests.values import API_KEY

if TYPE_CHECKING:
    from tests.e2e.conftest import ClientKind, Connection, FaultServer, Step, Waits

SHORT = 0.2
"""Timeout, in seconds, of calls to a server that does not answer."""
IDLE = 0.2
"""Idle timeout, in seconds, of streams from a server that stalls."""
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
    """Return a complete response; a body other than bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if content_type is not None:
        headers["content_type"] = content_type
    headers.setdefault("content_length", len(data))
    lines = [f"HTTP/1.1 {status} Said so"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + data


def error(status: int, *, details: dict[str, Any] | None = None, **headers: Any) -> bytes:
    """Return an error response with the documented body."""
    body: dict[str, Any] = {"message": "The words of the server", "code": "ITS_CODE"}
    if details is not None:
        body["details"] = details
    return http(status, {"error": body}, **headers)


def head(content_type: str = "text/event-stream", status: int = 200) -> bytes:
    """Return the head of a chunked response."""
    lines = [f"HTTP/1.1 {status} Said so", f"Content-Type: {content_type}"]
    return "\r\n".join((*lines, "Transfer-Encoding: chunked", "", "")).encode()


def chunk(data: bytes) -> bytes:
    """Return one chunk of a response."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(payload: object) -> bytes:
    """Return one event of a stream, in a chunk of its own."""
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return chunk(f"data: {data}\n\n".encode())


def hold(connection: Connection) -> None:
    """Send nothing more."""
    connection.hold()


def close(connection: Connection) -> None:
    """Close the connection."""
    connection.close()


def reset(connection: Connection) -> None:
    """Reset the connection."""
    connection.reset()


def pause(connection: Connection) -> None:
    """Wait for the test."""
    connection.wait()


def drip(pieces: Callable[[], Iterator[bytes]]) -> Callable[[Connection], None]:
    """Return a step that sends small pieces without end."""
    return lambda connection: connection.drip(pieces())


def for_ever(piece: bytes) -> Callable[[Connection], None]:
    """Return a step that repeats a piece without end."""
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
    "a status that is not a number": [b"HTTP/1.1 abc OK\r\n\r\n", hold],
    "a status below 100": [b"HTTP/1.1 099 OK\r\n\r\n", hold],
    "an unrequested upgrade": [b"HTTP/1.1 101 OK\r\nUpgrade: x\r\n\r\n", hold],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", hold],
    "a negative length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", hold],
    "an invalid chunk size": [head("application/json"), b"zz\r\n", hold],
    "a header without end": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, hold],
}
"""Malformed or incomplete HTTP responses."""

SLOW: dict[str, Script] = {
    "silence": [hold],
    "silence in the headers": [b"HTTP/1.1 200 OK\r\nContent-Ty", hold],
    "silence in the body": [HEAD_OF_10, b'{"id"', hold],
    "silence before the last chunk": [head("application/json"), chunk(b"{}"), hold],
    "silence in the body of an error": [http(500, content_length=100), b"{", hold],
    "headers byte by byte": [b"HTTP/1.1 200 OK\r\nX: ", for_ever(b"a")],
    "a body byte by byte": [http(content_length=10**9), for_ever(b" ")],
    "chunks byte by byte": [head("application/json"), for_ever(chunk(b" "))],
    "the body of an error byte by byte": [http(404, content_length=10**9), for_ever(b" ")],
    "only informational responses": [for_ever(b"HTTP/1.1 103 Early Hints\r\n\r\n")],
}
"""Responses that never end."""

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
    "an unknown charset": [http(200, b"\xe9", "application/json; charset=none")],
    "a charset that always fails": [http(200, b"\xe9", "application/json; charset=undefined")],
    "a charset that is not text": [http(200, b"\xe9", "application/json; charset=hex")],
    "a header beyond ASCII": [http(200, b"", x_request_id="ré")],
    "an undocumented success": [http(299, {})],
}
"""Successful responses with an undocumented body."""

FAULTS: dict[str, tuple[Script, type[SiteAssistError]]] = {
    **{name: (script, APIConnectionError) for name, script in BROKEN.items()},
    **{name: (script, APITimeoutError) for name, script in SLOW.items()},
    **{name: (script, APIResponseError) for name, script in STRANGE.items()},
}

STATUSES = {
    status: STATUS_ERRORS.get(status, APIStatusError)
    for status in (*STATUS_ERRORS, 300, 302, 304, 408, 418, 499, 501, 504, 599, 600, 777, 999)
}
"""Documented and undocumented error statuses, with their classes."""

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
    "a huge number": http(500, b'{"error": {"details": {"retryAfter": 1' + b"0" * 5000),
    "no UTF-8": http(500, b"\xff\xfe\x00\xd8", "text/plain; charset=utf-8"),
    "an unknown charset": http(500, b"\xe9", "text/plain; charset=none"),
    "a charset that always fails": http(500, b"\xe9", "text/plain; charset=undefined"),
    "a charset that is not text": http(500, b"\xe9", "text/plain; charset=hex"),
    "a wrong charset": http(500, b"{}", "application/json; charset=utf-16"),
    "a header beyond ASCII": error(500, x_request_id="ré"),
    "no gzip": http(500, b"no gzip", content_encoding="gzip"),
    "a huge date": error(500, retry_after=f"Wed, {'9' * 30} Oct 2015 07:28:00 GMT"),
    "a huge time zone": error(500, retry_after=f"Wed, 21 Oct 2015 07:28:00 +{'9' * 30}"),
}
"""Error responses with unusual bodies and headers."""


async def get(client: Any, **named: Any) -> Any:
    """Make a GET."""
    return await client.get_me(**named)


async def send(client: Any, **named: Any) -> Any:
    """Send a message."""
    return await client.send_message(CONVERSATION_ID, content="Hi", **named)


async def start(client: Any, **named: Any) -> Any:
    """Start a conversation."""
    return await client.start_conversation(**named)


async def stream(client: Any, **named: Any) -> Any:
    """Send a message and read the streamed answer."""
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
"""The successful response to each call."""
OPERATIONS = {get: "getMe", send: "sendMessage", start: "startConversation", stream: "sendMessage"}


async def fails(call: Call, client: Any, expected: type[SiteAssistError]) -> Any:
    """Make a call that must fail as expected, with a picklable error, and return the error."""
    with pytest.raises(SiteAssistError) as caught:
        await call(client)
    failed = caught.value
    assert (expected, OPERATIONS[call]) == (type(failed), failed.operation), failed
    check_copyable(failed)
    return failed


def check_copyable(failed: SiteAssistError) -> None:
    """Fail if an error cannot be pickled, or contains a secret."""
    copy = pickle.loads(pickle.dumps(failed))
    assert (type(failed), str(failed)) == (type(copy), str(copy))
    shown = f"{failed} {failed!r} {vars(failed)}"
    for secret in (API_KEY, "token-of-a-visitor", "half-of-a-token"):
        assert secret not in shown


async def connect_first(client: Any, server: FaultServer, *scripts: Script) -> None:
    """Let the client connect first, then let the server fail.

    A call that fails because of a short timeout must have had the time to connect, even on a
    slow machine.
    """
    server.answer([error(404)])
    with pytest.raises(NotFoundError):
        await client.get_project(api_key=API_KEY, timeout=60)
    server.requests.clear()
    server.answer(*scripts)


def check_request_count(server: FaultServer, times: int, *, late: bool = False) -> None:
    """Fail unless the server got this many requests, or fewer if the call was ``late``."""
    asked = len(server.requests)
    assert times == asked or (late and asked < times)


def failing(call: Call, expected: type[SiteAssistError]) -> Callable[[Any], Any]:
    """Return a scenario that makes one call and returns its error."""
    return lambda client: fails(call, client, expected)


def calling(*calls: Call) -> Callable[[Any], Any]:
    """Return a scenario that makes the calls in order."""

    async def scenario(client: Any) -> None:
        for call in calls:
            await call(client)

    return scenario


@pytest.mark.parametrize("fault", FAULTS)
def test_get_fails_as_documented(kind: ClientKind, server: FaultServer, fault: str) -> None:
    """A GET to a server that fails, stalls or answers nonsense raises the documented exception."""
    script, expected = FAULTS[fault]

    async def scenario(client: Any) -> None:
        await connect_first(client, server, script)
        await fails(get, client, expected)

    # A call that has timed out is not retried anyway.
    settings = {"timeout": SHORT} if fault in SLOW else {"max_retries": 0}
    kind.run(scenario, server, **settings)
    check_request_count(server, 1, late=fault in SLOW)


@pytest.mark.parametrize("fault", [*BROKEN, *list(SLOW)[:4], "a body byte by byte", *STRANGE])
def test_post_is_sent_once(kind: ClientKind, server: FaultServer, waits: Waits, fault: str) -> None:
    """A POST is sent once, and raises the documented exception."""
    script, expected = FAULTS[fault]
    # A silent server costs a whole timeout, so only one POST is tried.
    calls = (send,) if fault in SLOW else (send, start)

    async def scenario(client: Any) -> None:
        await connect_first(client, server, script)
        for call in calls:
            await fails(call, client, expected)

    kind.run(scenario, server, timeout=SHORT if fault in SLOW else 60)
    check_request_count(server, len(calls), late=fault in SLOW)
    assert [] == waits.seconds


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_its_class(kind: ClientKind, server: FaultServer, status: int) -> None:
    """Each error status raises its class with the server's message; redirects are not followed."""
    expected: tuple[Any, ...] = (status, "Said so", "request-1")
    expected += ("The words of the server", "ITS_CODE")
    server.answer([error(status, location="/v2/elsewhere", x_request_id="request-1")])
    if status == HTTPStatus.NOT_MODIFIED:
        # A 304 response never has a body.
        expected = (*expected[:3], "the service gave no reason", None)
        server.answer([b"HTTP/1.1 304 Said so\r\nX-Request-Id: request-1\r\n\r\n"])

    async def scenario(client: Any) -> None:
        for call in CALLS:
            e = await fails(call, client, STATUSES[status])
            assert expected == (e.status_code, e.reason, e.request_id, e.message, e.code)

    kind.run(scenario, server, max_retries=0)
    assert len(CALLS) == len(server.requests)


@pytest.mark.parametrize("body", BODIES)
def test_error_status_with_an_unusual_body(
    kind: ClientKind, server: FaultServer, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    """The status decides the class, even if nothing else of the response is usable.

    The log of the response does not contain the token.
    """
    caplog.set_level("DEBUG", logger="siteassist")
    server.answer([BODIES[body]])

    async def scenario(client: Any) -> None:
        for call in CALLS:
            await fails(call, client, InternalServerError)

    kind.run(scenario, server, max_retries=0)
    assert len(CALLS) == len(server.requests)
    assert "500 Said so" in caplog.text
    assert "token-of-a-visitor" not in caplog.text


def test_long_error_is_shown_truncated(kind: ClientKind, server: FaultServer) -> None:
    """The message of a long error is short; its text is complete."""
    text = "far too much " * 100_000
    server.answer([http(502, text.encode(), "text/plain")])
    failed = kind.run(failing(send, BadGatewayError), server)
    assert text == failed.text
    assert len(str(failed)) < 500


def test_charset_of_an_error(kind: ClientKind, server: FaultServer) -> None:
    """The text of an error is decoded with its charset, in the error and in its response."""
    server.answer([http(500, "tschüß".encode("latin-1"), "text/plain; charset=latin-1")])
    failed = kind.run(failing(send, InternalServerError), server)
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
def test_unusual_http_is_accepted(kind: ClientKind, server: FaultServer, script: Script) -> None:
    """Unusual but valid HTTP is accepted, and the client remains usable."""
    server.answer(script)

    async def scenario(client: Any) -> list[str]:
        return [str((await get(client)).id) for _ in range(3)]

    assert [CONVERSATION_ID] * 3 == kind.run(scenario, server, max_retries=0)


def test_closed_connection_is_not_reused(kind: ClientKind, server: FaultServer) -> None:
    """A connection closed by the server is not reused; the next message uses a new one."""
    server.answer([GOOD[get], close], [GOOD[send]])

    async def scenario(client: Any) -> None:
        await get(client)
        await client.wait(server, lambda: server.left == 1)
        await send(client)

    kind.run(scenario, server)
    assert [1, 2] == [request.connection for request in server.requests]


def test_timeout_includes_the_sending(
    kind: ClientKind, make_server: Callable[..., FaultServer]
) -> None:
    """The timeout includes the sending of a long message to a slow server."""
    server = make_server(slow=True)
    server.answer([GOOD[send]])
    content = "x" * 32_000_000

    async def scenario(client: Any) -> None:
        with pytest.raises(APITimeoutError):
            await client.send_message(CONVERSATION_ID, content=content)

    kind.run(scenario, server, timeout=SHORT)
    # The server reads about 20 MB/s, so only a small part was sent in time.
    assert server.received < len(content) / 2


def test_timeout_includes_the_connecting(kind: ClientKind) -> None:
    """The timeout includes the opening of a connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            # These fill the backlog, so the next connection is not accepted.
            sock.settimeout(0)
            sock.connect_ex(address)
        failed = kind.run(
            failing(get, APITimeoutError),
            base_url=f"http://127.0.0.1:{address[1]}",
            token="token-of-a-visitor",
            timeout=SHORT,
        )
        for sock in waiting:
            sock.close()
    assert APITimeoutError is type(failed)


def test_refused_connection_is_retried(
    kind: ClientKind, make_server: Callable[..., FaultServer], waits: Waits
) -> None:
    """A refused connection is retried, also for a POST, which is then delivered once."""
    for call in CALLS:
        server = make_server(listening=False)
        server.answer([GOOD[call]])
        waits.seconds.clear()

        async def listen(server: FaultServer = server) -> None:
            if len(waits.seconds) == 2:
                server.listen()

        waits.meanwhile = listen
        kind.run(calling(call), server)
        assert (2, 1) == (len(waits.seconds), len(server.requests))


def test_unreachable_server(
    kind: ClientKind, make_server: Callable[..., FaultServer], waits: Waits
) -> None:
    """After the last attempt the error names the server that cannot be reached."""
    server = make_server(listening=False)

    async def scenario(client: Any) -> None:
        for call in CALLS:
            waits.seconds.clear()
            failed = await fails(call, client, APIConnectionError)
            assert server.url in str(failed)
            assert 3 == len(waits.seconds)
            for attempt, seconds in enumerate(waits.seconds):
                assert 0.25 * 2**attempt <= seconds <= 0.5 * 2**attempt

    kind.run(scenario, server, max_retries=3)


@pytest.mark.parametrize("host", ["a..b", "a" * 64], ids=["an empty label", "a long label"])
def test_invalid_host(kind: ClientKind, host: str) -> None:
    """An invalid host name raises a documented exception."""

    async def scenario(client: Any) -> None:
        with pytest.raises(SiteAssistError):
            await get(client)

    kind.run(scenario, base_url=f"http://{host}/v2", token="token-of-a-visitor", max_retries=0)


LOST = [name for name in BROKEN if name.startswith(("closed", "reset"))]
"""Connections that end without a complete response."""


@pytest.mark.parametrize("fault", LOST)
def test_get_is_retried(kind: ClientKind, server: FaultServer, waits: Waits, fault: str) -> None:
    """A GET whose connection fails twice succeeds in the third attempt."""
    server.answer(BROKEN[fault], BROKEN[fault], [GOOD[get]])
    kind.run(calling(get), server)
    assert 3 == len(server.requests)
    assert 2 == len(waits.seconds)


def test_client_closed_during_a_wait(kind: ClientKind, server: FaultServer, waits: Waits) -> None:
    """A client closed during a wait raises an error and opens no connection."""
    server.answer([error(429)])

    async def scenario(client: Any) -> None:
        waits.meanwhile = client.close
        with pytest.raises(SiteAssistError, match="the client is closed"):
            await get(client)
        assert [] == client.pools()

    kind.run(scenario, server)
    assert 1 == len(server.requests)


# Streams


async def read(
    client: Any, *, seen: Callable[[Any], object] = lambda _: None
) -> tuple[Any, SiteAssistError | None]:
    """Read a stream to its end; return it and the exception that it raised, if any."""
    async with client.send_message_stream(CONVERSATION_ID, content="Hi") as answer:
        try:
            async for received in answer:
                seen(received)
        except SiteAssistError as failed:
            return answer, failed
    return answer, None


def test_complete_streams_share_a_connection(kind: ClientKind, server: FaultServer) -> None:
    """Streams that are read to their end share one connection."""
    server.answer([WHOLE])

    async def scenario(client: Any) -> list[Any]:
        return [(await read(client))[0] for _ in range(3)]

    for answer in kind.run(scenario, server):
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
    "an invalid chunk size": ([b"zz\r\n", hold], StreamTruncatedError),
    "silent": ([hold], APITimeoutError),
    "silent in an event": ([chunk(b"data: {"), hold], APITimeoutError),
    "only comments": ([for_ever(chunk(b": still here\n\n"))], APITimeoutError),
    "only lines": ([for_ever(chunk(b"\n"))], APITimeoutError),
    "only other fields": ([for_ever(chunk(b"event: ping\nid: 1\n\n"))], APITimeoutError),
    "only empty data": ([for_ever(chunk(b"data:\n\n"))], APITimeoutError),
    "one event byte by byte": (
        [b"ffffff\r\ndata: ", for_ever(b"x")],
        APITimeoutError,
    ),
    "an error event": ([event({"type": "error", "errorText": "no more"}), hold], StreamError),
    "an invalid event": ([event("nonsense"), hold], StreamDecodeError),
}
"""Endings of a stream after its first words, with the exception they raise."""


@pytest.mark.parametrize("fault", BROKEN_STREAMS)
def test_broken_stream_keeps_its_text(kind: ClientKind, server: FaultServer, fault: str) -> None:
    """A stream that fails raises the documented exception, keeps its text and is not retried."""
    script, expected = BROKEN_STREAMS[fault]
    server.answer([WORDS, *script])

    def seen(one: Any) -> None:
        if one.type_ == "text-delta":
            server.go.set()

    async def scenario(client: Any) -> Any:
        return await read(client, seen=seen)

    late = expected is APITimeoutError
    answer, failed = kind.run(scenario, server, idle_timeout=IDLE if late else 60)
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
def test_data_after_the_marker_is_ignored(
    kind: ClientKind, server: FaultServer, script: Script
) -> None:
    """Whatever follows the terminal marker, the answer is complete and the client usable."""
    server.answer([WHOLE.removesuffix(LAST_CHUNK), *script], [WHOLE])

    async def scenario(client: Any) -> list[Any]:
        return [await read(client), await read(client)]

    for answer, failed in kind.run(scenario, server, idle_timeout=None):
        assert (None, "Hello there", True) == (failed, answer.text, answer.done)


class Wrapper(httpx.BaseTransport):
    """A transport that passes everything on to another one."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        return self.inner.handle_request(request)

    def close(self) -> None:
        """Close the other one."""
        self.inner.close()


class Foreign(httpx.BaseTransport):
    """A transport whose connections cannot be found."""

    __slots__ = ("hidden",)

    def __init__(self) -> None:
        self.hidden = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        found = self.hidden.handle_request(request)
        return httpx.Response(found.status_code, headers=found.headers, stream=found.stream)

    def close(self) -> None:
        """Close the other one."""
        self.hidden.close()


@pytest.mark.parametrize("transport", [Wrapper, Foreign])
@pytest.mark.parametrize("end", [hold, for_ever(chunk(b": still here\n\n"))])
def test_stream_of_a_wrapping_transport_ends_with_its_marker(
    server: FaultServer, transport: type[httpx.BaseTransport], end: Step
) -> None:
    """With a transport of one's own, a stream ends with its marker, whatever follows."""
    server.answer([WHOLE.removesuffix(LAST_CHUNK), end], [WHOLE])

    def scenario() -> list[str]:
        with (
            transport() as own,
            SiteAssist(token="t", base_url=server.url, transport=own, idle_timeout=None) as client,
        ):
            texts = []
            for _ in range(2):
                with client.send_message_stream(CONVERSATION_ID, content="Hi") as answer:
                    texts.append(answer.until_done().text)
            return texts

    assert 2 * ["Hello there"] == in_time(scenario)
    assert [1, 2] == [request.connection for request in server.requests]


@pytest.mark.parametrize("gone", ["left", "failed", "closed"])
def test_leaving_a_stream_closes_its_connection(
    kind: ClientKind, server: FaultServer, gone: str
) -> None:
    """Leaving a stream closes its connection at once, while the client is still open."""
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

    assert "Hello" == kind.run(scenario, server, timeout=None, idle_timeout=None)


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
        *("nothing", "silence", "headers byte by byte", "an error byte by byte", "closed", "reset"),
        "garbage",
    ],
)
def test_response_other_than_a_stream_is_an_error(
    kind: ClientKind, server: FaultServer, script: Script, expected: type[SiteAssistError]
) -> None:
    """A response other than a stream raises the documented exception and is not retried."""

    async def scenario(client: Any) -> None:
        await connect_first(client, server, script)
        await fails(stream, client, expected)

    late = expected is APITimeoutError
    kind.run(scenario, server, timeout=SHORT if late else 60, idle_timeout=None)
    check_request_count(server, 1, late=late)


@pytest.mark.parametrize("charset", ["utf-8", "none", "undefined", "hex"])
def test_queued_message_gives_an_empty_stream(
    kind: ClientKind, server: FaultServer, charset: str
) -> None:
    """A message to a human agent gives an empty stream, or a notice."""
    server.answer([http(202, b"Message sent", f"text/plain; charset={charset}")])

    async def scenario(client: Any) -> Any:
        return await read(client), await send(client)

    (answer, failed), notice = kind.run(scenario, server)
    assert (None, "Message sent", "", False) == (failed, answer.queued, answer.text, answer.done)
    assert ("Message sent", True) == (notice.text, notice.queued)


BROKEN_NOTICES: dict[str, tuple[Script, type[SiteAssistError]]] = {
    "closed": ([http(202, b"Mess", "text/plain", content_length=12), close], APIConnectionError),
    "reset": ([http(202, b"Mess", "text/plain", content_length=12), reset], APIConnectionError),
    "silence": ([http(202, b"Mess", "text/plain", content_length=12), hold], APITimeoutError),
    "byte by byte": ([http(202, content_length=10**9), for_ever(b"x")], APITimeoutError),
}
"""Incomplete notices of a queued message, with the exception they raise."""


@pytest.mark.parametrize(
    ("fault", "idle"),
    [
        *((fault, IDLE) for fault in (*BROKEN_NOTICES, "nothing")),
        ("silence", None),
        ("byte by byte", None),
    ],
)
def test_message_is_queued_without_a_complete_notice(
    kind: ClientKind,
    server: FaultServer,
    fault: str,
    idle: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message is queued even if its notice is incomplete; waiting for it has a limit."""
    # Without another limit the notice gets five seconds.
    monkeypatch.setattr("siteassist_runtime.streaming.stream._TEXT_TIMEOUT", SHORT)
    nothing: tuple[Script, type] = ([http(202, b"", "text/plain")], SiteAssistError)
    script, _ = BROKEN_NOTICES.get(fault, nothing)

    async def scenario(client: Any) -> Any:
        await connect_first(client, server, script)
        return await read(client)

    answer, failed = kind.run(scenario, server, timeout=60, idle_timeout=idle)
    assert (None, "", False) == (failed, answer.text, answer.done)
    # An empty notice must be truthy, for `if stream.queued`.
    assert answer.queued is not None
    assert bool(answer.queued)
    assert "queued" in repr(answer)
    assert 1 == len(server.requests)


@pytest.mark.parametrize("fault", BROKEN_NOTICES)
def test_incomplete_notice_is_an_error(kind: ClientKind, server: FaultServer, fault: str) -> None:
    """Without streaming, an incomplete notice raises an exception."""
    script, expected = BROKEN_NOTICES[fault]

    async def scenario(client: Any) -> None:
        await connect_first(client, server, script)
        await fails(send, client, expected)

    late = expected is APITimeoutError
    kind.run(scenario, server, timeout=SHORT if late else 60)
    check_request_count(server, 1, late=late)


# Sessions


def tokens(server: FaultServer) -> list[str]:
    """Return the path of each request, with its token."""
    return [
        f"{request.path.removeprefix('/v2')} "
        + request.headers.get("authorization", "").removeprefix("Bearer ")
        for request in server.requests
    ]


PATHS = {get: "/identity/me", send: MESSAGES, start: "/conversations", stream: MESSAGES}


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
    "byte by byte": ([http(content_length=10**9), for_ever(b" ")], APITimeoutError),
}


@pytest.mark.parametrize("fault", INIT_FAULTS)
def test_failed_start_of_a_session_is_an_error(
    kind: ClientKind, server: FaultServer, waits: Waits, fault: str
) -> None:
    """A failed start names ``init``, respects the timeout, and prevents the call."""
    script, expected = INIT_FAULTS[fault]
    server.answer_init(script)
    late = expected is APITimeoutError
    calls = (send,) if late else CALLS

    async def scenario(client: Any) -> None:
        await connect_first(client, server)
        for call in calls:
            with pytest.raises(SiteAssistError) as caught:
                await call(client)
            failed = caught.value
            assert expected is type(failed), failed
            # The timeout is the call's, so the error may also name the call.
            assert "init" == failed.operation or late
            check_copyable(failed)

    kind.run(scenario, server, api_key=API_KEY, timeout=SHORT if late else 60)
    check_request_count(server, len(calls), late=late)
    assert set(tokens(server)) <= {"/identity/init "}
    assert [] == waits.seconds


def test_next_call_starts_the_session_again(kind: ClientKind, server: FaultServer) -> None:
    """A failed start leaves no lock and no token: the next call tries again."""

    async def scenario(client: Any) -> None:
        await connect_first(client, server, [GOOD[get]])
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

    kind.run(scenario, server, api_key=API_KEY)
    assert ["/identity/init ", "/identity/me session-1"] == tokens(server)


def test_failed_renewal_raises_its_own_error(kind: ClientKind, server: FaultServer) -> None:
    """A failed renewal raises its own error instead of the 401."""
    server.answer([error(401)])

    async def scenario(client: Any) -> Any:
        with pytest.raises(UnauthorizedError):
            await send(client)
        server.answer_init([error(502)])
        with pytest.raises(BadGatewayError) as caught:
            await send(client)
        return caught.value

    assert "init" == kind.run(scenario, server, api_key=API_KEY).operation
