"""Faulty servers behind the proxy: their recorded traffic shows most faults, and nothing else.

The faults are the first two of each class that the requests of a page's widget can show.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import click
import httpx
import pytest
from click.testing import CliRunner

from siteassist_contract.subcommands import check
from siteassist_mock.app import create_app
from siteassist_mock.http.server import base_url, listen, make_server
from siteassist_mock.proxy.app import ProxySettings, create_proxy
from siteassist_mock.proxy.har_file import HarFile
from siteassist_mock.proxy.masks import Masks
from siteassist_mock.testing import serving
from siteassist_spec import Document, read_operations
from tests.contract.recording.traffic import long_visit, visit
from tests.faults.catalogue import MUTANTS
from tests.faults.mutant import CLASSES
from tests.faults.socket_variants import SOCKET_VARIANTS
from tests.faults.transport_variants import TRANSPORT_VARIANTS
from tests.faults.variants import VARIANTS
from tests.mock.command import started
from tests.values import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result
    from starlette.applications import Starlette

pytestmark = pytest.mark.one_interpreter

DOCUMENT = Document.load()
OPERATIONS = read_operations(DOCUMENT)
NOT_SHOWN = {
    "texts": "the visitor writes ordinary characters",
    "access": "ids in other forms",
    "sizes": "many or large objects",
    "inputs": "malformed requests",
    "overlap": "several requests at once",
    "browsers": "preflights",
    "negotiation": "unusual headers",
    "error-bodies": "malformed requests",
    "socket": "the proxy passes no sockets on",
    "reported": "of all kinds, those above included",
}
"""The classes of faults that a widget's requests do not show: what they need instead."""
CHOSEN = [
    mutant
    for kind in CLASSES
    if kind not in NOT_SHOWN
    for mutant in islice((each for each in MUTANTS.values() if each.kind == kind), 2)
]
LEAST_FOUND = 15
PAGE = ROOT / "docs" / "how-to" / "daily.md"
WITHOUT_SOCKETS = [each.id for each in VARIANTS.values() if each not in SOCKET_VARIANTS]
"""The variants that the proxy can show; it passes no sockets on."""
OF_TRANSPORT = {each.id for each in TRANSPORT_VARIANTS} | {"qnas-slow", "stream-slow"}
"""The variants that differ in transport or in pace, which the shorter visit shows as well."""
NOT_DESCRIBED = {"misspelled"}
"""The variants that the proxy reports, which compares each answer with the description only."""


@contextmanager
def proxying(upstream: str, record: Path) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy in this process; yield its base URL and the sentences that it says."""
    said: list[str] = []
    recording = HarFile(record, Masks(OPERATIONS))
    # A connection that is kept would be left open at the end.
    way = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
    app = create_proxy(ProxySettings(upstream, said.append, recording, way), DOCUMENT)
    server, listening = make_server(app, grace_seconds=0.2), listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield base_url(app, listening), said
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        recording.close()


def send(requests: Callable[[httpx.Client], None], url: str) -> None:
    """Send the requests of a visit to a base URL."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        requests(http)


def judge(recording: Path) -> Result:
    """Judge a recording, with the reports beside it."""
    return CliRunner().invoke(
        check.main, [str(recording), "--reports", str(recording.parent / "reports")]
    )


def judged(
    app: Starlette, folder: Path, requests: Callable[[httpx.Client], None] = long_visit
) -> tuple[Result, list[str]]:
    """Return the judgement of a server's recorded traffic, and what the proxy said about it."""
    path = folder / "traffic.har"
    path.unlink(missing_ok=True)
    with serving(app) as mock, proxying(mock.url, path) as (url, said):
        send(requests, url)
    return judge(path), said


def test_proxy_command_records_faults(tmp_path: Path) -> None:
    """The recording of the command itself is judged: kept for the mock, broken for a mutant."""
    seen = {}
    for name, app in (("mock", create_app()), (CHOSEN[-1].id, CHOSEN[-1].app())):
        path = tmp_path / f"{name}.har"
        with (
            serving(app) as mock,
            started("--proxy", mock.url, "--record", str(path), count=2) as (_, url, _),
        ):
            send(long_visit, url)
        seen[name] = judge(path).exit_code
    assert {"mock": 0, CHOSEN[-1].id: 1} == seen


def test_most_faults_are_found(tmp_path: Path) -> None:
    """At least 15 of 20 are violations, as many as the page says; the table shows which ones."""
    assert 20 == len(CHOSEN)
    lines, found = [], 0
    for mutant in CHOSEN:
        result, _ = judged(mutant.app(), tmp_path)
        assert result.exit_code in (0, 1), result.output
        found += result.exit_code
        words = "found" if result.exit_code else "not found"
        lines.append(f"{mutant.kind:<10}  {mutant.id:<40}  {words}")
    table = "\n".join([*lines, f"{found} of {len(CHOSEN)} found"])
    click.echo(table)
    assert found >= LEAST_FOUND, table
    page = PAGE.read_text("utf-8")
    assert f"servers behind the proxy have {len(CHOSEN)} [faults]" in page
    assert f"`check` finds {found} of them," in page, table


@pytest.mark.sweep(12)
@pytest.mark.parametrize("name", WITHOUT_SOCKETS)
def test_tolerated_variant_is_kept(name: str, tmp_path: Path) -> None:
    """What the documents leave free is no violation."""
    requests = visit if name in OF_TRANSPORT else long_visit
    result, said = judged(VARIANTS[name].app(), tmp_path, requests)
    assert 0 == result.exit_code, result.output
    assert (name in NOT_DESCRIBED) == bool(said), said
