"""``html/index.html``: the report as one self-contained page."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path

import jinja2

from siteassist_contract.description import all_operations
from siteassist_contract.findings import LAYERS
from siteassist_contract.report import files, references
from siteassist_contract.report.impact import IMPACT
from siteassist_contract.report.reproduction import needed_variables
from siteassist_contract.report.summary import Report
from siteassist_contract.report.terminal import unlisted
from siteassist_contract.report.tested_rules import counted, gaps
from siteassist_contract.rules import RULES
from siteassist_spec.output import printable

_CLAUSE = re.compile(r".*?[.;](?= )")


def write(report: Report, path: Path) -> None:
    """Write the page to ``path``."""
    files.write(path, printable(render(report.redacted)))


def render(report: Report) -> str:
    """Return the page."""
    return _template().render(
        report=report,
        verdict=_divided(report.verdict.line),
        main=[each for each in report.findings if each.related is None],
        others=[each for each in report.findings if each.related is not None],
        impact=IMPACT,
        explained=references.explained,
        layers=LAYERS,
        labels={name: each.label for name, each in all_operations().items()},
        rules=RULES,
        gaps=gaps(report.rows).most_common(),
        counted=counted(report.rows),
        unlisted=unlisted(report),
        needed=needed_variables,
    )


def _divided(line: str) -> tuple[str, str]:
    """Divide a verdict into its first clause and the rest, which begins with a space."""
    match = _CLAUSE.match(line)
    if match is None:
        return line, ""
    return match[0].rstrip(";"), line[match.end() :]


@cache
def _template() -> jinja2.Template:
    # Answers of the server must never become HTML.
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    source = (
        resources.files("siteassist_contract.report").joinpath("page.html.jinja").read_text("utf-8")
    )
    return environment.from_string(source)
