"""All mutants, by their id."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.faults import auth, errors, lists, shape, state, status, stream, validation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.faults.mutant import Mutant

__all__ = ["MUTANTS", "chosen"]

_MODULES = (shape, status, validation, auth, state, lists, stream, errors)

MUTANTS: Mapping[str, Mutant] = {
    mutant.id: mutant for module in _MODULES for mutant in module.FAULTS.mutants
}
"""Every mutant, class by class."""


def chosen(patterns: Iterable[str], kinds: Iterable[str]) -> list[Mutant]:
    """Return the mutants that one of ``patterns`` fits and that are of one of ``kinds``.

    None at all of either means any. Raises `LookupError` with a sentence for one
    that fits no mutant.
    """
    patterns, kinds = list(patterns), list(kinds)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in MUTANTS):
            raise LookupError(f"no mutant is called {pattern}")
    return [
        mutant
        for mutant in MUTANTS.values()
        if (not patterns or any(fnmatchcase(mutant.id, pattern) for pattern in patterns))
        and (not kinds or mutant.kind in kinds)
    ]
