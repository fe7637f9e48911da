"""What goes over the wire is paced, waited for, and kept as it came."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from siteassist_contract.http import recorder as recorder_module
from siteassist_contract.http.recorder import (
    CALL,
    CallFacts,
    Exchange,
    GoneError,
    Recorder,
    UnansweredError,
    proxy_for,
)

URL = "http://127.0.0.1/v2"
Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Clock:
    """A clock that stands still until somebody sleeps or a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the time on."""
        self.slept.append(round(seconds, 6))
        self.now += seconds


class Server(httpx.BaseTransport):
    """Answers with one step of a script after the other; the last one stays."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.requests: list[tuple[str, str, bytes]] = []
        self.encodings: list[str] = []
        self.closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Give the next answer, or fail as the script says."""
        self.requests.append((request.method, str(request.url), request.read()))
        self.encodings.append(request.headers["Accept-Encoding"])
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Pieces(httpx.SyncByteStream):
    """A body that comes piece by piece, each after some seconds."""

    def __init__(
        self, clock: Clock, *pieces: tuple[float, bytes], error: Exception | None = None
    ) -> None:
        self._clock = clock
        self._pieces = pieces
        self._error = error
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces."""
        for seconds, piece in self._pieces:
            self._clock.now += seconds
            yield piece
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put a clock of ours in the place of the real one."""
    clock = Clock()
    monkeypatch.setattr(recorder_module, "time", clock)
    return clock


def wire_to(server: Server, clock: Clock, **options: Any) -> Recorder:
    """Make a wire that leads to a server of ours."""
    return Recorder(transport=server, sleep=clock.sleep, **options)


def ask(
    recorder: Recorder, method: str = "GET", path: str = "/identity/me", **rest: Any
) -> httpx.Response:
    """Send one request as a client does."""
    with httpx.Client(transport=_Kept(recorder), timeout=20) as client:
        facts = CallFacts("getMe", "first", base_path="/v2")
        return client.request(method, URL + path, extensions={CALL: facts}, **rest)


class _Kept(httpx.BaseTransport):
    """Leads to a wire that several clients use, one after the other."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._recorder.handle_request(request)


def refusal(**headers: str) -> Callable[..., httpx.Response]:
    """Make an answer that says later."""

    def answer(details: Any = None, body: bytes | None = None) -> httpx.Response:
        error = {"message": "Later", "code": "TOO_MANY_REQUESTS", "details": details}
        content = json.dumps({"error": error}).encode() if body is None else body
        return httpx.Response(429, headers=headers, content=content)

    return answer


