"""The options of ``siteassist-load``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from siteassist_contract.command import command
from siteassist_contract.description import operations
from siteassist_contract.http import preflight, redaction
from siteassist_contract.http.network import Network
from siteassist_contract.http.network_options import network_options
from siteassist_contract.load import report, verdict
from siteassist_contract.load.options import LoadOptions, Role
from siteassist_contract.load.results import Failure
from siteassist_contract.load.time_limit import within
from siteassist_contract.report import files
from siteassist_contract.verdict import CannotRunError, ContractBrokenError, ExitStatus
from siteassist_spec import SpecError, output
from siteassist_spec.option_types import BaseUrl, Count, Number

HELP = """Test whether the server at URL keeps the contract under load.

URL is the base URL of the API, with its version: https://host/v2

Many simulated visitors make one visit after another. In each visit, a new
device reads the project, starts a conversation, sends messages, as JSON and as
a stream, reads them back, rates an answer, searches, closes the conversation
and reads it again. Every answer is judged: its shape, its stream, the stored
data.

\b
Exit status:
  0  the server keeps the contract under load: each kind of step
     finished, each visitor completed a visit, and each rule was tested
  1  the server violates the contract; each finding is printed once, with the
     number of visits that saw it
  2  the load is incomplete: it could not start, or not all that was planned
     was done; the last line has the reason and what would help
  3  an internal error of this command; what was found so far is reported
  130  the load was interrupted before a violation was found

An answer of 429 is not a violation: the visitor waits as requested. A 502 or
503 is a violation, unless the server completes no visit at all.

\b
More than one process, on this machine:
  siteassist-load URL --users 200 --processes 4
On several machines, each with SITEASSIST_API_KEY in its environment:
  siteassist-load URL --users 1000 --master --master-host 0.0.0.0 \\
      --expect-workers 2
  siteassist-load URL --worker --master-host HOST

\b
Completion of options, here in bash (also zsh_source, fish_source):
  eval "$(_SITEASSIST_LOAD_COMPLETE=bash_source siteassist-load)"
"""

_SPAWNING = 5.0
"""Default time, in seconds, in which all visitors start."""
_START = 12.0
"""Time, in seconds, that the requests before the load may take."""


class _Time(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    """A time such as ``90``, ``90s``, ``30m`` or ``1h30m``, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        from locust.util.timespan import (  # pyright: ignore[reportMissingImports]  # as in `engine`
            parse_timespan,
        )

        try:
            seconds = int(parse_timespan(str(value)))
        except ValueError:
            seconds = 0
        if seconds <= 0:
            self.fail(
                f"invalid time {value!r}: expected something like 90s, 30m or 1h30m", param, ctx
            )
        return seconds


