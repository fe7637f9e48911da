"""The subcommand ``compare``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from siteassist_contract.command import command, debug_option
from siteassist_contract.report import comparison
from siteassist_contract.verdict import ALLOWED, CannotRunError, ExitStatus
from siteassist_spec import output

HELP = """Compare the summary.json reports of two runs, BEFORE and AFTER.

A violation is gone only if the later run tested its rule again. What the earlier
run tested and the later one did not is listed, with the reason.

\b
Exit status:
  0  nothing became worse: no new violation, and everything is still tested
  1  the later run found a violation that the earlier one did not; one that
     the baseline of the later run accepts does not count
  2  a rule is no longer tested; the later run was interrupted, ended with
     an internal error, is incomplete although the earlier one was not, or
     did not finish a step that the earlier one finished; or a file is not
     a report. If the later run had --allow-incomplete, it may be incomplete
  3  internal error
  130  interrupted

\b
Example:
  siteassist-contract compare main/summary.json reports/summary.json
"""
_FORMATS = {"text": comparison.text, "markdown": comparison.markdown}


@command(
    interrupted="The comparison was interrupted.",
    help=HELP,
)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    help="The form of the output; Markdown is for a comment on a pull request.",
)
@click.option(
    "--allow-incomplete", is_flag=True, help="Exit with 0 instead of 2 if both reports were read."
)
@debug_option
def main(*, before: Path, after: Path, form: str, allow_incomplete: bool, debug: bool) -> None:
    """Run the subcommand."""
    del debug  # read by `Command`
    try:
        compared = comparison.compare(comparison.read(before), comparison.read(after))
    except CannotRunError as error:
        output.last_line(f"The reports cannot be compared: {error}", error=True)
        sys.exit(ExitStatus.INCOMPLETE)
    click.echo(_FORMATS[form](compared))
    status, line = compared.status, compared.line
    if status is ExitStatus.INCOMPLETE and allow_incomplete:
        status, line = ExitStatus.KEPT, f"{line} {ALLOWED}"
    if form == "text":
        output.last_line(line)
    sys.exit(status)
