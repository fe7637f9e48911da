"""The ends of a load: hostile servers, a limit of time, internal errors."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from siteassist_contract.load import cli
from tests.contract.load.conftest import refusing
from tests.contract.load.test_cli import FAST, PYTHON, free_port, needs_locust, run, running
from tests.hostile.places import PLACES
from tests.hostile.server import MODES, hostile_server
from tests.values import API_KEY as KEY
from tests.values import ROOT

SECONDS = 2
SHORT = (*FAST, "--time", str(SECONDS))
MEASURED = {
    *("hang", 503, "visit:Visit.run", "visitors:SimulatedVisitor.close"),
    *("report:show", "engine:get_html_report", "report:document"),
}
"""The cases whose processes have coverage, which doubles their time.

The others take the same branches.
"""
# Far more than on an idle machine: only a load without an end takes longer.
START = 60.0
"""The time, in seconds, that the start and the end of the process may take on a busy machine."""
BROKEN_PROGRAM = """
import importlib, sys
import locust
from siteassist_contract.load.__main__ import main
module, _, names = sys.argv.pop(1).partition(":")
*path, name = names.split(".")
owner = importlib.import_module(f"siteassist_contract.load.{module}")
for each in path:
    owner = getattr(owner, each)
kind = {"ValueError": ValueError, "BaseException": BaseException}[sys.argv.pop(1)]
def fail(*_, **__):
    raise kind("an odd value")
setattr(owner, name, fail)
main()
"""
LAST = "Internal error: {}: an odd value; please report it. --debug shows the traceback."


def fail_at(place: str, folder: Path, *words: str, kind: str = "ValueError") -> tuple[int, str]:
    """Run the command with a function that raises, and return its exit status and output."""
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT / "generated")))
    environment = {**os.environ, "SITEASSIST_API_KEY": KEY, "PYTHONPATH": path}
    done = subprocess.run(
        [str(PYTHON), "-P", "-c", BROKEN_PROGRAM, place, kind, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> None:
    """Include the process of a case in coverage."""
    if MEASURED & set(request.node.callspec.params.values()):
        request.getfixturevalue("measured_children")


@pytest.mark.sweep(2)
@pytest.mark.usefixtures("measured")
@needs_locust
@pytest.mark.parametrize(
    ("mode", "place"),
    [
        ("hang", "messages"),
        ("drip-head", "later"),
        ("drip-body", "messages"),
        ("endless-continue", "messages"),
        ("reset", "later"),
    ],
)
def test_hostile_server_is_never_kept(mode: str, place: str, tmp_path: Path) -> None:
    """A server that hangs, drips, pours or resets ends with an incomplete load, in time."""
    with hostile_server(MODES[mode], PLACES[place]) as server:
        began = time.monotonic()
        status, printed = run(tmp_path, server.url, *SHORT)
        took = time.monotonic() - began
    assert 2 == status, printed
    assert took < 1.2 * SECONDS + START
    assert printed.splitlines()[-1].startswith("Incomplete: no visit of at least 4 came to an end")
    document = json.loads((tmp_path / "reports" / "load.json").read_text())
    assert ("incomplete", 2, 0) == (
        document["verdict"],
        document["exit_status"],
        document["done"]["visits"],
    )


@pytest.mark.parametrize("mode", ["hang", "drip-head", "drip-body"])
def test_start_has_a_limit_of_time(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that never ends its first answer is an incomplete load after some seconds."""
    assert cli._START < 15
    monkeypatch.setattr(cli, "_START", 0.2)
    options = ("--api-key", KEY, "--reports", str(tmp_path))
    with hostile_server(MODES[mode], PLACES["first"]) as server:
        ended = CliRunner().invoke(cli.main, [server.url, *options])
    assert (2, 1) == (ended.exit_code, ended.output.count("\n")), ended.output
    assert ended.output.startswith("Incomplete: nothing was tested: ")


