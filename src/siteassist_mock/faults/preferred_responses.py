"""Documented responses on demand: ``Prefer: code=429``, ``Prefer: example=notFound``.

The convention is that of Prism (https://github.com/stoplightio/prism), with two
differences.

Prism first validates the request and its credential. Here the rest of the request
is ignored, so that a test of a 402 needs neither a session nor a conversation. Such
a response changes no state and does not count against a rate limit.

For an undocumented status Prism uses the response ``default``, or responds 404.
Here most operations document a 404, so a typing error in a test could go unnoticed.
The response is a 400 that lists the documented statuses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.event_stream import disconnected, pause
from siteassist_mock.http.middleware import BODY
from siteassist_mock.http.preferences import header_values, parse_preferences
from siteassist_spec import EVENT_STREAM, JSON, Media, Operation

_SUCCESSES = range(200, 300)
_LONGEST_NAME = 60


class OnDemand:
    """Middleware that responds with an example of one operation if the request prefers it."""

    def __init__(self, app: ASGIApp, operation: Operation, *, stream_delay: float = 0.0) -> None:
        """Respond with the examples of ``operation``, or call ``app``.

        ``stream_delay`` are the seconds to wait after each event of a stream.
        """
        self._app = app
        self._delay = stream_delay
        self._operation_id = operation.operation_id
        self._responses = operation.responses
        self._flag = operation.stream and operation.stream.request_flag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response of the header ``Prefer``, or call the application.

        Raises `ApiError` 400 if the operation does not document that response.
        """
        headers = header_values(scope["headers"], b"prefer")
        answer = self._answer(scope, parse_preferences(headers)) if headers else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope, wanted: Mapping[str, str]) -> ASGIApp | None:
        # By the RFC an empty value is the same as none.
        code, name = wanted.get("code", ""), wanted.get("example", "")
        if not code and not name:
            return None
        stream = self._asks_for_stream(scope)
        applied = [f"{key}={value}" for key, value in (("code", code), ("example", name)) if value]
        if code and not name and not self._responses[self._status(code)].media:
            return Response(status_code=int(code), headers={"Preference-Applied": applied[0]})
        status, media_type, media = self._find(code, name, stream=stream)
        example = media.examples[name] if name else next(iter(media.examples.values()))
        headers = {"Preference-Applied": ", ".join(applied)}
        if media_type == EVENT_STREAM:
            return _Events(status, example, headers, self._delay)
        return _respond(status, media_type, example, headers)

    def _find(self, code: str, name: str, *, stream: bool) -> tuple[int, str, Media]:
        statuses = [self._status(code)] if code else [s for s in self._responses if s in _SUCCESSES]
        for status in statuses:
            documented = self._responses[status]
            choices = [
                (media_type, media)
                for media_type, media in documented.media.items()
                if (name in media.examples if name else media.examples)
            ]
            # Of several media types, the requested one, or else the first.
            choices.sort(key=lambda choice: (choice[0] == EVENT_STREAM) != stream)
            if choices:
                return status, *choices[0]
        known = [
            known
            for status in statuses
            for media in self._responses[status].media.values()
            for known in media.examples
        ]
        where = f" for {code}" if code else " for its success"
        what = f"example {name[:_LONGEST_NAME]!r}" if name else "example"
        raise self._unknown("example", f"no {what}{where}", known)

    def _asks_for_stream(self, scope: Scope) -> bool:
        # The API requests a stream with a flag in the body, HTTP with the header
        # Accept. Either is enough, since the request need not be valid.
        if any(EVENT_STREAM in value for value in header_values(scope["headers"], b"accept")):
            return True
        try:
            value = json.loads(scope[BODY] or b"")
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict) and value.get(self._flag) is True

    def _status(self, code: str) -> int:
        for status in self._responses:
            if str(status) == code:
                return status
        raise self._unknown("code", f"no response {code[:_LONGEST_NAME]!r}", self._responses)

    def _unknown(self, preference: str, problem: str, known: Any) -> ApiError:
        choice = ", ".join(str(item) for item in known) or "none"
        reason = f"{self._operation_id} documents {problem}; there is: {choice}"
        return ApiError(
            400,
            code="INVALID_PREFERENCE",
            message=f"The header Prefer asks for something that is not documented. {reason}.",
            details={"field": f"Prefer: {preference}", "reason": reason},
        )


def _respond(status: int, media_type: str, example: Any, headers: dict[str, str]) -> ASGIApp:
    if media_type != JSON:
        return PlainTextResponse(example, status, headers, media_type)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    error = example.get("error", {}) if isinstance(example, dict) else {}
    if isinstance(error, dict) and "retryAfter" in (error.get("details") or {}):
        headers["Retry-After"] = str(error["details"]["retryAfter"])
    return JSONResponse(example, status, headers)


class _Events:
    """A response with the events of a whole stream, one ASGI message each."""

    def __init__(self, status: int, stream: str, headers: Mapping[str, str], delay: float) -> None:
        *events, _ = stream.split("\n\n")
        self._status = status
        self._frames = [f"{event}\n\n".encode() for event in events]
        self._headers = {"content-type": EVENT_STREAM, **headers}
        self._delay = delay

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(key.lower().encode(), value.encode()) for key, value in self._headers.items()]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        disconnection = asyncio.ensure_future(disconnected(receive))
        try:
            for event in self._frames:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                await pause(self._delay, disconnection)
                if disconnection.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            disconnection.cancel()
