"""The servers do what the sentences of their modes and places state."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from siteassist_spec import JSON, SPEC_PATH, Document, Operation
from siteassist_spec.schemas import compile_schema, complaints
from tests.hostile.correct import CORRECT
from tests.hostile.exchange import GIB, Request, operations
from tests.hostile.modes import C1, DEPTH, DIGITS, ESCAPES, HOSTILE, ODD_HEADERS, bomb
from tests.hostile.places import AFTER, PLACES
from tests.hostile.server import MODES, hostile_server
from tests.values import API_KEY, BEARER, PRIVATE_KEY, UNKNOWN_ID

FOR_EVER = 1e6
"""A pace at which nothing comes after a first byte or a wait."""
SHORT = 0.2
"""The time in which nothing comes, in seconds."""
ENOUGH = 1 << 20
SOURCE = Path(__file__).read_text(encoding="utf-8")
PROJECT = f"/projects/current?apiKey={API_KEY}"
MESSAGE = {"messages": [{"role": "user", "content": "How long does shipping take?"}]}
SUCCESSES = [one for one in operations().values() if any(JSON in r.media for r in one.successes)]


@contextmanager
def client_of(name: str, place: str = "first", pace: float = 0) -> Iterator[httpx.Client]:
    """Run a server, and yield a client for it."""
    with (
        hostile_server(MODES[name], PLACES[place], pace=pace) as server,
        httpx.Client(base_url=server.url, headers=BEARER, trust_env=False, timeout=30) as client,
    ):
        yield client


@contextmanager
def connected(name: str, target: str = PROJECT, pace: float = 0) -> Iterator[socket.socket]:
    """Run a server, and yield a connection on which a request was sent."""
    with hostile_server(MODES[name], PLACES["first"], pace=pace) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as connection:
            lines = [f"GET {parts.path}{target} HTTP/1.1", f"Host: {parts.netloc}"]
            lines += [f"Authorization: Bearer {PRIVATE_KEY}", "", ""]
            connection.sendall("\r\n".join(lines).encode())
            yield connection


def received(connection: socket.socket, size: int = ENOUGH) -> bytes:
    """Return what comes on a connection, up to ``size`` bytes or its end."""
    data = bytearray()
    while len(data) < size and (piece := connection.recv(ENOUGH)):
        data += piece
    return bytes(data)


def streamed(client: httpx.Client) -> httpx.Response:
    """Return a whole event stream."""
    return client.post("/chat/completions", json={**MESSAGE, "stream": True})


def payloads(response: httpx.Response) -> list[Any]:
    """Return the JSON of the events of a stream."""
    lines = response.text.split("\n")
    return [json.loads(one.removeprefix("data: ")) for one in lines if one.startswith("data: {")]


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def is_silent(connection: socket.socket) -> bool:
    """Return whether nothing comes on an open connection."""
    connection.settimeout(SHORT)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    return False


# Hostile modes


@pytest.mark.parametrize("name", HOSTILE)
def test_every_mode_has_a_sentence_and_a_test(name: str) -> None:
    """The sentence is one line, and this module has the name of the mode."""
    mode = HOSTILE[name]
    assert mode.sentence.endswith(".")
    assert len(mode.sentence) < 90
    assert f'"{name}"' in SOURCE


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("drip-head", b"HTTP/1.1 200 OK\r\nX-Header: xxx"),
        ("drip-body", b"HTTP/1.1 200 Hostile\r\n"),
    ],
)
def test_drips_never_end(name: str, start: bytes) -> None:
    """More and more bytes come; with time between them in a real run."""
    with connected(name) as connection:
        data = received(connection, 2_000)
    assert data.startswith(start)
    assert {data[-1:]} == {data[-20:-19]} <= {b"x", b" "}


def test_drip_sends_a_byte_at_a_time() -> None:
    """The first byte comes alone."""
    with connected("drip-head", pace=FOR_EVER) as connection:
        assert b"H" == connection.recv(100)
        assert is_silent(connection)


def test_hang_never_answers() -> None:
    """Nothing comes, and the connection stays open."""
    with connected("hang") as connection:
        assert is_silent(connection)


def test_hang_ends_with_the_client() -> None:
    """The server closes the connection when the client does."""
    with connected("hang") as connection:
        connection.shutdown(socket.SHUT_WR)
        assert b"" == connection.recv(1)


def test_reset() -> None:
    """The connection is reset, not closed."""
    with connected("reset") as connection, pytest.raises(ConnectionResetError):
        received(connection)


@pytest.mark.parametrize(
    ("name", "repeated"),
    [
        ("endless-headers", b"X-Header: value\r\n"),
        ("endless-body", b", 0"),
        ("endless-line", b"xxx"),
        ("endless-continue", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("endless-events", b'data: {"type": "text-delta", "id": "msg_1", "delta": "again "}\n\n'),
    ],
)
def test_endless_modes_repeat(name: str, repeated: bytes) -> None:
    """Megabytes of the same come, at once."""
    with connected(name) as connection:
        data = received(connection, 4 * ENOUGH)
    assert data.count(repeated) > (4 * ENOUGH - 1_000) // len(repeated)


def test_endless_modes_have_a_header_that_fits() -> None:
    """A body and events begin with complete headers of their type."""
    for name, kind in (("endless-body", JSON), ("endless-events", "text/event-stream")):
        with connected(name) as connection:
            head = received(connection).partition(b"\r\n\r\n")[0]
        assert f"content-type: {kind}".encode() in head.lower()
        assert b"content-length" not in head.lower()


def test_gzip_bomb() -> None:
    """A body below 2 MiB is a valid gzip file with a JSON text of 1 GiB."""
    with client_of("gzip-bomb") as client, client.stream("GET", PROJECT) as response:
        body = b"".join(response.iter_raw())
    assert "gzip" == response.headers["Content-Encoding"]
    assert bomb() == body
    assert len(body) < 2 << 20
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    size, last = 0, b""
    while not unpacker.eof:
        piece = unpacker.decompress(body, ENOUGH)
        body = unpacker.unconsumed_tail
        size += len(piece)
        last = piece or last
    # The end is reached only if the checksum is right.
    assert (GIB + 2, b'"') == (size, last[-1:])


def test_length_too_large() -> None:
    """The client misses the end of the body."""
    with (
        client_of("length-too-large") as client,
        pytest.raises(httpx.RemoteProtocolError, match="closed connection without sending"),
    ):
        client.get(PROJECT)


def test_length_too_small() -> None:
    """The body is ten bytes longer than stated, and the connection stays open."""
    with connected("length-too-small") as connection:
        head, _, body = connection.recv(ENOUGH).partition(b"\r\n\r\n")
        assert is_silent(connection)
    stated = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    assert int(stated) + 10 == len(body)


def test_huge() -> None:
    """The body is a JSON text of exactly 1 GiB."""
    with connected("huge") as connection:
        start = connection.recv(1_000)
        head, _, body = start.partition(b"\r\n\r\n")
        assert f"Content-Length: {GIB}".encode() in head
        size, first, last = len(body), b"", body
        while size < GIB:
            last = connection.recv(ENOUGH)
            first = first or last[:1]
            size += len(last)
    assert (GIB, b'"') == (size, last[-1:])
    assert b'"' == (body[:1] or first)


def test_deep_json() -> None:
    """The text is deeper than a parser that calls itself can go, and has its right length."""
    with client_of("deep-json") as client:
        text = client.get(PROJECT).text
        stream = streamed(client)
    assert "[" * DEPTH + "]" * DEPTH == text
    assert f"data: {text}\n\ndata: [DONE]\n\n" == stream.text
    with pytest.raises(RecursionError):
        json.loads(text)


def test_long_numbers() -> None:
    """Python refuses to convert the numbers."""
    with client_of("long-numbers") as client:
        answers = [client.get("/conversations?limit=1"), streamed(client)]
    for answer in answers:
        assert 200 == answer.status_code
        assert "9" * DIGITS in answer.text
    with pytest.raises(ValueError, match="Exceeds the limit"):
        answers[0].json()


@pytest.mark.parametrize(("name", "addition"), [("escapes", ESCAPES), ("surrogates", "\ud800")])
def test_every_text_ends_with_an_addition(name: str, addition: str) -> None:
    """That includes errors and each event of a stream."""
    with client_of(name) as client:
        values = [client.get(PROJECT).json(), client.get(f"/conversations/{UNKNOWN_ID}").json()]
        values += payloads(streamed(client))
    assert len(values) > 4
    for value in values:
        found = list(texts(value))
        assert found
        assert found == [one for one in found if one.endswith(addition)]


def test_escapes_around_the_body() -> None:
    """The reason, two headers and the name of a property have sequences as well."""
    with client_of("escapes") as client:
        answer = client.get(PROJECT)
    assert b"OK" + C1 == answer.extensions["reason_phrase"]
    # The clients of HTTP read headers as Latin-1.
    raw = dict(answer.headers.raw)
    assert (C1, b"application/json; x=" + C1) == (raw[b"x-text"], raw[b"content-type"])
    assert f"name{ESCAPES}" in answer.json()


def test_escapes_in_plain_text() -> None:
    """A text that is not JSON gets the sequences, too."""
    with client_of("escapes") as client:
        # The page of the reference is outside of the API.
        url = client.base_url.copy_with(raw_path=b"/docs")
        assert client.get(url, follow_redirects=False).text.endswith(ESCAPES)


def test_odd_values() -> None:
    """Answers differ from each other in a value, and in a header."""
    with client_of("odd-values") as client:
        answers = []
        for _ in range(40):
            answers.append(client.get(PROJECT))
            # httpx cannot send some of them back.
            client.cookies.clear()
    assert len({one.content for one in answers}) > 20
    named = {name for one in answers for name, _ in one.headers.raw}
    assert {name for name, _ in ODD_HEADERS} <= {name.lower() for name in named}


def test_redirect() -> None:
    """Each redirect leads to another one."""
    with client_of("redirect") as client:
        with pytest.raises(httpx.TooManyRedirects):
            client.get(PROJECT, follow_redirects=True)
        first = client.get(PROJECT)
    assert 302 == first.status_code
    assert first.headers["Location"].startswith("/elsewhere/")


def test_login_page() -> None:
    """All answers are 200 and HTML."""
    with client_of("login-page") as client:
        answers = [client.get(PROJECT), client.post("/nothing"), streamed(client)]
    said = {(one.status_code, one.headers["Content-Type"], one.text[:15]) for one in answers}
    assert {(200, "text/html", "<!doctype html>")} == said


@pytest.mark.parametrize("operation", SUCCESSES, ids=lambda one: one.operation_id)
def test_other_answer(operation: Operation) -> None:
    """No operation gets an answer that its own description accepts."""
    target = operation.path
    for parameter in operation.places("path"):
        target = target.replace(f"{{{parameter.name}}}", UNKNOWN_ID)
    with client_of("other-answer") as client:
        answer = client.request(operation.method, target)
    assert answer.is_success
    document = Document.load(SPEC_PATH)
    for response in operation.successes:
        for media in response.media.values():
            assert list(complaints(compile_schema(document, media.schema), answer.json()))


def test_other_answer_to_an_unknown_path() -> None:
    """A path that is not described gets an answer as well."""
    with client_of("other-answer") as client:
        assert client.get("/nothing").is_success


# Places


def request(number: int = 1, **fields: Any) -> Request:
    """Return a request for the project."""
    given = {"method": "GET", "target": f"/v2{PROJECT}", "headers": [], "body": b"", **fields}
    return Request(number, **given)


def completion(body: bytes) -> Request:
    """Return a message to the assistant."""
    return request(method="POST", target="/v2/chat/completions", body=body)


SCHEMATHESIS = [(b"user-agent", b"schemathesis/4.32.5")]
EXAMPLES = {
    "plain": request(),
    "late": request(AFTER + 1),
    "message": completion(b'{"messages": []}'),
    "unstreamed": completion(b'{"stream": false}'),
    "stream": completion(b'{"stream": true}'),
    "malformed": completion(b"{"),
    "list": completion(b"[]"),
    "by schemathesis": request(headers=SCHEMATHESIS),
    "with its header": request(headers=[(b"x-schemathesis-testcaseid", b"1")]),
    "unknown path": request(target="/v2/nothing"),
    "conversation": request(
        method="POST", target=f"/v2/conversations/{UNKNOWN_ID}/messages", body=b'{"stream": true}'
    ),
}
MESSAGES = ["message", "unstreamed", "stream", "malformed", "list", "conversation"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("first", list(EXAMPLES)),
        ("later", ["late"]),
        ("messages", MESSAGES),
        ("made-up", ["by schemathesis", "with its header"]),
        ("streams", ["stream", "conversation"]),
    ],
)
def test_places(place: str, expected: list[str]) -> None:
    """Each place includes the requests of its sentence."""
    included = PLACES[place].includes
    assert expected == [name for name, example in EXAMPLES.items() if included(example)]


def test_every_place_is_tested() -> None:
    """The places are those of the test above."""
    assert ["first", "later", "messages", "made-up", "streams"] == list(PLACES)


def test_requests_elsewhere_are_answered_correctly() -> None:
    """A mode answers only the requests at its place, and the server counts both."""
    with hostile_server(MODES["login-page"], PLACES["messages"]) as server:
        with httpx.Client(base_url=server.url, headers=BEARER, trust_env=False) as client:
            kinds = [
                one.headers["Content-Type"]
                for one in (client.get(PROJECT), streamed(client), client.get(PROJECT))
            ]
        assert (3, 1) == (server.requests, server.hits)
    assert [JSON, "text/html", JSON] == kinds


def test_later_leaves_the_preflight_alone() -> None:
    """The mode begins after the first requests."""
    with client_of("login-page", "later") as client:
        answers = [client.get(PROJECT) for _ in range(AFTER + 2)]
    assert [JSON] * AFTER + ["text/html"] * 2 == [one.headers["Content-Type"] for one in answers]


# The server itself


def test_quiet_answers_as_the_mock() -> None:
    """Answers, errors, HEAD and streams come as the mock sends them, on one connection."""
    with client_of("quiet") as client:
        assert 200 == client.get(PROJECT).status_code
        assert "PAYMENT" not in client.get(PROJECT).text
        assert 404 == client.get(f"/conversations/{UNKNOWN_ID}").status_code
        assert 201 == client.post("/conversations").status_code
        assert b"" == client.head(PROJECT).content
        assert streamed(client).text.endswith("data: [DONE]\n\n")
        created = client.post("/identity/init", json={"apiKey": API_KEY, "saVid": "one"}).json()
        assert "sessionToken" in created


def test_quiet_passes_sockets_on() -> None:
    """A handshake reaches the mock, and the socket works."""
    with client_of("quiet") as client:
        chat = client.post("/conversations").json()["id"]
        base = str(client.base_url).replace("http", "ws", 1)
        with connect(f"{base}conversations/{chat}/ws?apiKey={API_KEY}", proxy=None) as channel:
            url = client.base_url.copy_with(
                raw_path=f"/_mock/conversations/{chat}/handover".encode()
            )
            assert client.post(url, json={"name": "Sam"}).is_success
            assert {"type": "human_assigned", "chatId": chat} == json.loads(channel.recv(30))


def test_malformed_requests_reach_the_mock() -> None:
    """The mock decides about what is not HTTP."""
    with hostile_server(MODES["quiet"], PLACES["first"]) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as connection:
            connection.sendall(b"GET /\x00 nonsense\r\n\r\n")
            assert received(connection).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_harms_nothing() -> None:
    """The server answers others after a client left in the middle of an answer."""
    with client_of("endless-body", "messages") as client:
        with client.stream("POST", "/chat/completions", json=MESSAGE) as response:
            assert next(response.iter_raw())
        assert 200 == client.get(PROJECT).status_code


@pytest.mark.parametrize("name", ["endless-body", "hang", "huge"])
def test_a_server_stops_in_the_middle_of_an_answer(name: str) -> None:
    """The block ends although a client reads nothing."""
    with connected(name) as connection:
        connection.settimeout(SHORT)


# Correct servers


@pytest.mark.parametrize("name", ["answers-150ms", "answers-2-to-4s"])
def test_slow_answers(name: str) -> None:
    """The answer comes after the wait, and is the mock's."""
    with connected(name, pace=FOR_EVER) as connection:
        assert is_silent(connection)
    with client_of(name) as client:
        assert 200 == client.get(PROJECT).status_code


