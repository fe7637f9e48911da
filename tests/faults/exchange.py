"""What one request and its answer are while a fault is being made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["Event", "Exchange"]


@dataclass
class Exchange:
    """A request on its way to the mock, and later the mock's answer; all of it can be changed.

    ``operation`` is the ``operationId``, ``path`` the parameters in the path.
    """

    operation: str
    path: dict[str, str]
    query: dict[str, str]
    asked: MutableHeaders
    request: bytes
    status: int = 0
    headers: MutableHeaders = field(default_factory=lambda: MutableHeaders(raw=[]))
    body: bytes = b""

    @property
    def sent(self) -> Any:
        """The request's body as JSON, or None if it is not JSON."""
        try:
            return json.loads(self.request)
        except ValueError:
            return None

    @sent.setter
    def sent(self, value: Any) -> None:
        self.request = json.dumps(value).encode()
        self.asked["content-type"] = "application/json"

    @property
    def json(self) -> Any:
        """The answer's body as JSON; raises `ValueError` if it is not."""
        return json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value, ensure_ascii=False).encode()

    @property
    def succeeded(self) -> bool:
        """Whether the answer is a success."""
        return 200 <= self.status < 300

    def scope(self, scope: Scope) -> Scope:
        """Return ``scope`` with what was changed of the request."""
        self.asked["content-length"] = str(len(self.request))
        query = scope["query_string"]
        # What nobody changed stays as it was written.
        if self.query != _parsed(query):
            query = urlencode(self.query).encode()
        return {**scope, "query_string": query, "headers": self.asked.raw}

    @classmethod
    def of(cls, scope: Scope, operation: str, path: dict[str, str], body: bytes) -> Exchange:
        """Return the exchange that the request in ``scope`` begins."""
        return cls(
            operation=operation,
            path=path,
            query=_parsed(scope["query_string"]),
            asked=MutableHeaders(raw=list(scope["headers"])),
            request=body,
        )


def _parsed(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    data: str

    @property
    def payload(self) -> dict[str, Any]:
        """The payload; empty for what is not JSON."""
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
        """Return the event with other values in its payload."""
        return Event.of({**self.payload, **changes})

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Event:
        """Return the event with this payload."""
        return cls(json.dumps(payload, ensure_ascii=False, separators=(",", ":")))

    def frame(self) -> bytes:
        """Return the event as it is sent."""
        return f"data: {self.data}\n\n".encode()
