"""The routes of the application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import unquote

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
        segments = _segments(scope)
        for template, app in self._routes[scope["type"]].get(len(segments), ()):
            parameters = _match(template, segments)
            if parameters is not None:
                scope["path_params"] = parameters
                await app(scope, receive, send)
                return
        raise ApiError(404)


_Routes: TypeAlias = dict[int, list[tuple[list[tuple[str, str]], ASGIApp]]]
"""By the number of segments: each is a text, or else the name of a parameter."""


def _compile(apps: Mapping[str, ASGIApp]) -> _Routes:
    routes: _Routes = {}
    for path in sorted(apps, key=lambda path: "{" in path):
        template = [
            ("", step[1:-1]) if step.startswith("{") else (step, "") for step in path.split("/")
        ]
        routes.setdefault(len(template), []).append((template, apps[path]))
    return routes


def _segments(scope: Scope) -> list[str]:
    """Return the segments of the path, which are decoded one by one (RFC 3986, 2.2).

    An encoded slash belongs to a segment.
    """
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        path: str = scope["path"]
        return path.split("/")
    return [unquote(segment) for segment in raw.decode("ascii").split("/")]


def _match(template: list[tuple[str, str]], segments: list[str]) -> dict[str, str] | None:
    """Return the parameters of ``segments``, or None if they do not match."""
    parameters = {}
    for (text, name), segment in zip(template, segments, strict=True):
        if name:
            # A parameter is not empty.
            if not segment:
                return None
            parameters[name] = segment
        elif text != segment:
            return None
    return parameters


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
