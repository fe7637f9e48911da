"""The command says clearly what came of a run, and exits with the status that means it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from siteassist_contract import configuration, preflight, runner
from siteassist_contract.__main__ import main
from siteassist_contract.outcome import CannotRunError, ExitStatus
from siteassist_mock.testing import mock_server

KEY = "sa_pk_1234567890abcdef"
PRIVATE_KEY = "sk_test_1234567890abcdef"
COMMAND = str(Path(sys.executable).with_name("siteassist-contract"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the credentials and the folder of whoever runs the tests out of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("API_KEY", "TOKEN", "BASE_URL"):
        monkeypatch.delenv(f"SITEASSIST_{name}", raising=False)


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """Run a mock of our own."""
    with mock_server() as url:
        yield url


@contextmanager
def server(status: int, body: str, delay: threading.Event | None = None) -> Iterator[str]:
    """Run a server that gives every request the same answer, once ``delay`` is over."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if delay is not None:
                delay.wait(30)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815  # the base class's form

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # closing waits for what is going on

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that left."""

    httpd = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v2"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def call(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """Call the command in this process."""
    return CliRunner().invoke(main, arguments, env=env)


def fails_to_run(result: Result) -> str:
    """Check that the tests could not run, and return the one line that says why."""
    assert (2, "") == (result.exit_code, result.stdout)
    line = result.stderr.removesuffix("\n")
    assert "\n" not in line
    assert line.startswith("The tests cannot run: ")
    return line.removeprefix("The tests cannot run: ")


def test_no_server_is_told() -> None:
    """Nobody there: one line, exit status 2; and who is silent is given up within ten seconds."""
    line = fails_to_run(call("http://127.0.0.1:1/v2", "--token", "x"))
    assert line.startswith("no server at http://127.0.0.1:1/v2/identity/me: ")
    assert preflight.TIMEOUT < 10


@pytest.mark.parametrize("option", ["--token", "--api-key"])
def test_refused_credential_is_told(option: str, mock: str) -> None:
    """A wrong credential names the request, the 401 and the server's words, not itself."""
    line = fails_to_run(call(mock, option, "wrong-credential"))
    assert re.search(r"was refused: (GET|POST) /identity/(me|init) answered 401 \(.+\)$", line)
    assert "wrong-credential" not in line


def test_missing_credential_is_told(mock: str) -> None:
    """Without any credential there is nothing to start with."""
    assert fails_to_run(call(mock)).startswith("no credentials: give --api-key or --token")


def test_empty_credential_is_none(mock: str) -> None:
    """An empty variable, as make passes it on, is no credential."""
    assert "no credentials" in fails_to_run(call(mock, env={"SITEASSIST_TOKEN": ""}))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("host/v2", "is no base URL"),
        ("ftp://host/v2", "is no base URL"),
        ("http://", "is no base URL"),
        ("http://host:99999/v2", "is no base URL"),
        ("http://[::1/v2", "is no base URL"),
        ("http://user:secret@host/v2", "has no query, fragment, user or password"),
        ("http://host/v2?a=b", "has no query"),
    ],
)
def test_bad_url_is_told(url: str, problem: str) -> None:
    """What cannot be an address is refused before anything is sent."""
    line = fails_to_run(call(url, "--token", "x"))
    assert problem in line
    assert "secret" not in line


def test_wrong_path_is_told(mock: str) -> None:
    """A base URL without its version is the likeliest mistake."""
    line = fails_to_run(call(mock.removesuffix("/v2"), "--token", PRIVATE_KEY))
    assert "answered 404; a base URL looks like https://host/v2" in line


@pytest.mark.parametrize("token", ["line\nbreak", "schlüssel"])
def test_impossible_token_is_told(token: str, mock: str) -> None:
    """A token that no header can carry is refused, and not repeated."""
    line = fails_to_run(call(mock, "--token", token))
    assert token.splitlines()[0] not in line


@pytest.mark.parametrize("status", [429, 500, 503])
def test_unready_server_is_told(status: int) -> None:
    """A server that fails at once is not ready to be tested."""
    with server(status, '{"error": {"message": "Later,\\nplease"}}') as url:
        line = fails_to_run(call(url, "--token", "x"))
    assert f"the server is not ready: GET /identity/me answered {status} (Later, please)" == line


def test_silent_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is given up."""
    monkeypatch.setattr(preflight, "TIMEOUT", 0.05)
    over = threading.Event()
    with server(200, "{}", over) as url:
        line = fails_to_run(call(url, "--token", "x"))
        over.set()
    assert "did not answer within" in line


def test_reports_that_cannot_be_written_are_told(mock: str) -> None:
    """A folder that cannot be made is named, with the system's reason."""
    line = fails_to_run(call(mock, "--api-key", KEY, "--reports", "/proc/reports"))
    assert line.startswith("reports cannot go to /proc/reports: ")


