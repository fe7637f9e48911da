"""The layer of generated requests, which reads the lines of a separate process."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from siteassist_contract import interrupts
from siteassist_contract.checks.context import FIRST, SECOND, CheckContext
from siteassist_contract.checks.generated import layer
from siteassist_contract.checks.generated.configuration import DATABASE
from siteassist_contract.checks.generated.layer import EXPECTED, UNFINISHED, Shapes
from siteassist_contract.findings import SHAPES, Findings, StopRun
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Exchange, GoneError, Recorder
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report.reproduction import Renderer
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import CannotRunError, InternalError

BASE = "http://127.0.0.1:1/v2"
KEY, TOKEN = "sa_pk_1234567890abcdef", "t0ken-t0ken-t0ken"
WITH_KEY = Target(BASE, api_key=KEY, run="r")
WITH_TOKEN = Target(BASE, token=TOKEN, run="r")
ENDLESS = "import signal\nsignal.pause()\n"
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


class Engine:
    """A program in place of schemathesis that prints the lines a test needs."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "engine"
        self.note = folder / "note.json"

    def prints(self, *lines: Any, then: str = "", first: str = "") -> None:
        """Print lines, anything but a string as JSON, and note the arguments and environment."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.program.write_text(
            f"#!{sys.executable} -IS\n"
            "import json, os, stat, sys\n"
            f"{first}"
            "folder = sys.argv[-1]\n"
            "files = {n: oct(stat.S_IMODE(os.stat(os.path.join(folder, n)).st_mode))"
            " for n in os.listdir(folder)}\n"
            f"note = open({str(self.note)!r}, 'w')\n"
            "json.dump({'arguments': sys.argv[1:], 'files': files, 'pid': os.getpid(),"
            " 'environment': dict(os.environ)}, note)\n"
            "note.close()\n"
            f"print({chr(10).join(texts)!r}, flush=True)\n"
            f"{then}"
        )
        self.program.chmod(0o700)

    @property
    def noted(self) -> dict[str, Any]:
        """The noted arguments, environment, files and process id."""
        found: dict[str, Any] = json.loads(self.note.read_text())
        return found

    def is_over(self) -> bool:
        """Return whether the process has ended and was waited for."""
        return not Path(f"/proc/{self.noted['pid']}").exists()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Replace schemathesis by another program."""
    made = Engine(tmp_path)
    monkeypatch.setattr(layer, "sys", SimpleNamespace(executable=str(made.program)))
    return made


