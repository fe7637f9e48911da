"""The proxy on the command line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

import click

from siteassist_mock.http.access_log import log_to_stderr
from siteassist_mock.http.file_limit import raise_file_limit
from siteassist_mock.http.server import base_url, is_loopback, listen, make_server
from siteassist_mock.proxy.app import ProxySettings, create_proxy
from siteassist_mock.proxy.har_file import HarFile
from siteassist_mock.proxy.masks import Masks
from siteassist_spec import Document, SpecError, read_operations


def upstream_url(text: str) -> str:
    """Return the base URL of a server, without a slash at its end.

    Raises `ValueError` if it is invalid.
    """
    invalid = ValueError(f"invalid base URL {text!r}: expected something like https://host/v2")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise invalid from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise invalid
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("a base URL must not have a query, a fragment, a user or a password")
    return text.rstrip("/")


def _recording(path: Path | None, document: Document) -> HarFile | None:
    return None if path is None else HarFile(path, Masks(read_operations(document)))


def serve(
    proxy: str,
    host: str,
    port: int,
    record: Path | None,
    *,
    grace_seconds: float,
    quiet: bool,
    fail: Callable[[str], NoReturn],
) -> None:
    """Run the proxy until it is stopped. Call ``fail`` with the reason why it cannot run."""

    def say(sentence: str) -> None:
        click.echo(f"siteassist-mock: {sentence}", err=True)

    raise_file_limit()
    try:
        document = Document.load()
        settings = ProxySettings(upstream_url(proxy), say, _recording(record, document))
        listening = listen(host, port)
    except (SpecError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        place = (
            f"listen on {host}, port {port}" if error.filename is None else f"record in {record}"
        )
        fail(f"cannot {place}: {error.strerror or error}")
    recording = settings.recording
    app = create_proxy(settings, document)
    server = make_server(app, grace_seconds=grace_seconds, say=say)
    if not quiet:
        log_to_stderr()
    if not is_loopback(listening):
        say(
            f"warning: {host} is not a loopback address: everyone who can reach this machine can"
            " send requests to the server"
        )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # The server has handlers of its own while it runs.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    click.echo(f"SiteAssist mock on {base_url(app, listening)} (proxy for {settings.upstream})")
    if record is not None:
        click.echo(f"recording:       {record}")
    sys.stdout.flush()
    try:
        server.run(sockets=[listening])
    finally:
        if recording is not None:
            recording.close()
    count = app.state.proxy.violations
    answers = "1 answer does" if count == 1 else f"{count} answers do"
    say(f"{answers} not match openapi.yaml")
    if record is not None:
        say(f"for a verdict: siteassist-contract check {record}")
