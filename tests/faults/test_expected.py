"""The fixed checks find each expected violation, and nothing on a server that has no fault."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from siteassist_contract.rules import RULES
from tests.faults.catalogue import MUTANTS
from tests.faults.checking import BASE, CHECKS, findings
from tests.faults.expected import EXPECTED, Expectation
from tests.faults.faulty import Server
from tests.faults.variants import VARIANTS
from tests.values import API_KEY, PRIVATE_KEY

ELSEWHERE = {
    "answered": "tests/contract/test_run.py, since a run decides what silence means",
    "fits-request": "test_made_up_requests.py",
    "made-up-requests": "tests/contract/checks/generated/test_layer.py",
    "queued": "tests/contract/checks/behaviour/test_human_agent.py",
    "stream-incremental": "tests/contract/checks/test_streams.py, since it needs time",
}
"""Rules that the fixed checks cannot judge here, and the tests that show them."""


def test_every_rule_is_shown_by_a_fault() -> None:
    """Each rule has an expectation, or is named with the test that shows it."""
    shown = {expected.violation.split(" ")[1] for expected in EXPECTED}
    assert set(RULES) == shown | set(ELSEWHERE)
    assert set() == shown & set(ELSEWHERE)


@pytest.mark.parametrize(
    "expected", EXPECTED, ids=lambda expected: f"{expected.mutant}-{expected.check.__name__}"
)
def test_violation_is_found(expected: Expectation) -> None:
    """The check finds it, reports what came, and finds nothing that does not follow from it."""
    found = findings(MUTANTS[expected.mutant].app(), expected.check).violations
    actual = {key: each.actual for key, each in found.items()}
    assert expected.violation in found, actual
    allowed = (expected.violation, *expected.also)
    more = [key for key in found if not any(fnmatchcase(key, pattern) for pattern in allowed)]
    assert [] == more, actual
    violation = found[expected.violation]
    assert re.fullmatch(expected.actual, violation.actual, re.DOTALL), violation.actual
    assert violation.expected
    assert violation.expected != violation.actual
    assert violation.commands.startswith(f"BASE={BASE}\n")
    assert PRIVATE_KEY not in str(violation)
    assert API_KEY not in str(violation)


CREDENTIALS: dict[str, dict[str, Any]] = {
    "key": {},
    "token": {"api_key": None, "token": PRIVATE_KEY},
    "both": {"token": PRIVATE_KEY},
}


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_nothing_is_found_in_the_mock(credentials: str) -> None:
    """All rules but those of `ELSEWHERE` are tested, whatever the credentials."""
    result = findings(Server().app(), *CHECKS.values(), **CREDENTIALS[credentials])
    assert {} == {key: found.actual for key, found in result.violations.items()}
    tested = {rule for rule, _ in result.tested}
    untested = set(ELSEWHERE) - {"answered"}
    if credentials == "token":
        untested |= {rule for rule, known in RULES.items() if known.needs}
        # Others may use the same token, so its data are not known as a whole.
        untested |= {"key-checked", "list-own"}
    assert untested == set(RULES) - tested
    if credentials != "token":
        # A rule that an operation has by its description and that nothing tests is a mistake.
        due = {(rule, name) for rule in tested for name in RULES[rule].operations}
        assert set() == due - set(result.tested)


@pytest.mark.parametrize(
    "name",
    [
        "refuse-422",
        "foreign-403",
        "misspelled",
        "extra-fields",
        "own-feedback-refused",
        "closed-accepts",
        "close-again-replaces",
        "times",
        "times-in-words",
    ],
)
def test_nothing_is_found_in_a_tolerated_variant(name: str) -> None:
    """What the documents leave open breaks no rule."""
    found = findings(VARIANTS[name].app(), *CHECKS.values()).violations
    assert {} == {key: each.actual for key, each in found.items()}
