"""Secrets, kept out of everything that people or files get to see."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

REDACTED = "[redacted]"

# Fields and query parameters whose value is a secret, whoever wrote it.
_FIELDS = re.compile(r'("(?:apiKey|sessionToken)"\s*:\s*")(?:[^"\\]|\\.)*', re.DOTALL)
_QUERY = re.compile(r"(?i)([?&]apiKey=)[^&#\s\"']*")
# Shorter words after "bearer" are words.
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{16,}")
_SHORTEST = 8  # Characters. What is shorter is no secret, and may be part of any word.
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without the ``secrets`` and without what looks like one."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, REDACTED)
    text = _FIELDS.sub(rf"\g<1>{REDACTED}", text)
    text = _QUERY.sub(rf"\g<1>{REDACTED}", text)
    return _BEARER.sub(rf"\g<1>{REDACTED}", text)


def redact_headers(
    headers: Iterable[tuple[str, str]], secrets: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Return ``headers`` with every secret value replaced."""
    known = tuple(secrets)
    return [
        (name, REDACTED if name.lower() in _HEADERS else redact(value, known))
        for name, value in headers
    ]


class KeyFilter(logging.Filter):
    """Takes ``apiKey=…`` out of the addresses that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without a key in its arguments."""
        if isinstance(record.args, tuple):
            record.args = tuple(_without_key(value) for value in record.args)
        return True


def _without_key(value: object) -> object:
    text = str(value) if type(value).__name__ == "URL" else value
    return _QUERY.sub(rf"\g<1>{REDACTED}", text) if isinstance(text, str) else value
