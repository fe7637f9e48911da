"""Values that a user passes to make arrive unchanged, and neither make nor a shell runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.commands import run
from tests.values import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
# The variables that a command gets by its environment, and those that become arguments.
AS_VARIABLE = {
    "API_KEY": "SITEASSIST_API_KEY",
    "TOKEN": "SITEASSIST_TOKEN",
    "BASE_URL": "SITEASSIST_BASE_URL",
    "MOCK_ARGS": "MOCK_ARGS",
    "SITEASSIST_API_KEY": "SITEASSIST_API_KEY",
    "SITEASSIST_TOKEN": "SITEASSIST_TOKEN",
    "SITEASSIST_BASE_URL": "SITEASSIST_BASE_URL",
}
SHORT = tuple(name for name in AS_VARIABLE if not name.startswith("SITEASSIST_"))
LONG = tuple(name for name in AS_VARIABLE if name not in SHORT)
AS_ARGUMENT = {"diff": {"BASE": "--base="}, "load": {"USERS": "", "TIME": ""}}
"""By verb and variable, the beginning of the argument."""
HOSTILE = [
    "$(shell touch x)",
    "${shell touch x}",
    "$$(touch x)",
    "pa$word",
    "a'; touch x; '",
    'a"; touch x; "',
    "`touch x`",
    "a b  c",
    "#no comment",
    "back\\slash",
    "ü✗",
]
# Replaces an interpreter, and prints its arguments and its environment.
RECORDER = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"argv": sys.argv[1:], "environment": dict(os.environ)}}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the Makefile, with environments that are ready and whose commands are recorders."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "with_args.py", tmp_path / "scripts")
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    for name in re.findall(r"requirements/[\w.]+\.txt|pyproject\.toml|scripts/\w+\.py", MAKEFILE):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for folder in (".venv", ".venv-load", ".venv-bench"):
        (tmp_path / folder / "bin").mkdir(parents=True)
        (tmp_path / folder / ".ready").touch()
        # Runs `with_args.py`, which replaces itself by the command beside it.
        (tmp_path / folder / "bin" / "python").symlink_to(recorder)
        for tool in ("pytest", "siteassist-mock"):
            (tmp_path / folder / "bin" / tool).symlink_to(recorder)
    return tmp_path


def make(copy: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make in the copy, without the variables of a make that may run these tests."""
    given = {"PYTHON", "ARGS", "BASE", "USERS", "TIME", *AS_VARIABLE}
    rest = {
        name: value
        for name, value in os.environ.items()
        if name not in given and not name.startswith(("MAKE", "MFLAGS"))
    }
    return run(["make", *words], cwd=copy, env=rest | variables)


def make_with(
    copy: Path, verbs: Sequence[str], variables: Mapping[str, str], where: str
) -> subprocess.CompletedProcess[str]:
    """Run make with variables from the environment or from the command line."""
    if where == "environment":
        return make(copy, *verbs, **variables)
    # Unlike in other Makefiles, `$$` on the command line is not read as `$`.
    return make(copy, *verbs, *(f"{name}={value}" for name, value in variables.items()))


def called(done: subprocess.CompletedProcess[str]) -> list[tuple[list[str], dict[str, str]]]:
    """Return the arguments and the variables of each command that make ran."""
    assert (0, "") == (done.returncode, done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(each["argv"], each["environment"]) for each in found]


def hostile_to(names: Iterable[str], value: str) -> dict[str, str]:
    """Return variables that have the value in different texts, so that none replaces another."""
    return {name: f"{value} for {name}" for name in names}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("names", "where"),
    [(LONG, "environment"), (SHORT, "environment"), (SHORT, "command line")],
    ids=["long", "short", "command line"],
)
def test_credentials_and_addresses_arrive_unchanged(
    names: tuple[str, ...], where: str, value: str, copy: Path
) -> None:
    """The command's environment has the exact values."""
    given = hostile_to(names, value)
    _, variables = called(make_with(copy, ["contract"], given, where))[-1]
    expected = {AS_VARIABLE[name]: text for name, text in given.items()}
    assert expected == {name: variables[name] for name in expected}
    assert not (copy / "x").exists()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("where", ["environment", "command line"])
