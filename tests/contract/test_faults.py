"""The contract tests find a server that is wrong in one place.

Each fault stands between a mock that keeps the contract and the suite, which
knows nothing of it. A fault that the suite is known to miss is listed as such,
and the test fails when that is no longer so.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from starlette.applications import Starlette

from siteassist_mock.app import create_app
from siteassist_mock.settings import Settings
from siteassist_mock.testing import serving

pytestmark = pytest.mark.suite

KEY = "sa_pk_1234567890abcdef"
PRIVATE_KEY = "sk_test_1234567890abcdef"
SUITE = Path(sys.executable).with_name("siteassist-contract")

Message = MutableMapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A request on its way to the mock."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body; anything that is no JSON object is an empty one."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Answer:
    """An answer on its way back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)

    def saying(self, document: object) -> Answer:
        """Put another JSON body into the same answer."""
        return replace(self, body=json.dumps(document).encode())


Forward = Callable[[Request], Awaitable[Answer]]
RunSuite = Callable[..., subprocess.CompletedProcess[str]]
Fault = Callable[[Request, Forward], Awaitable[Answer]]
FAULTS: dict[str, tuple[str, Fault, int]] = {}
ERROR = {"error": {"message": "An internal server error occurred"}}


def fault(operation: str, examples: int = 5) -> Callable[[Fault], Fault]:
    """Register a fault, the operation that it breaks, and how many examples show it."""

    def register(function: Fault) -> Fault:
        FAULTS[function.__name__] = (operation, function, examples)
        return function

    return register


def is_conversation(path: str) -> bool:
    """Whether ``path`` is that of one conversation."""
    return re.fullmatch(r"/v2/conversations/[^/]+", path) is not None


# Response shape