def test_interrupt_at_the_start_leaves_no_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A signal while the engine starts ends it at once, without a traceback of its own."""
    engine.prints(then=ENDLESS)
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def interrupted(*args: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(popen(*args, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    before = signal.getsignal(signal.SIGINT)
    interrupts.install()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(shapes(context()).run())
    finally:
        interrupts.install()
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert (-signal.SIGKILL, "") == (started[0].returncode, capfd.readouterr().err)


def test_engine_has_a_session_of_its_own(engine: Engine) -> None:
    """Ctrl-C, which a terminal sends to a whole group of processes, does not reach the engine."""
    engine.prints(done("one"), then=ENDLESS)
    run: Iterator[str] = shapes(context()).run()
    next(run)
    assert engine.noted["pid"] == os.getsid(engine.noted["pid"])
    run.close()  # type: ignore[attr-defined]  # it is a generator


def test_full_disk_prevents_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the engine's files, the reason is one sentence."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(layer, "write", fail)
    with pytest.raises(
        CannotRunError, match=r"^temporary files cannot be written: No space left on device$"
    ):
        list(shapes(context()).run())


def context(target: Target = WITH_KEY, **options: Any) -> CheckContext:
    """Create the context of a run."""
    devices: dict[str, str] = {}
    findings = Findings(
        secrets=Filter([target.api_key, target.token]),
        render=Renderer(BASE, target.api_key, devices),
        layer=SHAPES,
        **options,
    )
    recorder = Recorder(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    return CheckContext(target, PROFILES["quick"], recorder, findings, devices)


def shapes(on: CheckContext, seconds: float = 600, **options: Any) -> Shapes:
    """Create a layer with time left."""
    return Shapes(on, examples=3, seed=7, until=time.monotonic() + seconds, **options)


def done(words: str = "phase", *, interrupted: bool = False) -> dict[str, Any]:
    """Create the line that ends a phase."""
    return {"done": words, "interrupted": interrupted}


def exchange(**changed: Any) -> dict[str, Any]:
    """Create an exchange as the engine emits it."""
    return {
        "operation": "getMe",
        "credential": "first",
        "method": "GET",
        "url": f"{BASE}/identity/me?a=1&b=%C3%BC",
        "body": "\xff\x00",
        "content_type": "text/plain",
        "status": 418,
        "headers": {"content-type": "text/html"},
        "content": "caf\xe9",
        "seconds": 0.25,
        **changed,
    }


def violation(**changed: Any) -> dict[str, Any]:
    """Create the line that reports a violation."""
    return {
        "rule": "described",
        "operation": "getMe",
        "place": "418",
        "status": 418,
        "message": "no such status",
        "exchanges": [exchange()],
        **changed,
    }


# Reading the engine's lines


def test_phases_and_counts_are_read(engine: Engine) -> None:
    """Each finished phase is yielded; statuses, rules and requests are counted."""
    engine.prints(
        {"phase": "one"},
        {"answered": [["getMe", 200, 2], ["init", 201, 1]], "tested": [["bounds", "init", 4]]},
        done("one"),
        {"answered": [["getMe", 200, 3]], "tested": []},
        done("two"),
    )
    on = context()
    assert ["one", "two"] == list(shapes(on).run())
    assert {("getMe", 200): 5, ("init", 201): 1} == on.findings.answered
    assert {(SHAPES, "getMe"): 5, (SHAPES, "init"): 1} == on.findings.requests
    assert {("bounds", "init"): 4} == on.findings.tested
    assert 6 == on.recorder.requests


def test_unknown_lines_are_ignored(engine: Engine) -> None:
    """Libraries in the process may print anything."""
    engine.prints("Warning: {", "", "[1]", "7", '{"unknown": 1}', done())
    assert ["phase"] == list(shapes(context()).run())


def test_object_of_a_violation_is_made_first(engine: Engine) -> None:
    """A request that was made up alone begins with the one that created its object."""
    name = "00000000-0000-4000-8000-000000000001"
    (shown,) = violation()["exchanges"]
    start = {
        **shown,
        "operation": "startConversation",
        "method": "POST",
        "url": f"{WITH_KEY.base_url}/conversations",
        "status": 201,
        "content": json.dumps({"id": name}),
    }
    used = {**shown, "url": f"{WITH_KEY.base_url}/conversations/{name}"}
    found = violation() | {"operation": "getConversation"}
    used["operation"] = "getConversation"
    engine.prints({"made": [start]}, found | {"exchanges": [used]}, done())
    on = context()
    list(shapes(on).run())
    (recorded,) = on.findings.violations.values()
    assert ("startConversation", "getConversation") == recorded.steps


def test_violation_is_recorded(engine: Engine) -> None:
    """A violation has its exchanges byte for byte, and is not counted again."""
    engine.prints({"answered": [], "tested": [["described", "getMe", 1]]}, violation(), done())
    seen: list[Exchange] = []
    on = context()

    def render(exchanges: Sequence[Exchange]) -> tuple[str, str]:
        seen.extend(exchanges)
        return "", ""

    on.findings.render = render
    list(shapes(on).run())
    (found,) = on.findings.violations.values()
    assert ("getMe described 418", EXPECTED["described"], "418: no such status", SHAPES) == (
        *(found.key, found.expected, found.actual, found.layer),
    )
    assert 1 == on.findings.tested["described", "getMe"]
    assert [
        Exchange(
            operation="getMe",
            credential="first",
            method="GET",
            target="/identity/me?a=1&b=%C3%BC",
            body=b"\xff\x00",
            content_type="text/plain",
            status=418,
            headers={"content-type": "text/html"},
            content=b"caf\xe9",
            seconds=0.25,
            first=0.0,
            pieces=1,
        )
    ] == seen


def test_lines_of_a_message_become_one(engine: Engine) -> None:
    """The text of the violation has no line breaks, which reports would show as escapes."""
    engine.prints(violation(message="Undocumented\n\n    got: 418\n"), done())
    on = context()
    list(shapes(on).run())
    (found,) = on.findings.violations.values()
    assert "418: Undocumented; got: 418" == found.actual


def test_violation_may_have_no_status(engine: Engine) -> None:
    """The expectation falls back to the rule's words, and a URL may have no query."""
    line = violation(
        rule="made-up-requests", place="", status=0, message="no", exchanges=[exchange(url=BASE)]
    )
    engine.prints(line, done())
    on = context()
    list(shapes(on).run())
    (found,) = on.findings.violations.values()
    assert ("no", RULES["made-up-requests"].words) == (found.actual, found.expected)
    requests = [line for line in found.commands.splitlines() if "curl " in line]
    assert [] == [line for line in requests if "?" in line]


