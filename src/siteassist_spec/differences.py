"""The differences between our description and another one, such as a server's own.

The other description may be of OpenAPI 3.0, 3.1 or 3.2, and malformed: a node that is not of
the expected type counts as absent, and a reference that cannot be followed is named. Equivalent
forms are not differences: ``nullable`` and a union with null, ``const`` and an ``enum`` of one
value, the order of alternatives, other names of path parameters and of components. An added
``default`` response is ignored, and so are OPTIONS and HEAD, which belong to a server's framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from siteassist_spec.document import Document, Json
from siteassist_spec.operations import EVENT_STREAM, METHODS, base_path
from siteassist_spec.schema_meaning import (
    LIMITS,
    Meaning,
    as_json,
    bare,
    broken,
    followed,
    mapping,
    meaning,
    sequence,
    shortened,
)

ADDS, LACKS, CONTRADICTS = KINDS = ("adds", "lacks", "contradicts")
"""The kinds: the other description has more, less, or something else."""
_NAME = re.compile(r"{[^}]*}")
_BEARER = "a bearer token"
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
    """The words for the part that is added, lacking or different."""
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
                yield self._absent(label, key[1], version)
                continue
            grouped: dict[tuple[str, str], list[str]] = {}
            for place, kind, what in self._operation(node, theirs[key][1]):
                grouped.setdefault((kind, what), []).append(place)
            for (kind, what), places in grouped.items():
                yield Difference(label, kind, what, tuple(filter(None, dict.fromkeys(places))))
        for key, (label, _) in theirs.items():
            if key not in ours:
                yield Difference(label, ADDS, "the operation")

    def _absent(self, label: str, path: str, version: str) -> Difference:
        """Return the difference of an operation that the other description does not have."""
        for written, item in mapping(self._theirs.raw.get("paths")).items():
            short = _NAME.sub("{}", str(written))
            problem = broken(self._theirs, item)
            if problem and path in (short, short.removeprefix(version)):
                return Difference(label, CONTRADICTS, problem)
        return Difference(label, LACKS, "the operation")

    def _operation(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        """Yield the differences of an operation: the place, the kind, the words."""
        yield from self._security(ours, theirs)
        yield from self._parameters(ours, theirs)
        yield from self._bodies(ours, theirs)
        yield from self._responses(ours, theirs)

    def _security(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        here, there = _needs_token(self._ours, ours), _needs_token(self._theirs, theirs)
        if here != there:
            yield "", CONTRADICTS, f"security: needs {'a token' if there else 'no token'}"
        if not here or not there:
            return
        mine, other = _schemes(self._ours, ours), _schemes(self._theirs, theirs)
        if mine and other and mine != other:
            shown = " instead of ".join(" or ".join(sorted(each)) for each in (other, mine))
            yield "", CONTRADICTS, f"security: {shortened(shown)}"

    def _parameters(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        problems = [broken(self._theirs, each) for each in theirs["parameters"]]
        for problem in filter(None, problems):
            yield "", CONTRADICTS, problem
        here, there = _parameters(self._ours, ours), _parameters(self._theirs, theirs)
        for key in [*here, *(key for key in there if key not in here)]:
            mine, other = here.get(key), there.get(key)
            shown = f"the {key[0]} parameter `{shortened((mine or other or {}).get('name'))}`"
            if mine is None:
                required = other is not None and other.get("required") is True
                kind, words = (CONTRADICTS, "requires ") if required else (ADDS, "")
                yield "", kind, f"{words}{shown}"
            elif other is None:
                if not any(problems):  # A broken reference may stand for it.
                    yield "", LACKS, shown
            else:
                if bool(mine.get("required")) != bool(other.get("required")):
                    yield "", CONTRADICTS, f"{shown}: {_obligation(other.get('required'))}"
                for kind, place, words in self._schemas(mine.get("schema"), other.get("schema")):
                    yield "", kind, f"{shown}: {_at(place, words)}"

    def _bodies(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        if problem := broken(self._theirs, theirs.get("requestBody")):
            yield "request", CONTRADICTS, problem
            return
        here = followed(self._ours, ours.get("requestBody"))
        there = followed(self._theirs, theirs.get("requestBody"))
        if not here and not there:
            return
        if not here or not there:
            yield "", (LACKS if here else ADDS), "the body of the request"
            return
        if bool(here.get("required")) != bool(there.get("required")):
            yield "request", CONTRADICTS, f"the body: {_obligation(there.get('required'))}"
        yield from self._media(here, there, "request")

    def _responses(self, ours: Json, theirs: Json) -> Iterator[tuple[str, str, str]]:
        here, there = mapping(ours.get("responses")), mapping(theirs.get("responses"))
        there = {str(status): response for status, response in there.items()}
        for status, response in here.items():
            code = str(status)
            found = there.get(code, there.get(f"{code[0]}XX", there.get("default")))
            if found is None:
                yield "", LACKS, f"the status {code}"
                continue
            if problem := broken(self._theirs, found):
                yield code, CONTRADICTS, problem
                continue
            mine, other = followed(self._ours, response), followed(self._theirs, found)
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
            mine, other = here[name].get("schema"), mapping(there[name]).get("schema")
            if name == EVENT_STREAM:
                mine = _event(self._ours, here[name])
                other = _event(self._theirs, mapping(there[name]))
                if not self._has_structure(other):
                    continue  # Most descriptions say no more of a stream than that it is a text.
            for kind, inner, words in self._schemas(mine, other):
                yield place, kind, _at(inner, words)

    def _has_structure(self, schema: Any) -> bool:
        form = meaning(self._theirs, schema)
        return bool(form.properties or form.alternatives or form.items or form.broken)

    def _schemas(self, ours: Any, theirs: Any) -> tuple[_Difference, ...]:
        """Return the differences of a schema; one that contains itself is compared once."""
        if problem := broken(self._theirs, theirs):
            return ((CONTRADICTS, "", problem),)
        mine, other = followed(self._ours, ours), followed(self._theirs, theirs)
        key = id(mine), id(other)
        if key not in self._known:
            self._known[key] = ()
            forms = meaning(self._ours, mine), meaning(self._theirs, other)
            self._known[key] = tuple(self._forms(*forms))
        return self._known[key]

    def _forms(self, ours: Meaning, theirs: Meaning) -> Iterator[_Difference]:
        if theirs.broken:
            yield from ((CONTRADICTS, "", problem) for problem in sorted(theirs.broken))
            return
        if ours.types and theirs.types and ours.types != theirs.types:
            shown = (" or ".join(sorted(each.types)) for each in (theirs, ours))
            yield CONTRADICTS, "", " instead of ".join(shown)
            return
        if ours.nullable != theirs.nullable:
            yield CONTRADICTS, "", "may be null" if theirs.nullable else "is never null"
        yield from _values(ours, theirs)
        yield from _limits(ours, theirs)
        yield from self._properties(ours, theirs)
        yield from self._others(ours, theirs)
        if ours.items is not None and theirs.items is not None:
            for kind, place, words in self._schemas(ours.items, theirs.items):
                yield kind, _within("[]", place), words
        if ours.content is not None and theirs.content is not None:
            yield from self._schemas(ours.content, theirs.content)
        yield from self._alternatives(ours, theirs)

    def _properties(self, ours: Meaning, theirs: Meaning) -> Iterator[_Difference]:
        if ours.alternatives or theirs.alternatives:
            return
        for name in [*ours.properties, *(n for n in theirs.properties if n not in ours.properties)]:
            if name not in theirs.properties:
                yield LACKS, "", f"the property `{name}`"
            elif name not in ours.properties:
                yield ADDS, "", f"the property `{shortened(name)}`"
            else:
                if (name in ours.required) != (name in theirs.required):
                    yield CONTRADICTS, name, _obligation(name in theirs.required)
                mine, other = ours.properties[name], theirs.properties[name]
                for kind, place, words in self._schemas(mine, other):
                    yield kind, _within(name, place), words

    def _others(self, ours: Meaning, theirs: Meaning) -> Iterator[_Difference]:
        """Yield the differences of the schemas of properties that are not named."""
        words = "a schema of the other properties"
        if ours.others is not None and theirs.others is not None:
            for kind, place, what in self._schemas(ours.others, theirs.others):
                yield kind, _within("*", place), what
        elif theirs.others is not None:
            yield ADDS, "", words
        elif ours.others is not None and "additionalProperties" not in theirs.limits:
            yield LACKS, "", words

    def _alternatives(self, ours: Meaning, theirs: Meaning) -> Iterator[_Difference]:
        if not ours.alternatives or not theirs.alternatives:
            if ours.alternatives and (theirs.types or theirs.properties):
                yield CONTRADICTS, "", f"one form instead of {len(ours.alternatives)}"
            elif ours.alternatives:
                yield LACKS, "", f"the {len(ours.alternatives)} forms"
            elif theirs.alternatives and (ours.types or ours.properties):
                yield CONTRADICTS, "", f"{len(theirs.alternatives)} forms instead of one"
            return
        problems = [broken(self._theirs, each) for each in theirs.alternatives]
        yield from ((CONTRADICTS, "", problem) for problem in dict.fromkeys(filter(None, problems)))
        here = _named(self._ours, ours.alternatives)
        there = _named(self._theirs, theirs.alternatives)
        for mine, other in self._pairs(here, there).items():
            for kind, place, words in self._schemas(here[mine], there.pop(other)):
                yield kind, _within(f"{{{shortened(mine)}}}", place), words
            del here[mine]
        if not any(problems):  # A broken reference may stand for one of them.
            yield from ((LACKS, "", f"the form {shortened(name)}") for name in here)
        for name, schema in there.items():
            if not broken(self._theirs, schema):
                yield ADDS, "", f"the form {shortened(name)}"

    def _pairs(self, ours: dict[str, Json], theirs: dict[str, Json]) -> dict[str, str]:
        """Return the names of the alternatives that are the same one.

        Those with the same distinguishing value are; of the others, those with the fewest
        differences, if at least one of the two has no such value.
        """
        found = {name: name for name in ours if name in theirs and not name.isdecimal()}
        costs = sorted(
            (len(self._schemas(ours[mine], theirs[other])), here, there, mine, other)
            for here, mine in enumerate(ours)
            for there, other in enumerate(theirs)
            if (mine.isdecimal() or other.isdecimal())
            and mine not in found
            and other not in found
            and self._may_be_same(ours[mine], theirs[other])
        )
        taken = set(found.values())
        for *_, mine, other in costs:
            if mine not in found and other not in taken:
                found[mine] = other
                taken.add(other)
        return {name: found[name] for name in ours if name in found}

    def _may_be_same(self, ours: Json, theirs: Json) -> bool:
        """Whether two alternatives can be compared: their types do not contradict each other."""
        mine, other = meaning(self._ours, ours), meaning(self._theirs, theirs)
        return not other.broken and (
            not mine.types or not other.types or bool(mine.types & other.types)
        )


def _values(ours: Meaning, theirs: Meaning) -> Iterator[_Difference]:
    if ours.values is None or theirs.values is None:
        if ours.values is not None:
            yield LACKS, "", f"the limitation to {', '.join(ours.values)}"
        elif theirs.values is not None:
            yield ADDS, "", f"a limitation to {shortened(', '.join(theirs.values))}"
        return
    for value in ours.values:
        if value not in theirs.values:
            yield LACKS, "", f"the value {value}"
    for value in theirs.values:
        if value not in ours.values:
            yield ADDS, "", f"the value {shortened(value)}"


def _limits(ours: Meaning, theirs: Meaning) -> Iterator[_Difference]:
    here, there = ours.effective, theirs.effective
    for name in LIMITS:
        mine, other = here.get(name), there.get(name)
        if mine is None and other is not None:
            yield ADDS, "", f"`{name}` {as_json(other)}"
        elif mine is not None and other is None:
            yield LACKS, "", f"`{name}` {as_json(mine)}"
        elif mine != other or isinstance(mine, bool) != isinstance(other, bool):
            yield CONTRADICTS, "", f"`{name}` {as_json(other)} instead of {as_json(mine)}"


def _named(document: Document, forms: list[Json]) -> dict[str, Json]:
    """Return the alternatives of a union by their distinguishing values.

    The name of one without such a value is its position.
    """
    names = [_name(document, each) for each in forms]
    return {
        name if name and names.count(name) == 1 else f"{number}": each
        for number, (name, each) in enumerate(zip(names, forms, strict=True), 1)
    }


def _name(document: Document, schema: Json) -> str:
    """Return the distinguishing value of an alternative, or its type if it is not an object."""
    form = meaning(document, schema)
    for key, each in form.properties.items():
        values = meaning(document, each).values
        if values is not None and len(values) == 1:
            return f"{key} {next(iter(values))}"
    return next(iter(form.types)) if len(form.types) == 1 and not form.properties else ""


def _operations(document: Document, version: str) -> dict[tuple[str, str], tuple[str, Json]]:
    """Return the label and the node of each operation, by its method and its path.

    A ``version`` in front of all paths belongs to the URL of the server.
    """
    paths = mapping(document.raw.get("paths"))
    is_written = all(str(path).startswith(f"{version}/") for path in paths)
    prefix = version if is_written else ""
    found: dict[tuple[str, str], tuple[str, Json]] = {}
    for path, item in paths.items():
        node = followed(document, item)
        short = str(path).removeprefix(prefix)
        for method in METHODS:
            if isinstance(node.get(method), Mapping):
                shared = sequence(node.get("parameters"))
                own = sequence(node[method].get("parameters"))
                operation = {**node[method], "parameters": [*shared, *own], "x-path": short}
                key = method, _NAME.sub("{}", short)
                found[key] = f"{method.upper()} {shortened(short)}", operation
    return found


def _parameters(document: Document, operation: Json) -> dict[tuple[str, str], Json]:
    """Return the parameters by their place and name; those in a path by their position."""
    names = [each.strip("{}") for each in _NAME.findall(operation["x-path"])]
    found = {}
    for node in operation["parameters"]:
        parameter = followed(document, node)
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
    return bool(sequence(security)) and {} not in sequence(security)


def _schemes(document: Document, operation: Json) -> set[str]:
    """Return the ways to authenticate, in words; nothing if one of them is not described."""
    components = mapping(document.raw.get("components"))
    declared = mapping(components.get("securitySchemes"))
    found = set()
    for each in sequence(operation.get("security", document.raw.get("security"))):
        kinds = {_scheme(followed(document, declared.get(name))) for name in mapping(each)}
        if not all(kinds):
            return set()
        found.add(" with ".join(sorted(kinds)))
    return found


def _scheme(node: Json) -> str:
    """Return a kind of authentication in words; all that send a bearer token are one."""
    kind, place, name = (str(node.get(key, "")) for key in ("type", "in", "name"))
    scheme = str(node.get("scheme", "")).lower()
    if kind in ("oauth2", "openIdConnect") or (kind, scheme) == ("http", "bearer"):
        return _BEARER
    if kind == "apiKey":
        is_token = (place, name.lower()) == ("header", "authorization")
        return _BEARER if is_token else f"an API key in the {place} `{name}`"
    return f"HTTP {scheme}" if kind == "http" else kind


def _media(node: Json) -> dict[str, Json]:
    """Return the media types of a body, without parameters such as the charset."""
    content = mapping(node.get("content"))
    return {str(name).partition(";")[0].strip().lower(): each for name, each in content.items()}


def _event(document: Document, media: Json) -> Json:
    """Return the schema of one event of a stream.

    It is that of an item in OpenAPI 3.2, and before, of the body or of an alternative of it.
    """
    if "itemSchema" in media:
        return bare(document, media["itemSchema"])
    schema = bare(document, media.get("schema"))
    forms = [bare(document, each) for each in sequence(schema.get("anyOf") or schema.get("oneOf"))]
    return next((each for each in forms if meaning(document, each).properties), schema)


def _obligation(required: Any) -> str:
    return "required" if required else "optional"


def _within(outer: str, place: str) -> str:
    """Return a place within another one."""
    dot = "." if place and not place.startswith("[") else ""
    return f"{outer}{dot}{place}"


def _at(place: str, words: str) -> str:
    return f"`{place}`: {words}" if place else words
