"""A command that serves the mock with one fault: ``python -m tests.faults.server ID``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

from siteassist_mock.http.server import base_url, listen, make_server
from tests.faults.catalogue import MUTANTS
from tests.faults.combinations import combined
from tests.faults.mutant import CLASSES
from tests.faults.variants import VARIANTS

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]


@click.command(context_settings={"max_content_width": 100})
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--variant", is_flag=True, help="Treat each ID as a tolerated variant.")
@click.option("--list", "table", is_flag=True, help="List all mutants, or variants, and exit.")
def main(*, names: tuple[str, ...], port: int, variant: bool, table: bool) -> None:
    """Serve the mock with the fault ID, or with variants, on 127.0.0.1. Ctrl-C stops it."""
    kind = "variant" if variant else "mutant"
    if table:
        click.echo(_variants() if variant else _mutants())
        return
    if not names:
        raise click.UsageError(f"give the ID of a {kind}; --list shows all of them")
    for name in names:
        if name not in (VARIANTS if variant else MUTANTS):
            raise click.UsageError(f"unknown {kind} {name!r}; --list shows all of them")
    first, *others = names
    if others and not variant:
        raise click.UsageError("a server has one mutant; only variants can be combined")
    app = combined(names) if variant else MUTANTS[first].app()
    listening = listen("127.0.0.1", port)
    server = make_server(app)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # Handle signals before and after the server runs as well, like the command of the mock.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    click.echo(f"SiteAssist mock on {base_url(app, listening)} ({kind} {' '.join(names)})")
    try:
        server.run(sockets=[listening])
    finally:
        app.state.store.close()


def _mutants() -> str:
    width, kinds = max(map(len, MUTANTS)), max(map(len, CLASSES))
    return "\n".join(
        f"{mutant.kind:{kinds}}  {mutant.id:{width}}  {'rare' if mutant.rare else '    '}"
        f"  {mutant.description}  [{mutant.evidence}]"
        for mutant in MUTANTS.values()
    )


def _variants() -> str:
    width = max(map(len, VARIANTS))
    return "\n".join(
        f"{variant.id:{width}}  {variant.description}  [{variant.evidence}]"
        for variant in VARIANTS.values()
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.faults.server")
