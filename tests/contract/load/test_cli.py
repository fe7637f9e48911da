"""The load command, run by Locust in its separate environment."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from siteassist_contract.load.cli import main
from siteassist_mock.testing import mock_server
from tests.values import API_KEY as KEY
from tests.values import ROOT

PYTHON = ROOT / ".venv-load" / "bin" / "python"
FAST = ("--think", "0", "0", "--users", "4", "--spawn-rate", "50")
SHORT = (*FAST, "--visits", "8")
Start = Callable[..., subprocess.Popen[str]]

needs_locust = pytest.mark.skipif(
    not PYTHON.exists(), reason="needs Locust: make .venv-load/.ready"
)


@contextlib.contextmanager
def running(folder: Path, *words: str, key: str = KEY) -> Iterator[subprocess.Popen[str]]:
    """Run the command in ``folder`` with the key in its environment."""
    # Import this repository's modules, wherever the environment was created.
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT / "generated")))
    environment = {**os.environ, "SITEASSIST_API_KEY": key, "PYTHONPATH": path}
    # The Python of Locust has a configuration of coverage of its own.
    if environment.pop("COVERAGE_PROCESS_CONFIG", None):
        environment["COVERAGE_PROCESS_START"] = str(Path(__file__).with_name("coverage.toml"))
        environment["COVERAGE_FILE"] = str(ROOT / ".coverage")
    with subprocess.Popen(
        [str(PYTHON), "-P", "-m", "siteassist_contract.load", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def run(folder: Path, *words: str, key: str = KEY) -> tuple[int, str]:
    """Run the command to its end, and return its exit status and output."""
    with running(folder, *words, key=key) as process:
        printed, _ = process.communicate()
    return process.returncode, printed


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Read the command's output up to a line with ``words``."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"the output does not contain {words!r}")


def free_port() -> str:
    """Return a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@pytest.mark.usefixtures("measured_children")
@needs_locust
def test_correct_server_passes(url: str, tmp_path: Path) -> None:
    """The status is 0, the figures are listed by operation, and the key is not printed."""
    status, printed = run(tmp_path, url, *SHORT)
    assert 0 == status, printed
    assert printed.endswith("requests).\n")
    for name in ("sendMessage: first delta", "createChatCompletion: between deltas", "init"):
        assert f" {name} " in printed
    reports = [path.read_text() for path in (tmp_path / "reports").iterdir()]
    assert 2 == len(reports)
    assert not [text for text in (printed, *reports) if KEY in text]


@pytest.mark.usefixtures("measured_children")
@needs_locust
def test_violation_in_several_processes_is_reported_once(broken_url: str, tmp_path: Path) -> None:
    """The violations of two processes are merged, and the status is 1."""
    status, printed = run(tmp_path, broken_url, *SHORT, "--processes", "2")
    assert 1 == status, printed
    assert 1 == printed.count("✗ sendMessage: The stored answer is the one that was sent")
    count = re.search(r"seen in:  (\d+) visits", printed)
    assert count is not None
    assert int(count[1]) >= 2
    document = json.loads((tmp_path / "reports" / "load.json").read_text())
    assert ["sendMessage stored-answer"] == list(document["violations"])


@needs_locust
def test_violation_of_a_worker_reaches_its_master(broken_url: str, tmp_path: Path) -> None:
    """A master reports the violations of two workers that are started separately."""
    where = ("--master-port", free_port())
    worker = (broken_url, "--worker", "--think", "0", "0", *where)
    master = (broken_url, *SHORT, "--master", "--expect-workers", "2", *where)
    with (
        running(tmp_path, *worker) as one,
        running(tmp_path, *worker) as two,
    ):
        status, printed = run(tmp_path, *master)
        ends = [(each.communicate()[0], each.returncode) for each in (one, two)]
    assert 1 == status, printed
    assert "Finding 1: POST /conversations/{conversationId}/messages (sendMessage)" in printed
    assert [("This worker is done.\n", 0)] * 2 == ends
    document = json.loads((tmp_path / "reports" / "load.json").read_text())
    assert ("broken", 1) == (document["verdict"], document["exit_status"])


@pytest.mark.usefixtures("measured_children")
@needs_locust
def test_lost_server_ends_the_load(tmp_path: Path) -> None:
    """A lost server gives exit status 2 and the reason, without a traceback."""
    with mock_server() as url:
        context = running(tmp_path, url, *FAST)
        process = context.__enter__()
        read_until(process, "Load on")
        assert process.stdout is not None
        read_until(process, "/s  median")
    printed, _ = process.communicate()
    context.__exit__(None, None, None)
    assert 2 == process.returncode, printed
    assert "the server stopped answering" in printed.splitlines()[-1]
    assert printed.splitlines()[-1].startswith("Incomplete: ")
    assert "Traceback" not in printed


@pytest.mark.usefixtures("measured_children")
@needs_locust
def test_interruption_ends_with_a_report(url: str, tmp_path: Path) -> None:
    """Ctrl-C ends the load with a report of the visits so far."""
    with running(tmp_path, url, *FAST) as process:
        read_until(process, "Load on")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate()
    assert 130 == process.returncode, printed
    assert "all requests" in printed
    assert ": the load was interrupted (" in printed.splitlines()[-1]


