"""Breaks are told in plain words, with commands that can be run."""

from __future__ import annotations

import shlex

import pytest
from schemathesis.core.failures import CustomFailure, Failure, ServerError
from schemathesis.openapi.checks import AuthScenario, IgnoredAuth, UndefinedStatusCode

from siteassist_contract.breaks import describe, runnable


def text(failure: Failure, *, body: str = "{}", command: str = "curl x") -> str:
    """Describe ``failure``."""
    return describe(
        number=3,
        operation="GET /identity/me (getMe)",
        failure=failure,
        received=(500, body),
        commands=[command],
    )


def test_break_has_operation_expected_received_and_command() -> None:
    """All that somebody who mends the server needs is there."""
    failure = UndefinedStatusCode(
        operation="x",
        status_code=418,
        defined_status_codes=["200"],
        allowed_status_codes=[200],
        message="Received: 418\n\nDocumented: 200",
    )
    expected = """
Break 3: GET /identity/me (getMe)
  expected: a documented status
  received: 500 {}
  because:
    Received: 418
    Documented: 200
  repeat with:
    curl x"""
    assert expected == text(failure)


def test_long_answer_is_cut() -> None:
    """The start of an answer is enough, and so is one line."""
    shown = text(ServerError(operation="x", status_code=500), body=400 * "a \n")
    assert "a … (799 characters)" in shown or "… (799 characters)" in shown
    assert "because" not in shown


def test_break_without_answer_can_be_told() -> None:
    """A failure of the whole run has no answer to show."""
    shown = describe(
        number=1,
        operation="",
        failure=Failure(operation="x", title="Odd", message=""),
        received=None,
        commands=[],
    )
    assert "expected: Odd" in shown
    assert "received" not in shown


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("event_stream", "a stream when it is asked for, whole to its end"),
        ("accepted_query", "a query that breaks the description is refused"),
        ("another", "Custom check failed: `another`"),
    ],
)
def test_own_checks_say_what_they_expect(check: str, expected: str) -> None:
    """The words for our own checks are found by their names."""
    failure = CustomFailure(
        operation="x",
        title=f"Custom check failed: `{check}`",
        message="",
        exception=AssertionError(),
    )
    assert f"  expected: {expected}\n" in text(failure)


def test_schema_is_left_out_of_the_reason() -> None:
    """The reason is the violation and the value, not pages of schema."""
    message = '"id" is required\n\nSchema:\n\n    {\n      "a": 1\n    }\n\nValue:\n\n    {}'
    shown = text(Failure(operation="x", message=message))
    assert '"id" is required\n    Value:\n        {}' in shown
    assert '"a"' not in shown


def test_filtered_secrets_become_variables() -> None:
    """A command runs once the variables are set, and holds no secret."""
    command = (
        "curl -X POST -H 'Authorization: [Filtered]' "
        """-d '{"apiKey": "[Filtered]", "saVid": "it"}' 'http://x/v2/search?apiKey=%5BFiltered%5D'"""
    )
    shown = runnable(command, real=True)
    assert "Filtered" not in shown
    expanded = shown.replace("$SITEASSIST_TOKEN", "T").replace("$SITEASSIST_API_KEY", "K")
    expected = [
        *("curl", "-X", "POST", "-H", "Authorization: Bearer T"),
        *("-d", '{"apiKey": "K", "saVid": "it"}', "http://x/v2/search?apiKey=K"),
    ]
    assert expected == shlex.split(expanded)


def test_made_up_token_stays_made_up() -> None:
    """A real token would hide that a made-up one was taken."""
    failure = IgnoredAuth(operation="x", message="", scenario=AuthScenario.INVALID_AUTH)
    shown = text(failure, command="curl -H 'Authorization: [Filtered]' x")
    assert '    curl -H "Authorization: Bearer made-up" x' in shown
