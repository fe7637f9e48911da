"""Requests as curl commands for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from siteassist_spec.samples.request import HttpRequest, Request

__all__ = ["command", "program"]


def command(
    request: HttpRequest,
    *,
    options: Sequence[str] = (),
    quote: Callable[[str], str] = shlex.quote,
    separator: str = " \\\n  ",
) -> str:
    """Return the command that sends a request.

    ``options`` stand before the URL. ``quote`` writes a text as a word of the shell: a
    function that replaces certain texts by variables gives a command with variables.
    """
    words = [" ".join(["curl", *options, quote(request.url)])]
    # The method that curl takes by itself.
    if request.method != ("GET" if request.content is None else "POST"):
        words.append(f"--request {request.method}")
    words += [f"--header {quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    if request.content is not None:
        # Unlike --data, it takes a leading @ as it is.
        option = "--data-raw" if request.content.startswith("@") else "--data"
        words.append(f"{option} {quote(request.content)}")
    return separator.join(words)


def program(request: Request) -> str:
    """Return the sample of a request."""
    options = ["--no-buffer"] if request.streams else []
    return command(request.http, options=options) + "\n"
