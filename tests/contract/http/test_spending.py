"""The answers of the assistant: they are counted, and never more than allowed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests

from siteassist_contract import run
from siteassist_contract.checks.generated import adapter
from siteassist_contract.description import operations
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.http.spending import Spending
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report import tested_rules
from siteassist_contract.rules import GAPS, LIMIT
from siteassist_contract.run import Options, Run
from tests.contract.conftest import BASE
from tests.values import API_KEY

if TYPE_CHECKING:
    import httpx

    from tests.contract.conftest import Forward, MakeMock

CHAT, SEND = "createChatCompletion", "sendMessage"
VALID = b'{"content": "Hello"}'


@pytest.mark.parametrize(
    ("operation", "body", "withheld"),
    [
        (SEND, VALID, True),
        (SEND, b'{"content": ""}', False),
        (SEND, b"{", False),
        (CHAT, b'{"messages": [{"role": "user", "content": "Hello"}]}', True),
        (CHAT, b"", False),
        ("startConversation", b"", False),
        ("", b"", False),
    ],
)
def test_only_requests_that_may_cost_are_withheld(
    operation: str, body: bytes, withheld: bool
) -> None:
    """Invalid requests, and those that the assistant does not answer, are always sent."""
    spending = Spending(limit=1)
    with spending.allowed(operation, body) as allowed:
        assert allowed
    spending.count(SEND, 200)
    with spending.allowed(operation, body) as allowed:
        assert withheld is not allowed
    assert withheld == spending.withheld
    with Spending().allowed(operation, body) as allowed:
        assert allowed


def test_requests_at_the_same_time_stay_within_the_limit() -> None:
    """The answer of a request is reserved until it is counted."""
    spending = Spending(limit=1)
    with spending.allowed(SEND, VALID) as first, spending.allowed(SEND, VALID) as second:
        assert (True, False) == (first, second)
    with spending.allowed(SEND, VALID) as third:
        assert third
    assert (1, {}) == (spending.withheld, spending.answers)


def test_answers_are_counted_by_operation() -> None:
    """A refusal costs nothing; a failure, or an answer that was lost, may have cost something."""
    spending = Spending(limit=5)
    for operation, status in (
        (SEND, 200),
        (SEND, 422),
        (SEND, 503),
        (CHAT, 0),
        ("getMe", 200),
    ):
        spending.count(operation, status)
    assert {SEND: 2, CHAT: 1} == spending.answers
    assert 2 == spending.left
    words = "3 answers of the assistant (1 of createChatCompletion, 2 of sendMessage)"
    assert f"{words}, at most 5 allowed" == spending.words
    assert ({SEND: 2, CHAT: 1}, 0) == spending.take()
    assert (2, {}) == (spending.left, spending.answers)
    spending = Spending(limit=0, withheld=2)
    words = "0 answers of the assistant, at most 0 allowed; 2 requests were not sent because of"
    assert f"{words} the limit" == spending.words


@pytest.mark.sweep(1)
@pytest.mark.usefixtures("without_shapes")
@pytest.mark.parametrize("most", [0, 7])
@pytest.mark.one_interpreter
def test_run_stays_within_the_limit(
    most: int, make_mock: MakeMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run sends no more, and its gaps are excused with the limit."""
    answered: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        costs = request.url.path.endswith(("/messages", "/completions"))
        if request.method == "POST" and costs and answer.is_success:
            answered.append(request.url.path)
        return answer

    monkeypatch.setattr(run, "Recorder", partial(Recorder, transport=make_mock(fault)))
    profile = replace(PROFILES["quick"], seconds=0, limit=3600)
    target = Target(BASE, API_KEY)
    outcome = Run(target, Options(profile, 1, max_messages=most)).run()
    assert most == len(answered) == outcome.spending.answers.total()
    assert outcome.spending.withheld
    assert {} == {key: each.actual for key, each in outcome.findings.violations.items()}
    assert (None, "", {}) == (outcome.error, outcome.problem, outcome.unfinished)
    rows = tested_rules.rows(outcome.findings, target, None, outcome.left_out)
    gaps = tested_rules.untested(rows)
    assert [] == [gap for gap in gaps if not gap.excused]
    assert GAPS[LIMIT] in {gap.reason for gap in gaps}
    assert 402 not in {status for _, status in outcome.findings.answered}


def test_generated_requests_stay_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transport of generated requests refuses those that would cost too much."""
    monkeypatch.setattr(adapter, "spending", Spending(limit=0))
    way = {"headers": {}, "verify": True, "proxies": {}, "base_path": "/v2"}
    url = f"http://127.0.0.1:1/v2{operations()[CHAT].path}"
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    request = requests.Request("POST", url, json=body).prepare()
    answer = adapter.NetworkAdapter(way).send(request)
    assert (402, "The limit of --max-messages was reached") == (
        answer.status_code,
        answer.json()["error"]["message"],
    )
    assert adapter.HEADER_OF_WITHHELD in answer.headers
    assert ({}, 1) == adapter.spending.take()
