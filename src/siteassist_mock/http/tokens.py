"""Session tokens: JSON Web Tokens (RFC 7519) with the identifier of a session."""

from __future__ import annotations

from functools import lru_cache

import jwt

from siteassist_mock.clock import SteadyClock

MAX_SECONDS = 86_400
"""Seconds after which every token expires, even if its session is in use."""

_ALGORITHM = "HS256"
# Size of the cache of verified tokens; a client sends the same one with each request.
_CACHED = 1024


class Tokens:
    """The issuer and verifier of the tokens of one database."""

    def __init__(self, secret: bytes, clock: SteadyClock) -> None:
        """Sign with ``secret``, of at least 32 bytes, with the time of ``clock``."""
        self._secret = secret
        self._clock = clock
        # Cached, as verification takes longer than reading a conversation. A forged
        # token raises an exception, and so is not cached.
        self._verified = lru_cache(_CACHED)(self._verify)

    def issue(self, session_id: str) -> str:
        """Return a token for a session.

        Its ``exp`` is only the latest possible end: an unused session ends earlier.
        """
        issued = int(self._clock.seconds())
        claims = {"jti": session_id, "iat": issued, "exp": issued + MAX_SECONDS}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, token: str) -> str | None:
        """Return the session of ``token``, or None if it is forged or has expired."""
        try:
            session_id, expires = self._verified(token)
        # The last two come from a hostile JSON header; PyJWT does not wrap them.
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return None
        return None if expires <= self._clock.seconds() else session_id

    def _verify(self, token: str) -> tuple[str, float]:
        claims = jwt.decode(
            token,
            self._secret,
            algorithms=[_ALGORITHM],
            # `read` compares the times, with the clock that tests can set.
            options={"require": ["jti", "exp"], "verify_exp": False, "verify_iat": False},
        )
        return str(claims["jti"]), claims["exp"]
