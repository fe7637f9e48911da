"""Runs schemathesis with the files in a folder; in a process of its own.

``python -m siteassist_contract.checks.generated.engine FOLDER`` is what `layer` starts, because
schemathesis keeps its hooks for the life of a process. Its command line would
do the same, but prints for people who know schemathesis, not for those who
know their server.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

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

from siteassist_contract.checks.generated.configuration import CONFIG, DATABASE, DESCRIPTION
from siteassist_contract.checks.generated.emitter import Emitter
from siteassist_contract.checks.generated.example_databases import open_database

WALKS = PhaseName.STATEFUL_TESTING


def main(folder: str) -> None:
    """Run all phases; exits with schemathesis's own status."""
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
        output_handler=Emitter(),
        context_factory=lambda project: ExecutionContext(config=project),
    )


def _use_database(place: str | None) -> None:
    """Let hypothesis keep what it finds in an example database, if there is one."""
    if place is not None:
        # Not on top of hypothesis's profile for CI, which keeps nothing.
        parent = hypothesis.settings.get_profile("default")
        database = open_database(place)
        hypothesis.settings.register_profile("contract", parent=parent, database=database)
        hypothesis.settings.load_profile("contract")


def _events(schema: BaseSchema) -> events.EventGenerator:
    """Yield what schemathesis waits for: the description was read, then the run itself."""
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
    """Run all phases once, and the last one, the walks, until there were enough of them.

    Hypothesis gives a series of walks up when it notices that the same choices
    lead elsewhere than before, which a server that remembers is there for. So
    another series begins, with the next seed, as if it were the same phase.
    """
    config = schema.config
    seed, enough = config.seed, config.generation.max_examples or 0
    walks, seconds = 0, 0.0
    results: list[events.PhaseFinished] = []
    finished: events.EngineFinished | None = None
    while True:
        first, before = not results, walks
        for event in from_schema(schema).execute():
            if isinstance(event, events.EngineFinished):
                finished = event
            elif isinstance(event, events.PhaseFinished) and _is_walk(event):
                results.append(event)
            elif first or isinstance(event, events.TestEvent | events.NonFatalError):
                walks += isinstance(event, events.ScenarioFinished) and event.phase is WALKS
                yield event
        if finished is None:
            return  # something went wrong, and was told
        seconds += finished.running_time
        stopped = finished.stop_reason is not StopReason.COMPLETED
        if stopped or walks >= enough or walks == before:
            break
        for phase in (config.phases.examples, config.phases.coverage, config.phases.fuzzing):
            phase.enabled = False
        config.seed += 1
    config.seed, finished.running_time = seed, seconds
    if results:
        yield max(results, key=lambda result: PHASE_STATUS_PRIORITY[result.status])
    yield finished


def _is_walk(event: events.PhaseEvent) -> bool:
    return event.phase.name is WALKS


if __name__ == "__main__":
    main(sys.argv[1])
