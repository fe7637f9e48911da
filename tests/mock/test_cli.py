"""The command, in a process of its own."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from siteassist_mock.__main__ import main
from siteassist_mock.storage.store import StoreError
from siteassist_mock.testing import mock_server
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from siteassist_mock.settings import MockSettings

MODULE = [sys.executable, "-m", "siteassist_mock"]


@contextmanager
def started(*arguments: str, count: int = 5) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the command on a free port; yield it with the first lines that it printed."""
    with subprocess.Popen(
        [*MODULE, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, [process.stdout.readline().rstrip("\n") for _ in range(count)]
        finally:
            process.kill()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_says_where_it_is_and_what_it_knows() -> None:
    """Once it says so it can be reached."""
    with started() as (_, lines):
        head, url, tail = lines[0].partition("http://127.0.0.1:")[0], lines[0].split()[3], lines[0]
        assert head == "SiteAssist mock on "
        assert tail.endswith("/v2 (state in memory)")
        assert lines[1:] == [
            "publishable key: sa_pk_1234567890abcdef",
            "private key:     sk_test_1234567890abcdef",
            f"operator's page: {url.removesuffix('/v2')}/_mock/ui",
            f"reference:       {url.removesuffix('/v2')}/docs",
        ]
        assert httpx.get(lines[3].split()[2]).status_code == 200
        assert httpx.get(lines[4].split()[1]).status_code == 200
        assert httpx.get(f"{url}/identity/me", headers=BEARER).status_code == 200


def test_the_control_endpoints_can_be_left_out() -> None:
    """Then they are no more than an unknown path, and not announced."""
    with started("--no-control", count=4) as (process, lines):
        assert lines[3].startswith("reference: ")
        root = lines[0].split()[3].removesuffix("/v2")
        assert httpx.get(f"{root}/_mock/ui").status_code == 404
        process.terminate()
        assert process.communicate(timeout=30)[0] == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_it_is_told(number: signal.Signals) -> None:
    """With status 0 and without a word, even before it has answered anything."""
    with started() as (process, _):
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, output, errors) == (0, "", "")


def test_a_file_survives(tmp_path: Path) -> None:
    """What one run stored the next one knows, which is one in this process here."""
    database = tmp_path / "mock.db"
    with started("--database", str(database)) as (process, lines):
        assert lines[0].endswith(f"/v2 (state in {database})")
        reply = httpx.post(f"{lines[0].split()[3]}/conversations", headers=BEARER)
        process.terminate()
        assert 0 == process.wait(30)
    with mock_server(database=database) as url:
        listed = httpx.get(f"{url}/conversations", headers=BEARER).json()["data"]
    assert [reply.json()["id"]] == [conversation["id"] for conversation in listed]


def test_keys_can_be_chosen() -> None:
    """Only they count, and a private one is not printed."""
    with started("--api-key", "pk_mine", "--private-key", "sk_mine") as (_, lines):
        assert lines[1:3] == ["publishable key: pk_mine", "private key:     as given"]
        url = lines[0].split()[3]
        assert httpx.get(f"{url}/identity/me", headers=BEARER).status_code == 401


def refused(*arguments: str) -> str:
    """Return the one line with which the command refuses to start, in this process."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        main(["--port", "0", *arguments])
    assert (2, "") == (ended.value.code, output.getvalue())
    line, rest = errors.getvalue().split("\n", 1)
    assert "" == rest
    return line


def test_a_port_in_use_is_one_line() -> None:
    """With the address and the reason; status 2, also of the real process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(*MODULE, "--port", port)
    problem = f"cannot listen on 127.0.0.1, port {port}: Address already in use"
    assert (2, "", f"siteassist-mock: {problem}\n") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("host", ["no..where", "256.256.256.256"])
def test_an_impossible_host_is_one_line(host: str) -> None:
    """Whether it cannot be a name or cannot be found."""
    line = refused("--host", host)
    assert line.startswith(f"siteassist-mock: cannot listen on {host}, port 0: ")


def test_an_unusable_database_is_one_line(tmp_path: Path) -> None:
    """A folder, a missing folder, and a file that is something else."""
    junk = tmp_path / "junk.db"
    junk.write_text("This is not a database. " * 100)
    for database, reason in {
        tmp_path: "unable to open database file",
        tmp_path / "none" / "mock.db": "unable to open database file",
        junk: "file is not a database",
    }.items():
        assert f"siteassist-mock: cannot use the database {database}: {reason}" == refused(
            "--database", str(database)
        )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("paths: [", "openapi.yaml:"),
        ("paths: {}", "no operation for the handler init"),
        ("servers: []", "`paths`"),
    ],
)
def test_a_broken_description_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    """With the place of the problem."""
    path = tmp_path / "openapi.yaml"
    path.write_text(text)
    monkeypatch.setattr("siteassist_mock.app.SPEC_PATH", path)
    assert problem in refused()


def test_help_teaches() -> None:
    """Every option and some examples."""
    done = run(*MODULE, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (
        "--host",
        "--port",
        "--database",
        "--api-key",
        "--private-key",
        "--grace",
        "--stream-delay",
    ):
        assert word in done.stdout
    assert "Examples:" in done.stdout


def test_a_negative_grace_is_refused() -> None:
    """As a wrong call."""
    done = CliRunner().invoke(main, ["--grace", "-1"])
    assert 2 == done.exit_code
    assert "'--grace': -1.0 is not in the range x>=0." in done.output


def test_paces_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `--stream-delay` and `--session-seconds` say is what the application is made with."""
    seen: list[MockSettings] = []

    def create(settings: MockSettings) -> None:
        seen.append(settings)
        raise StoreError("far enough")

    monkeypatch.setattr("siteassist_mock.app.create_app", create)
    options = ("--stream-delay", "0.5", "--session-seconds", "60")
    assert 2 == CliRunner().invoke(main, options).exit_code
    assert [(0.5, 60.0)] == [(given.stream_delay, given.session_seconds) for given in seen]
