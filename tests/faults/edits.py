"""Changes to one place of a JSON value, and to the bodies of responses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.faults.faulty import operations

if TYPE_CHECKING:
    from tests.faults.exchange import Exchange
    from tests.faults.faulty import Build, Server

__all__ = [
    "Edit",
    "assuming",
    "become",
    "change",
    "deep",
    "drop",
    "edit",
    "error_body",
    "errors",
    "in_error",
    "put",
    "received",
    "rename",
    "times",
    "together",
    "whole",
]

Edit: TypeAlias = Callable[[dict[Any, Any], Any], None]
"""A function that changes the value under a key of an object."""


def drop(owner: dict[Any, Any], key: Any) -> None:
    """Remove the key."""
    del owner[key]


def put(value: Any) -> Edit:
    """Return an edit that replaces the value with ``value``."""
    return change(lambda _: value)


def rename(name: str) -> Edit:
    """Return an edit that renames the key."""

    def edit(owner: dict[Any, Any], key: Any) -> None:
        owner[name] = owner.pop(key)

    return edit


def change(function: Callable[[Any], Any]) -> Edit:
    """Return an edit that replaces the value with ``function(value)``."""

    def edit(owner: dict[Any, Any], key: Any) -> None:
        owner[key] = function(owner[key])

    return edit


def become(function: Callable[[Any], Any]) -> Callable[[Exchange], None]:
    """Return a hook that replaces the JSON of a success with ``function(json)``."""

    def hook(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.body:
            exchange.json = function(exchange.json)

    return hook


def whole(operations: str, function: Callable[[Any], Any]) -> Build:
    """Return a fault that replaces the JSON of successes of ``operations``."""

    def build(server: Server) -> None:
        server.after(operations, become(function))

    return build


def received(
    operation: str,
    path: str,
    make: Callable[[str], str | None],
    *,
    when: Callable[[Any], bool] | None = None,
) -> Build:
    """Return a fault that replaces a text in the JSON bodies of requests with ``make(text)``.

    ``path`` consists of names separated by dots; ``when`` selects among the bodies. Bodies
    in which the text is missing or stays the same are not changed.
    """
    *steps, key = path.split(".")

    def ask(exchange: Exchange) -> None:
        value = exchange.request_json
        for owner in _walk(value, steps):
            text = owner.get(key)
            if isinstance(text, str) and (when is None or when(value)):
                made = make(text)
                if made != text:
                    owner[key] = made
                    exchange.request_json = value

    return lambda server: server.before(operation, ask)


def errors(names: str, how: Callable[[Exchange], None], *statuses: int) -> Build:
    """Return a fault in the errors of operations, or only in those with ``statuses``."""

    def hook(exchange: Exchange) -> None:
        if exchange.status >= 400 and (not statuses or exchange.status in statuses):
            how(exchange)

    return lambda server: server.after(names, hook)


def error_body(make: Callable[[dict[str, Any]], Any]) -> Callable[[Exchange], None]:
    """Return a change that replaces the body of an error with ``make(error)``."""

    def how(exchange: Exchange) -> None:
        exchange.json = make(exchange.json["error"])

    return how


def in_error(**values: Any) -> Callable[[Exchange], None]:
    """Return a change that replaces fields of an error."""
    return error_body(lambda error: {"error": {**error, **values}})


def deep(value: Any, make: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return ``value`` with ``make`` applied to each object in it."""
    if isinstance(value, dict):
        return make({key: deep(item, make) for key, item in value.items()})
    return [deep(item, make) for item in value] if isinstance(value, list) else value


_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def times(write: Callable[[datetime], str], where: str | None = None) -> Build:
    """Return a change of the format of all times in successes, or in those of ``where``."""

    def make(value: dict[str, Any]) -> dict[str, Any]:
        return {
            name: write(datetime.fromisoformat(item))
            if name.endswith("At") and isinstance(item, str) and _TIME.fullmatch(item)
            else item
            for name, item in value.items()
        }

    return whole(where or " ".join(operations()), lambda value: deep(value, make))


def assuming(operation: str, **values: str) -> Build:
    """Return a fault that gives default values to missing query parameters."""

    def ask(exchange: Exchange) -> None:
        exchange.query = {**values, **exchange.query}

    return lambda server: server.before(operation, ask)


def together(*builds: Build) -> Build:
    """Return a fault that combines several faults."""

    def build(server: Server) -> None:
        for each in builds:
            each(server)

    return build


def edit(
    operations: str,
    path: str,
    how: Edit,
    *,
    where: Callable[[dict[str, Any]], bool] | None = None,
    when: Callable[[Exchange], bool] | None = None,
) -> Build:
    """Return a fault that edits one place in the successes of ``operations``.

    ``path`` consists of names and indices separated by dots, with ``*`` for every
    item of an array. ``where`` selects among the objects that have the last key of the
    path, ``when`` among the responses.
    """

    def hook(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.body and (when is None or when(exchange)):
            value = exchange.json
            *steps, key = path.split(".")
            for owner in _walk(value, steps):
                if key in owner and (where is None or where(owner)):
                    how(owner, key)
            exchange.json = value

    def build(server: Server) -> None:
        server.after(operations, hook)

    return build


def _walk(value: Any, steps: list[str]) -> Iterator[dict[Any, Any]]:
    if not steps:
        if isinstance(value, dict):
            yield value
        return
    step, *rest = steps
    if isinstance(value, dict):
        if step in value:
            yield from _walk(value[step], rest)
    elif isinstance(value, list):
        # A body that a client made up may have an array in place of an object.
        number = int(step) if step.isdigit() else len(value)
        for item in value if step == "*" else value[number : number + 1]:
            yield from _walk(item, rest)
