"""The linters use their strictest rulesets, and every exception has a reason."""

from __future__ import annotations

import json
import re

import pytest

from siteassist_spec import Document, load_spec
from tests.values import ROOT

STRICTEST = {
    "tools/node/lint/redocly.yaml": ["recommended-strict"],
    "tools/node/lint/redocly-3.0.yaml": ["recommended-strict"],
    "tools/node/lint/redocly-3.1.yaml": ["recommended-strict"],
    "tools/node/lint/redocly-3.2.yaml": ["recommended-strict"],
    "tools/node/lint/spectral.yaml": [["spectral:oas", "all"]],
    "tools/node/lint/spectral-3.0.yaml": ["./spectral.yaml"],
    "tools/node/lint/ibm.yaml": "@ibm-cloud/openapi-ruleset",
}
IGNORED = "tools/node/lint/.redocly.lint-ignore.yaml"
"""The places that Redocly's rules leave out."""


def test_every_configuration_is_known() -> None:
    """The table has every configuration, so that a new one is checked, too."""
    found = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tools" / "node" / "lint").iterdir()
    }
    assert {*STRICTEST, IGNORED} == found


@pytest.mark.parametrize("name", STRICTEST)
def test_ruleset_is_the_strictest(name: str) -> None:
    """The configuration extends the strictest ruleset of the linter."""
    assert STRICTEST[name] == load_spec(ROOT / name)["extends"]


@pytest.mark.parametrize("name", STRICTEST)
def test_exceptions_have_reasons(name: str) -> None:
    """Each exception has a comment above it, which at most three exceptions share."""
    shared = 3
    _, _, text = (ROOT / name).read_text().partition("\nrules:\n")
    rules, _, overrides = text.partition("overrides:")
    assert overrides.count("  # ") == overrides.count("- files: ")
    for line in rules.splitlines():
        if line.startswith("  #"):
            shared = 0
        elif line.startswith("  "):
            shared += 1
            assert line.endswith(": off")
            assert shared <= 3, line


def test_ignored_places_exist_and_have_reasons() -> None:
    """Each rule that Redocly leaves out at some places has a comment, and the places exist."""
    text = (ROOT / IGNORED).read_text()
    ((path, rules),) = load_spec(ROOT / IGNORED).items()
    assert ROOT / "openapi.yaml" == (ROOT / IGNORED).parent.joinpath(path).resolve()
    document = Document.load()
    for rule, places in rules.items():
        assert re.search(rf"^  # .+\.\n  {rule}:$", text, re.MULTILINE)
        for place in places:
            assert document.at(tuple(unescaped(step) for step in place.split("/")[1:]))


def unescaped(step: str) -> str:
    """Return a step of a JSON pointer as a key."""
    return step.replace("~1", "/").replace("~0", "~")


def test_linters_are_pinned() -> None:
    """Each linter has one version instead of a range, and its install scripts do not run."""
    package = json.loads((ROOT / "tools" / "node" / "package.json").read_text())
    versions = package["devDependencies"].values()
    pinned = re.compile(r"(npm:\w+@)?\d+\.\d+\.\d+")
    assert [] == [version for version in versions if not pinned.fullmatch(version)]
    assert "ignore-scripts=true" in (ROOT / "tools" / "node" / ".npmrc").read_text().splitlines()
