"""Reports of the engine to the process that started it: one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from schemathesis.cli.commands.run.context import ExecutionContext
from schemathesis.cli.commands.run.handlers.base import EventHandler
from schemathesis.engine import Status, events
from schemathesis.engine.recorder import Interaction, ScenarioRecorder
from schemathesis.engine.run import INTERNAL_PHASES, PhaseName
from schemathesis.openapi.checks import IgnoredAuth

from siteassist_contract.checks.generated import rule_names

PHASES = {
    PhaseName.EXAMPLES: "the examples of the description",
    PhaseName.COVERAGE: "each bound, type and enum from both sides",
    PhaseName.FUZZING: "random valid and invalid data",
    PhaseName.STATEFUL_TESTING: "sequences of requests along the links",
}
_LONGEST = 20_000
"""Maximum length of a reported body, in bytes. The final report shows less of it."""
IDENTITIES = {"visitor": "first", "stranger": "second"}


class Emitter(EventHandler[ExecutionContext]):
    """A handler that writes the events of the run to standard output."""

    def handle_event(
        self,
        ctx: ExecutionContext,
        event: events.EngineEvent,
    ) -> None:
        """Write the data of ``event``, if it is relevant for the report."""
        if isinstance(event, events.PhaseStarted) and event.phase.name not in INTERNAL_PHASES:
            _write(phase=PHASES[event.phase.name])
        elif isinstance(event, events.PhaseFinished) and event.phase.name not in INTERNAL_PHASES:
            _write(done=PHASES[event.phase.name], interrupted=event.status is Status.INTERRUPTED)
        elif isinstance(event, events.ScenarioFinished) and event.is_test_scenario:
            _scenario(event.recorder)
        elif isinstance(event, events.NonFatalError):
            _write(error=f"{event.label}: {event.info.title}: {event.info.message}")
        elif isinstance(event, events.FatalError):
            _write(error=f"{type(event.exception).__name__}: {event.exception}")


def _scenario(recorder: ScenarioRecorder) -> None:
    statuses: Counter[tuple[str, int]] = Counter()
    rules: Counter[tuple[str, str]] = Counter()
    for case_id, node in recorder.cases.items():
        interaction = recorder.interactions.get(case_id)
        if interaction is None or interaction.response is None:
            continue
        name = _operation_id(node.value)
        statuses[name, interaction.response.status_code] += 1
        for check in recorder.checks.get(case_id, []):
            rules[rule_names.rule_of_check(check.name), name] += 1
    _write(
        answered=[[name, status, count] for (name, status), count in statuses.items()],
        tested=[[rule, name, count] for (rule, name), count in rules.items()],
    )
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                _failure(recorder, case_id, check.name, check.failure_info.failure)


def _failure(recorder: ScenarioRecorder, case_id: str, check: str, failure: Any) -> None:
    # If a check has sent a request of its own, that request is the one that failed.
    shown = failure.case_id if failure.case_id in recorder.interactions else case_id
    exchanges = [
        _exchange(case, recorder.interactions[case.id], failure)
        for case in recorder.iter_chain_cases(case_id=shown)
        if case.id in recorder.interactions
    ]
    interaction = recorder.interactions.get(shown)
    status = interaction.response.status_code if interaction and interaction.response else 0
    rule = rule_names.rule_of(failure, check)
    _write(
        rule=rule,
        operation=_operation_id(recorder.cases[shown].value),
        place=str(status) if rule == rule_names.DESCRIBED else "",
        status=status,
        message=rule_names.tidy(failure.message or failure.title),
        exchanges=exchanges,
    )


def _exchange(case: Any, interaction: Interaction, failure: Any) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    headers = {name.lower(): values[0] for name, values in request.headers.items()}
    credential = headers.get("authorization", "")
    if credential and not isinstance(failure, IgnoredAuth):
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
