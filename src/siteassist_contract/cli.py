"""The options of ``siteassist-contract``, and what it prints."""

from __future__ import annotations

import random
import re
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click

from siteassist_contract import plan
from siteassist_contract.checks.generated import example_databases
from siteassist_contract.findings import grouped
from siteassist_contract.http import preflight, redaction
from siteassist_contract.profiles import PROFILES, Profile
from siteassist_contract.report import baseline, junit, page, summary, tested_rules
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.run import Options, Outcome, Progress, Run
from siteassist_contract.verdict import CannotRunError, ExitStatus
from siteassist_spec import SpecError, load_spec

HELP = """Hold the server at URL to the SiteAssist v2 contract.

URL is where the API is, with its version: https://host/v2

\b
Exit status:
  0  the server keeps the contract
  1  it breaks it; each break is printed with the rule, what was expected,
     what came, and commands that show it
  2  the tests could not run: no server there, or a credential was refused,
     or the server went away
  130  the tests were interrupted

An API key alone is enough: it opens sessions for any number of visitors, so
that the tests can see whether one gets at what is the other's. A token alone is
enough too, but then one visitor takes part, and operations that take an API key
are tested with wrong keys only.

\b
Profiles:
  quick    under 30 seconds: after every change
  default  under 90 seconds: before every merge
  deep     until --time is up, half an hour by default
  live     kind to a production service: slow, few messages, closes what it
           opened, says first what it will send

\b
Examples:
  siteassist-contract http://127.0.0.1:8787/v2 --api-key sa_pk_1234567890abcdef
  SITEASSIST_TOKEN=... siteassist-contract https://host/v2 --profile live
"""
INTERRUPTED = "The tests were interrupted; there is no verdict."
_TIME = re.compile(r"(\d{1,6})([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """A time such as ``90``, ``90s``, ``30m`` or ``2h``, in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        match = _TIME.fullmatch(str(value))
        if match is None or not int(match[1]):
            self.fail(f"{value!r} is no time; one looks like 90s, 30m or 2h", param, ctx)
        return float(int(match[1]) * _SECONDS[match[2]])


@click.command(help=HELP, context_settings={"max_content_width": 80})
@click.argument("url", envvar="SITEASSIST_BASE_URL")
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
    "--human-conversation",
    type=click.UUID,
    metavar="ID",
    help="A conversation of the token's visitor that a human agent handles.",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="default",
    show_default=True,
    help="How deep to go, and how kind to be.",
)
@click.option("--time", "limit", type=Duration(), help="How long the run may take: 90s, 30m, 2h.")
@click.option(
    "--examples",
    type=click.IntRange(1, 100_000),
    help="How many requests to make up per operation and phase, at most.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Repeat an earlier run, which printed its seed, as far as answers allow.",
)
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default="reports",
    show_default=True,
    help="The folder for html/index.html, junit.xml and summary.json.",
)
@click.option(
    "--baseline",
    "accepted",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of breaks that are accepted: told, but no failure.",
)
@click.option("--update-baseline", is_flag=True, help="Write the breaks of this run to --baseline.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Make up requests in so many threads; with more than one, a seed repeats nothing.",
)
@click.option("--stop-at-first", is_flag=True, help="Stop at the first break.")
@click.option(
    "--example-database",
    metavar="FOLDER|URL",
    help="Where hypothesis keeps the ways to breaks, to try them first the next time: a folder,"
    " or redis://host/0 for several machines.",
)
@click.option(
    "--max-messages",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="With --profile live: ask before a run that sends more messages than this.",
)
@click.option("--yes", is_flag=True, help="With --profile live: do not ask.")
def main(  # noqa: PLR0913  # one parameter per option
    *,
    url: str,
    api_key: str | None,
    token: str | None,
    human_conversation: object,
    profile: str,
    limit: float | None,
    examples: int | None,
    seed: int | None,
    reports: Path,
    accepted: Path | None,
    update_baseline: bool,
    workers: int,
    stop_at_first: bool,
    example_database: str | None,
    max_messages: int,
    yes: bool,
) -> None:
    """Run the command."""
    # `kill` ends a run as Ctrl-C does, so that nothing is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = PROFILES[profile]
    try:
        known = _known(accepted, update=update_baseline)
        database = example_databases.open_database(example_database)
        target = preflight.Target(_base_url(url), api_key or None, token or None)
        load_spec()
        _prepare(reports)
        human = _human(human_conversation, token)
        if chosen.gentle:
            _announce(chosen, target, max_messages, yes=yes)
        seen = preflight.check(target)
    except (CannotRunError, SpecError) as error:
        _stop(ExitStatus.NOT_RUN, f"The tests cannot run: {error}")
    except (KeyboardInterrupt, click.Abort):
        _stop(ExitStatus.INTERRUPTED, INTERRUPTED)
    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311  # no secret
    terminal = Terminal()
    terminal.begin(target, chosen)
    options = Options(
        profile=chosen,
        seed=seed,
        examples=examples,
        seconds=limit,
        stop_at_first=stop_at_first,
        known=known,
        human_conversation=human,
        database=database,
        database_place=example_database,
        secrets=seen,
        workers=workers,
    )
    begun = time.monotonic()
    outcome = Run(target, options, Progress(terminal.step, terminal.found)).run()
    report = summary.Report(
        base_url=target.base_url,
        profile=chosen.name,
        seed=seed,
        repeat=_repeat(target, options),
        outcome=outcome,
        verdict=verdict(outcome),
        rows=tested_rules.rows(
            outcome.findings,
            target,
            options.human_conversation,
            _cut_short(outcome, stop_at_first=stop_at_first),
        ),
        seconds=time.monotonic() - begun,
    )
    _write(report, reports)
    terminal.end(report)
    click.echo(f"Reports: {reports / 'html' / 'index.html'}, {reports / 'junit.xml'}")
    click.echo(f"Repeat with: {report.repeat}")
    if update_baseline and accepted is not None:
        _update(accepted, outcome)
    _stop(outcome.status, report.verdict)


