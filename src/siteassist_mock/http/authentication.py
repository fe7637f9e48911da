"""Who sends a request: the page "Authentication", in code."""

from __future__ import annotations

import hmac
import uuid
from typing import TYPE_CHECKING

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY, PROJECT_ID, SEED
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siteassist_mock.content.seed import Seed
    from siteassist_mock.settings import MockSettings
    from siteassist_mock.storage.store import Store
    from siteassist_mock.storage.tables import VisitorRow

__all__ = ["Authenticator"]

# A session's use is noted at most once per this share of its lifetime: that
# spares most requests a write, and a session ends at most that much too early.
_NOTE_SHARE = 0.01


class Authenticator:
    """Knows the keys of one server and the sessions of its database."""

    def __init__(self, store: Store, settings: MockSettings, seed: Seed = SEED) -> None:
        """Make sure that each private key's own visitor exists.

        The keys are those of ``seed``, if it has some, and that of ``settings``,
        unless it is the built-in one which the seed replaces.
        """
        self._store = store
        self._tokens = Tokens(store.secret, store.clock)
        self._session_seconds = settings.session_seconds
        self.api_keys = dict(seed.publishable_keys or {})
        """The publishable keys, each with the origins of its allowed websites."""
        if not self.api_keys or settings.api_key != API_KEY:
            self.api_keys[settings.api_key] = ("*",)
        self._servers: list[tuple[bytes, VisitorRow]] = []
        with store.write() as records:
            # Every device that a client can name has at least one character.
            for key in seed.private_keys or ():
                owner = str(
                    uuid.uuid5(
                        uuid.UUID(PROJECT_ID),
                        hmac.digest(store.secret, key.encode(), "sha256").hex(),
                    )
                )
                visitor, _ = records.find_or_add_visitor(owner, "")
                self._servers.append((key.encode(), visitor))
            if not self._servers or settings.private_key != PRIVATE_KEY:
                visitor, _ = records.find_or_add_visitor(PROJECT_ID, "")
                self._servers.append((settings.private_key.encode(), visitor))

    def check_api_key(self, api_key: str, origins: Sequence[str] = ()) -> None:
        """Refuse a key that is none, and a website that may not use it.

        ``origins`` are the request's headers ``Origin``; what is no browser sends
        none and may use any key. Raises `ApiError` 401 or 403.
        """
        given = api_key.encode()
        # All are compared, so that the time says nothing of which.
        found = [
            allowed
            for key, allowed in self.api_keys.items()
            if hmac.compare_digest(given, key.encode())
        ]
        if not found:
            raise ApiError(401, message="The publishable key is not valid")
        if "*" not in found[0] and any(origin.lower() not in found[0] for origin in origins):
            raise ApiError(403, message="The publishable key is not for this website")

    def begin_session(self, device: str) -> tuple[str, VisitorRow, bool]:
        """Return a session token, the visitor of ``device``, and whether it is new."""
        with self._store.write() as records:
            visitor, new = records.find_or_add_visitor(PROJECT_ID, device)
            session_id = records.add_session(visitor.id, keep=self._session_seconds)
        return self._tokens.issue(session_id), visitor, new

    def visitor(self, headers: Sequence[str]) -> VisitorRow:
        """Return the visitor that the ``Authorization`` headers stand for.

        There must be one header with one bearer token: a private key or a
        session token. Raises `ApiError` 401 otherwise, always the same one, so
        that nobody learns what is wrong with a token.
        """
        visitor = self._find(_bearer(headers))
        if visitor is None:
            raise ApiError(401)
        return visitor

    def _find(self, token: str) -> VisitorRow | None:
        if not token:
            return None
        given = token.encode()
        servers = [server for key, server in self._servers if hmac.compare_digest(given, key)]
        if servers:
            return servers[0]
        session_id = self._tokens.read(token)
        if session_id is None:
            return None
        with self._store.read() as records:
            session = records.session(session_id)
        if session is None:
            return None
        visitor, last_used = session
        idle = self._store.clock.seconds() - last_used
        if idle >= self._session_seconds:
            return None
        if idle >= self._session_seconds * _NOTE_SHARE:
            with self._store.write() as records:
                records.touch_session(session_id)
        return visitor


def _bearer(headers: Sequence[str]) -> str:
    """Return the token of the one ``Authorization`` header, or an empty text."""
    if len(headers) != 1:
        return ""
    scheme, _, token = headers[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
