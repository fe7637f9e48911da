"""One module reads the description, and no other module repeats its facts."""

from __future__ import annotations

import re

import pytest

from siteassist_spec import METHODS
from tests.commands import run
from tests.values import ROOT

OTHER_USERS_OF_YAML = {
    # Reads a seed file of the mock, not the description.
    "src/siteassist_mock/content/yaml_file.py",
    # Writes the published forms.
    "scripts/publish/documents.py",
    # Edits a copy of the description and preserves its comments.
    "scripts/exercises.py",
}


def sources(*folders: str) -> dict[str, str]:
    """Return the hand-written Python files below ``folders``."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def test_only_the_reader_reads_yaml() -> None:
    """No other module imports a YAML library to read the description."""
    found = {
        name
        for name, text in sources("src", "scripts").items()
        if re.search(r"^\s*(?:from|import) (?:ruamel|yaml)\b", text, re.MULTILINE)
    }
    assert {"src/siteassist_spec/document.py"} | OTHER_USERS_OF_YAML == found


def test_only_the_reader_lists_the_methods() -> None:
    """No other module has a list of HTTP methods."""
    assert METHODS
    table = re.compile(r"""["']get["'],\s*["'](?:put|post)["']""")
    found = {
        name for name, text in sources("src", "scripts", "tests").items() if table.search(text)
    }
    assert found <= {"src/siteassist_spec/operations.py"}


def test_operation_is_named_in_few_files() -> None:
    """A new operation needs edits of the description, its evidence and the mock's handler.

    Every other file that names this operation depends on it. Pages count as well: the guide of
    the client, whose example it is, and the generated list of rules.
    """
    command = [
        *("git", "grep", "-liE", "sendMessageFeedback|send_message_feedback", "--", "."),
        *(":!generated", ":!tests", ":!docs/reference/client-reference.md"),
    ]
    done = run(command)
    if done.returncode:
        pytest.skip("not a git checkout")
    assert len(done.stdout.splitlines()) <= 7, done.stdout


def test_references_are_resolved_in_one_module() -> None:
    """No other module splits a JSON pointer."""
    steps = re.compile(r"""removeprefix\(["']#/["']\)""")
    resolvers = [
        name for name, text in sources("src", "scripts", "tests").items() if steps.search(text)
    ]
    assert [] == resolvers
