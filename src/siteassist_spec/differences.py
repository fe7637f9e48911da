"""The differences between our description and another one, such as a server's own.

The other description may be of OpenAPI 3.0 or 3.1, and malformed: what is not of the expected
type counts as absent. Forms that say the same are no differences: ``nullable`` and a union with
null, ``const`` and an ``enum`` of one value, other names of path parameters and of components.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from siteassist_spec.document import Document, Json, SpecError
from siteassist_spec.operations import EVENT_STREAM, METHODS, base_path

ADDS, LACKS, CONTRADICTS = KINDS = ("adds", "lacks", "contradicts")
"""What the other description does: it has more, it has less, or it says something else."""
_LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "format",
    "default",
)
"""The keywords whose values are compared."""
_NAME = re.compile(r"{[^}]*}")
_NOTHING: Json = {}
"""A schema that is absent. There is only one, since schemas are compared by their identity."""
_Difference: TypeAlias = tuple[str, str, str]
"""A kind, a place in a schema, and the words."""


@dataclass(frozen=True, order=True)
class Difference:
    """One difference of the other description."""

    operation: str
    """The method and the path."""
    kind: str
    """One of `KINDS`."""
    what: str
    """What is added, lacking or different."""
    places: tuple[str, ...] = ()
    """The parts of the operation with this difference; empty for the operation as a whole."""

    @property
    def words(self) -> str:
        """The difference in words, without the operation."""
        where = f" ({', '.join(self.places)})" if self.places else ""
        return f"{self.kind} {self.what}{where}"


def find(ours: Document, theirs: Document) -> list[Difference]:
    """Return the differences of ``theirs`` from ``ours``, in the order of our operations."""
    return list(_Comparison(ours, theirs).operations())


@dataclass
class _Form:
    """The meaning of a schema, in whichever of the equivalent forms."""

    types: set[str] = field(default_factory=set)
    nullable: bool = False
    values: dict[str, Any] | None = None
    """The allowed values, by their JSON; None for any."""
    limits: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Json] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    items: Json | None = None
    content: Json | None = None
    """The schema of the value that a text is the JSON of."""
    alternatives: list[Json] = field(default_factory=list)


class _Comparison:
    """The comparison of two descriptions."""

    def __init__(self, ours: Document, theirs: Document) -> None:
        self._ours, self._theirs = ours, theirs
        self._known: dict[tuple[int, int], tuple[_Difference, ...]] = {}

    def operations(self) -> Iterator[Difference]:
        version = base_path(self._ours)
        ours, theirs = _operations(self._ours, version), _operations(self._theirs, version)
        for key, (label, node) in ours.items():
            if key not in theirs:
                yield Difference(label, LACKS, "the operation")
                continue
            grouped: dict[tuple[str, str], list[str]] = {}
            for place, kind, what in self._operation(node, theirs[key][1]):
                grouped.setdefault((kind, what), []).append(place)
            for (kind, what), places in grouped.items():
                yield Difference(label, kind, what, tuple(filter(None, dict.fromkeys(places))))
        for key, (label, _) in theirs.items():
            if key not in ours:
                yield Difference(label, ADDS, "the operation")

    def _operation(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        """Yield the differences of an operation: the place, the kind, the words."""
        token = _needs_token(self._ours, ours), _needs_token(self._theirs, theirs)
        if token[0] != token[1]:
            needs = "needs a token" if token[1] else "needs no token"
            yield "", CONTRADICTS, f"security: {needs}"
        yield from self._parameters(ours, theirs)
        yield from self._bodies(ours, theirs)
        yield from self._responses(ours, theirs)

    def _parameters(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        here, there = _parameters(self._ours, ours), _parameters(self._theirs, theirs)
        for key in [*here, *(key for key in there if key not in here)]:
            mine, other = here.get(key), there.get(key)
            shown = f"the {key[0]} parameter `{_text((mine or other or {}).get('name'))}`"
            if mine is None:
                required = other is not None and other.get("required") is True
                kind, words = (CONTRADICTS, "requires ") if required else (ADDS, "")
                yield "", kind, f"{words}{shown}"
            elif other is None:
                yield "", LACKS, shown
            else:
                if bool(mine.get("required")) != bool(other.get("required")):
                    yield "", CONTRADICTS, f"{shown}: {_obligation(other.get('required'))}"
                for kind, place, words in self._schemas(mine.get("schema"), other.get("schema")):
                    yield "", kind, f"{shown}: {_at(place, words)}"

    def _bodies(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        here = _followed(self._ours, ours.get("requestBody"))
        there = _followed(self._theirs, theirs.get("requestBody"))
        if not here and not there:
            return
        if not here or not there:
            yield "", (LACKS if here else ADDS), "the body of the request"
            return
        if bool(here.get("required")) != bool(there.get("required")):
            yield "request", CONTRADICTS, f"the body: {_obligation(there.get('required'))}"
        yield from self._media(here, there, "request")

    def _responses(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        here, there = _mapping(ours.get("responses")), _mapping(theirs.get("responses"))
        there = {str(status): response for status, response in there.items()}
        for status, response in here.items():
            code = str(status)
            found = there.get(code, there.get(f"{code[0]}XX", there.get("default")))
            if found is None:
                yield "", LACKS, f"the status {code}"
                continue
            mine, other = _followed(self._ours, response), _followed(self._theirs, found)
            yield from self._media(mine, other, code)
        known = {str(status) for status in here}
        for code in there:
            if code not in known and code[1:] != "XX" and code != "default":
                yield "", ADDS, f"the status {code}"

    def _media(self, ours: Json, theirs: Json, place: str) -> Iterator[tuple[str, str, str]]:
        here, there = _media(ours), _media(theirs)
        for name in [*here, *(name for name in there if name not in here)]:
            if name not in there or name not in here:
                yield place, (LACKS if name in here else ADDS), f"the media type {name}"
                continue
            mine, other = here[name].get("schema"), _mapping(there[name]).get("schema")
            if name == EVENT_STREAM:
                mine = _event(self._ours, here[name])
                other = _event(self._theirs, _mapping(there[name]))
                if not self._has_structure(other):
                    continue  # Most descriptions say no more of a stream than that it is a text.
            for kind, inner, words in self._schemas(mine, other):
                yield place, kind, _at(inner, words)

    def _has_structure(self, schema: Any) -> bool:
        form = _form(self._theirs, schema)
        return bool(form.properties or form.alternatives or form.items)

    def _schemas(self, ours: Any, theirs: Any) -> tuple[_Difference, ...]:
        """Return the differences of a schema; one that contains itself is compared once."""
        mine, other = _followed(self._ours, ours), _followed(self._theirs, theirs)
        key = id(mine), id(other)
        if key not in self._known:
            self._known[key] = ()
            forms = _form(self._ours, mine), _form(self._theirs, other)
            self._known[key] = tuple(self._forms(*forms))
        return self._known[key]

    def _forms(self, ours: _Form, theirs: _Form) -> Iterator[_Difference]:
        if ours.types and theirs.types and ours.types != theirs.types:
            shown = (" or ".join(sorted(each.types)) for each in (theirs, ours))
            yield CONTRADICTS, "", " instead of ".join(shown)
            return
        if ours.nullable != theirs.nullable:
            yield CONTRADICTS, "", "may be null" if theirs.nullable else "is never null"
        yield from _values(ours, theirs)
        yield from _limits(ours, theirs)
        yield from self._properties(ours, theirs)
        if ours.items is not None and theirs.items is not None:
            for kind, place, words in self._schemas(ours.items, theirs.items):
                yield kind, _within("[]", place), words
        if ours.content is not None and theirs.content is not None:
            yield from self._schemas(ours.content, theirs.content)
        yield from self._alternatives(ours, theirs)

    def _properties(self, ours: _Form, theirs: _Form) -> Iterator[_Difference]:
        if ours.alternatives or theirs.alternatives:
            return
        for name in [*ours.properties, *(n for n in theirs.properties if n not in ours.properties)]:
            if name not in theirs.properties:
                yield LACKS, "", f"the property `{name}`"
            elif name not in ours.properties:
                yield ADDS, "", f"the property `{_text(name)}`"
            else:
                if (name in ours.required) != (name in theirs.required):
                    yield CONTRADICTS, name, _obligation(name in theirs.required)
                mine, other = ours.properties[name], theirs.properties[name]
                for kind, place, words in self._schemas(mine, other):
                    yield kind, _within(name, place), words

    def _alternatives(self, ours: _Form, theirs: _Form) -> Iterator[_Difference]:
        if not ours.alternatives or not theirs.alternatives:
            if ours.alternatives and (theirs.types or theirs.properties):
                yield CONTRADICTS, "", f"one form instead of {len(ours.alternatives)}"
            elif theirs.alternatives and (ours.types or ours.properties):
                yield CONTRADICTS, "", f"{len(theirs.alternatives)} forms instead of one"
            return
        here = _named(self._ours, ours.alternatives)
        there = _named(self._theirs, theirs.alternatives)
        for name in [*here, *(name for name in there if name not in here)]:
            if name not in there or name not in here:
                yield (LACKS if name in here else ADDS), "", f"the form {_text(name)}"
            else:
                for kind, place, words in self._schemas(here[name], there[name]):
                    yield kind, _within(f"{{{_text(name)}}}", place), words


def _values(ours: _Form, theirs: _Form) -> Iterator[_Difference]:
    if ours.values is None or theirs.values is None:
        if ours.values is not None:
            yield LACKS, "", f"the limitation to {', '.join(ours.values)}"
        elif theirs.values is not None:
            yield ADDS, "", f"a limitation to {_text(', '.join(theirs.values))}"
        return
    for value in ours.values:
        if value not in theirs.values:
            yield LACKS, "", f"the value {value}"
    for value in theirs.values:
        if value not in ours.values:
            yield ADDS, "", f"the value {_text(value)}"


def _limits(ours: _Form, theirs: _Form) -> Iterator[_Difference]:
    for name in _LIMITS:
        mine, other = ours.limits.get(name), theirs.limits.get(name)
        if mine is None and other is not None:
            yield ADDS, "", f"`{name}` {_json(other)}"
        elif mine is not None and other is None:
            yield LACKS, "", f"`{name}` {_json(mine)}"
        elif mine != other or isinstance(mine, bool) != isinstance(other, bool):
            yield CONTRADICTS, "", f"`{name}` {_json(other)} instead of {_json(mine)}"


def _form(document: Document, schema: Any, known: dict[int, _Form] | None = None) -> _Form:
    """Return the meaning of a schema.

    ``known`` has those of its parts by their identity: also that of a part which is not
    finished, since unions and ``allOf`` may refer to themselves.
    """
    node, found = _followed(document, schema), _Form()
    known = {} if known is None else known
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = found
    declared = node.get("type")
    types = declared if isinstance(declared, list) else [declared]
    found.types = {each for each in types if isinstance(each, str)}
    found.nullable = "null" in found.types or node.get("nullable") is True
    found.types.discard("null")
    values = [node["const"]] if "const" in node else node.get("enum")
    if isinstance(values, list):
        found.nullable = found.nullable or None in values
        found.values = {_json(value): value for value in values if value is not None}
    found.limits = {name: node[name] for name in _LIMITS if node.get(name) is not None}
    found.properties = dict(_mapping(node.get("properties")))
    required = node.get("required")
    if isinstance(required, list):
        found.required = {name for name in required if isinstance(name, str)}
    if isinstance(node.get("items"), Mapping):
        found.items = node["items"]
    if isinstance(node.get("contentSchema"), Mapping):
        found.content = node["contentSchema"]
    for part in _sequence(node.get("allOf")):
        _add(found, _form(document, part, known))
    _add_union(document, found, node, known)
    return found


def _add_union(document: Document, found: _Form, node: Json, known: dict[int, _Form]) -> None:
    """Add the alternatives of a schema; one beside null is the schema itself."""
    for keyword in ("anyOf", "oneOf"):
        forms = [_followed(document, each) for each in _sequence(node.get(keyword))]
        others = [each for each in forms if not _is_null(each)]
        found.nullable = found.nullable or len(others) < len(forms)
        if len(others) == 1:
            _add(found, _form(document, others[0], known))
        else:
            found.alternatives += others


def _is_null(schema: Json) -> bool:
    return schema.get("type") == "null" or ("const" in schema and schema["const"] is None)


def _add(found: _Form, other: _Form) -> None:
    """Add the meaning of another schema."""
    found.types |= other.types
    found.nullable = found.nullable or other.nullable
    if other.values is not None:
        found.values = other.values
    found.limits |= other.limits
    found.properties |= other.properties
    found.required |= other.required
    found.items = other.items if found.items is None else found.items
    found.content = other.content if found.content is None else found.content
    present = {id(each) for each in found.alternatives}
    found.alternatives += [each for each in other.alternatives if id(each) not in present]


def _named(document: Document, forms: list[Json]) -> dict[str, Json]:
    """Return the alternatives of a union by their distinguishing values."""
    named: dict[str, Json] = {}
    for number, each in enumerate(forms, 1):
        form = _form(document, each)
        name = ""
        for key, schema in form.properties.items():
            values = _form(document, schema).values
            if not name and values is not None and len(values) == 1:
                name = f"{key} {next(iter(values))}"
        if not name and len(form.types) == 1 and not form.properties:
            name = next(iter(form.types))
        named[name if name and name not in named else f"{number}"] = each
    return named


def _operations(document: Document, version: str) -> dict[tuple[str, str], tuple[str, Json]]:
    """Return the label and the node of each operation, by its method and its path.

    A ``version`` in front of all paths belongs to the URL of the server.
    """
    paths = _mapping(document.raw.get("paths"))
    is_written = all(str(path).startswith(f"{version}/") for path in paths)
    prefix = version if is_written else ""
    found: dict[tuple[str, str], tuple[str, Json]] = {}
    for path, item in paths.items():
        node = _followed(document, item)
        short = str(path).removeprefix(prefix)
        for method in METHODS:
            if isinstance(node.get(method), Mapping):
                shared = _sequence(node.get("parameters"))
                own = _sequence(node[method].get("parameters"))
                operation = {**node[method], "parameters": [*shared, *own], "x-path": short}
                key = method, _NAME.sub("{}", short)
                found[key] = f"{method.upper()} {_text(short)}", operation
    return found


def _parameters(document: Document, operation: Json) -> dict[tuple[str, str], Json]:
    """Return the parameters by their place and name; those in a path by their position."""
    names = [each.strip("{}") for each in _NAME.findall(operation["x-path"])]
    found = {}
    for node in operation["parameters"]:
        parameter = _followed(document, node)
        place, name = str(parameter.get("in")), str(parameter.get("name"))
        if place in ("path", "query", "header"):
            if place == "path" and name in names:
                name = str(names.index(name))
            elif place == "header":
                name = name.lower()
            found[place, name] = parameter
    return found


def _needs_token(document: Document, operation: Json) -> bool:
    security = operation.get("security", document.raw.get("security"))
    return bool(_sequence(security)) and {} not in _sequence(security)


def _media(node: Json) -> dict[str, Json]:
    """Return the media types of a body, without parameters such as the charset."""
    content = _mapping(node.get("content"))
    return {str(name).partition(";")[0].strip().lower(): each for name, each in content.items()}


def _event(document: Document, media: Json) -> Json:
    """Return the schema of one event of a stream.

    It is that of an item in OpenAPI 3.2, and before, of the body or of an alternative of it.
    """
    if "itemSchema" in media:
        return _followed(document, media["itemSchema"])
    schema = _followed(document, media.get("schema"))
    forms = [_followed(document, each) for each in _sequence(schema.get("anyOf"))]
    return next((each for each in forms if "properties" in each), schema)


def _followed(document: Document, node: Any) -> Json:
    """Follow the reference of a node; one that leads nowhere is empty."""
    if not isinstance(node, Mapping):
        return _NOTHING
    if not isinstance(node.get("$ref", ""), str):
        return _NOTHING
    try:
        followed = document.resolve(node)
    except SpecError:
        return _NOTHING
    return followed if isinstance(followed, Mapping) else _NOTHING


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else _NOTHING


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _obligation(required: Any) -> str:
    return "required" if required else "optional"


def _within(outer: str, place: str) -> str:
    """Return a place within another one."""
    dot = "." if place and not place.startswith("[") else ""
    return f"{outer}{dot}{place}"


def _at(place: str, words: str) -> str:
    return f"`{place}`: {words}" if place else words


def _json(value: Any) -> str:
    try:
        return _text(json.dumps(value, ensure_ascii=False, sort_keys=True))
    except (TypeError, ValueError):
        return _text(repr(value))


def _text(value: Any, longest: int = 120) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= longest else f"{text[:longest]}…"
