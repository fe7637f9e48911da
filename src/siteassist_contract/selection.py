"""The selection of tests that narrows a run: rules, operations, layers, earlier failures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siteassist_contract.description import all_operations
from siteassist_contract.findings import BEHAVIOUR, STREAMS
from siteassist_contract.report import files
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import CannotRunError


@dataclass(frozen=True)
class Selection:
    """The tests of a run. An empty part selects everything."""

    rules: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] | None = None
    """Pairs of rule and operation, for repeating failures; None selects all."""
    options: str = ""
    """The options that made the selection; empty for a whole run."""

    @property
    def streams_alone(self) -> bool:
        """Whether the tests of streams run without those of behaviour, which need streams."""
        return STREAMS in self.layers and BEHAVIOUR not in self.layers

    def selects(self, rule: str, operation: str) -> bool:
        """Whether a rule is tested on an operation."""
        return (
            (not self.rules or rule in self.rules)
            and (not self.operations or operation in self.operations)
            and (self.pairs is None or (rule, operation) in self.pairs)
        )

    def needs(self, layer: str, rules: Iterable[str], operation: str = "") -> bool:
        """Whether a step of a layer can test a selected rule.

        ``rules`` are those that the step tests, on ``operation`` or, if it is empty, on any.
        """
        if self.layers and layer not in self.layers:
            return False
        return any(
            self.selects(rule, name)
            for rule in rules
            for name in RULES[rule].operations
            if operation in ("", name)
        )


def read(only: Iterable[str], layers: Iterable[str], last_failed: Path | None) -> Selection:
    """Return the selection that the options ``--only``, ``--layer`` and ``--last-failed`` make.

    Raises `CannotRunError` for an unknown name, a selection without a test, or a report that
    cannot be read.
    """
    only, layers = list(only), list(layers)
    rules = frozenset(name for name in only if name in RULES)
    names = frozenset(name for name in only if name in all_operations())
    for name in only:
        if name not in rules | names:
            raise CannotRunError(
                f"--only {name}: there is no rule and no operation of this name; the rules are"
                f" {', '.join(RULES)}; the operations are {', '.join(all_operations())}"
            )
    options = [f"--only {name}" for name in only] + [f"--layer {name}" for name in layers]
    pairs = None
    if last_failed is not None:
        pairs = _failed(last_failed)
        options.append(f"--last-failed {last_failed}")
    chosen = Selection(rules, names, frozenset(layers), pairs, " ".join(options))
    if not any(chosen.selects(r, n) for r, rule in RULES.items() for n in rule.operations):
        raise CannotRunError(f"{chosen.options} selects no test")
    return chosen


def _failed(path: Path) -> frozenset[tuple[str, str]]:
    """Return the pairs of rule and operation with a violation in ``summary.json``."""
    document = files.read_json(path, "--last-failed")
    violations = document.get("violations") if isinstance(document, dict) else None
    found: list[Any] = violations if isinstance(violations, list) else [None]
    try:
        pairs = frozenset((str(each["rule"]), str(each["operation"])) for each in found)
    except (KeyError, TypeError):
        raise CannotRunError(
            f"--last-failed {path} is no report summary.json of an earlier run"
        ) from None
    if not pairs:
        raise CannotRunError(f"--last-failed {path} contains no violation to test again")
    return pairs