@pytest.mark.usefixtures("measured")
@needs_locust
@pytest.mark.parametrize("status", [402, 503])
def test_refusals_are_an_incomplete_load(status: int, tmp_path: Path) -> None:
    """A server that refuses everything tests nothing, in so many words if that is allowed."""
    with refusing(status, after=5) as url:
        ended, printed = run(tmp_path, url, *SHORT, "--allow-incomplete")
    last = printed.splitlines()[-1]
    assert 0 == ended, printed
    assert last.startswith("Incomplete: no visit of at least 4 came to an end: the server answered")
    assert last.endswith("(exit status 0 because of --allow-incomplete).")
    document = json.loads((tmp_path / "reports" / "load.json").read_text())
    assert ("incomplete", True, last) == (
        document["verdict"],
        document["allowed_incomplete"],
        document["line"],
    )


@needs_locust
def test_server_that_refuses_from_the_start_is_incomplete(tmp_path: Path) -> None:
    """A 503 for the first request is no violation."""
    with refusing(503, after=0) as url:
        status, printed = run(tmp_path, url, *SHORT)
    assert (2, 1) == (status, printed.count("\n"))
    assert printed.startswith("Incomplete: nothing was tested: the server is not ready")


@pytest.mark.sweep(5)
@pytest.mark.usefixtures("measured")
@needs_locust
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("visit:Visit.run", "ValueError"),
        ("visit:Visit.run", "BaseException"),
        ("visitors:SimulatedVisitor.__init__", "ValueError"),
        ("visitors:SimulatedVisitor.close", "ValueError"),
        ("visitors:VisitorPool.lost", "ValueError"),
        ("visitors:VisitorPool.settle", "ValueError"),
        ("engine:Engine._measure", "ValueError"),
        ("engine:Engine._progress", "ValueError"),
        ("engine:Engine._stop_visitors", "ValueError"),
        ("report:show", "ValueError"),
        ("engine:get_html_report", "ValueError"),
        ("report:document", "ValueError"),
    ],
)
def test_internal_error_is_never_a_verdict(place: str, kind: str, url: str, tmp_path: Path) -> None:
    """An error anywhere gives status 3 and one line; a report that fails loses only itself."""
    status, printed = fail_at(place, tmp_path, url, *SHORT, "--visits", "8", kind=kind)
    assert 3 == status, printed
    assert LAST.format(kind) == printed.splitlines()[-1]
    assert "Traceback" not in printed
    lost = {"engine:get_html_report": "load.html", "report:document": "load.json"}.get(place)
    written = {path.name for path in (tmp_path / "reports").iterdir()}
    assert {"load.html", "load.json"} - {lost} == written
    if "load.json" in written:
        document = json.loads((tmp_path / "reports" / "load.json").read_text())
        assert ("internal error", 3) == (document["verdict"], document["exit_status"])


@needs_locust
@pytest.mark.parametrize("place", ["engine:Engine.__post_init__", "cli:preflight.check"])
def test_internal_error_before_the_load_is_one_line(place: str, url: str, tmp_path: Path) -> None:
    """An error before the load has no report, and its traceback only on request."""
    status, printed = fail_at(place, tmp_path, url, *FAST)
    assert (3, LAST.format("ValueError") + "\n") == (status, printed)
    status, printed = fail_at(place, tmp_path, url, *FAST, "--debug")
    assert (3, 1) == (status, printed.count("Traceback (most recent call last)"))


@needs_locust
def test_debug_shows_the_traceback_of_a_visitor(url: str, tmp_path: Path) -> None:
    """The traceback of an exception that Locust catches is printed with --debug, without keys."""
    status, printed = fail_at("visit:Visit.run", tmp_path, url, *FAST, "--debug")
    assert 3 == status
    assert ", in fail\nValueError: an odd value" in printed
    assert KEY not in printed


@needs_locust
def test_internal_error_of_a_worker_reaches_its_master(url: str, tmp_path: Path) -> None:
    """An error in a worker is the verdict of its master, and of the worker."""
    where = ("--master-port", free_port())
    with running(tmp_path, url, *FAST, "--master", *where, "--time", "20") as master:
        ended, said = fail_at(
            "visit:Visit.run", tmp_path, url, "--worker", "--think", "0", "0", *where
        )
        printed, _ = master.communicate()
    assert (3, LAST.format("ValueError") + "\n") == (ended, said)
    assert 3 == master.returncode, printed
    assert LAST.format("ValueError") == printed.splitlines()[-1]
