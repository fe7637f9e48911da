"""Reproducible builds of the wheel and the source distribution."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The time of the last change if it is unknown: the earliest time that ZIP can represent.
_FALLBACK = 315_532_800
_BUILD = "import sys, hatchling.build as b; b.build_wheel(sys.argv[1]); b.build_sdist(sys.argv[1])"


class PublishError(Exception):
    """A tool failed; the message is meant for the user."""


def last_change(root: Path = ROOT) -> int:
    """Return the time of the last change of the sources, in seconds since 1970.

    This is ``SOURCE_DATE_EPOCH`` if it is set, otherwise the time of the last commit.
    Without either, it is the start of 1980.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return _FALLBACK
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else _FALLBACK


def build_packages(folder: Path, epoch: int) -> None:
    """Build both packages into ``folder``; all their files get the time ``epoch``.

    Raises `PublishError` if the build fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        # The last line of a traceback contains the exception.
        problem = done.stderr.strip().rpartition("\n")[2]
        raise PublishError(f"the packages cannot be built: {problem}")
