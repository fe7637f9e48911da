"""The transport without a socket delivers each message as soon as an application sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from tests.in_process import in_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


class Store:
    """A store that is only closed."""

    closed = False

    def close(self) -> None:
        """Note the call."""
        self.closed = True


class Application:
    """An application with a stream of two pieces, a greeting and an error."""

    def __init__(self) -> None:
        """Add the routes and the store."""
        self.sent: list[bytes] = []
        self.proceed = asyncio.Event()
        """Set when the second piece may be sent."""
        routes = [
            Route("/v2/stream", self._stream),
            Route("/v2/words and {word}", self._echo, methods=["POST"]),
            Route("/v2/error", self._fail),
        ]
        self.app = Starlette(routes=routes)
        self.store = self.app.state.store = Store()

    def _stream(self, request: Request) -> StreamingResponse:
        return StreamingResponse(self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        for piece in (b"one", b"two"):
            self.sent.append(piece)
            yield piece
            await self.proceed.wait()

    async def _echo(self, request: Request) -> PlainTextResponse:
        said = (await request.body()).decode()
        return PlainTextResponse(f"{request.path_params['word']} {request.url.query} {said}")

    def _fail(self, request: Request) -> PlainTextResponse:
        raise LookupError("of the application")


@pytest.fixture
def application() -> Application:
    """Return an application."""
    return Application()


@pytest.fixture
def http(application: Application) -> Iterator[httpx.Client]:
    """Connect a client to the application."""
    with in_process(application.app) as client:
        yield client


def test_pieces_arrive_one_by_one(application: Application, http: httpx.Client) -> None:
    """The client has a piece before the application sends the next one."""
    with http.stream("GET", "stream") as response:
        pieces = response.iter_raw()
        assert (b"one", [b"one"]) == (next(pieces), application.sent)
        application.proceed.set()
        assert [b"two"] == list(pieces)


def test_other_requests_are_served_during_a_stream(
    application: Application, http: httpx.Client
) -> None:
    """A stream that is not read to its end does not block the next request."""
    with http.stream("GET", "stream") as response:
        pieces = response.iter_raw()
        assert b"one" == next(pieces)
        assert "a q=1 body" == http.post("words%20and%20a?q=1", content="body").text
        application.proceed.set()
        assert b"two" == next(pieces)


def test_closing_ends_the_stream(application: Application, http: httpx.Client) -> None:
    """A client that disconnects ends the response."""
    with http.stream("GET", "stream") as response:
        next(response.iter_raw())
    assert [b"one"] == application.sent


def test_error_of_the_application_is_raised(http: httpx.Client) -> None:
    """An unhandled error reaches the test, after the response of the framework."""
    with pytest.raises(LookupError, match="of the application"):
        http.get("error")


def test_store_is_closed(application: Application) -> None:
    """The store is closed with the client."""
    with in_process(application.app):
        assert not application.store.closed
    assert application.store.closed
