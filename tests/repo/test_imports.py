"""The packages import each other only in the documented directions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.values import ROOT

MAY_IMPORT = {
    "siteassist": {"siteassist_runtime"},
    "siteassist_cli": {"siteassist", "siteassist_runtime"},
    "siteassist_contract": {"siteassist_spec"},
    "siteassist_mock": {"siteassist_spec"},
    "siteassist_runtime": set[str](),
    "siteassist_spec": set[str](),
}


def imported(source: str) -> set[str]:
    """Return the top-level packages that ``source`` imports by name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def folder(package: str) -> Path:
    """Return the folder of ``package``."""
    return ROOT / ("generated" if package == "siteassist" else "src") / package


def test_every_package_is_listed() -> None:
    """The table has every shipped package, so that a new one needs an entry."""
    shipped = {path.name for path in (*ROOT.glob("src/*"), *ROOT.glob("generated/*"))}
    assert set(MAY_IMPORT) == shipped


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_keep_their_direction(package: str) -> None:
    """Of the shipped packages, a package imports only itself and those that it may import."""
    allowed = MAY_IMPORT[package] | {package}
    faults = {
        path.relative_to(ROOT).as_posix(): ours - allowed
        for path in folder(package).rglob("*.py")
        if (ours := imported(path.read_text()) & set(MAY_IMPORT)) - allowed
    }
    assert {} == faults


def test_only_the_load_test_imports_locust() -> None:
    """Importing Locust replaces sockets and locks, so no other package imports the load test."""
    load = ROOT / "src" / "siteassist_contract" / "load"
    ours = [path for package in MAY_IMPORT for path in folder(package).rglob("*.py")]
    others = [p for p in (*ours, *(ROOT / "tests").rglob("*.py")) if p.parent != load]
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in others}
    # Parsing every file would take seconds.
    suspects = {
        name: text for name, text in sources.items() if "locust" in text or "gevent" in text
    }
    assert [] == [name for name, text in suspects.items() if imported(text) & {"gevent", "locust"}]
    named = [name for name, text in sources.items() if "siteassist_contract.load" in text]
    assert [] == [name for name in named if not name.startswith("tests/")]


def test_nested_imports_are_found() -> None:
    """Imports inside functions and imports of submodules count."""
    source = "def f():\n    import siteassist.models\n    from siteassist_mock.app import x\n"
    assert {"siteassist", "siteassist_mock"} == imported(source)
