"""Requests as curl commands for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from siteassist_spec.samples.request import HttpRequest, Request


def command(
    request: HttpRequest,
    *,
    options: Sequence[str] = (),
    quote: Callable[[str], str] = shlex.quote,
    separator: str = " \\\n  ",
) -> str:
    """Return the command that sends a request.

    ``options`` are inserted before the URL. ``quote`` quotes a string for the shell; to
    get a command with variables, pass a function that replaces strings by variables.
    """
    words = [" ".join(["curl", *options, quote(request.url)])]
    # The default method of curl needs no option.
    if request.method != ("GET" if request.content is None else "POST"):
        words.append(f"--request {request.method}")
    words += [f"--header {quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    if request.content is not None:
        # With --data, curl would read a value with a leading @ from a file.
        option = "--data-raw" if request.content.startswith("@") else "--data"
        words.append(f"{option} {quote(request.content)}")
    return separator.join(words)


def program(request: Request) -> str:
    """Return the sample for a request."""
    options = ["--no-buffer"] if request.streams else []
    return command(request.http, options=options) + "\n"
