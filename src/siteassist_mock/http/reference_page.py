"""The API reference at ``/docs``: what `siteassist_spec.reference` makes, about this server.

It shows nothing but ``openapi.yaml`` and the built-in keys, and changes nothing,
so everybody may read it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.responses import Response

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY
from siteassist_mock.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["REFERENCE_PATH", "reference_paths"]

REFERENCE_PATH = "/docs"
"""Where the page is; its files are below."""

_NOTICE = """\
**This is a mock server.** It stands in for the service in development and in tests, and serves
the API at `{url}`. Unless it was started with others, its publishable key is `{api_key}` and its
private key `{private_key}`, so the samples on this page can be run as they are; the conversation
and the message in them have to exist first.\
"""
_FOREVER = "public, max-age=31536000, immutable"


def reference_paths(spec: Mapping[str, Any], base_path: str) -> dict[str, dict[str, ASGIApp]]:
    """Return the page and its files, by their path and method; the API is at ``base_path``."""
    endpoint = _Reference(spec, base_path)
    methods: dict[str, ASGIApp] = {"GET": endpoint, "HEAD": endpoint}
    return {REFERENCE_PATH: methods, f"{REFERENCE_PATH}/{{name}}": methods}


@dataclass(frozen=True, slots=True)
class _Answer:
    """One file, ready to be sent."""

    content: bytes
    headers: Mapping[str, str]


class _Reference:
    """Answers with a file of the reference, which is made when the first one is asked for."""

    def __init__(self, spec: Mapping[str, Any], base_path: str) -> None:
        self._spec = spec
        self._base_path = base_path
        self._answers: dict[str, _Answer] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._answers is None:
            self._answers = _build(self._spec, self._base_path)
        # The page itself has no name in its path.
        answer = self._answers.get(scope["path_params"].get("name", ""))
        if answer is None:
            raise ApiError(404)
        known = Headers(scope=scope).get("if-none-match", "")
        if answer.headers["ETag"] in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            response = Response(status_code=304, headers=answer.headers)
        else:
            response = Response(answer.content, headers=answer.headers)
        if scope["method"] == "HEAD":
            # The headers say how long it would be.
            response.body = b""
        await response(scope, receive, send)


def _build(spec: Mapping[str, Any], base_path: str) -> dict[str, _Answer]:
    # Not at the start of the server, which most never ask for the reference.
    from siteassist_spec.reference import (  # noqa: PLC0415 - see above
        ORIGIN,
        PAGE,
        POLICY,
        StandIn,
        build_reference,
    )

    notice = _NOTICE.format(url=f"{ORIGIN}{base_path}", api_key=API_KEY, private_key=PRIVATE_KEY)
    files = build_reference(
        spec,
        assets=f"{REFERENCE_PATH.removeprefix('/')}/",
        stand_in=StandIn(base_path, "SiteAssist mock", notice, PRIVATE_KEY),
    )
    # Below, it would look for its files in the wrong place.
    files[""] = files.pop(PAGE)
    return {
        name: _Answer(
            file.content,
            {
                "Content-Type": file.media_type,
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "ETag": f'"{hashlib.sha256(file.content).hexdigest()[:32]}"',
                "Cache-Control": _FOREVER if file.immutable else "public, no-cache",
            },
        )
        for name, file in files.items()
    }