def test_slow_assistant() -> None:
    """Only the assistant is slow."""
    with client_of("assistant-2-to-4s", pace=FOR_EVER) as client:
        assert 200 == client.get(PROJECT).status_code
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat/completions", json=MESSAGE, timeout=SHORT)
    with client_of("assistant-2-to-4s") as client:
        assert 200 == streamed(client).status_code


def test_body_is_asked_for() -> None:
    """A client that expects 100 Continue gets it before it sends the body."""
    with hostile_server(MODES["answers-150ms"], PLACES["first"], pace=0) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as connection:
            head = f"POST {parts.path}/identity/init HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            body = json.dumps({"apiKey": API_KEY, "saVid": "x"}).encode()
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            interim = b"HTTP/1.1 100 \r\n\r\n"
            assert interim == received(connection, len(interim))
            connection.sendall(body)
            assert received(connection, 12).startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize(("name", "allowed"), [("limit-60", 60), ("limit-120", 120)])
def test_limits(name: str, allowed: int) -> None:
    """The request after the allowed ones is refused, with the time to wait."""
    # Limits refill with time, so it stands still.
    mode = replace(MODES[name], settings={**MODES[name].settings, "now": lambda: 1.8e9})
    with (
        hostile_server(mode, PLACES["first"]) as server,
        httpx.Client(base_url=server.url, headers=BEARER, trust_env=False) as client,
    ):
        answers = [client.get("/identity/me") for _ in range(allowed + 1)]
    assert [200] * allowed + [429] == [one.status_code for one in answers]
    assert "retryAfter" in answers[-1].json()["error"]["details"]


