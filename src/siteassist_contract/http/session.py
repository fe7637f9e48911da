"""Requests with one credential or none, built from the description.

The session neither retries requests nor renews tokens nor parses answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import httpx

from siteassist_contract.description import operations
from siteassist_contract.http.framing import FRAMING, Framing
from siteassist_contract.http.network import no_cookies
from siteassist_contract.http.recorder import CALL, CallFacts, Exchange, Recorder
from siteassist_contract.http.upgrade import UPGRADE, Upgrade
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_contract.verdict import ContractBrokenError
from siteassist_spec import JSON, Json

PATIENCE = 20.0
"""Timeout, in seconds, for the next chunk of an answer."""
_OTHERWISE_KNOWN = frozenset({"authorization", "content-type"})
"""Headers that an exchange shows as its credential and its media type."""


class Session:
    """A credential, or none, and the requests that are sent with it."""

    def __init__(
        self, base_url: str, recorder: Recorder, credential: str, token: str | None
    ) -> None:
        """Send requests over ``recorder`` with ``token``; ``credential`` is its name in reports."""
        self._base_url = base_url
        self._base_path = urlsplit(base_url).path
        self.token = token
        self._recorder = recorder
        self._credential = credential
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=base_url,
            headers=headers,
            timeout=PATIENCE,
            cookies=no_cookies(),
            transport=recorder,
            trust_env=False,
        )

    def over(self, recorder: Recorder) -> Session:
        """Return a session with the same credential that sends over another recorder."""
        return Session(self._base_url, recorder, self._credential, self.token)

    def rest(self, seconds: float) -> None:
        """Send nothing for some seconds."""
        self._recorder.rest(seconds)

    def call(
        self,
        operation_id: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
        header: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> Exchange:
        """Send a request of an operation; parameters that are ``None`` are left out.

        Raises `KeyError` for a parameter that the operation does not have.
        """
        operation = operations()[operation_id]
        target = operation.path
        for parameter in operation.places("path"):
            target = target.replace(f"{{{parameter.name}}}", _quoted((path or {})[parameter.name]))
        for name in (*(path or {}), *(query or {}), *(header or {})):
            operation.parameter(name)
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return self.raw(
            operation_id,
            operation.method,
            target,
            query=given or None,
            body=body,
            headers=header,
        )

    def send(
        self,
        request: RequestParts,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        framing: Framing | None = None,
    ) -> Exchange:
        """Send a request from its parts; ``body`` and ``credential`` replace its own."""
        return self.raw(
            request.operation,
            request.method,
            request.target,
            query=request.query or None,
            body=request.body if body is None else body,
            headers={**request.header, **(headers or {})},
            credential=credential,
            framing=framing,
        )

    def raw(
        self,
        operation: str,
        method: str,
        target: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | Json | None = None,
        headers: Mapping[str, str | None] | None = None,
        credential: str | None = None,
        framing: Framing | None = None,
        upgrade: Upgrade | None = None,
    ) -> Exchange:
        """Send any request, valid or not, and record it as one of ``operation``.

        A header that is None is left out. ``credential`` is the name in reports of an
        ``Authorization`` in ``headers``. ``framing`` is the way in which the request is written,
        and ``upgrade`` the connection of a handshake.
        """
        given = dict(headers or {})
        content = body if isinstance(body, bytes) else None
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode("utf-8", "surrogatepass")
        if content is not None:
            given.setdefault("Content-Type", JSON)
        sent = {name: value for name, value in given.items() if value is not None}
        facts = CallFacts(
            operation=operation,
            credential=self._credential if credential is None else credential,
            token=self.token,
            base_path=self._base_path,
            headers={
                name: value
                for name, value in {**sent, **(framing.shown if framing else {})}.items()
                if name.lower() not in _OTHERWISE_KNOWN
            },
        )
        given_way = {FRAMING: framing, UPGRADE: upgrade}
        way = {name: value for name, value in given_way.items() if value is not None}
        try:
            self._http.request(
                method,
                target,
                content=content,
                headers=sent,
                # An empty dict would remove the query of the target.
                params=dict(query) if query is not None else None,
                extensions={CALL: facts, **way},
            )
        except httpx.InvalidURL as error:
            # Only ids of the server are so long.
            raise ContractBrokenError(f"{operation} cannot be requested: {error}") from None
        return self._recorder.history[-1]


def _quoted(identifier: str) -> str:
    """Return an id for a path. Half of a surrogate pair, which has no encoding, becomes ``?``."""
    return quote(identifier, safe="", errors="replace")
