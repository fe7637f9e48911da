"""The linters use their strictest rulesets, and every exception has a reason."""

from __future__ import annotations

import json
import re

import pytest

from siteassist_spec import load_spec
from tests.values import ROOT

STRICTEST = {
    "tools/node/lint/redocly.yaml": ["recommended-strict"],
    "tools/node/lint/redocly-3.0.yaml": ["recommended-strict"],
    "tools/node/lint/spectral.yaml": [["spectral:oas", "all"]],
    "tools/node/lint/ibm.yaml": "@ibm-cloud/openapi-ruleset",
}


def test_every_configuration_is_known() -> None:
    """The table has every configuration, so that a new one is checked, too."""
    found = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tools" / "node" / "lint").iterdir()
    }
    assert set(STRICTEST) == found


@pytest.mark.parametrize("name", STRICTEST)
def test_ruleset_is_the_strictest(name: str) -> None:
    """The configuration extends the strictest ruleset of the linter."""
    assert STRICTEST[name] == load_spec(ROOT / name)["extends"]


@pytest.mark.parametrize("name", STRICTEST)
def test_exceptions_have_reasons(name: str) -> None:
    """Each exception has a comment above it, which at most three exceptions share."""
    shared = 3
    for line in (ROOT / name).read_text().partition("\nrules:\n")[2].splitlines():
        if line.startswith("  #"):
            shared = 0
        elif line.startswith("  "):
            shared += 1
            assert line.endswith(": off")
            assert shared <= 3, line


def test_linters_are_pinned() -> None:
    """Each linter has one version instead of a range, and its install scripts do not run."""
    package = json.loads((ROOT / "tools" / "node" / "package.json").read_text())
    versions = package["devDependencies"].values()
    assert [] == [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)]
    assert "ignore-scripts=true" in (ROOT / "tools" / "node" / ".npmrc").read_text().splitlines()
