"""The made-up requests alone find the faults that show in a single exchange.

Each server has several faults that do not mask one another. Schemathesis, with the checks
of the suite, must find all of them.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from siteassist_contract.checks.generated.layer import Shapes
from siteassist_contract.findings import SHAPES, Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES, Profile
from siteassist_contract.run import Options, Run
from siteassist_contract.selection import Selection
from siteassist_mock.testing import serving
from tests.faults.catalogue import MUTANTS
from tests.faults.faulty import Server, operations
from tests.values import API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

TOGETHER: dict[str, tuple[int, int, dict[str, str]]] = {
    "single responses": (
        1,
        5,
        {
            "conversation-in-snake-case": "getConversation described 200",
            "total-as-text": "getConversations described 200",
            "size-51-taken": "search bounds",
            "no-token-me": "getMe token-required",
            "delta-named-text": "sendMessage described 200",
            "error-in-html": "getConversation described 404",
            "limit-101-taken": "getConversations bounds",
            "content-one-too-long-taken": "sendMessage bounds",
            "no-done": "sendMessage stream-end",
            "read-foreign": "getConversation isolation",
        },
    ),
    "inconsistent responses": (
        4,
        40,
        {
            "null-page-context-refused": "sendMessage accepted",
            "status-ignored": "getConversations fits-request",
            "feedback-answer-always-null": "sendMessageFeedback fits-request",
            "messages-newest-first": "getMessages fits-request",
            "emoji-500": "sendMessage no-server-error",
        },
    ),
    "statuses": (
        1,
        15,
        {
            "json-though-stream": "sendMessage stream-end",
            "start-200": "startConversation described 200",
            "error-empty": "getMe described 401",
            # With it, no answer of getMessages can be compared with its request.
            "message-role-unknown": "getMessages described 200",
        },
    ),
}
"""Groups of faults on one server, each with a seed and the number of examples that find all."""

MAKERS = ("startConversation", "sendMessage")
"""The operations that make the objects of the others."""
MEASURED = "single responses"
"""The group whose run has the coverage of the engine's process."""


def run_made_up_requests(
    names: Iterable[str], examples: int, *, seed: int = 1, chosen: Iterable[str] = ()
) -> Findings:
    """Run only the made-up requests on the mock with these faults, by default to all operations."""
    server = Server()
    for name in names:
        MUTANTS[name].build(server)
    with serving(server.app()) as url:
        profile = Profile("shapes", "", examples, 0, 0, 0, limit=300)
        selection = Selection(layers=frozenset({SHAPES}), operations=frozenset(chosen))
        outcome = Run(Target(url, API_KEY), Options(profile, seed, selection=selection)).run()
    assert not outcome.problem
    assert ["shapes: made-up requests"] == outcome.planned
    return outcome.findings


@pytest.mark.sweep(1)
@pytest.mark.parametrize("group", TOGETHER)
def test_made_up_requests_find_faults(group: str, request: pytest.FixtureRequest) -> None:
    """Each fault is reported with the actual response and the commands that reproduce it."""
    if group == MEASURED:
        request.getfixturevalue("measured_children")
    seed, examples, expected = TOGETHER[group]
    # The requests to other operations are those of the mock without a fault.
    chosen = {*MAKERS, *(key.split()[0] for key in expected.values())}
    violations = run_made_up_requests(expected, examples, seed=seed, chosen=chosen).violations
    assert set() == set(expected.values()) - set(violations), violations.keys()
    for key in expected.values():
        assert SHAPES == violations[key].layer
        assert violations[key].expected
        assert re.match(r"\d{3}: \S", violations[key].actual)
        assert "curl " in violations[key].commands


def test_mock_has_no_violation() -> None:
    """The made-up requests try every operation, and none breaks a rule."""
    findings = run_made_up_requests((), 5)
    assert {} == {key: each.actual for key, each in findings.violations.items()}
    tried = {name for layer, name in findings.requests if layer == SHAPES}
    assert set(operations()) == tried


def test_first_phase_asks_each_operation() -> None:
    """A run whose time is short has asked all of them, those without an example as well."""
    with serving(Server().app()) as url:
        context = Run(Target(url, API_KEY), Options(PROFILES["quick"], 1))._context
        shapes = Shapes(context, examples=20, seed=1, until=time.monotonic() + 300)
        phases = shapes.run()
        assert "the examples of the description" == next(phases)
        assert set(operations()) == set(shapes.answered)
