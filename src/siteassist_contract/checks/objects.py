"""Objects for requests, created along the links of the description.

A link names the location of an id in an answer and the path parameter that takes the id.
A new kind of object can therefore be created as soon as its links are described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.description import (
    answer_properties,
    forms,
    operations,
    resolve,
    validator,
)
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_spec import Json, Operation, Parameter
from siteassist_spec.schemas import accepts

_BODY = "$response.body#"


@dataclass(frozen=True)
class Source:
    """An operation whose answer contains an id."""

    operation: Operation
    status: int
    pointer: str
    """The JSON pointer of the id in the answer."""


def sources(parameter: str) -> list[Source]:
    """Return the sources of values for a path parameter.

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


def object_schema(operation: Operation) -> Json | None:
    """Return the schema of the object that a request with a body creates or changes, or None.

    It is that of the answer, of the entries of a list at the same path, or of the object that
    the path names.
    """
    if operation.body is None:
        return None
    answer = {"properties": answer_properties(operation)}
    inner = [_first_form(schema) for schema in answer["properties"].values()]
    for schema in (answer, *inner):
        if "id" in schema.get("properties", {}):
            return schema
    for other in operations().values():
        if other.path == operation.path and other.paging is not None:
            items = answer_properties(other)[other.paging.items]
            return _first_form(resolve(items).get("items", {}))
    for parameter in reversed(operation.places("path")):
        for source in sources(parameter.name):
            node: Json = {"properties": answer_properties(source.operation)}
            for step in source.pointer.split("/")[1:-1]:
                inside = node.get("items") if step.isdecimal() else node["properties"].get(step)
                node = _first_form(inside or {})
            return node
    return None


def changes_object(operation: Operation) -> bool:
    """Whether a request of an operation creates or changes an object by its body."""
    return object_schema(operation) is not None


def _first_form(schema: Json) -> Json:
    return next((form for form in forms(schema) if form.get("type") != "null"), {})


class ObjectMaker:
    """A maker of objects for the requests of one visitor."""

    def __init__(
        self,
        send: Callable[[RequestParts], Exchange],
        api_key: str | None,
        *,
        sends_messages: bool = True,
    ) -> None:
        """Create objects with requests that ``send`` sends, with ``api_key`` where needed.

        Unless it ``sends_messages``, no request is sent that the assistant answers.
        """
        self._send = send
        self._api_key = api_key
        self._sends_messages = sends_messages

    def make(self, operation: Operation, ids: Mapping[str, str] | None = None) -> dict[str, str]:
        """Create an object for each path parameter of ``operation``; return ids by parameter.

        Objects in ``ids`` are not created again. The result includes the ids of parent objects,
        and lacks the ids of objects that could not be created.
        """
        found = dict(ids or {})
        for parameter in operation.places("path"):
            self._add(parameter, found, frozenset())
        return found

    def request(self, operation: Operation) -> RequestParts | None:
        """Return a valid request of ``operation`` on new objects, or None."""
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
                # An invalid id cannot be used; the rule `described` reports it.
                if accepts(validator(wanted.schema), found):
                    ids[name] = str(found)
                    return

    def _answers(self, operation: Operation, ids: Mapping[str, str]) -> Iterator[Any]:
        """Yield an answer of ``operation``; for a list, add an entry and yield a second answer."""
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
            if addition is not None and (self._sends_messages or not addition.costs):
                self._send(addition)
                yield self._send(request).json


def _at(answer: Any, pointer: str) -> Any:
    """Return the value at ``pointer``, or None."""
    node = answer
    for step in pointer.split("/")[1:]:
        try:
            if isinstance(node, list):
                # O-18: only an answer can surely be rated.
                node = [item for item in node if not tolerance.is_own_message(item)]
                # The index may be out of range, since own messages are left out.
                node = node[min(int(step), len(node) - 1)]
            else:
                node = node[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return node
