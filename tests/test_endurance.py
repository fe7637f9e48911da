"""Tests for the command that runs the contract tests on the mock for long."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from tests import endurance

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("prefer", "verdict", "kills", "status"),
    [
        ("code=200", 0, 0, 0),
        ("code=503", 0, 0, 1),
        ("code=200", 1, 0, 1),
        ("code=200", 0, 1, 1),
    ],
)
def test_a_run_fails_for_each_reason(
    monkeypatch: pytest.MonkeyPatch, prefer: str, verdict: int, kills: int, status: int
) -> None:
    """A 5xx, a verdict other than kept and a failed kill end with status 1; runs are repeated."""
    seeds: list[str] = []

    def contract(url: str, *options: str) -> subprocess.CompletedProcess[str]:
        seeds.append(options[-1])
        for _ in range(2):
            httpx.get(f"{url}/identity/me", headers={"Prefer": prefer})
        return subprocess.CompletedProcess([], verdict, "The verdict.\n", "")

    monkeypatch.setattr(endurance, "contract", contract)
    monkeypatch.setattr(endurance, "kill", lambda rounds: rounds)
    options = ["--requests", "3", "--kills", str(kills), "--database", "sqlite"]
    done = CliRunner().invoke(endurance.main, options)
    assert (status, ["1", "2"]) == (done.exit_code, seeds)
    errors = 4 if prefer == "code=503" else 0
    assert "sqlite, seed 2: The verdict." in done.output
    assert f"sqlite: 4 requests, {errors} with a 5xx" in done.output


def test_other_lines_of_a_log_do_not_count(tmp_path: Path) -> None:
    """Only lines of requests count."""
    log = tmp_path / "log"
    log.write_text("12:00:01 GET /v2/search 200 1.3ms search\nsiteassist-mock: 500 1.3ms a b\n\n")
    assert {"200": 1} == endurance.logged(log)
