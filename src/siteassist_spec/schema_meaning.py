"""The meaning of a schema of any description, in whichever of the equivalent forms.

A node that is not of the expected type counts as absent. A reference that cannot be followed
does not: `broken` describes its problem.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from siteassist_spec.document import Document, Json, SpecError

NOTHING: Json = {}
"""A node that is absent. There is only one, since schemas are compared by their identity."""
LIMITS: dict[str, set[str]] = {
    "minimum": {"integer", "number"},
    "maximum": {"integer", "number"},
    "exclusiveMinimum": {"integer", "number"},
    "exclusiveMaximum": {"integer", "number"},
    "multipleOf": {"integer", "number"},
    "minLength": {"string"},
    "maxLength": {"string"},
    "minItems": {"array"},
    "maxItems": {"array"},
    "uniqueItems": {"array"},
    "minProperties": {"object"},
    "maxProperties": {"object"},
    "additionalProperties": {"object"},
    "pattern": {"string"},
    "format": set(),
    "default": set(),
}
"""The keywords whose values are compared, each with the types that it limits; none for any."""
_NUMBERS = {name for name in LIMITS if name.startswith(("min", "max", "exclusive", "multiple"))}
_IDLE = {("minLength", 0), ("minItems", 0), ("minProperties", 0), ("uniqueItems", False)}
"""Limits that limit nothing."""
_BESIDE = {
    "title",
    "summary",
    "description",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "externalDocs",
    "xml",
    "discriminator",
    "$comment",
    "$id",
}
"""The keywords that do not change which values a schema allows."""
_GROUPS = (["allOf"], ["anyOf"], ["oneOf"])


@dataclass
class Meaning:
    """The meaning of a schema."""

    types: set[str] = field(default_factory=set)
    nullable: bool = False
    values: dict[str, Any] | None = None
    """The allowed values, by their JSON; None for any."""
    limits: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Json] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    others: Json | None = None
    """The schema of the properties that are not named."""
    items: Json | None = None
    content: Json | None = None
    """The schema of the value that a text is the JSON of."""
    alternatives: list[Json] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """The problems of references that cannot be followed."""

    @property
    def effective(self) -> dict[str, Any]:
        """The limits that limit something, for whole numbers without exclusive bounds."""
        found = {
            name: value
            for name, value in self.limits.items()
            if not self.types or not LIMITS[name] or self.types & LIMITS[name]
        }
        if self.types == {"integer"}:
            for name, step, choose in (("Minimum", 1, max), ("Maximum", -1, min)):
                exclusive = found.get(f"exclusive{name}")
                if isinstance(exclusive, int):
                    del found[f"exclusive{name}"]
                    bound = exclusive + step
                    found[name.lower()] = choose(bound, found.get(name.lower(), bound))
        return found


def meaning(document: Document, schema: Any, known: dict[int, Meaning] | None = None) -> Meaning:
    """Return the meaning of a schema.

    ``known`` has those of its parts by their identity: also that of a part which is not
    finished, since unions and ``allOf`` may refer to themselves.
    """
    if problem := broken(document, schema):
        return Meaning(broken={problem})
    node, found = followed(document, schema), Meaning()
    known = {} if known is None else known
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = found
    _read_types(found, node)
    found.limits = _limits(node)
    found.properties = dict(mapping(node.get("properties")))
    found.required = {name for name in sequence(node.get("required")) if isinstance(name, str)}
    found.others = _schema(node, "additionalProperties")
    found.others = found.others if _keywords(mapping(found.others)) else None
    found.items = _schema(node, "items")
    found.content = _schema(node, "contentSchema")
    for part in sequence(node.get("allOf")):
        _add(found, meaning(document, part, known))
    _add_unions(document, found, node, known)
    return found


def followed(document: Document, node: Any) -> Json:
    """Follow the reference of a node; one that leads nowhere is empty."""
    if not isinstance(node, Mapping) or not isinstance(node.get("$ref", ""), str):
        return NOTHING
    try:
        found = document.resolve(node)
    except SpecError:
        return NOTHING
    return found if isinstance(found, Mapping) else NOTHING


def broken(document: Document, node: Any) -> str:
    """Return the problem with the reference of a node; empty if it can be followed."""
    reference = node.get("$ref") if isinstance(node, Mapping) else None
    if not isinstance(reference, str):
        return ""
    try:
        document.resolve(node)
    except SpecError as error:
        shown = f"the reference `{shortened(reference)}`"
        if str(error).endswith("refers to itself"):
            return f"{shown} refers to itself"
        is_here = reference.startswith("#")
        return f"{shown} leads {'nowhere' if is_here else 'out of the description'}"
    return ""


def bare(document: Document, schema: Any) -> Json:
    """Follow the references of a schema, and leave out unions and ``allOf`` of a single one."""
    seen: set[int] = set()
    while True:
        if broken(document, schema):
            return mapping(schema)
        node = followed(document, schema)
        keywords = _keywords(node)
        parts = sequence(node.get(keywords[0])) if len(keywords) == 1 else []
        if id(node) in seen or keywords[:1] not in _GROUPS or len(parts) != 1:
            return node
        seen.add(id(node))
        schema = parts[0]


def mapping(value: Any) -> Json:
    """Return a value that is a mapping, else nothing."""
    return value if isinstance(value, Mapping) else NOTHING


def sequence(value: Any) -> list[Any]:
    """Return a value that is a list, else nothing."""
    return value if isinstance(value, list) else []


def as_json(value: Any) -> str:
    """Return a value as JSON, in one short line."""
    try:
        return shortened(json.dumps(value, ensure_ascii=False, sort_keys=True))
    except (TypeError, ValueError):
        return shortened(repr(value))


def shortened(value: Any, longest: int = 120) -> str:
    """Return a value as one short line."""
    text = " ".join(str(value).split())
    return text if len(text) <= longest else f"{text[:longest]}…"


def _keywords(node: Json) -> list[str]:
    """Return the keywords of a schema that change its meaning."""
    names = map(str, node)
    return [name for name in names if name not in _BESIDE and not name.startswith("x-")]


def _schema(node: Json, keyword: str) -> Json | None:
    """Return the schema at a keyword."""
    found = node.get(keyword)
    return found if isinstance(found, Mapping) else None


def _read_types(found: Meaning, node: Json) -> None:
    """Read the types and the values of a schema."""
    declared = node.get("type")
    types = declared if isinstance(declared, list) else [declared]
    found.types = {each for each in types if isinstance(each, str)}
    found.nullable = "null" in found.types or node.get("nullable") is True
    found.types.discard("null")
    values = [node["const"]] if "const" in node else node.get("enum")
    if isinstance(values, list):
        found.nullable = found.nullable or None in values
        found.values = {as_json(value): value for value in values if value is not None}


def _limits(node: Json) -> dict[str, Any]:
    """Return the limits of a schema, with the exclusive bounds of OpenAPI 3.0 as those of 3.1."""
    found = {name: node[name] for name in LIMITS if node.get(name) is not None}
    for name in ("minimum", "maximum"):
        exclusive = f"exclusive{name.capitalize()}"
        if found.get(exclusive) is True and name in found:
            found[exclusive] = found.pop(name)
    found.pop("additionalProperties", None)
    if False in (node.get("additionalProperties"), node.get("unevaluatedProperties")):
        found["additionalProperties"] = False
    return {
        name: value
        for name, value in found.items()
        if (name not in _NUMBERS or _is_number(value))
        and not any(name == idle and value == limit for idle, limit in _IDLE)
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _add_unions(document: Document, found: Meaning, node: Json, known: dict[int, Meaning]) -> None:
    """Add the alternatives of a schema; one beside null is the schema itself."""
    for keyword in ("anyOf", "oneOf"):
        forms = list(_alternatives(document, node, keyword, set()))
        others = [each for each in forms if not _is_null(each)]
        found.nullable = found.nullable or len(others) < len(forms)
        meanings = [meaning(document, each, known) for each in others]
        if len(others) == 1:
            _add(found, meanings[0])
        elif others and all(map(_is_list_of_values, meanings)):
            _add(found, _all_values(meanings))
        else:
            found.alternatives += others


def _alternatives(document: Document, node: Json, keyword: str, seen: set[int]) -> Iterator[Json]:
    """Yield the alternatives of a union, and of those in it that are nothing but unions.

    Each of these is read once: a union may have the same one often, or contain itself.
    """
    for each in sequence(node.get(keyword)):
        form = bare(document, each)
        names = _keywords(form)
        if names not in (["anyOf"], ["oneOf"]) or not sequence(form.get(names[0])):
            yield form
        elif id(form) not in seen:
            seen.add(id(form))
            yield from _alternatives(document, form, names[0], seen)


def _is_null(schema: Json) -> bool:
    only = schema.get("type") in ("null", ["null"]) or schema.get("enum") == [None]
    return only or ("const" in schema and schema["const"] is None)


def _is_list_of_values(found: Meaning) -> bool:
    """Whether a schema says nothing but which values there are."""
    rest = found.limits or found.properties or found.alternatives or found.broken
    return found.values is not None and not rest and found.content is None


def _all_values(meanings: list[Meaning]) -> Meaning:
    """Return the meaning of a union of lists of values."""
    found = Meaning(values={}, nullable=any(each.nullable for each in meanings))
    for each in meanings:
        found.types |= each.types
        found.values = {**(found.values or {}), **(each.values or {})}
    return found


def _tighter(name: str, first: Any, second: Any) -> Any:
    """Return the value of a keyword that allows less; the first one if neither is a number."""
    if not all(isinstance(each, int | float) for each in (first, second)):
        return first
    if name.startswith(("max", "exclusiveMax")):
        return min(first, second)
    return max(first, second) if name.startswith(("min", "exclusiveMin")) else first


def _add(found: Meaning, other: Meaning) -> None:
    """Add the meaning of another schema."""
    found.types |= other.types
    found.nullable = found.nullable or other.nullable
    if found.values is None or other.values is None:
        found.values = other.values if found.values is None else found.values
    else:
        found.values = {key: value for key, value in found.values.items() if key in other.values}
    for name, value in other.limits.items():
        found.limits[name] = _tighter(name, found.limits.get(name, value), value)
    found.properties |= other.properties
    found.required |= other.required
    found.others = other.others if found.others is None else found.others
    found.items = other.items if found.items is None else found.items
    found.content = other.content if found.content is None else found.content
    found.broken |= other.broken
    present = {id(each) for each in found.alternatives}
    found.alternatives += [each for each in other.alternatives if id(each) not in present]
