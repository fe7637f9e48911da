"""What the engine tells of its events: one JSON object a line, and nothing twice."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis import openapi
from schemathesis.cli.commands.run.context import ExecutionContext
from schemathesis.config import ProjectConfig
from schemathesis.core.failures import CustomFailure, Failure, ServerError
from schemathesis.core.transport import Response
from schemathesis.engine import Status, events
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.engine.run import Phase, PhaseName
from schemathesis.openapi.checks import AuthScenario, IgnoredAuth

from siteassist_contract.checks.generated.emitter import PHASES, Emitter
from siteassist_spec import load_spec

BASE = "http://127.0.0.1:1/v2"
SCHEMA = openapi.from_dict(load_spec())
ME, START = SCHEMA["/identity/me"]["GET"], SCHEMA["/conversations"]["POST"]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that hands an event over, and returns the lines that come of it."""
    emitter = Emitter()
    context = ExecutionContext(config=ProjectConfig())

    def tell(event: events.EngineEvent) -> list[dict[str, Any]]:
        emitter.handle_event(context, event)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return tell


def phase(name: PhaseName) -> Phase:
    """Make a phase."""
    return Phase(name=name)


def response(case: schemathesis.Case[Any], status: int = 200, **rest: Any) -> Response:
    """Make an answer to a case, as the engine keeps it."""
    prepared = requests.Request(
        case.method,
        f"{BASE}{case.path}?a=1",
        headers=rest.get("headers", {"Authorization": "Bearer t"}),
        data=rest.get("body"),
    ).prepare()
    return Response(
        status_code=status,
        headers={"Content-Type": ["application/json", "text/html"]},
        content=rest.get("content", b"{}"),
        request=prepared,
        elapsed=0.25,
        verify=True,
    )


def finished(
    recorder: ScenarioRecorder, name: PhaseName = PhaseName.FUZZING
) -> events.ScenarioFinished:
    """Make the event that a scenario is over."""
    return events.ScenarioFinished(
        id=uuid.uuid4(),
        phase=name,
        suite_id=uuid.uuid4(),
        label="x",
        status=Status.SUCCESS,
        recorder=recorder,
        elapsed_time=1.0,
        skip_reason=None,
        is_final=True,
    )


def fail(recorder: ScenarioRecorder, case: Any, failure: Failure, check: str = "c") -> None:
    """Let a check of a case fail."""
    recorder.record_check_failure(name=check, case_id=case.id, code_sample="", failure=failure)


def answered(recorder: ScenarioRecorder, case: Any, **rest: Any) -> None:
    """Record a case with its answer."""
    recorder.record_case(case=case, parent_id=rest.pop("parent", None))
    recorder.record_response(case_id=case.id, response=response(case, **rest))


# Phases and problems


@pytest.mark.parametrize("name", PHASES)
def test_phases_are_told_in_plain_words(name: PhaseName, told: Any) -> None:
    """When they begin and when they end."""
    begun = events.PhaseStarted(phase=phase(name), payload=None)
    over = events.PhaseFinished(phase=phase(name), status=Status.FAILURE, payload=None)
    cut = events.PhaseFinished(phase=phase(name), status=Status.INTERRUPTED, payload=None)
    assert [{"phase": PHASES[name]}] == told(begun)
    assert [{"done": PHASES[name], "interrupted": False}] == told(over)
    assert [{"done": PHASES[name], "interrupted": True}] == told(cut)


@pytest.mark.parametrize("name", [name for name in PhaseName if name not in PHASES])
def test_what_the_engine_does_for_itself_is_not_told(name: PhaseName, told: Any) -> None:
    """Every other phase is its own affair."""
    assert [] == told(events.PhaseStarted(phase=phase(name), payload=None))
    assert [] == told(events.PhaseFinished(phase=phase(name), status=Status.SUCCESS, payload=None))


def test_problems_are_told(told: Any) -> None:
    """Those of one operation, and those that end the run."""
    error = events.NonFatalError(
        error=ValueError("odd"), phase=PhaseName.FUZZING, label="GET /x", related_to_operation=True
    )
    (line,) = told(error)
    assert line["error"].startswith("GET /x: ")
    assert "odd" in line["error"]
    assert [{"error": "ValueError: bad"}] == told(events.FatalError(exception=ValueError("bad")))


def test_other_events_bring_nothing(told: Any) -> None:
    """What schemathesis tells people who know it."""
    assert [] == told(events.SuiteStarted(phase=PhaseName.FUZZING))


# Scenarios


def test_statuses_and_rules_are_counted(told: Any) -> None:
    """By operation; a case without an answer is left out, with its checks."""
    recorder = ScenarioRecorder(label="x")
    for status in (200, 200, 404):
        case = ME.Case()
        answered(recorder, case, status=status)
        recorder.record_check_success(name="accepted_query", case_id=case.id)
        recorder.record_check_success(name="ignored_auth", case_id=case.id)
    other = START.Case()
    answered(recorder, other, status=201)
    recorder.record_check_success(name="a_new_one", case_id=other.id)
    silent, unsent = ME.Case(), ME.Case()
    for case in (silent, unsent):
        recorder.record_case(case=case)
        recorder.record_check_success(name="accepted_query", case_id=case.id)
    recorder.record_request(case_id=silent.id, request=requests.Request("GET", BASE).prepare())
    assert [
        {
            "answered": [["getMe", 200, 2], ["getMe", 404, 1], ["startConversation", 201, 1]],
            "tested": [
                ["bounds", "getMe", 3],
                ["token-required", "getMe", 3],
                ["made-up-requests", "startConversation", 1],
            ],
        }
    ] == told(finished(recorder))


