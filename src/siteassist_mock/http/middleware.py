"""What surrounds every request: reading its body, and turning errors into answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from siteassist_mock.http.access_log import loggable
from siteassist_mock.http.errors import ApiError, error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BODY", "MAX_BODY_BYTES", "BodyReader", "CutOff", "ErrorBoundary"]

BODY = "siteassist.body"
"""The scope's key of the body: bytes, or None for one that is too large."""

MAX_BODY_BYTES = 1024 * 1024
"""How large a body may be, 1 MiB; no document states a limit."""

# A client that is still sending when the connection closes may never see the
# answer, so what is over the limit is read and thrown away, within reason.
_MAX_READ_BYTES = 16 * MAX_BODY_BYTES

_logger = logging.getLogger("siteassist_mock")


class CutOff(ConnectionAbortedError):  # noqa: N818 - it is no mistake
    """A connection is cut on demand, but there is none: the application runs in-process."""


class BodyReader:
    """Reads the body of every request before anything answers it."""

    def __init__(self, app: ASGIApp) -> None:
        """Put the body into the scope of ``app``, under `BODY`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, then call the application; a client that left gets no answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        declared = _declared_bytes(scope)
        # What is declared to be beyond reason is not even begun.
        size = declared if declared > _MAX_READ_BYTES else 0
        more = True
        while more and size <= _MAX_READ_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            if size <= MAX_BODY_BYTES:
                chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        scope[BODY] = b"".join(chunks) if size <= MAX_BODY_BYTES else None
        await self._app(scope, receive, send)


def _declared_bytes(scope: Scope) -> int:
    # The server has made sure that a length is a number, and that it is true.
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


class ErrorBoundary:
    """Answers every exception with the documented body."""

    def __init__(self, app: ASGIApp) -> None:
        """Catch what ``app`` raises."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application.

        An exception that is no `ApiError` is logged, and the client learns
        nothing of it but the 500. After the beginning of a response it goes on
        to the server, which cuts the connection.
        """
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
        except CutOff:
            raise
        except Exception:
            if started or scope["type"] != "http":
                raise
            _logger.exception("%s %s failed", loggable(scope["method"]), loggable(scope["path"]))
            await error_response(ApiError(500))(scope, receive, send)
