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

__all__ = ["CONTRACT", "LIMIT_SECONDS", "Trial", "Violation", "run", "running", "stop"]

CONTRACT = (sys.executable, "-m", "siteassist_contract")
"""The command of the contract tests."""

LIMIT_SECONDS = 240.0
"""How long a run may take; the contract tests hang if it takes longer."""

KEPT, BROKEN = 0, 1
"""Exit statuses; any other means that the tests could not run."""

_START = "SiteAssist mock on "
_OTHERS = {"SITEASSIST_API_KEY", "SITEASSIST_BASE_URL", "SITEASSIST_TOKEN"}
_NOTE_CHARACTERS = 300
_live: set[int] = set()


@dataclass(frozen=True, slots=True)
class Violation:
    """What the contract tests say that a server breaks, as their summary has it."""

    rule: str
    operation: str
    layer: str

    def __str__(self) -> str:
        """Return it in a few words."""
        return f"{self.rule} in {self.operation} ({self.layer})"


@dataclass(frozen=True, slots=True)
class Trial:
    """How one run of the contract tests ended."""

    status: int | None
    """The exit status; None if they had to be stopped."""

    seconds: float
    """How long the run took."""

    first_break_seconds: float | None = None
    """How long it took to the first break, as they say."""

    violations: Sequence[Violation] = field(default=())

    note: str = ""
    """The last words of a run that came to no result."""

    @property
    def reason(self) -> str:
        """Why there is no result; empty if there is one."""
        if self.status is None:
            return f"hangs: no end after {self.seconds:.0f} s"
        if self.status in {KEPT, BROKEN}:
            return ""
        return f"not run: exit status {self.status}" + (f", {self.note}" if self.note else "")


@contextmanager
def running(name: str, *, variant: bool = False) -> Iterator[str]:
    """Run the server ``name`` in a process of its own, and yield its base URL.

    Raises `RuntimeError` if it does not start.
    """
    command = [sys.executable, "-m", "tests.faults.server", name]
    command += ["--variant"] if variant else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line.startswith(_START):
                raise RuntimeError(f"the server {name} did not start")
            yield line.removeprefix(_START).split()[0]
        finally:
            server.terminate()


def run(
    name: str,
    reports: Path,
    *,
    seed: int,
    variant: bool = False,
    contract: Sequence[str] = CONTRACT,
    limit: float = LIMIT_SECONDS,
) -> Trial:
    """Run the contract tests on the server ``name``, with their reports in ``reports``.

    Up to the first break, unless it is a tolerated ``variant``. After ``limit``
    seconds they are stopped.
    """
    with running(name, variant=variant) as url:
        command = [*contract, url, "--api-key", API_KEY, "--profile", "default"]
        command += ["--seed", str(seed), *([] if variant else ["--stop-at-first"])]
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
    """Return the exit status of a command, run in the folder of its ``output``.

    None if it was stopped after ``limit`` seconds.
    """
    with (
        output.open("wb") as said,
        # A session of its own, so that its children can be stopped with it. To a
        # file, since whoever holds the end of a pipe is waited for.
        subprocess.Popen(
            command,
            # What one run leaves behind is not to help another.
            cwd=output.parent,
            # What somebody tests besides is no part of this.
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
    """Stop all runs, whatever threads wait for them."""
    for group in tuple(_live):
        # One may have ended by itself just now.
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _summary(path: Path) -> dict[str, Any]:
    # A run that ended early may have written nothing, or half of it.
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
