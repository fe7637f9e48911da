"""Probes of each bound, type and required field of the description, from both sides.

They are derived from ``openapi.yaml`` alone, so a new parameter is probed at once.
schemathesis probes the same places, but can miss an accepted invalid value when another
parameter of the request is valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from siteassist_contract import description
from siteassist_contract.checks.hard_values import WHOLE_URI, filled, packs_for
from siteassist_contract.checks.text_fields import is_free_text
from siteassist_contract.description import API_KEY, credential_of, resolve
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_spec import Json, Operation, Parameter

_WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "string": (7, True, ["x"], {"x": 1}),
    "boolean": ("yes", 1, []),
    "array": ("x", {}, 7),
    "object": ("x", [], 7),
    "number": ("x", [], True),
    "integer": ("x", [], True),
}


HARD = "several hard texts"
"""The description of a text from the catalogue of hard values."""
PROBED = ("query", "header")
"""Places of parameters that have probes; ids in the path have their own rules."""


@dataclass(frozen=True)
class Probe:
    """A request with one value at a bound, or out of bounds."""

    request: RequestParts
    place: str
    """The parameter or field, such as ``limit`` or ``body/messages/0/role``."""
    words: str
    """A description of the value."""
    valid: bool | None
    """Whether it is valid; None if no document states it, so that only a 500 is a violation."""


def probes(request: RequestParts) -> Iterator[Probe]:
    """Yield the probes of an operation, each with one change to a valid request."""
    operation = description.operations()[request.operation]
    for parameter in operation.parameters:
        if parameter.place in PROBED:
            yield from _parameter(request, parameter)
    if operation.body is not None:
        yield from _whole_body(request, operation.body.required)
        yield from _object(request, resolve(operation.body.schema), "body", ())


def has_bounds(operation: Operation) -> bool:
    """Whether requests of ``operation`` have a value to probe."""
    probed = any(parameter.place in PROBED for parameter in operation.parameters)
    return probed or operation.body is not None


def _parameter(request: RequestParts, parameter: Parameter) -> Iterator[Probe]:
    name, schema = parameter.name, parameter.resolved
    in_query = parameter.place == "query"

    def probe(value: str | None, words: str, *, valid: bool | None) -> Probe:
        change = {name: value}
        return Probe(
            request.changed(query=change) if in_query else request.changed(header=change),
            name,
            words,
            valid,
        )

    if parameter.required:
        yield probe(None, "left out", valid=False)
    for value, words, valid in _bounds(schema):
        # A key at its bounds is valid, but belongs to no project.
        if not (credential_of(schema) == API_KEY and valid):
            yield probe(_text(value), words, valid=valid)
    types = parameter.types
    # A header cannot contain all of these texts.
    if in_query and is_free_text(schema):
        hard = packs_for(schema.get("maxLength"), in_query=True)[0]
        yield probe(hard.value, HARD, valid=True)
        yield probe("a\x00b", "a text with NUL", valid=None)
    if types & {"number", "integer"}:
        yield probe("ten", "not a number", valid=False)
        yield probe("-1", "negative", valid=False)
    if "enum" in schema:
        for value in schema["enum"]:
            yield probe(value, f"{value!r}", valid=True)
        yield probe("nonsense", "not one of its values", valid=False)


def _whole_body(request: RequestParts, required: bool) -> Iterator[Probe]:
    wrong: tuple[Any, ...] = ([], "x", 7)
    for value in wrong:
        changed = request.changed(body=value)
        yield Probe(changed, "body", f"{value!r} instead of an object", valid=False)
    if required:
        yield Probe(request.changed(body=None), "body", "left out", valid=False)
    else:
        yield Probe(request.changed(body=None), "body", "left out", valid=True)
        yield Probe(request.changed(body={}), "body", "empty", valid=True)


def _object(
    request: RequestParts, schema: Json, place: str, steps: tuple[str | int, ...]
) -> Iterator[Probe]:
    for name, written in schema.get("properties", {}).items():
        where = (*steps, name)
        inner = f"{place}/{name}"
        field = resolve(written)
        nullable = "null" in _types(field)
        if name in schema.get("required", ()):
            yield Probe(_without(request, where), inner, "left out", valid=False)
        if nullable:
            yield Probe(_with(request, where, None), inner, "null", valid=True)
        else:
            yield Probe(_with(request, where, None), inner, "null", valid=False)
        yield from _field(request, field, inner, where)


def _field(
    request: RequestParts, field: Json, place: str, steps: tuple[str | int, ...]
) -> Iterator[Probe]:
    forms = [resolve(form) for form in field.get("anyOf", [field])]
    types = set().union(*(_types(form) for form in forms))
    kind = next(iter(types - {"null"}), "")
    for wrong in _WRONG_TYPES.get(kind, ()):
        words = f"{type(wrong).__name__} instead of {kind}"
        yield Probe(_with(request, steps, wrong), place, words, valid=False)
    for form in forms:
        yield from _values(request, form, place, steps)
        yield from _inside(request, form, place, steps)


def _values(
    request: RequestParts, form: Json, place: str, steps: tuple[str | int, ...]
) -> Iterator[Probe]:
    for value, words, valid in _bounds(form):
        if not (credential_of(form) == API_KEY and valid):
            yield Probe(_with(request, steps, value), place, words, valid)
    if is_free_text(form):
        hard = packs_for(form.get("maxLength"), in_query=False)[0]
        yield Probe(_with(request, steps, hard.value), place, HARD, valid=True)
        yield Probe(_with(request, steps, "a\x00b"), place, "a text with NUL", valid=None)
        if "maxLength" in form and "minLength" not in form:
            yield Probe(_with(request, steps, ""), place, "empty", valid=True)
    for value in form.get("enum", ()):
        yield Probe(_with(request, steps, value), place, f"{value!r}", valid=True)
    nonsense = _with(request, steps, "nonsense")
    if "enum" in form:
        yield Probe(nonsense, place, "not one of its values", valid=False)
    if form.get("format") == "uuid":
        yield Probe(nonsense, place, "not a UUID", valid=False)
    if form.get("format") == "uri":
        no_uri = _with(request, steps, "no URI at all")
        yield Probe(no_uri, place, "not a URI", valid=False)
        yield Probe(_with(request, steps, WHOLE_URI), place, "a URI with each part", valid=True)


def _inside(
    request: RequestParts, form: Json, place: str, steps: tuple[str | int, ...]
) -> Iterator[Probe]:
    if form.get("properties"):
        # A separate object, so that other fields do not matter.
        inside = _with(request, steps, {})
        if not form.get("required"):
            yield Probe(inside, place, "empty", valid=True)
        yield from _object(inside, form, place, steps)
    items = form.get("items")
    if items is not None and _value(request, steps):
        for wrong in _WRONG_TYPES["object"]:
            words = f"{type(wrong).__name__} instead of object"
            yield Probe(_with(request, (*steps, 0), wrong), f"{place}/0", words, valid=False)
        yield from _object(request, resolve(items), f"{place}/0", (*steps, 0))


def _bounds(schema: Json) -> Iterator[tuple[Any, str, bool | None]]:
    """Yield values at and beyond the bounds, their descriptions, and whether they are valid."""
    if "minimum" in schema:
        yield schema["minimum"], f"the minimum, {schema['minimum']}", True
        yield schema["minimum"] - 1, f"less than {schema['minimum']}", False
    if "maximum" in schema:
        yield schema["maximum"], f"the maximum, {schema['maximum']}", True
        yield schema["maximum"] + 1, f"more than {schema['maximum']}", False
    elif "minimum" in schema:
        # The documents state no maximum.
        yield 2**31, "beyond 32 bits", None
        yield 2**63, "beyond 64 bits", None
    if "minLength" in schema:
        yield "x" * schema["minLength"], f"{schema['minLength']} characters", True
        yield "x" * (schema["minLength"] - 1), f"less than {schema['minLength']} characters", False
    if "maxLength" in schema:
        yield "x" * schema["maxLength"], f"{schema['maxLength']} characters", True
        yield "ä" * schema["maxLength"], f"{schema['maxLength']} characters of two bytes", True
        if credential_of(schema) is None:  # servers may restrict the characters of credentials
            words = f"{schema['maxLength']} characters, half of them of two UTF-16 units"
            yield filled(schema["maxLength"]), words, True
        yield "x" * (schema["maxLength"] + 1), f"more than {schema['maxLength']} characters", False


def _types(schema: Json) -> set[str]:
    forms = schema.get("anyOf")
    if forms is not None:
        return set().union(*(_types(resolve(form)) for form in forms))
    written = schema.get("type", [])
    return {written} if isinstance(written, str) else set(written)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _value(request: RequestParts, steps: tuple[str | int, ...]) -> Any:
    value: Any = request.body
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _with(request: RequestParts, steps: tuple[str | int, ...], value: Any) -> RequestParts:
    """Return a copy with ``value`` in its body; missing parent objects are added."""
    changed = request.changed(body=request.changed().body if request.body is not None else {})
    place: Any = changed.body
    for step in steps[:-1]:
        if isinstance(place, dict) and not isinstance(place.get(step), dict | list):
            place[step] = {}
        place = place[step]
    place[steps[-1]] = value
    return changed


def _without(request: RequestParts, steps: tuple[str | int, ...]) -> RequestParts:
    changed = request.changed()
    place = _value(changed, steps[:-1])
    if isinstance(place, dict):
        place.pop(steps[-1], None)
    return changed
