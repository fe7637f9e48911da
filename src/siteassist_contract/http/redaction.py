"""Redaction of secrets in the output and in reports.

schemathesis redacts requests. This module redacts answers: they contain session
tokens, and a faulty server may repeat the credentials that it received.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from siteassist_contract.description import SESSION_TOKEN, credential_name
from siteassist_spec import credentials

FILTERED = "[Filtered]"
API_KEY = "SITEASSIST_API_KEY"
TOKEN = "SITEASSIST_TOKEN"  # noqa: S105  # the name of a variable
SECOND_TOKEN = "SITEASSIST_SECOND_TOKEN"  # noqa: S105  # as above
"""The environment variables that contain credentials."""

_LEAST = 16
"""Minimum length of a token. Generated tokens are shorter; they are not secret, and
may occur in any text."""


_LEAST_HIDDEN = 6
"""Minimum length of a hidden text that is redacted outside of values as well."""


class Filter:
    """The secrets of a run, and their redaction.

    `siteassist_spec.credentials` says where a secret is redacted that may be a part of other text.
    """

    def __init__(self, secrets: Iterable[str | None] = (), hidden: Iterable[str] = ()) -> None:
        """Redact ``secrets`` everywhere, and ``hidden`` in text for people.

        Unlike a secret, a hidden text may be a common word, which an answer may contain.
        """
        hidden = frozenset(hidden)
        self._values = {
            word for word in hidden if len(word) < _LEAST_HIDDEN or credentials.is_distinct(word)
        }
        self._hidden = _whole(hidden - self._values)
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Add a secret, unless it is empty."""
        if secret:
            self._secrets.add(secret)

    def add_token(self, token: str) -> None:
        """Add a token, unless it is too short to be genuine."""
        if len(token) >= _LEAST:
            self.add(token)

    def body(self, body: bytes) -> bytes:
        """Return the body of an answer without secrets and session tokens.

        The body stays as it is otherwise, so that it can be judged. A session token that is not
        a string is kept, so that reports show the fault.
        """
        found = self.values(self._without_tokens(body.decode("utf-8", "surrogateescape")))
        return found.encode("utf-8", "surrogateescape")

    def text(self, text: str) -> str:
        """Return a text for people without secrets, hidden texts and session tokens."""
        known = self._secrets | self._values
        text = credentials.without_secrets(self._without_tokens(text), known, FILTERED)
        return text if self._hidden is None else self._hidden.sub(FILTERED, text)

    def values(self, text: str) -> str:
        """Return a text for programs without the secrets that cannot be a part of other text."""
        return credentials.without_distinct(text, self._secrets, FILTERED)

    def shows(self, body: bytes, *, besides: bytes = b"") -> bool:
        """Whether ``body`` contains a secret that is not in ``besides``."""
        text, given = (each.decode("utf-8", "surrogateescape") for each in (body, besides))
        return any(
            credentials.is_shown(text, secret) and secret not in given for secret in self._secrets
        )

    def _without_tokens(self, text: str) -> str:
        """Redact session tokens, and remember them."""
        self._secrets.update(
            match[2] for match in _session_tokens().finditer(text) if len(match[2]) >= _LEAST
        )
        return _session_tokens().sub(rf'\1"{FILTERED}"', text)


def _whole(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return the expression for any of ``words``, but not for a part of a longer word."""
    forms = {form for word in words for form in (word, json.dumps(word)[1:-1])}
    # The longest first: one may be a part of another.
    either = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)") if forms else None


def _session_tokens() -> re.Pattern[str]:
    """Return the pattern of session tokens in JSON."""
    name = re.escape(credential_name(SESSION_TOKEN))
    return re.compile(rf'("{name}"\s*:\s*)"((?:[^"\\]|\\.)*)"')
