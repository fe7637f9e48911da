"""What a handler is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.types import ASGIApp

if TYPE_CHECKING:
    from siteassist_mock.auth import Authenticator
    from siteassist_mock.events import EventBus
    from siteassist_mock.settings import Settings
    from siteassist_mock.store import Store
    from siteassist_mock.tables import Visitor

__all__ = ["Call", "Handler", "Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """What all requests of one server share."""

    settings: Settings
    store: Store
    authenticator: Authenticator
    events: EventBus


@dataclass(frozen=True, slots=True)
class Call:
    """One valid request: parameters have their defaults, an absent body is None."""

    services: Services
    signed_in: Visitor | None
    path: dict[str, str]
    query: dict[str, Any]
    body: Any

    @property
    def visitor(self) -> Visitor:
        """The visitor whose request this is.

        Raises `LookupError` in an operation that takes no bearer.
        """
        if self.signed_in is None:
            raise LookupError("an operation without a bearer has no visitor")
        return self.signed_in


Handler: TypeAlias = Callable[[Call], ASGIApp]
"""Answers one operation; the response is an ASGI application.

Handlers are plain functions that run on the event loop itself. A statement on
SQLite takes less time than the way to a thread and back, and one after another
they cannot get in each other's way.
"""
