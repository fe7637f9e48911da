"""Valid requests of the operations, made from the description. Probes change one part."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from siteassist_contract.description import (
    API_KEY,
    DEVICE,
    all_operations,
    credential_name,
    credential_of,
    forms,
    operations,
    properties,
    resolve,
    takes_key,
)
from siteassist_spec import Body, Json, Operation, Parameter

_DEVICE = "siteassist-contract"
"""Replaces the device in the examples, which may exist on the server."""


@dataclass
class RequestParts:
    """The parts of a request."""

    operation: str
    """The ``operationId``."""
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def described(self) -> Operation:
        """The operation."""
        return all_operations()[self.operation]

    @property
    def method(self) -> str:
        """The method."""
        return self.described.method

    @property
    def target(self) -> str:
        """The path with its parameters filled in."""
        path = self.described.path
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return path

    @property
    def costs(self) -> bool:
        """Whether the server generates an answer, which may cost money."""
        return self.described.stream is not None

    def changed(
        self,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str | None] | None = None,
        header: Mapping[str, str | None] | None = None,
        body: Any = ...,
    ) -> RequestParts:
        """Return a copy with other values; a parameter that is ``None`` is removed."""
        other = copy.deepcopy(self)
        other.path |= path or {}
        for part, changes in ((other.query, query), (other.header, header)):
            for name, value in (changes or {}).items():
                if value is None:
                    part.pop(name, None)
                else:
                    part[name] = value
        if body is not ...:
            other.body = body
        return other


def valid_requests(ids: Mapping[str, str], api_key: str | None) -> dict[str, RequestParts]:
    """Return a valid request for every operation whose path parameters are in ``ids``.

    Without ``api_key``, operations that take a key are left out.
    """
    found = (valid_request(operation, ids, api_key) for operation in operations().values())
    return {request.operation: request for request in found if request is not None}


def valid_request(
    operation: Operation, ids: Mapping[str, str], api_key: str | None
) -> RequestParts | None:
    """Return the smallest valid request of an operation.

    Returns None if ``ids`` lacks a path parameter, or ``api_key`` is None but required.
    """
    names = [parameter.name for parameter in operation.places("path")]
    if not set(names) <= set(ids) or (takes_key(operation) and api_key is None):
        return None
    credentials = {credential_name(API_KEY): api_key, credential_name(DEVICE): _DEVICE}
    given: dict[str, dict[str, str]] = {"query": {}, "header": {}}
    for parameter in operation.parameters:
        if parameter.required and parameter.place in given:
            value = credentials.get(parameter.name) or _parameter(parameter)
            given[parameter.place][parameter.name] = str(value)
    return RequestParts(
        operation.operation_id,
        path={name: ids[name] for name in names},
        query=given["query"],
        header=given["header"],
        body=_body(operation.body, credentials) if operation.body is not None else None,
    )


def _parameter(parameter: Parameter) -> Any:
    return next(iter(parameter.examples.values()), None) or value_of(parameter.schema)


def _body(body: Body, credentials: Mapping[str, Any]) -> Any:
    if not body.required:
        return None
    example = next(iter(body.examples.values()), None)
    schema = resolve(body.schema)
    written = schema.get("properties", {})
    if not isinstance(example, Mapping):
        example = {}
    required = {
        name: credentials.get(name)
        or copy.deepcopy(example.get(name, value_of(written.get(name, {}))))
        for name in schema.get("required", ())
    }
    # A PATCH with an empty body would have no effect.
    return required or copy.deepcopy(dict(example))


def value_of(schema: Json) -> Any:
    """Return the smallest value that is valid for a schema."""
    form = next((f for f in forms(schema) if f.get("type") != "null"), {})
    given = [form.get("const"), form.get("default"), *form.get("enum", ())]
    if any(value is not None for value in given):
        return next(value for value in given if value is not None)
    kinds = form.get("type", "string")
    kind = kinds if isinstance(kinds, str) else next(k for k in kinds if k != "null")
    match kind:
        case "object":
            written = form.get("properties", {})
            return {name: value_of(written.get(name, {})) for name in form.get("required", ())}
        case "array":
            return [value_of(form.get("items", {})) for _ in range(form.get("minItems", 0))]
        case "boolean":
            return False
        case "integer" | "number":
            return form.get("minimum", 1)
        case _:
            return _text(form)


def _text(form: Json) -> str:
    match form.get("format"):
        case "uuid":
            return str(uuid.uuid4())
        case "uri":
            return "https://example.com/"
        case "date-time":
            return "2024-01-15T10:30:00.000Z"
    return "x" * int(form.get("minLength") or 1)


def with_key(request: RequestParts, key: str) -> RequestParts:
    """Return a copy with another publishable key."""
    changed = request
    for parameter in request.described.parameters:
        if credential_of(parameter.schema) == API_KEY:
            changed = changed.changed(**{parameter.place: {parameter.name: key}})
    for name, schema in properties(request.described).items():
        if credential_of(schema) == API_KEY:
            changed = changed.changed(body={**(changed.body or {}), name: key})
    return changed
