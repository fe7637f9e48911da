"""The proxy on the command line."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

import click

from siteassist_mock.http.access_log import log_to_stderr
from siteassist_mock.http.file_limit import raise_file_limit
from siteassist_mock.http.server import (
    base_url,
    describe_listen_error,
    is_loopback,
    listen,
    make_server,
)
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


def leads_to(upstream: str, listening: socket.socket) -> bool:
    """Return whether a base URL is an address of a listening socket, as far as names show it."""
    parts = urlsplit(upstream)
    own, used = listening.getsockname()[:2]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port != used:
        return False
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    every = ipaddress.ip_address(own).is_unspecified
    return any(
        address[0] == own or (every and _is_of_this_machine(family, str(address[0])))
        for family, _, _, _, address in found
    )


def _is_of_this_machine(family: int, address: str) -> bool:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _recording(path: Path | None, document: Document) -> HarFile | None:
    return None if path is None else HarFile(path, Masks(read_operations(document)))


def _prepared(
    proxy: str,
    host: str,
    port: int,
    record: Path | None,
    say: Callable[[str], object],
    fail: Callable[[str], NoReturn],
) -> tuple[Document, ProxySettings, socket.socket]:
    """Return the description, the settings and the listening socket of a proxy."""
    try:
        document = Document.load()
        settings = ProxySettings(upstream_url(proxy), say)
        listening = listen(host, port)
        if leads_to(settings.upstream, listening):
            listening.close()
            fail(f"invalid base URL {proxy!r}: expected another server than the proxy itself")
    except (SpecError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(describe_listen_error(host, port, error))
    try:
        # Not before the proxy can run, since the file is then its own.
        settings.recording = _recording(record, document)
    except OSError as error:
        listening.close()
        fail(f"cannot record in {record}: {error.strerror or error}")
    return document, settings, listening


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
    document, settings, listening = _prepared(proxy, host, port, record, say, fail)
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
