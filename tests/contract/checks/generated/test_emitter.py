"""The engine's events as lines of JSON, each fact once."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
import schemathesis
import urllib3
from hypothesis.errors import FlakyFailure
from schemathesis import openapi
from schemathesis.cli.commands.run.context import ExecutionContext
from schemathesis.config import ProjectConfig
from schemathesis.core.errors import AuthenticationError, InvalidHeadersExample
from schemathesis.core.failures import CustomFailure, Failure, ServerError
from schemathesis.core.transport import Response
from schemathesis.engine import Status, events
from schemathesis.engine.errors import ServerUnavailable
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.engine.run import Phase, PhaseName
from schemathesis.openapi.checks import AuthScenario, IgnoredAuth

from siteassist_contract.checks.generated import adapter
from siteassist_contract.checks.generated.emitter import PHASES, Emitter
from tests.description import SPEC

BASE = "http://127.0.0.1:1/v2"
SCHEMA = openapi.from_dict(copy.deepcopy(SPEC))
ME, START = SCHEMA["/identity/me"]["GET"], SCHEMA["/conversations"]["POST"]


Emit = Callable[[events.EngineEvent], list[dict[str, Any]]]


@pytest.fixture
def emit(capsys: pytest.CaptureFixture[str]) -> Emit:
    """Return a function that handles an event, and returns the lines that it emits."""
    emitter = Emitter("/v2")
    context = ExecutionContext(config=ProjectConfig())

    def handle(event: events.EngineEvent) -> list[dict[str, Any]]:
        emitter.handle_event(context, event)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return handle


def phase(name: PhaseName) -> Phase:
    """Create a phase."""
    return Phase(name=name)


def response(case: schemathesis.Case[Any], status: int = 200, **rest: Any) -> Response:
    """Create a response to a case, as the engine stores it."""
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
    """Create the event for the end of a scenario."""
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
    """Record a failed check of a case."""
    recorder.record_check_failure(name=check, case_id=case.id, code_sample="", failure=failure)


def record(recorder: ScenarioRecorder, case: Any, **rest: Any) -> None:
    """Record a case with its response."""
    recorder.record_case(case=case, parent_id=rest.pop("parent", None))
    recorder.record_response(case_id=case.id, response=response(case, **rest))


# Phases and problems


@pytest.mark.parametrize("name", PHASES)
def test_phases_are_emitted(name: PhaseName, emit: Emit) -> None:
    """The start and the end of each phase of tests are emitted with a readable name."""
    begun = events.PhaseStarted(phase=phase(name), payload=None)
    over = events.PhaseFinished(phase=phase(name), status=Status.FAILURE, payload=None)
    cut = events.PhaseFinished(phase=phase(name), status=Status.INTERRUPTED, payload=None)
    assert [{"phase": PHASES[name]}] == emit(begun)
    assert [{"done": PHASES[name], "interrupted": False}] == emit(over)
    assert [{"done": PHASES[name], "interrupted": True}] == emit(cut)


@pytest.mark.parametrize("name", [name for name in PhaseName if name not in PHASES])
def test_internal_phases_are_not_emitted(name: PhaseName, emit: Emit) -> None:
    """The engine's own phases emit nothing."""
    assert [] == emit(events.PhaseStarted(phase=phase(name), payload=None))
    assert [] == emit(events.PhaseFinished(phase=phase(name), status=Status.SUCCESS, payload=None))


def non_fatal(error: Exception, label: str = "GET /identity/me") -> events.NonFatalError:
    """Create the event for an error of one operation."""
    return events.NonFatalError(
        error=error, phase=PhaseName.FUZZING, label=label, related_to_operation=True
    )


@pytest.mark.parametrize("error", [ValueError("odd"), OSError("odd")])
def test_errors_of_the_tests_are_emitted(error: Exception, emit: Emit) -> None:
    """They have their traceback, whether they end the run or not; a full disk is one of them."""
    (line,) = emit(non_fatal(error))
    assert line["error"].startswith("GET /identity/me: ")
    assert ("odd" in line["error"], f"{type(error).__name__}: odd\n") == (True, line["details"])
    (line,) = emit(events.FatalError(exception=KeyError("bad")))
    assert ("KeyError: 'bad'", "KeyError: 'bad'\n") == (line["error"], line["details"])


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("reset"),
        urllib3.exceptions.ProtocolError("reset"),
        ConnectionResetError("reset"),
        ServerUnavailable("reset"),
        ExceptionGroup("two", [ValueError("x"), requests.Timeout("reset")]),
    ],
    ids=repr,
)
def test_failures_of_the_network_are_emitted_apart(error: Exception, emit: Emit) -> None:
    """They are the server's, and belong to the operation of schemathesis's label."""
    assert [{"unanswered": "getMe", "reason": "reset", "exchanges": []}] == emit(non_fatal(error))
    (line,) = emit(non_fatal(error, "Stateful tests"))
    assert "" == line["unanswered"]
    (line,) = emit(events.FatalError(exception=error))
    assert ("", "reset") == (line["unanswered"], line["reason"])


