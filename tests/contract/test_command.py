"""The bad days of a command: closed outputs, full disks, signals and missing packages."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract import cli, ending, entry, interrupts, run
from siteassist_contract.command import Command as ContractCommand
from siteassist_contract.http import preflight
from siteassist_contract.report import junit
from siteassist_contract.report.terminal import Terminal
from tests.values import API_KEY as KEY
from tests.values import ROOT

if TYPE_CHECKING:
    from tests.contract.conftest import Command, Forward, InProcess, Loopback

LIMIT = 8_000
"""A limit on the size of files that the HTML report and the summary exceed."""
PROGRAM = """
import signal, sys
from dataclasses import replace
from collections import Counter
from types import SimpleNamespace
from siteassist_contract import run
from siteassist_contract.entry import start
from siteassist_contract.profiles import PROFILES

def no_shapes(*_, operations):
    answered = Counter(operations)
    return SimpleNamespace(
        run=lambda: iter(()), out_of_time=False, operations=operations, answered=answered
    )

PROFILES["quick"] = replace(PROFILES["quick"], seconds=0, conversations=3, messages=1)
run.Shapes = no_shapes
start("siteassist-contract", "contract", "siteassist_contract.cli")
"""
"""The command, without generated requests."""
# The end of a command does not depend on what it tested.
FEW = ("--layer", "streams")
NASTY = "\x1b]52;c;cm0=\x07\x9b31m\r\u202e\nThe server keeps the contract (1 request)."


@pytest.fixture
def url(served: Loopback, shared: InProcess) -> str:
    """Return the address of a server that keeps the contract unless a test sets a fault."""
    shared.fault = None
    return served.url


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Restore the handlers of signals, without a noted signal."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    interrupts.install()
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def refuses_everything(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer requests for the search with control characters in every text."""
    if request.url.path == "/v2/search":
        body = {"error": {"code": NASTY, "message": NASTY}}
        text = json.dumps(body, ensure_ascii=False)
        return httpx.Response(418, headers={"Content-Type": "application/json"}, content=text)
    return forward(request)


def command_of(folder: Path, url: str, *options: str, **variables: str) -> dict[str, Any]:
    """Return the arguments of `subprocess.Popen` for the command in a folder."""
    path = os.pathsep.join(str(ROOT / name) for name in ("src", "generated"))
    command = [sys.executable, "-c", PROGRAM, url, "--api-key", KEY, "--profile", "quick"]
    return {
        "args": [*command, *options],
        "cwd": folder,
        "env": {**os.environ, "PYTHONPATH": path, **variables},
        "stderr": subprocess.PIPE,
    }


def written(folder: Path) -> list[str]:
    """Return the names of the reports in a folder."""
    return sorted(path.name for path in (folder / "reports").rglob("*") if path.is_file())


