"""Detection of internals in errors: paths, traces, SQL, tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator

from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter

_PATTERNS = {
    "a stack trace": re.compile(
        r"Traceback \(most recent call last\)|\bFile \"[^\"]+\", line \d+|"
        r"\bat (?:\S+ \()?\S+\.(?:js|mjs|cjs|ts|py|rb|php):\d+(?::\d+)?|"
        r"\bat [\w.$]+\([\w.]+:\d+\)|\bgoroutine \d+ \["
    ),
    # A page of a website can have a path such as /app/settings or /home.
    "a path of the server": re.compile(
        r"(?<![\w.:/])/(?:usr/(?:lib|local|src|share|bin)|var/(?:www|lib|log|task|run)|root|etc|opt|srv|tmp)"
        r"/[\w.-][\w./-]*|(?<![\w.:/])/[\w./-]+\.(?:py|js|mjs|cjs|ts|rb|java|go|php|cs|rs)\b|"
        r"\b[A-Z]:\\\\?[\w\\.-]+|\bnode_modules/"
    ),
    "SQL": re.compile(
        r"\bSELECT\b.{1,200}\bFROM\s+[\"\w.]+|\bINSERT INTO\s+[\"\w.]+|\bDELETE FROM\s+[\"\w.]+|"
        r"\bUPDATE\s+[\"\w.]+\s+SET\b|\bSQLSTATE\b|\bORA-\d{5}\b|\bPG::\w+|"
        r"(?i:\bselect\s[\w.*,\s]{1,100}\sfrom\s+[\"\w.]+\s+(?:where|limit|join|order)\b)|"
        r"\b(?:sqlite3|psycopg2?|sqlalchemy|asyncpg)\b",
        re.DOTALL,
    ),
    "an exception of the server's language": re.compile(
        r"\b(?:java\.lang\.\w+|[A-Z]\w+Exception\b|TypeError: |KeyError: |ReferenceError: |"
        r"NullPointerException|panic: )"
    ),
}


def find(exchange: Exchange, secrets: Filter) -> list[str]:
    """Return the internals of the server that the body of an error reveals.

    Text of the request is allowed.
    """
    # Strings in JSON have escaped newlines and quotes.
    text = "\n".join([exchange.content.decode("utf-8", "replace"), *_texts(exchange.json)])
    sent = exchange.target + exchange.body.decode("utf-8", "replace")
    found = []
    for what, pattern in _PATTERNS.items():
        leak = next((m[0] for m in pattern.finditer(text) if m[0] not in sent), None)
        if leak is not None:
            found.append(f"{what}: {leak.strip()[:80]}")
    if secrets.shows(exchange.content, besides=sent.encode("utf-8", "surrogatepass")):
        found.append("a credential")
    return found


def _texts(value: object) -> Iterator[str]:
    """Yield all strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
