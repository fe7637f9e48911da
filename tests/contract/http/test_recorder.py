"""The recorder's pacing, waiting and history."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.findings import shown
from siteassist_contract.http import recorder as recorder_module
from siteassist_contract.http.network import Network
from siteassist_contract.http.recorder import (
    CALL,
    NO_ANSWER,
    CallFacts,
    Exchange,
    GoneError,
    Recorder,
    TimeUpError,
    UnansweredError,
)

if TYPE_CHECKING:
    from tests.contract.conftest import Clock

URL = "http://127.0.0.1/v2"
Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Server(httpx.BaseTransport):
    """A transport that responds with the steps of a script, and repeats the last one."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.requests: list[tuple[str, str, bytes]] = []
        self.encodings: list[str] = []
        self.headers: list[httpx.Headers] = []
        self.closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the next response, or raise the next exception."""
        self.requests.append((request.method, str(request.url), request.read()))
        self.encodings.append(request.headers["Accept-Encoding"])
        self.headers.append(request.headers)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    def close(self) -> None:
        """Record the call."""
        self.closed = True


class Pieces(httpx.SyncByteStream):
    """A body that arrives in chunks, each after some seconds."""

    def __init__(
        self, clock: Clock, *pieces: tuple[float, bytes], error: Exception | None = None
    ) -> None:
        self._clock = clock
        self._pieces = pieces
        self._error = error
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""
        for seconds, piece in self._pieces:
            self._clock.now += seconds
            yield piece
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Record the call."""
        self.closed = True


def recorder_for(server: Server, clock: Clock, **options: Any) -> Recorder:
    """Create a recorder for a scripted server."""
    return Recorder(transport=server, sleep=clock.sleep, **options)


def send(
    recorder: Recorder, method: str = "GET", path: str = "/identity/me", **rest: Any
) -> httpx.Response:
    """Send one request as a client does."""
    with httpx.Client(transport=_Unclosed(recorder), timeout=20) as client:
        facts = CallFacts("getMe", "first", base_path="/v2")
        return client.request(method, URL + path, extensions={CALL: facts}, **rest)


class _Unclosed(httpx.BaseTransport):
    """A transport that several clients use in turn, without closing the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._recorder.handle_request(request)


def refusal(**headers: str) -> Callable[..., httpx.Response]:
    """Return a function that creates 429 responses."""

    def answer(details: Any = None, body: bytes | None = None) -> httpx.Response:
        error = {"message": "Later", "code": "TOO_MANY_REQUESTS", "details": details}
        content = json.dumps({"error": error}).encode() if body is None else body
        return httpx.Response(429, headers=headers, content=content)

    return answer


def exchange(
    content: bytes = b"", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Exchange:
    """Create an exchange with defaults."""
    return Exchange("getMe", "", "GET", "/x", body, "", 200, headers or {}, content, 0.0, 0.0, 0)


# The history


def test_exchange_is_recorded(clock: Clock) -> None:
    """Request and response are recorded, with the times and the number of the body's chunks."""
    body = Pieces(clock, (1, b""), (2, b'{"a":'), (0, b""), (3, b"1}"))
    headers = [("Content-Type", "Application/JSON; charset=utf-8"), ("X-A", "1"), ("X-A", "2")]
    server = Server(httpx.Response(201, headers=headers, stream=body))
    recorder = recorder_for(server, clock)
    answer = send(recorder, "POST", "/search?q=%C3%BC+b&c=%20", json={"x": 1}, headers={"X-Y": "z"})
    assert (201, {"a": 1}) == (answer.status_code, answer.json())
    assert [
        Exchange(
            operation="getMe",
            credential="first",
            method="POST",
            target="/search?q=%C3%BC+b&c=%20",
            body=b'{"x":1}',
            content_type="application/json",
            status=201,
            headers={"content-type": "Application/JSON; charset=utf-8", "x-a": "1, 2"},
            content=b'{"a":1}',
            seconds=6.0,
            first=3.0,
            pieces=2,
        )
    ] == recorder.history
    assert "application/json" == recorder.history[0].media_type
    assert body.closed


