"""The profile ``live``: it announces its requests, stays within them and closes conversations."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
import httpx
import pytest

from siteassist_contract import cli, plan
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES
from siteassist_contract.run import Options
from tests.values import API_KEY as KEY
from tests.values import BEARER, PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import (
        Clock,
        Command,
        Fault,
        Forward,
        InProcess,
        Loopback,
        MakeMock,
        Serve,
    )

pytestmark = [pytest.mark.usefixtures("without_shapes"), pytest.mark.one_interpreter]
# Coverage doubles the time of a run, and the other runs take the same branches.
unmeasured = pytest.mark.no_cover


def state(mock: InProcess) -> dict[str, Any]:
    """Return the mock's stored state."""
    request = httpx.Request("GET", "http://localhost/_mock/state?limit=1000")
    found: dict[str, Any] = mock.forward(request).json()
    return found


def open_conversations(mock: InProcess) -> list[str]:
    """Return the ids of the open conversations."""
    return [c["id"] for c in state(mock)["conversations"] if c["status"] == "open"]


def answered(mock: InProcess) -> int:
    """Return the number of generated answers, completions included."""
    paid = [r for r in mock.requests if re.search("/messages$|/completions$", r.url.path)]
    return sum(r.method == "POST" and r.extensions.get("answered") == 200 for r in paid)