def test_request_without_an_answer_is_emitted(emit: Emit) -> None:
    """The request that an error carries names its operation."""
    url = f"{BASE}/conversations?x=1"
    sent = requests.Request("POST", url, json={"a": 1}, headers={"Authorization": "Bearer t"})
    error = requests.ReadTimeout("late", request=sent.prepare())
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = error
    (line,) = emit(non_fatal(wrapped, "Stateful tests"))
    (exchange,) = line["exchanges"]
    assert ("startConversation", "late") == (line["unanswered"], line["reason"])
    assert ("first", "POST", url, '{"a": 1}', "application/json", 0) == tuple(
        exchange[name] for name in ("credential", "method", "url", "body", "content_type", "status")
    )


@pytest.mark.parametrize("once", [False, True], ids=["always", "once"])
def test_failed_login_is_a_problem(once: bool, emit: Emit) -> None:
    """It is neither an error of the tests nor a request without an answer."""
    error: Exception = AuthenticationError("provider", "get", "no token")
    # Hypothesis repeats what failed.
    error = FlakyFailure("unreliable", [error]) if once else error
    assert [{"problem": "generated requests have no session: no token"}] == emit(non_fatal(error))


def test_token_that_no_header_can_contain_is_a_problem(emit: Emit) -> None:
    """The server has sent it."""
    error = InvalidHeadersExample.from_headers({"Authorization": "Bearer \ud800"})
    (line,) = emit(non_fatal(error))
    assert line["problem"].endswith("no header can contain its token")


def test_repeated_requests_are_emitted(emit: Emit) -> None:
    """Refusals that were waited for are emitted whole, if they belong to an operation."""
    adapter.repeats.take()
    adapter.repeats.lost = 2
    refused = []
    for path, content in (("identity/me", b"caf\xe9"), ("no", b""), ("identity/me", 20_000 * b"x")):
        answer = requests.Response()
        answer.status_code, answer._content = 429, content
        answer.headers["Retry-After"] = "1"
        answer.request = requests.Request("GET", f"{BASE}/{path}").prepare()
        refused.append(answer)
    adapter.repeats.refused = refused
    line, _ = emit(finished(ScenarioRecorder(label="x")))
    (only,) = line["refused"]
    assert (2, "getMe", "", 429, "caf\xe9", {"retry-after": "1"}) == (
        *(line["lost"], only["operation"], only["credential"]),
        *(only["status"], only["content"], only["headers"]),
    )
    assert 1 == len(emit(finished(ScenarioRecorder(label="x"))))


@pytest.mark.parametrize("status", [402, 429, 502, 503])
def test_refusal_by_circumstances_tests_only_its_description(status: int, emit: Emit) -> None:
    """No other rule is tested or violated by it, in an answer or in a request of a check."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    record(recorder, case, status=status)
    failure = ServerError(operation="x", status_code=status, case_id=case.id)
    fail(recorder, case, failure, "not_a_server_error")
    recorder.record_check_success(name="response_schema_conformance", case_id=case.id)
    (line,) = emit(finished(recorder))
    assert [["getMe", status, 1]] == line["answered"]
    assert [["described", "getMe", 1]] == line["tested"]


@pytest.mark.parametrize("identity", ["visitor", "stranger", None])
def test_isolation_is_tested_only_by_the_other_visitor(identity: str | None, emit: Emit) -> None:
    """The check also runs, and returns at once, for every request that it does not repeat."""
    recorder = ScenarioRecorder(label="x")
    case, probe = ME.Case(), ME.Case()
    record(recorder, case)
    recorder.record_check_success(name="object_level_authorization", case_id=case.id)
    probe._auth_identity = identity
    record(recorder, probe, parent=case.id)
    (line,) = emit(finished(recorder))
    assert [["isolation", "getMe", 1]] * (identity == "stranger") == line["tested"]


def test_other_events_are_not_emitted(emit: Emit) -> None:
    """Events for schemathesis's own output emit nothing."""
    assert [] == emit(events.SuiteStarted(phase=PhaseName.FUZZING))


# Scenarios


def test_statuses_and_rules_are_counted(emit: Emit) -> None:
    """Counts are by operation, without cases that have no response."""
    recorder = ScenarioRecorder(label="x")
    for status in (200, 200, 404):
        case = ME.Case()
        record(recorder, case, status=status)
        recorder.record_check_success(name="accepted_query", case_id=case.id)
        recorder.record_check_success(name="ignored_auth", case_id=case.id)
    other = START.Case()
    record(recorder, other, status=201)
    recorder.record_check_success(name="a_new_one", case_id=other.id)
    silent, unsent = ME.Case(), ME.Case()
    for case in (silent, unsent):
        recorder.record_case(case=case)
        recorder.record_check_success(name="accepted_query", case_id=case.id)
    recorder.record_request(case_id=silent.id, request=requests.Request("GET", BASE).prepare())
    made, counted = emit(finished(recorder))
    assert {
        "answered": [["getMe", 200, 2], ["getMe", 404, 1], ["startConversation", 201, 1]],
        "tested": [
            ["bounds", "getMe", 3],
            ["token-required", "getMe", 3],
            ["made-up-requests", "startConversation", 1],
        ],
    } == counted
    # Reproductions of requests that use the object begin with this one.
    (exchange,) = made["made"]
    assert ("startConversation", 201) == (exchange["operation"], exchange["status"])


