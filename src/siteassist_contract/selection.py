"""The selection of tests that narrows a run: rules, operations, layers, earlier failures."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from siteassist_contract.description import all_operations
from siteassist_contract.findings import BEHAVIOUR, STREAMS
from siteassist_contract.report import files
from siteassist_contract.report.wrapping import wrapped
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import CannotRunError

_MOST_NEAR = 3
"""Maximum number of names that the error for an unknown one suggests."""
_NEARNESS = 0.6
"""Minimum similarity of a suggested name, as `difflib` measures it."""
Pair = tuple[str, str]
"""A rule and an operation."""
Place = tuple[str, str]
"""A layer, and the step in it that found a violation; empty if it is not known."""


@dataclass(frozen=True)
class Selection:
    """The tests of a run. An empty part selects everything."""

    rules: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    pairs: frozenset[Pair] | None = None
    """Pairs of rule and operation; None selects all."""
    places: Mapping[Pair, frozenset[Place]] = field(default_factory=dict)
    """The places of the failures to repeat; all steps may have found one that is missing."""
    seed: int | None = None
    """The seed of the run whose failures are repeated."""
    last_failed: Path | None = None
    """The report of that run."""
    options: str = ""
    """The options that made the selection; empty for a whole run."""
    others: str = ""
    """Those besides ``--last-failed``."""

    @property
    def is_sparing(self) -> bool:
        """Whether to leave out further tests of rules that are tested already.

        The selection of rules or operations asks for their tests, not for all of them. Failures
        are repeated by the steps that found them: see `repeats`.
        """
        return bool(self.rules or self.operations) and self.pairs is None

    @property
    def streams_alone(self) -> bool:
        """Whether the tests of streams run without those of behaviour, which need streams."""
        return STREAMS in self.layers and BEHAVIOUR not in self.layers

    @property
    def tested(self) -> frozenset[str]:
        """The operations with a selected rule."""
        return frozenset(
            name
            for rule, known in RULES.items()
            for name in known.operations
            if self.selects(rule, name)
        )

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

    def repeats(self, place: Place, rules: Iterable[str], operation: str = "") -> bool:
        """Whether a step is one of those that found a failure, or whether these are not known."""
        return any(
            self.selects(rule, name) and place in self.places.get((rule, name), [place])
            for rule in rules
            for name in RULES[rule].operations
            if operation in ("", name)
        )


def read(only: Iterable[str], layers: Iterable[str], last_failed: Path | None) -> Selection:
    """Return the selection that the options ``--only``, ``--layer`` and ``--last-failed`` make.

    Raises `CannotRunError` for an unknown name, a selection without a test, or a report that
    cannot be read.
    """
    given, layers = list(only), list(layers)
    only = [word for name in given for word in _words(name)]
    rules = frozenset(name for name in only if name in RULES)
    names = frozenset(name for name in only if name in all_operations())
    for name in only:
        if name not in rules | names:
            raise _unknown(name)
    options = [f"--only {shlex.quote(name)}" for name in given]
    options += [f"--layer {name}" for name in layers]
    chosen = Selection(rules, names, frozenset(layers), options=" ".join(options))
    if last_failed is not None:
        chosen = _repeating(chosen, last_failed)
    if not any(chosen.selects(r, n) for r, rule in RULES.items() for n in rule.operations):
        raise CannotRunError(f"{chosen.options} selects no test")
    return chosen


def _words(name: str) -> list[str]:
    """Return the operation and the rule in the key of a violation; any other name as it is."""
    words = name.split()
    is_key = len(words) > 1 and words[0] in all_operations() and words[1] in RULES
    return words[:2] if is_key else [name]


def _unknown(name: str) -> CannotRunError:
    """Return the error for a name of ``--only``, with the names that are nearly the same."""
    known = {each.casefold(): each for each in (*RULES, *all_operations())}
    near = difflib.get_close_matches(name.casefold(), known, n=_MOST_NEAR, cutoff=_NEARNESS)
    meant = [f"Did you mean {' or '.join(known[each] for each in near)}?"] if near else []
    lists = {"Rules": RULES, "Operations": all_operations()}
    details = [
        wrapped(f"{words}: {', '.join(names)}", later="  ") for words, names in lists.items()
    ]
    return CannotRunError(
        f"--only {name}: unknown rule or operation", "\n".join([*details, *meant])
    )


def _repeating(chosen: Selection, path: Path) -> Selection:
    """Return a selection of the failures in ``summary.json``, each with the steps that found it."""
    document = files.read_json(path, "--last-failed")
    violations = document.get("violations") if isinstance(document, dict) else None
    found: list[Any] = violations if isinstance(violations, list) else [None]
    places: dict[Pair, set[Place]] = {}
    try:
        for each in found:
            place = str(each.get("layer", "")), str(each.get("step", ""))
            places.setdefault((str(each["rule"]), str(each["operation"])), set()).add(place)
    except (AttributeError, KeyError, TypeError):
        raise CannotRunError(
            f"--last-failed {path} is not the summary.json of an earlier run"
        ) from None
    if not places:
        raise CannotRunError(f"--last-failed {path} contains no violation to test again")
    seed = document.get("seed")
    return replace(
        chosen,
        pairs=frozenset(places),
        places={pair: frozenset(each) for pair, each in places.items() if all(s for _, s in each)},
        seed=seed if isinstance(seed, int) else None,
        last_failed=path,
        options=f"{chosen.options} --last-failed {shlex.quote(str(path))}".strip(),
        others=chosen.options,
    )