def refused_from(number: int) -> Callable[[int], bool]:
    """Return a predicate of requests from ``number`` on."""
    return lambda one: one >= number


@pytest.mark.parametrize(
    ("name", "status", "refused"),
    [
        ("bare-429", 429, lambda one: one % 15 == 0),
        ("plan-402", 402, refused_from(31)),
        ("overloaded-503", 503, lambda one: one % 50 == 0),
    ],
)
def test_refusals(name: str, status: int, refused: Callable[[int], bool]) -> None:
    """The documented error comes for the requests of the sentence, and for no other."""
    with client_of(name) as client:
        answers = [client.get("/identity/me") for _ in range(61)]
    expected = [status if refused(number) else 200 for number in range(1, 62)]
    assert expected == [one.status_code for one in answers]
    document = Document.load(SPEC_PATH)
    operation = next(one for one in operations().values() if one.operation_id == "getMe")
    validator = compile_schema(document, operation.responses[status].media[JSON].schema)
    for answer in answers:
        if answer.status_code == status:
            assert [] == list(complaints(validator, answer.json()))
            assert (name != "bare-429") == ("details" in answer.json()["error"])


def test_undocumented_refusals_are_left_out() -> None:
    """An operation without a documented 402 is answered."""
    with client_of("plan-402") as client:
        statuses = {client.get(PROJECT).status_code for _ in range(31)}
    assert {200} == statuses


def test_resets() -> None:
    """Each tenth connection is reset, and nothing else."""
    outcomes: list[int | None] = []
    with client_of("resets-10th") as client:
        for _ in range(20):
            try:
                outcomes.append(client.get(PROJECT).status_code)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                outcomes.append(None)
    assert ([200] * 9 + [None]) * 2 == outcomes


def test_correct_modes_are_tested() -> None:
    """A test of this module names each correct mode."""
    assert [] == [name for name in CORRECT if f'"{name}"' not in SOURCE]
