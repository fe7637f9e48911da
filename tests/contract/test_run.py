"""Runs against servers that fail: each ends soon, with the right status and no traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import Result

from siteassist_contract import run
from siteassist_contract.http import recorder
from tests.contract.conftest import NoShapes
from tests.values import API_KEY as KEY
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Clock, Command, Forward, InProcess, Loopback, Serve

pytestmark = pytest.mark.one_interpreter
# Coverage doubles the time of a run, and the other runs take the same branches.
unmeasured = pytest.mark.no_cover

Reached = Callable[[httpx.Request], bool]

KEPT = "The server keeps the contract ("
BROKEN = "The server violates the contract: "
NOT_RUN = "Incomplete: "


VERDICTS = {0: "kept", 1: "broken", 2: "incomplete", 130: "interrupted"}

LAYERS: dict[str, Reached] = {
    "errors": lambda r: r.url.params.get("limit") == "101",
    "streams": lambda r: r.url.path.endswith("/chat/completions") and b"Two" in r.content,
    "behaviour": lambda r: b"closeReason" in r.content and b"Again" in r.content,
    "shapes": lambda r: "schemathesis" in r.headers.get("User-Agent", ""),
}
"""For each layer, a condition that only its requests fulfil."""


def narrowed_to(layer: str) -> tuple[str, ...]:
    """Return the options of a run of one layer; generated requests take a second an operation."""
    return ("--layer", layer, *(("--only", "getMe") if layer == "shapes" else ()))


def ended(result: Result, status: int, words: str) -> dict[str, Any]:
    """Check how a run ended, and return its summary."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert status == result.exit_code, result.output
    assert "Traceback" not in result.output
    out = result.stderr if status == 2 else result.stdout
    assert out.splitlines()[-1].startswith(words), result.output
    assert (Path("reports") / "html" / "index.html").exists()
    assert (Path("reports") / "junit.xml").exists()
    summary: dict[str, Any] = json.loads(Path("reports", "summary.json").read_text())
    assert out.splitlines()[-1] == summary["line"]
    assert status == summary["exit_status"]
    assert VERDICTS[status] == summary["verdict"]
    return summary


@pytest.fixture
def in_the_middle(
    loopback: Serve, shared: InProcess
) -> Callable[[Reached, Callable[[Loopback, httpx.Request], Any]], Loopback]:
    """Return a function that serves a mock until a request matches, and then a fault."""

    def make(reached: Reached, then: Callable[[Loopback, httpx.Request], Any]) -> Loopback:
        shared.fault = None
        begun: list[httpx.Request] = []

        def answer(request: httpx.Request) -> Any:
            if begun or reached(request):
                begun.append(request)
                return then(server, request)
            return shared.handle_request(request)

        server = loopback(answer)
        return server

    return make


@pytest.fixture
def chosen_layers(request: pytest.FixtureRequest, layer: str) -> str:
    """Leave the generated requests out unless the test is about them."""
    if layer != "shapes":
        request.getfixturevalue("without_shapes")
    return layer


