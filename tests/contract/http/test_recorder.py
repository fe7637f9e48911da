"""The recorder's pacing, waiting and history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.http import recorder as recorder_module
from siteassist_contract.http.network import Network
from siteassist_contract.http.recorder import (
    CALL,
    CallFacts,
    Exchange,
    GoneError,
    Recorder,
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
    assert ([waited], waited, 2) == (clock.slept, recorder.waited, recorder.requests)
    assert [200] == [kept.status for kept in recorder.history]


@pytest.mark.parametrize(
    "answer",
    [
        refusal()(),
        refusal()({"retryAfter": "3"}),
        refusal(**{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})(),
        refusal(**{"Retry-After": "-1"})(),
        refusal(**{"Retry-After": ""})(),
        httpx.Response(503, json={"error": {"details": {"retryAfter": 3}}}),
        httpx.Response(200, headers={"Retry-After": "3"}),
    ],
)
def test_refusal_without_a_time_is_returned(answer: httpx.Response, clock: Clock) -> None:
    """Without a usable time in a 429, the response is recorded like any other."""
    recorder = recorder_for(Server(answer), clock)
    assert answer.status_code == send(recorder).status_code
    assert ([], 1) == (clock.slept, recorder.requests)
    assert [answer.status_code] == [kept.status for kept in recorder.history]


def test_retries_are_limited(clock: Clock) -> None:
    """After four waits the refusal is the response; each attempt counts as a request."""
    recorder = recorder_for(Server(refusal()({"retryAfter": 1})), clock, per_second=1)
    assert 429 == send(recorder).status_code
    assert (5, 4.0, [429]) == (
        recorder.requests,
        recorder.waited,
        [kept.status for kept in recorder.history],
    )


@pytest.mark.parametrize("seconds", [61, 999_999])
def test_long_wait_ends_the_run(seconds: float, clock: Clock) -> None:
    """A wait of more than a minute is an error."""
    recorder = recorder_for(Server(refusal()({"retryAfter": seconds})), clock)
    with pytest.raises(GoneError, match=rf"retry after {seconds:.0f} s \(429\)"):
        send(recorder)
    assert ([], []) == (clock.slept, recorder.history)


def test_retry_sends_the_same_request(clock: Clock) -> None:
    """A retry has the same body, even if it came from an iterator."""
    server = Server(refusal()({"retryAfter": 1}), httpx.Response(200))
    send(recorder_for(server, clock), "POST", "/identity/init", content=iter([b"a", b"b"]))
    assert 2 * [("POST", f"{URL}/identity/init", b"ab")] == server.requests


# Missing responses


DROPPED = httpx.RemoteProtocolError("Server disconnected without sending a response.")


def test_get_is_retried_after_a_dropped_connection(clock: Clock) -> None:
    """A server may close an idle connection at any time."""
    server = Server(DROPPED, httpx.Response(200))
    recorder = recorder_for(server, clock)
    assert 200 == send(recorder).status_code
    assert (2, 1, 1) == (len(server.requests), recorder.requests, len(recorder.history))


def test_post_is_not_retried(clock: Clock) -> None:
    """The server may have processed the request before it dropped the connection."""
    server = Server(DROPPED, httpx.Response(200))
    recorder = recorder_for(server, clock)
    with pytest.raises(UnansweredError, match="Server disconnected") as caught:
        send(recorder, "POST")
    assert ("getMe", 1, []) == (caught.value.operation, len(server.requests), recorder.history)


@pytest.mark.parametrize(("method", "before"), [("GET", []), ("POST", []), ("GET", [DROPPED])])
def test_refused_connection_ends_the_run(
    method: str, before: list[Exception], clock: Clock
) -> None:
    """A refused connection is an error for any method, also on a retry."""
    server = Server(*before, httpx.ConnectError("refused"))
    with pytest.raises(GoneError, match="the server stopped answering: refused"):
        send(recorder_for(server, clock), method)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ReadTimeout("slow"), "no answer within 20 s"),
        (httpx.ConnectTimeout("slow"), "no answer within 20 s"),
        (httpx.ReadError("cut"), r"the answer was cut off \(ReadError\)"),
        (ConnectionResetError(), r"the answer was cut off \(ConnectionResetError\)"),
    ],
)
@pytest.mark.parametrize("before", [[], [DROPPED]])
def test_missing_response_is_reported(
    error: Exception, words: str, before: list[Exception], clock: Clock
) -> None:
    """The message has the cause, on a first attempt and on a retry."""
    recorder = recorder_for(Server(*before, error), clock)
    with pytest.raises(UnansweredError, match=words):
        send(recorder)
    assert (1 + len(before), []) == (len(_server(recorder).requests), recorder.history)


def _server(recorder: Recorder) -> Server:
    """Return a recorder's server."""
    server = recorder._inner
    assert isinstance(server, Server)
    return server


def test_second_dropped_connection_is_reported(clock: Clock) -> None:
    """A connection that drops on a retry was not idle."""
    with pytest.raises(UnansweredError, match=r"cut off \(RemoteProtocolError\)"):
        send(recorder_for(Server(DROPPED), clock))


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
    assert (121.0, True) == (clock.now - start, body.closed)


def test_response_size_is_limited(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response of the maximum size is read, and a larger one is aborted."""
    monkeypatch.setattr(recorder_module, "LARGEST_ANSWER", 10)
    recorder = recorder_for(Server(httpx.Response(200, content=10 * b"x")), clock)
    assert 10 == len(send(recorder).content)
    body = Pieces(clock, *1000 * [(0.0, b"xxxx")])
    with pytest.raises(UnansweredError, match="the answer does not end"):
        send(recorder_for(Server(httpx.Response(200, stream=body)), clock))
    assert body.closed


@pytest.mark.parametrize("error", [UnansweredError("getMe", "no"), GoneError("no")])
def test_errors_are_not_retried_by_hypothesis(error: BaseException) -> None:
    """Hypothesis retries after an `Exception`, and must not retry a silent server."""
    assert not isinstance(error, Exception)


def test_recorder_closes_its_transport(clock: Clock) -> None:
    """Closing closes the given transport, or the default one."""
    server = Server(httpx.Response(200))
    recorder_for(server, clock).close()
    assert server.closed
    Recorder().close()


def test_overloaded_server_ends_the_run(clock: Clock) -> None:
    """The 25th refusal in a row ends the run."""
    recorder = recorder_for(Server(lambda _: httpx.Response(503)), clock)
    for _ in range(24):
        send(recorder)
    with pytest.raises(GoneError, match="refuses all requests, the last one with 503"):
        send(recorder)
