"""Secrets, kept out of everything that people or files get to see."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

REDACTED = "[redacted]"

# Fields and query parameters whose value is a secret, whoever wrote it.
_FIELDS = re.compile(r'("(?:apiKey|sessionToken)"\s*:\s*")(?:[^"\\]|\\.)*', re.DOTALL)
_QUERY = re.compile(r"(?i)([?&]apiKey=)[^&#\s\"']*")
# Shorter words after "bearer" are words.
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{16,}")
_SHORTEST = 8  # Characters. What is shorter is no secret, and may be part of any word.
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


class Secret(str):
    """A text whose repr does not show it, for the sake of tracebacks with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show nothing."""
        return repr(REDACTED)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without the ``secrets``, however spelled, and without what looks like one."""
    for secret in secrets:
        for spelling in _spellings(secret):
            text = text.replace(spelling, REDACTED)
    text = _FIELDS.sub(rf"\g<1>{REDACTED}", text)
    text = _QUERY.sub(rf"\g<1>{REDACTED}", text)
    return _BEARER.sub(rf"\g<1>{REDACTED}", text)


@lru_cache(maxsize=32)
def _spellings(secret: str) -> tuple[str, ...]:
    """Return how a secret may be written in text, in JSON and in an address; longest first."""
    if len(secret) < _SHORTEST:
        return ()
    written = json.dumps(secret)[1:-1]
    found = {
        secret,
        written,
        written.replace("/", "\\/"),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    }
    return tuple(sorted(found, key=len, reverse=True))


def redact_value(value: Any, secrets: Iterable[str]) -> Any:
    """Return a JSON value whose texts, names of fields included, hold none of the ``secrets``."""
    known = tuple(secrets)
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, list):
        return [redact_value(item, known) for item in value]
    if isinstance(value, dict):
        return {redact(key, known): redact_value(item, known) for key, item in value.items()}
    return value


def redact_headers(
    headers: Iterable[tuple[str, str]], secrets: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Return ``headers`` with every secret value replaced."""
    known = tuple(secrets)
    return [
        (name, REDACTED if is_secret_header(name) else redact(value, known))
        for name, value in headers
    ]


def redact_exception(error: Exception, secrets: Iterable[str]) -> Exception:
    """Return an exception of the same class that holds only the redacted message."""
    message = redact(str(error), secrets)
    cls = type(error) if isinstance(error, httpx.HTTPError) else Exception
    try:
        return cls(message)
    except TypeError:
        # Some subclasses take other arguments.
        return httpx.TransportError(message)


def is_secret_header(name: str) -> bool:
    """Tell whether the whole value of a header is a secret."""
    return name.lower() in _HEADERS


class KeyFilter(logging.Filter):
    """Takes secrets out of what httpx and httpcore log."""

    def __init__(self, known: Callable[[], Iterable[str]] = tuple) -> None:
        """Take what returns the secrets that are in use."""
        super().__init__()
        self._known = known

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without a secret in it."""
        if isinstance(record.args, tuple):
            told = record.getMessage()
            shown = redact(told, self._known())
            if shown != told:
                record.msg, record.args = shown, ()
        return True
