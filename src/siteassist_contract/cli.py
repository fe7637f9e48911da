"""The options and the output of ``siteassist-contract``."""

from __future__ import annotations

import random
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click

from siteassist_contract import interrupts, plan, selection
from siteassist_contract.checks.generated import example_databases
from siteassist_contract.command import command, debug_option
from siteassist_contract.ending import Ending, report_early_error
from siteassist_contract.findings import LAYERS
from siteassist_contract.http import preflight, published_description, redaction
from siteassist_contract.http.network import Network
from siteassist_contract.http.network_options import network_options
from siteassist_contract.profiles import PROFILES, Profile
from siteassist_contract.report import baseline
from siteassist_contract.report.options import baseline_option, reports_option
from siteassist_contract.report.wrapping import wrapped
from siteassist_contract.run import Options, Outcome, Progress, Run
from siteassist_contract.verdict import (
    ALLOWED,
    CannotRunError,
    ExitStatus,
    InternalError,
)
from siteassist_spec import SpecError, output
from siteassist_spec.option_types import BaseUrl, Count

HELP = """Test whether the server at URL keeps the SiteAssist v2 contract.

URL is the base URL of the API, with its version: https://host/v2

\b
Exit status:
  0  kept: every planned test finished, and the server passed them all
  1  broken: each finding is printed with its rule, the expected and the
     actual behaviour, and commands that reproduce it
  2  incomplete: the tests could not start (no server, a refused credential),
     or were cut short; the last line states the reason and the remedy
  3  internal error: the tests themselves failed; please report it
  130  the tests were interrupted

An API key is enough: it starts sessions for any number of visitors, which the
tests of isolation between visitors need. A token is enough, too, but then
isolation needs a second one, of another visitor, and operations that take an
API key are tested with wrong keys only.

\b
Profiles:
  quick    under 30 seconds: after every change
  default  under 90 seconds: before every merge
  deep     until --time is up, half an hour by default
  live     for a production service: slow, few messages, closes the
           conversations it started, prints its plan first

\b
Examples:
  export SITEASSIST_API_KEY=sa_pk_1234567890abcdef
  export SITEASSIST_BASE_URL=http://127.0.0.1:8787/v2
  siteassist-contract
  siteassist-contract --profile quick --only isolation --only getMessages
  siteassist-contract --last-failed reports/summary.json

\b
Other commands, each with a --help of its own:
  siteassist-contract check FILE.HAR        judge recorded traffic
  siteassist-contract compare BEFORE AFTER  compare the reports of two runs
  siteassist-contract drift URL             list differences from openapi.yaml

\b
Completion of options, here in bash (also zsh_source, fish_source):
  eval "$(_SITEASSIST_CONTRACT_COMPLETE=bash_source siteassist-contract)"
"""
INTERRUPTED = "The tests were interrupted; there is no verdict."
_TIME = re.compile(r"(\d{1,6})([smh]?)")
_MOST_LIVE = 20
"""Default of ``--max-messages`` with the profile ``live``."""
_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """A duration such as ``90``, ``90s``, ``30m`` or ``2h``, in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number of seconds."""
        match = _TIME.fullmatch(str(value))
        if match is None or not int(match[1]):
            self.fail(f"invalid time {value!r}: expected something like 90s, 30m or 2h", param, ctx)
        return float(int(match[1]) * _SECONDS[match[2]])


