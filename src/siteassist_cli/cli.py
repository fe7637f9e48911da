"""The options of ``siteassist`` and its subcommands."""

from __future__ import annotations

import errno
import importlib
import io
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import NoReturn
from urllib.parse import urlsplit
from uuid import UUID

import click

from siteassist import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CredentialsError,
    SiteAssist,
    SiteAssistError,
)
from siteassist.models import ConversationStatus
from siteassist_cli.chat import Chat, note

MOCK_URL = "http://127.0.0.1:8787/v2"
MOCK_KEY = "sa_pk_1234567890abcdef"
"""The address and the key of ``siteassist-mock``, which is not imported: it has its own extra."""
_FAILED, _CANNOT_START, _INTERRUPTED = 1, 2, 130
_REFUSED, _NOT_FOUND = (401, 403), 404
_PUBLISHABLE = re.compile(r"(?:[a-z]+_)?pk_")
_PRIVATE = re.compile(r"(?:[a-z]+_)?sk_")
"""The beginnings of the keys by which a wrong kind of key is recognised."""

HELP = """Talk to the assistant in a terminal.

Each line that you type is a message, and the answer is printed while it
arrives. Ctrl-D or Ctrl-C ends the command. The conversation stays open, and the
last line of the output shows how to continue it.

\b
Exit status:
  0  every message was answered, or queued for a human agent; also when
     Ctrl-D ends an interactive conversation
  1  the service refused a message or ended an answer early, or an answer
     failed
  2  the conversation could not start: a wrong option, no credential or a
     refused one, no server
  130  interrupted by Ctrl-C

\b
With --json, each answer is one line with one object:
  conversation, device  what --conversation and --device-id take
  message               the id of the answer, or null
  text                  the text of the answer
  complete              whether the answer is complete
  queued                whether the message waits for a human agent
  finishReason, usage   as reported by the service, or null
  error                 why the answer failed, or null

\b
Examples:
  siteassist chat --mock
  siteassist chat --once "What are your opening hours?"
  echo "Summarise this page" | siteassist chat --once - --json
"""


_GROUP_HELP = """Use the SiteAssist API from a terminal.

\b
Completion of options, here in bash (also zsh_source, fish_source):
  eval "$(_SITEASSIST_COMPLETE=bash_source siteassist)"
"""
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


