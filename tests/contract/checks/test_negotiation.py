"""Requests as other clients send them: each faulty server is found, and no correct one."""

from __future__ import annotations

import gzip
import itertools
import re
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.checks import negotiation
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.negotiation import Checks
from siteassist_contract.checks.variations import VARIATIONS
from siteassist_contract.description import operations
from siteassist_contract.findings import Findings
from siteassist_contract.http.network import Network
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import FIRST, PROFILES, Profile
from siteassist_contract.report.reproduction import Renderer
from siteassist_contract.rules import DIRECT, GENTLE, RULES
from siteassist_mock.testing import mock_server
from tests.contract.conftest import HANDLER, read_body
from tests.values import API_KEY

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from tests.contract.conftest import Forward, InProcess, MakeContext, Serve

pytestmark = pytest.mark.one_interpreter

Fault = Callable[[httpx.Request, "Forward"], Any]
Found = Callable[..., dict[str, str]]
GET, START, CLOSE, SEND, CHAT = (
    "getMe",
    "startConversation",
    "closeConversation",
    "sendMessage",
    "createChatCompletion",
)


def context_of(url: str, profile: Profile = PROFILES["quick"]) -> CheckContext:
    """Return the context of a run on a server of the loopback interface."""
    devices: dict[str, str] = {}
    findings = Findings(Filter([API_KEY]), Renderer(url, API_KEY, devices))
    recorder = Recorder(base_url=url, network=Network())
    return CheckContext(Target(url, API_KEY), profile, recorder, findings, devices)


@pytest.fixture
def found(shared: InProcess, loopback: Serve) -> Found:
    """Return a function that checks operations on a faulty server.

    It returns the difference that was found, by operation and variation.
    """

    def check(
        fault: Fault,
        *names: str,
        read: Callable[[BaseHTTPRequestHandler], bytes] = read_body,
    ) -> dict[str, str]:
        shared.fault = None
        server = loopback(lambda request: fault(request, shared.forward))
        server.read = read
        context = context_of(server.url)
        try:
            checks = Checks(context)
            for number, name in enumerate(operations()):
                if name in names:
                    checks.check(number, operations()[name])
            checks.older_states()
        finally:
            context.recorder.close()
        violations = context.findings.violations.values()
        return {f"{each.operation} {each.place}": each.actual for each in violations}

    return check


def handler_of(request: httpx.Request) -> BaseHTTPRequestHandler:
    """Return the handler of a request, which knows how it was written."""
    handler: BaseHTTPRequestHandler = request.extensions[HANDLER]
    return handler


def packed(answer: httpx.Response, content: bytes, coding: str = "gzip") -> httpx.Response:
    """Return an answer with a compressed body."""
    headers = {**answer.headers, "content-encoding": coding} if coding else dict(answer.headers)
    headers.pop("content-length", None)
    # httpx would decode a body that it was given.
    return httpx.Response(answer.status_code, headers={**headers}, stream=Raw(content))


class Raw(httpx.SyncByteStream):
    """A body that is sent as it is."""

    def __init__(self, content: bytes) -> None:
        """Send ``content``."""
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body."""
        yield self.content


def takes_gzip(request: httpx.Request) -> bool:
    """Whether a request accepts gzip."""
    named = [each.strip() for each in request.headers.get("accept-encoding", "").split(",")]
    return "gzip" in named


def names_gzip(request: httpx.Request) -> bool:
    """Whether a request accepts gzip, or says that it does not."""
    return "gzip" in request.headers.get("accept-encoding", "")


def gzipped(
    change: Callable[[bytes], bytes],
    coding: str = "gzip",
    when: Callable[[httpx.Request], bool] = takes_gzip,
) -> Fault:
    """Return a server that compresses where it may, and changes the result."""

    def fault(request: httpx.Request, forward: Forward) -> Any:
        answer = forward(request)
        if not when(request):
            return answer
        return written(packed(answer, change(answer.content), coding))

    return fault


def written(answer: httpx.Response) -> list[bytes]:
    """Return an answer as bytes."""
    assert isinstance(answer.stream, httpx.SyncByteStream)
    content = b"".join(answer.stream)
    lines = [f"{name}: {value}" for name, value in answer.headers.items()]
    head = [f"HTTP/1.1 {answer.status_code} X", *lines, f"content-length: {len(content)}"]
    return ["\r\n".join([*head, "connection: close", "", ""]).encode() + content]


def refusing(status: int, when: Callable[[httpx.Request], object]) -> Fault:
    """Return a server that refuses some requests with a documented body."""
    error = {"error": {"message": "No", "code": "NO"}}
    return lambda request, forward: (
        httpx.Response(status, json=error) if when(request) else forward(request)
    )


class Cached:
    """A server that answers a request as the one before, compressed or not."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def __call__(self, request: httpx.Request, forward: Forward) -> Any:
        """Answer a request."""
        answer = forward(request)
        if request.method != "GET" or answer.status_code != 200:
            return answer
        if takes_gzip(request):
            found = self._kept[str(request.url)] = gzip.compress(answer.content)
            return written(packed(answer, found))
        # The stored answer serves one request.
        stored = self._kept.pop(str(request.url), None)
        return answer if stored is None else written(packed(answer, stored))


