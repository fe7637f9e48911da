"""Tests for the command's options for faults, limits and strictness, and for its log."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click
import httpx
import pytest
from click.testing import CliRunner

from siteassist_mock.options import failure_options
from tests.mock.command import started
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    import subprocess

REACHABLE = (
    "import siteassist_mock.http.server as serving\n"
    "serving.is_loopback = lambda listening: False\n"
    "from siteassist_mock.cli import main\n"
    "main(['--port', '0'])"
)


@click.command
@failure_options
@click.option("--other")
def show(other: str | None, failures: dict[str, object]) -> None:
    """Print the settings that the options are converted to."""
    click.echo(f"{other} {failures}")


def converted(*arguments: str) -> str:
    """Return the settings that ``arguments`` are converted to."""
    done = CliRunner().invoke(show, arguments)
    assert 0 == done.exit_code, done.output
    return done.output.rstrip("\n")


def test_options_become_settings() -> None:
    """Each option has a default, and repeatable options keep all values."""
    assert converted() == (
        "None {'faults': (), 'fault_seed': 0, 'rate_limits': (), 'quota': None, 'strict': False}"
    )
    assert converted(
        *("--fault", "drip", "--fault", "delay=1:0.5", "--fault-seed", "7"),
        *("--rate-limit", "5/s", "--rate-limit", "60/m", "--quota", "9", "--strict"),
        *("--other", "x"),
    ) == (
        "x {'faults': ('drip', 'delay=1:0.5'), 'fault_seed': 7,"
        " 'rate_limits': ('5/s', '60/m'), 'quota': 9, 'strict': True}"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--fault", "nope"), "'--fault': unknown fault 'nope'; known faults: delay, drip"),
        (("--fault", "drip:2"), "'--fault': the share of a fault must be a number above 0"),
        (
            ("--rate-limit", "60"),
            "'--rate-limit': invalid rate limit '60': expected a number per s, m or h",
        ),
        (("--quota", "-1"), "'--quota': -1 is not in the range x>=0."),
    ],
)
def test_an_invalid_value_is_a_usage_error(arguments: tuple[str, ...], problem: str) -> None:
    """An invalid value ends the command with status 2 and names the option."""
    done = CliRunner().invoke(show, arguments)
    assert 2 == done.exit_code
    assert f"Error: Invalid value for {problem}" in done.output


def test_the_help_lists_the_faults() -> None:
    """The help lists the names of the faults."""
    done = CliRunner().invoke(show, ["--help"], terminal_width=1000)
    assert "NAME is one of delay, drip, reset, truncate, stream-error" in done.output


def stop(process: subprocess.Popen[str]) -> str:
    """Stop a command and return its standard error."""
    process.terminate()
    return process.communicate(timeout=30)[1]


def test_the_command_logs_and_limits() -> None:
    """The command logs each request without the key, and applies the rate limit."""
    with started("--rate-limit", "1/h") as (process, url, _):
        replies = [
            httpx.get(f"{url}/search", params={"q": "x", "apiKey": API_KEY}) for _ in range(2)
        ]
        assert [200, 429] == [reply.status_code for reply in replies]
        lines = re.sub(r"\d\d:\d\d:\d\d|\d+\.\dms", "_", stop(process)).splitlines()
    assert [
        "_ GET /v2/search?q=x&apiKey=*** 200 _ search",
        "_ GET /v2/search?q=x&apiKey=*** 429 _ search",
    ] == lines


def test_the_command_can_be_quiet() -> None:
    """With `--quiet` the command does not log requests."""
    with started("--quiet", "--fault", "expired-session") as (process, url, _):
        assert 401 == httpx.get(f"{url}/identity/me", headers=BEARER).status_code
        assert "" == stop(process)


def test_a_public_address_prints_a_warning() -> None:
    """An address that other machines can reach prints a warning; the test fakes the check."""
    with started(command=(sys.executable, "-c", REACHABLE)) as (process, _, _):
        assert stop(process) == (
            "siteassist-mock: warning: 127.0.0.1 is not a loopback address: everyone who can reach"
            " this machine can read and change all data\n"
        )
