"""The access log, with one line per request."""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_mock.faults.plan import FAULTS_KEY
from siteassist_mock.http.redaction import Redactor

OPERATION = "siteassist.operation"
"""The scope's key of the ``operationId`` of a request, once it is known."""

UNLOGGED = "siteassist.unlogged"
"""The scope's key of whether a request is left out of the log, as it is too frequent."""

LOGGER = "siteassist_mock.access"
"""The name of the logger; its lines have the level INFO."""

_READABLE = "/!$'()*,:;=@~"
_LONGEST = 500

_logger = logging.getLogger(LOGGER)


def loggable(text: str) -> str:
    """Return ``text`` without characters that could forge a line or control a terminal.

    All characters that are unusual in a path are percent-encoded, and a very long
    text is cut.
    """
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return quote(cut, safe=_READABLE, errors="replace")


def log_to_stderr() -> None:
    """Write the log to stderr, with the time of each line."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
    _logger.propagate = False


class AccessLog:
    """Middleware that logs every request and every socket when it has ended.

    A line has the method, the path, the status (``-`` without a response), the
    milliseconds until the last byte, the operation, and the faults if any.
    """

    def __init__(self, app: ASGIApp, redactor: Redactor) -> None:
        """Log the requests to ``app`` without the credentials that ``redactor`` knows."""
        self._app = app
        self._redactor = redactor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and log the request if logging is enabled."""
        if scope["type"] not in {"http", "websocket"} or not _logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status: object = "-"

        async def send_and_note(message: Message) -> None:
            nonlocal status
            # Also of a refused handshake.
            if message["type"].endswith("http.response.start"):
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            milliseconds = (time.perf_counter() - began) * 1000
            method = "WS" if scope["type"] == "websocket" else loggable(scope["method"])
            fields = [method, _target(scope, self._redactor), str(status), f"{milliseconds:.1f}ms"]
            fields.append(scope.get(OPERATION, "-"))
            if scope.get(FAULTS_KEY):
                fields.append(f"faults={','.join(scope[FAULTS_KEY])}")
            if not scope.get(UNLOGGED):
                _logger.info("%s", " ".join(fields))


def _target(scope: Scope, redactor: Redactor) -> str:
    path = loggable(redactor.path(scope["path"]))
    query: bytes = scope.get("query_string", b"")
    if not query:
        return path
    # The query is percent-encoded already, so its percent signs stay.
    return f"{path}?{quote(redactor.query(query)[:_LONGEST], safe=f'{_READABLE}%+*&')}"
