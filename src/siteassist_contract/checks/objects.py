"""Makes the objects that requests are about, along the links of the description.

A link says where in an answer an id is, and which path parameter takes it. So whoever
describes a new kind of object with its links has requests about it tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.description import operations, validator
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_spec import Operation, Parameter

_BODY = "$response.body#"


@dataclass(frozen=True)
class Source:
    """An operation whose answer has an id."""

    operation: Operation
    status: int
    pointer: str
    """The JSON pointer of the id in the answer."""


def sources(parameter: str) -> list[Source]:
    """Return where the description says that values of a path parameter come from.

    Operations that create an object come first.
    """
    found = [
        Source(operation, response.status, str(value).removeprefix(_BODY))
        for operation in operations().values()
        for response in operation.successes
        for link in response.links.values()
        for name, value in link.get("parameters", {}).items()
        if name == parameter and str(value).startswith(_BODY)
    ]
    return sorted(found, key=lambda source: source.operation.method == "GET")


class ObjectMaker:
    """Makes objects over a visitor's session."""

    def __init__(self, send: Callable[[RequestParts], Exchange], api_key: str | None) -> None:
        """Make objects by requests that ``send`` sends, with ``api_key`` where one is needed."""
        self._send = send
        self._api_key = api_key

    def make(self, operation: Operation, ids: Mapping[str, str] | None = None) -> dict[str, str]:
        """Make an object for each path parameter of ``operation``; return ids by parameter.

        Objects that ``ids`` has are not made again. The ids of objects that
        were made on the way are returned as well. Those that could not be made are missing.
        """
        found = dict(ids or {})
        for parameter in operation.places("path"):
            self._add(parameter, found, frozenset())
        return found

    def request(self, operation: Operation) -> RequestParts | None:
        """Return a valid request of ``operation`` about new objects; None if there is none."""
        return valid_request(operation, self.make(operation), self._api_key)

    def _add(self, wanted: Parameter, ids: dict[str, str], pending: frozenset[str]) -> None:
        name = wanted.name
        if name in ids or name in pending:
            return
        for source in sources(name):
            for parameter in source.operation.places("path"):
                self._add(parameter, ids, pending | {name})
            for answer in self._answers(source.operation, ids):
                found = _at(answer, source.pointer)
                # Nothing can be done with a value of another form; `described` says so.
                if validator(wanted.schema).is_valid(found):
                    ids[name] = str(found)
                    return

    def _answers(self, operation: Operation, ids: Mapping[str, str]) -> Iterator[Any]:
        """Yield answers of ``operation``: the first, and one after its list was added to."""
        request = valid_request(operation, ids, self._api_key)
        if request is None:
            return
        yield self._send(request).json
        adds = next(
            (o for o in operations().values() if (o.method, o.path) == ("POST", operation.path)),
            None,
        )
        if operation.method == "GET" and adds is not None:
            addition = valid_request(adds, ids, self._api_key)
            if addition is not None:
                self._send(addition)
                yield self._send(request).json


def _at(answer: Any, pointer: str) -> Any:
    """Return the value at ``pointer``; None if there is none."""
    node = answer
    for step in pointer.split("/")[1:]:
        try:
            if isinstance(node, list):
                node = [item for item in node if not tolerance.is_own_message(item)] or node
                # With some left out, the place is another one.
                node = node[min(int(step), len(node) - 1)]
            else:
                node = node[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return node
