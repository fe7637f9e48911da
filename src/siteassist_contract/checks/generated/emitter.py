"""Reports of the engine to the process that started it: one JSON object a line."""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Any

import requests
import urllib3
from schemathesis.cli.commands.run.context import ExecutionContext
from schemathesis.cli.commands.run.handlers.base import EventHandler
from schemathesis.core.errors import AuthenticationError, InvalidHeadersExample
from schemathesis.engine import Status, events
from schemathesis.engine.errors import (
    ServerUnavailable,
    UnhealthyAPIError,
    UnresponsiveOperationError,
)
from schemathesis.engine.recorder import Interaction, ScenarioRecorder
from schemathesis.engine.run import INTERNAL_PHASES, PhaseName
from schemathesis.openapi.checks import IgnoredAuth

from siteassist_contract.checks.generated import adapter, rule_names
from siteassist_contract.checks.generated.configuration import STRANGER
from siteassist_contract.description import operations
from siteassist_contract.tolerance import CIRCUMSTANCES

PHASES = {
    PhaseName.EXAMPLES: "the examples of the description",
    PhaseName.COVERAGE: "each bound, type and enum from both sides",
    PhaseName.FUZZING: "random valid and invalid data",
    PhaseName.STATEFUL_TESTING: "sequences of requests along the links",
}
_CREATED = 201
_LONGEST = 20_000
"""Maximum length of a reported body, in bytes. The final report shows less of it."""
_OF_THE_SERVER = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
    ServerUnavailable,
    UnhealthyAPIError,
    UnresponsiveOperationError,
)
"""Errors that the server or the way to it causes. All others are errors of the tests."""
IDENTITIES = {"visitor": "first", "stranger": "second"}


class Emitter(EventHandler[ExecutionContext]):
    """A handler that writes the events of the run to standard output."""

    def __init__(self, base_path: str = "") -> None:
        """Recognise the operations of requests below ``base_path``."""
        self._base_path = base_path

    def handle_event(
        self,
        ctx: ExecutionContext,
        event: events.EngineEvent,
    ) -> None:
        """Write the data of ``event``, if it is relevant for the report."""
        try:
            self._handle(event)
        except Exception as error:
            report(error)
            raise

    def _handle(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.PhaseStarted) and event.phase.name not in INTERNAL_PHASES:
            _write(phase=PHASES[event.phase.name])
        elif isinstance(event, events.PhaseFinished) and event.phase.name not in INTERNAL_PHASES:
            _write(done=PHASES[event.phase.name], interrupted=event.status is Status.INTERRUPTED)
        elif isinstance(event, events.ScenarioFinished) and event.is_test_scenario:
            self._repeats()
            _scenario(event.recorder)
        elif isinstance(event, events.NonFatalError):
            self._problem(event.label, event.value, f"{event.info.title}: {event.info.message}")
        elif isinstance(event, events.FatalError):
            error = event.exception
            self._problem("", error, f"{type(error).__name__}: {error}")

    def _repeats(self) -> None:
        """Write the requests that were lost or refused before they were answered."""
        spent, withheld = adapter.spending.take()
        if spent or withheld:
            _write(spent=list(spent.items()), withheld=withheld)
        lost, refused = adapter.repeats.take()
        if lost or refused:
            exchanges = [self._refused(each) for each in refused if len(each.content) < _LONGEST]
            _write(lost=lost, refused=[each for each in exchanges if each["operation"]])

    def _refused(self, response: requests.Response) -> dict[str, Any]:
        return {
            **self._request(response.request),
            "status": response.status_code,
            "headers": {name.lower(): value for name, value in response.headers.items()},
            "content": response.content.decode("latin-1"),
            "seconds": response.elapsed.total_seconds(),
        }

    def _request(self, request: requests.PreparedRequest) -> dict[str, Any]:
        body = request.body if isinstance(request.body, str | bytes) else b""
        return {
            "operation": adapter.operation_of(request, self._base_path),
            "credential": IDENTITIES["visitor"] if "Authorization" in request.headers else "",
            "method": request.method,
            "url": request.url,
            "body": body if isinstance(body, str) else body.decode("latin-1"),
            "content_type": request.headers.get("Content-Type", ""),
            "status": 0,
            "headers": {},
            "content": "",
            "seconds": 0.0,
        }

    def _problem(self, label: str, error: BaseException, words: str) -> None:
        """Write an error, by the side that caused it."""
        shown = f"{label}: {words}" if label else words
        found = next((e for e in _chain(error) if isinstance(e, _OF_THE_SERVER)), None)
        # A login that fails once only is an inconsistency for hypothesis.
        login = next((e for e in _chain(error) if isinstance(e, AuthenticationError)), None)
        if found is not None:
            request = getattr(found, "request", None)
            prepared = request if isinstance(request, requests.PreparedRequest) else None
            exchanges = [] if prepared is None else [self._request(prepared)]
            name = exchanges[0]["operation"] if exchanges else ""
            _write(unanswered=name or _labelled(label), reason=str(found), exchanges=exchanges)
        elif login is not None:
            # The rest of its text is advice for users of schemathesis.
            _write(problem=f"generated requests have no session: {login.message}")
        elif any(isinstance(e, InvalidHeadersExample) for e in _chain(error)):
            # The token of schemathesis's own session; no example of the description is invalid.
            _write(problem="generated requests have no session: no header can contain its token")
        else:
            lines = traceback.format_exception(error)
            _write(error=shown, details="".join(lines))