def test_expectations_are_for_known_rules() -> None:
    """Each expectation of the layer belongs to an existing rule."""
    assert set() == set(EXPECTED) - set(RULES)


def test_first_violation_may_end_the_run_and_the_engine(engine: Engine) -> None:
    """The engine is stopped without waiting for its remaining work."""
    engine.prints(violation(), then=ENDLESS)
    with pytest.raises(StopRun):
        list(shapes(context(stop_at_first=True)).run())
    assert engine.is_over()


# Starting the engine


def test_credentials_are_not_in_arguments(engine: Engine) -> None:
    """Credentials are in files and variables, because all users can see arguments."""
    engine.prints(done())
    list(shapes(context(), database="redis://:p4ss@h/0").run())
    noted = engine.noted
    *options, folder = noted["arguments"]
    assert ["-m", "siteassist_contract.checks.generated.engine"] == options
    assert KEY not in " ".join(noted["arguments"])
    assert {"0o600"} == set(noted["files"].values())
    assert {"schemathesis.toml", "openapi.json", "identities.json"} <= set(noted["files"])
    environment = noted["environment"]
    assert (KEY, "", "redis://:p4ss@h/0", folder) == (
        *(environment["SITEASSIST_API_KEY"], environment["SITEASSIST_TOKEN"]),
        *(environment[DATABASE], environment["HYPOTHESIS_STORAGE_DIRECTORY"]),
    )
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("target", "devices"),
    [
        (WITH_KEY, {FIRST: WITH_KEY.devices[0], SECOND: WITH_KEY.devices[1]}),
        (WITH_TOKEN, {SECOND: WITH_TOKEN.devices[1]}),
    ],
)
def test_commands_use_the_devices_of_the_engine(
    target: Target, devices: dict[str, str], engine: Engine
) -> None:
    """The reproduction uses the engine's devices; a given token has none."""
    engine.prints(done())
    on = context(target)
    list(shapes(on).run())
    assert devices == on.devices
    assert (target.token or "") == engine.noted["environment"]["SITEASSIST_TOKEN"]


# Ending the engine


@pytest.mark.parametrize(
    "lines", [[], [{"phase": "x"}], [done("a"), done("b", interrupted=True)]], ids=str
)
def test_incomplete_engine_is_reported(lines: list[Any], engine: Engine) -> None:
    """A run of the engine without its final line is never taken for a complete one."""
    engine.prints(*lines)
    with pytest.raises(InternalError, match="schemathesis ended early"):
        list(shapes(context()).run())


def test_error_that_ends_the_engine_is_named(engine: Engine) -> None:
    """The error of a process that ends with a traceback is in the message, the rest in details."""
    engine.prints({"phase": "x"}, then="raise KeyError('ours')")
    with pytest.raises(InternalError, match="ended early: KeyError: 'ours'") as found:
        list(shapes(context()).run())
    assert found.value.details.startswith("Traceback (most recent call last)")


@pytest.mark.parametrize(("kind", "error"), [("problem", CannotRunError), ("error", InternalError)])
def test_problem_of_the_engine_is_reported_on_one_line(
    kind: str, error: type[Exception], engine: Engine
) -> None:
    """The first problem is reported at the end, without secrets and with the number of others."""
    engine.prints(
        {kind: f"a:\n  no {KEY}", "details": f"Traceback {KEY}"},
        {kind: f"a:\n  no {KEY}", "details": "Other"},
        done("still"),
        {kind: "b"},
    )
    run = shapes(context()).run()
    assert "still" == next(run)
    with pytest.raises(error) as caught:
        next(run)
    assert "a: no [Filtered] (and 1 more)" == str(caught.value)
    if isinstance(caught.value, InternalError):
        assert "Traceback [Filtered]" == caught.value.details


def test_long_problem_is_shortened(engine: Engine) -> None:
    """A problem is cut after 300 characters."""
    engine.prints({"error": 1000 * "x"}, done())
    with pytest.raises(InternalError) as caught:
        list(shapes(context()).run())
    assert 300 * "x" == str(caught.value)


