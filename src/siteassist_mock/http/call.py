"""What a handler is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.types import ASGIApp

from siteassist_mock.content.assistant import Assistant
from siteassist_mock.content.search_index import BUILT_IN, Knowledge
from siteassist_mock.content.seed import PROJECT

if TYPE_CHECKING:
    from siteassist_mock.http.authentication import Authenticator
    from siteassist_mock.settings import MockSettings
    from siteassist_mock.storage.events import EventBus
    from siteassist_mock.storage.store import Store
    from siteassist_mock.storage.tables import VisitorRow

__all__ = ["Call", "EmptyHandler", "Handler", "Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """What all requests of one server share."""

    settings: MockSettings
    store: Store
    authenticator: Authenticator
    events: EventBus
    project: Mapping[str, Any] = field(default_factory=lambda: PROJECT)
    knowledge: Knowledge = BUILT_IN
    assistant: Assistant = field(default_factory=Assistant)
    on_reset: tuple[Callable[[], None], ...] = ()
    """What a reset does besides clearing the store."""


@dataclass(frozen=True, slots=True)
class Call:
    """One valid request: parameters have their defaults, an absent body is None.

    ``origins`` are its headers ``Origin``: the website that a browser sends it for.
    """

    services: Services
    signed_in: VisitorRow | None
    path: dict[str, Any]
    query: dict[str, Any]
    body: Any
    origins: tuple[str, ...] = ()
    headers: dict[str, Any] = field(default_factory=dict)
    """The header parameters that the operation declares, by their declared names."""

    @property
    def visitor(self) -> VisitorRow:
        """The visitor whose request this is.

        Raises `LookupError` in an operation that takes no bearer.
        """
        if self.signed_in is None:
            raise LookupError("an operation without a bearer has no visitor")
        return self.signed_in


Handler: TypeAlias = Callable[[Call], ASGIApp]
"""A function that answers one operation.

It returns the response, an ASGI application.

Handlers are plain functions that run on the event loop itself. A statement on
SQLite takes less time than the way to a thread and back, and one after another
they cannot get in each other's way.
"""

EmptyHandler: TypeAlias = Callable[[Call], None]
"""A handler whose response is the documented success without a body."""
