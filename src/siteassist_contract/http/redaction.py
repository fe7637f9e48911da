"""Takes secrets out of all that is printed or reported.

schemathesis filters the headers, queries and fields that were sent; what comes
back is ours to look after: the session token of ``init``, and whatever a
careless server repeats of the credentials that it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from siteassist_contract.description import SESSION_TOKEN, credential_name

FILTERED = "[Filtered]"
API_KEY = "SITEASSIST_API_KEY"
TOKEN = "SITEASSIST_TOKEN"  # noqa: S105  # its name
"""The environment variables that credentials are in."""

_LEAST = 16
"""How long, in bytes, what looks like a token has to be. Made-up ones, which are
no secrets, are shorter, and may be in any text."""


class Filter:
    """Knows the secrets of a run, and takes them out of what it is given."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets: set[bytes] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Remember another one; nothing is none."""
        if secret:
            self._secrets.add(secret.encode())

    def add_token(self, token: str) -> None:
        """Remember the token of a request, unless it is plainly made up."""
        if len(token) >= _LEAST:
            self.add(token)

    def body(self, body: bytes) -> bytes:
        """Return the body of an answer without secrets and session tokens.

        A session token that should be a string and is not stays, so that the
        fault can be seen.
        """
        tokens = (match[2] for match in _session_tokens().finditer(body))
        self._secrets.update(token for token in tokens if len(token) >= _LEAST)
        return self._known(_session_tokens().sub(rb'\1"' + FILTERED.encode() + b'"', body))

    def text(self, text: str) -> str:
        """Return ``text`` without secrets and session tokens."""
        return self.body(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def shows(self, body: bytes, *, besides: bytes = b"") -> bool:
        """Whether ``body`` has one of the secrets in it that is not in ``besides``."""
        return any(secret in body and secret not in besides for secret in self._secrets)

    def files(self, folder: Path) -> None:
        """Rewrite the files below ``folder`` that have secrets in them."""
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                filtered = self._known(content)
                if filtered != content:
                    path.write_bytes(filtered)

    def _known(self, content: bytes) -> bytes:
        for secret in self._secrets:
            content = content.replace(secret, FILTERED.encode())
        return content


def _session_tokens() -> re.Pattern[bytes]:
    """Return the pattern of session tokens in JSON."""
    name = re.escape(credential_name(SESSION_TOKEN)).encode()
    return re.compile(rb'("' + name + rb'"\s*:\s*)"((?:[^"\\]|\\.)*)"')
