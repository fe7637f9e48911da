"""Reports for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from siteassist_contract.findings import BEHAVIOUR, ERRORS, Findings, Violation
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report.summary import Report
from siteassist_contract.report.tested_rules import rows
from siteassist_contract.rules import RULES
from siteassist_contract.run import Outcome
from siteassist_contract.verdict import ExitStatus, Verdict
from tests.values import API_KEY as KEY

BASE = "http://127.0.0.1:8787/v2"


def violation(operation: str = "getMe", rule: str = "me", **rest: Any) -> Violation:
    """Create a violation."""
    values = {
        "layer": BEHAVIOUR,
        "rule": rule,
        "operation": operation,
        "words": RULES[rule].words,
        "document": RULES[rule].document,
        "expected": "this",
        "actual": "that",
        "commands": "curl -sS x",
        "snippet": "import os",
        "answer": "200 application/json\n{}",
        "requests": 1,
        "seconds": 2.345,
    }
    return Violation(**{**values, **rest})


def report(
    *violations: Violation,
    status: ExitStatus | None = None,
    line: str = "The server keeps the contract.",
    allowed: bool = False,
    **rest: Any,
) -> Report:
    """Create the report of a run that tested one rule and found ``violations``."""
    findings = Findings(secrets=Filter([KEY]), render=lambda _: ("", ""))
    findings.violations = {each.key: each for each in violations}
    for each in violations:
        findings.tested[each.rule, each.operation] += 1
    findings.tested["me", "getMe"] += 1
    findings.answered["getMe", 200] = 3
    findings.requests[ERRORS, "getMe"] = 4
    findings.requests[BEHAVIOUR, "getMe"] = 5
    if status is None:
        status = ExitStatus.BROKEN if findings.unknown else ExitStatus.KEPT
    parts = {"notes", "problem", "planned", "unfinished", "error", "advice"} & set(rest)
    outcome = Outcome(findings, requests=9, **{name: rest.pop(name) for name in parts})
    values: dict[str, Any] = {
        "base_url": BASE,
        "profile": PROFILES["quick"],
        "seed": 7,
        "repeat": "siteassist-contract --seed 7",
        "variables": ["SITEASSIST_API_KEY"],
        "started": datetime(2030, 1, 31, 12, 30, 15, tzinfo=UTC),
        "versions": {"siteassist": "1.2.3", "Python": "3.14.0"},
        "time_limit": 24.0,
        "outcome": outcome,
        "verdict": Verdict(status, line, allowed),
        "rows": rows(findings, Target(BASE, api_key=KEY), None),
        "seconds": 12.3456,
    }
    return Report(**{**values, **rest})


KNOWN = violation("search", "bounds", place="known", known=True, seconds=1.0)
BROKEN = violation(actual="that other thing")
ELSEWHERE = violation("getQnas", "bounds", place="limit", layer=ERRORS, seconds=1.5)
