"""Authentication with private keys, session tokens and publishable keys."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Sequence

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY, PROJECT_ID, SEED, Seed
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.tokens import Tokens
from siteassist_mock.settings import MockSettings
from siteassist_mock.storage.store import Store
from siteassist_mock.storage.tables import VisitorRow

# The use of a session is stored at most once per this share of its lifetime. Most
# requests need no write, and a session ends at most that much too early.
_TOUCH_SHARE = 0.01


class Authenticator:
    """The keys of one server and the sessions of its database."""

    def __init__(self, store: Store, settings: MockSettings, seed: Seed = SEED) -> None:
        """Add the visitor of each private key, unless it exists.

        The keys are those of ``seed``, and that of ``settings`` unless it is the
        built-in key and ``seed`` has keys.
        """
        self._store = store
        self._tokens = Tokens(store.secret, store.steady)
        self._session_seconds = settings.session_seconds
        self.api_keys = dict(seed.publishable_keys or {})
        """The publishable keys, each with the origins of its websites."""
        if not self.api_keys or settings.api_key != API_KEY:
            self.api_keys[settings.api_key] = ("*",)
        self._servers: list[tuple[bytes, VisitorRow]] = []
        with store.write() as records:
            # The device is empty: clients cannot send an empty one.
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

    @property
    def keys(self) -> list[str]:
        """All publishable and private keys."""
        return [*self.api_keys, *(key.decode() for key, _ in self._servers)]

    @property
    def shown_keys(self) -> list[tuple[str, str]]:
        """The names and values of the keys, which everybody may see.

        The built-in private key is public; another one may be secret.
        """
        return [
            *(("Publishable key", key) for key in self.api_keys),
            *(
                ("Private key", PRIVATE_KEY if key == PRIVATE_KEY.encode() else "as given")
                for key, _ in self._servers
            ),
        ]

    def check_api_key(self, api_key: str, origins: Sequence[str] = ()) -> None:
        """Raise `ApiError` 401 for an invalid key, 403 for a website that must not use it.

        ``origins`` are the ``Origin`` headers of the request. Clients other than
        browsers send none and may use any key.
        """
        given = api_key.encode()
        # All keys are compared, so that the time does not reveal which one matches.
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
        """Begin a session; return its token, the visitor of ``device``, and whether it is new."""
        with self._store.write() as records:
            visitor, new = records.find_or_add_visitor(PROJECT_ID, device)
            session_id = records.add_session(visitor.id, keep=self._session_seconds)
        return self._tokens.issue(session_id), visitor, new

    def visitor(self, headers: Sequence[str]) -> VisitorRow:
        """Return the visitor of the ``Authorization`` headers.

        There must be one header with a bearer token: a private key or a session
        token. Otherwise raises `ApiError` 401, which does not reveal the reason.
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
        idle = self._store.steady.seconds() - last_used
        if idle >= self._session_seconds:
            return None
        # A use in the far future was stored with a wrong clock, and counts as now.
        ahead = idle < -self._session_seconds
        if ahead or idle >= self._session_seconds * _TOUCH_SHARE:
            with self._store.write() as records:
                records.touch_session(session_id, keep=self._session_seconds)
        return visitor


def _bearer(headers: Sequence[str]) -> str:
    """Return the bearer token of the only ``Authorization`` header, or an empty text."""
    if len(headers) != 1:
        return ""
    scheme, _, token = headers[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
