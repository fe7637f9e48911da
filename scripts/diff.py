"""Say of every change of ``openapi.yaml`` whether it breaks those who use it.

oasdiff, pinned in ``tools/oasdiff`` and run by Go, knows the rules: what is asked
of a client may only become less, what is promised to it only more. We add what it
does not know, our own ``x-event-stream``, and take two of its rules more
seriously: a credential where there was none needed, and another ``operationId``,
which is the name of a method in the clients.

With ``--since-release``, compare with the latest release and hold the project to
its rule: who breaks something raises the major version (before 1.0.0 the minor
one) and says so in the changelog, in a line with ``**Breaking**``.

Exit status: 0 nothing breaks, or it may; 1 something breaks; 2 the comparison could
not run.
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
# In a text, oasdiff takes any type for a kind of string; the payloads are JSON.
AS_JSON = "application/event-stream+json"
# Says something of the whole, not of a change.
IGNORED = {"api-version-not-bumped"}
# What people read, and nothing else depends on.
WORDS = {"description", "summary", "title", "example", "examples"}
# What oasdiff does not look at.
UNJUDGED = {"servers", "links", "securitySchemes"}
SECURITY = ("components", "securitySchemes")


class DiffError(Exception):
    """The comparison cannot run; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One change: how grave it is (3 breaks), which operation it is of, and what it is."""

    level: int
    operation: str
    text: str


def base_text(base: str) -> str:
    """Return the description of a file, or of a commit, a branch or a tag.

    Raises `DiffError` if there is none.
    """
    path = Path(base)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    return committed(base, SPEC_PATH.name)


def committed(revision: str, name: str) -> str:
    """Return a file of the repository as it was at a revision.

    Raises `DiffError` if it was not there, or if there is no such revision.
    """
    # A leading dash would be an option.
    done = git("show", "--end-of-options", f"{revision}:{name}")
    if done is None:
        raise DiffError(f"{revision} is neither a file nor a revision with {name}")
    return done


def git(*words: str) -> str | None:
    """Return what git prints, or nothing if it fails."""
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
    """Return all changes, the gravest first.

    Raises `DiffError` if oasdiff cannot run.
    """
    found = {*judged(base, new), *streams(base, new)}
    # Without a file: the place of a node that one of the two lacks is a pointer.
    pointers = Document(new)
    changes = list(found)
    changes += [
        Change(
            BREAKING if SECURITY == path[:2] else RISKY,
            "",
            f"nobody has judged {pointers.place(path)}",
        )
        for path in differences(base, new)
        # What else there is has been judged, or follows from what has been.
        if not is_words(path) and (not found or UNJUDGED & {*path})
    ]
    if words := sum(is_words(path) for path in differences(base, new)):
        changes.append(Change(1, "", f"texts changed in {words} places: descriptions, examples, …"))
    return sorted(changes, key=lambda change: (-change.level, change.operation, change.text))


def judged(base: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Yield what oasdiff says.

    Raises `DiffError` if it cannot run.
    """
    go = shutil.which("go")
    if go is None:
        raise DiffError("there is no Go on this machine, which oasdiff needs: https://go.dev/dl/")
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
            # The checksums are beside it; another version of Go is the user's business.
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
    """Yield what changed in our extension: clients stop, or fail to, by what it says."""
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
                    text = f"`{key}` of `{EXTENSION}`: {before_it!r} became {after_it!r}"
                    yield Change(BREAKING, name, text)


def extensions(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the extension of each operation with an event stream, by its operationId."""
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
    """Yield every place at which two documents differ."""
    if isinstance(base, dict) and isinstance(new, dict):
        for key in [*base, *(key for key in new if key not in base)]:
            yield from differences(base.get(key), new.get(key), (*path, str(key)))
    elif base != new:
        yield path


def is_words(path: tuple[str, ...]) -> bool:
    """Return whether what is there is for people only."""
    # A property may have such a name, too.
    keys = {key for before, key in zip(("", *path), path, strict=False) if before != "properties"}
    return bool(keys & WORDS) or path[:1] == ("info",)


def show(changes: list[Change]) -> str:
    """Return all changes in words, by what they do and by their operation."""
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
    """Return why the changes since a release may break something, or nothing if they may not.

    Raises `DiffError` if the release has no version.
    """
    old = version(committed(revision, "pyproject.toml"))
    new = version((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    raised = new[0] > old[0] or (old[0] == new[0] == 0 and new[1] > old[1])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    name = ".".join(map(str, new))
    notes = section(changelog, name) or section(changelog, UNRELEASED) or ""
    if raised and "**Breaking**" in notes:
        return f"{name} is a new major version, and the changelog says what breaks."
    return ""


def version(pyproject: str) -> tuple[int, ...]:
    """Return the version of the project, as numbers.

    Raises `DiffError` if it has none of three numbers.
    """
    text = str(tomllib.loads(pyproject).get("project", {}).get("version", ""))
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise DiffError(f"{text!r} is no version of three numbers")
    return tuple(int(number) for number in text.split("."))


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--base", help="a file, or a commit, a branch or a tag")
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
    print(f"This breaks what worked with {base}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
