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
_SHORTEST_WORD = 4
_SHORTEST_NUMBER = 6
_LONGEST_WORD = 16
_SHORTEST_PIECE = 3  # The least average length of the words in a name, such as "toolCallId".
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+")
_CODE = re.compile(r"\\u[0-9A-Fa-f]{4}|%[0-9A-F]{2}")
_SIGNS = re.compile(r"[\s,:;{}\[\]\"'`\\]*")
_ENDS = r"(?=[&;#\s\"'`<>),\\]|\Z)"
_NAMED = (
    r"(?i:\b(?:bearer|basic)\s+|(?:key|token|secret|password|authorization|cookie)"
    r"\\*[\"'`]?\s*[:=]\s*\\*[\"'`]?)"
)
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


class Secret(str):
    """A string with a redacted repr, for tracebacks with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the placeholder."""
        return repr(REDACTED)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without ``secrets`` and values that look like one.

    A secret that may be a part of other text, such as ``t`` or ``message``, is redacted where
    it is a whole value: alone, in quotes, beside the name of a credential, or as the value of
    a parameter. One of 8 characters and more is also redacted as a whole word or number.
    """
    # The longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if is_distinct(secret):
            for spelling in _spellings(secret):
                text = text.replace(spelling, REDACTED)
        elif not secret or not any(spelling in text for spelling in _spellings(secret)):
            continue
        elif text.strip() in map(str.strip, _spellings(secret)):
            text = REDACTED
        else:
            text = _places(secret).sub(lambda found: f"{found['before'] or ''}{REDACTED}", text)
    text = _FIELDS.sub(rf"\g<1>{REDACTED}", text)
    text = _QUERY.sub(rf"\g<1>{REDACTED}", text)
    return _BEARER.sub(rf"\g<1>{REDACTED}", text)


def is_distinct(secret: str) -> bool:
    """Return whether a secret can be told from a part of any other text."""
    bare = secret.strip()
    return len(bare) >= _SHORTEST and not bare.isdecimal() and not _is_word(bare)


def _is_word(text: str) -> bool:
    """Return whether a text is like a word or a name, such as ``conversationId``."""
    if not text.isalpha() or len(text) >= _LONGEST_WORD:
        return False
    # Letters of random case are in shorter pieces.
    return len(text) > _SHORTEST_PIECE * len(_PIECE.findall(text))


@lru_cache(maxsize=32)
def _spellings(secret: str) -> tuple[str, ...]:
    """Return the spellings of a secret in text, JSON, URLs and HTML, longest first."""
    written = json.dumps(secret)[1:-1]
    escaped = [written, written.replace("/", "\\/")]
    escaped += [json.dumps(each)[1:-1] for each in escaped]
    escaped += [_with_codes(secret, signs) for signs in ("<>&", "<>&'", "<>&'\"+`")]
    # A lone surrogate has no spelling in a URL.
    safe = secret.encode("utf-8", "surrogatepass")
    encoded = [quote(safe, safe=kept) for kept in ("/", "", "!'()*", "!#$&'()*+,/:;=?@~")]
    encoded.append(quote_plus(safe))
    codes = [_CODE.sub(lambda code: code[0].lower(), each) for each in (*escaped, *encoded)]
    page = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    markup = [page]
    for double in ("&quot;", "&#34;"):
        quoted = page.replace('"', double)
        markup += [quoted.replace("'", single) for single in ("'", "&#x27;", "&#39;", "&apos;")]
    found = {secret, repr(str(secret))[1:-1], *escaped, *encoded, *codes, *markup}
    return tuple(sorted(found, key=len, reverse=True))


def _with_codes(text: str, signs: str) -> str:
    """Return a text in JSON in which signs are codes, as some libraries write it."""
    written = json.dumps(text)[1:-1]
    if '"' in signs:
        written = written.replace('\\"', '"')
    return "".join(f"\\u{ord(sign):04X}" if sign in signs else sign for sign in written)


@lru_cache(maxsize=32)
def _places(secret: str) -> re.Pattern[str]:
    """Return the expression for a secret where it is a whole value."""
    value = f"(?:{'|'.join(map(re.escape, _spellings(secret)))})"
    places = [rf"(?<==){value}{_ENDS}"]
    bare = secret.strip()
    least = _SHORTEST_NUMBER if bare.isdecimal() else _SHORTEST_WORD
    if len(bare) >= _SHORTEST and bare.isdecimal():
        places = [rf"(?<!\d){value}(?!\d)"]
    elif len(bare) >= _SHORTEST and bare.isalpha():
        # Not a name of a member, or a part of an address.
        places = [rf"(?<![\w/]){value}(?![\w/]|\\*[\"'`]\s*:)", *places]
    elif len(bare) >= least and not bare.isalpha() and re.search(r"\w", bare):
        # Neither a word nor a number, such as "key-1".
        places = [rf"(?<!\w){value}(?!\w)"]
    elif not _SIGNS.fullmatch(secret):  # They are a part of any format.
        # A text in quotes before a colon is the name of a member.
        places.append(rf"(?<=[\"'`]){value}(?=\\*[\"'`](?!\s*:))")
    return re.compile(rf"(?:{'|'.join(places)}|(?P<before>{_NAMED}){value}{_ENDS})")


def redact_value(value: Any, secrets: Iterable[str]) -> Any:
    """Return a JSON value with ``secrets`` redacted in its strings and keys.

    The key of a member may be the same word as a secret.
    """
    known = tuple(secrets)
    distinct = tuple(filter(is_distinct, known))
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, list):
        return [redact_value(item, known) for item in value]
    if isinstance(value, dict):
        return {redact(key, distinct): redact_value(item, known) for key, item in value.items()}
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
    """Redact ``secrets`` in the logs of httpx and httpcore meanwhile, in this thread or task."""
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
