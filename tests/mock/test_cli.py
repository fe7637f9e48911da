"""Tests for the command, in a separate process where that matters."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from siteassist_mock.cli import main
from siteassist_mock.storage.database import StoreError
from siteassist_mock.testing import mock_server
from tests.mock.command import MODULE, refused, started
from tests.values import API_KEY, BEARER, PRIVATE_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from siteassist_mock.settings import MockSettings
    from tests.mock.conftest import WriteYaml

pytestmark = pytest.mark.usefixtures("measured_children")


def test_start_prints_addresses_and_keys() -> None:
    """The command prints its addresses and keys as soon as it accepts connections."""
    with started(count=5) as (_, url, lines):
        assert lines[0].startswith("SiteAssist mock on http://127.0.0.1:")
        assert lines[0].endswith("/v2 (state in memory)")
        assert lines[1:] == [
            f"publishable key: {API_KEY}",
            f"private key:     {PRIVATE_KEY}",
            f"operator's page: {url.removesuffix('/v2')}/_mock/ui",
            f"reference:       {url.removesuffix('/v2')}/docs",
        ]
        assert httpx.get(lines[3].split()[2]).status_code == 200
        assert httpx.get(lines[4].split()[1]).status_code == 200
        assert httpx.get(f"{url}/identity/me", headers=BEARER).status_code == 200


def test_no_control_disables_the_operator_page() -> None:
    """With `--no-control` the operator page is a 404 and is not printed."""
    with started("--no-control", count=4) as (process, url, lines):
        assert lines[3].startswith("reference: ")
        assert httpx.get(f"{url.removesuffix('/v2')}/_mock/ui").status_code == 404
        process.terminate()
        assert process.communicate(timeout=30)[0] == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_command(number: signal.Signals) -> None:
    """A signal ends the command with status 0 and no output, even before the first request."""
    with started(count=5) as (process, _, _):
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, output, errors) == (0, "", "")


def test_a_database_file_keeps_conversations(tmp_path: Path) -> None:
    """A conversation is still listed when another server opens the same file."""
    database = tmp_path / "mock.db"
    with started("--database", str(database)) as (process, url, lines):
        assert lines[0].endswith(f"/v2 (state in {database})")
        reply = httpx.post(f"{url}/conversations", headers=BEARER)
        process.terminate()
        assert 0 == process.wait(30)
    with mock_server(database=database) as url:
        listed = httpx.get(f"{url}/conversations", headers=BEARER).json()["data"]
    assert [reply.json()["id"]] == [conversation["id"] for conversation in listed]


def test_a_second_server_on_a_file_says_what_it_lacks(tmp_path: Path) -> None:
    """Events do not cross processes with SQLite, so that the second one warns."""
    database = tmp_path / "mock.db"
    options = ("--quiet", "--database", str(database))
    with started(*options) as (one, *_), started(*options) as (two, *_):
        for process in (one, two):
            process.terminate()
        outputs = [process.communicate(timeout=30)[1] for process in (one, two)]
    assert [
        "",
        (
            f"siteassist-mock: warning: another server uses {database}: sockets get the events of"
            " their own server only; with PostgreSQL they get all\n"
        ),
    ] == outputs


def test_keys_can_be_chosen() -> None:
    """Configured keys replace the built-in ones, and the private key is not printed."""
    with started("--api-key", "pk_mine", "--private-key", "sk_mine", count=3) as (_, url, lines):
        assert lines[1:] == ["publishable key: pk_mine", "private key:     as given"]
        assert httpx.get(f"{url}/identity/me", headers=BEARER).status_code == 401


def test_a_port_in_use_is_one_line() -> None:
    """A port in use ends the process with status 2 and one line with address and reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [*MODULE, "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    problem = (
        f"cannot listen on 127.0.0.1, port {port}: Address already in use; --port 0 takes a free"
        " port"
    )
    assert (2, "", f"siteassist-mock: {problem}\n") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("host", ["no..where", "256.256.256.256"])