@pytest.mark.parametrize("body", ["{}", "[]", "", "no json", '{"sessionToken": 1}'])
def test_useless_session_is_a_break(body: str) -> None:
    """200 with nothing in it breaks the contract, and ends the run with a report."""
    with server(200, body) as url:
        result = call(url, "--api-key", KEY)
    assert (1, "") == (result.exit_code, result.stderr)
    lines = result.stdout.splitlines()
    assert "POST /identity/init (init)" == lines[0]
    assert lines[1].startswith("  expected: 200 or 201")
    assert lines[2].startswith("  received: 200 ")
    assert lines[3].startswith("  curl -X POST ")
    assert lines[-1] == "The server breaks the contract before the tests can begin."
    assert KEY not in result.stdout


def test_syntax_error_in_the_description_is_told(
    mock: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """File, line and problem, in one line."""
    broken = tmp_path / "openapi.yaml"
    broken.write_text("openapi: 3.1.0\ninfo: [\n")
    monkeypatch.setattr("siteassist_spec.SPEC_PATH", broken)
    assert fails_to_run(call(mock, "--api-key", KEY)).startswith(f"{broken}:3:1: ")


def run(
    url: str, reports: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with few examples."""
    return subprocess.run(
        [COMMAND, url, "--examples", "1", "--reports", str(reports), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_token_alone_is_enough(mock: str, tmp_path: Path) -> None:
    """A bearer is tested with one visitor, which the output says."""
    done = run(mock, tmp_path, SITEASSIST_TOKEN=PRIVATE_KEY)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert "one visitor takes part" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("The server keeps the contract (")


def test_secrets_stay_out_of_all_output(tmp_path: Path) -> None:
    """Neither text nor reports repeat a credential that a server gives away in its answers."""
    secrets = (KEY, PRIVATE_KEY, "session-secret-of-the-server")
    body = json.dumps({"sessionToken": "session-secret-of-the-server", "echo": PRIVATE_KEY})
    with server(200, body) as url:
        done = run(url, tmp_path, SITEASSIST_TOKEN=PRIVATE_KEY, SITEASSIST_API_KEY=KEY)
    assert 1 == done.returncode, done.stdout
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert 3 == len(written)
    found = [(s, t[t.index(s) - 200 :]) for s in secrets for t in (done.stdout, *written) if s in t]
    assert [] == found


@pytest.mark.parametrize(("option", "secret"), [("--token", "t-secret"), ("--api-key", "k-secret")])
def test_repeated_credential_is_filtered(option: str, secret: str) -> None:
    """A server that repeats what it refuses gives nothing away."""
    with server(401, json.dumps({"error": {"message": f"bad: {secret}"}})) as url:
        line = fails_to_run(call(url, option, secret))
    assert "answered 401 (bad: [Filtered])" in line


def started(url: str, reports: Path) -> subprocess.Popen[str]:
    """Start a long run and wait until requests are on their way."""
    process = subprocess.Popen(
        [COMMAND, url, "--api-key", KEY, "--examples", "10000", "--reports", str(reports)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(reports)},
    )
    assert process.stdout is not None
    while "coverage" not in (line := process.stdout.readline()):
        assert line, process.stderr
    return process


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_has_no_verdict(signal_: signal.Signals, mock: str, tmp_path: Path) -> None:
    """Ctrl-C and `kill` end the run soon: no traceback, no process, no credential left."""
    process = started(mock, tmp_path)
    (engine,) = children(process.pid)
    process.send_signal(signal_)
    out, err = process.communicate(timeout=60)
    assert not Path(f"/proc/{engine}").exists()
    assert [] == list(tmp_path.glob("siteassist-contract-*"))
    assert 130 == process.returncode, out + err
    assert "Traceback" not in out + err
    assert "The tests were interrupted; there is no verdict." == out.splitlines()[-1]


def children(pid: int) -> list[int]:
    """Return the processes that ``pid`` started; a terminal would signal them too."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(word) for word in listed.stdout.split()]


def test_server_that_dies_midway_is_told(tmp_path: Path) -> None:
    """What was not asked is not kept: exit status 2, and no hang."""
    with mock_server() as url:
        process = started(url, tmp_path)
    out, err = process.communicate(timeout=120)
    assert 2 == process.returncode, out + err
    assert "Traceback" not in out + err
    assert err.splitlines()[-1].startswith("The tests did not run to their end: ")


SUMMARY: dict[str, Any] = {
    "complete": True,
    "test_cases": {"generated": 2000, "unique_failures": 0},
    "operations": {"tested": 14},
    "errors": [],
}


@pytest.mark.parametrize(
    ("code", "change", "status", "text"),
    [
        (0, {}, ExitStatus.KEPT, "The server keeps the contract (2000 requests, 14 operations)."),
        (
            1,
            {"test_cases": {"generated": 2000, "unique_failures": 1}},
            ExitStatus.BROKEN,
            "The server breaks the contract in 1 way (2000 requests, 14 operations).",
        ),
        (
            1,
            {"test_cases": {"generated": 9, "unique_failures": 2}, "complete": False},
            ExitStatus.BROKEN,
            "The server breaks the contract in 2 ways (9 requests, 14 operations).",
        ),
        (
            1,
            {"errors": [{"title": "Network Error", "count": 3}]},
            ExitStatus.NOT_RUN,
            "The tests did not run to their end: Network Error (3) (2000 requests, 14 operations).",
        ),
        (
            2,
            {"complete": False},
            ExitStatus.NOT_RUN,
            (
                "The tests did not run to their end: the lines above say why"
                " (2000 requests, 14 operations)."
            ),
        ),
        (130, {}, ExitStatus.INTERRUPTED, "The tests were interrupted; there is no verdict."),
        (-2, {}, ExitStatus.INTERRUPTED, "The tests were interrupted; there is no verdict."),
    ],
)
def test_verdict(code: int, change: dict[str, Any], status: ExitStatus, text: str) -> None:
    """Breaks count more than errors, and errors more than silence."""
    assert runner.Verdict(status, text) == runner.verdict(code, {**SUMMARY, **change})


def test_verdict_without_summary() -> None:
    """If schemathesis wrote nothing, nothing was tested."""
    verdict = runner.verdict(2, None)
    assert ExitStatus.NOT_RUN is verdict.status


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ({"api_key": KEY}, ["visitor", "stranger"]),
        ({"token": "t"}, ["visitor"]),
        ({"api_key": KEY, "token": "t"}, ["visitor", "stranger"]),
    ],
)
def test_configuration(target: dict[str, str], names: list[str], tmp_path: Path) -> None:
    """Each credential gives its visitors; files with secrets are their owner's alone."""
    choices = configuration.Choices(tmp_path / "reports", examples=7, seed=42)
    configuration.write(tmp_path, preflight.Target("http://127.0.0.1/v2", **target), choices)
    config = tomllib.loads((tmp_path / "schemathesis.toml").read_text())
    identities = json.loads((tmp_path / "identities.json").read_text())["auth"]
    assert (42, 7) == (config["seed"], config["generation"]["max-examples"])
    assert names == [identity["name"] for identity in identities]
    assert (names if len(names) > 1 else None) == config["auth"]["wfc"].get("peers")
    assert ("api_key" in target) == ("dictionaries" in config)
    assert ("token" in target) == ("fixedHeaders" in identities[0])
    assert {0o600} == {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}