class Origin(click.ParamType[str]):
    """The origin of a website, as browsers write it: a scheme, a host and perhaps a port."""

    name = "origin"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the origin."""
        if not _ORIGIN.fullmatch(str(value)):
            self.fail(
                f"invalid origin {value!r}: expected something like https://shop.example",
                param,
                ctx,
            )
        return str(value)


@command(
    interrupted=INTERRUPTED,
    failed=report_early_error,
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
@click.option(
    "--token",
    envvar=redaction.TOKEN,
    show_envvar=True,
    metavar="TOKEN",
    help="A session token, or a private key (sk_...).",
)
@click.option(
    "--second-token",
    envvar=redaction.SECOND_TOKEN,
    show_envvar=True,
    metavar="TOKEN",
    help="The token of another visitor, to test isolation without an API key.",
)
@click.option(
    "--origin",
    type=Origin(),
    envvar="SITEASSIST_ORIGIN",
    show_envvar=True,
    metavar="ORIGIN",
    help="A website that the API key lists, such as https://shop.example; others must be refused.",
)
@network_options
@click.option(
    "--human-conversation",
    type=click.UUID,
    metavar="ID",
    help="The id of a conversation of the token's visitor, handled by a human agent.",
)
@click.option(
    "--operator",
    envvar="SITEASSIST_OPERATOR",
    show_envvar=True,
    metavar="URL",
    help="The address of endpoints with which the tests act as a human agent, to test the messages"
    " of the socket; the mock has them at http://127.0.0.1:8787/_mock.",
)
@click.option(
    "--socket",
    type=click.Choice(["auto", "required"]),
    default="auto",
    show_default=True,
    help="With `required`, a server without the WebSocket of conversations violates the contract;"
    " with `auto`, the tests of the WebSocket are left out on such a server.",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="default",
    show_default=True,
    help="How thorough the run is, and how much load it causes.",
)
@click.option("--time", "limit", type=Duration(), help="Maximum duration of the run: 90s, 30m, 2h.")
@click.option(
    "--examples",
    type=Count(1, 100_000),
    help="Maximum number of generated requests per operation and phase.",
)
@click.option(
    "--seed",
    type=Count(0),
    help="Repeat an earlier run with the seed that it printed. The requests are the same if the"
    " server's answers are the same.",
)
@reports_option
@baseline_option
@click.option(
    "--update-baseline", is_flag=True, help="Write the violations of this run to --baseline."
)
@click.option(
    "--workers",
    type=Count(1, 64),
    default=1,
    show_default=True,
    help="Number of tests that run at the same time, to test a slow server just as thoroughly in"
    " less time. With more than one, runs are not reproducible.",
)
@click.option("--stop-at-first", is_flag=True, help="Stop at the first violation.")
@click.option(
    "--only",
    multiple=True,
    metavar="RULE|OPERATION",
    help="Test only this rule or operation, such as isolation or getMessages; repeatable. Rules"
    " and operations together select the rules on these operations. Random steps and made-up"
    " requests are left out if other tests cover the selection; --layer or --profile deep includes"
    " them.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=click.Choice(LAYERS),
    help="Run only the tests of this layer; repeatable.",
)
@click.option(
    "--last-failed",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="SUMMARY.JSON",
    help="Test only what failed in an earlier run, as recorded in its summary.json: run the steps"
    " that found the failures, with the seed of that run.",
)
@click.option(
    "--allow-incomplete",
    is_flag=True,
    help="Exit with 0 if the tests were cut short and found no violation.",
)
@debug_option
@click.option(
    "--example-database",
    metavar="FOLDER|URL",
    help="Where hypothesis keeps failing examples, to try them first in later runs: a folder, or"
    " redis://host/0 for several machines.",
)
@click.option(
    "--max-messages",
    type=Count(0),
    help="Maximum number of messages and completions that the assistant answers, each of which may"
    " cost money. Tests that need more are left out. With --profile live, the default is 20, and"
    " the command asks for confirmation if the run needs more.",
)
@click.option("--yes", is_flag=True, help="With --profile live: do not ask for confirmation.")
def main(
    *,
    url: str,
    api_key: str | None,
    token: str | None,
    second_token: str | None,
    origin: str | None,
    headers: tuple[tuple[str, str], ...],
    ca: str | None,
    insecure: bool,
    human_conversation: object,
    operator: str | None,
    socket: str,
    profile: str,
    limit: float | None,
    examples: int | None,
    seed: int | None,
    reports: Path,
    accepted: Path | None,
    update_baseline: bool,
    workers: int,
    stop_at_first: bool,
    only: tuple[str, ...],
    layers: tuple[str, ...],
    last_failed: Path | None,
    allow_incomplete: bool,
    debug: bool,
    example_database: str | None,
    max_messages: int | None,
    yes: bool,
) -> None:
    """Run the command."""
    chosen = PROFILES[profile]
    target = preflight.Target(
        url,
        api_key or None,
        token or None,
        network=Network(headers, ca, insecure),
        second_token=second_token or None,
        origin=origin,
    )
    ending = Ending(target, reports, allow_incomplete=allow_incomplete, debug=debug)
    try:
        # Before the reports of the earlier run are removed, in CI at once.
        selected = selection.read(only, layers, last_failed)
        ending.begin()
        known = _known(accepted, update=update_baseline)
        database = example_databases.open_database(example_database)
        ending.target = target = replace(target, base_url=preflight.base_url(url))
        human = _human(human_conversation, token)
        if chosen.gentle:
            max_messages = _announce_gentle(chosen, target, max_messages, yes=yes)
        durations: list[float] = []
        seen = _check(ending, durations)
        ending.options = options = Options(
            profile=chosen,
            seed=_seed(seed, selected),
            examples=examples,
            seconds=limit,
            stop_at_first=stop_at_first,
            known=known,
            human_conversation=human,
            operator=None if not operator else preflight.base_url(operator),
            socket_required=socket == "required",
            database=database,
            database_place=example_database,
            secrets=seen,
            workers=workers,
            selection=selected,
            max_messages=max_messages,
            elapsed=time.monotonic() - ending.begun,
        )
        ending.prepare()
        ending.terminal.begin(target, options, ending.started, ending.versions)
        if not selected.options:
            click.echo(wrapped(published_description.line(target), later="  "))
        if not chosen.gentle:
            ending.terminal.announce(options, durations)
        progress = Progress(ending.terminal.begun, ending.terminal.step, ending.terminal.found)
        with interrupts.ignored():
            ending.outcome = Run(target, options, progress).run()
    except (CannotRunError, SpecError) as error:
        ending.refuse()
        if isinstance(error, CannotRunError) and error.details:
            click.echo(error.details, err=True)
        _stop(ExitStatus.INCOMPLETE, f"The tests cannot run: {error}")
    except KeyboardInterrupt:
        ending.refuse()
        raise
    except (Exception, InternalError) as error:  # noqa: BLE001  # reported as an internal error
        ending.outcome.error = InternalError.of(error)
    _finish(ending, accepted if update_baseline else None)


def _check(ending: Ending, durations: list[float]) -> tuple[str, ...]:
    """Check the server and the credentials; exit with 0 if a run without tests is allowed.

    The time of each answer is added to ``durations``.
    """
    try:
        return preflight.check(ending.target, durations=durations)
    except CannotRunError as error:
        if not ending.allow_incomplete:
            raise
        ending.refuse()
        _stop(ExitStatus.INCOMPLETE, f"The tests cannot run: {error}. {ALLOWED}", ExitStatus.KEPT)


def _seed(given: int | None, selected: selection.Selection) -> int:
    """Return the given seed, that of the run whose failures are repeated, or a random one."""
    known = given if given is not None else selected.seed
    return random.randrange(2**32) if known is None else known  # noqa: S311  # not a secret


def _finish(ending: Ending, updated: Path | None) -> NoReturn:
    """Report the run, update the baseline, and exit."""
    with interrupts.ignored():
        verdict = ending.report()
    try:
        if updated is not None:
            _update(updated, ending.outcome)
        _stop(verdict.status, verdict.line, verdict.exit_status)
    except Exception as error:  # noqa: BLE001  # reported as an internal error
        ending.outcome.error = ending.outcome.error or InternalError.of(error)
        # Once more, with the error and all that the run has found.
        with interrupts.ignored():
            verdict = ending.report()
        _stop(verdict.status, verdict.line, verdict.exit_status)


def _update(accepted: Path, outcome: Outcome) -> None:
    """Write the baseline and exit, unless the run did not finish."""
    if outcome.problem or outcome.interrupted or outcome.error is not None:
        click.echo(f"The baseline {accepted} was not updated: the run did not finish.")
        return
    try:
        baseline.write(accepted, outcome.findings.violations.values())
    except CannotRunError as error:
        _stop(ExitStatus.INCOMPLETE, f"The baseline could not be updated: {error}")
    count = len(outcome.findings.violations)
    noun = "violation" if count == 1 else "violations"
    _stop(ExitStatus.KEPT, f"Baseline: {accepted}, {count} {noun} accepted")


def _human(conversation: object, token: str | None) -> str | None:
    """Return the id of the conversation that a human agent handles, or None."""
    if conversation is None:
        return None
    if not token:
        raise CannotRunError("--human-conversation needs the --token of its visitor")
    return str(conversation)


def _known(accepted: Path | None, *, update: bool) -> frozenset[str]:
    """Return the keys of accepted violations, or none if the run updates the baseline."""
    if accepted is None:
        if update:
            raise CannotRunError("--update-baseline needs --baseline FILE")
        return frozenset()
    return frozenset() if update else baseline.read(accepted)


def _announce_gentle(
    profile: Profile, target: preflight.Target, most: int | None, *, yes: bool
) -> int:
    """Print the plan of a run, and ask for confirmation if it sends many messages.

    Returns the maximum number of messages.
    """
    sends = plan.announced(profile, target)
    most = _MOST_LIVE if most is None else most
    click.echo(
        f"This run sends at most {sends.requests} requests, {profile.per_second:g} a second,"
    )
    click.echo(f"starts {sends.conversations} conversations and closes them again, sends")
    click.echo(f"{sends.messages} messages that the assistant answers, and changes nothing else.")
    if sends.messages > most and not yes:
        if not sys.stdin.isatty():
            raise CannotRunError(f"it sends more than {most} messages: pass --yes to confirm")
        if not click.confirm("Continue?"):
            raise CannotRunError("cancelled")
    return max(most, sends.messages)


def _stop(status: ExitStatus, text: str, exit_status: int | None = None) -> NoReturn:
    wrong = status in (ExitStatus.INCOMPLETE, ExitStatus.INTERNAL_ERROR)
    output.last_line(text, error=wrong, style=status.style)
    sys.exit(status if exit_status is None else exit_status)