def test_an_invalid_host_is_one_line(host: str) -> None:
    """A malformed or unknown host is reported in one line."""
    line = refused("--host", host)
    assert line.startswith(f"siteassist-mock: cannot listen on {host}, port 0: ")
    assert line.endswith("; --host takes an address of this machine")


def test_an_unusable_database_is_one_line(tmp_path: Path) -> None:
    """A folder, a path in a missing folder and a file of another format are reported."""
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
        ("paths: [", "file.yaml:"),
        ("paths: {}", "no operation for the handler init"),
        ("servers: []", "`paths`"),
    ],
)
def test_a_broken_description_is_one_line(
    write_yaml: WriteYaml, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    """An invalid description is reported in one line that names the problem."""
    monkeypatch.setattr("siteassist_mock.app.SPEC_PATH", write_yaml(text))
    assert problem in refused()


def test_help_lists_options_and_examples() -> None:
    """The help lists the options and some examples."""
    done = CliRunner().invoke(main, ["--help"])
    assert (done.exit_code, done.stderr) == (0, "")
    options = "--host --port --database --api-key --private-key --grace --stream-delay"
    for word in (*options.split(), "Examples:"):
        assert word in done.stdout


@pytest.mark.parametrize("options", [[], ["--proxy", "http://127.0.0.1:1/v2"]])
def test_garbage_is_collected_when_the_server_runs(options: list[str]) -> None:
    """The garbage collector, disabled during the imports, is enabled before the server runs."""
    program = """
import gc, sys
import siteassist_mock.app, siteassist_mock.proxy.command
from siteassist_mock.__main__ import main

def shown(*_arguments, **_options):
    print(gc.isenabled(), gc.get_freeze_count() > 0)
    sys.exit(0)

siteassist_mock.app.create_app = siteassist_mock.proxy.command.serve = shown
main()
"""
    command = [sys.executable, "-c", program, *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (0, "True True\n", "") == (done.returncode, done.stdout, done.stderr)


def test_a_negative_grace_is_refused() -> None:
    """A negative `--grace` is a usage error."""
    done = CliRunner().invoke(main, ["--grace", "-1"])
    assert 2 == done.exit_code
    assert "'--grace': -1.0 is not in the range x>=0." in done.output


def test_delay_and_session_options_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--stream-delay` and `--session-seconds` become settings of the application."""
    seen: list[MockSettings] = []

    def create(settings: MockSettings) -> None:
        seen.append(settings)
        raise StoreError("far enough")

    monkeypatch.setattr("siteassist_mock.app.create_app", create)
    options = ("--stream-delay", "0.5", "--session-seconds", "60")
    assert 2 == CliRunner().invoke(main, options).exit_code
    assert [(0.5, 60.0)] == [(given.stream_delay, given.session_seconds) for given in seen]


def test_texts_of_files_and_arguments_are_printed_as_text(tmp_path: Path) -> None:
    """No control character of a file, its name or an argument reaches the terminal."""
    seed = tmp_path / "seed\x9b2J.yaml"
    seed.write_text('"\\e]52;c;cm0=\\a": 1\n')
    for arguments, shown in (
        (("--seed", str(seed)), r"seed\x9b2J.yaml:1: \x1b]52;c;cm0=\x07 is an unknown key"),
        (("--host", "\x1bc\u202e"), r"cannot listen on \x1bc\u202e, port 0: "),
        (("--\x1bc",), r"\x1bc"),
    ):
        command = [*MODULE, "--port", "0", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (2, "") == (done.returncode, done.stdout)
        assert shown in done.stderr
        assert set() == {char for char in done.stderr if not char.isprintable()} - {"\n"}


def test_closed_output_does_not_stop_the_server() -> None:
    """A reader of the first line only, like `head -1`, leaves the server running."""
    with started(count=1) as (process, url, _):
        assert process.stdout is not None
        process.stdout.close()
        assert 200 == httpx.get(f"{url}/identity/me", headers=BEARER).status_code
        process.terminate()
        assert 0 == process.wait(timeout=30)
