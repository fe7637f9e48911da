"""The proxy passes everything on, judges what it passes, and records it without credentials."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from siteassist_mock import cli
from siteassist_mock.app import create_app
from siteassist_mock.http.server import base_url, listen, make_server
from siteassist_mock.proxy import app as proxy_app
from siteassist_mock.proxy.app import ProxySettings, create_proxy
from siteassist_mock.proxy.command import upstream_url
from siteassist_mock.proxy.har_file import HarFile, Traffic
from siteassist_mock.proxy.masks import Masks
from siteassist_spec import Document, read_operations
from tests.in_process import InProcess
from tests.values import API_KEY, PRIVATE_KEY

DOCUMENT = Document.load()
UPSTREAM = "http://upstream.test/v2"
DEVICE = "device-of-the-visitor"


class Upstream(httpx.AsyncBaseTransport):
    """A way to a mock in this process."""

    def __init__(self) -> None:
        """Create the mock."""
        self.requests: list[httpx.Request] = []
        self.inner = InProcess(create_app())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Forward a request in another thread, since the mock has a loop of its own."""
        self.requests.append(request)

        def call() -> tuple[httpx.Response, bytes]:
            answer = self.inner.handle_request(request)
            return answer, b"".join(answer.iter_raw())

        answer, content = await asyncio.to_thread(call)
        stream = httpx.ByteStream(content)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=stream)


class Answering(httpx.AsyncBaseTransport):
    """A way to a server that gives one answer, piece by piece."""

    def __init__(
        self, *pieces: bytes, headers: dict[str, str] | None = None, status: int = 200
    ) -> None:
        """Send ``pieces``; each waits until `next` is set."""
        self.status = status
        self.pieces = pieces
        self.next = threading.Event()
        self.error: Exception | None = None
        self.closed = threading.Event()
        self._headers = {"content-type": "text/event-stream", **(headers or {})}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Begin the answer."""
        del request
        outer = self

        class Body(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                for piece in outer.pieces:
                    await asyncio.to_thread(outer.next.wait, 30)
                    outer.next.clear()
                    yield piece
                if outer.error is not None:
                    raise outer.error

            async def aclose(self) -> None:
                outer.closed.set()

        return httpx.Response(self.status, headers=self._headers, stream=Body())


class Refusing(httpx.AsyncBaseTransport):
    """A way to no server."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        raise httpx.ConnectError("connection refused", request=request)


@contextmanager
def proxying(
    transport: httpx.AsyncBaseTransport, record: Path | None = None
) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Run a proxy, and yield a client of it and the sentences that it says."""
    said: list[str] = []
    recording = None
    if record is not None:
        recording = HarFile(record, Masks(read_operations(DOCUMENT)))
    app = create_proxy(ProxySettings(UPSTREAM, said.append, recording, transport), DOCUMENT)
    server, listening = make_server(app, grace_seconds=0.2), listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=base_url(app, listening), timeout=30) as http:
            yield http, said
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        if recording is not None:
            recording.close()
        if isinstance(transport, Upstream):
            transport.inner.close()


def entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a recording."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["log"]["entries"]
    return found


def test_requests_and_answers_are_passed_on(tmp_path: Path) -> None:
    """Method, path, query, headers and body arrive; the answer is the server's."""
    path, upstream = tmp_path / "traffic.har", Upstream()
    with proxying(upstream, path) as (http, said):
        session = http.post("/identity/init", json={"apiKey": API_KEY, "saVid": DEVICE})
        token = session.json()["sessionToken"]
        bearer = {"Authorization": f"Bearer {token}", "X-Mine": "yes"}
        started = http.post("/conversations", headers=bearer)
        listed = http.get("/conversations?limit=1&offset=0", headers=bearer)
        missing = http.get("/no/such/path")
        outside = http.get(http.base_url.join("/elsewhere"))
    assert [201, 201, 200, 404, 404] == [
        each.status_code for each in (session, started, listed, missing, outside)
    ]
    assert started.json()["id"] == listed.json()["data"][0]["id"]
    assert f"{UPSTREAM}/conversations?limit=1&offset=0" == str(upstream.requests[2].url)
    assert "upstream.test" == upstream.requests[2].headers["host"]
    assert "yes" == upstream.requests[1].headers["x-mine"]
    assert "identity" == upstream.requests[2].headers["accept-encoding"]
    assert ["POST", "POST", "GET", "GET"] == [e["request"]["method"] for e in entries(path)]
    assert [] == said


