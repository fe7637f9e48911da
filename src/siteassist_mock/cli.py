"""The command line of ``siteassist-mock``."""

from __future__ import annotations

import gc
import platform
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY
from siteassist_mock.options import failure_options
from siteassist_spec.option_types import Count, Number

_OPTIONS_OF_THE_PROXY = frozenset({"grace", "host", "port", "proxy", "quiet", "record"})
_EPILOG = """\b
Examples:
  siteassist-mock
      serve on http://127.0.0.1:8787/v2 with the state in memory
  siteassist-mock --port 0 --database mock.db
      serve on a free port and keep the state in a file
  curl http://127.0.0.1:8787/v2/identity/me \\
      -H 'Authorization: Bearer sk_test_1234567890abcdef'
      get the visitor of the private key
  siteassist-mock --proxy https://host/v2 --record traffic.har
      pass requests on to a server, and record and judge its answers

\b
Completion of options, here in bash (also zsh_source, fish_source):
  eval "$(_SITEASSIST_MOCK_COMPLETE=bash_source siteassist-mock)"
"""


@click.command(
    epilog=_EPILOG,
    context_settings={"max_content_width": 80, "help_option_names": ["-h", "--help"]},
)
@click.version_option(
    package_name="siteassist",
    message=f"%(prog)s %(version)s (Python {platform.python_version()})",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=Count(0, 65535),
    default=8787,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--database",
    metavar="FILE|URL",
    help="Where to keep the state: an SQLite file, which is created if missing, or a URL such as"
    " postgresql://host/name, which several servers can share."
    "  [default: in memory]",
)
@click.option(
    "--api-key",
    default=API_KEY,
    show_default=True,
    help="Publishable key, for `init` and the parameter `apiKey`.",
)
@click.option(
    "--private-key",
    default=PRIVATE_KEY,
    show_default=True,
    help="Private key, for the bearer token.",
)
@click.option(
    "--seed",
    metavar="FILE",
    help="YAML file with `project`, `publishableKeys`, `privateKeys`, `qnas` and `pages`; missing"
    " sections have the built-in values.",
)
@click.option(
    "--script",
    metavar="FILE",
    help="YAML file of scripted answers: a list of rules with `when` (a text, or a regular"
    " expression between slashes), `answer` or `events`, `metadata`, `delay` and `error`.",
)
@click.option(
    "--stream-delay",
    type=Number(0, 60),
    default=0.0,
    metavar="SECONDS",
    help="Time to wait after each event of a stream.  [default: 0]",
)
@click.option(
    "--session-seconds",
    type=Number(0, min_open=True),
    default=1800.0,
    metavar="SECONDS",
    help="Time after which an unused session token expires.  [default: 1800]",
)
@failure_options
@click.option(
    "--no-control",
    is_flag=True,
    help="Disable the operator's page and all control endpoints under /_mock.",
)
@click.option(
    "--grace",
    type=Number(0),
    metavar="SECONDS",
    default=10,
    show_default=True,
    help="How long open requests and streams may take to finish when the server stops.",
)
@click.option("--quiet", is_flag=True, help="Do not log requests.")
@click.option(
    "--proxy",
    metavar="URL",
    help="Pass requests on to the server at this base URL, such as https://host/v2, and compare its"
    " answers with openapi.yaml, in place of serving the mock.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --proxy: record the traffic as a HAR file, without credentials, for"
    " `siteassist-contract check`.",
)
def main(
    *,
    host: str,
    port: int,
    database: str | None,
    api_key: str,
    private_key: str,
    seed: str | None,
    script: str | None,
    stream_delay: float,
    session_seconds: float,
    failures: dict[str, Any],
    no_control: bool,
    grace: float,
    quiet: bool,
    proxy: str | None,
    record: Path | None,
) -> None:
    """Run a stateful mock server of the SiteAssist v2 API.

    It checks every request against openapi.yaml, serves all operations and stores
    the data of clients. After Ctrl-C, running requests may end within --grace
    seconds; a second Ctrl-C stops it at once.
    """
    # Imported here because they take most of the start, and `--help` does not need them.
    if proxy is not None:
        _refuse_options_of_the_mock(click.get_current_context())
        from siteassist_mock.proxy.command import serve

        _enable_collection()
        serve(proxy, host, port, record, grace_seconds=grace, quiet=quiet, fail=_fail)
        return
    if record is not None:
        raise click.UsageError("--record needs --proxy URL")
    from siteassist_mock.app import create_app
    from siteassist_mock.content.yaml_file import FileError
    from siteassist_mock.http.access_log import log_to_stderr
    from siteassist_mock.http.file_limit import raise_file_limit
    from siteassist_mock.http.server import (
        base_url,
        describe_listen_error,
        is_loopback,
        listen,
        make_server,
        operator_url,
        reference_url,
    )
    from siteassist_mock.settings import MockSettings
    from siteassist_mock.storage.database import StoreError, shown
    from siteassist_spec import SpecError

    _enable_collection()
    settings = MockSettings(
        api_key=api_key,
        private_key=private_key,
        database=database,
        seed=None if seed is None else Path(seed),
        script=None if script is None else Path(script),
        stream_delay=stream_delay,
        session_seconds=session_seconds,
        control=not no_control,
        grace_seconds=grace,
        **failures,
    )
    raise_file_limit()
    try:
        app = create_app(settings)
    except (FileError, SpecError, StoreError) as error:
        _fail(str(error))
    try:
        listening = listen(host, port)
    except (OSError, UnicodeError) as error:
        app.state.store.close()
        _fail(describe_listen_error(host, port, error))
    server = make_server(
        app,
        grace_seconds=grace,
        say=lambda line: click.echo(f"siteassist-mock: {line}", err=True),
    )
    if not quiet:
        log_to_stderr()
    if not is_loopback(listening):
        click.echo(
            f"siteassist-mock: warning: {host} is not a loopback address: everyone who can reach"
            " this machine can read and change all data",
            err=True,
        )

    if app.state.store.has_separate_events:
        click.echo(
            f"siteassist-mock: warning: another server uses {shown(str(database))}: sockets get the"
            " events of their own server only; with PostgreSQL they get all",
            err=True,
        )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # The server has its own handlers while it runs, and raises the signal again at
    # the end, which must result in exit status 0. A signal before it runs must stop
    # it as well.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)

    state = f"state in {shown(database)}" if database else "state in memory"
    click.echo(f"SiteAssist mock on {base_url(app, listening)} ({state})")
    click.echo(f"publishable key: {', '.join(app.state.api_keys)}")
    # The built-in key is public; another one may be secret.
    known = private_key == PRIVATE_KEY and not app.state.seed.private_keys
    click.echo(f"private key:     {PRIVATE_KEY if known else 'as given'}")
    if settings.control:
        click.echo(f"operator's page: {operator_url(listening)}")
    click.echo(f"reference:       {reference_url(listening)}")
    sys.stdout.flush()
    try:
        server.run(sockets=[listening])
    finally:
        app.state.store.close()


def _enable_collection() -> None:
    """Collect garbage from now on, but do not search the modules for it, which stay loaded."""
    if gc.isenabled():
        return  # Called by another program, whose objects are its own.
    gc.freeze()
    gc.enable()


def _refuse_options_of_the_mock(context: click.Context) -> None:
    """Raise an error for an option that a proxy would ignore."""
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        if given and option.name not in _OPTIONS_OF_THE_PROXY:
            raise click.UsageError(f"{option.opts[0]} cannot be used with --proxy")


def _fail(message: str) -> NoReturn:
    click.echo(f"siteassist-mock: {' '.join(message.split())}", err=True)
    sys.exit(2)
