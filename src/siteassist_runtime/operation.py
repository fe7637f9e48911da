"""What the runtime has to know of an operation."""

from __future__ import annotations

from typing import NamedTuple


class OperationInfo(NamedTuple):
    """One operation of the description, as the generated client names it."""

    name: str
    """The ``operationId``, which every error and log line carries."""
    method: str
    """The HTTP method in capitals."""
    bearer: bool
    """Whether the operation takes a bearer token."""
    secrets: tuple[str, ...] = ()
    """The parameters and properties of a request that are secrets."""

    @property
    def safe(self) -> bool:
        """Whether asking twice does no more than asking once (RFC 9110, 9.2.1)."""
        return self.method == "GET"