def verdict(outcome: Outcome) -> str:
    """Say in one line what came of a run."""
    ways = grouped(outcome.findings.violations.values())
    unknown = [way for way in ways if not way[0].known]
    asked = f"{outcome.requests} {'request' if outcome.requests == 1 else 'requests'}"
    accepted = len(ways) - len(unknown)
    if accepted:
        asked += f", {accepted} known {'break' if accepted == 1 else 'breaks'} accepted"
    if outcome.status is ExitStatus.BROKEN:
        count = "1 way" if len(unknown) == 1 else f"{len(unknown)} ways"
        return f"The server breaks the contract in {count} ({asked})."
    if outcome.status is ExitStatus.INTERRUPTED:
        return INTERRUPTED
    if outcome.status is ExitStatus.NOT_RUN:
        return f"The tests did not run to their end: {outcome.problem} ({asked})."
    far = ", as far as the time allowed" if outcome.time_is_up else ""
    return f"The server keeps the contract{far} ({asked})."


def _cut_short(outcome: Outcome, *, stop_at_first: bool) -> str:
    """Say why a run did less than it could, if it did."""
    if outcome.status is ExitStatus.INTERRUPTED:
        return "the run was interrupted"
    if outcome.problem:
        return "the run did not get to its end"
    if stop_at_first and outcome.findings.unknown:
        return "the run stopped at its first break"
    return "the time was up" if outcome.time_is_up else ""


def _update(accepted: Path, outcome: Outcome) -> None:
    """Write the baseline and end, unless the run did not get to its end."""
    if outcome.problem or outcome.status is ExitStatus.INTERRUPTED:
        click.echo(f"The baseline {accepted} stays as it is: the run did not get to its end.")
        return
    try:
        baseline.write(accepted, outcome.findings.violations.values())
    except CannotRunError as error:
        _stop(ExitStatus.NOT_RUN, f"The breaks could not be accepted: {error}")
    count = len(outcome.findings.violations)
    noun = "violation" if count == 1 else "violations"
    _stop(ExitStatus.KEPT, f"Baseline: {accepted}, {count} {noun} accepted")


def _human(conversation: object, token: str | None) -> str | None:
    """Return the id of the conversation that was lent."""
    if conversation is None:
        return None
    if not token:
        raise CannotRunError("--human-conversation needs the --token of its visitor")
    return str(conversation)


def _known(accepted: Path | None, *, update: bool) -> frozenset[str]:
    """Return the breaks that are accepted; none if the baseline is about to be written."""
    if accepted is None:
        if update:
            raise CannotRunError("--update-baseline needs --baseline FILE")
        return frozenset()
    return frozenset() if update else baseline.read(accepted)


def _repeat(target: preflight.Target, options: Options) -> str:
    words = ["siteassist-contract", target.base_url, "--profile", options.profile.name]
    words += ["--seed", str(options.seed)]
    if options.examples is not None:
        words += ["--examples", str(options.examples)]
    if options.human_conversation is not None:
        words += ["--human-conversation", options.human_conversation]
    return shlex.join(words)


def _announce(profile: Profile, target: preflight.Target, most: int, *, yes: bool) -> None:
    """Say what a run will send, and ask if that is much."""
    sends = plan.of(profile, target)
    click.echo(
        f"This run sends at most {sends.requests} requests, {profile.per_second:g} a second,"
    )
    click.echo(f"starts {sends.conversations} conversations and closes them again, sends")
    click.echo(f"{sends.messages} messages that the assistant answers, and touches nothing else.")
    if sends.messages > most and not yes:
        if not sys.stdin.isatty():
            raise CannotRunError(f"it sends more than {most} messages: say --yes to go on")
        if not click.confirm("Go on?"):
            raise CannotRunError("you did not want to go on")


def _write(report: summary.Report, folder: Path) -> None:
    try:
        (folder / "html").mkdir(exist_ok=True)
        page.write(report, folder / "html" / "index.html")
        junit.write(report, folder / "junit.xml")
        summary.write(report, folder / "summary.json")
    except OSError as error:
        click.echo(f"The reports could not be written: {error.strerror}", err=True)


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CannotRunError(f"{url!r} is no base URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise CannotRunError(f"{url!r} is no base URL; one looks like https://host/v2")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise CannotRunError("a base URL has no query, fragment, user or password")
    return url.rstrip("/")


def _prepare(reports: Path) -> None:
    try:
        reports.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=reports):
            pass
        # What an earlier run left is not taken for this one's.
        for name in ("html/index.html", "junit.xml", "summary.json"):
            (reports / name).unlink(missing_ok=True)
    except OSError as error:
        raise CannotRunError(f"reports cannot go to {reports}: {error.strerror}") from None


def _stop(status: ExitStatus, text: str) -> NoReturn:
    click.echo(text, err=status is ExitStatus.NOT_RUN)
    sys.exit(status)