def test_recording_has_no_credentials(tmp_path: Path) -> None:
    """Each credential has a mask of its own, which shows whose request is whose."""
    path = tmp_path / "traffic.har"
    path.touch(0o644)
    with proxying(Upstream(), path) as (http, _):
        session = http.post("/identity/init", json={"apiKey": API_KEY, "saVid": DEVICE})
        token = session.json()["sessionToken"]
        for each in (token, PRIVATE_KEY, "short"):
            http.get("/identity/me", headers={"Authorization": f"Bearer {each}", "Cookie": "a=b1"})
        http.get("/projects/current", params={"apiKey": API_KEY})
    text = path.read_text()
    for secret in (token, API_KEY, DEVICE, PRIVATE_KEY, "Bearer short", "a=b1"):
        assert secret not in text
    sent = [
        {each["name"].lower(): each["value"] for each in entry["request"]["headers"]}
        for entry in entries(path)
    ]
    assert [f"Bearer masked-sessionToken-{number}" for number in (1, 2, 3)] == [
        each["authorization"] for each in sent[1:4]
    ]
    answer = json.loads(entries(path)[0]["response"]["content"]["text"])
    assert "masked-sessionToken-1" == answer["sessionToken"]
    assert entries(path)[4]["request"]["url"].endswith("apiKey=masked-publishableKey-1")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_credentials_of_bodies_that_are_no_json_are_masked(tmp_path: Path) -> None:
    """Those of a body that is cut or invalid, and of each of two headers."""
    path = tmp_path / "traffic.har"
    cut = Answering(b'{"object":"session","sessionToken":"st_live_of_\\/an_answer')
    cut.error = httpx.RemoteProtocolError("peer closed connection")
    cut.next.set()
    headers = [("Authorization", "Bearer first-token"), ("Authorization", "Bearer second-token")]
    with proxying(cut, path) as (http, _), pytest.raises(httpx.RemoteProtocolError):
        http.post("/identity/init", content=b'{"apiKey": "pk_live_secret",}', headers=headers)
    text = path.read_text()
    for secret in ("an_answer", "pk_live_secret", "first-token", "second-token"):
        assert secret not in text
    masks = Masks(read_operations(DOCUMENT))
    masks.learn(UPSTREAM, [], b"apiKey=pk_a%2Fkey&saVid=short")
    masked = "apiKey=masked-publishableKey-1&saVid=masked-"
    assert masks.text("apiKey=pk_a%2Fkey&saVid=short").startswith(masked)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../admin",
        "/v2/%2e%2e/admin",
        "/v2/..%2fadmin",
        "/v2/a%2fb/../../admin",
        "/v2/a/../../v2x/me",
        "/v2%2f@evil.test/",
        "/v2x/me",
    ],
)
def test_nothing_beside_the_api_is_asked_for(path: str) -> None:
    """Neither the proxy nor the server finds a path outside by resolving dots."""
    upstream = Upstream()
    with proxying(upstream) as (http, _):
        assert 404 == status_of(http.base_url, path)
    assert [] == upstream.requests


def test_encoded_path_is_passed_on() -> None:
    """The prefix is recognised, and the rest stays as it is written."""
    upstream = Upstream()
    with proxying(upstream) as (http, _):
        for path in ("/%76%32/no%2Fme", "/v2/a/../no"):
            assert 404 == status_of(http.base_url, path)
    assert [f"{UPSTREAM}/no%2Fme", f"{UPSTREAM}/no"] == [str(r.url) for r in upstream.requests]


def status_of(base: httpx.URL, path: str) -> int:
    """Return the status of the answer to a request whose path is sent as it is."""
    connection = HTTPConnection(base.host, base.port, timeout=30)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


EVENTS = [b'data: {"type":"start"}\n\n', b'data: {"type":"finish"}\n\n', b"data: [DONE]\n\n"]


def test_stream_is_passed_on_piece_by_piece(tmp_path: Path) -> None:
    """Each event reaches the client before the server sends the next one."""
    path, upstream = tmp_path / "traffic.har", Answering(*EVENTS)
    with (
        proxying(upstream, path) as (http, _),
        http.stream("POST", "/chat/completions", json={}) as answer,
    ):
        upstream.next.set()
        received = []
        for piece in answer.iter_raw():
            received.append(piece)
            upstream.next.set()
    assert EVENTS == received
    (entry,) = entries(path)
    assert list(map(len, EVENTS)) == [size for _, size in entry["_arrivals"]]
    assert b"".join(EVENTS).decode() == entry["response"]["content"]["text"]
    assert "_error" not in entry


