"""One run of the contract tests on a hostile server, and what is wrong with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.cells import Cell
from tests.hostile.memory import measurable, peak_mib
from tests.hostile.server import START
from tests.values import API_KEY, ROOT

CONTRACT = (sys.executable, "-m", "siteassist_contract")
"""The command of the contract tests."""

KEPT, BROKEN, INCOMPLETE, INTERNAL_ERROR = range(4)
"""The exit statuses."""
WORDS = {
    KEPT: "kept",
    BROKEN: "broken",
    INCOMPLETE: "incomplete",
    INTERNAL_ERROR: "internal error",
    None: "no end",
}
MORE_MIB = 300
"""The memory that a run may use above a quiet one."""
TIMES = 1.2
"""The part of the promised time that a run may take."""

_STOPPED_AFTER = 3
_TICK_SECONDS = 0.05
_NOTE_CHARACTERS = 300
_OTHERS = {"SITEASSIST_API_KEY", "SITEASSIST_BASE_URL", "SITEASSIST_TOKEN"}
_TRACEBACK = "Traceback (most recent call last)"
# Allowed in a text: the end of a line and the tabulator.
_CONTROLS = {*map(chr, [*range(32), *range(127, 160)]), *"\u202a\u202b\u202c\u202d\u202e"}
_CONTROLS |= set("\u2066\u2067\u2068\u2069")
_CONTROLS -= {"\n", "\t"}


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one run."""

    cell: Cell
    status: int | None
    """The exit status; None if the run had to be stopped."""
    seconds: float
    mib: float | None
    """The greatest memory of the command and its children; None if it cannot be measured."""
    output: str
    hits: int
    """The number of requests that the mode answered."""

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return WORDS.get(self.status, f"status {self.status}")

    @property
    def note(self) -> str:
        """The last line of the output, cut to a few hundred characters."""
        lines = self.output.strip().splitlines()
        return lines[-1][:_NOTE_CHARACTERS] if lines else ""

    def problems(self, quiet_mib: float | None) -> list[str]:
        """Return what the run should not have done, given the memory of a quiet run."""
        return [*self._problems_of_verdict(), *self._problems_of_costs(quiet_mib)]

    def _problems_of_verdict(self) -> Iterator[str]:
        if self.status is None:
            yield f"no end after {self.seconds:.0f} s"
        elif self.status not in WORDS:
            yield f"exit status {self.status}"
        elif self.status == INTERNAL_ERROR:
            yield "internal error"
        # A mode that no request met says nothing about the verdict.
        elif self.cell.is_hostile and self.hits and self.status == KEPT:
            yield "a broken server kept the contract"
        elif not self.cell.is_hostile and self.status == BROKEN:
            yield "a correct server broke the contract"
        if _TRACEBACK in self.output:
            yield "a traceback"
        if found := sorted(_CONTROLS & set(self.output)):
            codes = " ".join(f"U+{ord(one):04X}" for one in found)
            yield f"control characters in the output: {codes}"

    def _problems_of_costs(self, quiet_mib: float | None) -> Iterator[str]:
        if self.status is not None and self.seconds > TIMES * self.cell.promised:
            yield f"{self.seconds:.0f} s instead of {self.cell.promised} s"
        if self.mib is not None and quiet_mib is not None and self.mib > quiet_mib + MORE_MIB:
            yield f"{self.mib - quiet_mib:.0f} MiB more than a quiet run"


class Server:
    """A hostile server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until the server listens. Raises `RuntimeError` if it does not start."""
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(START):
            raise RuntimeError("the hostile server did not start")
        self.url = line.removeprefix(START).split()[0]
        self._process = process

    def stop(self) -> int:
        """Stop the server, and return the number of requests that its mode answered."""
        self._process.terminate()
        said, _ = self._process.communicate()
        return int(json.loads(said)["hits"])


@contextmanager
def running(mode: str, place: str) -> Iterator[Server]:
    """Run a hostile server for a block."""
    command = [sys.executable, "-m", "tests.hostile.server", mode, place]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


def run(cell: Cell, folder: Path, *, seed: int, contract: Sequence[str] = CONTRACT) -> Trial:
    """Run the contract tests on the server of a cell, with all files in ``folder``."""
    output = folder / "output.txt"
    with running(cell.mode, cell.place) as server:
        command = [*contract, server.url, "--api-key", API_KEY, *cell.options]
        command += ["--seed", str(seed), "--reports", str(folder / "reports")]
        begun = time.monotonic()
        status, mib = _measured(command, output, begun + _STOPPED_AFTER * cell.promised)
        seconds = time.monotonic() - begun
        hits = server.stop()
    # `splitlines` and a universal newline would hide a CR.
    said = output.read_bytes().decode("utf-8", errors="backslashreplace")
    return Trial(cell, status, seconds, mib, said, hits)


def _measured(
    command: Sequence[str], output: Path, deadline: float
) -> tuple[int | None, float | None]:
    """Run a command, and return its exit status and the greatest memory seen.

    The status is None if the command was stopped at ``deadline``.
    """
    greatest = 0.0
    environment = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    with (
        output.open("wb") as said,
        subprocess.Popen(
            command,
            # Files that one run leaves behind must not affect another.
            cwd=output.parent,
            env={**environment, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            # The session tells its processes from others, and stops them together.
            start_new_session=True,
        ) as process,
    ):
        try:
            while time.monotonic() < deadline:
                greatest = max(greatest, peak_mib(process.pid) if measurable() else 0)
                try:
                    return process.wait(_TICK_SECONDS), greatest or None
                except subprocess.TimeoutExpired:
                    continue
            return None, greatest or None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
