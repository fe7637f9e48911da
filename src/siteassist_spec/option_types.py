"""Types of options and arguments whose messages say what is missing or wrong."""

from __future__ import annotations

import click


class Number(click.FloatRange):
    """A number in a range."""

    name = "number"


class Count(click.IntRange):
    """An integer in a range."""

    name = "integer"


class BaseUrl(click.types.StringParamType):
    """The base URL of a server, as an argument."""

    variable = "SITEASSIST_BASE_URL"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return what to do without the argument."""
        return f"Give the base URL of a server, such as https://host/v2, or set {self.variable}."