def test_response_is_requested_without_compression(clock: Clock) -> None:
    """The recorder overrides the client's `Accept-Encoding`."""
    server = Server(httpx.Response(200))
    send(recorder_for(server, clock), headers={"Accept-Encoding": "gzip"})
    assert ["identity"] == server.encodings


@pytest.mark.parametrize("value", [b"\x9b31m", b"\xff", "é".encode()])
def test_header_may_have_any_bytes(value: bytes, clock: Clock) -> None:
    """A header that is not ASCII is recorded, and passed on."""
    server = Server(httpx.Response(200, headers=[(b"x-text", value)]))
    recorder = recorder_for(server, clock)
    passed = send(recorder).headers["x-text"]
    assert passed == recorder.history[0].headers["x-text"]
    assert value in {passed.encode("latin-1"), passed.encode()}


def test_response_without_body_has_no_timing(clock: Clock) -> None:
    """There is no time of a first byte; a request without a body has no media type."""
    recorder = recorder_for(Server(httpx.Response(204)), clock)
    send(recorder, headers={"Content-Type": "text/plain"})
    (kept,) = recorder.history
    assert (0.0, 0, b"", "", "") == (
        *(kept.first, kept.pieces, kept.content, kept.content_type, kept.media_type),
    )


@pytest.mark.parametrize(
    ("content", "json_value", "document"),
    [
        (b'{"a": 1}', {"a": 1}, {"a": 1}),
        (b"[1]", [1], {}),
        (b"null", None, {}),
        (b"", None, {}),
        (b"{", None, {}),
        (b"\xff", None, {}),
        (
            b'{"lastInterationAt": "t"}',
            {"lastInterationAt": "t", "lastInteractionAt": "t"},
            {"lastInterationAt": "t", "lastInteractionAt": "t"},
        ),
    ],
)
def test_response_body_is_parsed_if_possible(
    content: bytes, json_value: object, document: object
) -> None:
    """JSON is read in the documented spelling; anything else is None, not an error."""
    kept = exchange(content, content)
    assert (json_value, document) == (kept.json, kept.document)


@pytest.mark.parametrize(("body", "sent"), [(b"[1]", [1]), (b"", None), (b"\xff{", None)])
def test_request_body_is_parsed_if_possible(body: bytes, sent: object) -> None:
    """A request may have invalid JSON on purpose."""
    assert sent == exchange(body=body).sent


def test_representation_has_no_body_or_headers() -> None:
    """No assertion or log prints a token of an exchange."""
    assert "secret" not in repr(exchange(b"secret", headers={"x-token": "secret"}))


# Pacing


def test_requests_are_paced(clock: Clock) -> None:
    """At two a second, a request waits half a second, and a late one does not wait."""
    recorder = recorder_for(Server(httpx.Response(200)), clock, per_second=2)
    for _ in range(3):
        send(recorder)
    clock.now += 10
    send(recorder)
    send(recorder)
    assert [0.5, 0.5, 0.5] == clock.slept
    assert (5, 0.0) == (recorder.requests, recorder.waited)


def test_requests_without_a_pace_do_not_wait(clock: Clock) -> None:
    """Without a limit, requests follow each other immediately."""
    recorder = recorder_for(Server(httpx.Response(200)), clock)
    for _ in range(3):
        send(recorder)
    assert ([], 3) == (clock.slept, recorder.requests)


def test_watch_is_called_before_each_request(clock: Clock) -> None:
    """The callback runs before a request is sent, so that it can end the run."""
    seen: list[int] = []
    server = Server(httpx.Response(200))
    recorder = recorder_for(server, clock, watch=lambda: seen.append(len(server.requests)))
    send(recorder)
    send(recorder)
    assert [0, 1] == seen


# Waiting