def test_scenario_that_is_no_test_is_left_out(told: Any) -> None:
    """The engine opens sessions before it begins."""
    recorder = ScenarioRecorder(label="x")
    answered(recorder, ME.Case())
    assert [] == told(finished(recorder, PhaseName.AUTH_BOOTSTRAP))


def only_break(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only violation among the lines."""
    (found,) = [line for line in lines if "rule" in line]
    return found


def test_finding_is_printed_with_the_way_to_it(told: Any) -> None:
    """The chain of cases that leads to it, each with its bytes."""
    recorder = ScenarioRecorder(label="x")
    first, second, aside = START.Case(), ME.Case(), ME.Case()
    answered(recorder, first, status=201, body=b"\xff\x00", content=b"caf\xe9")
    answered(recorder, aside)
    answered(recorder, second, status=500, parent=first.id)
    failure = ServerError(operation="x", status_code=500, case_id=second.id)
    fail(recorder, second, failure, "not_a_server_error")
    found = only_break(told(finished(recorder)))
    assert ("no-server-error", "getMe", "", 500, "Server error") == (
        *(found["rule"], found["operation"], found["place"], found["status"], found["message"]),
    )
    one, two = found["exchanges"]
    assert {
        "operation": "startConversation",
        "credential": "first",
        "method": "POST",
        "url": f"{BASE}/conversations?a=1",
        "body": "\xff\x00",
        "content_type": "",
        "status": 201,
        "headers": {"content-type": "application/json"},
        "content": "caf\xe9",
        "seconds": 0.25,
    } == one
    names = ("operation", "method", "status", "body")
    assert ("getMe", "GET", 500, "") == tuple(two[name] for name in names)


def test_place_of_an_undescribed_answer_is_its_status(told: Any) -> None:
    """So that each status of an operation is a violation of its own; schemas are left out."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    answered(recorder, case, status=418)
    message = "no\n\nSchema:\n\n    {}\n"
    failure = Failure(operation="x", message=message, case_id=case.id)
    fail(recorder, case, failure, "status_code_conformance")
    found = only_break(told(finished(recorder)))
    assert ("described", "418", "no") == (found["rule"], found["place"], found["message"])


def test_failure_without_words_has_its_title(told: Any) -> None:
    """Our own checks say what is wrong themselves."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    answered(recorder, case)
    failure = CustomFailure(
        operation="x", title="Odd", message="", exception=AssertionError(), case_id=case.id
    )
    fail(recorder, case, failure, "fitting_answer")
    found = only_break(told(finished(recorder)))
    assert ("fits-request", "Odd") == (found["rule"], found["message"])


@pytest.mark.parametrize("sent", [None, "Bearer made-up"])
def test_bad_credential_of_a_check_is_told_as_it_was(sent: str | None, told: Any) -> None:
    """The check made a request of its own, which is the one that failed."""
    recorder = ScenarioRecorder(label="x")
    case, own = ME.Case(), ME.Case()
    answered(recorder, case)
    answered(recorder, own, headers={} if sent is None else {"Authorization": sent})
    failure = IgnoredAuth(
        operation="x", message="no", scenario=AuthScenario.INVALID_AUTH, case_id=own.id
    )
    fail(recorder, case, failure, "ignored_auth")
    found = only_break(told(finished(recorder)))
    assert "token-required" == found["rule"]
    assert [sent or ""] == [each["credential"] for each in found["exchanges"]]


@pytest.mark.parametrize(
    ("identity", "visitor"), [("visitor", "first"), ("stranger", "second"), (None, "first")]
)
def test_good_credential_is_told_by_its_visitor(
    identity: str | None, visitor: str, told: Any
) -> None:
    """Never by its token."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    case._auth_identity = identity
    answered(recorder, case, headers={"Authorization": "Bearer secret"})
    fail(recorder, case, ServerError(operation="x", status_code=500, case_id=case.id))
    lines = told(finished(recorder))
    assert visitor == only_break(lines)["exchanges"][0]["credential"]
    assert "secret" not in json.dumps(lines)


def test_request_without_a_credential_has_none(told: Any) -> None:
    """Nobody asked."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    answered(recorder, case, headers={"Content-Type": "a/b"}, content=30_000 * b"x")
    fail(recorder, case, ServerError(operation="x", status_code=500, case_id=case.id))
    (exchange,) = only_break(told(finished(recorder)))["exchanges"]
    assert ("", "a/b") == (exchange["credential"], exchange["content_type"])
    assert 20_000 == len(exchange["content"])


def test_break_without_an_answer_can_be_told(told: Any) -> None:
    """The connection was lost; or the request was never sent at all."""
    recorder = ScenarioRecorder(label="x")
    lost, unsent = ME.Case(), ME.Case()
    for case in (lost, unsent):
        recorder.record_case(case=case)
    recorder.record_request(case_id=lost.id, request=requests.Request("GET", BASE).prepare())
    fail(recorder, lost, Failure(operation="x", message="gone", case_id=lost.id))
    fail(recorder, unsent, Failure(operation="x", message="never", case_id=unsent.id))
    one, other = [line for line in told(finished(recorder)) if "rule" in line]
    assert (0, "gone", 0, {}, "") == (
        *(one["status"], one["message"], one["exchanges"][0]["status"]),
        *(one["exchanges"][0]["headers"], one["exchanges"][0]["content"]),
    )
    assert (0, "never", []) == (other["status"], other["message"], other["exchanges"])
