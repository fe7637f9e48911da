"""The catalogue of all mutants."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.faults import (
    access,
    after_refusals,
    auth,
    browsers,
    error_bodies,
    errors,
    inputs,
    lists,
    negotiation,
    overlap,
    second_places,
    shape,
    sizes,
    sockets,
    state,
    status,
    stream,
    texts,
    times,
    validation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.faults.mutant import Mutant

__all__ = ["MODULES", "MUTANTS", "chosen"]

MODULES = (
    shape,
    status,
    validation,
    auth,
    state,
    lists,
    stream,
    errors,
    texts,
    second_places,
    after_refusals,
    access,
    sizes,
    inputs,
    overlap,
    times,
    browsers,
    negotiation,
    error_bodies,
    sockets,
)

MUTANTS: Mapping[str, Mutant] = {
    mutant.id: mutant for module in MODULES for mutant in module.FAULTS.mutants
}
"""Every mutant by its id, class by class."""


def chosen(patterns: Iterable[str], kinds: Iterable[str]) -> list[Mutant]:
    """Return the mutants that match one of ``patterns`` and belong to one of ``kinds``.

    An empty argument selects every mutant. Raises `LookupError` for a pattern that
    matches no mutant.
    """
    patterns, kinds = list(patterns), list(kinds)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in MUTANTS):
            raise LookupError(f"no mutant matches {pattern!r}")
    return [
        mutant
        for mutant in MUTANTS.values()
        if (not patterns or any(fnmatchcase(mutant.id, pattern) for pattern in patterns))
        and (not kinds or mutant.kind in kinds)
    ]
