"""The latest requests that a server has received, for tests and the operator."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_mock.http.access_log import OPERATION
from siteassist_mock.http.middleware import BODY
from siteassist_mock.http.redaction import MASK, Redactor

MAX_REQUESTS = 1000
"""The number of requests that are kept."""

_MAX_BODY_BYTES = 10_000

_Received: TypeAlias = tuple[str, str, bytes, str | None, int | None, bytes]


class RequestRecorder:
    """Middleware that keeps the latest requests to the API, without credentials."""

    def __init__(
        self,
        prefix: str,
        redactor: Redactor,
        credentials: Mapping[str, Iterable[str]],
    ) -> None:
        """Record requests below the path ``prefix``.

        ``credentials`` are the names of the values of each operation that are not shown.
        """
        self._prefix = f"{prefix}/"
        self._redactor = redactor
        self._credentials = {name: frozenset(names) for name, names in credentials.items()}
        self._received: deque[_Received] = deque(maxlen=MAX_REQUESTS)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return ``app`` with its requests recorded."""

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].startswith(self._prefix):
                await self._run(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return recorded

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        status: int | None = None

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # Before the response, so that a client that has it finds the request.
                self._record(scope, status)
            await send(message)

        try:
            await app(scope, receive, send_and_note)
        finally:
            if status is None:
                self._record(scope, None)

    def clear(self) -> None:
        """Forget all requests."""
        self._received.clear()

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests, oldest first.

        Each has ``method``, ``path``, ``query``, ``operationId`` (None for an unknown
        path), ``status`` (None without a response) and ``body``: a JSON value, or
        else a text, of which the first 10,000 bytes are kept.
        """
        return [self._shown(*received) for received in list(self._received)]

    def _record(self, scope: Scope, status: int | None) -> None:
        self._received.append(
            (
                scope["method"],
                scope["path"],
                scope["query_string"],
                scope.get(OPERATION),
                status,
                (scope.get(BODY) or b"")[:_MAX_BODY_BYTES],
            )
        )

    def _shown(
        self,
        method: str,
        path: str,
        query: bytes,
        operation: str | None,
        status: int | None,
        body: bytes,
    ) -> dict[str, Any]:
        return {
            "method": method,
            "path": self._redactor.path(path),
            "query": self._redactor.query(query).decode("latin-1"),
            "operationId": operation,
            "status": status,
            "body": self._body(body, self._credentials.get(operation or "", frozenset())),
        }

    def _body(self, body: bytes, credentials: frozenset[str]) -> Any:
        text = body.decode(errors="replace")
        try:
            value = self._redactor.value(json.loads(text))
        except (ValueError, RecursionError):
            # Any part of a malformed body may be a credential.
            return MASK if text and credentials else self._redactor.text(text) or None
        if isinstance(value, dict):
            return {name: MASK if name in credentials else value[name] for name in value}
        return value
