"""Tells which query parameters of a request break the description.

schemathesis lets a bad value pass when another parameter of the same request
is good, so every accepted request is looked at once more, from outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from siteassist_contract.tolerance import sent_query
from siteassist_spec import load_spec

Json = dict[str, Any]


@dataclass(frozen=True)
class QueryParameter:
    """A documented query parameter."""

    name: str
    required: bool
    types: frozenset[str]
    validator: jsonschema_rs.Validator

    def fault(self, texts: list[str]) -> str | None:
        """Say what is wrong with the values that were sent, if that is certain.

        Empty and repeated values are not judged: what a server makes of them
        is not described.
        """
        if not texts:
            return f"`{self.name}` is required" if self.required else None
        if len(texts) > 1 or not texts[0]:
            return None
        value = self._read(texts[0])
        error = next(iter(self.validator.iter_errors(value)), None)
        return None if error is None else f"`{self.name}`: {error.message}"

    def _read(self, text: str) -> object:
        """Return ``text`` as a server would read it."""
        if "null" in self.types and text == "null":
            return None
        if self.types & {"number", "integer"}:
            try:
                number = float(text)
            except ValueError:
                return text
            if math.isfinite(number):
                return int(number) if number.is_integer() else number
        return text


@cache
def query_parameters() -> Mapping[str, tuple[QueryParameter, ...]]:
    """Return the documented query parameters of each operation, by operationId."""
    spec = load_spec()
    return {
        operation["operationId"]: tuple(_read(spec, operation.get("parameters", [])))
        for item in spec["paths"].values()
        for operation in item.values()
    }


def faults(operation_id: str, url: str) -> list[str]:
    """Say what is wrong with the query of ``url``."""
    sent = sent_query(url)
    found = (p.fault(sent.get(p.name, [])) for p in query_parameters()[operation_id])
    return [fault for fault in found if fault is not None]


def _read(spec: Json, parameters: list[Json]) -> Iterator[QueryParameter]:
    for written in parameters:
        parameter = _resolve(spec, written)
        if parameter["in"] == "query":
            schema = _resolve(spec, parameter["schema"])
            types = schema["type"]
            yield QueryParameter(
                name=parameter["name"],
                required=parameter.get("required", False),
                types=frozenset([types] if isinstance(types, str) else types),
                validator=jsonschema_rs.Draft202012Validator(schema),
            )


def _resolve(spec: Json, node: Json) -> Json:
    """Follow a reference to a component; ours never lead to another one."""
    if "$ref" not in node:
        return node
    found: Any = spec
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    resolved: Json = found
    return resolved
