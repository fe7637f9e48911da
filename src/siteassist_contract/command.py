"""The start and the end of a command, whatever is missing and however it is interrupted."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from siteassist_contract import interrupts
from siteassist_contract.verdict import ExitStatus
from siteassist_spec import output


class Command(click.Command):
    """A command whose exit status is always one of `ExitStatus`.

    click itself exits with 1, the status of a broken contract, after an interrupt.
    """

    def __init__(self, *args: Any, interrupted: str, **kwargs: Any) -> None:
        """Create a command; ``interrupted`` is its last line after an interrupt."""
        super().__init__(*args, **kwargs)
        self._interrupted = interrupted

    def invoke(self, ctx: click.Context) -> Any:
        """Run the body of the command."""
        try:
            with interrupts.raised():
                return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            output.last_line(self._interrupted)
            ctx.exit(ExitStatus.INTERRUPTED)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command, and exit."""
        output.install()
        interrupts.install()
        status: object
        try:
            # click prints an empty line of its own for an interrupt outside the body.
            with interrupts.ignored():
                status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            status = error.exit_code
        sys.exit(status if isinstance(status, int) else ExitStatus.KEPT)