def test_killed_server_cuts_the_answer_and_not_the_proxy(tmp_path: Path) -> None:
    """The client sees that the answer is not whole, and the next request is answered."""
    path, upstream = tmp_path / "traffic.har", Answering(*EVENTS[:1])
    upstream.error = httpx.RemoteProtocolError("peer closed connection")
    with proxying(upstream, path) as (http, said):
        upstream.next.set()
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("/chat/completions", json={})
        upstream.error = None
        upstream.next.set()
        assert 200 == http.post("/chat/completions", json={}).status_code
    assert "the server broke off" in entries(path)[0]["_error"]
    assert "the server broke off" in said[0]
    assert "a stream that ends within" not in said[0]


def test_client_that_leaves_ends_the_request(tmp_path: Path) -> None:
    """The stream of the server is closed, and the recording says why it is not whole."""
    path, upstream = tmp_path / "traffic.har", Answering(*EVENTS)
    with proxying(upstream, path) as (http, _):
        upstream.next.set()
        with http.stream("POST", "/chat/completions", json={}) as answer:
            next(answer.iter_raw())
        assert upstream.closed.wait(30)
        upstream.next.set()
    assert ["the client left"] == [entry["_error"] for entry in entries(path)]


def test_missing_server_is_a_documented_error(tmp_path: Path) -> None:
    """The answer is a 502 of the proxy, which the recording does not show as the server's."""
    path = tmp_path / "traffic.har"
    with proxying(Refusing(), path) as (http, said):
        answer = http.get("/identity/me")
    assert 502 == answer.status_code
    assert "The proxy got no answer from the server" in answer.json()["error"]["message"]
    assert 0 == entries(path)[0]["response"]["status"]
    assert [f"GET /v2/identity/me: {entries(path)[0]['_error']}"] == said


@pytest.mark.parametrize(
    ("pieces", "headers", "problem"),
    [
        ((b"{}",), {"content-type": "application/json"}, "a body that is not allowed"),
        ((b"hi",), {"content-type": "text/html"}, "as text/html, which it does not document"),
        ((b'data: {"type":1}\n\n',), {}, "an event that is not allowed"),
        ((b'data: {"type":"start"}\r\n\r\ndata: [DO',), {}, "ends within an event"),
    ],
)
def test_answer_that_does_not_match_is_reported(
    pieces: tuple[bytes, ...], headers: dict[str, str], problem: str
) -> None:
    """The sentence names the operation; the client gets the answer as it is."""
    upstream = Answering(*pieces, headers=headers)
    with proxying(upstream) as (http, said):
        upstream.next.set()
        assert b"".join(pieces) == http.post("/chat/completions", json={}).content
    assert 1 == len(said)
    assert said[0].startswith("createChatCompletion answered 200 ")
    assert problem in said[0]


