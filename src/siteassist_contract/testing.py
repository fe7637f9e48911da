"""Contract tests from Python: the server to test, and one run on it.

`siteassist_contract.pytest_plugin` makes a test of each rule and operation of such a run.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from siteassist_contract import description
from siteassist_contract.ending import rows_of, verdict_of
from siteassist_contract.http import preflight
from siteassist_contract.http.network import Network
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.running_app import App, RunningApp
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report import baseline, summary
from siteassist_contract.report.versions import versions
from siteassist_contract.rules import RULES
from siteassist_contract.run import Options, Run
from siteassist_contract.selection import Pair, Selection
from siteassist_spec import Json, base_path

_HOST = "http://app.test"
"""The address of an application in the process, which no connection uses."""


@dataclass(frozen=True)
class Server:
    """A server to test, and the credentials for it.

    >>> Server("https://host/v2", api_key="pk_...")
    """

    place: str | App
    """The base URL of the API, or an ASGI application, which is called in this process."""
    api_key: str | None = field(default=None, repr=False)
    """A publishable key, which starts sessions for any number of visitors."""
    token: str | None = field(default=None, repr=False)
    """A session token or a private key, which is that of one visitor."""
    second_token: str | None = field(default=None, repr=False)
    """The token of another visitor, for tests of isolation without a key."""
    origin: str | None = None
    """The origin of a website that the key lists."""
    human_conversation: str | None = None
    """The id of a conversation of the token's visitor, handled by a human agent."""
    path: str | None = None
    """The path of the API in an application; by default the described one."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    profile: str = "quick"
    seed: int = 0
    seconds: float | None = None
    """Maximum duration; by default the profile's."""
    baseline: Path | None = None
    """A file of accepted violations."""
    pairs: Collection[Pair] | None = None
    """The pairs of rule and operation to test; None for all."""
    selected_by: str = ""
    """The options that selected the pairs, for the verdict."""


def pairs() -> Iterator[Pair]:
    """Yield each rule with each operation that it applies to."""
    for rule, known in RULES.items():
        for operation in known.operations:
            yield rule, operation


def run(server: Server, settings: Settings | None = None) -> Json:
    """Test a server, and return the content of the report ``summary.json``.

    Raises `siteassist_contract.verdict.CannotRunError` if the tests cannot start, and
    `KeyboardInterrupt` if they are interrupted.
    """
    settings = settings or Settings()
    known = frozenset[str]() if settings.baseline is None else baseline.read(settings.baseline)
    with _target(server) as target:
        begun, started = time.monotonic(), datetime.now(UTC)
        seen = preflight.check(target)
        profile = PROFILES[settings.profile]
        if target.network.app is not None:
            # The process that generates requests needs a port.
            profile = replace(profile, examples=0)
        options = Options(
            profile=profile,
            seed=settings.seed,
            seconds=settings.seconds,
            known=known,
            human_conversation=server.human_conversation,
            secrets=seen,
            selection=_selection(settings),
        )
        outcome = Run(target, options).run()
    if outcome.interrupted:
        raise KeyboardInterrupt
    rows = rows_of(outcome, target, options)
    report = summary.Report(
        base_url=target.base_url,
        profile=profile,
        seed=options.seed,
        repeat=shlex.join(["pytest", *shlex.split(settings.selected_by.removeprefix("pytest"))]),
        variables=(),
        started=started,
        versions=versions(),
        time_limit=options.limit,
        outcome=outcome,
        verdict=verdict_of(outcome, options, rows),
        rows=rows,
        seconds=time.monotonic() - begun,
        selection=options.selection.options,
    )
    document: Json = json.loads(json.dumps(summary.document(report.redacted)))
    return document


@contextmanager
def _target(server: Server) -> Iterator[Target]:
    with contextlib.ExitStack() as stack:
        network = Network()
        if isinstance(server.place, str):
            url = preflight.base_url(server.place)
        else:
            network = Network(app=stack.enter_context(RunningApp(server.place)))
            path = base_path(description.document()) if server.path is None else server.path
            url = preflight.base_url(_HOST + path)
        yield Target(
            url,
            server.api_key,
            server.token,
            network=network,
            second_token=server.second_token,
            origin=server.origin,
        )


def _selection(settings: Settings) -> Selection:
    if settings.pairs is None:
        return Selection()
    return Selection(pairs=frozenset(settings.pairs), options=settings.selected_by)
