"""Responses with an answer of the assistant as JSON."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.content.assistant import Reply
from siteassist_mock.handlers import views
from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.http.event_stream import disconnected


def whole(answer: Reply) -> ASGIApp:
    """Return the response with an answer: 200, or 500 if it has an error."""
    error = answer.message.error
    if error is None:
        response = JSONResponse(views.completion(answer))
    else:
        response = error_response(ApiError(500, message=error))
    return _DelayedResponse(response, answer.delay) if answer.delay else response


class _DelayedResponse:
    """An ASGI response after a delay."""

    def __init__(self, response: ASGIApp, seconds: float) -> None:
        self._response = response
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        disconnection = asyncio.ensure_future(disconnected(receive))
        await asyncio.wait({disconnection}, timeout=self._seconds)
        disconnection.cancel()
        await self._response(scope, receive, send)
