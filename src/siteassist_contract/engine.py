"""Runs schemathesis with a configuration file; in a process of its own.

``python -m siteassist_contract.engine FILE`` is what `runner` starts, because
schemathesis keeps its hooks for the life of a process. Its command line would
do the same, but prints for people who know schemathesis, not for those who
know their server.
"""

from __future__ import annotations

import sys

from schemathesis import openapi
from schemathesis.checks import load_all_checks
from schemathesis.cli.commands.run.context import ExecutionContext
from schemathesis.cli.events import LoadingFinished, LoadingStarted
from schemathesis.cli.executor import execute_event_loop
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema

from siteassist_contract.output import Output
from siteassist_spec import SPEC_PATH, load_spec


def main(path: str) -> None:
    """Run all phases; exits with schemathesis's own status."""
    load_all_checks()
    config = SchemathesisConfig.from_path(path)
    schema = openapi.from_dict(load_spec(), config=config)
    execute_event_loop(
        _events(schema),
        config=schema.config,
        args=[],
        params={},
        output_handler=Output(),
        context_factory=lambda project: ExecutionContext(config=project),
    )


def _events(schema: BaseSchema) -> events.EventGenerator:
    """Yield what the reports wait for: the description was read, then the run itself."""
    started = LoadingStarted(location=SPEC_PATH.name)
    yield started
    yield LoadingFinished.from_schema(
        schema,
        location=SPEC_PATH.name,
        start_time=started.timestamp,
        base_url=schema.get_base_url(),
    )
    yield from from_schema(schema).execute()


if __name__ == "__main__":
    main(sys.argv[1])
