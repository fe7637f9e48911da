"""Middleware that reads request bodies and converts errors to responses."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_mock.http.access_log import OPERATION, loggable
from siteassist_mock.http.errors import ApiError, error_response, unavailable
from siteassist_mock.storage.worker import StoreUnavailable

BODY = "siteassist.body"
"""The scope's key of the body: bytes, or None if it is too large."""

MAX_BODY_BYTES = 1024 * 1024
"""The greatest size of a body, 1 MiB; no document states a limit."""

# A client that is still sending when the connection closes may not receive the
# response, so the rest of a large body is read and dropped, up to this size.
_MAX_READ_BYTES = 16 * MAX_BODY_BYTES

_logger = logging.getLogger("siteassist_mock")


class CutOff(ConnectionAbortedError):
    """A requested end of the connection in an application that runs without one."""


class BodyReader:
    """Middleware that reads the body of every request into the scope."""

    def __init__(self, app: ASGIApp) -> None:
        """Put the body into the scope of ``app``, under `BODY`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and call the application, unless the client disconnects."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        declared = _declared_bytes(scope)
        # A body whose declared size is too large is not read at all.
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
    # The server has checked that the length is a number and correct.
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


class ErrorBoundary:
    """Middleware that converts exceptions to documented error responses."""

    def __init__(self, app: ASGIApp) -> None:
        """Convert the exceptions of ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application and convert its exceptions.

        `StoreUnavailable` becomes a 503. Another exception is logged and becomes a
        500 without details. If the response has begun, the exception is raised again, and the
        server closes the connection.
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
        except StoreUnavailable:
            if started:
                raise CutOff("the database is unavailable") from None
            await error_response(unavailable())(scope, receive, send)
        except CutOff:
            raise
        except Exception:
            if started or scope["type"] != "http":
                raise
            # Without the path, which may contain a credential.
            operation = scope.get(OPERATION, "-")
            _logger.exception("%s %s failed", loggable(scope["method"]), operation)
            await error_response(ApiError(500))(scope, receive, send)