def test_scenario_outside_the_tests_is_not_counted(emit: Emit) -> None:
    """The session that the engine opens first is not counted."""
    recorder = ScenarioRecorder(label="x")
    record(recorder, ME.Case())
    assert [] == emit(finished(recorder, PhaseName.AUTH_BOOTSTRAP))


def only_violation(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only violation among the lines."""
    (found,) = [line for line in lines if "rule" in line]
    return found


def test_violation_has_its_exchanges(emit: Emit) -> None:
    """The chain of cases that leads to a violation is emitted, each with its bytes."""
    recorder = ScenarioRecorder(label="x")
    first, second, aside = START.Case(), ME.Case(), ME.Case()
    record(recorder, first, status=201, body=b"\xff\x00", content=b"caf\xe9")
    record(recorder, aside)
    record(recorder, second, status=500, parent=first.id)
    failure = ServerError(operation="x", status_code=500, case_id=second.id)
    fail(recorder, second, failure, "not_a_server_error")
    found = only_violation(emit(finished(recorder)))
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


def test_place_of_an_undescribed_response_is_its_status(emit: Emit) -> None:
    """Each status of an operation is a separate violation; the message has no schema."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    record(recorder, case, status=418)
    message = "no\n\nSchema:\n\n    {}\n"
    failure = Failure(operation="x", message=message, case_id=case.id)
    fail(recorder, case, failure, "status_code_conformance")
    found = only_violation(emit(finished(recorder)))
    assert ("described", "418", "no") == (found["rule"], found["place"], found["message"])


def test_failure_without_message_has_its_title(emit: Emit) -> None:
    """The title replaces a missing message."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    record(recorder, case)
    failure = CustomFailure(
        operation="x", title="Odd", message="", exception=AssertionError(), case_id=case.id
    )
    fail(recorder, case, failure, "fitting_answer")
    found = only_violation(emit(finished(recorder)))
    assert ("fits-request", "Odd") == (found["rule"], found["message"])


@pytest.mark.parametrize("sent", [None, "Bearer made-up"])
def test_invalid_credential_of_a_check_is_emitted(sent: str | None, emit: Emit) -> None:
    """The failed request is the check's own, with its invalid credential or none."""
    recorder = ScenarioRecorder(label="x")
    case, own = ME.Case(), ME.Case()
    record(recorder, case)
    record(recorder, own, headers={} if sent is None else {"Authorization": sent})
    failure = IgnoredAuth(
        operation="x", message="no", scenario=AuthScenario.INVALID_AUTH, case_id=own.id
    )
    fail(recorder, case, failure, "ignored_auth")
    found = only_violation(emit(finished(recorder)))
    assert "token-required" == found["rule"]
    assert [sent or ""] == [each["credential"] for each in found["exchanges"]]


@pytest.mark.parametrize(
    ("identity", "visitor"), [("visitor", "first"), ("stranger", "second"), (None, "first")]
)
def test_valid_credential_is_emitted_by_its_visitor(
    identity: str | None, visitor: str, emit: Emit
) -> None:
    """A valid token is replaced by the name of its visitor."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    case._auth_identity = identity
    record(recorder, case, headers={"Authorization": "Bearer secret"})
    fail(recorder, case, ServerError(operation="x", status_code=500, case_id=case.id))
    lines = emit(finished(recorder))
    assert visitor == only_violation(lines)["exchanges"][0]["credential"]
    assert "secret" not in json.dumps(lines)


def test_request_without_credential_has_none(emit: Emit) -> None:
    """The credential is empty, and a long body is cut."""
    recorder = ScenarioRecorder(label="x")
    case = ME.Case()
    record(recorder, case, headers={"Content-Type": "a/b"}, content=30_000 * b"x")
    fail(recorder, case, ServerError(operation="x", status_code=500, case_id=case.id))
    (exchange,) = only_violation(emit(finished(recorder)))["exchanges"]
    assert ("", "a/b") == (exchange["credential"], exchange["content_type"])
    assert 20_000 == len(exchange["content"])


def test_violation_may_have_no_response(emit: Emit) -> None:
    """A lost connection and a request that was never sent are violations with status 0."""
    recorder = ScenarioRecorder(label="x")
    lost, unsent = ME.Case(), ME.Case()
    for case in (lost, unsent):
        recorder.record_case(case=case)
    recorder.record_request(case_id=lost.id, request=requests.Request("GET", BASE).prepare())
    fail(recorder, lost, Failure(operation="x", message="gone", case_id=lost.id))
    fail(recorder, unsent, Failure(operation="x", message="never", case_id=unsent.id))
    one, other = [line for line in emit(finished(recorder)) if "rule" in line]
    assert (0, "gone", 0, {}, "") == (
        *(one["status"], one["message"], one["exchanges"][0]["status"]),
        *(one["exchanges"][0]["headers"], one["exchanges"][0]["content"]),
    )
    assert (0, "never", []) == (other["status"], other["message"], other["exchanges"])
