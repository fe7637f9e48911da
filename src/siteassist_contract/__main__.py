"""The command ``siteassist-contract``."""

from __future__ import annotations

import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

try:
    import click
except ModuleNotFoundError:
    print(
        "siteassist-contract needs more packages: pip install 'siteassist[contract]'",
        file=sys.stderr,
    )
    sys.exit(2)

from siteassist_contract import preflight, runner, secrets
from siteassist_contract.configuration import Choices
from siteassist_contract.outcome import CannotRunError, ContractBrokenError, ExitStatus
from siteassist_spec import SpecError, load_spec

HELP = """Hold the server at URL to the SiteAssist v2 contract.

URL is where the API is, with its version: https://host/v2

\b
Exit status:
  0  the server keeps the contract
  1  it breaks it; each break is printed with the operation, what was
     expected, what came, and a curl command that shows it
  2  the tests could not run: no server there, or a credential was refused

An API key alone is enough: it opens sessions for two visitors, so that the
tests can see whether one gets at what is the other's. A token alone is enough
too, but then operations that take an API key are tested with wrong keys only.

\b
Examples:
  siteassist-contract http://127.0.0.1:8787/v2 --api-key sa_pk_1234567890abcdef
  SITEASSIST_TOKEN=... siteassist-contract https://host/v2

The tests start conversations and send messages, a few thousand requests in
all: point them at a server that is there to be tested.
"""


@click.command(help=HELP, context_settings={"max_content_width": 80})
@click.argument("url", envvar="SITEASSIST_BASE_URL")
@click.option(
    "--api-key",
    envvar=secrets.API_KEY,
    show_envvar=True,
    metavar="KEY",
    help="A publishable key (pk_...).",
)
@click.option(
    "--token",
    envvar=secrets.TOKEN,
    show_envvar=True,
    metavar="TOKEN",
    help="A session token, or a private key (sk_...).",
)
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default="reports",
    show_default=True,
    help="The folder for junit.xml, html/index.html and summary.json.",
)
@click.option(
    "--examples",
    type=click.IntRange(1, 100_000),
    default=150,
    show_default=True,
    help="How many requests to make up per operation and phase, at most.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Repeat an earlier run, which printed its seed, as far as answers allow.",
)
def main(  # noqa: PLR0913  # one parameter per option
    url: str,
    api_key: str | None,
    token: str | None,
    reports: Path,
    examples: int,
    seed: int | None,
) -> None:
    """Run the command."""
    # `kill` ends a run as Ctrl-C does, so that nothing is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        target = preflight.Target(_base_url(url), api_key or None, token or None)
        load_spec()
        _prepare(reports)
        preflight.check(target)
    except (CannotRunError, SpecError) as error:
        _stop(ExitStatus.NOT_RUN, f"The tests cannot run: {error}")
    except ContractBrokenError as error:
        click.echo(error)
        _stop(ExitStatus.BROKEN, "The server breaks the contract before the tests can begin.")
    click.echo(f"Testing {target.base_url}")
    if target.api_key is None:
        click.echo("Without --api-key, nothing that takes an API key can succeed, and only")
        click.echo("one visitor takes part: whether others can read what is theirs stays untested.")
    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311  # no secret
    verdict = runner.run(target, Choices(reports.resolve(), examples, seed))
    if verdict.status is not ExitStatus.INTERRUPTED:
        click.echo(f"Reports: {reports / 'html' / 'index.html'}, {reports / 'junit.xml'}")
    click.echo(f"Repeat with: --seed {seed}")
    _stop(verdict.status, verdict.text)


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
    except OSError as error:
        raise CannotRunError(f"reports cannot go to {reports}: {error.strerror}") from None


def _stop(status: ExitStatus, text: str) -> NoReturn:
    click.echo(text, err=status is ExitStatus.NOT_RUN)
    sys.exit(status)


if __name__ == "__main__":
    main(prog_name="siteassist-contract")