def report(error: BaseException) -> None:
    """Write an unexpected error in the code of the tests."""
    words = f"{type(error).__name__}: {error}"
    _write(error=words, details="".join(traceback.format_exception(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, the errors of a group, and their causes."""
    yield error
    inner = list(error.exceptions) if isinstance(error, BaseExceptionGroup) else []
    for each in (*inner, error.__cause__):
        if each is not None:
            yield from _chain(each)


def _labelled(label: str) -> str:
    """Return the ``operationId`` of schemathesis's label of an operation, or an empty string."""
    return next((n for n, o in operations().items() if f"{o.method} {o.path}" == label), "")


def _scenario(recorder: ScenarioRecorder) -> None:
    statuses: Counter[tuple[str, int]] = Counter()
    rules: Counter[tuple[str, str]] = Counter()
    for case_id, node in recorder.cases.items():
        interaction = recorder.interactions.get(case_id)
        if interaction is None or interaction.response is None:
            continue
        if adapter.HEADER_OF_WITHHELD in interaction.response.headers:
            continue
        name = _operation_id(node.value)
        statuses[name, interaction.response.status_code] += 1
        for check in recorder.checks.get(case_id, []):
            rule = rule_names.rule_of_check(check.name)
            if _is_tested(recorder, case_id, rule, interaction.response.status_code):
                rules[rule, name] += 1
    _objects(recorder)
    _write(
        answered=[[name, status, count] for (name, status), count in statuses.items()],
        tested=[[rule, name, count] for (rule, name), count in rules.items()],
    )
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                _failure(recorder, case_id, check.name, check.failure_info.failure)


def _objects(recorder: ScenarioRecorder) -> None:
    """Write the requests that have created objects, which later requests may use."""
    made = [
        _exchange(node.value, interaction)
        for case_id, node in recorder.cases.items()
        if (interaction := recorder.interactions.get(case_id)) is not None
        and interaction.response is not None
        and interaction.response.status_code == _CREATED
    ]
    if made:
        _write(made=made)


def _is_tested(recorder: ScenarioRecorder, case_id: str, rule: str, status: int) -> bool:
    """Whether a check that ran has tested its rule."""
    if status in CIRCUMSTANCES:
        return rule == rule_names.DESCRIBED
    if rule != "isolation":
        return True
    # The check returns at once unless it sends the request of the owner as the other visitor.
    return any(
        node.parent_id == case_id and node.value.auth_identity == STRANGER
        for node in recorder.cases.values()
    )


def _failure(recorder: ScenarioRecorder, case_id: str, check: str, failure: Any) -> None:
    # If a check has sent a request of its own, that request is the one that failed.
    shown = failure.case_id if failure.case_id in recorder.interactions else case_id
    exchanges = [
        _exchange(
            case,
            recorder.interactions[case.id],
            hides_credential=not isinstance(failure, IgnoredAuth),
        )
        for case in recorder.iter_chain_cases(case_id=shown)
        if case.id in recorder.interactions
    ]
    interaction = recorder.interactions.get(shown)
    status = interaction.response.status_code if interaction and interaction.response else 0
    rule = rule_names.rule_of(failure, check)
    if status in CIRCUMSTANCES and rule != rule_names.DESCRIBED:
        return  # The request of a check was refused.
    _write(
        rule=rule,
        operation=_operation_id(recorder.cases[shown].value),
        place=str(status) if rule == rule_names.DESCRIBED else "",
        status=status,
        message=rule_names.tidy(failure.message or failure.title),
        exchanges=exchanges,
    )


def _exchange(
    case: Any, interaction: Interaction, *, hides_credential: bool = True
) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    headers = {name.lower(): values[0] for name, values in request.headers.items()}
    credential = headers.get("authorization", "")
    if credential and hides_credential:
        credential = IDENTITIES.get(str(case.auth_identity), "first")
    body = request.body or b""
    content = (response.content or b"")[:_LONGEST] if response is not None else b""
    answered = response.headers if response is not None else {}
    return {
        "operation": _operation_id(case),
        "credential": credential,
        "method": request.method,
        "url": request.uri,
        "body": body.decode("latin-1"),
        "content_type": headers.get("content-type", ""),
        "status": response.status_code if response is not None else 0,
        "headers": {name.lower(): values[0] for name, values in answered.items()},
        "content": content.decode("latin-1"),
        "seconds": response.elapsed if response is not None else 0.0,
    }


def _operation_id(case: Any) -> str:
    name: str = case.operation.definition.raw["operationId"]
    return name


def _write(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
