"""The values to try on a tool: the documented examples, and values that must be refused.

The latter come from the examples: one property is missing, is null, has another type,
has an undocumented text, or a text of another format. Only values that violate the description
count, as a validator of JSON Schema judges it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from siteassist_spec import JSON, Body, Document, Json, Media, Operation, Pointer, read_operations
from siteassist_spec.samples.request import example_token, requests
from siteassist_spec.schemas import accepts, compile_schema

UNKNOWN = "of-tomorrow"
"""A text that no description has."""


@dataclass(frozen=True)
class Case:
    """A value of a request or a response.

    ``flaw`` is why it must be refused: ``missing``, ``null``, ``type``, ``text`` or ``format``; it
    is empty for an example. ``schema`` is the name of the schema.
    """

    name: str
    operation: str
    method: str
    path: str
    """The path template."""
    url: str
    """The path and the query of a request from the examples."""
    status: int
    """The status of the response; 0 for a request."""
    media: str
    schema: str
    flaw: str
    value: Any


def read_cases(document: Document) -> list[Case]:
    """Return the values for all operations of a description, in its order.

    Most responses are errors of one schema, so invalid values are tried once for each schema.

    Raises `LookupError` if an operation has no example of a request.
    """
    operations = read_operations(document).values()
    token = example_token(operations)
    found: list[Case] = []
    for operation in operations:
        request = requests(operation, "", token)[0]
        if operation.body is not None:
            found += _cases(document, operation, request.url, 0, JSON, operation.body)
        for status, response in operation.responses.items():
            for name, media in response.media.items():
                found += _cases(document, operation, request.url, status, name, media)
    seen = set()
    kept = []
    for case in found:
        key = (case.schema, case.flaw and case.name.partition(": ")[2])
        if not case.flaw or not case.status or key not in seen:
            kept.append(case)
        seen.add(key)
    return kept


def _cases(
    document: Document, operation: Operation, url: str, status: int, media: str, held: Body | Media
) -> Iterator[Case]:
    """Yield the examples of a body, and values that must be refused in its place."""

    def case(name: str, flaw: str, value: Any) -> Case:
        return Case(
            f"{operation.operation_id} {status or 'request'}: {name}",
            operation.operation_id,
            operation.method,
            operation.path,
            url,
            status,
            media,
            document.component(held.schema) or "",
            flaw,
            value,
        )

    for name, value in held.examples.items():
        yield case(name, "", value)
    if media == JSON and held.examples:
        name, value = next(iter(held.examples.items()))
        for place, flaw, bad in bad_values(document, held.schema, value):
            yield case(f"{name}, {place} {flaw}", flaw, bad)


def bad_values(document: Document, schema: Json, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the place, the flaw, and a changed copy of ``value`` that violates the schema."""
    validator = compile_schema(document, schema)
    without_formats = compile_schema(document, schema, formats=False)
    for place in _places(value, ()):
        for flaw, bad in _spoilt(value, place):
            if not accepts(validator, bad):
                kind = "format" if accepts(without_formats, bad) else flaw
                yield "/".join(map(str, place)), kind, bad


def _places(value: Any, above: Pointer) -> Iterator[Pointer]:
    """Yield the pointers of all properties in ``value``, and of the first item of each list."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield (*above, name)
            yield from _places(child, (*above, name))
    elif isinstance(value, list) and value:
        yield (*above, 0)
        yield from _places(value[0], (*above, 0))


def _spoilt(value: Json, place: Pointer) -> Iterator[tuple[str, Any]]:
    *above, last = place

    def changed(new: Any) -> Any:
        whole: Any = copy.deepcopy(value)
        node = whole
        for step in above:
            node = node[step]
        node[last] = new
        return whole

    held: Any = value
    for step in place:
        held = held[step]
    if isinstance(last, str):
        missing = changed(None)
        node = missing
        for step in above:
            node = node[step]
        del node[last]
        yield "missing", missing
    if held is not None:
        yield "null", changed(None)
    yield "type", changed(7 if isinstance(held, (str, dict, list)) else {})
    if isinstance(held, str):
        yield "text", changed(UNKNOWN)
