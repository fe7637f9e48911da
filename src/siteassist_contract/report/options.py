"""The options on reports, the same for all commands that write them."""

from __future__ import annotations

from pathlib import Path

import click

DEFAULT_FOLDER = "reports"
reports_option = click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The folder for html/index.html, junit.xml and summary.json.",
)
baseline_option = click.option(
    "--baseline",
    "accepted",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of accepted violations, which are reported but do not fail the run.",
)
