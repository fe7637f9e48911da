"""What all commands have in common: help, version, width and completion."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from click.testing import CliRunner

from siteassist_contract.__main__ import SUBCOMMANDS

COMMANDS = {
    "siteassist": "siteassist_cli.cli",
    "siteassist-contract": "siteassist_contract.cli",
    "siteassist-load": "siteassist_contract.load.cli",
    "siteassist-mock": "siteassist_mock.cli",
}
SUBCOMMANDS_TOO = COMMANDS | {
    f"siteassist-contract {name}": module for name, module in SUBCOMMANDS.items()
}


def run(name: str, *arguments: str, **environment: str) -> str:
    """Run a command that succeeds, and return its output."""
    command: Any = import_module(SUBCOMMANDS_TOO[name]).main
    result = CliRunner().invoke(command, arguments, env=environment, prog_name=name)
    assert (0, "") == (result.exit_code, result.stderr)
    return result.stdout


@pytest.mark.parametrize("name", SUBCOMMANDS_TOO)
def test_help_fits_80_columns(name: str) -> None:
    """`-h` and `--help` are the same, and have at most 80 columns."""
    text = run(name, "--help")
    assert text == run(name, "-h")
    assert [] == [line for line in text.splitlines() if len(line) > 80]


@pytest.mark.parametrize("name", SUBCOMMANDS_TOO)
def test_version_is_one_line(name: str) -> None:
    """`--version` prints the version of the package and of Python."""
    text = run(name, "--version")
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+\S* \(Python 3\.\d+\.\S+\)\n", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_completed_as_the_help_says(name: str) -> None:
    """The variable in the help gives a script for a shell, which asks for completions."""
    (variable,) = re.findall(rf'eval "\$\((\w+)=bash_source {name}\)"', run(name, "-h"))
    for shell in ("zsh", "fish"):
        assert f"{variable}={shell}_complete" in run(name, **{variable: f"{shell}_source"})
    asked = {variable: "zsh_complete", "COMP_WORDS": f"{name} --vers", "COMP_CWORD": "1"}
    assert "--version" in run(name, **asked)
