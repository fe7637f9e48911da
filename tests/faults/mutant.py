"""What a mutant is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tests.faults.faulty import Build, Server

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from tests.faults.probing import Api

__all__ = ["CLASSES", "Faults", "Mutant", "Probe"]

CLASSES = ("shape", "status", "validation", "auth", "state", "stream", "errors")
"""The classes of faults, in the order of reports."""

Probe: TypeAlias = "Callable[[Api], object]"
"""Raises `AssertionError` if the server has the fault."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """The mock with one fault."""

    id: str
    kind: str
    """Which of `CLASSES` it is of."""
    says: str
    """What the server does wrong, in one sentence."""
    evidence: str
    """What it breaks: an entry of docs/evidence.md, or a place in openapi.yaml."""
    build: Build
    probe: Probe
    rare: bool
    """Whether it shows in rare branches only."""

    def app(self) -> Starlette:
        """Return the server with the fault."""
        server = Server()
        self.build(server)
        return server.app()


class Faults:
    """The mutants of one class, as its module lists them."""

    def __init__(self, kind: str) -> None:
        """Begin without any."""
        self._kind = kind
        self.mutants: list[Mutant] = []

    def add(
        self, name: str, says: str, evidence: str, build: Build, probe: Probe, *, rare: bool = False
    ) -> None:
        """Add the fault ``build``, which ``probe`` tells from a server that has none."""
        self.mutants.append(Mutant(name, self._kind, says, evidence, build, probe, rare))

    def fault(
        self, name: str, says: str, evidence: str, probe: Probe, *, rare: bool = False
    ) -> Callable[[Build], Build]:
        """Return what adds the function below it."""

        def add(build: Build) -> Build:
            self.add(name, says, evidence, build, probe, rare=rare)
            return build

        return add