@pytest.mark.parametrize(
    ("answer", "waited"),
    [
        (refusal()({"retryAfter": 3}), 3.0),
        (refusal()({"retryAfter": 0.5}), 0.5),
        (refusal()({"retryAfter": -1}), 0.0),
        (refusal()({"retryAfter": 60}), 60.0),
        (refusal(**{"Retry-After": "7"})(), 7.0),
        (refusal(**{"Retry-After": "7"})({"retryAfter": 3}), 3.0),
        (refusal(**{"Retry-After": "7"})({"retryAfter": "soon"}), 7.0),
        (refusal(**{"Retry-After": "7"})("soon"), 7.0),
        (refusal(**{"Retry-After": "7"})(body=b"[]"), 7.0),
        (refusal(**{"Retry-After": "7"})(body=b'{"error": "no"}'), 7.0),
        (refusal(**{"Retry-After": "7"})(body=b"\xff"), 7.0),
    ],
)
def test_retry_time_is_read_from_details_or_header(
    answer: httpx.Response, waited: float, clock: Clock
) -> None:
    """The documented `retryAfter` in the error's details precedes the `Retry-After` header."""
    recorder = recorder_for(Server(answer, httpx.Response(200)), clock)
    assert 200 == send(recorder).status_code
    assert ([waited] * (waited > 0), waited, 2) == (clock.slept, recorder.waited, recorder.requests)
    assert [200] == [kept.status for kept in recorder.history]


@pytest.mark.parametrize(
    "answer",
    [
        refusal()(),
        refusal()({"retryAfter": "3"}),
        refusal()({"retryAfter": True}),
        refusal(**{"Retry-After": "-1"})(),
        refusal(**{"Retry-After": ""})(),
        refusal(**{"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"})(),
        refusal(**{"Retry-After": "Mon, 01 Jan 2026 00:00:00 +9999999999999"})(),
        httpx.Response(502),
        httpx.Response(503),
    ],
)
def test_refusal_without_a_time_is_waited_for(answer: httpx.Response, clock: Clock) -> None:
    """Without a usable time the waits double, until the request is answered."""
    recorder = recorder_for(Server(answer, answer, answer, httpx.Response(200)), clock)
    assert 200 == send(recorder).status_code
    assert ([1, 2, 4], 7.0) == (clock.slept, recorder.waited)


def test_retry_time_may_be_a_date(clock: Clock) -> None:
    """`Retry-After` may be a date, which is compared with the time of this machine."""
    at = datetime.now(UTC) + timedelta(seconds=30)
    for zone in ("GMT", "-0000"):
        answer = refusal(**{"Retry-After": f"{at:%a, %d %b %Y %H:%M:%S} {zone}"})()
        assert 200 == send(recorder_for(Server(answer, httpx.Response(200)), clock)).status_code
    assert all(28 < wait <= 30 for wait in clock.slept)


@pytest.mark.parametrize("status", [200, 402, 500, 504])
def test_other_answer_is_not_waited_for(status: int, clock: Clock) -> None:
    """A time in an answer that is not a passing refusal is ignored."""
    recorder = recorder_for(Server(httpx.Response(status, headers={"Retry-After": "3"})), clock)
    assert status == send(recorder).status_code
    assert ([], 1) == (clock.slept, recorder.requests)


@pytest.mark.parametrize("status", [429, 503])
def test_waits_for_one_request_are_limited(status: int, clock: Clock) -> None:
    """After a minute the refusal is the answer, and the operation is not waited for again."""
    server = Server(httpx.Response(status))
    recorder = recorder_for(server, clock)
    assert [status, status] == [send(recorder).status_code for _ in range(2)]
    assert ([1, 2, 4, 8, 16], 7) == (clock.slept, recorder.requests)
    (first, second) = recorder.history
    assert (5, 0) == (len(first.refusals), len(second.refusals))
    assert (first.refused, second.refused) == (True, True)


def test_answered_operation_is_waited_for_again(clock: Clock) -> None:
    """An operation that is answered after all is waited for like any other."""
    ok = httpx.Response(200)
    long = refusal()({"retryAfter": 61})
    server = Server(long, long, ok, refusal()({"retryAfter": 3}), ok)
    recorder = recorder_for(server, clock)
    assert [429, 429, 200, 200] == [send(recorder).status_code for _ in range(4)]
    assert [3.0] == clock.slept


@pytest.mark.parametrize("seconds", [61, 999_999, 10**400])
def test_long_wait_is_not_waited_for(seconds: float, clock: Clock) -> None:
    """A refusal that asks for more than a minute is the answer."""
    recorder = recorder_for(Server(refusal()({"retryAfter": seconds})), clock)
    assert 429 == send(recorder).status_code
    recorder = recorder_for(Server(refusal(**{"Retry-After": str(seconds)})()), clock)
    assert 429 == send(recorder).status_code
    assert [] == clock.slept


