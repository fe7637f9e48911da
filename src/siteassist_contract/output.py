"""What a run prints: a line per phase while it goes on, then each break."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from schemathesis.cli.commands.run.context import ExecutionContext
from schemathesis.cli.commands.run.handlers.base import EventHandler
from schemathesis.engine import Status, events
from schemathesis.engine.run import INTERNAL_PHASES, PhaseName
from schemathesis.engine.statistic import GroupedFailures

from siteassist_contract import breaks

PHASES = {
    PhaseName.EXAMPLES: ("examples", "the examples of the description"),
    PhaseName.COVERAGE: ("coverage", "each bound, type and enum from both sides"),
    PhaseName.FUZZING: ("fuzzing", "random valid and invalid data"),
    PhaseName.STATEFUL_TESTING: ("stateful", "walks along the links"),
}


class Output(EventHandler[ExecutionContext]):
    """Prints to standard output as the run goes on; ``tidy`` takes secrets out."""

    def __init__(self, tidy: Callable[[str], str]) -> None:
        self._tidy = tidy
        self._started = 0.0
        self._requests = 0

    def handle_event(self, ctx: ExecutionContext, event: events.EngineEvent) -> None:
        """Print what ``event`` brings, if it is worth a line."""
        if isinstance(event, events.PhaseStarted) and event.phase.name not in INTERNAL_PHASES:
            self._started = time.monotonic()
            self._requests = ctx.statistic.total_cases
            name, what = PHASES[event.phase.name]
            click.echo(f"  {name:<9} {what + ' ...':<46}", nl=False)
        elif isinstance(event, events.PhaseFinished) and event.phase.name not in INTERNAL_PHASES:
            self._finish_phase(ctx, event)
        elif isinstance(event, events.NonFatalError):
            click.echo(self._tidy(f"\n  {event.label}: {event.info.title}: {event.info.message}"))
        elif isinstance(event, events.FatalError):
            click.echo(self._tidy(f"\n  {type(event.exception).__name__}: {event.exception}"))
        elif isinstance(event, events.EngineFinished):
            for text in _report(ctx):
                click.echo(self._tidy(text))

    def _finish_phase(self, ctx: ExecutionContext, event: events.PhaseFinished) -> None:
        requests = ctx.statistic.total_cases - self._requests
        seconds = time.monotonic() - self._started
        words = {Status.SKIP: "left out", Status.INTERRUPTED: "interrupted"}
        found = len(ctx.statistic.unique_failures_map)
        noun = "break" if found == 1 else "breaks"
        result = words.get(event.status, f"{requests:5} requests, {found} {noun} so far")
        click.echo(f" {result} ({seconds:.0f} s)")


def _report(ctx: ExecutionContext) -> Iterator[str]:
    """Yield the text of each break."""
    number = 0
    for _, groups in sorted(ctx.statistic.failures.items()):
        for group in groups.values():
            for failure in group.failures:
                number += 1
                yield breaks.describe(
                    number=number,
                    operation=_operation(ctx, failure.operation or ""),
                    failure=failure,
                    received=_received(group),
                    commands=[step.curl for step in group.steps] or [group.code_sample or ""],
                )


def _operation(ctx: ExecutionContext, label: str) -> str:
    operation: Any = ctx.find_operation(label)
    return label if operation is None else f"{label} ({operation.definition.raw['operationId']})"


def _received(group: GroupedFailures) -> tuple[int, str] | None:
    response = group.response
    return None if response is None else (response.status_code, response.text or "")
