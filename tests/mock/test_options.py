"""The command's options for failing, refusing and checking, and its log."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import httpx
import pytest
from click.testing import CliRunner

from siteassist_mock.options import failure_options
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "siteassist_mock", "--port", "0"]
REACHABLE = (
    "import siteassist_mock.http.server as serving\n"
    "serving.is_loopback = lambda listening: False\n"
    "from siteassist_mock.__main__ import main\n"
    "main(['--port', '0'])"
)


@click.command
@failure_options
@click.option("--other")
def show(other: str | None, failures: dict[str, object]) -> None:
    """Print what the options become."""
    click.echo(f"{other} {failures}")


def given(*arguments: str) -> str:
    """Return what the options become."""
    done = CliRunner().invoke(show, arguments)
    assert 0 == done.exit_code, done.output
    return done.output.rstrip("\n")


def test_options_become_settings() -> None:
    """Every one has a default, and some may be repeated."""
    assert given() == (
        "None {'faults': (), 'fault_seed': 0, 'rate_limits': (), 'quota': None, 'strict': False}"
    )
    assert given(
        *("--fault", "drip", "--fault", "delay=1:0.5", "--fault-seed", "7"),
        *(
            "--rate-limit",
            "5/s",
            "--rate-limit",
            "60/m",
            "--quota",
            "9",
            "--strict",
            "--other",
            "x",
        ),
    ) == (
        "x {'faults': ('drip', 'delay=1:0.5'), 'fault_seed': 7,"
        " 'rate_limits': ('5/s', '60/m'), 'quota': 9, 'strict': True}"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--fault", "nope"), "'--fault': unknown fault 'nope'; known faults: delay, drip"),
        (("--fault", "drip:2"), "'--fault': the rate of a fault must be a number above 0"),
        (
            ("--rate-limit", "60"),
            "'--rate-limit': invalid rate limit '60': expected a number per s, m or h",
        ),
        (("--quota", "-1"), "'--quota': -1 is not in the range x>=0."),
    ],
)
def test_a_wrong_value_is_said(arguments: tuple[str, ...], problem: str) -> None:
    """With the option, and the status of a wrong call."""
    done = CliRunner().invoke(show, arguments)
    assert 2 == done.exit_code
    assert f"Error: Invalid value for {problem}" in done.output


def test_the_help_names_every_fault() -> None:
    """So that nobody has to look elsewhere."""
    done = CliRunner().invoke(show, ["--help"], terminal_width=1000)
    assert "NAME is one of delay, drip, reset, truncate, stream-error" in done.output


@contextmanager
def started(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command; yield it with the address that it prints."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[3]
        finally:
            process.kill()


def stop(process: subprocess.Popen[str]) -> str:
    """Stop a command and return what it wrote to stderr."""
    process.terminate()
    return process.communicate(timeout=30)[1]


def test_the_command_logs_and_limits() -> None:
    """A line per request on stderr, without the key, and the limit holds."""
    with started(*COMMAND, "--rate-limit", "1/h") as (process, url):
        replies = [
            httpx.get(f"{url}/search", params={"q": "x", "apiKey": "sa_pk_1234567890abcdef"})
            for _ in range(2)
        ]
        assert [200, 429] == [reply.status_code for reply in replies]
        lines = re.sub(r"\d\d:\d\d:\d\d|\d+\.\dms", "_", stop(process)).splitlines()
    assert [
        "_ GET /v2/search?q=x&apiKey=*** 200 _ search",
        "_ GET /v2/search?q=x&apiKey=*** 429 _ search",
    ] == lines


def test_the_command_can_be_quiet() -> None:
    """Then only problems are written."""
    with started(*COMMAND, "--quiet", "--fault", "expired-session") as (process, url):
        assert 401 == httpx.get(f"{url}/identity/me", headers=BEARER).status_code
        assert "" == stop(process)


def test_an_address_that_others_reach_is_said() -> None:
    """In one line; the test only pretends."""
    with started(sys.executable, "-c", REACHABLE) as (process, _):
        assert stop(process) == (
            "siteassist-mock: warning: 127.0.0.1 is not a loopback address: everyone who can reach"
            " this machine can read and change all data\n"
        )
