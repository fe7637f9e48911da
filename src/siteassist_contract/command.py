"""The start and the end of a command, also after an interrupt or an unexpected error."""

from __future__ import annotations

import contextlib
import platform
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from siteassist_contract import interrupts
from siteassist_contract.verdict import Evidence, ExitStatus, InternalError, decide
from siteassist_spec import output

debug_option = click.option(
    "--debug", is_flag=True, help="Show the traceback of an internal error."
)


class Command(click.Command):
    """A command whose exit status is always one of `ExitStatus`.

    click itself exits with 1, the status of a broken contract, after an interrupt, and so does
    Python after an unexpected error.
    """

    def __init__(
        self,
        *args: Any,
        interrupted: str,
        failed: Callable[[Sequence[str], InternalError], None] = lambda *_: None,
        **kwargs: Any,
    ) -> None:
        """Create a command; ``interrupted`` is its last line after an interrupt.

        ``failed`` writes the reports after an unexpected error in the start of the command,
        whose arguments and error it gets.
        """
        super().__init__(*args, **kwargs)
        self._interrupted = interrupted
        self._failed = failed

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
        status: object
        try:
            output.install()
            interrupts.install()
            # click prints an empty line of its own for an interrupt outside the body.
            with interrupts.ignored():
                status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            status = error.exit_code
        except (Exception, InternalError) as error:  # noqa: BLE001  # reported as an internal error
            given = args[0] if args else kwargs.get("args")
            arguments = sys.argv[1:] if given is None else given
            status = self._report(arguments, InternalError.of(error))
        sys.exit(status if isinstance(status, int) else ExitStatus.KEPT)

    def _report(self, arguments: Sequence[str], error: InternalError) -> ExitStatus:
        with contextlib.suppress(Exception):
            self._failed(arguments, error)
        if "--debug" in arguments:
            click.echo(output.printable(error.details), err=True)
        line = decide(Evidence(requests=0, error=str(error))).line
        output.last_line(line, error=True)
        return ExitStatus.INTERNAL_ERROR


def command(**options: Any) -> Callable[[Callable[..., Any]], Command]:
    """Return a decorator for a command in 80 columns, with ``-h`` and ``--version``.

    ``options`` are the arguments of `Command`.
    """
    settings = {"max_content_width": 80, "help_option_names": ["-h", "--help"]}
    make = click.command(cls=Command, context_settings=settings, **options)
    version = click.version_option(
        package_name="siteassist",
        message=f"%(prog)s %(version)s (Python {platform.python_version()})",
    )
    return lambda function: make(version(function))
