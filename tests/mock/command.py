"""Helpers that run the command, and a server with other limits."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_mock.cli import main
from siteassist_mock.http.server import base_url, listen, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODULE = (sys.executable, "-m", "siteassist_mock")


@contextmanager
def started(
    *arguments: str, count: int = 1, command: tuple[str, ...] = (*MODULE, "--port", "0")
) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Start the command; yield its process, its base URL and its first lines of output."""
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().rstrip("\n") for _ in range(count)]
            yield process, lines[0].split()[3], lines
        finally:
            process.kill()


def refused(*arguments: str) -> str:
    """Run the command in this process and return the line with which it refuses to start."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        main(["--port", "0", *arguments])
    assert (2, "") == (ended.value.code, output.getvalue())
    line, rest = errors.getvalue().split("\n", 1)
    assert "" == rest
    return line


@contextmanager
def limited(spec: Mapping[str, Any] | None = None, **limits: Any) -> Iterator[str]:
    """Run a server with limits, which are arguments of `make_server`."""
    app = create_app(spec=spec)
    server = make_server(app, **limits)
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield base_url(app, listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        app.state.store.close()