def test_answer_that_is_too_long_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its content nor its pieces beyond the limit are kept."""
    monkeypatch.setattr(proxy_app, "_LARGEST_BODY", 10)
    path, upstream = tmp_path / "traffic.har", Answering(*[b"12345"] * 4)
    with proxying(upstream, path) as (http, _):
        upstream.next.set()
        monkeypatch.setattr(upstream.next, "clear", lambda: None)
        assert 20 == len(http.post("/chat/completions", json={}).content)
    (entry,) = entries(path)
    assert "the answer is too long to record" == entry["_error"]
    assert (0, 2) == (entry["response"]["content"]["size"], len(entry["_arrivals"]))


def test_fields_without_data_are_no_event() -> None:
    """The standard of event streams dispatches none."""
    fields = b": hello\n\nretry: 1500\n\n\n\nid\nevent: ping\n\n"
    upstream = Answering(b"".join((fields, *EVENTS)))
    with proxying(upstream) as (http, said):
        upstream.next.set()
        http.post("/chat/completions", json={})
    assert [] == said


def test_halves_of_a_character_are_passed_on() -> None:
    """JSON has them, and a server may send a character in two deltas."""
    deltas = [
        rb'{"type":"text-delta","id":"0","delta":"\u%s"}' % half for half in (b"d83c", b"df89")
    ]
    frames = [b"data: %s\n\n" % each for each in deltas]
    upstream = Answering(b"".join((EVENTS[0], *frames, *EVENTS[1:])))
    with proxying(upstream) as (http, said):
        upstream.next.set()
        http.post("/chat/completions", json={})
    assert [] == said


def test_media_type_is_compared_without_case() -> None:
    """RFC 9110, 8.3.1."""
    upstream = Answering(b"".join(EVENTS), headers={"content-type": "Text/Event-Stream"})
    with proxying(upstream) as (http, said):
        upstream.next.set()
        http.post("/chat/completions", json={})
    assert not any("does not document" in sentence for sentence in said)


def test_full_disk_ends_the_recording_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy says so once, and goes on."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HarFile, "add", fail)
    with proxying(Upstream(), tmp_path / "traffic.har") as (http, said):
        assert [404, 404] == [http.get("/x").status_code for _ in range(2)]
    assert ["the recording ends here: No space left on device"] == said


def test_recording_is_whole_after_a_full_disk(tmp_path: Path) -> None:
    """It ends with the last entry that had place, and can be closed."""
    path = tmp_path / "traffic.har"
    recording = HarFile(path, Masks(read_operations(DOCUMENT)))
    small = Traffic("GET", UPSTREAM, [], b"", datetime.now(UTC))
    recording.add(small)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 2000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            recording.add(replace(small, body=b"x" * 10_000))
        recording.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [UPSTREAM] == [entry["request"]["url"] for entry in entries(path)]


def test_only_a_regular_file_is_written(tmp_path: Path) -> None:
    """A pipe, a link or a folder stays."""
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    target.touch()
    link.symlink_to(target)
    for path in (pipe, link, tmp_path):
        with pytest.raises(OSError, match="Not a regular file"):
            HarFile(path, Masks(read_operations(DOCUMENT)))
    os.link(target, tmp_path / "other-name")
    with pytest.raises(OSError, match="another name as well; remove it, or give another name"):
        HarFile(target, Masks(read_operations(DOCUMENT)))
    assert (True, b"") == (pipe.is_fifo(), target.read_bytes())


@pytest.mark.parametrize("content", ["an older recording", "\n"])
def test_file_with_anything_in_it_is_refused(tmp_path: Path, content: str) -> None:
    """It stays, and the sentence says what to do; the proxy does not start."""
    path = tmp_path / "traffic.har"
    path.write_text(content)
    options = ["--proxy", UPSTREAM, "--port", "0", "--record", str(path)]
    result = CliRunner().invoke(cli.main, options)
    reason = "the file is not empty; remove it, or give another name"
    assert f"siteassist-mock: cannot record in {path}: {reason}\n" == result.stderr
    assert (2, content) == (result.exit_code, path.read_text())


def test_recording_that_another_proxy_writes_is_refused(tmp_path: Path) -> None:
    """As soon as it is begun; without exchanges it can be begun again once it is closed."""
    path = tmp_path / "traffic.har"
    masks = Masks(read_operations(DOCUMENT))
    for _ in range(2):
        first = HarFile(path, masks)
        with pytest.raises(OSError, match="another proxy records in it; give another name"):
            HarFile(path, masks)
        assert [] == entries(path)
        first.close()
    killed = HarFile(path, masks)
    killed.add(Traffic("GET", UPSTREAM, [], b"", datetime.now(UTC)))
    killed.close()
    with pytest.raises(FileExistsError, match="the file is not empty"):
        HarFile(path, masks)
    assert 1 == len(entries(path))


def test_proxy_that_cannot_listen_leaves_no_recording(tmp_path: Path) -> None:
    """Otherwise the next start would be refused."""
    path = tmp_path / "traffic.har"
    with closing(listen("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ["--proxy", UPSTREAM, "--port", port, "--record", str(path)]
        result = CliRunner().invoke(cli.main, options)
    assert (2, False) == (result.exit_code, path.exists())
    assert f"cannot listen on 127.0.0.1, port {port}: " in result.stderr


@pytest.mark.parametrize("status", [600, 999])
def test_status_that_is_none_is_a_502(status: int, tmp_path: Path) -> None:
    """The recording has the server's own, which is judged."""
    path, upstream = tmp_path / "traffic.har", Answering(b"hello", status=status)
    upstream.next.set()
    with proxying(upstream, path) as (http, said):
        answer = http.get("/identity/me")
    reason = f"the server answered with the invalid status {status}"
    assert (502, f"The proxy passes nothing on: {reason}") == (
        answer.status_code,
        answer.json()["error"]["message"],
    )
    assert f"GET /v2/identity/me: {reason}" == said[0]
    assert f" answered {status}" in said[1]
    (entry,) = entries(path)
    assert (status, "hello") == (
        entry["response"]["status"],
        entry["response"]["content"]["text"],
    )


