"""The names of parameters, headers and members whose values are credentials."""

from __future__ import annotations

import re
from functools import lru_cache

# Plurals are not credentials: `outputTokens` is a count.
_WORDS = frozenset(
    {
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "csrf",
        "device",
        "jwt",
        "key",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "session",
        "sid",
        "token",
        "xsrf",
    }
)
_ENDS = (
    "accesskey",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "deviceid",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "sessid",
    "sessionid",
    "token",
)
"""The ends of names in one word, such as ``accesstoken``."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST = 100


def is_secret_name(name: str) -> bool:
    """Return whether a name has a word such as ``token``, ``key`` or ``session``.

    ``Access-Control-Allow-Credentials`` and the like are settings of browsers.
    """
    return len(name) <= _LONGEST and _has_secret_word(name)


@lru_cache(maxsize=1024)
def _has_secret_word(name: str) -> bool:
    name = name.strip()
    if name.lower().startswith("access-control-"):
        return False
    words = {word.lower() for word in _WORD.findall(name)}
    return not words.isdisjoint(_WORDS) or squeezed(name).endswith(_ENDS)


def squeezed(name: str) -> str:
    """Return the letters and digits of a name in lower case, without separators of words."""
    return re.sub(r"[\W_]+", "", name).lower()
