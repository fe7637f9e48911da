"""Secrets, kept out of everything that people or files get to see."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping

REDACTED = "[redacted]"

# Fields and query parameters whose value is a secret, whoever wrote it.
_FIELDS = re.compile(r'("(?:apiKey|sessionToken)"\s*:\s*")(?:[^"\\]|\\.)*', re.DOTALL)
_QUERY = re.compile(r"(?i)([?&]apiKey=)[^&#\s\"']*")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+")
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without the ``secrets`` and without what looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    text = _FIELDS.sub(rf"\g<1>{REDACTED}", text)
    text = _QUERY.sub(rf"\g<1>{REDACTED}", text)
    return _BEARER.sub(rf"\g<1>{REDACTED}", text)


def redact_headers(
    headers: Mapping[str, str] | Iterable[tuple[str, str]], secrets: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Return ``headers`` with every secret value replaced."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    known = tuple(secrets)
    return [
        (name, REDACTED if name.lower() in _HEADERS else redact(value, known))
        for name, value in pairs
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
