"""The options that describe the way to a server, the same for all commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from siteassist_contract.http.network import HEADERS, read_header

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Header(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    """A header ``NAME:VALUE``; in the environment variable, one header per line."""

    name = "header"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return the name and the value."""
        try:
            return read_header(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return the lines that are not empty."""
        return [line for line in rv.splitlines() if line.strip()]


_OPTIONS = (
    click.option(
        "--header",
        "headers",
        type=Header(),
        multiple=True,
        envvar=HEADERS,
        show_envvar=True,
        metavar="NAME:VALUE",
        help="A header to send with every request, such as one that a gateway requires; its value"
        " is kept secret. In the environment variable, one header per line.",
    ),
    click.option(
        "--ca",
        type=click.Path(exists=True),
        metavar="FILE",
        help="The certificates to trust, as PEM. Takes precedence over SSL_CERT_FILE and"
        " REQUESTS_CA_BUNDLE.",
    ),
    click.option("--insecure", is_flag=True, help="Trust any certificate."),
)


def network_options(command: CommandT) -> CommandT:
    """Add the options ``--header``, ``--ca`` and ``--insecure`` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
