"""What ``openapi.yaml`` says of each operation, as far as serving it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from siteassist_spec import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Body", "Operation", "Parameter", "base_path", "read_operations", "resolve"]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; ``types`` are the JSON types that its schema allows."""

    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]
    types: frozenset[str]
    default: Any


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON body that an operation takes."""

    required: bool
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path; ``needs_token`` says whether it takes a bearer."""

    operation_id: str
    method: str
    path: str
    needs_token: bool
    parameters: tuple[Parameter, ...]
    body: Body | None


def base_path(spec: Mapping[str, Any]) -> str:
    """Return the path of the first server's address, such as ``/v2``.

    Raises `SpecError` if there is no server.
    """
    try:
        address = str(spec["servers"][0]["url"])
    except (KeyError, IndexError, TypeError):
        raise SpecError("openapi.yaml: `servers` names no address") from None
    return urlsplit(address).path.rstrip("/")


def read_operations(spec: Mapping[str, Any]) -> list[Operation]:
    """Return all operations, in the order of the description.

    Raises `SpecError` with the place if the description cannot be served.
    """
    return [
        _read(spec, path, method, item)
        for path, item in _mapping(spec, "paths").items()
        for method in _METHODS
        if method in item
    ]


def resolve(spec: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow the ``$ref`` of ``node``, and of what it leads to, within ``spec``.

    Raises `SpecError` if a reference leads nowhere.
    """
    while "$ref" in node:
        target: Any = spec
        try:
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
        except (KeyError, TypeError):
            raise SpecError(f"openapi.yaml: {node['$ref']} leads nowhere") from None
        node = target
    return node


def _mapping(spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = spec.get(key)
    if not isinstance(value, dict):
        raise SpecError(f"openapi.yaml: `{key}` is no mapping")
    return value


def _read(spec: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any]) -> Operation:
    node = item[method]
    try:
        body = node.get("requestBody")
        return Operation(
            operation_id=node["operationId"],
            method=method.upper(),
            path=path,
            needs_token=bool(node.get("security", spec.get("security"))),
            parameters=tuple(
                _parameter(spec, resolve(spec, parameter))
                for parameter in (*item.get("parameters", ()), *node.get("parameters", ()))
            ),
            body=None if body is None else _body(resolve(spec, body)),
        )
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"lacks {error}" if isinstance(error, KeyError) else "is malformed"
        raise SpecError(f"openapi.yaml: {method.upper()} {path} {problem}") from None


def _parameter(spec: Mapping[str, Any], node: Mapping[str, Any]) -> Parameter:
    schema = resolve(spec, node["schema"])
    return Parameter(
        name=node["name"],
        place=node["in"],
        required=bool(node.get("required")),
        schema=node["schema"],
        types=frozenset(_types(schema)),
        default=schema.get("default"),
    )


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    declared = schema.get("type", ())
    yield from [declared] if isinstance(declared, str) else declared


def _body(node: Mapping[str, Any]) -> Body:
    return Body(
        required=bool(node.get("required")),
        schema=node["content"]["application/json"]["schema"],
    )