def engines() -> list[str]:
    """Return the command lines of this process's children from this project."""
    listed = subprocess.run(
        ["ps", "-o", "args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in listed.stdout.splitlines() if "siteassist" in line]


@pytest.mark.sweep(2)
@pytest.mark.usefixtures("without_kinds")
@pytest.mark.parametrize(
    "layer", [pytest.param(layer, marks=[unmeasured] * (layer == "shapes")) for layer in LAYERS]
)
def test_lost_server_ends_the_run(chosen_layers: str, in_the_middle: Any, command: Command) -> None:
    """A lost server ends each layer with status 2, reports and the reason; no process is left."""
    server = in_the_middle(LAYERS[chosen_layers], lambda server, _: server.die())
    options = narrowed_to(chosen_layers)
    result = command(server.url, "--api-key", KEY, *options)
    summary = ended(result, 2, "Incomplete in the tests selected by ")
    assert summary["problem"]
    assert [] == summary["violations"]
    assert [] == engines()


def hangs(*_: object) -> httpx.Response:
    """Time out without a response."""
    raise httpx.ReadTimeout("timed out")


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.parametrize("layer", ["errors", "streams", "behaviour"])
@pytest.mark.usefixtures("without_shapes")
def test_hanging_server_ends_the_run(
    layer: str, served: Loopback, direct: InProcess, command: Command
) -> None:
    """A server that stops responding ends the run."""
    begun: list[bool] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if begun or LAYERS[layer](request):
            begun.append(True)
            return hangs()
        return forward(request)

    direct.fault = fault
    result = command(served.url, "--api-key", KEY, *narrowed_to(layer))
    summary = ended(result, 2, "Incomplete in the tests selected by ")
    assert "the server no longer answers: no answer within 20 s" == summary["problem"]


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.parametrize("layer", ["errors", "streams", "behaviour"])
@pytest.mark.usefixtures("without_shapes")
def test_hanging_request_is_a_violation(
    layer: str, served: Loopback, direct: InProcess, command: Command
) -> None:
    """A single request without a response is a violation, and the run continues."""
    direct.fault = lambda request, forward: hangs() if LAYERS[layer](request) else forward(request)
    result = command(served.url, "--api-key", KEY, *narrowed_to(layer))
    summary = ended(result, 1, BROKEN)
    violations, unfinished = summary["violations"], summary["unfinished"]
    assert {("answered", layer)} == {(found["rule"], found["layer"]) for found in violations}
    # Each step with such a request ends; the others continue.
    reasons = [f"{found['operation']} got no answer" for found in violations]
    assert reasons == list(unfinished.values())
    assert {layer} == layers_of(unfinished)
    notes = [f"{step}: stopped because {reason}" for step, reason in unfinished.items()]
    assert notes == [note for note in summary["notes"] if not note.startswith("HEAD ")]
    assert len(summary["planned"]) == len(summary["done"]) + len(unfinished)
    # The request without an answer is shown, and not the one before it.
    for found in violations:
        assert "no answer" == found["answer"]
        assert found["operation"] == found["steps"][-1]


@pytest.mark.usefixtures("without_kinds", "without_shapes")
def test_lost_request_is_what_the_reproduction_sends(
    served: Loopback, direct: InProcess, command: Command
) -> None:
    """A server that closes the connection on an array as body is shown that array."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.url.path.endswith("/identity/init") and request.content.startswith(b"["):
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return forward(request)

    direct.fault = fault
    result = command(served.url, "--api-key", KEY, "--layer", "errors", "--only", "init")
    (found,) = ended(result, 1, BROKEN)["violations"]
    assert ("answered", "init", "no answer") == (
        found["rule"],
        found["operation"],
        found["answer"],
    )
    last = found["commands"].splitlines()[-1]
    assert "/identity/init" in last
    assert "--data '[" in last


@pytest.mark.usefixtures("without_kinds")
@unmeasured
@pytest.mark.parametrize("layer", LAYERS)
def test_interruption_ends_the_run(
    chosen_layers: str, in_the_middle: Any, shared: InProcess, command: Command, interrupt: Any
) -> None:
    """Ctrl-C ends each layer with status 130 and reports, without a traceback or a process left."""
    pressed: list[bool] = []

    def then(_: Loopback, request: httpx.Request) -> httpx.Response:
        if not pressed:
            pressed.append(True)
            interrupt()
        return shared.handle_request(request)

    server = in_the_middle(LAYERS[chosen_layers], then)
    # Narrowed by operation, but not to one layer: one before it must have run.
    options = (*narrowed_to("shapes"), "--layer", "errors") if chosen_layers == "shapes" else ()
    result = command(server.url, "--api-key", KEY, *options)
    summary = ended(result, 130, "The tests were interrupted; there is no verdict.")
    assert "errors" in layers_of(summary["done"])
    assert chosen_layers in layers_of(summary["unfinished"])
    assert KEY not in result.output
    assert [] == engines()


def layers_of(steps: Iterable[str]) -> set[str]:
    """Return the layers of steps of a report."""
    return {step.partition(":")[0] for step in steps}


def fails(*_: object) -> httpx.Response:
    """Return a server error."""
    return httpx.Response(500, json={"error": {"message": "Oh"}})


@unmeasured
@pytest.mark.parametrize("after", [3, 40, 150, 300])
@pytest.mark.usefixtures("without_shapes")
def test_fault_that_begins_midway_is_found(
    after: int, served: Loopback, direct: InProcess, command: Command
) -> None:
    """A server that starts to fail during the run is found."""
    direct.fault = lambda r, forward: fails() if len(direct.requests) > after else forward(r)
    result = command(served.url, "--api-key", KEY)
    summary = ended(result, 1, BROKEN)
    assert "no-server-error" in {found["rule"] for found in summary["violations"]}


def endless(_: Loopback, __: httpx.Request) -> Iterator[bytes]:
    """Send a response with an endless body."""
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    while True:
        yield b" " * 65536


def error_response(status: int, **headers: str) -> Callable[..., httpx.Response]:
    """Return a responder that always sends the same error."""
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
    "429 without a time": (error_response(429), 2, NOT_RUN),
    "429 for a long time": (error_response(429, **{"retry-after": "3600"}), 2, NOT_RUN),
    "429 for ever": (error_response(429, **{"retry-after": "1"}), 2, NOT_RUN),
    "503 for ever": (error_response(503), 2, NOT_RUN),
}


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.parametrize("credential", ["key", "token"])
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.usefixtures("without_shapes", "clock")
def test_failing_server_ends_the_run(
    kind: str,
    credential: str,
    in_the_middle: Any,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run ends with the expected status if each request after the first one fails."""
    monkeypatch.setattr(recorder, "LARGEST_ANSWER", 2**20)
    then, status, words = HARD[kind]
    counted: list[httpx.Request] = []

    def reached(request: httpx.Request) -> bool:
        counted.append(request)
        return len(counted) > 1

    server = in_the_middle(reached, then)
    given = ("--api-key", KEY) if credential == "key" else ("--token", PRIVATE_KEY)
    ended(command(server.url, *given), status, words)


@pytest.mark.usefixtures("without_kinds")
@unmeasured
@pytest.mark.usefixtures("without_shapes")
def test_closed_connections_are_no_violation(
    loopback: Serve, shared: InProcess, command: Command
) -> None:
    """A server that closes each connection after its response keeps the contract."""
    shared.fault = None
    server = loopback(shared.handle_request)
    server.headers["connection"] = "close"
    ended(command(server.url, "--api-key", KEY), 0, KEPT)


@pytest.mark.usefixtures("without_shapes")
def test_slow_server_ends_the_run_in_time(
    loopback: Serve, shared: InProcess, command: Command, clock: Clock
) -> None:
    """At its time limit the run is incomplete, and names the time that it needs, which suffices."""
    shared.fault = None

    def slow(request: httpx.Request) -> httpx.Response:
        answer = shared.handle_request(request)
        # A slow stream that arrives at once would be a violation.
        if not answer.headers["content-type"].startswith("text/event-stream"):
            clock.sleep(2.0)
        return answer

    server = loopback(slow)
    given = (server.url, "--api-key", KEY)
    summary = ended(command(*given, "--time", "60"), 2, "Incomplete: the time ran out; ")
    assert 25 < summary["requests"] < 40
    assert "not begun" in summary["unfinished"].values()
    assert "the time ran out" in {row["reason"] for row in summary["coverage"]}
    assert summary["not_tested"]
    advice = re.search(
        r"\. The server takes 2\.0 s for a request.*\. About (\d+) minutes are needed:"
        r" pass --time (\d+)m\.$",
        summary["line"],
    )
    assert advice is not None, summary["line"]
    assert advice[1] == advice[2]
    allowed = command(*given, "--time", "60", "--allow-incomplete")
    assert 0 == allowed.exit_code
    line = "Exit status 0 because of --allow-incomplete."
    assert allowed.stderr.splitlines()[-1].endswith(line)
    summary = ended(command(*given, "--time", f"{advice[1]}m"), 0, KEPT)
    assert {} == summary["unfinished"]
    assert [True] == list({gap["excused"] for gap in summary["not_tested"]})
    words = "steps in full, with longer conversations and lists."
    notes = [note for note in summary["notes"] if note.endswith(words)]
    assert ["The server takes 2.0 s for a request"] == [note[:36] for note in notes]
    assert ". There was no time for " in notes[0]


@pytest.mark.usefixtures("without_kinds")
def test_later_rounds_may_be_cut(
    served: Loopback,
    shared: InProcess,
    command: Command,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that repeats until its time is up is kept, although its last round is cut."""
    shared.fault = None
    rounds: list[float] = []

    class Cut(NoShapes):
        def __init__(self, *arguments: Any, operations: Sequence[str]) -> None:
            super().__init__(*arguments, operations=operations)
            rounds.append(arguments[3])

        def run(self) -> Iterator[str]:
            if len(rounds) == 1:
                yield from super().run()
            else:
                clock.sleep(rounds[-1] - clock.now + 1)
                self.out_of_time = True

    monkeypatch.setattr(run, "Shapes", Cut)
    result = command(served.url, "--api-key", KEY, "--profile", "deep", "--time", "6s")
    assert [] == list(ended(result, 0, KEPT)["unfinished"])
    assert 2 == len(rounds)


def always_empty(_: httpx.Request) -> httpx.Response:
    """Return 200 with `{}`."""
    return httpx.Response(200, json={})


def ways(summary: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the operation and the rule of each violation."""
    return {(found["operation"], found["rule"]) for found in summary["violations"]}


@pytest.mark.usefixtures("without_shapes")
def test_missing_session_token_ends_the_run(loopback: Serve, command: Command) -> None:
    """With a key, a run needs a session token and ends at once without one."""
    summary = ended(command(loopback(always_empty).url, "--api-key", KEY), 1, BROKEN)
    assert 1 == summary["requests"]
    assert {("init", "described")} == ways(summary)
    assert "init returned no session token" in summary["problem"]


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.usefixtures("without_shapes")
def test_many_findings_are_grouped_and_shortened(loopback: Serve, command: Command) -> None:
    """The terminal groups many violations, and shows ten findings in full."""
    result = command(loopback(always_empty).url, "--token", PRIVATE_KEY)
    summary = ended(result, 1, BROKEN)
    found = ways(summary)
    assert len(found) < len(summary["violations"])
    assert f"{BROKEN}{len(found)} findings (" in result.stdout
    assert ("getMe", "token-required") in found
    assert "  The HTML report has all of them in full.\n" in result.stdout
    assert 10 == result.stdout.count("\n  expected: ")
    assert "  also at:  " in result.stdout


def test_preflight_limits_the_size_of_a_body(loopback: Serve, command: Command) -> None:
    """An endless body in the first response ends the run."""
    server = loopback(lambda request: endless(server, request))
    result = command(server.url, "--token", PRIVATE_KEY)
    assert 2 == result.exit_code, result.output
    assert "is too long" in result.stderr


def test_interruption_of_the_preflight_ends_the_run(
    loopback: Serve, command: Command, interrupt: Callable[[], None]
) -> None:
    """Ctrl-C while the credentials are tested ends the run like any other interruption."""

    def answer(_: httpx.Request) -> httpx.Response:
        interrupt()
        return httpx.Response(200, json={})

    result = command(loopback(answer).url, "--token", PRIVATE_KEY)
    assert 130 == result.exit_code, result.output
    assert ["The tests were interrupted; there is no verdict."] == result.stdout.splitlines()
