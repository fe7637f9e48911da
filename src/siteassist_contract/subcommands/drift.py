"""The subcommand ``drift``."""

from __future__ import annotations

import sys
from itertools import groupby

import click

from siteassist_contract.command import command, debug_option
from siteassist_contract.http import preflight, published_description
from siteassist_contract.http.network import Network
from siteassist_contract.http.network_options import network_options
from siteassist_contract.verdict import CannotRunError, ExitStatus
from siteassist_spec import output
from siteassist_spec.option_types import BaseUrl

HELP = """Compare the description that the server at URL publishes with openapi.yaml.

URL is the base URL of the API, with its version: https://host/v2. The description
is the answer to GET /openapi, as JSON or YAML. Each difference is listed with its
operation: what the server's description adds, lacks or contradicts. A difference
is no violation of the contract; the tests show what the server does.

\b
Exit status:
  0  the descriptions do not differ
  1  they differ
  2  the server publishes no description, or none that is readable as
     OpenAPI 3.0, 3.1 or 3.2
  3  internal error
  130  interrupted

\b
Example:
  siteassist-contract drift http://127.0.0.1:8787/v2
"""


@command(
    interrupted="The comparison was interrupted.",
    help=HELP,
)
@click.argument("url", type=BaseUrl(), envvar=BaseUrl.variable)
@network_options
@debug_option
def main(
    *,
    url: str,
    headers: tuple[tuple[str, str], ...],
    ca: str | None,
    insecure: bool,
    debug: bool,
) -> None:
    """Run the subcommand."""
    del debug  # read by `Command`
    try:
        network = Network(headers, ca, insecure)
        target = preflight.Target(preflight.base_url(url), network=network)
        found = published_description.compare(target)
    except CannotRunError as error:
        output.last_line(f"The descriptions cannot be compared: {error}", error=True)
        sys.exit(ExitStatus.INCOMPLETE)
    for operation, group in groupby(found, lambda each: each.operation):
        click.echo(output.one_line(operation))
        for each in group:
            click.echo(f"  {output.one_line(each.words)}")
    if found:
        output.last_line(
            "The server's description differs from openapi.yaml:"
            f" {published_description.counted(found)}."
        )
        sys.exit(ExitStatus.BROKEN)
    output.last_line("The server's description does not differ from openapi.yaml.")
