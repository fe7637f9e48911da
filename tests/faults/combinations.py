"""Combinations of tolerated variants on one server.

A combination is run in place of its variants, so that a sweep over all of them takes a
third of the time. Variants that hide each other's difference are kept apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tests.faults.faulty import Server
from tests.faults.probing import calling
from tests.faults.variants import VARIANTS

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["combinations", "combined", "is_visible"]


def combined(names: Iterable[str]) -> Starlette:
    """Build one server with the differences of all these variants."""
    server = Server()
    for name in names:
        VARIANTS[name].build(server)
    return server.app()


def is_visible(names: Sequence[str]) -> bool:
    """Return whether the server with these variants shows the difference of each."""
    variants = [VARIANTS[name] for name in names]
    try:
        with calling(combined(names), socket=any(each.socket for each in variants)) as api:
            for variant in variants:
                variant.shows(api)
    except Exception:  # noqa: BLE001  # a difference that is hidden may show as any error
        return False
    return True


def combinations(names: Iterable[str], size: int, *, seed: int) -> list[tuple[str, ...]]:
    """Divide variants into combinations of at most ``size``, which the seed chooses.

    Each variant is in one combination, in which its difference is visible.
    """
    order = list(names)
    random.Random(seed).shuffle(order)
    found: list[list[str]] = []
    for name in order:
        for company in found:
            if len(company) < size and is_visible([*company, name]):
                company.append(name)
                break
        else:
            found.append([name])
    return [tuple(company) for company in found]