class Tagged:
    """A server whose answers to GET have an `ETag`, by which it answers 304, or otherwise."""

    def __init__(self, tag: Callable[[httpx.Response], str], status: int = 304) -> None:
        self._tag = tag
        self._status = status

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Answer a request."""
        answer = forward(request)
        if request.method != "GET" or answer.status_code != 200:
            return answer
        tag = self._tag(answer)
        if request.headers.get("if-none-match") == tag:
            return httpx.Response(self._status)
        answer.headers["etag"] = tag
        return answer


def content_tag(answer: httpx.Response) -> str:
    """Return an `ETag` of the content of an answer."""
    return f'"{zlib.crc32(answer.content)}"'


def tag_without_feedback(answer: httpx.Response) -> str:
    """Return an `ETag` of a conversation that feedback does not change."""
    shown = answer.json()
    if "messages" not in shown:
        return content_tag(answer)
    return f'W/"{shown["updatedAt"]} {shown["status"]} {len(shown["messages"])}"'


def signed_again(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Show the picture of a visitor at an address that is signed for each request."""
    answer = forward(request)
    signed = {"avatarUrl": f"https://example.com/a.png?signature={uuid.uuid4()}"}
    if request.url.path.endswith("/identity/init") and answer.is_success:
        shown = answer.json()
        visitor = {**shown["visitor"], **signed}
        return httpx.Response(answer.status_code, json={**shown, "visitor": visitor})
    if not request.url.path.endswith("/identity/me") or not answer.is_success:
        return answer
    if request.headers.get("if-none-match") == 'W/"1"':
        return httpx.Response(304)
    return httpx.Response(200, json={**answer.json(), **signed}, headers={"ETag": 'W/"1"'})


class TakenOver:
    """A human agent takes over the last of each ``number`` conversations as it starts."""

    def __init__(self, number: int) -> None:
        """Count from the first conversation on."""
        self._starts = itertools.count(1)
        self._number = number

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Forward a request."""
        answer = forward(request)
        starts = request.method == "POST" and request.url.path.endswith("/conversations")
        if not starts or answer.status_code != 201 or next(self._starts) % self._number:
            return answer
        agent = {"isHumanHandled": True, "humanAgent": {"name": "Ada", "image": None}}
        return httpx.Response(201, json=answer.json() | agent)


def brotli(request: httpx.Request, forward: Forward) -> Any:
    """Answer in a coding that Python cannot read, where the client accepts it."""
    answer = forward(request)
    named = request.headers.get("accept-encoding", "*")
    wanted = "br" in named or named == "*"
    return written(packed(answer, b"\x8b\xff", "br")) if wanted else answer


def latin_1(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer in ISO-8859-1 where it is preferred."""
    answer = forward(request)
    if request.headers.get("accept-charset", "").startswith("iso-8859-1"):
        answer.headers["content-type"] = "application/json; charset=ISO-8859-1"
    return answer


def accepts(request: httpx.Request) -> str:
    """Return all values of `Accept`."""
    return str(request.headers.get("accept", ""))