@command(
    interrupted="Incomplete: nothing was tested: the load was interrupted; run it again.",
    help=HELP,
)
@click.argument("url", type=BaseUrl(), envvar=BaseUrl.variable)
@click.option(
    "--api-key",
    envvar=redaction.API_KEY,
    show_envvar=True,
    metavar="KEY",
    help="A publishable key (pk_...).",
)
@network_options
@click.option("--users", type=Count(1), default=10, show_default=True, help="Number of visitors.")
@click.option(
    "--spawn-rate",
    type=Number(0, min_open=True),
    help="Visitors to add per second.  [default: all within 5 seconds]",
)
@click.option(
    "--time", "seconds", type=_Time(), default=60, show_default="60s", help="Duration of the load."
)
@click.option(
    "--visits",
    type=Count(1),
    help="Number of visits after which the load ends early, if all that was planned is done.",
)
@click.option(
    "--think",
    type=Number(0),
    nargs=2,
    default=(0.5, 2.0),
    show_default=True,
    metavar="MIN MAX",
    help="Minimum and maximum pause of a visitor between two steps, in seconds.",
)
@click.option(
    "--processes",
    type=Count(1),
    help="Number of processes on this machine that run the visitors.",
)
@click.option("--master", is_flag=True, help="Control workers, and report their results.")
@click.option("--worker", is_flag=True, help="Run visitors for a master.")
@click.option(
    "--expect-workers",
    type=Count(1),
    default=1,
    show_default=True,
    help="With --master: number of workers to wait for.",
)
@click.option(
    "--master-host",
    default="127.0.0.1",
    show_default=True,
    help="Address of the master, to listen on or to connect to.",
)
@click.option(
    "--master-port",
    type=Count(1, 65535),
    default=5557,
    show_default=True,
    help="Port of the master.",
)
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default="reports",
    show_default=True,
    help="The folder for load.html and load.json.",
)
@click.option(
    "--allow-incomplete", is_flag=True, help="Exit with 0 instead of 2 if the load is incomplete."
)
@click.option("--debug", is_flag=True, help="Print the traceback of an internal error.")
def main(
    *,
    url: str,
    api_key: str | None,
    headers: tuple[tuple[str, str], ...],
    ca: str | None,
    insecure: bool,
    users: int,
    spawn_rate: float | None,
    seconds: int,
    visits: int | None,
    think: tuple[float, float],
    processes: int | None,
    master: bool,
    worker: bool,
    expect_workers: int,
    master_host: str,
    master_port: int,
    reports: Path,
    allow_incomplete: bool,
    debug: bool,
) -> None:
    """Run the command."""
    if master + worker + (processes is not None) > 1:
        raise click.UsageError("--master, --worker and --processes are mutually exclusive")
    if think[0] > think[1]:
        raise click.UsageError("--think: MIN must not be greater than MAX")
    role = Role.WORKER if worker else Role.MASTER if master or processes else Role.ALONE
    settings = LoadOptions(
        users=users,
        spawn_rate=spawn_rate or users / _SPAWNING,
        seconds=seconds,
        visits=visits,
        think=think,
        role=role,
        workers=processes or expect_workers,
        processes=processes or 0,
        master_host=master_host,
        # Only workers that this process starts connect to it, so any free port will do.
        master_port=0 if processes else master_port,
        reports=reports,
        allow_incomplete=allow_incomplete,
        debug=debug,
    )
    try:
        network = Network(headers, ca, insecure)
        target = preflight.Target(preflight.base_url(url), api_key or None, network=network)
        sys.exit(_run(target, settings))
    except (CannotRunError, SpecError) as error:
        if role is not Role.WORKER:
            files.tell_earlier(reports, _REPORTS)
        line = verdict.not_started(str(error), allow_incomplete=allow_incomplete)
        output.last_line(line, error=True)
        sys.exit(ExitStatus.KEPT if allow_incomplete else ExitStatus.INCOMPLETE)
    except ContractBrokenError as error:
        click.echo(error)
        output.last_line("The server violates the contract: 1 violation (before the load began).")
        sys.exit(ExitStatus.BROKEN)
    except Exception as error:  # noqa: BLE001  # no error may look like a verdict
        failure = Failure.of(error, redaction.Filter([api_key], hidden=_values(headers)))
        if debug:
            click.echo(failure.traceback, err=True)
        output.last_line(verdict.internal_error(failure), error=True)
        sys.exit(ExitStatus.INTERNAL_ERROR)


_REPORTS = (report.HTML, report.JSON)


def _values(headers: tuple[tuple[str, str], ...]) -> frozenset[str]:
    return Network(headers).secrets


def _run(target: preflight.Target, settings: LoadOptions) -> ExitStatus:
    reports = settings.role is not Role.WORKER
    if reports:
        files.begin(settings.reports, _REPORTS)
    if target.api_key is None:
        raise CannotRunError(f"no credential: give --api-key or {redaction.API_KEY}")
    try:
        within(_START, lambda: preflight.check(target, waits_for=()))
    except TimeoutError:
        raise CannotRunError(f"the server did not answer within {_START:.0f} s") from None
    except CannotRunError:
        raise
    except Exception:
        # The command ends with a verdict, or with an internal error.
        if reports:
            files.prepare(settings.reports, _REPORTS)
        raise
    if reports:
        files.prepare(settings.reports, _REPORTS)
    # Slow, so it is done now: later, it would delay a worker's heartbeat to its master.
    operations()
    from siteassist_contract.load.engine import (
        Engine,
    )

    return Engine(target, settings).run()