def test_secrets_stay_out_of_reprs() -> None:
    """A target can be logged."""
    target = preflight.Target("http://127.0.0.1/v2", api_key=KEY, token=PRIVATE_KEY)
    assert KEY not in repr(target)
    assert PRIVATE_KEY not in repr(target)


def test_devices_differ_between_runs() -> None:
    """Two runs at once do not get in each other's way."""
    url = "http://127.0.0.1/v2"
    first, second = preflight.Target(url), preflight.Target(url)
    assert 4 == len({*first.devices, *second.devices})
    assert all(len(device) <= 100 for device in first.devices)


def test_garbage_is_no_server() -> None:
    """A server that does not speak HTTP is told apart from one that is not there."""
    with server(200, "x") as url:
        port = url.split(":")[2].removesuffix("/v2")
        with pytest.raises(CannotRunError, match="no server at https://"):
            preflight.check(preflight.Target(f"https://127.0.0.1:{port}/v2", token="t"))


def test_help_teaches() -> None:
    """Exit statuses, examples and variables are in the help."""
    shown = call("--help").stdout
    for words in ("Exit status", "Examples", "SITEASSIST_API_KEY", "SITEASSIST_TOKEN", "--seed"):
        assert words in shown


@pytest.mark.parametrize("key", [None, "pk_other"])
def test_description_carries_the_key(key: str | None) -> None:
    """The examples work on the tested server, whose key is not that of the documents."""
    text = json.dumps(configuration.description(key))
    assert (key is not None) == (f'"{key}"' in text)
    assert (key is None) == (f'"{configuration.EXAMPLE_KEY}"' in text)