def test_time_that_was_too_short_is_extended(clock: Clock) -> None:
    """A server that always asks to retry at once is not asked in an endless loop."""
    recorder = recorder_for(Server(refusal()({"retryAfter": 0})), clock)
    assert 429 == send(recorder).status_code
    assert [2, 4, 8, 16] == clock.slept


def test_refusals_are_kept_with_the_answer(clock: Clock) -> None:
    """The refused attempts belong to the exchange, so that their bodies can be judged."""
    server = Server(refusal()({"retryAfter": 1}), httpx.Response(503), httpx.Response(201))
    recorder = recorder_for(server, clock)
    send(recorder, "POST")
    (kept,) = recorder.history
    assert [429, 503] == [refused.status for refused in kept.refusals]
    # The server may have carried out the request before the 503.
    assert (False, 1) == (kept.refused, kept.repeats)


# The end of the time


def test_no_request_is_sent_after_the_time(clock: Clock) -> None:
    """The end of the time is an error before a request is sent."""
    server = Server(httpx.Response(200))
    recorder = recorder_for(server, clock)
    recorder.until = clock.now
    with pytest.raises(TimeUpError):
        send(recorder)
    assert [] == server.requests


def test_no_wait_goes_on_after_the_time(clock: Clock) -> None:
    """A wait that would end later is not begun, for a refusal and for the turn of a request."""
    recorder = recorder_for(Server(refusal()({"retryAfter": 9})), clock)
    recorder.until = clock.now + 9
    with pytest.raises(TimeUpError):
        send(recorder)
    recorder = recorder_for(Server(httpx.Response(200)), clock, per_second=0.1)
    recorder.until = clock.now + 9
    send(recorder)
    with pytest.raises(TimeUpError):
        send(recorder)
    assert [] == clock.slept


def test_no_answer_goes_on_after_the_time(clock: Clock) -> None:
    """An answer that is not complete at the end of the time is not the server's fault."""
    body = Pieces(clock, *1000 * [(1.0, b"x")])
    recorder = recorder_for(Server(httpx.Response(200, stream=body)), clock)
    start = clock.now
    recorder.until = start + 5
    with pytest.raises(TimeUpError):
        send(recorder)
    assert (5.0, True) == (clock.now - start, body.closed)


@pytest.mark.parametrize("kind", [httpx.ReadTimeout, httpx.ReadError])
def test_failure_at_the_end_of_the_time_is_not_reported(
    kind: type[httpx.TransportError], clock: Clock
) -> None:
    """A timeout or a lost connection at the end of the time has no meaning."""

    def respond(_: httpx.Request) -> httpx.Response:
        clock.now += 5
        raise kind("late")

    recorder = recorder_for(Server(respond), clock)
    recorder.until = clock.now + 5
    with pytest.raises(TimeUpError):
        send(recorder)


def test_retry_sends_the_same_request(clock: Clock) -> None:
    """A retry has the same body, even if it came from an iterator."""
    server = Server(refusal()({"retryAfter": 1}), httpx.Response(200))
    send(recorder_for(server, clock), "POST", "/identity/init", content=iter([b"a", b"b"]))
    assert 2 * [("POST", f"{URL}/identity/init", b"ab")] == server.requests


# Missing responses


DROPPED = httpx.RemoteProtocolError("Server disconnected without sending a response.")


CUT = httpx.RemoteProtocolError("peer closed connection without sending complete message body")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "error", [DROPPED, CUT, httpx.ReadError("reset"), httpx.WriteError("x"), BrokenPipeError()]
)
def test_lost_request_is_sent_again(error: Exception, method: str, clock: Clock) -> None:
    """A request may be lost twice; the server may have carried it out each time."""
    server = Server(error, error, httpx.Response(200))
    recorder = recorder_for(server, clock)
    assert 200 == send(recorder, method).status_code
    (kept,) = recorder.history
    assert (3, 3, 2) == (len(server.requests), recorder.requests, recorder.lost)
    assert (2, 2) == (kept.lost, kept.repeats)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request_that_is_lost_again_and_again_is_unanswered(method: str, clock: Clock) -> None:
    """The third loss in a row is a violation, and not a note as well."""
    server = Server(DROPPED)
    recorder = recorder_for(server, clock)
    with pytest.raises(
        UnansweredError, match=r"cut off \(RemoteProtocolError\), 3 times in a row"
    ) as caught:
        send(recorder, method)
    assert ("getMe", 3, []) == (caught.value.operation, len(server.requests), recorder.history)
    lost = caught.value.exchange
    assert lost is not None
    assert ("getMe", method, NO_ANSWER) == (lost.operation, lost.method, lost.status)
    assert "no answer" == shown(lost)


