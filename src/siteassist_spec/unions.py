"""Unions whose members are told apart by the property ``type``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from siteassist_spec.document import Document, Json


@dataclass(frozen=True, slots=True)
class Union:
    """The names of the schemas in a union: by exact type, by prefix, and for all other types."""

    exact: Mapping[str, str]
    prefixes: Mapping[str, str]
    other: str

    def member(self, kind: str) -> str:
        """Return the name of the schema for the type ``kind``."""
        prefix = next((prefix for prefix in self.prefixes if kind.startswith(prefix)), None)
        return self.exact.get(kind) or (self.other if prefix is None else self.prefixes[prefix])


def read_union(document: Document, union: Json) -> Union:
    """Return the members of a union, which may be a reference.

    Raises `SpecError` if a member is not a named schema with a property ``type``, or if
    no member is for all other types.
    """
    exact: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    other = ""
    schema = document.resolve(union)
    place = document.find(union)
    for reference in schema.get("oneOf", schema.get("anyOf", ())):
        name = document.component(reference)
        if name is None:
            raise document.error("each member of a union must be a named schema", place)
        kind = document.resolve(reference).get("properties", {}).get("type")
        if kind is None:
            raise document.error(
                f"{name} is a member of a union and needs a property `type`",
                ("components", "schemas", name),
            )
        if "const" in kind:
            exact[kind["const"]] = name
        elif "pattern" in kind:
            prefixes[kind["pattern"].removeprefix("^")] = name
        else:
            other = name
    if not other:
        raise document.error("the union needs a member for all other types", place)
    return Union(exact, prefixes, other)
