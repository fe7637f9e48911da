"""The process that runs schemathesis with the files in a folder.

`layer` starts it as ``python -m siteassist_contract.checks.generated.engine FOLDER``, because
schemathesis keeps its hooks for the lifetime of a process. The command line of schemathesis
would run the same tests, but its output is for users who know schemathesis, not for users
who only know their server.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import threading
from functools import wraps
from pathlib import Path
from typing import Any

import hypothesis
from schemathesis import openapi
from schemathesis.checks import load_all_checks
from schemathesis.cli.commands.run.context import PHASE_STATUS_PRIORITY, ExecutionContext
from schemathesis.cli.events import LoadingFinished, LoadingStarted
from schemathesis.cli.executor import execute_event_loop
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.engine.run import PhaseName
from schemathesis.schemas import BaseSchema

from siteassist_contract.checks.generated import adapter
from siteassist_contract.checks.generated.configuration import (
    CONFIG,
    DATABASE,
    DESCRIPTION,
    NETWORK,
)
from siteassist_contract.checks.generated.emitter import Emitter
from siteassist_contract.checks.generated.example_databases import open_database
from siteassist_contract.description import operations

STATEFUL = PhaseName.STATEFUL_TESTING
_PARSING = threading.RLock()


def main(folder: str) -> None:
    """Run all phases, and exit with the status of schemathesis."""
    _parse_in_turn()
    way = json.loads(Path(folder, NETWORK).read_text(encoding="utf-8"))
    adapter.install(way)
    load_all_checks()
    _use_database(os.environ.get(DATABASE) or None)
    config = SchemathesisConfig.from_path(Path(folder, CONFIG))
    description = json.loads(Path(folder, DESCRIPTION).read_text(encoding="utf-8"))
    schema = openapi.from_dict(description, config=config)
    execute_event_loop(
        _events(schema),
        config=schema.config,
        args=[],
        params={},
        output_handler=Emitter(way["base_path"]),
        context_factory=lambda project: ExecutionContext(config=project),
    )


def _parse_in_turn() -> None:
    """Let one thread at a time make syntax trees, which hypothesis does with each function.

    Python 3.11 counts the depth of the tree for all threads together, and raises a
    `SystemError` if another thread makes one meanwhile.
    """
    parse = ast.parse

    @wraps(parse)
    def in_turn(*args: Any, **options: Any) -> ast.AST:
        with _PARSING:
            tree: ast.AST = parse(*args, **options)
            return tree

    ast.parse = in_turn  # type: ignore[assignment]  # the overloads of typeshed


def _use_database(place: str | None) -> None:
    """Let hypothesis keep failing examples in the database at ``place``, unless it is None."""
    if place is not None:
        # Not derived from hypothesis's CI profile, which has no database.
        parent = hypothesis.settings.get_profile("default")
        database = open_database(place)
        hypothesis.settings.register_profile("contract", parent=parent, database=database)
        hypothesis.settings.load_profile("contract")


def _events(schema: BaseSchema) -> events.EventGenerator:
    """Yield the events that schemathesis expects: those of loading, then those of the run."""
    started = LoadingStarted(location=DESCRIPTION)
    yield started
    yield LoadingFinished.from_schema(
        schema,
        location=DESCRIPTION,
        start_time=started.timestamp,
        base_url=schema.get_base_url(),
    )
    yield from _run(schema)


def _run(schema: BaseSchema) -> events.EventGenerator:
    """Run all phases once, and repeat the stateful phase until it has had enough scenarios.

    The first phase sends examples, so that a run whose time is short has asked each operation.
    Those that take nothing, and so have none, are asked before.

    Hypothesis abandons a series of scenarios when the same choices lead to another result
    than before, which is normal for a server with state. Another series with the next seed
    then continues the phase.
    """
    yield from _ask_without_examples(schema)
    config = schema.config
    seed, enough = config.seed, config.generation.max_examples or 0
    scenarios, seconds = 0, 0.0
    results: list[events.PhaseFinished] = []
    finished: events.EngineFinished | None = None
    while True:
        first, before = not results, scenarios
        for event in from_schema(schema).execute():
            if isinstance(event, events.EngineFinished):
                finished = event
            elif isinstance(event, events.PhaseFinished) and _is_stateful(event):
                results.append(event)
            elif first or isinstance(event, events.TestEvent | events.NonFatalError):
                scenarios += isinstance(event, events.ScenarioFinished) and event.phase is STATEFUL
                yield event
        if finished is None:
            return  # a fatal error, which is already reported
        seconds += finished.running_time
        stopped = finished.stop_reason is not StopReason.COMPLETED
        if stopped or scenarios >= enough or scenarios == before:
            break
        for phase in (config.phases.examples, config.phases.coverage, config.phases.fuzzing):
            phase.enabled = False
        config.seed += 1
    config.seed, finished.running_time = seed, seconds
    if results:
        yield max(results, key=lambda result: PHASE_STATUS_PRIORITY[result.status])
    yield finished


def _ask_without_examples(schema: BaseSchema) -> events.EventGenerator:
    """Request the operations without parameters and body; yield only the events about these."""
    others = [
        name
        for name, operation in operations().items()
        if operation.parameters or operation.body is not None
    ]
    phases: tuple[Any, ...] = (schema.config.phases.fuzzing, schema.config.phases.stateful)
    were_enabled = [phase.enabled for phase in phases]
    for phase in phases:
        phase.enabled = False
    for event in from_schema(schema.exclude(operation_id=others)).execute():
        if isinstance(event, events.TestEvent | events.NonFatalError):
            yield event
    for phase, is_enabled in zip(phases, were_enabled, strict=True):
        phase.enabled = is_enabled


def _is_stateful(event: events.PhaseEvent) -> bool:
    return event.phase.name is STATEFUL


if __name__ == "__main__":
    main(sys.argv[1])
