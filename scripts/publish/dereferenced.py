"""The description without references, for tools that cannot follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.publish.rebuild import UnknownConstructError, place, rebuild

__all__ = ["dereference"]


def dereference(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``spec`` in which what is referred to stands in each place.

    The components stay, so that their names are not lost.

    Raises `UnknownConstructError` for a reference to another document, to
    nothing, or to what contains it.
    """

    def resolve(kind: str, node: dict[str, Any], path: tuple[str, ...]) -> Any:
        return _follow(spec, node, (), place(path)) if kind == "Reference" else node

    return rebuild(spec, resolve)


def _follow(spec: Mapping[str, Any], node: Any, passed: tuple[str, ...], where: str) -> Any:
    """Return ``node`` with every reference in it replaced; ``passed`` are those around it."""
    if isinstance(node, list):
        return [_follow(spec, item, passed, where) for item in node]
    if not isinstance(node, Mapping):
        return node
    reference = node.get("$ref")
    # A property may have that name, too, but then it is a schema.
    if not isinstance(reference, str):
        return {key: _follow(spec, value, passed, where) for key, value in node.items()}
    if reference in passed:
        raise UnknownConstructError(f"{where}: {reference} contains itself")
    return _follow(spec, _target(spec, reference, where), (*passed, reference), where)


def _target(spec: Mapping[str, Any], reference: str, where: str) -> Any:
    target: Any = spec if reference.startswith("#/") else {}
    for step in reference.split("/")[1:]:
        try:
            target = target[step.replace("~1", "/").replace("~0", "~")]
        except LookupError:
            raise UnknownConstructError(f"{where}: there is no {reference}") from None
    return target
