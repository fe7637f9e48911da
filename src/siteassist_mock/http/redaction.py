"""Removal of credentials from texts that are logged or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from siteassist_mock.http.secret_names import is_secret_name
from siteassist_spec import credentials

MASK = "***"
"""The text in place of a credential."""

# A session token, in a form that looks at each character once.
_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]*+\.[\w-]++\.[\w-]*+")


class Redactor:
    """The credentials of one server, which are recognized wherever they stand."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Remove ``keys``, and session tokens."""
        self._keys = frozenset(keys) - {""}

    def text(self, text: str) -> str:
        """Return ``text`` without credentials."""
        text = credentials.without_secrets(text, self._keys, MASK)
        return _TOKEN.sub(MASK, text) if "eyJ" in text else text

    def value(self, value: Any) -> Any:
        """Return a JSON value without credentials in its texts; its form stays."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self._name(name): self.value(item) for name, item in value.items()}
        return value

    def _name(self, name: str) -> str:
        """Return a name without credentials; it may be the same word as one."""
        return credentials.without_distinct(name, self._keys, MASK)

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
        # Without a value, the name can be a key.
        if (self._name(shown) if equals else self.text(shown)) != shown:
            return MASK.encode()
        given = unquote_plus(value.decode("latin-1"))
        secret = is_secret_name(shown) or self.text(given) != given
        return name + b"=" + MASK.encode() if secret and equals else pair
