"""Credentials in texts: how each is spelled, and where it is replaced.

A credential that cannot be a part of other text is replaced wherever it stands. Another one, such
as ``t``, ``true`` or ``message``, is replaced where it is a whole value: alone, in quotes, beside
the name of a credential, or as the value of a parameter. One of 8 characters and more is unlikely
in ordinary text, and is replaced in text for people where it is a whole word or a whole number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from urllib.parse import quote, quote_plus

_SHORTEST = 8
_SHORTEST_WORD = 4
_SHORTEST_NUMBER = 6
_LONGEST_WORD = 16
_SHORTEST_PIECE = 3
"""The least average length of the words in a name such as ``toolCallId``."""
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+")
_SIGNS = re.compile(r"[\s,:;{}\[\]\"'`\\]*")
_CODE = re.compile(r"\\u[0-9A-Fa-f]{4}|%[0-9A-F]{2}")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
"""A text without signs that JSON, URLs, HTML or a shell escape."""
_LIKE_NAMES = r"(?:key|token|secret|password|authorization|cookie)"
"""The ends of the names of credentials."""


def is_distinct(secret: str) -> bool:
    """Return whether a credential can be told from a part of any other text."""
    bare = secret.strip()
    return len(bare) >= _SHORTEST and not bare.isdecimal() and not _is_word(bare)


def _is_word(text: str) -> bool:
    """Return whether a text is like a word or a name, such as ``conversationId``."""
    if not text.isalpha() or len(text) >= _LONGEST_WORD:
        return False
    # Letters of random case are in shorter pieces.
    return len(text) > _SHORTEST_PIECE * len(_PIECE.findall(text))


def without_distinct(text: str, secrets: Iterable[str], mask: str) -> str:
    """Return ``text`` with a mask for each credential that is distinct from other text.

    Nothing else is replaced, so that words, names of members and values of a format stay.
    """
    # The longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if is_distinct(secret):
            for form in spellings(secret):
                text = text.replace(form, mask)
    return text


def without_secrets(text: str, secrets: Iterable[str], mask: str) -> str:
    """Return a text for people with a mask for each credential."""
    known = [secret for secret in secrets if secret]
    text = without_distinct(text, known, mask)
    for secret in sorted(known, key=len, reverse=True):
        if is_distinct(secret) or not any(form in text for form in spellings(secret)):
            continue
        if text.strip() in map(str.strip, spellings(secret)):
            return mask
        # A function, since a mask is not a template.
        text = _places(secret).sub(lambda found: f"{found['before'] or ''}{mask}", text)
    return text


def is_shown(text: str, secret: str) -> bool:
    """Return whether a text contains a credential, and not only a word that is equal to it."""
    if is_distinct(secret):
        return secret in text
    return _is_unusual(secret) and _places(secret).search(text) is not None


def spellings(secret: str) -> tuple[str, ...]:
    """Return the usual spellings of a credential in texts, JSON and URLs, the longest first."""
    # A run may know thousands of session tokens, and look for each in every text.
    return (secret,) if _PLAIN.fullmatch(secret) else _escaped_spellings(secret)


@lru_cache(maxsize=256)
def _escaped_spellings(secret: str) -> tuple[str, ...]:
    escaped = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
    escaped += [each.replace("/", "\\/") for each in escaped]
    twice = [json.dumps(each)[1:-1] for each in escaped]
    escaped += [_with_codes(secret, signs) for signs in ("<>&", "<>&'", "<>&'\"+`")]
    # Lower case as well: a code has both.
    escaped += [_CODE.sub(lambda code: code[0].lower(), each) for each in escaped]
    # A lone surrogate has no spelling in a URL.
    safe = secret.encode("utf-8", "surrogatepass")
    encoded = [quote(safe, safe=kept) for kept in ("/", "", "!'()*", "!#$&'()*+,/:;=?@~")]
    encoded.append(quote_plus(safe))
    encoded += [_CODE.sub(lambda code: code[0].lower(), each) for each in encoded]
    page = escape(secret, quote=False)
    markup = [page]
    for double in ("&quot;", "&#34;"):
        quoted = page.replace('"', double)
        markup += [quoted.replace("'", single) for single in ("'", "&#x27;", "&#39;", "&apos;")]
    every = {secret, repr(secret)[1:-1], *escaped, *twice, *encoded, *markup}
    # In the quotes of a shell.
    every |= {
        each.replace("'", sign) for each in (secret, *escaped) for sign in ("'\"'\"'", "'\\''")
    }
    return tuple(sorted(every, key=len, reverse=True))


def _with_codes(text: str, signs: str) -> str:
    """Return a text in JSON in which signs are codes, as some libraries write it."""
    written = json.dumps(text)[1:-1]
    if '"' in signs:
        written = written.replace('\\"', '"')
    return "".join(f"\\u{ord(sign):04X}" if sign in signs else sign for sign in written)


@lru_cache(maxsize=256)
def _places(secret: str) -> re.Pattern[str]:
    """Return the expression for a credential where it is a whole value."""
    value = f"(?:{'|'.join(map(re.escape, spellings(secret)))})"
    ends = r"(?=[&;#\s\"'`<>),\\]|\Z)"
    places = [rf"(?<==){value}{ends}"]
    bare = secret.strip()
    if len(bare) >= _SHORTEST and bare.isdecimal():
        places = [rf"(?<!\d){value}(?!\d)"]
    elif len(bare) >= _SHORTEST and bare.isalpha():
        # Not a name of a member, or a part of an address.
        places = [rf"(?<![\w/]){value}(?![\w/]|\\*[\"'`]\s*:)", *places]
    elif _is_unusual(secret):
        places = [rf"(?<!\w){value}(?!\w)"]
    elif not _SIGNS.fullmatch(secret):  # They are a part of any format.
        # A text in quotes before a colon is the name of a member.
        places.append(rf"(?<=[\"'`]){value}(?=\\*[\"'`](?!\s*:))")
    named = rf"(?i:\b(?:bearer|basic)\s+|{_LIKE_NAMES}\\*[\"'`]?\s*[:=]\s*\\*[\"'`]?)"
    return re.compile(rf"(?:{'|'.join(places)}|(?P<before>{named}){value}{ends})")


def _is_unusual(secret: str) -> bool:
    """Return whether a short credential, such as ``key-1``, is neither a word nor a number."""
    bare = secret.strip()
    if bare.isdecimal():
        return len(bare) >= _SHORTEST_NUMBER
    return len(bare) >= _SHORTEST_WORD and not bare.isalpha() and re.search(r"\w", bare) is not None