def test_crash_of_the_engine_has_its_traceback(engine: Engine) -> None:
    """The standard error of the engine is kept for the report, without secrets."""
    engine.prints(then=f"raise SystemExit({f'Traceback: {KEY}'!r})")
    with pytest.raises(InternalError) as caught:
        list(shapes(context()).run())
    assert "Traceback: [Filtered]" == caught.value.details.strip()


def unanswered(operation: str = "startConversation") -> dict[str, Any]:
    """Create the line for a request without an answer."""
    exchanges = [exchange(operation=operation, method="POST", status=0, content="")]
    return {"unanswered": operation, "reason": "reset", "exchanges": exchanges}


@pytest.mark.parametrize("seconds", [600, -1])
def test_unanswered_request_is_a_violation(
    seconds: float, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts although the time is up, and the layer goes on; others are answered."""
    monkeypatch.setattr(layer, "_KILL_DELAY", 30)
    engine.prints(unanswered(), done())
    on = context()
    assert ["phase" if seconds > 0 else UNFINISHED] == list(shapes(on, seconds).run())
    (found,) = on.findings.violations.values()
    assert ("startConversation answered", "an answer", "reset", 1) == (
        *(found.key, found.expected, found.actual, found.requests),
    )
    assert 1 == on.findings.tested["answered", "startConversation"]
    assert 1 == on.recorder.requests


def test_unanswered_request_of_a_server_that_is_gone_ends_the_run(engine: Engine) -> None:
    """Without an answer to another request it is no violation."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("silent")

    engine.prints(unanswered(), done())
    on = context()
    on.recorder._inner = httpx.MockTransport(refuse)
    with pytest.raises(GoneError, match="the server no longer answers: no answer within 20 s"):
        list(shapes(on).run())
    assert {} == on.findings.violations


def test_unanswered_request_is_not_judged_without_time(engine: Engine) -> None:
    """Without time for another request, nothing shows that the server answers others."""
    engine.prints(unanswered(), done())
    on = context()
    on.recorder.until = 0
    list(shapes(on).run())
    assert {} == on.findings.violations


@pytest.mark.parametrize(("name", "words"), [("init", "init"), ("", "a request")])
def test_engine_that_stops_without_an_answer_is_reported(
    name: str, words: str, engine: Engine
) -> None:
    """An incomplete run after an unanswered request is no error of the tests."""
    engine.prints(unanswered(name))
    on = context()
    with pytest.raises(CannotRunError, match=f"stopped because {words} got no answer"):
        list(shapes(on).run())
    assert bool(name) == bool(on.findings.violations)


def test_repeated_requests_are_counted(engine: Engine) -> None:
    """Refused bodies are held to the description; final refusals count as circumstances."""
    engine.prints(
        {"lost": 2, "refused": [exchange(status=429, body="", content="{}")]},
        {"answered": [["getMe", 503, 3], ["getMe", 200, 1]], "tested": []},
        done(),
    )
    on = context()
    layer_of = shapes(on)
    list(layer_of.run())
    assert {"getMe described 429"} == set(on.findings.violations)
    assert {("getMe", 429): 1, ("getMe", 503): 3} == on.findings.circumstances
    assert (2, 7, {"getMe": 4}) == (on.recorder.lost, on.recorder.requests, layer_of.answered)


def test_time_limit_stops_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the time limit the engine is stopped, and its counts so far are kept."""
    monkeypatch.setattr(layer, "_KILL_DELAY", 30)
    engine.prints({"answered": [["getMe", 200, 1]]}, then=ENDLESS)
    late = shapes(context(), seconds=-1)
    assert [UNFINISHED] == list(late.run())
    assert late.out_of_time
    assert engine.is_over()


def test_engine_that_does_not_stop_is_killed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that ignores the interruption is killed."""
    monkeypatch.setattr(layer, "PATIENCE", 0.01)
    monkeypatch.setattr(layer, "_KILL_DELAY", 30)
    engine.prints(done(), first=DEAF, then=ENDLESS)
    assert [UNFINISHED] == list(shapes(context(), seconds=-1).run())
    assert engine.is_over()


def test_closing_the_run_ends_the_engine(engine: Engine) -> None:
    """Closing the generator, as after Ctrl-C, stops the engine."""
    engine.prints(done("one"), then=ENDLESS)
    run: Iterator[str] = shapes(context()).run()
    assert "one" == next(run)
    run.close()  # type: ignore[attr-defined]  # it is a generator
    assert engine.is_over()
