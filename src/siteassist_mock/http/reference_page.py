"""The API reference at ``/docs``, built by `siteassist_spec.reference`.

It contains only ``openapi.yaml`` and the built-in keys, so it needs no
authentication.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY
from siteassist_mock.http.errors import ApiError

REFERENCE_PATH = "/docs"
"""The path of the page; its files are below this path."""

_NOTICE = """\
**This is a mock server.** It stands in for the service in development and in tests, and serves
the API at `{url}`. Unless it was started with others, its publishable key is `{api_key}` and its
private key `{private_key}`, so the samples on this page can be run as they are; the conversation
and the message in them have to exist first.\
"""
_FOREVER = "public, max-age=31536000, immutable"


def reference_paths(
    spec: Mapping[str, Any], base_path: str, links: Iterable[tuple[str, str]] = ()
) -> dict[str, dict[str, ASGIApp]]:
    """Return the endpoints of the page and its files, by path and method.

    The page has ``links`` (path and text) to other pages of the server.
    """
    endpoint = _Reference(spec, base_path, links)
    methods: dict[str, ASGIApp] = {"GET": endpoint, "HEAD": endpoint}
    return {REFERENCE_PATH: methods, f"{REFERENCE_PATH}/{{name}}": methods}


@dataclass(frozen=True, slots=True)
class _Answer:
    """A file of the reference with its headers."""

    content: bytes
    headers: Mapping[str, str]


class _Reference:
    """The endpoint of the files, which are built at the first request."""

    def __init__(
        self, spec: Mapping[str, Any], base_path: str, links: Iterable[tuple[str, str]]
    ) -> None:
        self._spec = spec
        self._base_path = base_path
        self._links = [f"[{text}]({path})" for path, text in links]
        self._answers: dict[str, _Answer] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._answers is None:
            self._answers = _build(self._spec, self._base_path, self._links)
        # The path of the page has no parameter.
        answer = self._answers.get(scope["path_params"].get("name", ""))
        if answer is None:
            raise ApiError(404)
        known = Headers(scope=scope).get("if-none-match", "")
        if answer.headers["ETag"] in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            response = Response(status_code=304, headers=answer.headers)
        else:
            response = Response(answer.content, headers=answer.headers)
        if scope["method"] == "HEAD":
            # The header Content-Length keeps the length of the body.
            response.body = b""
        await response(scope, receive, send)


def _build(spec: Mapping[str, Any], base_path: str, links: list[str]) -> dict[str, _Answer]:
    # Imported here because most runs of the server never need the reference.
    from siteassist_spec.reference import (
        ORIGIN,
        PAGE,
        POLICY,
        StandIn,
        build_reference,
    )

    notice = _NOTICE.format(url=f"{ORIGIN}{base_path}", api_key=API_KEY, private_key=PRIVATE_KEY)
    if links:
        notice += f"\n\nOther pages: {', '.join(links)}."
    files = build_reference(
        spec,
        assets=f"{REFERENCE_PATH.removeprefix('/')}/",
        stand_in=StandIn(base_path, "SiteAssist mock", notice, PRIVATE_KEY),
    )
    # The page refers to its files relative to its own path.
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