@click.group(help=_GROUP_HELP, context_settings=_SETTINGS)
@click.version_option(
    package_name="siteassist",
    message=f"%(prog)s %(version)s (Python {platform.python_version()})",
)
def main() -> None:
    """Prepare the output."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        click.get_current_context().color = False
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")


@main.command(help=HELP)
@click.option(
    "--once", metavar="TEXT", help="Ask one question and exit; `-` reads it from standard input."
)
@click.option("--json", "as_json", is_flag=True, help="Print each answer as JSON on one line.")
@click.option("--mock", is_flag=True, help=f"Use the mock server at {MOCK_URL} with its own key.")
@click.option("--base-url", metavar="URL", help="Base URL of the API.  [env: SITEASSIST_BASE_URL]")
@click.option(
    "--api-key",
    metavar="KEY",
    help="A publishable key (pk_...). Other users of the machine can see options, but not"
    " the environment variable.  [env: SITEASSIST_API_KEY]",
)
@click.option(
    "--token",
    metavar="TOKEN",
    help="A session token or a private key (sk_...), in place of a publishable key."
    "  [env: SITEASSIST_TOKEN]",
)
@click.option("--conversation", type=click.UUID, metavar="ID", help="Continue this conversation.")
@click.option(
    "--device-id",
    metavar="ID",
    help="The device of the visitor. A visitor can continue only their own conversations."
    "  [default: a new device]",
)
def chat(
    *,
    once: str | None,
    as_json: bool,
    mock: bool,
    base_url: str | None,
    api_key: str | None,
    token: str | None,
    conversation: UUID | None,
    device_id: str | None,
) -> None:
    """Run the command."""
    if mock and (base_url, api_key, token) != (None, None, None):
        raise click.UsageError("--mock has its own base URL and key")
    options = ["--mock"] if mock else [] if base_url is None else ["--base-url", base_url]
    is_typed = once is None and sys.stdin.isatty()
    try:
        questions = _lines() if once is None else [_question(once)]
        with SiteAssist(
            base_url=MOCK_URL if mock else base_url,
            api_key=MOCK_KEY if mock else api_key,
            token=token,
            device_id=device_id,
        ) as client:
            key = MOCK_KEY if mock else api_key or os.environ.get("SITEASSIST_API_KEY")
            # As in the client, a key that is given goes before a token of the environment.
            bearer = token or (None if mock or api_key else os.environ.get("SITEASSIST_TOKEN"))
            talk = Chat(client, _start(client, conversation, key, bearer), as_json)
            if is_typed:
                note(f"This is a conversation with {client.base_url}. Ctrl-D ends it.")
            try:
                _ask(talk, questions, goes_on=is_typed)
            finally:
                if is_typed:
                    options += ["--conversation", talk.conversation]
                    options += [] if token else ["--device-id", client.device_id]
                    note(f"Continue with: siteassist chat {shlex.join(options)}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except SiteAssistError as error:
        _fail(str(error), _CANNOT_START)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # click ends the command
        _fail(f"cannot print the answer: {error.strerror}", _FAILED)


def _question(text: str) -> str:
    """Return the question of ``--once``."""
    question = (sys.stdin.read() if text == "-" else text).strip()
    if not question:
        raise click.UsageError("the question is empty")
    return question


def _lines() -> Iterator[str]:
    """Yield the lines that are typed, or those of another standard input."""
    if not sys.stdin.isatty():
        yield from filter(None, map(str.strip, sys.stdin))
        return
    with suppress(ImportError):
        # Not on Windows, whose terminals edit lines themselves.
        importlib.import_module("readline")
    while True:
        try:
            line = input(_prompt()).strip()
        except EOFError:
            click.echo(err=True)
            return
        except KeyboardInterrupt:
            click.echo(err=True)
            raise
        if line:
            yield line


def _prompt() -> str:
    """Return the prompt, or print it beside an output that is not a terminal."""
    if sys.stdout.isatty():
        return "> "
    click.echo("> ", nl=False, err=True)
    return ""


def _start(
    client: SiteAssist, conversation: UUID | None, key: str | None, token: str | None
) -> str:
    """Start a conversation, or check that the given one can be continued; return its id.

    ``key`` or ``token`` is the credential of the client.
    """
    try:
        if conversation is None:
            return str(client.start_conversation().id)
        found = client.get_conversation(conversation)
    except CredentialsError:
        _fail(
            "no credential: set SITEASSIST_API_KEY, or start siteassist-mock and use --mock",
            _CANNOT_START,
        )
    except APIConnectionError as error:
        if not isinstance(error, APITimeoutError) and _is_this_machine(client.base_url):
            _fail(f"{error}; the command siteassist-mock starts a mock server", _CANNOT_START)
        raise
    except APIStatusError as error:
        remedy = _remedy(error, client.base_url, key, token)
        _fail(f"{error}{remedy and '; '}{remedy}", _CANNOT_START)
    if found.status == ConversationStatus.CLOSED:
        _fail(f"conversation {conversation} is closed", _CANNOT_START)
    return str(found.id)


def _ask(talk: Chat, questions: Iterable[str], *, goes_on: bool) -> None:
    """Ask all questions; the first failure ends the command unless the conversation goes on."""
    whole = True
    for question in questions:
        try:
            whole &= talk.ask(question)
        except SiteAssistError as error:
            if not goes_on:
                _fail(str(error), _FAILED)
            note(str(error), fg="red")
    if not (whole or goes_on):
        sys.exit(_FAILED)


def _remedy(error: APIStatusError, base_url: str, key: str | None, token: str | None) -> str:
    """Return the usual remedy for a refusal at the start; empty if there is none."""
    if error.status_code == _NOT_FOUND and not urlsplit(base_url).path.strip("/"):
        return "expected a base URL like https://host/v2"
    if error.status_code not in _REFUSED:
        return ""
    if token is not None:
        if _PUBLISHABLE.match(token):
            return "this looks like a publishable key, which --api-key takes"
        return "--token takes a session token or a private key (sk_...) of this server"
    if key is not None and _PRIVATE.match(key):
        return "this looks like a private key, which --token takes"
    return "--api-key takes a publishable key (pk_...) of this server"


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _fail(message: str, status: int) -> NoReturn:
    note(f"siteassist: {' '.join(message.split())}", fg="red")
    sys.exit(status)