def test_answer_that_breaks_off_is_shown_as_far_as_it_arrived() -> None:
    """The error has the request, the status and the part of the body that arrived."""

    def pieces() -> Iterator[bytes]:
        yield b"begun"
        raise CUT

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from pieces()

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Body()))
    with pytest.raises(UnansweredError, match="cut off") as caught:
        send(Recorder(transport=transport))
    assert caught.value.exchange is not None
    assert "200 no Content-Type\nbegun" == shown(caught.value.exchange)


def test_request_to_a_server_that_is_gone_is_in_the_error(clock: Clock) -> None:
    """A refused connection has no answer either."""
    recorder = recorder_for(Server(httpx.ConnectError("refused")), clock)
    with pytest.raises(GoneError) as caught:
        send(recorder)
    assert caught.value.exchange is not None
    assert ("getMe", NO_ANSWER) == (caught.value.exchange.operation, caught.value.exchange.status)


def test_losses_between_answers_are_counted_alone(clock: Clock) -> None:
    """Losses of different requests do not add up to a violation."""
    script: list[Step] = [DROPPED, DROPPED, httpx.Response(200)]
    recorder = recorder_for(Server(*3 * script), clock)
    assert [200, 200, 200] == [send(recorder).status_code for _ in range(3)]
    assert (6, [2, 2, 2]) == (recorder.lost, [kept.lost for kept in recorder.history])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refused_connection_is_tried_again(method: str, clock: Clock) -> None:
    """A server may restart within some seconds."""
    refused = httpx.ConnectError("refused")
    recorder = recorder_for(Server(refused, refused, httpx.Response(200)), clock)
    assert 200 == send(recorder, method).status_code
    assert ([0.5, 1.0], 0) == (clock.slept, recorder.history[0].repeats)


@pytest.mark.parametrize("before", [[], [DROPPED]])
def test_server_that_accepts_no_connection_is_gone(before: list[Exception], clock: Clock) -> None:
    """A connection that is refused for some seconds is an error."""
    server = Server(*before, httpx.ConnectError("refused"))
    with pytest.raises(GoneError, match="the server stopped answering: refused") as caught:
        send(recorder_for(server, clock))
    assert ("getMe", [0.5, 1.0, 2.0]) == (caught.value.operation, clock.slept)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ReadTimeout("slow"), "no answer within 20 s"),
        (httpx.ConnectTimeout("slow"), "no answer within 20 s"),
        (httpx.RemoteProtocolError("illegal status line"), "not valid HTTP: illegal status line"),
        (OSError("odd"), r"the answer was cut off \(OSError\)"),
    ],
)
@pytest.mark.parametrize("before", [[], [DROPPED]])
def test_other_failure_is_not_tried_again(
    error: Exception, words: str, before: list[Exception], clock: Clock
) -> None:
    """A timeout takes too long to repeat; the message has the cause."""
    recorder = recorder_for(Server(*before, error), clock)
    with pytest.raises(UnansweredError, match=words):
        send(recorder)
    assert (1 + len(before), []) == (len(_server(recorder).requests), recorder.history)


def _server(recorder: Recorder) -> Server:
    """Return a recorder's server."""
    server = recorder._inner
    assert isinstance(server, Server)
    return server


def test_timeout_without_a_limit_is_reported(clock: Clock) -> None:
    """The message needs no limit."""
    facts = CallFacts("getMe")
    request = httpx.Request("GET", URL, extensions={CALL: facts})
    with pytest.raises(UnansweredError, match="no answer in time"):
        recorder_for(Server(httpx.ReadTimeout("slow")), clock).handle_request(request)


