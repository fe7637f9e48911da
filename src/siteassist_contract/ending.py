"""The end of a run: the verdict, the reports and the last lines, after errors as well."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import click

from siteassist_contract.findings import Findings, grouped
from siteassist_contract.http import redaction
from siteassist_contract.http.network import HEADERS
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report import files, junit, page, summary, tested_rules
from siteassist_contract.report.options import DEFAULT_FOLDER
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.report.versions import versions
from siteassist_contract.run import Options, Outcome
from siteassist_contract.verdict import CannotRunError, Evidence, InternalError, Verdict, decide
from siteassist_spec.output import printable

SUMMARY = "summary.json"
REPORTS = ("html/index.html", "junit.xml", SUMMARY)
REPEAT_WITH = "SITEASSIST_REPEAT_WITH"
"""The environment variable by which another command, such as ``make contract``, tells how it
is repeated. It takes the options in its variable ``ARGS``."""
START_WITH = "SITEASSIST_START_WITH"
"""The environment variable by which such a command tells how to start its server again."""
_VARIABLE = re.compile(r'"\$([A-Z_]+)"')
_LIBRARIES = ("schemathesis", "hypothesis")
"""The libraries whose versions decide on the requests of a run."""


class Ending:
    """The end of a run: its reports and its last lines, after errors as well."""

    def __init__(
        self,
        target: Target,
        folder: Path,
        *,
        allow_incomplete: bool = False,
        debug: bool = False,
    ) -> None:
        """Report a run on ``target`` in ``folder``."""
        self.target = target
        self.options = Options(PROFILES["default"], 0)
        self.outcome = Outcome(Findings(target.secrets(), lambda _: ("", "")))
        self.terminal = Terminal()
        self.folder = folder
        self.allow_incomplete = allow_incomplete
        self._debug = debug
        self.started = datetime.now(UTC)
        self.begun = time.monotonic()
        self._is_prepared = False

    @property
    def versions(self) -> dict[str, str]:
        """The versions that decide on the requests of the run."""
        return versions(*_LIBRARIES)

    def begin(self) -> None:
        """Require a folder in which reports can be written, before the run is known to begin.

        Raises `CannotRunError` if reports cannot be written.
        """
        files.begin(self.folder, REPORTS)

    def refuse(self) -> None:
        """Say that the reports of an earlier run are still there, if the run has not begun."""
        if not self._is_prepared:
            files.tell_earlier(self.folder, REPORTS)

    def prepare(self) -> None:
        """Remove the reports of an earlier run.

        Raises `CannotRunError` if reports cannot be written.
        """
        files.prepare(self.folder, REPORTS)
        self._is_prepared = True

    def report(self) -> Verdict:
        """Write all reports, print the result, and return the verdict.

        An error on the way makes the verdict an internal error, and is reported in turn.
        """
        for attempt in (self._report, self._report, self._report_briefly):
            before = self.outcome.error
            try:
                verdict = attempt()
            except Exception as error:  # noqa: BLE001  # reported as an internal error
                self.outcome.error = before or InternalError.of(error)
                continue
            if self.outcome.error is before:
                return verdict
        return self._verdict([])

    def _report(self) -> Verdict:
        outcome, options = self.outcome, self.options
        rows = rows_of(outcome, self.target, options)
        report = summary.Report(
            base_url=self.target.base_url,
            profile=options.profile,
            seed=options.seed,
            repeat=_repeat(self.target, options, self._selected),
            repeat_words=self._repeat_words,
            variables=list(_variables(self.target)),
            start=os.environ.get(START_WITH, ""),
            started=self.started,
            versions=self.versions,
            time_limit=options.limit,
            outcome=outcome,
            verdict=self._verdict(rows),
            rows=rows,
            seconds=time.monotonic() - self.begun,
            selection=options.selection.options,
        ).redacted
        places, failed = self._write(report)
        self.terminal.end(report)
        files.tell(places)
        needs = f" (set {' and '.join(report.variables)} first)" if report.variables else ""
        click.echo(f"{report.repeat_words}{needs}:\n  {report.repeat}")
        if report.start and report.findings:
            click.echo("The server has stopped. To reproduce a finding, start it again (it prints")
            click.echo(f"its keys):\n  {report.start}")
        if failed is not None and outcome.error is None:
            outcome.error = failed
        self._print_details()
        return report.verdict

    @property
    def _replaces_failures(self) -> bool:
        """Whether the report of this run replaces that of the failures that it repeats."""
        last = self.options.selection.last_failed
        return last is not None and last.resolve() == (self.folder / SUMMARY).resolve()

    @property
    def _selected(self) -> str:
        """The options that select tests in a repeated run."""
        selection = self.options.selection
        if self._replaces_failures and not self.outcome.findings.violations:
            return selection.others
        return selection.options

    @property
    def _repeat_words(self) -> str:
        """The words before the command that repeats the run."""
        if not self._replaces_failures:
            return "Repeat with"
        if self.outcome.findings.violations:
            return "Repeat the failures of this run with"
        return "Repeat without --last-failed, whose report was replaced, with"

    def _report_briefly(self) -> Verdict:
        self.terminal.close()
        verdict = self._verdict([])
        self._print_details()
        return verdict

    def _print_details(self) -> None:
        """Print the traceback of an internal error if it was asked for."""
        outcome = self.outcome
        if self._debug and outcome.error is not None:
            click.echo(printable(outcome.findings.secrets.text(outcome.error.details)), err=True)

    def _write(self, report: summary.Report) -> tuple[dict[Path, str], InternalError | None]:
        if not self._is_prepared:
            try:
                self.prepare()
            except CannotRunError as error:
                return {self.folder / name: str(error) for name in REPORTS}, None
        writers = zip(REPORTS, (page.write, junit.write, summary.write), strict=True)
        return files.write_all(
            {self.folder / name: partial(write, report) for name, write in writers}
        )

    def _verdict(self, rows: list[tested_rules.Row]) -> Verdict:
        return verdict_of(self.outcome, self.options, rows, allow_incomplete=self.allow_incomplete)


def rows_of(outcome: Outcome, target: Target, options: Options) -> list[tested_rules.Row]:
    """Return the rows of a run on ``target``: its rules and statuses, tested or not."""
    return tested_rules.rows(
        outcome.findings,
        target,
        options.human_conversation,
        outcome.left_out,
        options.selection.selects,
        sorted(options.selection.layers),
    )


def verdict_of(
    outcome: Outcome,
    options: Options,
    rows: list[tested_rules.Row],
    *,
    allow_incomplete: bool = False,
) -> Verdict:
    """Return the verdict of a run."""
    findings = grouped(outcome.findings.violations.values())
    unknown = [finding for finding in findings if not finding[0].known]
    problem = outcome.problem
    # Random steps and further rounds of generated requests may be cut.
    if not problem and outcome.time_is_up and outcome.unfinished:
        problem = "the time ran out"
    secrets = outcome.findings.secrets
    return decide(
        Evidence(
            requests=outcome.requests,
            findings=len(unknown),
            violations=sum(map(len, unknown)),
            accepted=len(findings) - len(unknown),
            gaps=tested_rules.untested(rows),
            unfinished=list(outcome.unfinished),
            problem=problem,
            advice=outcome.advice,
            error="" if outcome.error is None else secrets.text(str(outcome.error)),
            interrupted=outcome.interrupted,
            selection=options.selection.options,
            allow_incomplete=allow_incomplete,
        )
    )


def report_early_error(arguments: Sequence[str], error: InternalError) -> None:
    """Write the reports of a command that failed before its options were known."""
    ending = Ending(Target(""), _folder(arguments))
    ending.outcome.error = error
    ending.report()


def _folder(arguments: Sequence[str]) -> Path:
    """Return the folder for reports, from arguments that click has not read."""
    folder = DEFAULT_FOLDER
    for word, following in pairwise([*arguments, DEFAULT_FOLDER]):
        name, equals, value = word.partition("=")
        if name == "--reports":
            folder = value if equals else following
    return Path(folder)


def _variables(target: Target) -> Iterator[str]:
    """Yield the names of the environment variables that a repeated run needs."""
    command = os.environ.get(REPEAT_WITH)
    if command and target.base_url not in command:
        # The command starts a server of its own, whose credentials it knows.
        yield from _VARIABLE.findall(command)
        return
    for name, value in (
        (redaction.API_KEY, target.api_key),
        (redaction.TOKEN, target.token),
        (redaction.SECOND_TOKEN, target.second_token),
        (HEADERS, target.network.headers),
    ):
        if value:
            yield name


def _repeat(target: Target, options: Options, selected: str) -> str:
    words = ["--profile", options.profile.name, "--seed", str(options.seed)]
    words += shlex.split(selected)
    if target.origin is not None:
        words += ["--origin", target.origin]
    if target.network.ca is not None:
        words += ["--ca", target.network.ca]
    if target.network.insecure:
        words.append("--insecure")
    for option, value in (
        ("--time", None if options.seconds is None else f"{options.seconds:g}s"),
        ("--examples", options.examples),
        ("--socket", "required" if options.socket_required else None),
        ("--workers", None if options.workers == 1 else options.workers),
        ("--max-messages", None if options.profile.gentle else options.max_messages),
    ):
        if value is not None:
            words += [option, str(value)]
    if options.stop_at_first:
        words.append("--stop-at-first")
    if command := os.environ.get(REPEAT_WITH):
        return f"{command} {shlex.quote(f'ARGS={shlex.join(words)}')}"
    # These are of the server: make starts another one.
    for option, value in (
        ("--human-conversation", options.human_conversation),
        ("--operator", options.operator),
    ):
        if value is not None:
            words += [option, value]
    return shlex.join(["siteassist-contract", target.base_url, *words])
