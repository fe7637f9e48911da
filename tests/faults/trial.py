"""One server and one run of the contract tests on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.values import API_KEY, ROOT

__all__ = [
    "BROKEN",
    "CONTRACT",
    "KEPT",
    "LIMIT_SECONDS",
    "Trial",
    "Violation",
    "run",
    "running",
    "stop",
]

CONTRACT = (sys.executable, "-m", "siteassist_contract")
"""The command of the contract tests."""

LIMIT_SECONDS = 240.0
"""Time limit of a run; the contract tests count as hanging after it."""

KEPT, BROKEN, INCOMPLETE = 0, 1, 2
"""Exit statuses; any but the first two means that the tests could not run, or not all of them."""

_START = "SiteAssist mock on "
_OTHERS = {"SITEASSIST_API_KEY", "SITEASSIST_BASE_URL", "SITEASSIST_TOKEN"}
_NOTE_CHARACTERS = 300
_live: set[int] = set()


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation, as listed in the summary of the contract tests."""

    rule: str
    operation: str
    layer: str

    def __str__(self) -> str:
        """Return a short description."""
        return f"{self.rule} in {self.operation} ({self.layer})"


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one run of the contract tests."""

    status: int | None
    """The exit status; None if the run had to be stopped."""

    seconds: float
    """Duration of the run."""

    first_break_seconds: float | None = None
    """Time to the first violation, as reported by the contract tests."""

    violations: Sequence[Violation] = field(default=())

    note: str = ""
    """The last line of the output, cut to a few hundred characters."""

    @property
    def stopped(self) -> bool:
        """Whether `stop` ended the run."""
        return self.status == -signal.SIGKILL

    @property
    def lacked_time(self) -> bool:
        """Whether the run ended before its last test, since its time ran out."""
        return self.status == INCOMPLETE and "the time ran out" in self.note

    @property
    def reason(self) -> str:
        """The reason why there is no result; empty if there is one."""
        if self.status is None:
            return f"hangs: no end after {self.seconds:.0f} s"
        if self.status in {KEPT, BROKEN}:
            return ""
        return f"not run: exit status {self.status}" + (f", {self.note}" if self.note else "")


@contextmanager
def running(*names: str, variant: bool = False) -> Iterator[str]:
    """Run a server with the mutant or the variants ``names`` in a process; yield its base URL.

    Raises `RuntimeError` if it does not start.
    """
    command = [sys.executable, "-m", "tests.faults.server", *names]
    command += ["--variant"] if variant else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line.startswith(_START):
                raise RuntimeError(f"the server {' '.join(names)} did not start")
            yield line.removeprefix(_START).split()[0]
        finally:
            server.terminate()


def run(
    *names: str,
    reports: Path,
    seed: int,
    variant: bool = False,
    contract: Sequence[str] = CONTRACT,
    limit: float = LIMIT_SECONDS,
    profile: str = "default",
    more: Sequence[str] = (),
) -> Trial:
    """Run the contract tests on a server, with their reports in ``reports``.

    The server has the mutant ``names``, or all these tolerated variants if it is a
    ``variant``. The run ends at the first violation of a mutant. It is stopped after
    ``limit`` seconds. ``more`` are further options of the contract tests.
    """
    with running(*names, variant=variant) as url:
        command = [*contract, url, "--api-key", API_KEY, "--profile", profile]
        command += ["--operator", f"{url.removesuffix('/v2')}/_mock"]
        command += ["--seed", str(seed), *([] if variant else ["--stop-at-first"]), *more]
        begun = time.monotonic()
        output = reports / "output.txt"
        status = _status([*command, "--reports", str(reports)], output, limit)
        seconds = time.monotonic() - begun
    if status is None:
        return Trial(None, seconds)
    summary = _summary(reports / "summary.json")
    said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return Trial(
        status,
        seconds,
        summary.get("first_violation_seconds"),
        [
            Violation(*(str(found.get(key)) for key in ("rule", "operation", "layer")))
            for found in summary.get("violations", ())
        ],
        said[-1][:_NOTE_CHARACTERS] if said else "",
    )


def _status(command: Sequence[str], output: Path, limit: float) -> int | None:
    """Run a command in the folder of its ``output`` and return its exit status.

    Returns None if the command was stopped after ``limit`` seconds.
    """
    with (
        output.open("wb") as said,
        # The new session allows its children to be stopped with it. The output goes to
        # a file, since a surviving child would keep a pipe open.
        subprocess.Popen(
            command,
            # Files that one run leaves behind must not affect another.
            cwd=output.parent,
            # Settings for another server under test must not affect the run.
            env={name: value for name, value in os.environ.items() if name not in _OTHERS},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        _live.add(process.pid)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None
        finally:
            _live.discard(process.pid)


def stop() -> None:
    """Stop all runs, including those that other threads wait for."""
    for group in tuple(_live):
        # The process may have ended in the meantime.
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _summary(path: Path) -> dict[str, Any]:
    # A run that ended early may have written no summary, or an incomplete one.
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
