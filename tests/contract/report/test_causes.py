"""The order of findings, and which of them likely follow from others."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from siteassist_contract.findings import Violation
from siteassist_contract.report import causes, junit, page, summary
from siteassist_contract.report.impact import IMPACT
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.rules import RULES
from tests.contract.report.sample_reports import report, violation

CLOSES = violation("closeConversation", "closes", seconds=3.0)
READ = violation(
    "getConversation",
    "read-back",
    steps=("startConversation", "closeConversation", "getConversation"),
    seconds=2.0,
)
FAILS = violation("search", "no-server-error", place="q", seconds=5.0)
BOUNDS = violation("search", "bounds", place="size", seconds=4.0)


def found(*violations: Violation) -> list[tuple[str, int | None]]:
    """Return the rule of each finding and the number of its likely cause."""
    shown = causes.findings(violations)
    assert list(range(1, len(shown) + 1)) == [each.number for each in shown]
    return [(each.first.rule, each.cause) for each in shown]


def test_later_request_shows_the_effect_of_an_earlier_one() -> None:
    """A violation whose reproduction contains a request without its effect is a consequence."""
    assert [("closes", None), ("read-back", 1)] == found(READ, CLOSES)
    (_, last) = causes.findings([READ, CLOSES])
    assert "its reproduction contains closeConversation" == last.why
    alone = violation("getConversation", "read-back", steps=("getConversation",))
    assert [("read-back", None), ("closes", None)] == found(alone, CLOSES)


def test_answer_that_fails_explains_others_of_its_operation() -> None:
    """A server error on a request explains what its answer should have shown."""
    assert [("no-server-error", None), ("bounds", 1)] == found(BOUNDS, FAILS)
    described = violation("search", "described", seconds=6.0)
    expected = [("no-server-error", None), ("bounds", 1), ("described", 1)]
    assert expected == found(BOUNDS, FAILS, described)


def test_same_rule_of_several_operations_is_one_cause() -> None:
    """The first violation of a rule likely has the same cause as those of other operations."""
    others = [violation(name, "error-body") for name in ("getMe", "search", "getQnas")]
    assert [("error-body", None), ("error-body", 1), ("error-body", 1)] == found(*others)


def test_rule_without_effects_explains_nothing() -> None:
    """A missing header for browsers does not change stored data."""
    preflight = violation("closeConversation", "preflight")
    assert [("read-back", None), ("preflight", None)] == found(READ, preflight)


def test_accepted_violations_come_last_and_explain_nothing() -> None:
    """A violation in the baseline is no cause of a new one, and the other way round."""
    known = violation("closeConversation", "closes", known=True)
    assert [("read-back", None), ("closes", None)] == found(known, READ)


def test_causes_form_no_circle() -> None:
    """Of two findings that could explain each other, one is independent."""
    one = violation("sendMessage", "stored-message", steps=("closeConversation", "sendMessage"))
    other = violation("closeConversation", "closes", steps=("sendMessage", "closeConversation"))
    assert [None, 1] == [cause for _, cause in found(one, other)]


def test_each_report_marks_likely_consequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page, the terminal, JUnit and the summary name the likely cause."""
    whole = report(READ, CLOSES)
    source = page.render(whole)
    assert 'likely a consequence of <a href="#finding-1">finding 1</a>' in source
    Terminal().end(whole)
    assert "likely:   a consequence of finding 1: its reproduction" in capsys.readouterr().out
    junit.write(whole, tmp_path / "junit.xml")
    texts = [each.text or "" for each in ET.parse(tmp_path / "junit.xml").iter("failure")]
    assert 1 == sum("Likely a consequence of finding 1" in text for text in texts)
    by_key = {each["key"]: each for each in summary.document(whole)["violations"]}
    assert CLOSES.key == by_key[READ.key]["likely_cause"]
    assert by_key[CLOSES.key]["likely_cause"] is None
    assert json.loads(json.dumps(by_key[READ.key]))["steps"] == list(READ.steps)


def test_each_rule_has_an_impact() -> None:
    """The page says of each rule why it matters, in a sentence."""
    assert set(RULES) == set(IMPACT)
    assert all(text[0].isupper() and text.endswith(".") for text in IMPACT.values())
    assert IMPACT["closes"] in page.render(report(CLOSES))
