"""One run of the contract tests with an error of their own, and what is wrong with its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.internal_errors.hook.sitecustomize import VARIABLE
from tests.values import API_KEY, ROOT

COMMAND = "siteassist_contract"
"""The module of the command, as the name of its process."""
ERRORS = (
    "AttributeError",
    "KeyError",
    "RecursionError",
    "UnicodeEncodeError",
    "ZeroDivisionError",
)
"""The exceptions: those that code of ours catches somewhere, and one that nothing expects."""

_HOOK = Path(__file__).with_name("hook")
_REPORTS = ("html/index.html", "junit.xml", "summary.json")
_INTERNAL_ERROR = 3
_LONGEST = 120.0
"""Seconds after which a run is stopped."""
_OTHERS = {"SITEASSIST_API_KEY", "SITEASSIST_BASE_URL", "SITEASSIST_TOKEN"}


@dataclass(frozen=True, order=True)
class Place:
    """A function, in one of the processes of a run."""

    process: str
    """The module that ``python -m`` runs."""
    function: str
    """The module and the qualified name, with a colon between them."""

    def __str__(self) -> str:
        """Return the name that selects the place."""
        process = "command" if self.process == COMMAND else self.process.rpartition(".")[2]
        return f"{process}/{self.function}"


@dataclass(frozen=True)
class Run:
    """A run, and what it left behind."""

    status: int | None
    """The exit status; None if the run had to be stopped."""
    output: str
    seconds: float
    reports: dict[str, str]
    """The text of each report that was written."""
    record: list[dict[str, Any]]
    """What the hook wrote."""


@dataclass(frozen=True)
class Trial:
    """The outcome of a run with an error in one place."""

    place: Place
    error: str
    run: Run

    @property
    def reached(self) -> bool:
        """Whether the run entered the function."""
        return bool(self.run.record)

    @property
    def last_line(self) -> str:
        """The last line of the output."""
        lines = self.run.output.strip().splitlines()
        return lines[-1] if lines else ""

    def problems(self) -> list[str]:
        """Return what a run with an error of its own must not do."""
        if self.reached:
            return list(self._problems())
        return [] if self.run.status == 0 else [f"not reached, and exit status {self.run.status}"]

    def _problems(self) -> Iterator[str]:
        # In front of the error, schemathesis may name the operation.
        words = "Internal error: "
        if self.run.status != _INTERNAL_ERROR:
            yield f"exit status {self.run.status}"
        if not self.last_line.startswith(words) or "injected" not in self.last_line:
            yield "the last line does not name the error"
        if "Traceback" in self.run.output:
            yield "a traceback"
        for name in _REPORTS:
            text = self.run.reports.get(name)
            if text is None:
                yield f"no {name}"
            elif words not in text or "injected" not in text:
                yield f"{name} does not name the error"
        if json.loads(self.run.reports.get("summary.json", "{}")).get("violations"):
            yield "a violation"


def run(url: str, folder: Path, settings: dict[str, Any], *, seed: int) -> Run:
    """Run the contract tests with the hook, and with all files in ``folder``."""
    record, reports = folder / "record.jsonl", folder / "reports"
    (folder / "settings.json").write_text(json.dumps({**settings, "record": str(record)}))
    paths = [str(_HOOK), str(ROOT / "src"), str(ROOT / "generated")]
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _OTHERS},
        VARIABLE: str(folder / "settings.json"),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
    }
    command = [sys.executable, "-m", COMMAND, url, "--api-key", API_KEY, "--profile", "quick"]
    command += ["--time", "40s", "--examples", "1", "--seed", str(seed)]
    begun = time.monotonic()
    status: int | None
    try:
        done = subprocess.run(
            [*command, "--reports", str(reports)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST,
            check=False,
        )
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        status, output = None, error.stdout or b""
    return Run(
        status,
        output.decode(errors="backslashreplace"),
        time.monotonic() - begun,
        {name: (reports / name).read_text() for name in _REPORTS if (reports / name).exists()},
        _lines(record),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def attempt(url: str, folder: Path, place: Place, error: str, *, seed: int) -> Trial:
    """Run the contract tests with ``error`` at the first call of a function."""
    settings = {"target": [place.process, place.function], "error": error}
    return Trial(place, error, run(url, folder, settings, seed=seed))