def streams_by_accept(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Choose the stream by the first media type in `Accept`."""
    if accepts(request).startswith("text/event-stream"):
        content = request.content.replace(b'"stream": false', b'"stream": true')
        headers = {n: v for n, v in request.headers.items() if n != "content-length"}
        request = httpx.Request(request.method, request.url, headers=headers, content=content)
    return forward(request)


def pages(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer with a web page to a browser."""
    return httpx.Response(200, html="<p>Hi") if "html" in accepts(request) else forward(request)


def chunks(request: httpx.Request, forward: Forward) -> Any:
    """Answer in chunks to HTTP/1.0 as well."""
    answer = forward(request)
    if handler_of(request).request_version != "HTTP/1.0":
        return answer
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n" % answer.status_code
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(answer.content), answer.content)
    return [head + b"transfer-encoding: chunked\r\n\r\n" + body]


def latin(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Read bodies as ISO-8859-1."""
    content = request.content.decode("latin-1").encode()
    headers = {n: v for n, v in request.headers.items() if n != "content-length"}
    return forward(httpx.Request(request.method, request.url, headers=headers, content=content))


def whole_but_chunks(handler: BaseHTTPRequestHandler) -> bytes:
    """Read a body, and lose it if it comes in chunks."""
    body = read_body(handler)
    return b"" if "Transfer-Encoding" in handler.headers else body


def first_packet(handler: BaseHTTPRequestHandler) -> bytes:
    """Read what has arrived, as if a body came in one packet."""
    return handler.rfile.read1(int(handler.headers.get("Content-Length") or 0))


def unread(handler: BaseHTTPRequestHandler) -> bytes:
    """Leave the body of a request with a wrong token on the connection."""
    return b"" if "made-up" in str(handler.headers.get("Authorization")) else read_body(handler)


def forward_only(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer as the mock does."""
    return forward(request)


@pytest.mark.parametrize(
    ("fault", "name", "place", "actual"),
    [
        (gzipped(bytes), GET, "`Accept-Encoding: gzip`", "a body that is not in its gzip coding"),
        (gzipped(gzip.compress, ""), GET, "`Accept-Encoding: gzip`", ""),
        (
            gzipped(lambda content: gzip.compress(content)[:-9]),
            GET,
            "`Accept-Encoding: gzip`",
            "a body that ends within its gzip coding",
        ),
        (
            gzipped(lambda content: content, "br"),
            GET,
            "`Accept-Encoding: gzip`",
            "`Content-Encoding: br`, which the request does not accept",
        ),
        (
            streams_by_accept,
            CHAT,
            "an event stream first in `Accept`",
            "text/event-stream instead of application/json",
        ),
        (
            refusing(500, lambda request: "accept" not in request.headers),
            GET,
            "no `Accept`",
            "500 instead of 200",
        ),
        (pages, GET, "the headers of a browser", "text/html instead of application/json"),
        (
            refusing(401, lambda request: b"AUTHORIZATION" in dict(request.headers.raw)),
            GET,
            "names of headers in capitals",
            "401 instead of 200",
        ),
        (
            refusing(304, lambda request: "if-none-match" in request.headers),
            GET,
            "a condition that does not hold",
            "304 instead of 200",
        ),
        (
            refusing(431, lambda request: len(request.headers.get("cookie", "")) > 2000),
            GET,
            "a long header",
            "431 instead of 200",
        ),
        (
            refusing(404, lambda request: request.url.raw_path.endswith(b"?")),
            GET,
            "an empty query",
            "404 instead of 200",
        ),
        (
            gzipped(gzip.compress, when=names_gzip),
            GET,
            "`Accept-Encoding: identity, gzip;q=0`",
            "`Content-Encoding: gzip`, which the request does not accept",
        ),
        (
            Cached(),
            "getProject",
            "`Accept-Encoding: identity`, after `gzip`",
            "`Content-Encoding: gzip`, which the request does not accept",
        ),
        (
            latin_1,
            GET,
            "ISO-8859-1 first in `Accept-Charset`",
            "the charset iso-8859-1 instead of UTF-8",
        ),
        (
            Tagged(lambda answer: f'"{answer.json().get("id")}"'),
            "getConversation",
            "`If-None-Match` with the `ETag` of an older state",
            "304 instead of 200",
        ),
        (
            Tagged(tag_without_feedback),
            "getConversation",
            "`If-None-Match` with the `ETag` of an older state",
            "304 instead of 200",
        ),
        (
            Tagged(lambda answer: f'W/"{len(answer.json())}"'),
            "getMessages",
            "`If-None-Match` with the `ETag` of an older state",
            "304 instead of 200",
        ),
        (
            Tagged(content_tag, status=412),
            "getConversations",
            "`If-None-Match` with the `ETag` of the current state",
            "412 instead of 200",
        ),
        (chunks, GET, "HTTP/1.0", "`Transfer-Encoding` in an answer to HTTP/1.0"),
        (
            refusing(
                400,
                lambda r: r.headers.get("content-type", "application/json") != "application/json",
            ),
            SEND,
            "`Content-Type: application/json; charset=utf-8`",
            "400 instead of 200",
        ),
        (
            latin,
            SEND,
            "a body in pieces",
            "the texts of the request are missing in the answer of getConversation",
        ),
    ],
)
def test_faulty_answer_is_found(
    fault: Fault, name: str, place: str, actual: str, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers another client otherwise is found."""
    monkeypatch.setattr(negotiation, "_FEW", 99)
    monkeypatch.setattr(Checks, "_most", lambda *_: 99)
    shown = found(fault, name)
    assert f"{name} {place}" in shown, shown
    assert actual in shown[f"{name} {place}"]


@pytest.mark.parametrize(
    ("read", "name", "place", "actual"),
    [
        (
            whole_but_chunks,
            CLOSE,
            "a body in one chunk",
            "the texts of the request are missing in the answer of getConversation",
        ),
        (whole_but_chunks, "init", "a body in small chunks", "400"),
        (first_packet, "init", "a body in pieces", "400"),
        (unread, GET, "the second request of a connection, after a refusal", "400 instead of 200"),
    ],
)
def test_faulty_reading_is_found(
    read: Callable[[BaseHTTPRequestHandler], bytes],
    name: str,
    place: str,
    actual: str,
    found: Found,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that reads bodies wrongly is found."""
    monkeypatch.setattr(Checks, "_most", lambda *_: 99)
    shown = found(forward_only, name, read=read)
    assert shown.get(f"{name} {place}", "").startswith(actual), shown


def test_silence_is_found(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers `Expect` is found, and not asked again."""
    monkeypatch.setattr(negotiation, "_PATIENCE", 0.1)
    asked: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> Any:
        if "Expect" in handler_of(request).headers:
            asked.append(request.url.path)
            handler_of(request).rfile.read(1)
        return forward(request)

    shown = found(fault, START, "init")
    assert re.fullmatch(r"no answer within \d s, twice", shown["init `Expect: 100-continue`"])
    assert 2 == len(asked), asked


@pytest.mark.parametrize(
    "fault",
    [
        refusing(417, lambda request: "Expect" in handler_of(request).headers),
        refusing(411, lambda request: "Transfer-Encoding" in handler_of(request).headers),
        refusing(505, lambda request: handler_of(request).request_version == "HTTP/1.0"),
        refusing(406, lambda request: "*/*" not in accepts(request)),
        Tagged(content_tag),
        Tagged(lambda answer: f"W/{content_tag(answer)}"),
        signed_again,
        brotli,
        gzipped(gzip.compress),
    ],
)
def test_unsupported_way_is_tolerated(fault: Fault, found: Found) -> None:
    """A server may say that it does not support a way, and may compress."""
    assert {} == found(fault, GET, "init", "getConversation", "getConversations")


def test_error_does_not_excuse_later_differences(found: Found) -> None:
    """An answer that is an error does not show which properties change without a request."""
    asked: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if not request.url.path.endswith("/identity/me"):
            return forward(request)
        asked.append(request.headers.get("accept-encoding", ""))
        if takes_gzip(request):
            return httpx.Response(200, json={**forward(request).json(), "type": "identified"})
        if asked[-2:-1] == [several]:
            return httpx.Response(401, json={"error": {"message": "No", "code": "NO"}})
        return forward(request)

    several = "gzip, deflate, br, zstd"
    shown = found(fault, GET)
    assert f"{GET} `Accept-Encoding: gzip`" in shown, shown
    assert asked.index(several) + 1 < len(asked) - 1 - asked[::-1].index("gzip")


@pytest.mark.parametrize("number", [2, 3, 5])
def test_agent_who_takes_over_is_no_difference(number: int, found: Found) -> None:
    """Some of the conversations that equal requests start may be those of a human agent."""
    assert {} == found(TakenOver(number), "startConversation")


def paced(head: bytes, packer: Any, *, flushed: bool) -> Iterator[bytes]:
    """Yield a stream event by event, compressed if there is a ``packer``."""
    coding = b"" if packer is None else b"Content-Encoding: gzip\r\n"
    yield head + coding + b"\r\n"
    for event in EVENTS:
        time.sleep(0.03)
        if packer is None:
            yield event
            continue
        packed = packer.compress(event)
        yield packed + (packer.flush(zlib.Z_SYNC_FLUSH) if flushed else b"")
    if packer is not None:
        yield packer.flush()


EVENTS = [
    *(b'data: {"type": "%s"}\n\n' % each for each in (b"start", b"start-step")),
    b'data: {"type": "text-start", "id": "1"}\n\n',
    *(b'data: {"type": "text-delta", "id": "1", "delta": "word %d "}\n\n' % n for n in range(21)),
    b'data: {"type": "text-end", "id": "1"}\n\n',
    *(b'data: {"type": "%s"}\n\n' % each for each in (b"finish-step", b"finish")),
    b"data: [DONE]\n\n",
]


@pytest.mark.parametrize("flushed", [False, True])
def test_stream_that_compression_holds_back_is_found(
    flushed: bool, shared: InProcess, loopback: Serve
) -> None:
    """A stream arrives piece by piece also if it is compressed."""
    shared.fault = None

    def answer(request: httpx.Request) -> Any:
        if b'"stream": true' not in request.content:
            return shared.forward(request)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
        packer = zlib.compressobj(wbits=31) if takes_gzip(request) else None
        return paced(head, packer, flushed=flushed)

    context = context_of(loopback(answer).url)
    try:
        Checks(context).check(1, operations()[CHAT])
    finally:
        context.recorder.close()
    expected = [] if flushed else ["a stream that gzip holds back until its end, 3 times in a row"]
    assert expected == [each.actual for each in context.findings.violations.values()]


def test_whole_check_keeps_its_promises() -> None:
    """On the mock, each rule is tested on each operation, without a violation."""
    with mock_server() as url:
        for size in (FIRST, PROFILES["quick"].size):
            context = context_of(url)
            context.size = size
            negotiation.check_negotiation(context)
            context.recorder.close()
            shown = {k: v.actual for k, v in context.findings.violations.items()}
            assert {} == shown
            for rule in ("negotiation", "framing"):
                assert all(context.findings.tested[rule, n] for n in RULES[rule].operations)
            assert ["HEAD /identity/me: answered with 405"] == list(context.findings.notes)


def test_proxy_prevents_the_checks(
    shared: InProcess, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy writes requests in its own way, so that nothing is tested."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    shared.requests.clear()
    context = make_context(shared)
    negotiation.check_negotiation(context)
    assert [] == shared.requests
    assert DIRECT == context.findings.prevented["framing", "init"]


def test_gentle_profile_only_reads(shared: InProcess, make_context: MakeContext) -> None:
    """On a server in production, requests that cost or change something are left out."""
    shared.fault = None
    context = make_context(shared, profile=PROFILES["live"])
    negotiation.check_negotiation(context)
    assert GENTLE == context.findings.prevented["framing", "init"]
    assert context.findings.tested["negotiation", "getMe"]
    assert not context.findings.tested["negotiation", "startConversation"]


def test_variations_have_their_own_names() -> None:
    """The name of a variation tells it from others, in reports and in a baseline."""
    assert len({each.words for each in VARIATIONS}) == len(VARIATIONS)
