"""Redaction of secrets in the output and in reports.

schemathesis redacts requests. This module redacts answers: they contain session
tokens, and a faulty server may repeat the credentials that it received.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from siteassist_contract.description import SESSION_TOKEN, credential_name

FILTERED = "[Filtered]"
API_KEY = "SITEASSIST_API_KEY"
TOKEN = "SITEASSIST_TOKEN"  # noqa: S105  # the name of a variable
SECOND_TOKEN = "SITEASSIST_SECOND_TOKEN"  # noqa: S105  # as above
"""The environment variables that contain credentials."""

_LEAST = 16
"""Minimum length of a token, in bytes. Generated tokens are shorter; they are not secret, and
may occur in any text."""


class Filter:
    """The secrets of a run, and their redaction."""

    def __init__(self, secrets: Iterable[str | None] = (), hidden: Iterable[str] = ()) -> None:
        """Redact ``secrets`` everywhere, and ``hidden`` in text for people.

        Unlike a secret, a hidden text may be a common word, which an answer may contain.
        """
        self._hidden = {form for text in hidden for form in (text, json.dumps(text)[1:-1])}
        self._secrets: set[bytes] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Add a secret, unless it is empty."""
        if secret:
            self._secrets.add(secret.encode())

    def add_token(self, token: str) -> None:
        """Add a token, unless it is too short to be genuine."""
        if len(token) >= _LEAST:
            self.add(token)

    def body(self, body: bytes) -> bytes:
        """Return the body of an answer without secrets and session tokens.

        A session token that is not a string is kept, so that reports show the fault.
        """
        tokens = (match[2] for match in _session_tokens().finditer(body))
        self._secrets.update(token for token in tokens if len(token) >= _LEAST)
        return self._known(_session_tokens().sub(rb'\1"' + FILTERED.encode() + b'"', body))

    def text(self, text: str) -> str:
        """Return ``text`` without secrets, hidden texts and session tokens."""
        # The longest first: one may be a part of another.
        for hidden in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(hidden, FILTERED)
        return self.body(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def shows(self, body: bytes, *, besides: bytes = b"") -> bool:
        """Whether ``body`` contains a secret that is not in ``besides``."""
        return any(secret in body and secret not in besides for secret in self._secrets)

    def files(self, folder: Path) -> None:
        """Redact the files below ``folder``."""
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
