"""The rules that schemathesis's failures violate, and their short messages."""

from __future__ import annotations

import pytest
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import (
    AcceptedNegativeData,
    CustomFailure,
    Failure,
    MalformedJson,
    ServerError,
)
from schemathesis.openapi.checks import AuthScenario, IgnoredAuth, UndefinedStatusCode

from siteassist_contract.checks.generated.rule_names import OTHER, rule_of, rule_of_check, tidy
from siteassist_contract.rules import RULES

UNDEFINED = UndefinedStatusCode(
    operation="x",
    status_code=418,
    defined_status_codes=["200"],
    allowed_status_codes=[200],
    message="",
)


@pytest.mark.parametrize(
    ("failure", "rule"),
    [
        (ServerError(operation="x", status_code=500), "no-server-error"),
        (UNDEFINED, "described"),
        (
            AcceptedNegativeData(
                operation="x", message="", status_code=200, expected_statuses=["400"]
            ),
            "bounds",
        ),
        (
            IgnoredAuth(operation="x", message="", scenario=AuthScenario.INVALID_AUTH),
            "token-required",
        ),
    ],
)
def test_kind_of_failure_determines_the_rule(failure: Failure, rule: str) -> None:
    """The kind takes precedence over the check."""
    assert rule == rule_of(failure, "any")


def test_subclass_of_a_failure_has_the_rule_of_its_base() -> None:
    """A subclass violates the rule of its base class."""

    class Worse(MalformedJson):
        pass

    failure = Worse(
        operation="x",
        message="",
        validation_message="",
        document="",
        position=0,
        lineno=1,
        colno=1,
    )
    assert "described" == rule_of(failure, "any")


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("event_stream", "stream-end"),
        ("accepted_query", "bounds"),
        ("fitting_answer", "fits-request"),
        ("ignored_auth", "token-required"),
        ("a_new_one", OTHER),
    ],
)
def test_check_determines_the_rule_of_other_failures(check: str, rule: str) -> None:
    """For kinds without a rule, such as those of custom checks, the check has one."""
    failure = CustomFailure(operation="x", title="", message="", exception=AssertionError())
    assert rule == rule_of(failure, check) == rule_of_check(check)


def test_every_check_has_a_known_rule() -> None:
    """Each check of schemathesis has a rule of the report."""
    load_all_checks()
    names = [check.__name__ for check in CHECKS.get_all()]
    assert len(names) > 10
    assert set() == {rule_of_check(name) for name in names} - set(RULES)
    assert OTHER in RULES


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", ""),
        ("a\n\n  b  \n", "a\nb"),
        (
            '"id" is required\n\nSchema:\n\n    {\n      "a": 1\n    }\n\nValue:\n\n    {}',
            '"id" is required\nValue:\n{}',
        ),
        ('no\n\nSchema at /a/b:\n\n    {\n      "a": 1\n    }', "no"),
        ("The Schema: is fine", "The Schema: is fine"),
    ],
)
def test_schema_is_left_out_of_a_message(message: str, expected: str) -> None:
    """A message has the fault and the value, not the schema."""
    assert expected == tidy(message)
