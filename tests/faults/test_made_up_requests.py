"""The made-up requests alone find the faults that a single exchange shows.

With the suite's own checks, schemathesis finds each fault of a server that has
several, as long as the faults do not hide each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from siteassist_contract.findings import SHAPES, Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import Profile
from siteassist_contract.run import Options, Run
from siteassist_mock.testing import serving
from tests.faults.catalogue import MUTANTS
from tests.faults.faulty import Server, operations
from tests.values import API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

TOGETHER: dict[str, tuple[int, dict[str, str]]] = {
    "bodies": (
        5,
        {
            "conversation-in-snake-case": "getConversation described 200",
            "total-as-text": "getConversations described 200",
            "size-51-taken": "search bounds",
            "no-token-me": "getMe token-required",
            "delta-named-text": "sendMessage described 200",
        },
    ),
    "requests": (
        5,
        {
            "error-in-html": "getConversation described 404",
            "limit-101-taken": "getConversations bounds",
            "content-one-too-long-taken": "sendMessage bounds",
            "no-done": "sendMessage stream-end",
            "error-empty": "getMe described 401",
            "read-foreign": "getConversation isolation",
        },
    ),
    "answers that do not fit": (
        60,
        {
            "null-page-context-refused": "sendMessage accepted",
            "message-role-unknown": "getMessages described 200",
            "json-though-stream": "sendMessage stream-end",
            "status-ignored": "getConversations fits-request",
            "feedback-answer-always-null": "sendMessageFeedback fits-request",
        },
    ),
    "statuses": (5, {"start-200": "startConversation described 200"}),
    "order": (
        30,
        {
            "messages-newest-first": "getMessages fits-request",
            "emoji-500": "sendMessage no-server-error",
        },
    ),
}
"""Faults on one server, and the number of examples that shows all of them."""


def found(monkeypatch: pytest.MonkeyPatch, names: Iterable[str], examples: int) -> Findings:
    """Run the made-up requests, and nothing else, on the mock with these faults."""
    server = Server()
    for name in names:
        MUTANTS[name].build(server)
    with serving(server.app()) as url:
        profile = Profile("shapes", "", examples, 0, 0, 0, limit=300)
        run = Run(Target(url, API_KEY), Options(profile, seed=1))
        # One layer of a run, which has no option for that.
        monkeypatch.setattr(run, "_layers", lambda: run._layer(SHAPES, lambda: run._shapes(0)))
        outcome = run.run()
    assert not outcome.problem
    return outcome.findings


@pytest.mark.suite
@pytest.mark.parametrize("group", TOGETHER)
def test_made_up_requests_find_faults(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is reported with what came, and with the commands that show it."""
    examples, expected = TOGETHER[group]
    violations = found(monkeypatch, expected, examples).violations
    assert set() == set(expected.values()) - set(violations), violations.keys()
    for key in expected.values():
        assert SHAPES == violations[key].layer
        assert violations[key].expected
        assert re.match(r"\d{3}: \S", violations[key].actual)
        assert "curl " in violations[key].commands


@pytest.mark.suite
def test_nothing_is_found_in_the_mock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every operation is tried, and none breaks a rule."""
    findings = found(monkeypatch, (), 5)
    assert {} == {key: each.actual for key, each in findings.violations.items()}
    tried = {name for layer, name in findings.requests if layer == SHAPES}
    assert set(operations()) == tried
