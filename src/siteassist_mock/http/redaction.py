"""Removal of credentials from texts that are logged or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_plus

from siteassist_mock.http.secret_names import is_secret_name

MASK = "***"
"""The text in place of a credential."""

# A session token, in a form that looks at each character once.
_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]*+\.[\w-]++\.[\w-]*+")
# A shorter key could be part of any word, and is recognized as a whole only.
_SHORTEST = 8


class Redactor:
    """The credentials of one server, which are recognized wherever they stand."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Remove ``keys``, and session tokens."""
        # The longest first: a key may contain another one.
        self._keys = sorted(set(keys) - {""}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return ``text`` without credentials."""
        for key in self._keys:
            if key in text and (len(key) >= _SHORTEST or key == text):
                text = text.replace(key, MASK)
        return _TOKEN.sub(MASK, text) if "eyJ" in text else text

    def path(self, path: str) -> str:
        """Return a decoded path without credentials."""
        # Segments as well, since a short key is recognized as a whole only.
        return "/".join(self.text(segment) for segment in self.text(path).split("/"))

    def query(self, query: bytes) -> bytes:
        """Return a query string without credentials; the rest stays encoded as it is."""
        return b"&".join(self._pair(pair) for pair in query.split(b"&"))

    def _pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        shown = unquote_plus(name.decode("latin-1"))
        if self.text(shown) != shown:
            return MASK.encode()
        given = unquote_plus(value.decode("latin-1"))
        secret = is_secret_name(shown) or self.text(given) != given
        return name + b"=" + MASK.encode() if secret and equals else pair
