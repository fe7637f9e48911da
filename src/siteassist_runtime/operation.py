"""The facts of an operation that the runtime needs."""

from __future__ import annotations

from typing import NamedTuple


class OperationInfo(NamedTuple):
    """One operation of the description."""

    name: str
    """The ``operationId``, which is part of every error and log line."""
    method: str
    """The HTTP method in capitals."""
    bearer: bool
    """Whether the operation takes a bearer token."""
    secrets: tuple[str, ...] = ()
    """The parameters and properties of a request that are secrets."""

    @property
    def safe(self) -> bool:
        """Whether the request changes nothing (RFC 9110, 9.2.1)."""
        return self.method == "GET"
