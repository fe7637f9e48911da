"""Servers that are worse than wrong end a run soon, with the right status and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import Result

from siteassist_contract import run
from siteassist_contract.http import recorder
from tests.values import API_KEY as KEY
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Answerer, Forward, InProcess, Loopback

Command = Callable[..., Result]
Serve = Callable[["Answerer"], "Loopback"]
Reached = Callable[[httpx.Request], bool]

KEPT = "The server keeps the contract ("
BROKEN = "The server breaks the contract in "
NOT_RUN = "The tests did not finish: "


def by_engine(request: httpx.Request) -> bool:
    """Whether schemathesis asks."""
    return "schemathesis" in request.headers.get("User-Agent", "")


LAYERS: dict[str, Reached] = {
    "errors": lambda r: r.url.params.get("limit") == "101",
    "streams": lambda r: r.url.path.endswith("/chat/completions") and b"Two" in r.content,
    "behaviour": lambda r: b"closeReason" in r.content and b"Again" in r.content,
    "shapes": by_engine,
}
"""By layer, a request that only this one makes."""


ALL_LAYERS = [
    pytest.param(layer, marks=pytest.mark.suite if layer == "shapes" else ()) for layer in LAYERS
]


def ended(result: Result, status: int, words: str) -> dict[str, Any]:
    """Check how a run has ended, and return its summary."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert status == result.exit_code, result.output
    assert "Traceback" not in result.output
    out = result.stderr if status == 2 else result.stdout
    assert out.splitlines()[-1].startswith(words), result.output
    assert (Path("reports") / "html" / "index.html").exists()
    assert (Path("reports") / "junit.xml").exists()
    summary: dict[str, Any] = json.loads(Path("reports", "summary.json").read_text())
    assert out.splitlines()[-1] == summary["verdict"]
    return summary


@pytest.fixture
def in_the_middle(
    loopback: Serve, shared: InProcess
) -> Callable[[Reached, Callable[[Loopback, httpx.Request], Any]], Loopback]:
    """Serve a mock until a request comes, and from then on something else."""

    def make(reached: Reached, then: Callable[[Loopback, httpx.Request], Any]) -> Loopback:
        shared.fault = None
        begun: list[httpx.Request] = []

        def answer(asked: httpx.Request) -> Any:
            if begun or reached(asked):
                begun.append(asked)
                return then(server, asked)
            return shared.handle_request(asked)

        server = loopback(answer)
        return server

    return make


@pytest.fixture
def chosen_layers(request: pytest.FixtureRequest, layer: str) -> str:
    """Leave the made-up requests out unless they are what a test is about."""
    if layer != "shapes":
        request.getfixturevalue("without_shapes")
    return layer


