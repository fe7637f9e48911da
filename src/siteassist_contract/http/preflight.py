"""Makes sure that a server is there and takes the credentials, before any test runs.

Without this, a typing mistake would come back as hundreds of broken promises.
Speaks plain HTTP, not through the generated client, so that an answer that
breaks the contract can still be looked at.
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
"""How large, in bytes, an answer to one of these requests may be."""
TIMEOUT = 8.0
"""How long, in seconds, the server may take for one of these requests."""


@dataclass(frozen=True)
class Target:
    """A server and what gives access to it."""

    base_url: str
    """Where the API is, with its version and without a slash at the end."""
    api_key: str | None = field(default=None, repr=False)
    """A publishable key; gives two visitors, and access to what takes no bearer."""
    token: str | None = field(default=None, repr=False)
    """A session token or a private key; gives one visitor."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """Tells the devices of this run from those of any other."""

    @property
    def devices(self) -> tuple[str, str]:
        """The two devices that a publishable key starts sessions for."""
        return f"siteassist-contract-{self.run}-1", f"siteassist-contract-{self.run}-2"


def check(target: Target) -> tuple[str, ...]:
    """Send one request per credential, and return the session token that came, if one did.

    Raises `CannotRunError` if there is no server, no such API, or a credential
    is refused.
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
        return None  # The key is good, so it is `init` that is not; the tests will say so.
    _must_be_admitted(response, "init", "the API key", api_key)
    try:
        return session_token(response.json())
    except (ValueError, RecursionError):
        return None


def _is_known(client: httpx.Client, target: Target, api_key: str) -> bool:
    """Whether the server takes the key elsewhere."""
    response = _send(client, target, "getProject", params=key_argument(api_key))
    return response.status_code == httpx.codes.OK


def _read_visitor(client: httpx.Client, target: Target, token: str) -> None:
    try:
        headers = httpx.Headers({"Authorization": f"Bearer {token}"}, encoding="ascii")
    except UnicodeEncodeError:
        raise CannotRunError("the token has characters that no HTTP header can carry") from None
    response = _send(client, target, "getMe", headers=headers)
    _must_be_admitted(response, "getMe", "the token", token)


def _send(
    client: httpx.Client, target: Target, operation_id: str, **content: Any
) -> httpx.Response:
    operation = operations()[operation_id]
    url = f"{target.base_url}{operation.path}"
    started = time.monotonic()
    # Nothing is worth unpacking before its size is known.
    headers = {**content.pop("headers", {}), "Accept-Encoding": "identity"}
    try:
        with client.stream(operation.method, url, headers=headers, **content) as response:
            body = b""
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > _MOST or time.monotonic() - started > 2 * TIMEOUT:
                    raise CannotRunError(f"{url} answers without end")
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
        raise CannotRunError(f"{url} is no usable address: {error}") from None
    except (httpx.HTTPError, OSError) as error:
        # Some transport errors repeat what was sent, so only the kind is told.
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
            f"no SiteAssist API there: {answered}; a base URL looks like https://host/v2"
        )
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        raise CannotRunError(
            f"the server is not ready: {answered} {_excerpt(response, credential)}"
        )


def _excerpt(response: httpx.Response, credential: str) -> str:
    """Return the server's own words, or the start of its answer, on one line."""
    try:
        text = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        text = response.text
    text = " ".join(Filter([credential]).text(text).split())
    limit = 120
    return f"({text[:limit]}{'…' if len(text) > limit else ''})" if text else "(empty)"