@pytest.mark.parametrize("verb", AS_ARGUMENT)
def test_arguments_arrive_as_one_word(verb: str, where: str, value: str, copy: Path) -> None:
    """The command's arguments have the exact values: a git ref may contain quotes."""
    given = hostile_to(AS_ARGUMENT[verb], value)
    words, _ = called(make_with(copy, [verb], given, where))[-1]
    assert {AS_ARGUMENT[verb][name] + text for name, text in given.items()} <= set(words)
    assert not (copy / "x").exists()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("where", ["environment", "command line"])
def test_args_reach_no_shell(where: str, value: str, copy: Path) -> None:
    """Each verb that takes ARGS passes it by the environment."""
    verbs = ("contract", "test", "mock", "diff", "publish", "lock", "bench-client")
    found = called(make_with(copy, verbs, {"ARGS": value}, where))
    assert len(verbs) <= len(found)
    assert {value} == {variables["ARGS"] for _, variables in found}
    assert not (copy / "x").exists()


@pytest.mark.parametrize("value", HOSTILE)
def test_interpreter_is_only_a_name(value: str, copy: Path) -> None:
    """PYTHON is the name of a command: another value fails, and nothing runs."""
    (copy / ".venv" / ".ready").unlink()
    done = make(copy, "contract", f"PYTHON={value}")
    assert 2 == done.returncode
    assert not (copy / "x").exists()


def test_help_runs_nothing(copy: Path) -> None:
    """`make help` runs none of the given values."""
    names = {"PYTHON", "ARGS", "BASE", "USERS", "TIME", *AS_VARIABLE}
    for value in HOSTILE:
        assert 0 == make(copy, "help", **dict.fromkeys(names, value)).returncode
    assert not (copy / "x").exists()


def test_every_variable_of_the_makefile_is_tested() -> None:
    """The tests of this module cover each variable, and recipes quote it."""
    given = re.search(r"^GIVEN := (.*)$", MAKEFILE, re.MULTILINE)
    assert given is not None
    tested = {"PYTHON", "ARGS", *SHORT}.union(*AS_ARGUMENT.values())
    assert tested == set(given[1].split())
    recipes = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
    # A recipe may use a variable only as a shell variable in quotes.
    for name in given[1].split():
        assert not re.search(rf"\$[({{]{name}[)}}]", recipes)
        assert not re.search(rf'(?<!")\$\${name}(?!")', recipes.replace(f'="$${name}"', ""))


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-k 'one or two'", ["-k", "one or two"]),
        ('-k "it\'s"', ["-k", "it's"]),
        ("$(touch x) `touch x` ; touch x", ["$(touch", "x)", "`touch", "x`", ";", "touch", "x"]),
        ("", []),
    ],
)
def test_args_are_words(args: str, expected: list[str], tmp_path: Path) -> None:
    """ARGS is split into words: quotes group, and other characters are ordinary."""
    command = [sys.executable, str(ROOT / "scripts" / "with_args.py"), "python", "-c"]
    program = "import json, os, sys; print(json.dumps([sys.argv[1:], 'ARGS' in os.environ]))"
    done = subprocess.run(
        [*command, program],
        cwd=tmp_path,
        env={**os.environ, "ARGS": args},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [expected, False] == json.loads(done.stdout)
    assert [] == list(tmp_path.iterdir())


def test_open_quote_is_reported() -> None:
    """The message is one sentence, and the exit status is 2."""
    command = [sys.executable, str(ROOT / "scripts" / "with_args.py"), "python", "--version"]
    done = run(command, env={**os.environ, "ARGS": "-k 'x"})
    expected = (2, "", 'invalid ARGS "-k \'x": no closing quotation\n')
    assert expected == (done.returncode, done.stdout, done.stderr)