def note_status(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Store the status with the request."""
    answer = forward(request)
    request.extensions["answered"] = answer.status_code
    return answer


@unmeasured
def test_run_stays_within_its_announced_limits(
    credentials: tuple[str, ...],
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
) -> None:
    """A run keeps its limits on requests, conversations, messages and rate, and closes all."""
    mock = make_mock(note_status, now=clock.time)
    times: list[float] = []

    def timed(request: httpx.Request) -> httpx.Response:
        times.append(clock.now)
        return mock.handle_request(request)

    result = command(loopback(timed).url, *credentials, "--profile", "live")
    assert (0, "") == (result.exit_code, result.stderr), result.output
    key, token = (each if each in credentials else None for each in (KEY, PRIVATE_KEY))
    target = Target("", key, token)
    sends = plan.announced(PROFILES["live"], target)
    assert result.stdout.startswith(
        f"This run sends at most {sends.requests} requests, 2 a second,\n"
        f"starts {sends.conversations} conversations and closes them again, sends\n"
        f"{sends.messages} messages that the assistant answers, and changes nothing else.\n"
    )
    # The server's own description is read as well.
    preflight = len(credentials) // 2 + 1
    assert len(mock.requests) - preflight <= sends.requests
    conversations = state(mock)["conversations"]
    assert 0 < len(conversations) <= sends.conversations
    assert 0 < answered(mock) <= sends.messages
    completions = [r.content for r in mock.requests if r.url.path.endswith("/completions")]
    for form in (b'"stream": true', b'"stream": false'):
        assert any(form in content for content in completions)
    assert [] == open_conversations(mock)
    gaps = [later - early for early, later in pairwise(times[preflight:])]
    assert 0.499 < min(gaps)
    sent = [str(r.headers.get("Authorization")) for r in mock.requests]
    assert (token is not None) == any(PRIVATE_KEY in header for header in sent)


@unmeasured
def test_repeated_streams_are_within_the_announced_limits(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """A server that holds its streams back gets more messages, but no more than announced."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = note_status(request, forward)
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            clock.sleep(2.0)
        return answer

    mock = make_mock(fault, now=clock.time)
    result = command(loopback(mock.handle_request).url, "--api-key", KEY, "--profile", "live")
    assert 1 == result.exit_code, result.output
    found = json.loads(Path("reports/summary.json").read_text())["violations"]
    assert ["sendMessage stream-incremental"] == [each["key"] for each in found]
    sends = plan.announced(PROFILES["live"], Target("", KEY))
    assert 8 < answered(mock) <= sends.messages


@unmeasured
def test_existing_conversations_are_not_changed(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """The run writes to no earlier conversation of the token's visitor."""
    mock = make_mock(now=clock.time)
    base = "http://localhost/v2/conversations"
    before = []
    for number in range(3):
        name = mock.forward(httpx.Request("POST", base, headers=BEARER)).json()["id"]
        body = {"content": f"Question {number}", "stream": False}
        mock.forward(httpx.Request("POST", f"{base}/{name}/messages", headers=BEARER, json=body))
        shown = mock.forward(httpx.Request("GET", f"{base}/{name}", headers=BEARER)).json()
        before.append(shown)
    arguments = ("--token", PRIVATE_KEY, "--profile", "live")
    assert 0 == command(loopback(mock.handle_request).url, *arguments).exit_code
    after = [
        mock.forward(httpx.Request("GET", f"{base}/{shown['id']}", headers=BEARER)).json()
        for shown in before
    ]
    assert before == after
    written = [str(r.url) for r in mock.requests if r.method == "POST"]
    assert [] == [url for url in written for shown in before if shown["id"] in url]


def test_run_waits_after_429(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """The run waits as long as a 429 asks for, and then completes."""
    mock = make_mock(note_status, now=clock.time, rate_limits=("30/m",))
    server = loopback(mock.handle_request)
    result = command(server.url, "--api-key", KEY, "--profile", "live")
    assert 0 == result.exit_code, result.output
    refused = sum(r.extensions["answered"] == 429 for r in mock.requests)
    assert 0 < refused
    assert [] == open_conversations(mock)


@pytest.mark.parametrize(
    "path",
    [
        "/messages",
        *(
            pytest.param(path, marks=unmeasured)
            for path in ("/completions", "/projects/current", "/feedback")
        ),
    ],
)
def test_interruption_leaves_no_conversation_open(
    path: str,
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
    interrupt: Callable[[], None],
) -> None:
    """Ctrl-C at any point ends the run, which closes its conversations first."""
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
    assert "interrupted" == json.loads(Path("reports/summary.json").read_text())["verdict"]


def test_open_conversations_are_reported(
    make_mock: MakeMock, loopback: Serve, clock: Clock, command: Command
) -> None:
    """The output counts the conversations that a lost server left open."""
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


@pytest.mark.parametrize(
    ("options", "answer", "asked", "starts"),
    [
        ((), False, False, True),
        (("--max-messages", "3"), True, True, True),
        (("--max-messages", "3"), False, True, False),
        (("--max-messages", "3", "--yes"), False, False, True),
    ],
)
def test_many_messages_are_confirmed_first(
    options: tuple[str, ...],
    answer: bool,
    asked: bool,
    starts: bool,
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
    prevented_runs: list[Options],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run above the limit of messages asks for confirmation, unless `--yes` is given."""
    questions: list[str] = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return answer

    monkeypatch.setattr(click, "confirm", confirm)
    mock = make_mock(now=clock.time)
    with monkeypatch.context() as patch:
        terminal = SimpleNamespace(isatty=lambda: True)
        patch.setattr(cli, "sys", SimpleNamespace(stdin=terminal, exit=sys.exit))
        arguments = ("--api-key", KEY, "--profile", "live", *options)
        result = command(loopback(mock.handle_request).url, *arguments)
    assert (["Continue?"] if asked else []) == questions
    assert starts == bool(prevented_runs) == bool(mock.requests)
    if not starts:
        assert (2, "The tests cannot run: cancelled\n") == (result.exit_code, result.stderr)


def test_many_messages_need_a_terminal_or_yes(url: str, command: Command) -> None:
    """Without a terminal, a run above the limit of messages does not start."""
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


def breaks_late(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Violate the contract once there are conversations."""
    answer = forward(request)
    if request.method == "GET" and request.url.path.endswith("/messages"):
        return httpx.Response(answer.status_code, headers=answer.headers, content=b"{}")
    return answer


def starts_with_200(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Return 200 instead of 201."""
    answer = forward(request)
    if request.method == "POST" and request.url.path == "/v2/conversations":
        answer.status_code = min(answer.status_code, 200) if answer.is_success else 422
    return answer


def takes_any_start(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Start a conversation for any request, valid or not."""
    if request.method == "POST" and request.url.path == "/v2/conversations":
        request = httpx.Request("POST", request.url, headers=BEARER)
    return forward(request)


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        (breaks_late, ("--api-key", KEY, "--stop-at-first")),
        *(
            pytest.param(fault, ("--token", PRIVATE_KEY, *more), marks=unmeasured)
            for fault in (starts_with_200, takes_any_start)
            for more in ((), ("--stop-at-first",))
        ),
    ],
)
def test_violation_leaves_no_conversation_open(
    fault: Fault,
    options: tuple[str, ...],
    make_mock: MakeMock,
    loopback: Serve,
    clock: Clock,
    command: Command,
) -> None:
    """A run closes its conversations after a violation, also one in the start of a conversation."""
    mock = make_mock(fault, now=clock.time)
    server = loopback(mock.handle_request)
    result = command(server.url, "--profile", "live", *options)
    assert 1 == result.exit_code, result.output
    assert [] == open_conversations(mock)
    assert 0 < len(state(mock)["conversations"])
