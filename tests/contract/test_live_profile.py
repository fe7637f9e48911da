"""The profile ``live`` is kind: it says what it sends, keeps to it, and leaves nothing open."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import httpx
import pytest
from click.testing import Result

from siteassist_contract import cli, plan
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES
from tests.values import API_KEY as KEY
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Answerer, Clock, Forward, InProcess, Loopback

pytestmark = pytest.mark.usefixtures("without_shapes")

OWNER = {"Authorization": f"Bearer {PRIVATE_KEY}"}
Command = Callable[..., Result]
Serve = Callable[["Answerer"], "Loopback"]
MakeMock = Callable[..., "InProcess"]
CREDENTIALS = {
    "key": ("--api-key", KEY),
    "token": ("--token", PRIVATE_KEY),
    "both": ("--api-key", KEY, "--token", PRIVATE_KEY),
}


def state(mock: InProcess) -> dict[str, Any]:
    """Return what the mock has stored."""
    request = httpx.Request("GET", "http://localhost/_mock/state?limit=1000")
    found: dict[str, Any] = mock.forward(request).json()
    return found


def open_conversations(mock: InProcess) -> list[str]:
    """Return the conversations that nobody has closed."""
    return [c["id"] for c in state(mock)["conversations"] if c["status"] == "open"]


def answered(mock: InProcess) -> int:
    """Return how many messages the assistant has answered, completions included."""
    paid = [r for r in mock.requests if re.search("/messages$|/completions$", r.url.path)]
    return sum(r.method == "POST" and r.extensions.get("answered") == 200 for r in paid)


def note_status(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Keep the status with the request."""
    answer = forward(request)
    request.extensions["answered"] = answer.status_code
    return answer


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_run_keeps_to_what_it_announces(
    credentials: str, make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """It sends no more than it said, two requests a second, and closes all that it started."""
    mock = make_mock(note_status, now=clock.time)
    times: list[float] = []

    def timed(request: httpx.Request) -> httpx.Response:
        times.append(clock.now)
        return mock.handle_request(request)

    arguments = CREDENTIALS[credentials]
    result = command(loopback(timed).url, *arguments, "--profile", "live")
    assert (0, "") == (result.exit_code, result.stderr), result.output
    key, token = (a if a in arguments else None for a in (KEY, PRIVATE_KEY))
    target = Target("", key, token)
    sends = plan.of(PROFILES["live"], target)
    assert result.stdout.startswith(
        f"This run sends at most {sends.requests} requests, 2 a second,\n"
        f"starts {sends.conversations} conversations and closes them again, sends\n"
        f"{sends.messages} messages that the assistant answers, and changes nothing else.\n"
    )
    preflight = 2 if credentials == "both" else 1
    assert len(mock.requests) - preflight <= sends.requests
    conversations = state(mock)["conversations"]
    assert 0 < len(conversations) <= sends.conversations
    assert 0 < answered(mock) <= sends.messages
    assert [] == open_conversations(mock)
    gaps = [later - early for early, later in pairwise(times[preflight:])]
    assert 0.499 < min(gaps)
    sent = [str(r.headers.get("Authorization")) for r in mock.requests]
    assert (token is not None) == any(PRIVATE_KEY in header for header in sent)


def test_what_was_there_before_is_not_touched(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """Nothing is written to a conversation of the lent visitor, whatever the run does."""
    mock = make_mock(now=clock.time)
    base = "http://localhost/v2/conversations"
    before = []
    for number in range(3):
        name = mock.forward(httpx.Request("POST", base, headers=OWNER)).json()["id"]
        body = {"content": f"Question {number}", "stream": False}
        mock.forward(httpx.Request("POST", f"{base}/{name}/messages", headers=OWNER, json=body))
        shown = mock.forward(httpx.Request("GET", f"{base}/{name}", headers=OWNER)).json()
        before.append(shown)
    arguments = ("--token", PRIVATE_KEY, "--profile", "live")
    assert 0 == command(loopback(mock.handle_request).url, *arguments).exit_code
    after = [
        mock.forward(httpx.Request("GET", f"{base}/{shown['id']}", headers=OWNER)).json()
        for shown in before
    ]
    assert before == after
    written = [str(r.url) for r in mock.requests if r.method == "POST"]
    assert [] == [url for url in written for shown in before if shown["id"] in url]


def test_run_waits_when_it_is_told_to(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """A server that says 429 is waited for as long as it says, and the run goes on to its end."""
    mock = make_mock(note_status, now=clock.time, rate_limits=("30/m",))
    server = loopback(mock.handle_request)
    result = command(server.url, "--api-key", KEY, "--profile", "live")
    assert 0 == result.exit_code, result.output
    refused = sum(r.extensions["answered"] == 429 for r in mock.requests)
    assert 0 < refused
    assert [] == open_conversations(mock)


def breaks_late(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Break the contract once there are conversations."""
    answer = forward(request)
    if request.method == "GET" and request.url.path.endswith("/messages"):
        return httpx.Response(answer.status_code, headers=answer.headers, content=b"{}")
    return answer


def test_break_leaves_nothing_open(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """A run that stops at its first violation closes what it has started."""
    mock = make_mock(breaks_late, now=clock.time)
    arguments = ("--api-key", KEY, "--profile", "live", "--stop-at-first")
    result = command(loopback(mock.handle_request).url, *arguments)
    assert 1 == result.exit_code, result.output
    assert 0 < len(state(mock)["conversations"])
    assert [] == open_conversations(mock)


@pytest.mark.parametrize("path", ["/messages", "/completions", "/projects/current", "/feedback"])
def test_interruption_leaves_nothing_open(
    path: str,
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
    interrupt: Callable[[], None],
) -> None:
    """Ctrl-C ends the run wherever it is, and closes what it has started."""
    pressed: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.url.path.endswith(path) and not pressed:
            pressed.append(path)
            interrupt()
        return forward(request)

    mock = make_mock(fault, now=clock.time)
    arguments = ("--api-key", KEY, "--profile", "live")
    result = command(loopback(mock.handle_request).url, *arguments)
    assert [path] == pressed
    assert 130 == result.exit_code, result.output
    assert 0 < len(state(mock)["conversations"])
    assert [] == open_conversations(mock)
    assert "interrupted" == json.loads(Path("reports/summary.json").read_text())["status"]


def test_conversation_that_cannot_be_closed_is_told(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """A server that goes away leaves conversations open, and the text says that."""
    server: Loopback

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.url.path.endswith("/projects/current") and forward(request).status_code == 200:
            server.die()
        return forward(request)

    mock = make_mock(fault, now=clock.time)
    server = loopback(mock.handle_request)
    result = command(server.url, "--api-key", KEY, "--profile", "live")
    assert 2 == result.exit_code, result.output
    assert re.search(r"^Note: \d+ conversations? could not be closed$", result.stdout, re.MULTILINE)


class Asked:
    """Sits at a terminal, and answers the question."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.questions: list[str] = []

    def __call__(self, question: str) -> bool:
        """Answer."""
        self.questions.append(question)
        return self.answer == "y"


@pytest.mark.parametrize(
    ("options", "answer", "asked", "status"),
    [
        ((), "n", False, 0),
        (("--max-messages", "3"), "y", True, 0),
        (("--max-messages", "3"), "n", True, 2),
        (("--max-messages", "3", "--yes"), "n", False, 0),
    ],
)
def test_question(
    options: tuple[str, ...],
    answer: str,
    asked: bool,
    status: int,
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run of many messages asks first, unless it was told not to."""
    terminal = Asked(answer)
    monkeypatch.setattr(click, "confirm", terminal)
    mock = make_mock(now=clock.time)
    with monkeypatch.context() as patch:
        patch.setattr(cli, "sys", _with_terminal())
        arguments = ("--api-key", KEY, "--profile", "live", *options)
        result = command(loopback(mock.handle_request).url, *arguments)
    assert (["Continue?"] if asked else []) == terminal.questions
    assert status == result.exit_code, result.output
    assert (status == 0) == bool(mock.requests)
    if status:
        assert "The tests cannot run: cancelled\n" == result.stderr


def _with_terminal() -> Any:
    """Return a `sys` whose standard input is a terminal."""

    class Terminal:
        def isatty(self) -> bool:
            return True

    class Sys:
        stdin = Terminal()
        exit = staticmethod(sys.exit)

    return Sys


def test_nobody_to_ask(url: str, command: Command) -> None:
    """Without a terminal, a run of many messages does not begin."""
    arguments = ("--api-key", KEY, "--profile", "live", "--max-messages", "3")
    result = command(url, *arguments)
    assert 2 == result.exit_code
    line = "The tests cannot run: it sends more than 3 messages: pass --yes to confirm\n"
    assert line == result.stderr


@pytest.fixture
def url(served: Loopback, shared: InProcess) -> str:
    """Return the address of a mock that keeps the contract."""
    shared.fault = None
    return served.url


def starts_with_200(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer 200 where 201 is due."""
    answer = forward(request)
    if request.method == "POST" and request.url.path == "/v2/conversations":
        answer.status_code = min(answer.status_code, 200) if answer.is_success else 422
    return answer


def takes_any_start(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Start a conversation for whoever asks, in whatever words."""
    if request.method == "POST" and request.url.path == "/v2/conversations":
        request = httpx.Request("POST", request.url, headers=OWNER)
    return forward(request)


@pytest.mark.parametrize("options", [(), ("--stop-at-first",)])
@pytest.mark.parametrize("fault", [starts_with_200, takes_any_start])
def test_break_at_the_start_leaves_nothing_open(
    fault: Any,
    options: tuple[str, ...],
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
) -> None:
    """Whatever was wrong with the answer that started a conversation, it is closed in the end."""
    mock = make_mock(fault, now=clock.time)
    server = loopback(mock.handle_request)
    result = command(server.url, "--token", PRIVATE_KEY, "--profile", "live", *options)
    assert 1 == result.exit_code, result.output
    assert [] == open_conversations(mock)
    assert 0 < len(state(mock)["conversations"])
