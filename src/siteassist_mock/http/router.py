"""From a path and a method to what answers them.

Starlette's router tries one pattern after the other, and with this many paths
that takes longer than most operations do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from siteassist_mock.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Router"]

_PARAMETER = re.compile(r"\\\{(\w+)\\\}")


class Router:
    """An ASGI application that passes requests and handshakes on to others.

    A whole path must match, its last slash included: one that differs by that is
    another path. A parameter is any segment that is not empty, and a path without
    parameters goes before one that has some. Parameters are in the scope as
    ``path_params``.
    """

    def __init__(
        self, paths: Mapping[str, Mapping[str, ASGIApp]], sockets: Mapping[str, ASGIApp]
    ) -> None:
        """Answer ``paths``, such as ``/a/{b}``, by method, and ``sockets`` by path."""
        self._requests = _Table({path: _Methods(methods) for path, methods in paths.items()})
        self._handshakes = _Table(sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on; raises `ApiError` 404 for another path and 405 for another method."""
        table = self._requests if scope["type"] == "http" else self._handshakes
        await table.find(scope)(scope, receive, send)


class _Table:
    """Applications by path."""

    def __init__(self, paths: Mapping[str, ASGIApp]) -> None:
        self._plain = {path: app for path, app in paths.items() if "{" not in path}
        # By how many slashes they have: no parameter can have any.
        self._patterns: dict[int, list[tuple[re.Pattern[str], ASGIApp]]] = {}
        for path, app in paths.items():
            if path not in self._plain:
                pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(path)))
                self._patterns.setdefault(path.count("/"), []).append((pattern, app))

    def find(self, scope: Scope) -> ASGIApp:
        path = scope["path"]
        app = self._plain.get(path)
        if app is not None:
            scope["path_params"] = {}
            return app
        for pattern, candidate in self._patterns.get(path.count("/"), ()):
            match = pattern.fullmatch(path)
            if match is not None:
                scope["path_params"] = match.groupdict()
                return candidate
        raise ApiError(404)


class _Methods:
    """Answers one path: the endpoint of each method, and 405 for all others."""

    def __init__(self, endpoints: Mapping[str, ASGIApp]) -> None:
        self._endpoints = endpoints
        self._allow = {"Allow": ", ".join(sorted(endpoints))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            raise ApiError(405, headers=self._allow)
        await endpoint(scope, receive, send)