@fault("getConversation")
async def drops_a_required_field(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.method == "GET" and is_conversation(request.path) and answer.status == 200:
        return answer.saying({k: v for k, v in answer.json().items() if k != "lastInteractionAt"})
    return answer


@fault("getMessages", examples=100)
async def invents_a_role(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.method == "GET" and request.path.endswith("/messages") and answer.status == 200:
        return replace(answer, body=answer.body.replace(b'"assistant"', b'"bot"'))
    return answer


@fault("getConversations")
async def counts_in_words(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.method == "GET" and request.path == "/v2/conversations" and answer.status == 200:
        return answer.saying({**answer.json(), "total": str(answer.json()["total"])})
    return answer


# Status and media type


@fault("startConversation")
async def answers_200_for_201(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.path == "/v2/conversations" and answer.status == 201:
        return replace(answer, status=200)
    return answer


@fault("getConversation")
async def answers_errors_as_html(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if is_conversation(request.path) and answer.status == 404:
        return Answer(404, {"content-type": "text/html"}, b"<h1>Not found</h1>")
    return answer


# Input validation


@fault("getConversations")
async def accepts_limit_101(request: Request, forward: Forward) -> Answer:
    query = [(k, "100" if (k, v) == ("limit", "101") else v) for k, v in request.query]
    return await forward(replace(request, query=query))


@fault("search")
async def accepts_size_51(request: Request, forward: Forward) -> Answer:
    if request.path != "/v2/search":
        return await forward(request)
    query = [(k, "50" if (k, v) == ("size", "51") else v) for k, v in request.query]
    return await forward(replace(request, query=query))


@fault("sendMessage")
async def accepts_10001_characters(request: Request, forward: Forward) -> Answer:
    body = request.json()
    if request.method == "POST" and len(str(body.get("content", ""))) > 10_000:
        shorter = json.dumps({**body, "content": str(body["content"])[:10_000]}).encode()
        headers = {**request.headers, "content-length": str(len(shorter))}
        return await forward(replace(request, body=shorter, headers=headers))
    return await forward(request)


@fault("sendMessage")
async def fails_on_emoji(request: Request, forward: Forward) -> Answer:
    content = request.json().get("content")
    if isinstance(content, str) and any(ord(character) > 0xFFFF for character in content):
        return Answer(500, {"content-type": "application/json"}, json.dumps(ERROR).encode())
    return await forward(request)


@fault("sendMessage")
async def refuses_a_null_page_context(request: Request, forward: Forward) -> Answer:
    if "pageContext" in request.json() and request.json()["pageContext"] is None:
        return Answer(400, {"content-type": "application/json"}, json.dumps(ERROR).encode())
    return await forward(request)


# Authentication and isolation


@fault("getMe")
async def skips_the_token_check(request: Request, forward: Forward) -> Answer:
    headers = request.headers
    if request.path == "/v2/identity/me" and (await forward(request)).status == 401:
        headers = {**headers, "authorization": f"Bearer {PRIVATE_KEY}"}
    return await forward(replace(request, headers=headers))


OWNERS: dict[str, str] = {}


@fault("getConversation")
async def shows_what_is_somebody_elses(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    token = request.headers.get("authorization", "")
    if request.path == "/v2/conversations" and answer.status == 201:
        OWNERS[f"/v2/conversations/{answer.json()['id']}"] = token
    if request.method == "GET" and answer.status == 404 and request.path in OWNERS:
        headers = {**request.headers, "authorization": OWNERS[request.path]}
        return await forward(replace(request, headers=headers))
    return answer


# Streams


def is_stream(answer: Answer) -> bool:
    """Whether ``answer`` is an event stream."""
    return answer.headers.get("content-type", "").startswith("text/event-stream")


@fault("sendMessage")
async def ends_streams_without_terminator(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if is_stream(answer):
        return replace(answer, body=answer.body.replace(b"data: [DONE]\n\n", b""))
    return answer


@fault("sendMessage")
async def streams_deltas_without_text(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if is_stream(answer):
        return replace(answer, body=answer.body.replace(b'"delta":', b'"text":'))
    return answer


@fault("sendMessage")
async def never_streams(request: Request, forward: Forward) -> Answer:
    if request.json().get("stream") is True:
        body = json.dumps({**request.json(), "stream": False}).encode()
        headers = {**request.headers, "content-length": str(len(body))}
        return await forward(replace(request, body=body, headers=headers))
    return await forward(request)


# Error bodies


@fault("getMe")
async def errors_say_nothing(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    return answer.saying({"error": {}}) if answer.status == 401 else answer


# State and semantics: what a description of shapes does not say.


@fault("getConversations", examples=100)
async def ignores_the_status_filter(request: Request, forward: Forward) -> Answer:
    query = [(k, v) for k, v in request.query if (k, v) != ("status", "closed")]
    return await forward(replace(request, query=query))


@fault("sendMessageFeedback", examples=100)
async def forgets_feedback(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.path.endswith("/feedback") and answer.status == 200:
        return answer.saying({"feedback": None})
    return answer


@fault("getMessages", examples=100)
async def lists_the_newest_first(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.method == "GET" and request.path.endswith("/messages") and answer.status == 200:
        return answer.saying({**answer.json(), "data": answer.json()["data"][::-1]})
    return answer


@fault("getConversation")
async def forgets_what_was_said(request: Request, forward: Forward) -> Answer:
    answer = await forward(request)
    if request.method == "GET" and is_conversation(request.path) and answer.status == 200:
        return answer.saying({**answer.json(), "messages": []})
    return answer


MISSED = {"forgets_what_was_said": "no single answer tells what an earlier request did"}


def wrap(app: Starlette, broken: Fault) -> Starlette:
    """Put ``broken`` in front of ``app``."""

    async def middle(scope: Message, receive: Callable[[], Any], send: Callable[..., Any]) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = Request(
            scope["method"],
            scope["path"],
            parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True),
            {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]},
            body,
        )
        answer = await broken(request, lambda changed: call(app, scope, changed))
        answer.headers.pop("content-length", None)
        headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.headers.items()]
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    middle.state = app.state  # type: ignore[attr-defined]  # what serving an app takes
    return middle  # type: ignore[return-value]  # an ASGI app, as far as a server cares


async def call(app: Starlette, scope: Message, request: Request) -> Answer:
    """Let ``app`` answer ``request``, whole."""
    sent: list[Message] = []
    messages = iter([{"type": "http.request", "body": request.body, "more_body": False}])

    async def receive() -> Message:
        message = next(messages, None)
        while message is None:  # nobody leaves before the end
            await asyncio.Event().wait()
        return message

    async def send(message: Message) -> None:  # the protocol's form
        sent.append(message)

    changed = {
        **scope,
        "query_string": urlencode(request.query).encode(),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in request.headers.items()],
    }
    await app(changed, receive, send)
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))


@pytest.fixture
def run_suite(tmp_path: Path) -> RunSuite:
    """Return a function that runs the suite on a server with one fault."""

    def run(broken: Fault, examples: int = 5) -> subprocess.CompletedProcess[str]:
        with serving(wrap(create_app(Settings()), broken)) as url:
            return subprocess.run(
                [
                    str(SUITE),
                    url,
                    "--examples",
                    str(examples),
                    "--seed",
                    "1",
                    "--reports",
                    str(tmp_path),
                ],
                env={"SITEASSIST_API_KEY": KEY, "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=False,
            )

    return run


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in MISSED])
def test_fault_is_found(name: str, run_suite: RunSuite) -> None:
    """Exit status 1, the operation that breaks it, what came, and a curl command."""
    operation, broken, examples = FAULTS[name]
    done = run_suite(broken, examples)
    assert (1, "") == (done.returncode, done.stderr), done.stdout
    pattern = r"^Break \d+: \w+ \S+ \((\w+)\)\n(.*?)(?=^\S)"
    reports = re.findall(pattern, done.stdout, re.MULTILINE | re.DOTALL)
    assert operation in {found for found, _ in reports}, done.stdout
    for _, text in reports:
        assert re.search(r"^  expected: \S", text, re.MULTILINE)
        assert re.search(r"^  received: \d{3} ", text, re.MULTILINE)
        assert re.search(r"^    curl ", text, re.MULTILINE)
    assert done.stdout.splitlines()[-1].startswith("The server breaks the contract in ")


@pytest.mark.parametrize("name", MISSED, ids=lambda name: f"{name}: {MISSED[name]}")
def test_fault_is_known_to_be_missed(name: str, run_suite: RunSuite) -> None:
    """What shapes cannot see stays unseen; move the fault up once it is found."""
    _, broken, _ = FAULTS[name]
    done = run_suite(broken)
    assert (0, "") == (done.returncode, done.stderr), done.stdout


async def changes_nothing(request: Request, forward: Forward) -> Answer:
    """Pass everything through."""
    return await forward(request)


def test_mock_keeps_the_contract(run_suite: RunSuite, tmp_path: Path) -> None:
    """Without a fault there is no break, and every operation is tested."""
    done = run_suite(changes_nothing)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert ", 14 operations)." in done.stdout.splitlines()[-1]
    assert {"html", "junit.xml", "summary.json"} == {path.name for path in tmp_path.iterdir()}


@pytest.fixture(autouse=True)
def forget_owners() -> Iterator[None]:
    """Leave nothing behind for the next test."""
    yield
    OWNERS.clear()
