"""Changes to responses that ASGI cannot express: the bytes on their connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from siteassist_mock.http.connection import TRANSPORT
from tests.faults.faulty import Middleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Rewrite", "chunks", "is_head", "responding", "rewriting"]

Rewrite: TypeAlias = Callable[[bytes], bytes]
"""A function that changes the bytes of one write of the server.

The server writes the head of a response, each piece of its body and the end of its body
one by one.
"""


def rewriting(begin: Callable[[Scope], Rewrite]) -> Middleware:
    """Return a middleware that changes the writes of each response with ``begin(scope)``.

    Without a connection it changes nothing.
    """

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            transport = scope.get(TRANSPORT)
            if transport is not None and scope["type"] == "http":
                # The method of the class: an earlier request of the connection may have
                # replaced that of the transport.
                write = type(transport).write.__get__(transport)
                rewrite = begin(scope)
                transport.write = lambda data: write(rewrite(data))
            await app(scope, receive, send)

        return middleware

    return wrap


def is_head(data: bytes) -> bool:
    """Return whether a write is the head of a final response."""
    return data.startswith(b"HTTP/") and not data.startswith(b"HTTP/1.1 1")


def responding(
    when: Callable[[Scope], bool], write: Callable[[int, list[tuple[bytes, bytes]], bytes], bytes]
) -> Middleware:
    """Return a middleware that sends ``write(status, headers, body)`` as a response.

    It does so for the requests that ``when`` selects, and closes the connection. Without
    a connection it changes nothing.
    """

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or TRANSPORT not in scope or not when(scope):
                await app(scope, receive, send)
                return
            kept: list[Message] = []

            async def keep(message: Message) -> None:
                kept.append(message)

            await app(scope, receive, keep)
            if not kept:
                return  # the client has disconnected
            start, *pieces = kept
            body = b"".join(piece.get("body", b"") for piece in pieces)
            scope[TRANSPORT].write(write(start["status"], [*start["headers"]], body))
            scope[TRANSPORT].close()
            # The server would add a response of its own on an open connection.
            while (await receive())["type"] != "http.disconnect":
                pass

        return middleware

    return wrap


def chunks(raw: bytes) -> list[bytes]:
    """Return the chunks of a response whose body is chunked."""
    body = raw.partition(b"\r\n\r\n")[2]
    found = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        found.append(body[:length])
        body = body[length + 2 :]
    return found
