"""Identifiers in paths that a server takes although they are no UUIDs in their usual form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from siteassist_mock.http.errors import ApiError
from tests.faults.owners import owner_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler
    from tests.faults.faulty import Build, Server

__all__ = ["Meaning", "taking"]

Meaning: TypeAlias = "Callable[[Call, str], str | None]"
"""A function that returns the identifier that a text is taken for, or None."""


def taking(operation: str, name: str, meaning: Meaning, *, of_anybody: bool = False) -> Build:
    """Return a fault that takes other texts for the identifier ``name`` in the path.

    ``meaning`` is called with each identifier as it was sent. If it returns another one,
    the operation uses that; if ``of_anybody``, as the owner of the object. Other texts
    that are no UUIDs are still refused.
    """

    def answer(call: Call, handler: Handler) -> ASGIApp:
        given = call.path[name]
        meant = meaning(call, given)
        if meant is None and not _is_uuid(given):
            raise ApiError(400, code="INVALID_PARAMETER")
        call = replace(call, path={**call.path, name: meant or given.lower()})
        owner = owner_of(call) if of_anybody and meant is not None else None
        if owner is not None:
            call = replace(call, signed_in=replace(call.visitor, id=owner))
        return handler(call)

    def build(server: Server) -> None:
        del server.parameter(operation, name)["format"]
        server.handler(operation, answer)

    return build


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
