"""Who sends a request: the page "Authentication", in code."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from siteassist_mock.errors import ApiError
from siteassist_mock.seed import PROJECT_ID
from siteassist_mock.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siteassist_mock.settings import Settings
    from siteassist_mock.store import Store
    from siteassist_mock.tables import Visitor

__all__ = ["Authenticator"]

# A session's use is noted at most once per this share of its lifetime: that
# spares most requests a write, and a session ends at most that much too early.
_NOTE_SHARE = 0.01


class Authenticator:
    """Knows the keys of one server and the sessions of its database."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Make sure that the private key's own visitor exists."""
        self._store = store
        self._tokens = Tokens(store.secret, store.clock)
        self._session_seconds = settings.session_seconds
        self._api_key = settings.api_key.encode()
        self._private_key = settings.private_key.encode()
        with store.write() as records:
            # Every device that a client can name has at least one character.
            self._server, _ = records.find_or_add_visitor(PROJECT_ID, "")

    def check_api_key(self, api_key: str) -> None:
        """Raise `ApiError` 401 unless ``api_key`` is the publishable key."""
        if not hmac.compare_digest(api_key.encode(), self._api_key):
            raise ApiError(401, message="The publishable key is not valid")

    def begin_session(self, device: str) -> tuple[str, Visitor, bool]:
        """Return a session token, the visitor of ``device``, and whether it is new."""
        with self._store.write() as records:
            visitor, new = records.find_or_add_visitor(PROJECT_ID, device)
            session_id = records.add_session(visitor.id, keep=self._session_seconds)
        return self._tokens.issue(session_id), visitor, new

    def visitor(self, headers: Sequence[str]) -> Visitor:
        """Return the visitor that the ``Authorization`` headers stand for.

        There must be one header with one bearer token: the private key or a
        session token. Raises `ApiError` 401 otherwise, always the same one, so
        that nobody learns what is wrong with a token.
        """
        visitor = self._find(_bearer(headers))
        if visitor is None:
            raise ApiError(401)
        return visitor

    def _find(self, token: str) -> Visitor | None:
        if not token:
            return None
        if hmac.compare_digest(token.encode(), self._private_key):
            return self._server
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
