"""A check that the server exists and accepts the credentials, before any test runs.

Without it, a typing mistake would cause hundreds of findings.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from siteassist_contract.description import (
    key_argument,
    operations,
    session_arguments,
    session_token,
)
from siteassist_contract.http.redaction import Filter
from siteassist_contract.verdict import CannotRunError

_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_MOST = 2**20
"""Maximum size, in bytes, of an answer to one of these requests."""
TIMEOUT = 8.0
"""Timeout, in seconds, of one of these requests."""


@dataclass(frozen=True)
class Target:
    """A server and the credentials for it."""

    base_url: str
    """The base URL of the API, with its version and without a slash at the end."""
    api_key: str | None = field(default=None, repr=False)
    """A publishable key, which starts sessions for any number of visitors."""
    token: str | None = field(default=None, repr=False)
    """A session token or a private key, which is that of one visitor."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """A part of the names of devices, different in every run."""

    @property
    def devices(self) -> tuple[str, str]:
        """The devices of the two visitors of generated requests."""
        return f"siteassist-contract-{self.run}-1", f"siteassist-contract-{self.run}-2"


def check(target: Target) -> tuple[str, ...]:
    """Send one request per credential, and return the session tokens in the answers.

    Raises `CannotRunError` if the server or the API does not exist, or a credential is refused.
    """
    if target.api_key is None and target.token is None:
        raise CannotRunError(
            "no credentials: give --api-key or --token (or SITEASSIST_API_KEY or SITEASSIST_TOKEN)"
        )
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client:
        token = None
        if target.api_key is not None:
            token = _start_session(client, target, target.api_key)
        if target.token is not None:
            _read_visitor(client, target, target.token)
    return () if token is None else (token,)


def _start_session(client: httpx.Client, target: Target, api_key: str) -> str | None:
    body = session_arguments(api_key, target.devices[0])
    response = _send(client, target, "init", json=body)
    if response.status_code in _REFUSED and _is_known(client, target, api_key):
        return None  # The key is valid: the tests will report that `init` refuses it.
    _must_be_admitted(response, "init", "the API key", api_key)
    try:
        return session_token(response.json())
    except (ValueError, RecursionError):
        return None


def _is_known(client: httpx.Client, target: Target, api_key: str) -> bool:
    """Whether another operation accepts the key."""
    response = _send(client, target, "getProject", params=key_argument(api_key))
    return response.status_code == httpx.codes.OK


def _read_visitor(client: httpx.Client, target: Target, token: str) -> None:
    try:
        headers = httpx.Headers({"Authorization": f"Bearer {token}"}, encoding="ascii")
    except UnicodeEncodeError:
        raise CannotRunError(
            "the token has characters that an HTTP header cannot contain"
        ) from None
    response = _send(client, target, "getMe", headers=headers)
    _must_be_admitted(response, "getMe", "the token", token)


def _send(
    client: httpx.Client, target: Target, operation_id: str, **content: Any
) -> httpx.Response:
    operation = operations()[operation_id]
    url = f"{target.base_url}{operation.path}"
    started = time.monotonic()
    # The limit of size must hold before anything is decompressed.
    headers = {**content.pop("headers", {}), "Accept-Encoding": "identity"}
    try:
        with client.stream(operation.method, url, headers=headers, **content) as response:
            body = b""
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > _MOST or time.monotonic() - started > 2 * TIMEOUT:
                    raise CannotRunError(f"the answer of {url} is too long")
            kind = response.headers.get("content-type", "application/json")
            return httpx.Response(
                response.status_code,
                headers={"Content-Type": kind},
                content=body,
                request=response.request,
            )
    except httpx.TimeoutException:
        raise CannotRunError(f"{url} did not answer within {TIMEOUT:.0f} s") from None
    except httpx.InvalidURL as error:
        raise CannotRunError(f"invalid URL {url}: {error}") from None
    except (httpx.HTTPError, OSError) as error:
        # The messages of other transport errors may contain headers.
        reason = str(error) if isinstance(error, httpx.ConnectError) else type(error).__name__
        raise CannotRunError(f"no server at {url}: {reason}") from None


def _must_be_admitted(
    response: httpx.Response, operation_id: str, name: str, credential: str
) -> None:
    status = response.status_code
    operation = operations()[operation_id]
    answered = f"{operation.method} {operation.path} answered {status}"
    if status in _REFUSED:
        raise CannotRunError(f"{name} was refused: {answered} {_excerpt(response, credential)}")
    if status == httpx.codes.NOT_FOUND:
        raise CannotRunError(
            f"no SiteAssist API at this URL: {answered}; expected something like https://host/v2"
        )
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        raise CannotRunError(
            f"the server is not ready: {answered} {_excerpt(response, credential)}"
        )


def _excerpt(response: httpx.Response, credential: str) -> str:
    """Return the message of an error, or the start of the answer, on one line."""
    try:
        text = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        text = response.text
    text = " ".join(Filter([credential]).text(text).split())
    limit = 120
    return f"({text[:limit]}{'…' if len(text) > limit else ''})" if text else "(empty)"
