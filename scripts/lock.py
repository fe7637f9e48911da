"""Compile the lock files in ``requirements``, every version pinned and hashed.

    make lock                    compile them anew; what is pinned stays if it can
    make lock ARGS=--upgrade     take the newest versions
    make lock ARGS=--check       list what `--upgrade` would change; change nothing

What the files share has the same version in all of them. They name no package index.

Exit status: 0 done, or nothing would change; 1 with ``--check`` if something would; 2
the compiler failed.
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
    """What one lock file is compiled from, as named in ``pyproject.toml``, and files besides."""

    extras: tuple[str, ...]
    groups: tuple[str, ...]
    files: tuple[str, ...] = ()


# The later ones keep to the versions of the first.
LOCKS = {
    "dev.txt": Lock(("mock", "postgres", "contract"), ("dev",)),
    "bench.txt": Lock(("fast",), ("build",), ("bench/requirements.txt",)),
    "load.txt": Lock(("load",), ("load",)),
}
FIRST = next(iter(LOCKS))


def roots(lock: Lock) -> list[str]:
    """Return the requirements that a lock file is compiled from."""
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

    Raises `subprocess.CalledProcessError` if that fails; the compiler has said why.
    """
    lock = LOCKS[name]
    target = folder / name
    # Paths inside of the repository are written relative to it: they stand in the comments.
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
    """Return the version of each package that a lock file names."""
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return a line for each package that two lock files have in different versions."""
    return [
        f"{name} {old.get(name, '(new)')} -> {new.get(name, '(not needed any more)')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def check() -> int:
    """Print what ``--upgrade`` would change, and return the exit status."""
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
    print("Take them: make lock ARGS=--upgrade" if count else "All are the newest that fit.")
    return 1 if count else 0


def main() -> int:
    """Do what the command line says and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make lock", description="Compile the lock files in requirements/."
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--upgrade", action="store_true", help="take the newest versions")
    choice.add_argument(
        "--check", action="store_true", help="list what --upgrade would change; change nothing"
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
