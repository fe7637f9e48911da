"""Command-line options for faults, limits and strict checks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from siteassist_mock.faults.plan import FAULTS, parse_planned
from siteassist_mock.http.limits import parse_rate
from siteassist_spec.option_types import Count


def _each(parse: Callable[[str], object]) -> Callable[..., tuple[str, ...]]:
    """Return a callback of click that reports the `ValueError` of ``parse``."""

    def check(_context: object, _parameter: object, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            try:
                parse(text)
            except ValueError as error:
                raise click.BadParameter(str(error)) from None
        return texts

    return check


_OPTIONS = (
    click.option(
        "--fault",
        "faults",
        metavar="NAME[=VALUE][:SHARE]",
        multiple=True,
        callback=_each(parse_planned),
        help="Fault in a random share of the responses or sockets, such as `truncate:0.1`; may be"
        f" repeated. NAME is one of {', '.join(FAULTS)}.",
    ),
    click.option(
        "--fault-seed",
        type=int,
        default=0,
        show_default=True,
        help="Seed of the random choice of requests that get faults.",
    ),
    click.option(
        "--rate-limit",
        "rate_limits",
        metavar="N/(s|m|h)",
        multiple=True,
        callback=_each(parse_rate),
        help="Number of requests allowed per visitor or address, such as `60/m`;"
        " may be repeated.  [default: unlimited]",
    ),
    click.option(
        "--quota",
        type=Count(0),
        metavar="N",
        help="Number of messages allowed in total.  [default: unlimited]",
    ),
    click.option("--strict", is_flag=True, help="Check responses against openapi.yaml as well."),
)


def failure_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command.

    The command gets them as ``failures``, a dictionary of fields of
    `siteassist_mock.settings.MockSettings`.
    """

    @functools.wraps(command)
    def called(
        *,
        faults: tuple[str, ...],
        fault_seed: int,
        rate_limits: tuple[str, ...],
        quota: int | None,
        strict: bool,
        **others: Any,
    ) -> Any:
        failures = {
            "faults": faults,
            "fault_seed": fault_seed,
            "rate_limits": rate_limits,
            "quota": quota,
            "strict": strict,
        }
        return command(failures=failures, **others)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