@pytest.mark.parametrize("name", ["Date", "Server"])
@pytest.mark.parametrize("sent", [True, False])
def test_no_header_is_doubled(name: str, sent: bool) -> None:
    """That of the server replaces the proxy's own, which has a date."""
    value = "Tue, 01 Jan 2030 00:00:00 GMT"
    upstream = Answering(b"hello", headers={name: value} if sent else {})
    with proxying(upstream) as (http, _):
        for _ in range(2):
            upstream.next.set()
            found = http.get("/identity/me").headers.get_list(name)
            own = int(name == "Date")
            assert (([value], 1) if sent else (found, own)) == (found, len(found))


def looping(text: str) -> str:
    """Return the error of a start whose upstream is the port that the proxy listens on."""
    with closing(listen("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    host = "0.0.0.0" if "all" in text else "127.0.0.1"
    address = text.removeprefix("all ").format(port=port)
    result = CliRunner().invoke(cli.main, ["--proxy", address, "--host", host, "--port", port])
    assert 2 == result.exit_code
    return result.stderr.replace(port, "PORT")


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:{port}/v2",
        "http://localhost:{port}/v2",
        "all http://127.0.0.1:{port}/v2",
        "all http://127.0.0.2:{port}/v2",
    ],
)
def test_own_address_is_refused(text: str) -> None:
    """However it is written."""
    shown = text.removeprefix("all ").format(port="PORT")
    expected = f"invalid base URL '{shown}': expected another server than the proxy itself"
    assert f"siteassist-mock: {expected}\n" == looping(text)


def test_loop_is_found_once(tmp_path: Path) -> None:
    """A request that comes back is a 502 at once, and no answer of the server."""
    path, back = tmp_path / "traffic.har", Back()
    with proxying(back, path) as (http, said):
        back.address = str(http.base_url).rstrip("/")
        answers = [http.get("/identity/me") for _ in range(2)]
    assert [502, 502] == [each.status_code for each in answers]
    reason = "The address of the server leads back to the proxy"
    assert reason == answers[0].json()["error"]["message"]
    assert [reason[0].lower() + reason[1:]] == said
    assert [said[0]] * 2 == [entry["_error"] for entry in entries(path)]
    assert 2 == back.count


class Back(httpx.AsyncBaseTransport):
    """A way back to the proxy."""

    def __init__(self) -> None:
        """Go nowhere until the address is known."""
        self.address = ""
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the proxy."""
        self.count += 1
        url = str(request.url).replace(UPSTREAM, self.address)
        headers = [each for each in request.headers.raw if each[0].lower() != b"host"]
        async with httpx.AsyncClient() as http:
            answer = await http.request(request.method, url, headers=headers)
        stream = httpx.ByteStream(answer.content)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=stream)


@pytest.mark.parametrize(
    "options", [["--fault", "truncate"], ["--database", "x.db"], ["--strict"], ["--no-control"]]
)
def test_options_of_the_mock_are_refused(options: list[str]) -> None:
    """The proxy would ignore them."""
    result = CliRunner().invoke(cli.main, ["--proxy", "host", *options])
    assert 2 == result.exit_code
    assert f"{options[0]} cannot be used with --proxy" in result.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("host/v2", "expected something like https://host/v2"),
        ("http://[::1/v2", "expected something like https://host/v2"),
        ("https://user:secret@host/v2", "must not have a query, a fragment, a user"),
    ],
)
def test_invalid_address_is_refused(text: str, problem: str) -> None:
    """The message does not repeat a password."""
    with pytest.raises(ValueError, match=problem) as caught:
        upstream_url(text)
    assert "secret" not in str(caught.value)
    result = CliRunner().invoke(cli.main, ["--proxy", text, "--port", "0"])
    assert 2 == result.exit_code
    assert problem in result.stderr


def test_recording_needs_a_proxy_and_a_writable_place() -> None:
    """Both are one sentence."""
    result = CliRunner().invoke(cli.main, ["--record", "traffic.har"])
    assert (2, True) == (result.exit_code, "--record needs --proxy URL" in result.stderr)
    options = ["--proxy", UPSTREAM, "--port", "0", "--record", "/no/such/folder/t.har"]
    result = CliRunner().invoke(cli.main, options)
    assert 2 == result.exit_code
    assert "cannot record in /no/such/folder/t.har: No such file" in result.stderr