def test_headers_of_the_network_are_sent(clock: Clock) -> None:
    """Each request has the headers of a gateway, also when it is repeated."""
    server = Server(refusal()({"retryAfter": 1}), httpx.Response(200))
    recorder = recorder_for(server, clock, network=Network(headers=(("X-Gateway", "pass"),)))
    send(recorder, headers={"X-Gateway": "other"})
    assert 2 * ["pass"] == [headers["X-Gateway"] for headers in server.headers]


def test_truncated_body_is_not_recorded(clock: Clock) -> None:
    """Part of a response is not judged, and its connection is released."""
    body = Pieces(clock, (1, b"{"), error=httpx.ReadError("cut"))
    recorder = recorder_for(Server(httpx.Response(200, stream=body)), clock)
    with pytest.raises(UnansweredError, match="cut off"):
        send(recorder)
    assert ([], True) == (recorder.history, body.closed)


def test_response_time_is_limited(clock: Clock) -> None:
    """A stream that never ends is aborted, even if data still arrives."""
    start = clock.now
    body = Pieces(clock, *1000 * [(1.0, b": ping\n\n")])
    recorder = recorder_for(Server(httpx.Response(200, stream=body)), clock)
    with pytest.raises(UnansweredError, match="the answer does not end"):
        send(recorder)
    assert (90.0, True) == (clock.now - start, body.closed)


def test_response_size_is_limited(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response of the maximum size is read, and a larger one is aborted."""
    monkeypatch.setattr(recorder_module, "LARGEST_ANSWER", 10)
    recorder = recorder_for(Server(httpx.Response(200, content=10 * b"x")), clock)
    assert 10 == len(send(recorder).content)
    body = Pieces(clock, *1000 * [(0.0, b"xxxx")])
    with pytest.raises(UnansweredError, match="the answer does not end"):
        send(recorder_for(Server(httpx.Response(200, stream=body)), clock))
    assert body.closed


@pytest.mark.parametrize("error", [UnansweredError("getMe", "no"), GoneError("no"), TimeUpError()])
def test_errors_are_not_retried_by_hypothesis(error: BaseException) -> None:
    """Hypothesis retries after an `Exception`, and must not retry a silent server."""
    assert not isinstance(error, Exception)


def test_recorder_closes_its_transport(clock: Clock) -> None:
    """Closing closes the given transport, or the default one."""
    server = Server(httpx.Response(200))
    recorder_for(server, clock).close()
    assert server.closed
    Recorder().close()


# Servers that drip


PLACES = {
    "status line": b"HTTP/1.1 200 OK",
    "header": b"HTTP/1.1 200 OK\r\nX-Long: abcdefghijklmnop",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + 20 * b"x",
}
STEP = 0.02


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """Start servers that send the last bytes of an answer one by one, for ever."""
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(stopped.set)

        def start(answer: bytes) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                with contextlib.suppress(OSError), listener.accept()[0] as connection:
                    connection.sendall(answer[:-1])
                    while not stopped.wait(STEP):
                        connection.sendall(answer[-1:])

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}/v2"

        yield start


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("until", "error"), [(0.2, TimeUpError), (math.inf, UnansweredError)])
def test_dripping_answer_is_limited(
    place: str,
    until: float,
    error: type[BaseException],
    dripping: Callable[[bytes], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the time of the run nor that of an answer is prolonged by single bytes."""
    monkeypatch.setattr(recorder_module, "LONGEST_ANSWER", 0.3)
    url = dripping(PLACES[place])
    with contextlib.closing(Recorder(base_url=url)) as recorder:
        recorder.until = time.monotonic() + until
        began = time.monotonic()
        with pytest.raises(error), httpx.Client(transport=recorder, timeout=20) as client:
            client.get(url, extensions={CALL: CallFacts("getMe")})
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silent_server_is_limited(scheme: str) -> None:
    """A server that accepts a connection and sends nothing, or no handshake, is limited."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v2"
        with contextlib.closing(Recorder(base_url=url)) as recorder:
            recorder.until = time.monotonic() + 0.2
            with pytest.raises(TimeUpError), httpx.Client(transport=recorder) as client:
                client.get(url, extensions={CALL: CallFacts("getMe")}, timeout=20)
