"""Redaction of secrets in texts, headers, exceptions and logs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from siteassist_runtime.http_library import errors
from siteassist_runtime.texts import printable

REDACTED = "[redacted]"

# Fields and query parameters whose values are always secrets.
_FIELDS = re.compile(r'("(?:apiKey|sessionToken)"\s*:\s*")(?:[^"\\]|\\.)*', re.DOTALL)
_QUERY = re.compile(r"(?i)([?&]apiKey=)[^&#\s\"']*")
# Shorter words after "bearer" are ordinary text.
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{16,}")
_SHORTEST = 8  # Characters. Shorter values may be part of any word.
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


class Secret(str):
    """A string with a redacted repr, for tracebacks with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the placeholder."""
        return repr(REDACTED)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without ``secrets`` and values that look like one."""
    for secret in secrets:
        for spelling in _spellings(secret):
            text = text.replace(spelling, REDACTED)
    text = _FIELDS.sub(rf"\g<1>{REDACTED}", text)
    text = _QUERY.sub(rf"\g<1>{REDACTED}", text)
    return _BEARER.sub(rf"\g<1>{REDACTED}", text)


@lru_cache(maxsize=32)
def _spellings(secret: str) -> tuple[str, ...]:
    """Return the spellings of a secret in text, JSON and URLs, longest first."""
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
    """Return a JSON value with ``secrets`` redacted in its strings and keys."""
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
    """Return ``headers`` with secret values redacted."""
    known = tuple(secrets)
    return [
        (name, REDACTED if is_secret_header(name) else redact(value, known))
        for name, value in headers
    ]


def redact_exception(error: Exception, secrets: Iterable[str]) -> Exception:
    """Return an exception of the same class that holds only the redacted message."""
    message = redact(str(error), secrets)
    cls = type(error) if isinstance(error, errors("HTTPError")) else Exception
    try:
        return cls(message)
    except TypeError:
        # Some subclasses take other arguments.
        return Exception(message)


def is_secret_header(name: str) -> bool:
    """Return whether the whole value of a header is a secret."""
    return name.lower() in _HEADERS


_in_use: ContextVar[tuple[str, ...]] = ContextVar("secrets", default=())


@contextmanager
def redacting(secrets: tuple[str, ...]) -> Iterator[None]:
    """Redact ``secrets`` in what httpx and httpcore log meanwhile, in this thread or task."""
    token = _in_use.set(secrets)
    try:
        yield
    finally:
        _in_use.reset(token)


class KeyFilter(logging.Filter):
    """Redacts the log records of httpx and httpcore, and escapes control characters.

    A record is made during a call, so only the secrets of this call can be in it. The
    cost of a line does not depend on the number of clients.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record and accept it."""
        message = record.getMessage()
        shown = printable(redact(message, _in_use.get()))
        if shown != message:
            record.msg, record.args = shown, ()
        return True