def engines() -> list[str]:
    """Return the processes that this one has started and that run."""
    listed = subprocess.run(
        ["ps", "-o", "args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in listed.stdout.splitlines() if "siteassist" in line]


@pytest.mark.parametrize("layer", ALL_LAYERS)
def test_server_that_dies(chosen_layers: str, in_the_middle: Any, command: Command) -> None:
    """What was not asked is not kept: exit status 2, the reason, the reports, and no process."""
    server = in_the_middle(LAYERS[chosen_layers], lambda server, _: server.die())
    result = command(server.url, "--api-key", KEY)
    summary = ended(result, 2, NOT_RUN)
    assert summary["problem"]
    assert [] == summary["violations"]
    assert [] == engines()


def hangs(*_: object) -> httpx.Response:
    """Do not answer, for as long as anybody waits."""
    raise httpx.ReadTimeout("timed out")


@pytest.mark.parametrize("layer", ["errors", "streams", "behaviour"])
@pytest.mark.usefixtures("without_shapes")
def test_server_that_hangs(
    layer: str, served: Loopback, direct: InProcess, command: Command
) -> None:
    """A server that answers nothing any more is given up."""
    begun: list[bool] = []

    def fault(asked: httpx.Request, forward: Forward) -> httpx.Response:
        if begun or LAYERS[layer](asked):
            begun.append(True)
            return hangs()
        return forward(asked)

    direct.fault = fault
    summary = ended(command(served.url, "--api-key", KEY), 2, NOT_RUN)
    assert "the server no longer answers: no answer within 20 s" == summary["problem"]


@pytest.mark.parametrize("layer", ["errors", "streams", "behaviour"])
@pytest.mark.usefixtures("without_shapes")
def test_one_request_that_hangs(
    layer: str, served: Loopback, direct: InProcess, command: Command
) -> None:
    """A request without an answer is a violation if others are answered, and the run goes on."""
    direct.fault = lambda asked, forward: hangs() if LAYERS[layer](asked) else forward(asked)
    summary = ended(command(served.url, "--api-key", KEY), 1, BROKEN)
    assert ["answered"] == [found["rule"] for found in summary["violations"]]
    assert [layer] == [found["layer"] for found in summary["violations"]]
    # A journey that is cut short is one of several; of the other layers the rest is left out.
    left_out = [] if layer == "behaviour" else [layer]
    assert left_out == [note.partition(":")[0] for note in summary["notes"]]


@pytest.mark.parametrize("layer", ALL_LAYERS)
def test_interruption(
    chosen_layers: str, in_the_middle: Any, shared: InProcess, command: Command, interrupt: Any
) -> None:
    """Ctrl-C ends a run in every layer: exit status 130, the reports, no traceback, no process."""
    pressed: list[bool] = []

    def then(_: Loopback, asked: httpx.Request) -> httpx.Response:
        if not pressed:
            pressed.append(True)
            interrupt()
        return shared.handle_request(asked)

    server = in_the_middle(LAYERS[chosen_layers], then)
    result = command(server.url, "--api-key", KEY)
    summary = ended(result, 130, "The tests were interrupted; there is no verdict.")
    assert "the run was interrupted" in {row["reason"] for row in summary["coverage"]}
    assert KEY not in result.output
    assert [] == engines()


def fails(*_: object) -> httpx.Response:
    """Fail."""
    return httpx.Response(500, json={"error": {"message": "Oh"}})


@pytest.mark.parametrize("after", [3, 40, 150, 300, 10**6])
@pytest.mark.usefixtures("without_shapes")
def test_break_that_begins_midway(
    after: int, served: Loopback, direct: InProcess, command: Command
) -> None:
    """A server that breaks while it is tested is found out, unless that comes too late."""
    direct.fault = lambda r, forward: fails() if len(direct.requests) > after else forward(r)
    result = command(served.url, "--api-key", KEY)
    if after < 1000:
        summary = ended(result, 1, BROKEN)
        assert "no-server-error" in {found["rule"] for found in summary["violations"]}
    else:
        ended(result, 0, KEPT)


def endless(_: Loopback, __: httpx.Request) -> Iterator[bytes]:
    """Send a body that has no end."""
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    while True:
        yield b" " * 65536


def json_of(status: int, **headers: str) -> Callable[..., httpx.Response]:
    """Return an answerer that always says the same."""
    body = {"error": {"code": "X", "message": "Later"}}
    return lambda *_: httpx.Response(status, json=body, headers=headers)


HARD: dict[str, tuple[Callable[[Loopback, httpx.Request], Any], int, str]] = {
    "garbage": (lambda *_: b"\x00\xff\x15garbage\r\n\r\n", 2, NOT_RUN),
    "garbage in a body": (
        lambda *_: httpx.Response(
            200, headers={"content-type": "application/json"}, content=b"\xff\x00{"
        ),
        1,
        BROKEN,
    ),
    "redirects": (lambda *_: httpx.Response(302, headers={"location": "/elsewhere"}), 1, BROKEN),
    "an endless body": (endless, 2, NOT_RUN),
    "hangs up": (lambda *_: b"", 2, NOT_RUN),
    "429 without a time": (json_of(429), 2, NOT_RUN),
    "429 for a long time": (json_of(429, **{"retry-after": "3600"}), 2, NOT_RUN),
    "429 for ever": (json_of(429, **{"retry-after": "1"}), 2, NOT_RUN),
    "503 for ever": (json_of(503), 2, NOT_RUN),
}


@pytest.mark.parametrize("credential", ["key", "token"])
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.usefixtures("without_shapes", "clock")
def test_hard_server(
    kind: str,
    credential: str,
    in_the_middle: Any,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first request after the preflight on, it does nothing else any more."""
    monkeypatch.setattr(recorder, "LARGEST_ANSWER", 2**20)
    then, status, words = HARD[kind]
    counted: list[httpx.Request] = []

    def reached(asked: httpx.Request) -> bool:
        counted.append(asked)
        return len(counted) > 1

    server = in_the_middle(reached, then)
    given = ("--api-key", KEY) if credential == "key" else ("--token", PRIVATE_KEY)
    ended(command(server.url, *given), status, words)


@pytest.mark.usefixtures("without_shapes")
def test_server_that_closes_every_connection(
    loopback: Serve, shared: InProcess, command: Command
) -> None:
    """A connection for each request is slow, and no violation."""
    shared.fault = None
    server = loopback(shared.handle_request)
    server.headers["connection"] = "close"
    ended(command(server.url, "--api-key", KEY), 0, KEPT)


@pytest.mark.usefixtures("without_shapes")
def test_server_that_slows_down(
    loopback: Serve, shared: InProcess, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the time is up, the run ends, says that it did, and counts nothing as tested."""
    now = [1000.0]
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    shared.fault = None

    def slow(asked: httpx.Request) -> httpx.Response:
        now[0] += 2.0
        return shared.handle_request(asked)

    server = loopback(slow)
    result = command(server.url, "--api-key", KEY, "--time", "60")
    summary = ended(result, 0, "The server keeps the contract, but not all tests ran in time (")
    assert 25 < summary["requests"] < 40
    assert "errors: stopped because the time was up" in summary["notes"]
    assert "the time was up" in {row["reason"] for row in summary["coverage"]}


@pytest.mark.parametrize("credential", ["key", "token"])
@pytest.mark.usefixtures("without_shapes")
def test_server_that_says_yes_to_everything(
    credential: str, loopback: Serve, command: Command
) -> None:
    """`{}` with 200: with a key the run ends at once, with a token it finds a lot, in groups."""
    server = loopback(lambda _: httpx.Response(200, json={}))
    given = ("--api-key", KEY) if credential == "key" else ("--token", PRIVATE_KEY)
    result = command(server.url, *given)
    summary = ended(result, 1, BROKEN)
    ways = {(found["operation"], found["rule"]) for found in summary["violations"]}
    if credential == "key":
        assert 1 == summary["requests"]
        assert {("init", "described")} == ways
        assert "init returned no session token" in summary["problem"]
        return
    assert len(ways) < len(summary["violations"])
    assert f"{BROKEN}{len(ways)} ways (" in result.stdout
    assert ("getMe", "token-required") in ways


def test_preflight_does_not_read_without_end(loopback: Serve, command: Command) -> None:
    """A server that begins with an endless body is given up."""
    server = loopback(lambda request: endless(server, request))
    result = command(server.url, "--token", PRIVATE_KEY)
    assert 2 == result.exit_code, result.output
    assert "is too long" in result.stderr


def test_ctrl_c_before_the_first_test(
    loopback: Serve, command: Command, interrupt: Callable[[], None]
) -> None:
    """Ctrl-C while the credentials are tried is an interruption like others."""

    def answer(_: httpx.Request) -> httpx.Response:
        interrupt()
        return httpx.Response(200, json={})

    result = command(loopback(answer).url, "--token", PRIVATE_KEY)
    assert 130 == result.exit_code, result.output
    assert ["The tests were interrupted; there is no verdict."] == result.stdout.splitlines()
