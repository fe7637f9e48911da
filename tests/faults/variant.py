"""The definition of a tolerated variant, and the registry that each module fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tests.faults.faulty import Build, Server
from tests.faults.probing import Api

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["Shows", "Variant", "Variants"]

Shows: TypeAlias = Callable[[Api], object]
"""A check that raises `AssertionError` unless the server has the difference."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The mock with one difference that the documents allow."""

    id: str
    description: str
    """The difference from the mock, in one sentence."""
    evidence: str
    """The place where the documents, or a standard, leave the behaviour open."""
    build: Build
    shows: Shows
    socket: bool = False
    """Whether the difference needs a connection to show."""

    def app(self) -> Starlette:
        """Build the server with the difference."""
        server = Server()
        self.build(server)
        return server.app()


class Variants:
    """The variants of one module."""

    def __init__(self) -> None:
        """Begin without variants."""
        self.variants: list[Variant] = []

    def add(
        self,
        name: str,
        description: str,
        evidence: str,
        build: Build,
        shows: Shows,
        *,
        socket: bool = False,
    ) -> None:
        """Add the variant ``build``, whose difference ``shows`` detects."""
        self.variants.append(Variant(name, description, evidence, build, shows, socket))

    def variant(
        self, name: str, description: str, evidence: str, shows: Shows, *, socket: bool = False
    ) -> Callable[[Build], Build]:
        """Return a decorator that adds the decorated function as a variant."""

        def add(build: Build) -> Build:
            self.add(name, description, evidence, build, shows, socket=socket)
            return build

        return add
