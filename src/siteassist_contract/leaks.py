"""Finds what an error must not tell: paths, traces, SQL, tokens."""

from __future__ import annotations

import re

from siteassist_contract.secrets import Filter
from siteassist_contract.traffic import Exchange

_PATTERNS = {
    "a stack trace": re.compile(
        r"Traceback \(most recent call last\)|^\s+at \S+ \(?\S+:\d+(:\d+)?\)?|"
        r"\bFile \"[^\"]+\", line \d+|\bat [\w.$]+\([\w.]+:\d+\)|\bgoroutine \d+ \[",
        re.MULTILINE,
    ),
    "a path of the server": re.compile(
        r"(?<![\w.:/])/(?:usr|home|var|opt|app|srv|root|etc|tmp)/[\w./-]+|\b[A-Z]:\\\\?[\w\\.-]+|"
        r"\bnode_modules/"
    ),
    "SQL": re.compile(
        r"\b(?:SELECT\b.{1,200}\bFROM|INSERT INTO|DELETE FROM|UPDATE\b.{1,100}\bSET)\b|SQLSTATE|"
        r"\b(?:sqlite3|psycopg2?|sqlalchemy|asyncpg|PG::|ORA-\d{5})\b",
        re.IGNORECASE | re.DOTALL,
    ),
    "an exception of the server's language": re.compile(
        r"\b(?:java\.lang\.\w+|[A-Z]\w+Exception\b|TypeError: |KeyError: |ReferenceError: |"
        r"NullPointerException|panic: )"
    ),
}


def find(exchange: Exchange, secrets: Filter) -> list[str]:
    """Say what the body of an error tells that it should not.

    What the request said itself may come back.
    """
    text = exchange.content.decode("utf-8", "replace")
    sent = exchange.target + exchange.body.decode("utf-8", "replace")
    found = []
    for what, pattern in _PATTERNS.items():
        match = pattern.search(text)
        if match is not None and match[0] not in sent:
            found.append(f"{what}: {match[0].strip()[:80]}")
    if secrets.shows(exchange.content, besides=sent.encode("utf-8", "surrogatepass")):
        found.append("a credential")
    return found
