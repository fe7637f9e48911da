"""The rows of what was tested, with a reason for each that was not."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_contract.description import all_operations, operations
from siteassist_contract.findings import Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.redaction import Filter
from siteassist_contract.report.tested_rules import Row, gaps, rows
from siteassist_contract.rules import GAPS, HUMAN, KEY, RULES, SLOW_STREAM, TWO_VISITORS

WITH_KEY = Target("http://127.0.0.1/v2", api_key="pk_1")
WITH_TOKEN = Target("http://127.0.0.1/v2", token="t")
WITH_TOKENS = Target("http://127.0.0.1/v2", token="t", second_token="u")
UNREACHED = "was not reached in this run"
CONVERSATION = "123e4567-e89b-12d3-a456-426614174000"


def findings() -> Findings:
    """Create the findings of a run that has done nothing yet."""
    return Findings(secrets=Filter(), render=lambda _: ("", ""))


def row(operation: str, what: str, found: Findings | None = None, **options: Any) -> Row:
    """Return the row of an operation and a status or a rule."""
    target = options.pop("target", WITH_KEY)
    human = options.pop("human", None)
    every = rows(found or findings(), target, human, **options)
    (one,) = [each for each in every if (each.operation, each.what) == (operation, what)]
    return one


def test_rows_are_complete() -> None:
    """Each documented status of each operation has a row, and so has each applicable rule."""
    every = rows(findings(), WITH_KEY, None)
    statuses = {(each.operation, each.what) for each in every if each.kind == "status"}
    rules = {(each.operation, each.what) for each in every if each.kind == "rule"}
    assert {(n, str(s)) for n, each in all_operations().items() for s in each.responses} == statuses
    assert {(n, rule) for rule, each in RULES.items() for n in each.operations} == rules
    assert len(every) == len(statuses) + len(rules)


@pytest.mark.parametrize("target", [WITH_KEY, WITH_TOKEN])
@pytest.mark.parametrize("human", [None, CONVERSATION])
def test_each_untested_row_has_a_reason(target: Target, human: str | None) -> None:
    """Every combination of credentials and conversation gives each row a reason."""
    every = rows(findings(), target, human)
    assert [] == [each for each in every if not each.reason]
    assert {0} == {each.count for each in every}


def test_tested_row_has_no_reason() -> None:
    """A count replaces the reason, even if a test was prevented or left out."""
    found = findings()
    found.answered["getMe", 200] = 3
    found.tested["me", "getMe"] = 2
    found.prevent("me", "getMe", "no reason any more")
    assert Row("getMe", "status", "200", 3, "") == row("getMe", "200", found, left_out="x")
    assert Row("getMe", "rule", "me", 2, "") == row("getMe", "me", found, left_out="x")


@pytest.mark.parametrize(
    "status", sorted({s for o in all_operations().values() for s in o.responses})
)
def test_unseen_status_has_a_specific_reason(status: int) -> None:
    """Each status but 200, which every run should see, has a reason of its own."""
    operation = next(name for name, each in all_operations().items() if status in each.responses)
    reason = row(operation, str(status)).reason
    assert (status == 200) == (reason == UNREACHED)


@pytest.mark.parametrize(
    ("operation", "status", "target", "reason"),
    [
        ("init", "200", WITH_TOKEN, GAPS[KEY]),
        ("init", "201", WITH_TOKEN, GAPS[KEY]),
        ("sendMessage", "202", WITH_TOKEN, GAPS[HUMAN]),
        ("sendMessage", "202", WITH_KEY, GAPS[HUMAN]),
    ],
)
def test_unreachable_success_has_a_reason(
    operation: str, status: str, target: Target, reason: str
) -> None:
    """Some operations cannot succeed without a publishable key or a human agent."""
    assert reason == row(operation, status, target=target).reason


@pytest.mark.parametrize(
    ("rule", "operation"), [("isolation", "getMessages"), ("own-list", "getConversations")]
)
def test_rule_on_two_visitors_needs_a_second_one(rule: str, operation: str) -> None:
    """With one token the reason is the second visitor, with a key or two it is the run's end."""
    assert GAPS[TWO_VISITORS] == row(operation, rule, target=WITH_TOKEN).reason
    assert UNREACHED == row(operation, rule).reason
    assert UNREACHED == row(operation, rule, target=WITH_TOKENS).reason


@pytest.mark.parametrize("target", [WITH_KEY, WITH_TOKEN])
def test_rule_on_human_agents_needs_a_conversation(target: Target) -> None:
    """The rule needs the id of a conversation that a human agent handles."""
    assert GAPS[HUMAN] == row("sendMessage", "queued", target=target).reason
    assert UNREACHED == row("sendMessage", "queued", target=target, human=CONVERSATION).reason


@pytest.mark.parametrize(
    "operation", [name for name, each in operations().items() if not each.needs_token]
)
def test_operations_without_a_token_need_a_key(operation: str) -> None:
    """An operation without a token is untested without a key."""
    assert GAPS[KEY] == row(operation, "described", target=WITH_TOKEN).reason
    assert UNREACHED == row(operation, "described").reason
    assert UNREACHED == row("getMe", "described", target=WITH_TOKEN).reason


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (SLOW_STREAM, GAPS[SLOW_STREAM]),
        (TWO_VISITORS, GAPS[TWO_VISITORS]),
        ("the server has no Q&A", "the server has no Q&A"),
    ],
)
def test_recorded_reason_takes_precedence(recorded: str, reason: str) -> None:
    """The reason that a check recorded precedes others, as a known gap or verbatim."""
    found = findings()
    found.prevent("stream-incremental", "sendMessage", recorded)
    assert reason == row("sendMessage", "stream-incremental", found, left_out="time").reason


def test_run_that_ended_early_gives_the_reason() -> None:
    """The run's reason applies to rules without a more specific one."""
    assert "the time ran out" == row("getMe", "me", left_out="the time ran out").reason
    queued = row("sendMessage", "queued", left_out="the time ran out")
    assert GAPS[HUMAN] == queued.reason


def test_gaps_are_counted_by_reason() -> None:
    """Tested rows are not gaps."""
    every = [
        Row("a", "rule", "x", 0, "why"),
        Row("b", "rule", "x", 0, "why"),
        Row("b", "status", "200", 0, "because"),
        Row("c", "rule", "x", 1, ""),
    ]
    assert {"why": 2, "because": 1} == gaps(every)
    assert "why" == gaps(every).most_common()[0][0]
