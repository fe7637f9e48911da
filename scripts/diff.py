"""List the changes of ``openapi.yaml``, and classify each as breaking or not.

The rules are those of oasdiff, which is pinned in ``tools/oasdiff`` and run with Go:
requirements on clients may only be relaxed, and promises to clients may only be
extended. This module adds the project's own extension ``x-event-stream``, which oasdiff
ignores. It also raises the severity of two rules: an operation that newly needs a
credential, and a changed ``operationId``, which is a method name in the clients.

With ``--since-release``, compare with the latest release and enforce the project's
rule: a breaking change needs a new major version (before 1.0.0, a new minor version)
and a line with ``**Breaking**`` in the changelog.

Exit status: 0 nothing breaks, or the version and the changelog allow it; 1 a change
breaks clients; 2 the comparison could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.publish.notes import UNRELEASED, section
from siteassist_spec import EVENT_STREAM, METHODS, SPEC_PATH, Document, SpecError, load_spec

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "oasdiff"
BREAKING, RISKY = 3, 2
HEADINGS = {BREAKING: "Breaking", RISKY: "Perhaps breaking", 1: "Not breaking"}
EXTENSION = "x-event-stream"
# oasdiff treats every schema of a text media type as a string, but the payloads are JSON.
AS_JSON = "application/event-stream+json"
# A finding about the whole document rather than about a change.
IGNORED = {"api-version-not-bumped"}
# Keys whose values are for human readers only.
WORDS = {"description", "summary", "title", "example", "examples"}
# Keys that oasdiff does not compare.
UNJUDGED = {"servers", "links", "securitySchemes"}
SECURITY = ("components", "securitySchemes")


class DiffError(Exception):
    """The comparison cannot run; the message gives the reason."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A change: its level (3 is breaking), its operation and its description."""

    level: int
    operation: str
    text: str


def base_text(base: str) -> str:
    """Return the text of the API description in a file, or in a commit, a branch or a tag.

    Raises `DiffError` if ``base`` is neither.
    """
    path = Path(base)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    return committed(base, SPEC_PATH.name)


def committed(revision: str, name: str) -> str:
    """Return the content of a file of the repository at a revision.

    Raises `DiffError` if the revision does not exist or does not contain the file.
    """
    # Without the option, git would read a revision with a leading dash as an option.
    done = git("show", "--end-of-options", f"{revision}:{name}")
    if done is None:
        raise DiffError(f"{revision} is neither a file nor a revision that contains {name}")
    return done


def git(*words: str) -> str | None:
    """Return the output of a git command, or None if it fails."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def compare(base: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return all changes, the most severe first.

    Raises `DiffError` if oasdiff cannot run.
    """
    found = {*judged(base, new), *streams(base, new)}
    # A document without a file reports places as JSON pointers. Lines of a file would be
    # missing for nodes that only the base has.
    pointers = Document(new)
    changes = list(found)
    changes += [
        Change(
            BREAKING if SECURITY == path[:2] else RISKY,
            "",
            f"no rule covers the change at {pointers.place(path)}",
        )
        for path in differences(base, new)
        # oasdiff has classified every other difference, or the cause of it.
        if not is_words(path) and (not found or UNJUDGED & {*path})
    ]
    if words := sum(is_words(path) for path in differences(base, new)):
        changes.append(
            Change(1, "", f"texts changed in {words} places (descriptions, examples, …)")
        )
    return sorted(changes, key=lambda change: (-change.level, change.operation, change.text))


