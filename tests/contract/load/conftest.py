"""Servers to put load on: a correct mock, and one that fails now and then."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_contract.description import operations
from siteassist_mock.app import create_app
from siteassist_mock.settings import MockSettings
from siteassist_mock.testing import mock_server, serving

EVERY = 3
"""The broken server omits the last delta of every third stream."""
_DELTA = re.compile(rb'data: \{[^\n]*"text-delta"[^\n]*\n\n')


class DropsLastDelta:
    """Middleware that omits the last delta of some streams, like a race in a server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._streams = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward each message, without the last delta of every third stream."""
        held: list[bytes] = []
        spoils = False

        async def pass_on(message: Message) -> None:
            nonlocal spoils
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                is_stream = headers.get(b"content-type", b"").startswith(b"text/event-stream")
                spoils = is_stream and next(self._streams) % EVERY == 0
            elif spoils:
                held.append(message["body"])
                if message.get("more_body"):
                    return
                body = b"".join(held)
                *_, last = _DELTA.finditer(body)
                message = {**message, "body": body[: last.start()] + body[last.end() :]}
            await send(message)

        await self._app(scope, receive, pass_on)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a mock."""
    with mock_server() as base_url:
        yield base_url


class Gateway:
    """Middleware that refuses each request without the gateway's header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request with the header, and answer 403 to others."""
        if scope["type"] == "http" and (b"x-gateway", b"pass") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def guarded_url() -> Iterator[str]:
    """Run a mock behind a gateway."""
    app = create_app(MockSettings())
    assert app.middleware_stack is not None
    app.middleware_stack = Gateway(app.middleware_stack)
    with serving(app) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def broken_url() -> Iterator[str]:
    """Run a mock that drops deltas."""
    app = create_app(MockSettings())
    assert app.middleware_stack is not None
    app.middleware_stack = DropsLastDelta(app.middleware_stack)
    with serving(app) as base_url:
        yield base_url


class Refuses:
    """Middleware that refuses each request with one status after some answers."""

    def __init__(self, app: ASGIApp, status: int, after: int) -> None:
        self._app = app
        self._status = status
        self._left = after
        each = operations().values()
        self._undocumented = tuple(one.path for one in each if status not in one.responses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the first requests, and refuse the others where that is documented."""
        is_http = scope["type"] == "http"
        if not is_http or self._left > 0 or scope["path"].endswith(self._undocumented):
            self._left -= 1
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        body = b'{"error": {"code": "LATER", "message": "Later.", "details": {}}}'
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def refusing(status: int, after: int) -> Iterator[str]:
    """Run a mock that refuses every request after some answers."""
    app = create_app(MockSettings())
    assert app.middleware_stack is not None
    app.middleware_stack = Refuses(app.middleware_stack, status, after)
    with serving(app) as base_url:
        yield base_url
