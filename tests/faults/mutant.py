"""The definition of a mutant, and the registry that each class of faults fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tests.faults.faulty import Build, Server

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from tests.faults.probing import Api

__all__ = ["CLASSES", "Faults", "Mutant", "Probe"]

CLASSES = (
    "shape",
    "status",
    "validation",
    "auth",
    "state",
    "stream",
    "errors",
    "texts",
    "places",
    "refusals",
    "access",
    "sizes",
    "inputs",
    "overlap",
    "time",
    "browsers",
    "negotiation",
    "error-bodies",
    "socket",
    "reported",
)
"""The classes of faults, in the order of reports."""

Probe: TypeAlias = "Callable[[Api], object]"
"""A check that raises `AssertionError` if the server has the fault."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """The mock with one fault."""

    id: str
    kind: str
    """The class of the fault, one of `CLASSES`."""
    description: str
    """The wrong behaviour of the server, in one sentence."""
    evidence: str
    """The requirement that the fault breaks: an entry of docs/evidence.md, or a place in
    openapi.yaml."""
    build: Build
    probe: Probe
    rare: bool
    """Whether the fault shows in rare branches only."""
    socket: bool = False
    """Whether the probe needs a connection, in place of calls of the application."""

    def app(self) -> Starlette:
        """Build the server with the fault."""
        server = Server()
        self.build(server)
        return server.app()


class Faults:
    """The mutants of one class, as its module lists them."""

    def __init__(self, kind: str, *, socket: bool = False) -> None:
        """List the faults of the class ``kind``; ``socket`` is that of `Mutant`."""
        self._kind = kind
        self._socket = socket
        self.mutants: list[Mutant] = []

    def add(
        self,
        name: str,
        description: str,
        evidence: str,
        build: Build,
        probe: Probe,
        *,
        rare: bool = False,
    ) -> None:
        """Add the fault ``build``, which ``probe`` has to detect."""
        self.mutants.append(
            Mutant(name, self._kind, description, evidence, build, probe, rare, socket=self._socket)
        )

    def fault(
        self, name: str, description: str, evidence: str, probe: Probe, *, rare: bool = False
    ) -> Callable[[Build], Build]:
        """Return a decorator that adds the decorated function as a fault."""

        def add(build: Build) -> Build:
            self.add(name, description, evidence, build, probe, rare=rare)
            return build

        return add
