"""Values that nearly have the type of a parameter or a property, derived from the description.

`siteassist_contract.checks.bounds` has the plain cases: a value beyond a bound, of another type,
or missing. Here are those that a lenient parser lets through: `1abc` for a number, `OPEN` for
`open`, `false` for a text. Where the documents leave a spelling open (O-27), the usual meaning
of the value is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siteassist_contract.description import (
    API_KEY,
    answer_properties,
    credential_of,
    forms,
    operations,
    properties,
    resolve,
)
from siteassist_contract.http.valid_requests import RequestParts, value_of
from siteassist_spec import Json, Operation, Parameter

Pairs = Sequence[tuple[str, str]]
NUMBER, ENUM, TEXT, BOOLEAN, OBJECT, ARRAY = "number", "enum", "text", "boolean", "object", "array"

TWICE = "given twice"
"""The words of a parameter that is given twice."""


@dataclass(frozen=True)
class NearMiss:
    """A request with one value that nearly has its type."""

    request: RequestParts
    place: str
    """The parameter or property, such as ``limit`` or ``body/messages/1/role``."""
    kind: str
    """The kind of the described values."""
    words: str
    """A description of the value."""
    query: Pairs | None = None
    """The whole query, if the value is in it."""
    meaning: Pairs | None = None
    """The query that the value may mean; None if it must be refused."""


def near_misses(request: RequestParts) -> Iterator[NearMiss]:
    """Yield the near misses of a request, the most usual ones of each place first."""
    operation = request.described
    for parameter in operation.places("query"):
        # The shapes of keys have their own checks.
        if credential_of(parameter.schema) != API_KEY:
            yield from _in_query(request, operation, parameter)
    if operation.body is not None:
        for name, schema in properties(operation).items():
            yield from _in_body(request, f"body/{name}", (name,), schema)
        yield from _near_names(request)


def _near_names(request: RequestParts) -> Iterator[NearMiss]:
    """Yield requests in which a required property has nearly its name, and is thus missing."""
    schema = resolve(request.described.body.schema) if request.described.body is not None else {}
    body = request.body if isinstance(request.body, Mapping) else {}
    for name in schema.get("required", ()):
        if credential_of(schema["properties"][name]) == API_KEY:
            continue  # A missing key may get 401.
        others = {each: value for each, value in body.items() if each != name}
        for near, words in ((name.upper(), "in capitals"), (f" {name}", "after a space")):
            changed = request.changed(body={**others, near: body.get(name)})
            yield NearMiss(changed, f"body/{name}", OBJECT, f"written {words}")


# In a query


def _in_query(
    request: RequestParts, operation: Operation, parameter: Parameter
) -> Iterator[NearMiss]:
    name = parameter.name
    others = [(each, value) for each, value in request.query.items() if each != name]
    if parameter.types & {"number", "integer"}:
        kind, wrong, usual = NUMBER, _near_numbers(nullable="null" in parameter.types), _NUMBERS
    elif "enum" in parameter.resolved:
        kind, values = ENUM, parameter.resolved["enum"]
        wrong = _near_words(values[0], _other_words(operation, name, values))
        wrong |= {_in_snake_case(each): "in snake case" for each in values}
        wrong = {each: words for each, words in wrong.items() if each not in values}
        usual = {f" {values[0]}": values[0], f"{values[0]} ": values[0]}
    else:
        kind, wrong, usual = TEXT, {}, {}
    for value, words in wrong.items():
        yield NearMiss(request, name, kind, words, [*others, (name, value)])
    for value, means in usual.items():
        pairs = [*others, (name, value)]
        yield NearMiss(request, name, kind, repr(value), pairs, [*others, (name, means)])
    if kind != TEXT:
        value = next(iter(usual.values()))
        twice = [*others, (name, value), (name, value)]
        yield NearMiss(request, name, kind, TWICE, twice, [*others, (name, value)])
        if not parameter.required:
            yield NearMiss(request, name, kind, "empty", [*others, (name, "")], others)
    else:
        nested = [*others, (f"{name}[x]", "1")]
        without = None if parameter.required else others
        yield NearMiss(request, name, kind, "given as an object", nested, without)


_NUMBERS = {"1e1": "10", "010": "10", "+1": "1", " 1": "1", "0x1": "1", "1.0": "1", "1 ": "1"}
"""Spellings of numbers that parsers take, and the numbers."""


def _near_numbers(*, nullable: bool) -> dict[str, str]:
    found = {
        "1abc": "a number with letters after it",
        "\uff11": "a full-width digit",
        "1_0": "a number with an underscore",
        "NaN": "not a number, NaN",
        "Infinity": "infinite",
        "true": "a boolean",
        "[1]": "a number in brackets",
        '"1"': "a number in quotes",
        "1,5": "a number with a comma",
        "1 2": "two numbers",
        "undefined": "the word undefined",
    }
    return found if nullable else {**found, "null": "the word null"}


def _near_words(value: str, others: Sequence[str]) -> dict[str, str]:
    found = {
        value.upper(): "in upper case",
        value.capitalize(): "with a capital",
        f"{value}x": "with one more letter",
        value[:-1]: "without its last letter",
        f"{value},{value}": "in a list",
        f'"{value}"': "in quotes",
        "%": "a wildcard",
        "0": "a number",
        "null": "the word null",
    }
    found |= {other: f"{other!r}, which is a value elsewhere" for other in others}
    found.pop(value, None)
    return found


def _in_snake_case(word: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower()


def _other_words(operation: Operation, name: str, values: Sequence[str]) -> list[str]:
    """Return words that are valid elsewhere: as values of the same name, or as names of fields."""
    found: dict[str, None] = {}
    for other in operations().values():
        schemas = [p.resolved for p in other.places("query") if p.name == name]
        for schema in (*schemas, *_named(properties(other), name)):
            found |= dict.fromkeys(schema.get("enum", ()))
    if operation.paging is not None:
        items = resolve(answer_properties(operation)[operation.paging.items]).get("items", {})
        fields = resolve(items).get("properties", {})
        if set(values) <= set(fields):
            found |= dict.fromkeys(fields)
    return [word for word in found if word not in values][:3]


def _named(schemas: Json, name: str) -> Iterator[Json]:
    """Yield the schemas of the properties with a name, at any depth."""
    for each, schema in schemas.items():
        for form in forms(schema):
            if each == name:
                yield form
            inside = resolve(form.get("items", form))
            yield from _named(inside.get("properties", {}), name)


# In a body


def _in_body(
    request: RequestParts, place: str, steps: tuple[str | int, ...], schema: Json
) -> Iterator[NearMiss]:
    form = next((each for each in forms(schema) if each.get("type") != "null"), {})
    kind = _kind(form)
    for value, words in _near_values(kind, form):
        yield NearMiss(_with(request, steps, value), place, kind, words)
    if kind == OBJECT:
        for name, inner in form.get("properties", {}).items():
            yield from _in_body(request, f"{place}/{name}", (*steps, name), inner)
    if kind == ARRAY:
        yield from _in_array(request, place, steps, form)


def _in_array(
    request: RequestParts, place: str, steps: tuple[str | int, ...], form: Json
) -> Iterator[NearMiss]:
    """Yield near misses of the first element and, after a valid one, of the second."""
    items = resolve(form.get("items", {}))
    valid = value_of(items)
    second = f"{place}/1"
    for value, words in ((None, "null"), (7, "a number"), ({}, "an empty object"), ("x", "a text")):
        yield NearMiss(_with(request, steps, [valid, value]), second, ARRAY, words)
    if not isinstance(valid, Mapping):
        return
    for name, inner in items.get("properties", {}).items():
        without = {each: value for each, value in valid.items() if each != name}
        if name in items.get("required", ()):
            changed = _with(request, steps, [valid, without])
            yield NearMiss(changed, f"{second}/{name}", ARRAY, "left out")
        field = next((each for each in forms(inner) if each.get("type") != "null"), {})
        for value, words in _near_values(_kind(field), field):
            for number, elements in enumerate(
                ([{**valid, name: value}], [valid, {**valid, name: value}])
            ):
                changed = _with(request, steps, elements)
                yield NearMiss(changed, f"{place}/{number}/{name}", _kind(field), words)


def _kind(form: Json) -> str:
    if "enum" in form:
        return ENUM
    written = form.get("type", "")
    kinds = [written] if isinstance(written, str) else [each for each in written if each != "null"]
    kind = kinds[0] if kinds else ""
    return {"string": TEXT, "integer": NUMBER}.get(kind, kind)


def _near_values(kind: str, form: Json) -> Iterator[tuple[Any, str]]:
    valid = value_of(form)
    match kind:
        case "enum":
            yield from _near_words(valid, []).items()
            yield [valid], "in an array"
            yield "", "empty"
            yield True, "a boolean"
            yield 0, "the number 0"
            yield 1, "the number 1"
        case "text":
            yield False, "false instead of a text"
            yield 0, "0 instead of a text"
            yield [], "an empty array instead of a text"
            yield from _near_formats(form, str(valid))
        case "boolean":
            yield "true", "the text true"
            yield "false", "the text false"
            yield 0, "0 instead of a boolean"
            yield "", "an empty text instead of a boolean"
            yield [True], "a boolean in an array"
        case "object":
            yield "", "an empty text instead of an object"
            yield False, "false instead of an object"
            yield 0, "0 instead of an object"
            yield [{}], "an object in an array"
            yield json.dumps(valid), "an object as a text"
        case "array":
            yield {"0": value_of(form.get("items", {}))}, "an object instead of an array"
            yield "", "an empty text instead of an array"
            yield False, "false instead of an array"
            yield json.dumps([value_of(form.get("items", {}))]), "an array as a text"
            yield [[value_of(form.get("items", {}))]], "an array in an array"
        case "number":
            yield str(valid), "a number as a text"
            yield [valid], "a number in an array"
            yield "", "an empty text instead of a number"


def _near_formats(form: Json, valid: str) -> Iterator[tuple[str, str]]:
    match form.get("format"):
        case "uri":
            yield "/contact", "a path instead of a URI"
            yield "//example.com/contact", "a URI without a scheme"
            yield "example.com/contact", "a host instead of a URI"
            yield "", "empty"
        case "uuid":
            yield valid[:-1], "a UUID without its last digit"
            yield f"{valid}0", "a UUID with one more digit"
            yield "", "empty"


def _with(request: RequestParts, steps: tuple[str | int, ...], value: Any) -> RequestParts:
    """Return a copy with ``value`` in its body; missing parent objects are added."""
    changed = request.changed(body=request.changed().body if request.body is not None else {})
    place: Any = changed.body
    for step in steps[:-1]:
        if not isinstance(place.get(step), dict):
            place[step] = {}
        place = place[step]
    place[steps[-1]] = value
    return changed
