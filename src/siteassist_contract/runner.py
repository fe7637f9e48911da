"""Runs schemathesis on a target and says in words what came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siteassist_contract import configuration, secrets
from siteassist_contract.outcome import ExitStatus
from siteassist_contract.preflight import Target

PATIENCE = 10.0
"""How long, in seconds, a run may take to stop when it is interrupted."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a run."""

    status: ExitStatus
    text: str
    """One line that says it in words."""


def run(target: Target, choices: configuration.Choices) -> Verdict:
    """Run every phase; progress and breaks are printed as they come."""
    summary = choices.reports / "summary.json"
    summary.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="siteassist-contract-") as name:
        configuration.write(Path(name), target, choices)
        command = [sys.executable, "-m", "siteassist_contract.engine", name]
        environment = {
            **os.environ,
            # What the hooks have to keep out of the reports.
            secrets.API_KEY: target.api_key or "",
            secrets.TOKEN: target.token or "",
            # Hypothesis keeps a cache, by default in the folder that it is run in.
            "HYPOTHESIS_STORAGE_DIRECTORY": name,
        }
        code = _run(command, environment)
    return verdict(code, _read(summary))


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run ``command`` to its end and return its status; an interruption ends it first."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603  # ours
        try:
            return process.wait()
        except KeyboardInterrupt:
            # From a terminal it has had the signal already; a second one does no harm.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            return ExitStatus.INTERRUPTED


def verdict(code: int, summary: dict[str, Any] | None) -> Verdict:
    """Judge a run by schemathesis's exit code and summary (absent if it wrote none)."""
    if code == ExitStatus.INTERRUPTED or code < 0:
        return Verdict(ExitStatus.INTERRUPTED, "The tests were interrupted; there is no verdict.")
    if summary is None:
        return Verdict(ExitStatus.NOT_RUN, "The tests did not run; the lines above say why.")
    cases = summary["test_cases"]
    breaks = cases["unique_failures"]
    asked = f"{cases['generated']} requests, {summary['operations']['tested']} operations"
    if breaks:
        noun = "way" if breaks == 1 else "ways"
        return Verdict(
            ExitStatus.BROKEN, f"The server breaks the contract in {breaks} {noun} ({asked})."
        )
    problems = ", ".join(f"{error['title']} ({error['count']})" for error in summary["errors"])
    if code or problems or not summary["complete"]:
        reason = problems or "the lines above say why"
        return Verdict(
            ExitStatus.NOT_RUN, f"The tests did not run to their end: {reason} ({asked})."
        )
    return Verdict(ExitStatus.KEPT, f"The server keeps the contract ({asked}).")


def _read(summary: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    # Without operations, schemathesis did not get as far as testing any.
    return document if document.get("operations") else None
