"""What a user gives to make arrives as it is, and neither make nor a shell runs any of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.values import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
# What a verb hands over by the environment, and what it hands over as an argument.
AS_VARIABLE = {
    "API_KEY": "SITEASSIST_API_KEY",
    "TOKEN": "SITEASSIST_TOKEN",
    "BASE_URL": "SITEASSIST_BASE_URL",
    "SITEASSIST_API_KEY": "SITEASSIST_API_KEY",
    "SITEASSIST_TOKEN": "SITEASSIST_TOKEN",
    "SITEASSIST_BASE_URL": "SITEASSIST_BASE_URL",
}
AS_ARGUMENT = {"BASE": ("diff", "--base="), "USERS": ("load", ""), "TIME": ("load", "")}
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
# In place of an interpreter: it says how it was called.
RECORDER = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"argv": sys.argv[1:], "environment": dict(os.environ)}}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the Makefile beside environments that are ready and whose commands are recorders."""
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
    """Run make there, with nothing of the make that may run these tests."""
    ours = {"PYTHON", "ARGS", "BASE", "USERS", "TIME", *AS_VARIABLE}
    rest = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *words],
        cwd=copy,
        env=rest | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def called(done: subprocess.CompletedProcess[str]) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the variables that the recorder got."""
    assert (0, "") == (done.returncode, done.stderr)
    found = json.loads(done.stdout)
    return found["argv"], found["environment"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("name", "where"),
    [
        *((name, "environment") for name in AS_VARIABLE),
        # There, those that are spelled SITEASSIST_ have shorter names.
        *((name, "command line") for name in AS_VARIABLE if not name.startswith("SITEASSIST_")),
    ],
)
def test_credentials_and_addresses_arrive_as_they_are(
    name: str, where: str, value: str, copy: Path
) -> None:
    """Whatever they contain, and however they are given."""
    if where == "environment":
        done = make(copy, "contract", **{name: value})
    else:
        # As make's manual says, `$$` is a `$` on the command line. It is not so here.
        done = make(copy, "contract", f"{name}={value}")
    _, variables = called(done)
    assert value == variables[AS_VARIABLE[name]]
    assert not (copy / "x").exists()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("where", ["environment", "command line"])
@pytest.mark.parametrize("name", AS_ARGUMENT)
def test_arguments_arrive_as_one_word(name: str, where: str, value: str, copy: Path) -> None:
    """A git ref may hold quotes and semicolons."""
    verb, prefix = AS_ARGUMENT[name]
    if where == "environment":
        done = make(copy, verb, **{name: value})
    else:
        done = make(copy, verb, f"{name}={value}")
    words, _ = called(done)
    assert prefix + value == words[-1]
    assert not (copy / "x").exists()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("where", ["environment", "command line"])
def test_args_reach_no_shell(where: str, value: str, copy: Path) -> None:
    """They travel by the environment, on any verb that takes them."""
    for verb in ("contract", "test", "mock", "diff", "publish", "lock", "bench-client"):
        if where == "environment":
            done = make(copy, verb, ARGS=value)
        else:
            done = make(copy, verb, f"ARGS={value}")
        # `bench-client` also installs the package.
        _, variables = called_last(done)
        assert value == variables["ARGS"]
    assert not (copy / "x").exists()


def called_last(done: subprocess.CompletedProcess[str]) -> tuple[list[str], dict[str, str]]:
    """Return what the last of several commands got."""
    assert (0, "") == (done.returncode, done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["argv"], found["environment"]


@pytest.mark.parametrize("value", HOSTILE)
def test_interpreter_is_a_name_and_no_program_text(value: str, copy: Path) -> None:
    """PYTHON names a command; what is none fails, and nothing else runs."""
    (copy / ".venv" / ".ready").unlink()
    done = make(copy, "contract", f"PYTHON={value}")
    assert 2 == done.returncode
    assert not (copy / "x").exists()


def test_help_runs_nothing(copy: Path) -> None:
    """Not even with every variable at once."""
    names = {"PYTHON", "ARGS", "BASE", "USERS", "TIME", *AS_VARIABLE}
    for value in HOSTILE:
        assert 0 == make(copy, "help", **dict.fromkeys(names, value)).returncode
    assert not (copy / "x").exists()


def test_every_variable_of_the_makefile_is_tested_here() -> None:
    """A new one needs a test."""
    given = re.search(r"^GIVEN := (.*)$", MAKEFILE, re.MULTILINE)
    assert given is not None
    tested = {"PYTHON", "ARGS", *AS_ARGUMENT} | {"API_KEY", "TOKEN", "BASE_URL"}
    assert tested == set(given[1].split())
    # Nothing else is read that could come from outside, and these in quotes only.
    recipes = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
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
    """Quotes group, and nothing else has a meaning."""
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


def test_open_quote_is_told() -> None:
    """One sentence, exit status 2."""
    command = [sys.executable, str(ROOT / "scripts" / "with_args.py"), "python", "--version"]
    done = subprocess.run(
        command, env={**os.environ, "ARGS": "-k 'x"}, capture_output=True, text=True, check=False
    )
    expected = (2, "", 'invalid ARGS "-k \'x": no closing quotation\n')
    assert expected == (done.returncode, done.stdout, done.stderr)
