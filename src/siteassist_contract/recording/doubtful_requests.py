"""Requests whose form servers may read in different ways, or refuse.

The documents do not define their meaning. So neither an answer nor a refusal of such a request
is judged, and nothing that depends on its contents.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from siteassist_contract.recording.har import Entry
from siteassist_contract.tolerance import sent_query
from siteassist_spec import JSON, Operation

_HALF_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_UTF8 = ("utf-8", "utf8")


def is_doubtful(entry: Entry, operation: Operation) -> bool:
    """Whether a request has a form that a server may refuse or read otherwise than others."""
    return _has_doubtful_address(entry.url) or _has_doubtful_body(entry, operation)


def _has_doubtful_address(url: str) -> bool:
    """Whether an address has empty or repeated parameters, or an escape that is not UTF-8."""
    parts = urlsplit(url)
    values = sent_query(url).values()
    if any(len(texts) > 1 or not texts[0] for texts in values):
        return True
    for part in (parts.path, parts.query):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            return True
        if _HALF_ESCAPE.search(part):
            return True
    return False


def _has_doubtful_body(entry: Entry, operation: Operation) -> bool:
    """Whether a body is not sent as documented, or is JSON that parsers read differently."""
    media, _, parameters = entry.headers.get("content-type", "").partition(";")
    if not entry.body:
        # Some servers expect a body after the header.
        return bool(media) and entry.has_body and entry.method != "GET"
    if operation.body is None or media.strip().lower() != JSON:
        return True
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]*)", parameters, re.IGNORECASE)
    if charset is not None and charset[1].lower() not in _UTF8:
        return True
    if entry.headers.get("content-encoding", "identity").lower() != "identity":
        return True
    return entry.body.startswith(codecs.BOM_UTF8) or not _is_unambiguous(entry.body)


def _is_unambiguous(body: bytes) -> bool:
    """Whether all parsers read a body alike; one that is not JSON at all is refused by all."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    doubts: list[str] = []

    def number(read: str) -> float:
        value = float(read)
        if not math.isfinite(value):
            doubts.append(read)
        return value

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            doubts.append("a name that occurs twice")
        return found

    try:
        json.loads(
            text, parse_float=number, parse_constant=doubts.append, object_pairs_hook=members
        )
    except (RecursionError, ValueError):
        return bool(text.strip()) and not doubts
    return not doubts