def judged(base: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Yield the changes that oasdiff finds.

    Raises `DiffError` if oasdiff cannot run.
    """
    go = shutil.which("go")
    if go is None:
        raise DiffError("oasdiff needs Go, which is not installed: see https://go.dev/dl/")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, description in (("base.json", base), ("new.json", new)):
            path = Path(folder) / name
            path.write_text(
                json.dumps(description).replace(f'"{EVENT_STREAM}"', f'"{AS_JSON}"'),
                encoding="utf-8",
            )
            paths.append(str(path))
        levels = f"--severity-levels={TOOL / 'severity-levels.txt'}"
        done = subprocess.run(
            [go, "tool", "oasdiff", "changelog", *paths, "--format=json", levels],
            cwd=TOOL,
            # `readonly` keeps go.mod and go.sum unchanged. Downloading another version of
            # Go is left to the user's settings.
            env={**os.environ, "GOFLAGS": "-mod=readonly"},
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        rows = json.loads(done.stdout or "[]") if done.returncode == 0 else None
    except ValueError:
        rows = None
    if rows is None:
        raise DiffError(f"oasdiff failed: {done.stderr.strip() or done.stdout.strip()}")
    for row in rows:
        if row["id"] not in IGNORED:
            operation = row.get("operationId") or row.get("path", "")
            yield Change(row["level"], operation, row["text"].replace(AS_JSON, EVENT_STREAM))


def streams(base: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Yield the changes of ``x-event-stream``, from which clients learn where a stream ends."""
    before, after = extensions(base), extensions(new)
    for name in sorted(before.keys() | after.keys()):
        old, fresh = before.get(name), after.get(name)
        if old is None:
            yield Change(1, name, f"`{EXTENSION}` was added")
        elif fresh is None:
            yield Change(BREAKING, name, f"`{EXTENSION}` was removed")
        else:
            for key in sorted(old.keys() | fresh.keys()):
                before_it, after_it = old.get(key), fresh.get(key)
                if before_it != after_it:
                    text = f"`{key}` of `{EXTENSION}` changed from {before_it!r} to {after_it!r}"
                    yield Change(BREAKING, name, text)


def extensions(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return ``x-event-stream`` of each operation that has it, by operationId."""
    document = Document(description)
    return {
        operation.get("operationId", f"{method} {path}"): response[EXTENSION]
        for path, item in description.get("paths", {}).items()
        for method, operation in item.items()
        if method in METHODS
        for response in map(document.resolve, operation.get("responses", {}).values())
        if EXTENSION in response
    }


def differences(base: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every difference between two documents."""
    if isinstance(base, dict) and isinstance(new, dict):
        for key in [*base, *(key for key in new if key not in base)]:
            yield from differences(base.get(key), new.get(key), (*path, str(key)))
    elif base != new:
        yield path


def is_words(path: tuple[str, ...]) -> bool:
    """Return whether the value at ``path`` is for human readers only."""
    # The keys below `properties` are names of properties, such as `description`.
    keys = {key for before, key in zip(("", *path), path, strict=False) if before != "properties"}
    return bool(keys & WORDS) or path[:1] == ("info",)


def show(changes: list[Change]) -> str:
    """Format the changes, grouped by level, each with its operation."""
    lines = []
    for level, heading in HEADINGS.items():
        chosen = [change for change in changes if change.level == level]
        if chosen:
            lines.append(f"{heading} ({len(chosen)}):")
            lines += [
                f"  {change.operation}: {change.text}" if change.operation else f"  {change.text}"
                for change in chosen
            ]
    return "\n".join(lines) or "Nothing changed."


def excuse(revision: str) -> str:
    """Return the reason why breaking changes since a release are allowed, or an empty string.

    Raises `DiffError` if one of the two versions is invalid.
    """
    old = version(committed(revision, "pyproject.toml"))
    new = version((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    raised = new[0] > old[0] or (old[0] == new[0] == 0 and new[1] > old[1])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    name = ".".join(map(str, new))
    notes = section(changelog, name) or section(changelog, UNRELEASED) or ""
    if raised and "**Breaking**" in notes:
        part = "major" if new[0] else "minor"
        return (
            f"Breaking changes are allowed: the changelog lists them, and {name} raises the "
            f"{part} version."
        )
    return ""


def version(pyproject: str) -> tuple[int, ...]:
    """Return the version in a ``pyproject.toml`` as a tuple of numbers.

    Raises `DiffError` if the version is missing or does not consist of three numbers.
    """
    text = str(tomllib.loads(pyproject).get("project", {}).get("version", ""))
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise DiffError(f"invalid version {text!r}: expected three numbers")
    return tuple(int(number) for number in text.split("."))


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--base", help="compare with a file, a commit, a branch or a tag")
    choice.add_argument(
        "--since-release", action="store_true", help="compare with the latest release"
    )
    given = parser.parse_args(arguments)
    base: str = given.base or ""
    try:
        if given.since_release:
            base = (git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*") or "").strip()
            if not base:
                print("There is no release yet to compare with.")
                return 0
        with tempfile.TemporaryDirectory() as folder:
            old = Path(folder) / "openapi.yaml"
            old.write_text(base_text(base), encoding="utf-8")
            changes = compare(load_spec(old), load_spec())
        print(show(changes))
        if all(change.level < BREAKING for change in changes):
            return 0
        reason = excuse(base) if given.since_release else ""
    except (DiffError, SpecError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if reason:
        print(reason)
        return 0
    print(f"Some changes since {base} break clients.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
