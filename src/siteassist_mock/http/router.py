"""The routes of the application."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.http.errors import ApiError


class Router:
    """An ASGI application that calls the endpoint of a path and a method.

    Not Starlette's router: there a path also matches with a newline after it, and
    ``Allow`` names the methods of one route only.
    """

    def __init__(
        self, paths: Mapping[str, Mapping[str, ASGIApp]], sockets: Mapping[str, ASGIApp]
    ) -> None:
        """Route requests by path, such as ``/a/{b}``, and method, and handshakes by path.

        A path without parameters takes precedence over one with parameters.
        """
        methods = {path: _MethodRouter(endpoints) for path, endpoints in paths.items()}
        self._routes = {"http": _compile(methods), "websocket": _compile(sockets)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint, with the parameters of the path as ``path_params`` in the scope.

        Raises `ApiError` 404 for an unknown path and 405 for an unknown method.
        """
        for pattern, app in self._routes[scope["type"]]:
            match = pattern.fullmatch(scope["path"])
            if match is not None:
                scope["path_params"] = match.groupdict()
                await app(scope, receive, send)
                return
        raise ApiError(404)


def _compile(apps: Mapping[str, ASGIApp]) -> list[tuple[re.Pattern[str], ASGIApp]]:
    return [
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))), apps[path])
        for path in sorted(apps, key=lambda path: "{" in path)
    ]


class _MethodRouter:
    """The endpoints of one path, by method."""

    def __init__(self, endpoints: Mapping[str, ASGIApp]) -> None:
        self._endpoints = endpoints
        self._allow = {"Allow": ", ".join(sorted(endpoints))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            raise ApiError(405, headers=self._allow)
        await endpoint(scope, receive, send)