def exchange(
    content: bytes = b"", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Exchange:
    """Make an exchange out of what matters for a test."""
    return Exchange("getMe", "", "GET", "/x", body, "", 200, headers or {}, content, 0.0, 0.0, 0)


# What is kept


def test_exchange_is_kept_as_it_came(clock: Clock) -> None:
    """Request and answer, when its body began and ended, and in how many pieces it came."""
    body = Pieces(clock, (1, b""), (2, b'{"a":'), (0, b""), (3, b"1}"))
    headers = [("Content-Type", "Application/JSON; charset=utf-8"), ("X-A", "1"), ("X-A", "2")]
    server = Server(httpx.Response(201, headers=headers, stream=body))
    recorder = wire_to(server, clock)
    answer = ask(recorder, "POST", "/search?q=%C3%BC+b&c=%20", json={"x": 1}, headers={"X-Y": "z"})
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


def test_answer_is_asked_for_as_it_is(clock: Clock) -> None:
    """Nothing compresses what is to be looked at, whatever the client would like."""
    server = Server(httpx.Response(200))
    ask(wire_to(server, clock), headers={"Accept-Encoding": "gzip"})
    assert ["identity"] == server.encodings


def test_answer_without_a_body_never_began(clock: Clock) -> None:
    """No byte, no time; a request without a body has no media type either."""
    recorder = wire_to(Server(httpx.Response(204)), clock)
    ask(recorder, headers={"Content-Type": "text/plain"})
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
def test_body_is_read_if_it_can_be(content: bytes, json_value: object, document: object) -> None:
    """JSON in the documented spelling; anything else is nothing, never an error."""
    kept = exchange(content, content)
    assert (json_value, document) == (kept.json, kept.document)


@pytest.mark.parametrize(("body", "sent"), [(b"[1]", [1]), (b"", None), (b"\xff{", None)])
def test_sent_body_is_read_if_it_can_be(body: bytes, sent: object) -> None:
    """What was sent may be no JSON on purpose."""
    assert sent == exchange(body=body).sent


def test_bytes_are_not_shown_by_accident() -> None:
    """A body may hold a token, so that no assertion or log prints an exchange's answer."""
    assert "secret" not in repr(exchange(b"secret", headers={"x-token": "secret"}))


# Pacing


def test_requests_keep_their_distance(clock: Clock) -> None:
    """Two a second: the second waits for half of one, a late one for nothing."""
    recorder = wire_to(Server(httpx.Response(200)), clock, per_second=2)
    for _ in range(3):
        ask(recorder)
    clock.now += 10
    ask(recorder)
    ask(recorder)
    assert [0.5, 0.5, 0.5] == clock.slept
    assert (5, 0.0) == (recorder.requests, recorder.waited)


def test_nobody_waits_without_a_pace(clock: Clock) -> None:
    """As fast as the server answers."""
    recorder = wire_to(Server(httpx.Response(200)), clock)
    for _ in range(3):
        ask(recorder)
    assert ([], 3) == (clock.slept, recorder.requests)


def test_somebody_watches_each_request(clock: Clock) -> None:
    """Before it is sent, so that a run can end there."""
    seen: list[int] = []
    server = Server(httpx.Response(200))
    recorder = wire_to(server, clock, watch=lambda: seen.append(len(server.requests)))
    ask(recorder)
    ask(recorder)
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
def test_server_may_say_when_to_come_back(
    answer: httpx.Response, waited: float, clock: Clock
) -> None:
    """In the error's details, which are documented, or else in the header."""
    recorder = wire_to(Server(answer, httpx.Response(200)), clock)
    assert 200 == ask(recorder).status_code
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
def test_without_a_time_nobody_waits(answer: httpx.Response, clock: Clock) -> None:
    """Such an answer is an answer like any other."""
    recorder = wire_to(Server(answer), clock)
    assert answer.status_code == ask(recorder).status_code
    assert ([], 1) == (clock.slept, recorder.requests)
    assert [answer.status_code] == [kept.status for kept in recorder.history]


def test_patience_has_an_end(clock: Clock) -> None:
    """After four waits the refusal is the answer; each try was a request."""
    recorder = wire_to(Server(refusal()({"retryAfter": 1})), clock, per_second=1)
    assert 429 == ask(recorder).status_code
    assert (5, 4.0, [429]) == (
        recorder.requests,
        recorder.waited,
        [kept.status for kept in recorder.history],
    )


@pytest.mark.parametrize("seconds", [61, 999_999])
def test_too_long_a_wait_ends_the_run(seconds: float, clock: Clock) -> None:
    """Nobody waits for more than a minute."""
    recorder = wire_to(Server(refusal()({"retryAfter": seconds})), clock)
    with pytest.raises(GoneError, match=rf"retry after {seconds:.0f} s \(429\)"):
        ask(recorder)
    assert ([], []) == (clock.slept, recorder.history)


def test_what_is_sent_again_is_the_same(clock: Clock) -> None:
    """Its body too."""
    server = Server(refusal()({"retryAfter": 1}), httpx.Response(200))
    ask(wire_to(server, clock), "POST", "/identity/init", content=iter([b"a", b"b"]))
    assert 2 * [("POST", f"{URL}/identity/init", b"ab")] == server.requests


# When nothing comes


DROPPED = httpx.RemoteProtocolError("Server disconnected without sending a response.")


def test_reading_is_tried_again_on_a_dropped_connection(clock: Clock) -> None:
    """An idle connection may be closed at any time, which is nobody's fault."""
    server = Server(DROPPED, httpx.Response(200))
    recorder = wire_to(server, clock)
    assert 200 == ask(recorder).status_code
    assert (2, 1, 1) == (len(server.requests), recorder.requests, len(recorder.history))


def test_writing_is_not_tried_again(clock: Clock) -> None:
    """Nobody knows whether it was done, and doing it twice would be something else."""
    server = Server(DROPPED, httpx.Response(200))
    recorder = wire_to(server, clock)
    with pytest.raises(UnansweredError, match="Server disconnected") as caught:
        ask(recorder, "POST")
    assert ("getMe", 1, []) == (caught.value.operation, len(server.requests), recorder.history)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_server_that_is_not_there_ends_the_run(method: str, clock: Clock) -> None:
    """Without a connection there is nothing to test."""
    with pytest.raises(GoneError, match="the server stopped answering: refused"):
        ask(wire_to(Server(httpx.ConnectError("refused")), clock), method)


def test_server_may_go_between_two_tries(clock: Clock) -> None:
    """The second try is judged like a first one."""
    with pytest.raises(GoneError, match="the server stopped answering: refused"):
        ask(wire_to(Server(DROPPED, httpx.ConnectError("refused")), clock))


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
def test_request_without_an_answer_is_told(
    error: Exception, words: str, before: list[Exception], clock: Clock
) -> None:
    """How it ended, with the first try and with the second."""
    recorder = wire_to(Server(*before, error), clock)
    with pytest.raises(UnansweredError, match=words):
        ask(recorder)
    assert (1 + len(before), []) == (len(_server(recorder).requests), recorder.history)


def _server(recorder: Recorder) -> Server:
    """Return the server that a wire leads to."""
    server = recorder._inner
    assert isinstance(server, Server)
    return server


def test_answer_that_drops_twice_is_told(clock: Clock) -> None:
    """A connection that drops again was not idle."""
    with pytest.raises(UnansweredError, match=r"cut off \(RemoteProtocolError\)"):
        ask(wire_to(Server(DROPPED), clock))


def test_timeout_without_a_limit_is_told(clock: Clock) -> None:
    """Whoever sets no limit still gets an answer in words."""
    facts = CallFacts("getMe")
    request = httpx.Request("GET", URL, extensions={CALL: facts})
    with pytest.raises(UnansweredError, match="no answer in time"):
        wire_to(Server(httpx.ReadTimeout("slow")), clock).handle_request(request)


def test_body_that_breaks_off_is_no_answer(clock: Clock) -> None:
    """Part of an answer is not judged, and its connection is given back."""
    body = Pieces(clock, (1, b"{"), error=httpx.ReadError("cut"))
    recorder = wire_to(Server(httpx.Response(200, stream=body)), clock)
    with pytest.raises(UnansweredError, match="cut off"):
        ask(recorder)
    assert ([], True) == (recorder.history, body.closed)


def test_answer_that_goes_on_too_long_is_ended(clock: Clock) -> None:
    """A stream that never ends, however alive, is no answer."""
    body = Pieces(clock, *1000 * [(1.0, b": ping\n\n")])
    recorder = wire_to(Server(httpx.Response(200, stream=body)), clock)
    with pytest.raises(UnansweredError, match="the answer does not end"):
        ask(recorder)
    assert (1121.0, True) == (clock.now, body.closed)


def test_answer_that_is_too_large_is_ended(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it fills the memory; what is just as large as it may be is read."""
    monkeypatch.setattr(recorder_module, "LARGEST_ANSWER", 10)
    recorder = wire_to(Server(httpx.Response(200, content=10 * b"x")), clock)
    assert 10 == len(ask(recorder).content)
    body = Pieces(clock, *1000 * [(0.0, b"xxxx")])
    with pytest.raises(UnansweredError, match="the answer does not end"):
        ask(wire_to(Server(httpx.Response(200, stream=body)), clock))
    assert body.closed


@pytest.mark.parametrize("error", [UnansweredError("getMe", "no"), GoneError("no")])
def test_no_search_for_examples_swallows_silence(error: BaseException) -> None:
    """Hypothesis tries every `Exception` again, which a silent server would not survive."""
    assert not isinstance(error, Exception)


def test_wire_closes_its_connections(clock: Clock) -> None:
    """And makes real ones if nobody gives it others."""
    server = Server(httpx.Response(200))
    wire_to(server, clock).close()
    assert server.closed
    Recorder().close()


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that other programs use, unless the address is to be reached without it."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("http://api.example/v2") is None
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    assert "http://127.0.0.1:3128" == proxy_for("http://api.example/v2")
    assert proxy_for("https://api.example/v2") is None
    monkeypatch.setenv("no_proxy", "api.example")
    assert proxy_for("http://api.example/v2") is None


def test_a_server_that_refuses_everything_is_given_up(clock: Clock) -> None:
    """Nothing can be learned from a server that is overloaded all the time."""
    recorder = wire_to(Server(lambda _: httpx.Response(503)), clock)
    for _ in range(24):
        ask(recorder)
    with pytest.raises(GoneError, match="refuses all requests, the last one with 503"):
        ask(recorder)
