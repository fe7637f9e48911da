"""The fixed checks find each expected violation, and none on a server without a fault."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from siteassist_contract.description import operations
from siteassist_contract.rules import RULES, opens_socket
from tests.faults.catalogue import MUTANTS
from tests.faults.checking import BASE, CHECKS, findings
from tests.faults.expected import EXPECTED, Expectation
from tests.faults.faulty import Server
from tests.faults.variants import VARIANTS, hand_over
from tests.values import API_KEY, PRIVATE_KEY

ELSEWHERE = {
    "agreement": "tests/contract/checks/test_agreement.py",
    "answered": "tests/contract/test_run.py, since only a run judges missing responses",
    "cross-origin": "tests/contract/checks/test_cross_origin.py",
    "error-body": "tests/contract/checks/test_provoked_errors.py",
    "fits-request": "test_made_up_requests.py",
    "framing": "tests/contract/checks/test_negotiation.py",
    "made-up-requests": "tests/contract/checks/generated/test_layer.py",
    "negotiation": "tests/contract/checks/test_negotiation.py",
    "no-side-effects": "tests/contract/checks/test_side_effects.py",
    "nothing-sticks": "tests/contract/checks/test_agreement.py",
    "overlap": "tests/contract/checks/test_overlap.py",
    "own-times": "tests/contract/checks/test_times.py",
    "preflight": "tests/contract/checks/test_cross_origin.py",
    "queued": "tests/contract/checks/behaviour/test_human_agent.py",
    "server-clock": "tests/contract/checks/test_times.py",
    **dict.fromkeys(
        (rule for rule, known in RULES.items() if known.applies is opens_socket),
        "tests/contract/checks/test_sockets.py, since it needs a connection",
    ),
    "stream-incremental": "tests/contract/checks/test_streams.py, since it measures time",
    "texts-accepted": "tests/contract/checks/test_texts.py",
    "texts-kept": "tests/contract/checks/test_texts.py",
    "undescribed-ignored": "tests/contract/checks/test_access.py",
    "website-checked": "tests/contract/checks/test_cross_origin.py",
}
"""Rules without an expectation here, with the tests that cover them."""
UNTESTED = {"made-up-requests", "queued", "stream-incremental", "website-checked"} | {
    rule for rule, known in RULES.items() if known.applies is opens_socket
}
"""Rules that the fixed checks do not test on the mock."""
CONSEQUENCES = ("* agreement *", "* server-clock *")
"""Violations that may follow from any fault, since every answer is compared with others."""


def test_every_rule_has_a_fault() -> None:
    """Each rule either has an expectation, or is listed with the test that covers it."""
    covered = {expected.violation.split(" ")[1] for expected in EXPECTED}
    assert set(RULES) == covered | set(ELSEWHERE)
    assert set() == covered & set(ELSEWHERE)


@pytest.mark.sweep(30)
@pytest.mark.parametrize(
    "expected", EXPECTED, ids=lambda expected: f"{expected.mutant}-{expected.check.__name__}"
)
def test_violation_is_found(expected: Expectation) -> None:
    """The check reports the violation with its actual value, and no unrelated violation."""
    found = findings(MUTANTS[expected.mutant].app(), expected.check).violations
    actual = {key: each.actual for key, each in found.items()}
    assert expected.violation in found, actual
    allowed = (expected.violation, *expected.also, *CONSEQUENCES)
    unrelated = [key for key in found if not any(fnmatchcase(key, pattern) for pattern in allowed)]
    assert [] == unrelated, actual
    violation = found[expected.violation]
    assert re.fullmatch(expected.actual, violation.actual, re.DOTALL), violation.actual
    assert violation.expected
    assert violation.expected != violation.actual
    assert violation.commands.removeprefix("(\n").startswith(f"BASE={BASE}\n")
    assert PRIVATE_KEY not in str(violation)
    assert API_KEY not in str(violation)


CREDENTIALS: dict[str, dict[str, Any]] = {
    "key": {},
    "token": {"api_key": None, "token": PRIVATE_KEY},
    "both": {"token": PRIVATE_KEY},
}


@pytest.mark.sweep(1)
@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_mock_has_no_violation(credentials: str) -> None:
    """The mock has no violation, and all rules that the credentials allow are tested."""
    result = findings(Server().app(), *CHECKS.values(), **CREDENTIALS[credentials])
    assert {} == {key: found.actual for key, found in result.violations.items()}
    tested = {rule for rule, _ in result.tested}
    untested = set(UNTESTED)
    if credentials == "token":
        untested |= {rule for rule, known in RULES.items() if known.needs}
        # Other clients may use the same token, so that its data is not known in full.
        untested |= {"key-checked", "list-own"}
        # No request tells from which websites the token may be used.
        untested |= {"cross-origin", "preflight"}
    assert untested == set(RULES) - tested
    if credentials != "token":
        # Each tested rule must be tested on all operations that it applies to.
        due = {
            (rule, name)
            for rule in tested
            for name in RULES[rule].operations
            if name in operations()
        }
        assert set() == due - set(result.tested)


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    "names",
    [
        ("refuse-422", "foreign-403", "extra-fields", "times-in-words"),
        ("misspelled", "own-feedback-refused", "closed-accepts", "close-again-replaces", "times"),
    ],
    ids=" ".join,
)
def test_tolerated_variants_have_no_violation(names: tuple[str, ...]) -> None:
    """Behaviour that the documents leave open breaks no rule; `make mutants` tries each alone."""
    server = Server()
    for name in names:
        VARIANTS[name].build(server)
    found = findings(server.app(), *CHECKS.values()).violations
    assert {} == {key: each.actual for key, each in found.items()}


@pytest.mark.sweep(1)
@pytest.mark.parametrize("names", [(), ("own-feedback-refused",)], ids=["rated", "unrated"])
def test_server_without_an_assistant_has_no_violation(names: tuple[str, ...]) -> None:
    """Where a human agent takes over every conversation, no answer is expected or rated."""
    server = Server()
    hand_over(server, each=1)
    for name in names:
        VARIANTS[name].build(server)
    found = findings(server.app(), *CHECKS.values())
    assert {} == {key: each.actual for key, each in found.violations.items()}
    assert found.answered["sendMessage", 202] > 0
    assert 0 == found.answered["sendMessage", 200]
