"""The requests that made the objects of a run, for reproductions of requests that only use them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from siteassist_contract.description import all_operations
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.report.reproduction import ids_of, made_by

_LONGEST = 20_000
"""Maximum length of a remembered answer, in bytes."""
_MOST = 5000
"""Maximum number of remembered ids."""
_CREATED = 201


class Origins:
    """The exchanges that have shown the id of each object of a visitor for the first time."""

    def __init__(self) -> None:
        """Begin without any."""
        self._ways: dict[str, tuple[Exchange, ...]] = {}
        """The exchanges by id: the one that showed it, and for a list the last write before."""
        self._writes: dict[str, Exchange] = {}
        """The last request that has changed each object."""

    def remember(self, exchange: Exchange) -> None:
        """Remember the ids that an answer shows for the first time."""
        if exchange.status not in SUCCESS or len(exchange.content) > _LONGEST:
            return
        operation = all_operations().get(exchange.operation)
        ids = ids_of(exchange.target)
        is_root = exchange.status == _CREATED and operation is not None and operation.needs_token
        # Other ids, such as that of a project, exist before the run.
        if not is_root and not ids & self._ways.keys():
            return
        before: list[Exchange] = []
        if exchange.method == "GET":
            before = [self._writes[each] for each in sorted(ids) if each in self._writes]
        else:
            self._writes |= dict.fromkeys(ids, exchange)
        new = made_by(exchange) - self._ways.keys()
        self._ways |= dict.fromkeys(new, (*before, exchange))
        for known in (self._ways, self._writes):
            while len(known) > _MOST:
                del known[next(iter(known))]

    def completed(self, exchanges: Sequence[Exchange]) -> list[Exchange]:
        """Return exchanges, after those that made the objects which their requests name."""
        shown: set[str] = set()
        missing: dict[int, Exchange] = {}
        for exchange in exchanges:
            for each in sorted(ids_of(exchange.target) - shown):
                missing |= {id(step): step for step in self._way(each, {each})}
            shown |= ids_of(exchange.target) | made_by(exchange)
        present = {id(exchange) for exchange in exchanges}
        return [*(step for key, step in missing.items() if key not in present), *exchanges]

    def _way(self, name: str, above: set[str]) -> Iterator[Exchange]:
        """Yield the exchanges that lead to an object, those of the objects above it first."""
        for step in self._ways.get(name, ()):
            for each in sorted(ids_of(step.target) - above):
                yield from self._way(each, above | {each})
            yield step
