"""A request and its response, in a form that a fault can change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Scope

__all__ = ["Event", "Exchange"]


@dataclass
class Exchange:
    """A request to the mock, and later the response of the mock; every part can be changed.

    ``operation`` is the ``operationId``, ``path`` the path parameters. ``status``,
    ``headers`` and ``body`` belong to the response. ``client`` is the address of the
    client, which tells connections apart.
    """

    operation: str
    path: dict[str, str]
    query: dict[str, str]
    request_headers: MutableHeaders
    request_body: bytes
    status: int = 0
    headers: MutableHeaders = field(default_factory=lambda: MutableHeaders(raw=[]))
    body: bytes = b""
    client: object = None
    answer: ASGIApp | None = None
    """The response in place of the mock's, or None."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Values that the hooks of a fault keep from the request to the response."""

    @property
    def bearer(self) -> str:
        """The value of the header ``Authorization``; empty without one."""
        return self.request_headers.get("authorization", "")

    @property
    def request_json(self) -> Any:
        """The request body as JSON, or None if it is not JSON or nested too deeply."""
        try:
            return json.loads(self.request_body)
        except (ValueError, RecursionError):
            return None

    @request_json.setter
    def request_json(self, value: Any) -> None:
        self.request_body = json.dumps(value).encode()
        self.request_headers["content-type"] = "application/json"

    @property
    def json(self) -> Any:
        """The response body as JSON; raises `ValueError` if it is not JSON."""
        return json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value, ensure_ascii=False).encode()

    @property
    def succeeded(self) -> bool:
        """Whether the response is a success."""
        return 200 <= self.status < 300

    def scope(self, scope: Scope) -> Scope:
        """Return ``scope`` with the changes to the request."""
        self.request_headers["content-length"] = str(len(self.request_body))
        query = scope["query_string"]
        # An unchanged query keeps its original spelling.
        if self.query != _parsed(query):
            query = urlencode(self.query).encode()
        return {**scope, "query_string": query, "headers": self.request_headers.raw}

    @classmethod
    def of(cls, scope: Scope, operation: str, path: dict[str, str], body: bytes) -> Exchange:
        """Return the exchange that begins with the request in ``scope``."""
        return cls(
            operation=operation,
            path=path,
            query=_parsed(scope["query_string"]),
            request_headers=MutableHeaders(raw=list(scope["headers"])),
            request_body=body,
            client=scope.get("client"),
        )


def _parsed(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    data: str

    @property
    def payload(self) -> dict[str, Any]:
        """The payload; empty if the data is not a JSON object."""
        try:
            value = json.loads(self.data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def type(self) -> str:
        """The type of the payload; ``[DONE]`` for the terminator."""
        return str(self.payload.get("type", self.data))

    def but(self, **changes: Any) -> Event:
        """Return a copy of the event with changed values in its payload."""
        return Event.of({**self.payload, **changes})

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Event:
        """Return an event with this payload."""
        return cls(json.dumps(payload, ensure_ascii=False, separators=(",", ":")))

    def frame(self) -> bytes:
        """Return the encoded event."""
        return f"data: {self.data}\n\n".encode()
