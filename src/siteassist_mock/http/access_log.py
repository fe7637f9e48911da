"""One line per request: who asked for what, and what became of it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from siteassist_mock.faults.plan import FAULTS_KEY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOGGER", "OPERATION", "UNLOGGED", "AccessLog", "log_to_stderr", "loggable"]

OPERATION = "siteassist.operation"
"""The scope's key of the ``operationId`` of a request, once it is known."""

UNLOGGED = "siteassist.unlogged"
"""The scope's key of whether a request is too frequent and too dull to be logged."""

LOGGER = "siteassist_mock.access"
"""The name of the logger; its lines have the level INFO."""

# The one that the API has, and what people put into a query by mistake.
_SECRETS = frozenset(
    {"apikey", "api_key", "access_token", "token", "sessiontoken", "authorization"}
)
_READABLE = "/!$'()*,:;=@~"
_LONGEST = 500

_logger = logging.getLogger(LOGGER)


def loggable(text: str) -> str:
    """Return ``text`` without anything that could forge a line or drive a terminal.

    What is no plain character of a path is percent-encoded, and the rest of a
    very long text is left out.
    """
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return quote(cut, safe=_READABLE, errors="replace")


def log_to_stderr() -> None:
    """Write the lines to stderr, each with its time."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
    _logger.propagate = False


class AccessLog:
    """Logs every request and every socket when it has ended.

    A line has the method, the path, the status (``-`` without an answer), the
    milliseconds until the last byte, the operation, and the faults if there are any.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Log the requests to ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and log if somebody listens."""
        if scope["type"] not in {"http", "websocket"} or not _logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status: object = "-"

        async def send_and_note(message: Message) -> None:
            nonlocal status
            # Of a handshake that is refused, too.
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
            words = [method, _target(scope), str(status), f"{milliseconds:.1f}ms"]
            words.append(scope.get(OPERATION, "-"))
            if scope.get(FAULTS_KEY):
                words.append(f"faults={','.join(scope[FAULTS_KEY])}")
            if not scope.get(UNLOGGED):
                _logger.info("%s", " ".join(words))


def _target(scope: Scope) -> str:
    path = loggable(scope["path"])
    query: bytes = scope.get("query_string", b"")
    if not query:
        return path
    shown = b"&".join(_without_secret(pair) for pair in query.split(b"&"))
    # It is encoded already, so its percent signs stay.
    return f"{path}?{quote(shown[:_LONGEST], safe=f'{_READABLE}%+*&')}"


def _without_secret(pair: bytes) -> bytes:
    name, equals, _ = pair.partition(b"=")
    secret = unquote_plus(name.decode("latin-1")).strip().lower() in _SECRETS
    return name + b"=***" if secret and equals else pair
