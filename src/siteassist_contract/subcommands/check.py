"""The subcommand ``check``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from siteassist_contract.checks.shown_objects import ShownObjects
from siteassist_contract.command import command, debug_option
from siteassist_contract.ending import REPORTS, verdict_of
from siteassist_contract.findings import BEHAVIOUR, Findings
from siteassist_contract.http import preflight
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import Profile
from siteassist_contract.recording.judgement import Judgement
from siteassist_contract.recording.recorded_exchanges import (
    RecordedExchange,
    Survey,
    exchanges,
    survey,
)
from siteassist_contract.report import baseline, files, junit, page, summary, tested_rules
from siteassist_contract.report.options import baseline_option, reports_option
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.report.versions import versions
from siteassist_contract.run import Options, Outcome
from siteassist_contract.verdict import CannotRunError, ExitStatus
from siteassist_spec import SpecError, output

HELP = """Judge the traffic in RECORDING, a HAR file, by the rules of the contract.

Nothing is sent. Each exchange is checked against openapi.yaml, the grammar of
streams and the rules on errors. Related exchanges are compared: sent data must
be in later answers, messages in order, visitors isolated, and a refusal must
store nothing. Rules that the recording does not exercise are not tested.

Browsers, mitmproxy, schemathesis and siteassist-mock --proxy --record write HAR
files. Export the files with the bodies of requests and answers.

\b
Exit status:
  0  kept: no exchange violates the contract
  1  broken: each finding is printed with its rule and its entries in the file
  2  the file cannot be read, or has no exchange with the API
  3  internal error
  130  interrupted

\b
Example:
  siteassist-contract check traffic.har
"""
_PROFILE = Profile("recording", "recorded traffic", 0, 0, 0, 0)


@command(
    interrupted="The judgement was interrupted; there is no verdict.",
    help=HELP,
)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--base-url",
    metavar="URL",
    help="The base URL of the API, if the recording has several servers, or a path other than"
    " that in openapi.yaml.",
)
@reports_option
@baseline_option
@debug_option
def main(
    *, recording: Path, base_url: str | None, reports: Path, accepted: Path | None, debug: bool
) -> None:
    """Run the subcommand."""
    del debug  # read by `Command`
    try:
        known = frozenset[str]() if accepted is None else baseline.read(accepted)
        url = None if base_url is None else preflight.base_url(base_url)
        files.begin(reports, REPORTS)
        report = _judge(recording, survey(recording, url), known)
        files.prepare(reports, REPORTS)
    except (CannotRunError, SpecError) as error:
        files.tell_earlier(reports, REPORTS)
        output.last_line(f"The recording cannot be judged: {error}", error=True)
        sys.exit(ExitStatus.INCOMPLETE)
    except KeyboardInterrupt:
        files.tell_earlier(reports, REPORTS)
        raise
    except Exception:
        # The command ends with an internal error.
        files.prepare(reports, REPORTS)
        raise
    writers = zip(REPORTS, (page.write, junit.write, summary.write), strict=True)
    problems, failed = files.write_all(
        {reports / name: partial(write, report) for name, write in writers}
    )
    Terminal().end(report)
    files.tell(problems)
    if failed is not None:
        raise failed
    output.last_line(report.verdict.line)
    sys.exit(report.verdict.exit_status)


def _judge(recording: Path, known: Survey, accepted: frozenset[str]) -> summary.Report:
    """Judge all exchanges of a recording."""
    begun, started = time.monotonic(), datetime.now(UTC)
    terminal = Terminal()
    click.echo(f"Judging {output.one_line(str(recording))}: {output.one_line(known.base_url)}")
    findings = Findings(
        secrets=Filter(),
        render=partial(_entries, recording.name),
        known=accepted,
        on_violation=terminal.found,
        shown=ShownObjects(RecordedExchange.without_bodies, others_act=True),
    )
    findings.layer = BEHAVIOUR
    judgement = Judgement(findings, has_credentials=known.has_credentials)
    outcome = Outcome(findings)
    for exchange in exchanges(recording, known):
        judgement.see(exchange)
        outcome.requests += exchange.is_whole
    outcome.notes += _notes(known)
    if not outcome.requests:
        raise CannotRunError(
            f"the recording {recording} has no answer with its body: export it with its contents"
        )
    rows = tested_rules.recorded_rows(findings)
    words = ["siteassist-contract", "check", str(recording), "--base-url", known.base_url]
    return summary.Report(
        base_url=known.base_url,
        profile=_PROFILE,
        seed=None,
        repeat=shlex.join(words),
        variables=(),
        started=started,
        versions=versions(),
        time_limit=None,
        outcome=outcome,
        verdict=verdict_of(outcome, Options(_PROFILE, 0), rows),
        rows=rows,
        seconds=time.monotonic() - begun,
    ).redacted


def _notes(known: Survey) -> list[str]:
    """Return notes about traffic that was not judged."""
    found = []
    if known.others:
        found.append(f"{known.others} of {known.entries} entries are not requests of the API")
    if known.unanswered:
        noun = "request has" if known.unanswered == 1 else "requests have"
        found.append(f"{known.unanswered} {noun} no whole answer in the recording")
    if known.bodiless:
        noun = "request has" if known.bodiless == 1 else "requests have"
        found.append(
            f"{known.bodiless} {noun} no whole body in the recording: nothing that depends on it"
            " was judged"
        )
    if known.overlapping:
        found.append(
            f"{len(known.overlapping)} exchanges overlap with others or are not in their order,"
            " and were judged on their own"
        )
    if not known.has_credentials:
        found.append("the recording has no credentials: no rule about them was tested")
    return found


def _entries(name: str, shown: Sequence[Exchange]) -> tuple[str, str]:
    """Return the entries of a recording that show a violation, as comments of a shell."""
    lines = [
        f"# {name}, entry {each.number}: {each.method} {each.target} ({each.status})"
        for each in shown
        if isinstance(each, RecordedExchange)
    ]
    return "\n".join(dict.fromkeys(lines)), ""
