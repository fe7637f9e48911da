"""The order of findings, and the facts that relate one to another."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from siteassist_contract.findings import Violation
from siteassist_contract.report import impact, junit, ordering, page, summary
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
FAILS = violation("search", "no-server-error", place="q", seconds=5.0, exchange="one")
BOUNDS = violation("search", "bounds", place="size", seconds=4.0, exchange="one")


def found(*violations: Violation) -> list[tuple[str, int | None]]:
    """Return the rule of each finding and the number of the one that it is related to."""
    shown = ordering.findings(violations)
    assert list(range(1, len(shown) + 1)) == [each.number for each in shown]
    return [(each.first.rule, each.related) for each in shown]


def test_a_request_in_common_relates_two_findings() -> None:
    """The more basic rule is the independent one, whichever was found first."""
    assert [("no-server-error", None), ("bounds", 1)] == found(BOUNDS, FAILS)
    assert "shares a request with" == ordering.findings([BOUNDS, FAILS])[1].relation
    described = violation("search", "described", seconds=6.0, exchange="one")
    expected = [("no-server-error", None), ("described", 1), ("bounds", 1)]
    assert expected == found(BOUNDS, FAILS, described)


def test_other_requests_of_one_operation_are_independent() -> None:
    """An operation may have several faults."""
    other = violation("search", "bounds", exchange="two")
    assert [("no-server-error", None), ("bounds", None)] == found(other, FAILS)
    unknown = violation("search", "bounds")
    without = violation("search", "no-server-error")
    assert [("no-server-error", None), ("bounds", None)] == found(unknown, without)


def test_finding_with_a_violation_of_its_own_is_independent() -> None:
    """Only one of its requests is that of the other finding."""
    other = violation("search", "bounds", place="from", exchange="two")
    assert [("no-server-error", None), ("bounds", None)] == found(BOUNDS, other, FAILS)


def test_same_rule_of_several_operations_is_independent() -> None:
    """Each operation may violate a rule for a reason of its own."""
    others = [violation(name, "described") for name in ("init", "startConversation", "search")]
    assert 3 * [("described", None)] == found(*others)


def test_earlier_request_that_succeeds_relates_nothing() -> None:
    """A violation by an operation does not explain those of later requests."""
    described = violation("startConversation", "described", seconds=1.0)
    assert [("closes", None), ("described", None), ("read-back", None)] == sorted(
        found(READ, CLOSES, described)
    )


@pytest.mark.parametrize("rule", ["no-server-error", "answered"])
def test_earlier_request_that_fails_relates_later_ones(rule: str) -> None:
    """A request that delivers nothing may be why a later one is not as expected."""
    fails = violation("closeConversation", rule, seconds=9.0)
    read = violation("getConversation", "read-back", failed=("closeConversation",))
    assert [(rule, None), ("read-back", 1)] == found(read, fails)
    assert "contains a request that fails as in" == ordering.findings([read, fails])[1].relation


@pytest.mark.parametrize("rule", sorted(impact.ACCESS_RULES))
def test_findings_on_access_are_independent_and_first(rule: str) -> None:
    """They are never below others, whatever request they share."""
    (operation, *_) = RULES[rule].operations or ["getMe"]
    access = violation(operation, rule, exchange="one", failed=("init",), seconds=8.0)
    described = violation(operation, "described", exchange="one", seconds=1.0)
    fails = violation("init", "no-server-error", exchange="one", seconds=1.0)
    assert (rule, None) == found(described, fails, access)[0]


def test_most_severe_findings_come_first() -> None:
    """Access comes before lost data, and lost data before the rest."""
    texts = violation("sendMessage", "texts-kept", seconds=2.0)
    order = violation("getConversations", "list-order", seconds=1.0)
    key = violation("search", "key-checked", seconds=3.0)
    expected = [("key-checked", None), ("texts-kept", None), ("list-order", None)]
    assert expected == found(order, texts, key)


def test_refusal_with_another_status_is_less_severe() -> None:
    """A 404 for the demanded 401 gives nobody access, unlike a 200 at another place."""
    refused = violation("search", "key-checked", answer="404 application/json\n{}")
    texts = violation("sendMessage", "texts-kept", seconds=3.0)
    assert [("texts-kept", None), ("key-checked", None)] == found(refused, texts)
    accepted = violation("search", "key-checked", place="other", seconds=9.0)
    assert [("key-checked", None), ("texts-kept", None)] == found(refused, texts, accepted)


def test_severities_are_those_of_rules() -> None:
    """Each name is a rule, and in one class only."""
    assert set(RULES) > impact.ACCESS_RULES | impact.LOSS_RULES
    assert not impact.ACCESS_RULES & impact.LOSS_RULES
    assert impact.ACCESS_RULES > impact.REFUSALS


def test_accepted_violations_come_last_and_relate_nothing() -> None:
    """A violation in the baseline has no relation to a new one, and the other way round."""
    known = violation("search", "no-server-error", known=True, exchange="one")
    assert [("bounds", None), ("no-server-error", None)] == found(known, BOUNDS)


def test_each_report_names_the_related_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page, the terminal, JUnit and the summary have its number."""
    whole = report(BOUNDS, FAILS)
    source = page.render(whole)
    assert 'It shares a request with <a href="#finding-1">finding 1</a>' in source
    Terminal().end(whole)
    assert "  related:  shares a request with finding 1\n" in (shown := capsys.readouterr().out)
    junit.write(whole, tmp_path / "junit.xml")
    texts = [each.text or "" for each in ET.parse(tmp_path / "junit.xml").iter("failure")]
    assert 1 == sum("It shares a request with finding 1." in text for text in texts)
    for claim in ("likely", "consequence", "disappear"):
        assert claim not in source + shown + "".join(texts)
    document = json.loads(json.dumps(summary.document(whole)))
    assert 2 == document["findings"]
    by_key = {each["key"]: each for each in document["violations"]}
    assert (2, 1) == tuple(by_key[BOUNDS.key][name] for name in ("finding", "related_finding"))
    assert (1, None) == tuple(by_key[FAILS.key][name] for name in ("finding", "related_finding"))


def test_each_rule_has_an_impact() -> None:
    """The page says of each rule why it matters, in a sentence."""
    assert set(RULES) == set(IMPACT)
    assert all(text[0].isupper() and text.endswith(".") for text in IMPACT.values())
    assert IMPACT["closes"] in page.render(report(CLOSES))