@needs_locust
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["preflight", "workers"])
def test_signal_before_the_load_is_one_line(
    moment: str, number: signal.Signals, url: str, tmp_path: Path
) -> None:
    """A signal before the load gives status 130 and one line, without a traceback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        contextlib.ExitStack() as connections,
    ):
        words = {
            "preflight": (f"http://127.0.0.1:{silent.getsockname()[1]}/v2",),
            "workers": (url, "--master", "--master-port", free_port()),
        }[moment]
        with running(tmp_path, *words) as process:
            if moment == "preflight":
                connections.enter_context(silent.accept()[0]).recv(1)
            else:
                read_until(process, "Waiting for 1 workers")
            process.send_signal(number)
            printed, _ = process.communicate()
    expected = "Incomplete: nothing was tested: the load was interrupted; run it again.\n"
    assert (130, expected) == (process.returncode, printed)


@needs_locust
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_keeps_verdict_and_reports(url: str, tmp_path: Path) -> None:
    """Without room for its output, the load ends with its verdict, and private reports."""
    program = [str(PYTHON), "-P", "-m", "siteassist_contract.load", url, *SHORT]
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT / "generated")))
    environment = {**os.environ, "SITEASSIST_API_KEY": KEY, "PYTHONPATH": path}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            program,
            cwd=tmp_path,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (0, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
    assert done.stderr.startswith("The server keeps the contract under load (")
    assert done.stderr.endswith("(standard output: No space left on device)\n")
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "reports").iterdir()}
    assert {"load.html": 0o600, "load.json": 0o600} == modes


@pytest.mark.parametrize("ci", ["", "true"])
def test_load_that_cannot_start_keeps_earlier_reports_except_in_ci(
    ci: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reports of an earlier load stay, and the output says so; in CI they are removed."""
    monkeypatch.setenv("CI", ci)
    (tmp_path / "load.json").write_text("of an earlier load")
    (tmp_path / "summary.json").write_text("of the contract tests")
    options = ("--api-key", KEY, "--reports", str(tmp_path))
    answer = CliRunner().invoke(main, [f"http://127.0.0.1:{free_port()}/v2", *options])
    assert 2 == answer.exit_code
    left = sorted(path.name for path in tmp_path.iterdir())
    assert (["summary.json"] if ci else ["load.json", "summary.json"]) == left
    assert (not ci) == ("The reports of an earlier run are still in " in answer.stderr)


def test_load_that_cannot_start_may_be_allowed(tmp_path: Path) -> None:
    """With `--allow-incomplete`, the status is 0, and the last line has the reason for it."""
    options = ("--api-key", KEY, "--reports", str(tmp_path), "--allow-incomplete")
    answer = CliRunner().invoke(main, [f"http://127.0.0.1:{free_port()}/v2", *options])
    assert 0 == answer.exit_code
    assert "Incomplete: nothing was tested: no server at" in answer.output
    assert answer.output.endswith("(exit status 0 because of --allow-incomplete).\n")


@needs_locust
def test_load_that_cannot_start_is_reported(url: str, tmp_path: Path) -> None:
    """A missing server and a refused key are reported in one line."""
    unused = f"http://127.0.0.1:{free_port()}/v2"
    status, printed = run(tmp_path, unused)
    assert (2, 1) == (status, printed.count("\n"))
    assert printed.startswith("Incomplete: nothing was tested: no server at")
    status, printed = run(tmp_path, url, key="pk_wrong_0123456789")
    assert (2, 1) == (status, printed.count("\n"))
    assert printed.startswith("Incomplete: nothing was tested: the API key was refused")


@needs_locust
def test_help_is_complete(tmp_path: Path) -> None:
    """The help has exit statuses, distributed runs and the environment variable of the key."""
    status, printed = run(tmp_path, "--help")
    assert 0 == status
    for words in ("Exit status:", "--expect-workers", "--processes", "SITEASSIST_API_KEY"):
        assert words in printed


def test_missing_locust_is_reported() -> None:
    """Without Locust, the command prints the package to install instead of a traceback."""
    program = (
        "import runpy, sys; sys.modules['locust'] = None\n"
        "runpy.run_module('siteassist_contract.load', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    expected = "siteassist-load needs more packages: pip install 'siteassist[load]'\n"
    assert (2, "", expected) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--master", "--worker"), "--master, --worker and --processes are mutually exclusive"),
        (("--think", "2", "1"), "--think: MIN must not be greater than MAX"),
        (("--api-key", ""), "Incomplete: nothing was tested: no credential"),
        (("--api-key", KEY, "--reports", "/dev/null/reports"), "reports cannot be written to"),
        (("--api-key", KEY, "--reports", "."), "Incomplete: nothing was tested: no server at"),
    ],
)
def test_invalid_options_are_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Invalid options give exit status 2 and a message."""
    with contextlib.chdir(tmp_path):
        answer = CliRunner(env={"SITEASSIST_API_KEY": None}).invoke(
            main, [f"http://127.0.0.1:{free_port()}/v2", *words], standalone_mode=True
        )
    assert 2 == answer.exit_code
    assert said in answer.output


@needs_locust
@pytest.mark.parametrize("processes", [(), ("--processes", "1")])
def test_visitors_send_the_headers(
    processes: tuple[str, ...], guarded_url: str, tmp_path: Path
) -> None:
    """Each visitor passes a gateway, in this process and in another one."""
    options = ("--header", "X-Gateway: pass", "--insecure", "--time", "10", *processes)
    status, output = run(tmp_path, guarded_url, *SHORT, *options)
    assert 0 == status, output
    assert 2 == run(tmp_path, guarded_url, *SHORT)[0]
