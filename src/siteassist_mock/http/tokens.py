"""Session tokens: signed names of sessions, JSON Web Tokens by RFC 7519."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import jwt

if TYPE_CHECKING:
    from siteassist_mock.clock import Clock

__all__ = ["MAX_SECONDS", "Tokens"]

MAX_SECONDS = 86_400
"""How long a token lasts at most, however busy its session is."""

_ALGORITHM = "HS256"
# How many tokens are remembered; a client sends the same one with each request.
_REMEMBERED = 1024


class Tokens:
    """Issues and reads the tokens of one database."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        """Sign with ``secret``, of at least 32 bytes, at the times of ``clock``."""
        self._secret = secret
        self._clock = clock
        # To verify a token takes longer than to read a conversation. One that is
        # forged raises, and so is not remembered.
        self._verified = lru_cache(_REMEMBERED)(self._verify)

    def issue(self, session_id: str) -> str:
        """Return a token for a session.

        Its ``exp`` is only the outermost limit: a session also ends when it is
        not used, which a token that was handed out cannot say.
        """
        issued = int(self._clock.seconds())
        claims = {"jti": session_id, "iat": issued, "exp": issued + MAX_SECONDS}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, token: str) -> str | None:
        """Return the session that ``token`` names; None if it is forged or too old."""
        try:
            session_id, expires = self._verified(token)
        # What PyJWT does not wrap comes from the JSON of a hostile header.
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return None
        return None if expires <= self._clock.seconds() else session_id

    def _verify(self, token: str) -> tuple[str, float]:
        claims = jwt.decode(
            token,
            self._secret,
            algorithms=[_ALGORITHM],
            # Times are compared above, with the clock that tests can set.
            options={"require": ["jti", "exp"], "verify_exp": False, "verify_iat": False},
        )
        return str(claims["jti"]), claims["exp"]
