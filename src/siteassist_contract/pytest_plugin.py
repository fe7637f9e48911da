"""The pytest plugin: a test for each rule and operation of the contract.

``pytest --siteassist-url URL`` adds the tests, and so does a test function with the fixture
`siteassist_contract`. One run on the server gives the results of all of them. With pytest-xdist,
the first process that needs the results makes the run, and the others wait for it.

pytest imports this module in every run, so it imports the tests only when they are needed.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from siteassist_contract.selection import Pair
    from siteassist_contract.testing import Server

_FIXTURE = "siteassist_contract"
_VERDICT = ("verdict", "")
"""The test of the run as a whole, beside those of its rules."""
_FOLDER = "siteassist_contract_folder"
"""The key of the folder that processes of pytest-xdist share."""
_LONGEST = 24 * 3600.0
"""Maximum time, in seconds, that a process waits for the run of another one."""
_CREDENTIALS = {
    "--siteassist-api-key": "SITEASSIST_API_KEY",
    "--siteassist-token": "SITEASSIST_TOKEN",
    "--siteassist-second-token": "SITEASSIST_SECOND_TOKEN",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("siteassist", "contract tests of the SiteAssist v2 API")
    group.addoption(
        "--siteassist-url",
        metavar="URL",
        help="add a test for each rule and operation of the server at URL, such as"
        " http://127.0.0.1:8787/v2",
    )
    for option, variable in _CREDENTIALS.items():
        group.addoption(option, metavar="TEXT", help=f"a credential; by default that in {variable}")
    group.addoption(
        "--siteassist-profile",
        choices=("quick", "default", "deep"),
        default="quick",
        help="how thorough the tests are (default: quick)",
    )
    group.addoption(
        "--siteassist-seconds",
        type=float,
        metavar="SECONDS",
        help="maximum duration; by default the profile's",
    )
    group.addoption(
        "--siteassist-seed", type=int, default=0, metavar="N", help="seed of the run (default: 0)"
    )
    group.addoption(
        "--siteassist-baseline",
        type=Path,
        metavar="FILE",
        help="accepted violations, which are skipped",
    )


@pytest.fixture(scope="session")
def siteassist_server(request: pytest.FixtureRequest) -> Any:
    """Return the server to test: a base URL, an ASGI application, or a `Server` with credentials.

    A project overrides this fixture, unless it uses ``--siteassist-url``.
    """
    url = request.config.getoption("--siteassist-url")
    if url is None:
        raise pytest.UsageError(
            "give --siteassist-url, or define a fixture siteassist_server that returns a base URL"
            " or an ASGI application"
        )
    return url


@pytest.fixture
def siteassist_contract(request: pytest.FixtureRequest, siteassist_server: Any) -> Case:
    """Return a rule and an operation, which is tested before the body of the test runs."""
    rule, operation = request.param
    return Case(rule, operation, _Suite.of(request.node), siteassist_server)


@dataclass(frozen=True)
class Case:
    """The test of a rule on an operation."""

    rule: str
    """The id of the rule, or ``verdict`` for the run as a whole."""
    operation: str
    """The ``operationId``; empty for the run as a whole."""
    suite: _Suite = field(repr=False)
    server: Any = field(repr=False)

    def check(self) -> None:
        """Raise `AssertionError` with the finding if the server breaks the rule."""
        __tracebackhide__ = True
        report = self.suite.report(self.server)
        if (self.rule, self.operation) == _VERDICT:
            if report["verdict"] not in ("kept", "broken"):
                raise AssertionError(report["line"])
            return
        finding = [
            found
            for found in report["violations"]
            if (found["rule"], found["operation"]) == (self.rule, self.operation)
        ]
        if any(not found["known"] for found in finding):
            raise AssertionError(_shown(finding))
        if finding:
            pytest.skip(f"accepted by the baseline: {finding[0]['actual']}")
        row = next(
            row
            for row in report["coverage"]
            if (row["kind"], row["what"], row["operation"]) == ("rule", self.rule, self.operation)
        )
        if row["reason"] and not row["excused"]:
            raise AssertionError(f"not tested: {row['reason']}")
        if row["reason"]:
            pytest.skip(row["reason"])


class Item(pytest.Item):
    """The test of a rule on an operation of the server at ``--siteassist-url``."""

    def __init__(self, *, pair: Pair, suite: _Suite, **rest: Any) -> None:
        """Test a pair of rule and operation."""
        super().__init__(**rest)
        self.pair = pair
        suite.items.append(self)
        self._suite = suite

    def runtest(self) -> None:
        """Run the test."""
        url = self.config.getoption("--siteassist-url")
        Case(*self.pair, self._suite, url).check()

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Return the finding, or the traceback of another error."""
        if isinstance(excinfo.value, AssertionError | pytest.UsageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Return the name of the test; it has no file."""
        return str(self.config.rootpath), None, self.nodeid


class Collector(pytest.Collector):
    """The tests of the server at ``--siteassist-url``."""

    def collect(self) -> Iterator[Item]:
        """Yield a test for each rule and operation, and one for the verdict."""
        suite = _Suite(self.config, self.nodeid)
        for pair in _pairs():
            yield Item.from_parent(self, name=_name(pair), pair=pair, suite=suite)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of ``--siteassist-url``, unless a test function has them."""
    if config.getoption("--siteassist-url") is None or any(map(_is_ours, items)):
        return
    collector = Collector.from_parent(session, name="siteassist-contract", nodeid="siteassist")
    items += collector.collect()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each rule and operation of a function that has the fixture."""
    if _FIXTURE in metafunc.fixturenames:
        pairs = list(_pairs())
        metafunc.parametrize(_FIXTURE, pairs, ids=map(_name, pairs), indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Check the rule before the body of the test, which may be empty."""
    case = pyfuncitem.funcargs.get(_FIXTURE)
    if isinstance(case, Case):
        case.check()
    return (yield)


class _Suite:
    """The tests whose results are those of one run."""

    def __init__(self, config: pytest.Config, key: str) -> None:
        self.items: list[Item] = []
        self._config = config
        self._key = key
        self._outcome: dict[str, Any] | None = None
        self._selected: list[Pair] | None = None

    @classmethod
    def of(cls, item: pytest.Function) -> _Suite:
        """Return the suite of a test function, which all of its tests share."""
        suites = item.config.stash.setdefault(_SUITES, {})
        key = item.nodeid.partition("[")[0]
        suite = suites.setdefault(key, cls(item.config, key))
        if suite._selected is None:
            selected: list[Any] = [
                other.callspec.params[_FIXTURE]
                for other in item.session.items
                if isinstance(other, pytest.Function) and other.nodeid.startswith(f"{key}[")
            ]
            suite._selected = selected
        return suite

    def report(self, place: Any) -> dict[str, Any]:
        """Return the report of the run, which is made when the first test needs it.

        Raises `AssertionError` if it cannot run.
        """
        __tracebackhide__ = True
        if self._outcome is None:
            shared = _shared_folder(self._config)
            if shared is None:
                text = self._run(place)
            else:
                text = _once(shared / "results.db", self._key, lambda: self._run(place))
            self._outcome = json.loads(text)
        outcome: dict[str, Any] = self._outcome or {}
        if "problem" in outcome:
            raise AssertionError(f"The tests cannot run: {outcome['problem']}")
        if "failed" in outcome:
            raise AssertionError(f"Internal error: {outcome['failed']}")
        report: dict[str, Any] = outcome["report"]
        return report

    def _run(self, place: Any) -> str:
        """Run the selected tests, and return the report or the problem as JSON."""
        testing = _testing()
        verdict = importlib.import_module("siteassist_contract.verdict")
        selected = self._selected
        if selected is None:
            kept = set(self.items[0].session.items)
            selected = [item.pair for item in self.items if item in kept]
        everything = set(testing.pairs())
        pairs = set(selected) - {_VERDICT}
        settings = testing.Settings(
            profile=self._config.getoption("--siteassist-profile"),
            seed=self._config.getoption("--siteassist-seed"),
            seconds=self._config.getoption("--siteassist-seconds"),
            baseline=self._config.getoption("--siteassist-baseline"),
            # A run for its verdict alone is a whole one.
            pairs=pairs if pairs and pairs != everything else None,
            selected_by="pytest",
        )
        try:
            return json.dumps({"report": testing.run(self._server(place), settings)})
        except verdict.CannotRunError as error:
            return json.dumps({"problem": str(error)})
        except (Exception, verdict.InternalError) as error:  # noqa: BLE001  # kept for all tests
            failed = verdict.InternalError.of(error)
            return json.dumps({"failed": f"{failed}. Please report it.\n{failed.details}"})

    def _server(self, place: Any) -> Server:
        testing = _testing()
        if isinstance(place, testing.Server):
            return place  # type: ignore[no-any-return]  # loaded by its name
        key, token, second = (
            self._config.getoption(option) or os.environ.get(variable) or None
            for option, variable in _CREDENTIALS.items()
        )
        return testing.Server(place, key, token, second)  # type: ignore[no-any-return]  # as above


_SUITES: pytest.StashKey[dict[str, _Suite]] = pytest.StashKey()


def _pairs() -> list[Pair]:
    return [_VERDICT, *_testing().pairs()]


def _name(pair: Pair) -> str:
    return "-".join(filter(None, pair))


def _is_ours(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and _FIXTURE in item.fixturenames


def _testing() -> Any:
    """Import the tests, whose packages may be missing."""
    try:
        return importlib.import_module("siteassist_contract.testing")
    except ModuleNotFoundError as error:
        if (error.name or "siteassist").startswith("siteassist"):
            raise
        raise pytest.UsageError(
            "the contract tests need more packages: pip install 'siteassist[contract]'"
        ) from None


def _shown(finding: list[dict[str, Any]]) -> str:
    """Return a finding as text."""
    findings = importlib.import_module("siteassist_contract.findings")
    ordering = importlib.import_module("siteassist_contract.report.ordering")
    terminal = importlib.import_module("siteassist_contract.report.terminal")
    names = [each.name for each in dataclasses.fields(findings.Violation)]
    violations = [findings.Violation(**{name: each[name] for name in names}) for each in finding]
    text: str = terminal.full(ordering.Finding(1, violations))
    return f"{terminal.label(violations[0].operation)}\n{text}"


# With pytest-xdist, several processes run the tests.


def _shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder that all processes share, or None if there is only this one."""
    folder = getattr(config, "workerinput", {}).get(_FOLDER)
    return None if folder is None else Path(folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each process the folder."""
    stash = node.config.stash
    if _CREATED not in stash:
        stash[_CREATED] = tempfile.mkdtemp(prefix="siteassist-contract-")
    node.workerinput[_FOLDER] = stash[_CREATED]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder."""
    if _CREATED in config.stash:
        shutil.rmtree(config.stash[_CREATED], ignore_errors=True)


_CREATED: pytest.StashKey[str] = pytest.StashKey()


def _once(path: Path, key: str, make: Callable[[], str]) -> str:
    """Return the text that the first process to ask has made.

    The others wait. The lock of the database ends with its process.
    """
    with closing(sqlite3.connect(path, timeout=_LONGEST, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        database.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, text TEXT)")
        row = database.execute("SELECT text FROM results WHERE key = ?", (key,)).fetchone()
        if row is None:
            row = (make(),)
            database.execute("INSERT INTO results VALUES (?, ?)", (key, row[0]))
        database.execute("COMMIT")
    text: str = row[0]
    return text
