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
    reported,
    reported_answers,
    reported_connections,
    reported_lists,
    reported_messages,
    reported_sessions,
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

__all__ = ["MODULES", "MUTANTS", "UNASKED", "chosen"]

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
    reported,
    reported_sessions,
    reported_lists,
    reported_messages,
    reported_answers,
    reported_connections,
)

MUTANTS: Mapping[str, Mutant] = {
    mutant.id: mutant for module in MODULES for mutant in module.FAULTS.mutants
}
"""Every mutant by its id, class by class."""
UNASKED: Mapping[str, str] = {
    "hundred-messages-without-limit": "It needs 51 answers of the assistant in one conversation,"
    " and the default profile asks for 26.",
    "invalid-utf-8-taken": "Most servers in JavaScript read such bodies, and no document says that"
    " they must be refused.",
    "messages-out-of-order": "It shows only if three requests are carried out in one particular"
    " order, which a run does not always see.",
    "no-body-of-type-json-400": "No document says whether a media type without a body is valid,"
    " and some frameworks refuse it.",
    "total-tokens-accumulate": "Some language models count further tokens in their total, such as"
    " those of reasoning.",
    "upgrade-to-http-2-refused": "RFC 9110 permits it, and some servers with sockets refuse every"
    " offer: O-30.",
}
"""The reasons why the contract tests do not find these mutants, or do not always."""


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
