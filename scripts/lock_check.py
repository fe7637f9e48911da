"""Check that this interpreter's environment satisfies the requirements of a lock file.

    .venv/bin/python scripts/lock_check.py requirements/dev.txt

`pip check` ignores the extras of a requirement. This check starts from the requirements
in ``pyproject.toml`` and follows extras such as ``coverage[toml]`` as well.

Exit status: 0 every requirement is satisfied; 1 a package is missing or has the wrong
version. Each problem is printed on a line of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# pip's copy is the only requirement parser that is certain to be installed.
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.lock import LOCKS, roots


def missing(requirements: list[str], needed_by: str) -> Iterator[str]:
    """Yield a message for each direct or indirect requirement that is not satisfied."""
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
            yield f"{parent} requires {requirement.name}, which is not installed"
            continue
        if not requirement.specifier.contains(found.version, prereleases=True):
            wanted = f"{requirement.name}{requirement.specifier}"
            yield f"{parent} requires {wanted}, but {found.version} is installed"
        for asked in {"", *requirement.extras}:
            if (name, asked) not in seen:
                seen.add((name, asked))
                child = f"{name}[{asked}]" if asked else name
                waiting += [(child, asked, Requirement(text)) for text in found.requires or []]


def main(path: str) -> int:
    """Print the unsatisfied requirements and return the exit status."""
    lock = LOCKS[Path(path).name]
    problems = sorted({*missing(roots(lock), "pyproject.toml")})
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
