"""Check that the environment of this interpreter has all that a lock file is compiled from.

    .venv/bin/python scripts/lock_check.py requirements/dev.txt

`pip check` follows what installed packages require without extras. This follows extras
as well (``coverage[toml]``), from what ``pyproject.toml`` asks for.

Exit status: 0 nothing is missing; 1 something is, one line each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# Of all libraries that read requirements, the only one that is installed for certain.
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.lock import LOCKS, roots


def missing(requirements: list[str], needed_by: str) -> Iterator[str]:
    """Yield a sentence for each requirement, direct or not, that is not installed."""
    waiting = [(needed_by, "", Requirement(text)) for text in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        parent, extra, requirement = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            yield f"{parent} requires {requirement.name}, which is not in it"
            continue
        if not requirement.specifier.contains(found.version, prereleases=True):
            wanted = f"{requirement.name}{requirement.specifier}"
            yield f"{parent} requires {wanted}, and it has {found.version}"
        for asked in {"", *requirement.extras}:
            if (name, asked) not in seen:
                seen.add((name, asked))
                child = f"{name}[{asked}]" if asked else name
                waiting += [(child, asked, Requirement(text)) for text in found.requires or []]


def main(path: str) -> int:
    """Print what is missing and return the exit status."""
    lock = LOCKS[Path(path).name]
    problems = sorted({*missing(roots(lock), "pyproject.toml")})
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
