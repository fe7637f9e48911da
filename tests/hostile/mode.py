"""A mode: one way to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.exchange import Exchange

Act = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to answer."""

    name: str
    sentence: str
    act: Act
    """Answers one request; the connection is closed after it unless the answer was complete."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the mock behind it."""


class Modes(dict[str, Mode]):
    """Modes by name."""

    def add(self, act: Act, **settings: Any) -> Act:
        """Add a mode: the name and the docstring of a function are those of the mode."""
        name = getattr(act, "__name__", "").replace("_", "-")
        sentence = " ".join((act.__doc__ or "").split())
        self[name] = Mode(name, sentence, act, settings)
        return act
