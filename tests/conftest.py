"""Configuration of pytest for all tests, and a check of the description before them."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from siteassist_spec import SpecError

pytest_plugins = ["pytester", "tests.browser"]

EXHAUSTIVE = "--exhaustive"
UNMEASURED = {"e2e", "faults", "hostile", "repo"}
"""The folders whose tests leave coverage out, which doubles their time.

They use the packages as wholes. The tests of each package have the coverage of its lines.
"""
COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage measures the processes that a measured one starts."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs all cases of all tests."""
    parser.addoption(
        EXHAUSTIVE, action="store_true", help="run all cases of tests that are marked as a sweep"
    )


def pytest_configure() -> None:
    """Prepare all tests; report an error in ``openapi.yaml`` in one line, before they fail."""
    # A shell starts background jobs with SIGINT ignored. The processes that tests
    # start would inherit this, and would not react to a Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The time that an example takes depends on what else the machine does.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    try:
        importlib.import_module("tests.description")
    except SpecError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)  # after -k and -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the cases of sweeps, and exclude tests from coverage.

    Those are the tests in the folders of `UNMEASURED`, and the cases of a sweep after its
    first, which differ in data only.
    """
    if not config.getoption(EXHAUSTIVE):
        left_out = set(_left_out(items))
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    tests = Path(__file__).parent
    seen: set[str] = set()
    for item in items:
        sweep = item.nodeid.partition("[")[0] if item.get_closest_marker("sweep") else None
        if item.path.relative_to(tests).parts[0] in UNMEASURED or sweep in seen:
            item.add_marker(pytest.mark.no_cover)
        if sweep is not None:
            seen.add(sweep)


def _left_out(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the cases of sweeps beyond their number, which is spread over all cases."""
    sweeps: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sweep"):
            sweeps.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in sweeps.values():
        marker = cases[0].get_closest_marker("sweep")
        assert marker is not None
        number = min(marker.args[0], len(cases))
        chosen = {index * len(cases) // number for index in range(number)}
        yield from (case for index, case in enumerate(cases) if index not in chosen)


def pytest_report_header(config: pytest.Config) -> str:
    """Say how many cases of sweeps are run."""
    if config.getoption(EXHAUSTIVE):
        return "sweeps: all cases"
    return f"sweeps: some cases of each; all with {EXHAUSTIVE}"


def pytest_xdist_setupnodes() -> None:
    """Do not let coverage start by itself in the processes of xdist."""
    os.environ.pop(COVERAGE, None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a process of xdist have one measurement, instead of two that pytest-cov starts.

    Otherwise `no_cover` would pause one of them and resume the other.
    """
    plugin = session.config.pluginmanager.get_plugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if hasattr(session.config, "workerinput") and controller is not None:
        controller.cov.stop()


_configurations: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Exclude the processes that tests start from coverage, which slows them down twofold."""
    # Coverage sets the variable whenever it starts, also after a test with `no_cover`.
    if (configuration := os.environ.pop(COVERAGE, None)) is not None:
        _configurations[:] = [configuration]


@pytest.fixture
def measured_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Include the processes that a test starts in coverage, if it measures at all."""
    for configuration in _configurations:
        monkeypatch.setenv(COVERAGE, configuration)
