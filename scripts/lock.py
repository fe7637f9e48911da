"""Compile the lock files in ``requirements``, with a version and hashes for each package.

    make lock                    recompile the files; keep the pinned versions where possible
    make lock ARGS=--upgrade     upgrade every package to its newest compatible version
    make lock ARGS=--check       list the changes `--upgrade` would make; change nothing

A package in several lock files has the same version in all of them. The lock files name
no package index.

Exit status: 0 the files are compiled, or ``--check`` found nothing to upgrade; 1
``--check`` found packages to upgrade; 2 the compiler failed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lock:
    """The sources of a lock file: extras and groups of ``pyproject.toml``, and other files."""

    extras: tuple[str, ...]
    groups: tuple[str, ...]
    files: tuple[str, ...] = ()


# The versions in the first lock file constrain the others.
LOCKS = {
    "dev.txt": Lock(("mock", "postgres", "contract"), ("dev",)),
    "bench.txt": Lock(("fast",), ("build",), ("bench/requirements.txt",)),
    "load.txt": Lock(("load",), ("load",)),
    "docs.txt": Lock((), ("docs",)),
}
FIRST = next(iter(LOCKS))


def roots(lock: Lock) -> list[str]:
    """Return the direct requirements of a lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = list(project["project"]["dependencies"])
    for extra in lock.extras:
        found += project["project"]["optional-dependencies"][extra]
    for group in lock.groups:
        found += _group(project["dependency-groups"], group)
    for name in lock.files:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        found += [line for line in lines if line and not line.startswith("#")]
    return found


def _group(groups: dict[str, list[Any]], name: str) -> Iterable[str]:
    for entry in groups[name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _group(groups, entry["include-group"])


def compile_lock(name: str, folder: Path, words: Iterable[str]) -> None:
    """Write the lock file ``name`` into ``folder``.

    Raises `subprocess.CalledProcessError` if the compiler fails. The compiler prints the
    reason itself.
    """
    lock = LOCKS[name]
    target = folder / name
    # The compiler copies these paths into the comments of the lock file, so they must be
    # relative to the repository.
    shown = target.relative_to(ROOT) if target.is_relative_to(ROOT) else target
    first = shown.with_name(FIRST)
    command = [
        *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"),
        *("--universal", "--python-version=3.11", "--generate-hashes"),
        *("--no-emit-index-url", "--no-emit-find-links", "--no-header"),
        *(f"--extra={extra}" for extra in lock.extras),
        *(f"--group={group}" for group in lock.groups),
        *([] if name == FIRST else [f"--constraints={first}"]),
        *("pyproject.toml", *lock.files, f"--output-file={shown}"),
        *words,
    ]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def pins(path: Path) -> dict[str, str]:
    """Return the pinned version of each package in a lock file."""
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return a line for each package whose version differs between two lock files."""
    return [
        f"{name} {old.get(name, '(new)')} -> {new.get(name, '(no longer needed)')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def check() -> int:
    """Print the changes ``--upgrade`` would make, and return the exit status."""
    count = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in LOCKS:
            compile_lock(name, Path(folder), ["--upgrade"])
            old = pins(FOLDER / name)
            found = changes(old, pins(Path(folder) / name))
            count, total = count + len(found), total + len(old)
            print(f"requirements/{name}: {len(found)} of {len(old)} packages would change")
            for line in found:
                print(f"  {line}")
    print(
        "To upgrade, run: make lock ARGS=--upgrade"
        if count
        else "Every package has its newest compatible version."
    )
    return 1 if count else 0


def main() -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make lock", description="Compile the lock files in requirements/."
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--upgrade",
        action="store_true",
        help="upgrade every package to its newest compatible version",
    )
    choice.add_argument(
        "--check",
        action="store_true",
        help="list the changes --upgrade would make; change nothing",
    )
    options = parser.parse_args()
    try:
        if options.check:
            return check()
        for name in LOCKS:
            compile_lock(name, FOLDER, ["--upgrade"] if options.upgrade else [])
    except subprocess.CalledProcessError:
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
