"""Responses beside the objects that are parsed from them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from siteassist_runtime.serialization import text_of

if TYPE_CHECKING:
    import httpx

    from siteassist_runtime.pages import AsyncPages, Pages

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
PageT = TypeVar("PageT")

_received: ContextVar[list[httpx.Response] | None] = ContextVar("received", default=None)


def record(response: httpx.Response) -> None:
    """Keep a response that has been parsed, if the caller wants it."""
    received = _received.get()
    if received is not None:
        received.append(response)


class RawResponse(Generic[ResultT]):
    """A response, and the result of parsing it."""

    def __init__(self, response: httpx.Response, parsed: ResultT) -> None:
        """Store the parts of a response. Its request, which has the credential, is left out."""
        self.parsed = parsed
        """The result that the method of the client returns."""
        self.status_code: int = response.status_code
        """The HTTP status."""
        self.headers: httpx.Headers = response.headers
        """The headers, with limits of the rate if the service states any."""
        self.content: bytes = response.content
        """The body, decompressed."""
        self.text: str = text_of(response)
        """The body as text."""

    @property
    def request_id(self) -> str | None:
        """The ``X-Request-Id`` header; None if there is none."""
        found: str | None = self.headers.get("x-request-id")
        return found

    def __repr__(self) -> str:
        """Show the status and the type of the parsed object."""
        return f"<RawResponse {self.status_code}: {type(self.parsed).__name__}>"

    def __reduce__(self) -> Any:
        """Refuse to be pickled: a response may hold a session token."""
        raise TypeError("a RawResponse may hold a secret and cannot be pickled")


def with_response(method: Callable[P, ResultT]) -> Callable[P, RawResponse[ResultT]]:
    """Return ``method``, returning the response as well."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> RawResponse[ResultT]:
        received: list[httpx.Response] = []
        token = _received.set(received)
        try:
            parsed = method(*args, **kwargs)
        finally:
            _received.reset(token)
        return RawResponse(received[-1], parsed)

    return call


def with_response_async(
    method: Callable[P, Coroutine[Any, Any, ResultT]],
) -> Callable[P, Coroutine[Any, Any, RawResponse[ResultT]]]:
    """Return ``method``, returning the response as well."""

    @wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> RawResponse[ResultT]:
        received: list[httpx.Response] = []
        token = _received.set(received)
        try:
            parsed = await method(*args, **kwargs)
        finally:
            _received.reset(token)
        return RawResponse(received[-1], parsed)

    return call


def page_with_response(
    method: Callable[P, Pages[Any, PageT]],
) -> Callable[P, RawResponse[PageT]]:
    """Return a function that fetches the first page of a list, with its response."""

    @wraps(method)
    def page(*args: P.args, **kwargs: P.kwargs) -> PageT:
        return method(*args, **kwargs).page()

    return with_response(page)


def page_with_response_async(
    method: Callable[P, AsyncPages[Any, PageT]],
) -> Callable[P, Coroutine[Any, Any, RawResponse[PageT]]]:
    """Return a function that fetches the first page of a list, with its response."""

    @wraps(method)
    async def page(*args: P.args, **kwargs: P.kwargs) -> PageT:
        return await method(*args, **kwargs).page()

    return with_response_async(page)
