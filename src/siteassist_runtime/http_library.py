"""The HTTP library of a client: httpx, or its continuation httpx2.

No other module knows which of the two is used. A client has the library of the transport
or HTTP client that is passed to it, or the one that its setting ``http_library`` names,
and httpx otherwise. Installing another library changes nothing. A library is imported for the
first client that uses it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Literal, Protocol

from siteassist_runtime.errors import SiteAssistError

LibraryName = Literal["httpx", "httpx2"]
LIBRARIES = ("httpx", "httpx2")
CORES = ("httpcore", "httpcore2")


class Transport(Protocol):
    """A transport of either library."""

    def handle_request(self, request: Any, /) -> Any:
        """Send a request and return its response."""


class AsyncTransport(Protocol):
    """An asynchronous transport of either library."""

    async def handle_async_request(self, request: Any, /) -> Any:
        """Send a request and return its response."""


class HTTPClient(Protocol):
    """An HTTP client of either library."""

    def __enter__(self) -> Any:
        """Open the client."""

    def send(self, request: Any, /, *, stream: bool = False) -> Any:
        """Send a request and return its response."""


class AsyncHTTPClient(Protocol):
    """An asynchronous HTTP client of either library."""

    async def __aenter__(self) -> Any:
        """Open the client."""

    async def send(self, request: Any, /, *, stream: bool = False) -> Any:
        """Send a request and return its response."""


class StepLimits(Protocol):
    """The `Timeout` of either library: limits for each step of a request."""

    def as_dict(self) -> Mapping[str, float | None]:
        """Return the limit of each step."""
        ...


class URL(Protocol):
    """The `URL` of either library."""

    @property
    def raw_host(self) -> bytes:
        """The host as it is sent."""
        ...


def library_of(value: object) -> Any:
    """Return the library that defines the class of a value; None if neither does."""
    return _module_of(value, LIBRARIES)


def core_of(pool: object) -> Any:
    """Return the module that defines the class of a connection pool."""
    return _module_of(pool, CORES)


def _module_of(value: object, names: Iterable[str]) -> Any:
    for cls in type(value).__mro__:
        root = cls.__module__.partition(".")[0]
        if root in names:
            return sys.modules[root]
    return None


def classes(*names: str) -> tuple[type[Any], ...]:
    """Return classes of the libraries in use: no value can be of another one."""
    modules = [sys.modules.get(library) for library in LIBRARIES]
    found = [getattr(module, name, None) for module in modules for name in names]
    # A library that is being imported by another thread is incomplete.
    return tuple(cls for cls in found if cls is not None)


def errors(*kinds: str | type[Exception]) -> tuple[type[Exception], ...]:
    """Return exceptions for ``except``: the named ones of the libraries in use, and others."""
    names = [kind for kind in kinds if isinstance(kind, str)]
    return (*classes(*names), *(kind for kind in kinds if not isinstance(kind, str)))


def core_errors(*names: str) -> tuple[type[Exception], ...]:
    """Return exceptions of the connections of the libraries in use, for ``except``."""
    modules = [sys.modules.get(core) for core in CORES]
    found = [getattr(module, name, None) for module in modules for name in names]
    return tuple(cls for cls in found if cls is not None)


def choose_library(
    http_library: str | None, transport: object, http_client: object, *, awaited: bool
) -> Any:
    """Return the library for a client.

    Raises `SiteAssistError` for a transport or an HTTP client that cannot be used, and for a
    setting that contradicts it or names a library that is not installed.
    """
    if transport is not None and http_client is not None:
        raise SiteAssistError("pass either transport or http_client, not both")
    method = "handle_async_request" if awaited else "handle_request"
    kind = "AsyncClient" if awaited else "Client"
    passed = library_of(transport if http_client is None else http_client)
    if transport is not None and not callable(getattr(transport, method, None)):
        raise SiteAssistError(
            f"transport must have a method {method}(), got {type(transport).__name__}: "
            f"pass an httpx.{kind} as http_client"
        )
    if http_client is not None and not (passed and isinstance(http_client, getattr(passed, kind))):
        raise SiteAssistError(
            f"http_client must be an httpx.{kind}, got {type(http_client).__name__}"
        )
    if http_library is None:
        return passed or import_module("httpx")
    if http_library not in LIBRARIES:
        raise SiteAssistError(
            f"http_library must be one of {', '.join(LIBRARIES)}, got {http_library!r}"
        )
    try:
        named = import_module(http_library)
    except ImportError as error:
        raise SiteAssistError(
            f"http_library={http_library!r} needs `pip install 'siteassist[{http_library}]'`"
        ) from error
    if passed not in {None, named}:
        name = "transport" if http_client is None else "http_client"
        raise SiteAssistError(
            f"http_library is {http_library!r}, but the {name} is of {passed.__name__}"
        )
    return named