# Outputs


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_keeps_verdict_and_reports(url: str, tmp_path: Path) -> None:
    """Without room for its output, a run ends with its verdict, on standard error."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            **command_of(tmp_path, url, *FEW), stdout=full, text=True, check=False
        )
    assert (0, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
    assert done.stderr.startswith("The server keeps the contract in the tests selected by ")
    assert done.stderr.endswith("(standard output: No space left on device)\n")
    assert ["index.html", "junit.xml", "summary.json"] == written(tmp_path)


def test_closed_output_keeps_verdict_and_reports(
    url: str, shared: InProcess, tmp_path: Path
) -> None:
    """A reader that stops after the first line, like `head -1`, does not change the verdict."""
    shared.fault = refuses_everything
    with subprocess.Popen(
        **command_of(tmp_path, url, "--only", "search", "--layer", "errors"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("Testing ")
        process.stdout.close()
        errors = process.stderr.read()
    assert (1, 1) == (process.returncode, errors.count("\n")), errors
    assert errors.startswith("The server violates the contract: ")
    assert errors.endswith("(standard output: Broken pipe)\n")
    assert ["index.html", "junit.xml", "summary.json"] == written(tmp_path)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_output_of_a_hostile_server_is_text(
    encoding: str, url: str, shared: InProcess, tmp_path: Path
) -> None:
    """In any encoding, no control character of a server and no line of its own is printed."""
    shared.fault = refuses_everything
    done = subprocess.run(
        **command_of(
            tmp_path, url, "--only", "search", "--layer", "errors", PYTHONIOENCODING=encoding
        ),
        stdout=subprocess.PIPE,
        check=False,
    )
    assert (1, b"") == (done.returncode, done.stderr)
    text = done.stdout.decode(encoding)
    assert "  x search: " in text
    assert r"\x1b]52;c;" in text or r"\u001b]52;c;" in text
    assert set() == {char for char in text if not char.isprintable()} - {"\n"}
    verdicts = [line for line in text.split("\n") if line.startswith("The server ")]
    assert [text.split("\n")[-2]] == verdicts


def test_limit_of_file_size_loses_the_large_reports_only(url: str, tmp_path: Path) -> None:
    """Reports above the limit are named in one line; no part of them is left behind."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    done = subprocess.run(
        **command_of(tmp_path, url, *FEW, PYTHONDONTWRITEBYTECODE="1"),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    missing = {"index.html", "junit.xml", "summary.json"} - set(written(tmp_path))
    assert {"index.html", "summary.json"} <= missing
    assert (0, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
    assert len(missing) == done.stderr.count("(File too large)")
    assert done.stdout.splitlines()[-1].startswith(
        "The server keeps the contract in the tests selected by "
    )


# Signals


def signalled(number: signal.Signals, called: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gets a signal at its start."""

    def start(*args: Any, **kwargs: Any) -> Any:
        signal.raise_signal(number)
        return called(*args, **kwargs)

    return start


STARTS = {
    "options": (cli.Duration, "convert"),
    "preflight": (preflight, "check"),
    "baseline": (cli, "_known"),
    "output": (Terminal, "begin"),
}
RUNS = {
    "context": (run.Run, "_steps"),
    "step": (Terminal, "step"),
    "further": (run.Run, "_further"),
    "end": (run.Run, "_tidy_up"),
}
ENDS = {
    "verdict": (ending, "decide"),
    "junit": (junit, "_case"),
    "findings": (Terminal, "end"),
}


@pytest.mark.usefixtures("without_shapes", "direct")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [*STARTS, *RUNS, *ENDS])
def test_signal_at_any_moment(
    moment: str,
    number: signal.Signals,
    url: str,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal ends with status 130 and one line, with reports as soon as a run has begun.

    A run that is over when the signal arrives still writes its reports, and has its verdict.
    """
    owner, name = {**STARTS, **RUNS, **ENDS}[moment]
    monkeypatch.setattr(owner, name, signalled(number, getattr(owner, name)))
    result = command(url, "--api-key", KEY, "--time", "60s", *FEW)
    over = moment in ENDS
    assert (0 if over else 130, "") == (result.exit_code, result.stderr), result.output
    last = result.stdout.splitlines()[-1]
    assert over == last.startswith("The server keeps the contract in the tests selected by ")
    assert over or cli.INTERRUPTED == last
    reports = [] if moment in STARTS else ["index.html", "junit.xml", "summary.json"]
    assert reports == (written(tmp_path) if (tmp_path / "reports").exists() else [])
    if moment in RUNS:
        summary = json.loads((tmp_path / "reports" / "summary.json").read_text())
        assert "interrupted" == summary["verdict"]


# The start


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that starts a command whose import or body is a function."""

    def start(body: Callable[[], object]) -> None:
        def find(name: str) -> ModuleType | SimpleNamespace:
            if name == "first":
                body()
            return SimpleNamespace(main=lambda prog_name: None)

        monkeypatch.setattr(importlib, "import_module", find)
        entry.start("the-command", "extra", "first", "second")

    return start


def missing(name: str) -> Callable[[], object]:
    """Return a function that fails like the import of a missing module."""

    def fail() -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    return fail


Starts = Callable[[Callable[[], object]], None]


def test_missing_package_is_one_line(starts: Starts, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever package of an extra is missing, the hint names the extra."""
    with pytest.raises(SystemExit) as ended:
        starts(missing("uvicorn.config"))
    line = "the-command needs more packages: pip install 'siteassist[extra]'\n"
    assert (2, ("", line)) == (ended.value.code, capsys.readouterr())


def fails() -> object:
    """Fail like an import with a mistake."""
    raise RuntimeError("two\nlines")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            missing("siteassist_spec.nothing"),
            "ModuleNotFoundError: No module named 'siteassist_spec.nothing'",
        ),
        (fails, "RuntimeError: two lines"),
    ],
    ids=["missing", "wrong"],
)
@pytest.mark.parametrize("debug", [False, True])
def test_start_that_fails_is_an_internal_error(
    body: Callable[[], object],
    words: str,
    debug: bool,
    starts: Starts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing module of ours is no reason to install an extra; any error is status 3."""
    monkeypatch.setattr(sys, "argv", ["the-command", *["--debug"] * debug])
    with pytest.raises(SystemExit) as ended:
        starts(body)
    printed = capsys.readouterr()
    line = f"Internal error: {words}. Please report it; --debug shows the traceback."
    assert (3, "", line) == (ended.value.code, printed.out, printed.err.splitlines()[-1])
    assert debug == ("Traceback" in printed.err)
    assert debug or 1 == printed.err.count("\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_start_is_one_line(
    number: signal.Signals, starts: Starts, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signal during the imports, which take a second, is one line and status 130."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(SystemExit) as ended:
        starts(lambda: signal.raise_signal(number))
    assert (130, ("", "the-command: interrupted\n")) == (ended.value.code, capsys.readouterr())


def test_end_is_not_interrupted(starts: Starts) -> None:
    """After the command, signals no longer change its status."""
    with pytest.raises(SystemExit) as ended:
        starts(lambda: None)
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    assert ended.value.code is None


def test_usage_error_has_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown option is refused as click does, with its control characters as text."""
    command = ContractCommand("name", interrupted="interrupted", callback=lambda: None)
    with pytest.raises(SystemExit) as ended:
        command.main(["--\x1b[2J"], prog_name="name")
    assert 2 == ended.value.code
    assert r"--\x1b[2J" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        command.main([], prog_name="name")
    assert 0 == ended.value.code
