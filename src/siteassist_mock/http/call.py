"""The call of a handler, and the types of handlers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from starlette.types import ASGIApp

from siteassist_mock.content.assistant import Assistant
from siteassist_mock.content.search_index import BUILT_IN, Knowledge
from siteassist_mock.content.seed import PROJECT
from siteassist_mock.http.authentication import Authenticator
from siteassist_mock.settings import MockSettings
from siteassist_mock.storage.events import EventBus
from siteassist_mock.storage.store import Store
from siteassist_mock.storage.tables import VisitorRow


@dataclass(frozen=True, slots=True)
class Services:
    """The services that all requests of one server share."""

    settings: MockSettings
    store: Store
    authenticator: Authenticator
    events: EventBus
    project: Mapping[str, Any] = field(default_factory=lambda: PROJECT)
    knowledge: Knowledge = BUILT_IN
    assistant: Assistant = field(default_factory=Assistant)
    on_reset: Sequence[Callable[[], None]] = ()
    """The functions that a reset calls after it has cleared the store."""


@dataclass(frozen=True, slots=True)
class Call:
    """A valid request: parameters have their defaults, an absent body is None.

    ``origins`` are its ``Origin`` headers: the website for which a browser sent it.
    """

    services: Services
    signed_in: VisitorRow | None
    path: dict[str, Any]
    query: dict[str, Any]
    body: Any
    origins: tuple[str, ...] = ()
    headers: dict[str, Any] = field(default_factory=dict)
    """The declared header parameters, by their declared names."""

    @property
    def visitor(self) -> VisitorRow:
        """The visitor of the bearer token.

        Raises `LookupError` in an operation without a bearer token.
        """
        if self.signed_in is None:
            raise LookupError("an operation without a bearer has no visitor")
        return self.signed_in

    def count(self, name: str) -> int:
        """Return the query parameter ``name`` rounded down.

        The documents type some counts as numbers, so a fraction is valid. Half an
        entry has no meaning.
        """
        value: float = self.query[name]
        return math.floor(value)


Handler: TypeAlias = Callable[[Call], ASGIApp]
"""A function that answers one operation.

It returns the response, an ASGI application.

Handlers are plain functions that `Store.perform` runs one after another, so they cannot
interfere with each other.
"""

EmptyHandler: TypeAlias = Callable[[Call], None]
"""A handler whose response is the documented success without a body."""
