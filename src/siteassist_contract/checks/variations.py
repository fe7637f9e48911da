"""The ways in which other HTTP clients send a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from siteassist_contract.http.framing import Framing
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_spec import JSON

NEGOTIATION, FRAMING = "negotiation", "framing"
"""The rules that variations test."""
REFUSAL, STREAM, COMPRESSED = "refusal", "stream", "compressed"
"""Requests that come before a variation: two on its connection, and the same one with gzip."""
_PADDING = "x" * 3000
_OLD_CLIENT = (426, 505)
"""Statuses of a server that does not support HTTP/1.0."""


def is_streamed(request: RequestParts) -> bool:
    """Whether a request asks for a stream."""
    stream = request.described.stream
    return (
        stream is not None
        and isinstance(request.body, Mapping)
        and (request.body.get(stream.request_flag) is True)
    )


def _everything(_: RequestParts) -> bool:
    return True


def _reads(request: RequestParts) -> bool:
    return request.method == "GET"


def _answers_json(request: RequestParts) -> bool:
    return not is_streamed(request)


@dataclass(frozen=True)
class Variation:
    """A way of sending a request that must not change its answer."""

    words: str
    rule: str
    framing: Framing = field(default_factory=Framing)
    content_type: str = JSON
    write: Callable[[Any], bytes] = field(default=lambda body: json.dumps(body).encode())
    """Returns the body as bytes."""
    applies: Callable[[RequestParts], bool] = _everything
    tolerated: tuple[int, ...] = ()
    """Further statuses of servers that do not support it."""
    before: str = ""
    """The request before it: `REFUSAL`, `STREAM` or `COMPRESSED`."""


def _accept(words: str, *values: str) -> Variation:
    headers = tuple(("Accept", value) for value in values)
    return Variation(words, NEGOTIATION, Framing(headers))


def _encoding(value: str) -> Variation:
    return Variation(
        f"`Accept-Encoding: {value}`", NEGOTIATION, Framing((("Accept-Encoding", value),))
    )


def _utf8(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _spaced(body: Any) -> bytes:
    return b"\n " + json.dumps(body, ensure_ascii=False, indent=2).encode() + b"\r\n"


_BROWSER = (
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "de-CH,de;q=0.9,*;q=0.5"),
    ("Accept-Charset", "utf-8, iso-8859-1;q=0.5"),
    ("Cache-Control", "no-cache"),
    ("Cookie", "theme=dark; _ga=GA1.2.3"),
    ("DNT", "1"),
)
_GZIP = _encoding("gzip")
_STREAM_FIRST = _accept(
    "an event stream first in `Accept`",
    "text/event-stream, application/json;q=0.9, text/plain;q=0.8",
)
_JSON_FIRST = _accept("JSON first in `Accept`", "application/json, text/plain, */*")
NEGOTIATIONS: tuple[Variation, ...] = (
    _GZIP,
    Variation("HTTP/1.0", NEGOTIATION, Framing(version="1.0"), tolerated=_OLD_CLIENT),
    Variation(
        "the second request of a connection, after a refusal",
        NEGOTIATION,
        Framing(kept=True),
        before=REFUSAL,
    ),
    _STREAM_FIRST,
    Variation(
        "`Accept-Encoding: identity`, after `gzip`",
        NEGOTIATION,
        Framing((("Accept-Encoding", "identity"),)),
        applies=_reads,
        before=COMPRESSED,
    ),
    Variation(
        "ISO-8859-1 first in `Accept-Charset`",
        NEGOTIATION,
        Framing((("Accept-Charset", "iso-8859-1, utf-8;q=0.7"),)),
    ),
    Variation("no `Accept`", NEGOTIATION, Framing(without=frozenset({"accept"}))),
    Variation("the headers of a browser", NEGOTIATION, Framing(_BROWSER)),
    Variation("no `Accept-Encoding`", NEGOTIATION, Framing(without=frozenset({"accept-encoding"}))),
    Variation("names of headers in capitals", NEGOTIATION, Framing(letters="upper")),
    Variation("a head in pieces", NEGOTIATION, Framing(pieces=True)),
    _encoding("gzip, deflate, br, zstd"),
    _JSON_FIRST,
    Variation("`Connection: close`", NEGOTIATION, Framing(close=True)),
    _encoding("identity, gzip;q=0"),
    _encoding("*"),
    _accept("an `Accept` list with preferences", "application/*;q=0.5, text/*;q=0.4, */*;q=0.1"),
    Variation(
        "names of headers in small letters, without spaces",
        NEGOTIATION,
        Framing(letters="lower", colon=":"),
    ),
    Variation("an empty query", NEGOTIATION, Framing(query="?")),
    _accept("two lines of `Accept`", "application/json", "text/event-stream;q=0.9, text/plain"),
    Variation("a long header", NEGOTIATION, Framing((("Cookie", f"a={_PADDING}"),))),
    _accept("a media type in capitals", "APPLICATION/JSON, TEXT/PLAIN, */*;q=0.1"),
    replace(_accept("`Accept: application/*`", "application/*"), applies=_answers_json),
    replace(
        _accept("`Accept: application/json; charset=utf-8`", "application/json; charset=utf-8"),
        applies=_answers_json,
    ),
    Variation(
        "a condition that does not hold",
        NEGOTIATION,
        Framing(
            (
                ("If-None-Match", '"siteassist-contract"'),
                ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
            )
        ),
        applies=_reads,
    ),
    Variation(
        "a media type without a body",
        NEGOTIATION,
        Framing((("Content-Type", JSON),)),
        applies=_reads,
    ),
    Variation("tabs and spaces around values", NEGOTIATION, Framing(colon=": \t ")),
    Variation(
        "a request after a stream on one connection",
        NEGOTIATION,
        Framing(kept=True),
        applies=_reads,
        before=STREAM,
    ),
)
"""The variations of every request, the most frequent faults first."""
FRAMINGS: tuple[Variation, ...] = (
    Variation("a body in one chunk", FRAMING, Framing(chunk=2**20), write=_utf8),
    Variation("`Expect: 100-continue`", FRAMING, Framing(expect=True), write=_utf8),
    Variation("a body in pieces", FRAMING, Framing(pieces=True), write=_utf8),
    Variation(
        "`Content-Type: application/json; charset=utf-8`",
        FRAMING,
        content_type="application/json; charset=utf-8",
        write=_utf8,
    ),
    Variation("a body in small chunks", FRAMING, Framing(chunk=7), write=_utf8),
    Variation(
        "`Content-Type: Application/JSON`", FRAMING, content_type="Application/JSON", write=_utf8
    ),
    Variation(
        '`Content-Type: application/json;charset="UTF-8"`',
        FRAMING,
        content_type='application/json;charset="UTF-8"',
        write=_utf8,
    ),
    Variation("a body with white space", FRAMING, write=_spaced),
    Variation(
        "small chunks after `Expect: 100-continue`",
        FRAMING,
        Framing(expect=True, chunk=9),
        write=_utf8,
    ),
)
"""The variations of requests with a body."""
VARIATIONS = NEGOTIATIONS + FRAMINGS
_FIRST_ASKED = {False: (_STREAM_FIRST,), True: (_JSON_FIRST, _GZIP)}
"""The first variations of expensive requests, for JSON and for a stream.

A server could take them for the choice of the other form, or hold a stream back to compress it.
"""


def variations(request: RequestParts, rule: str, number: int) -> list[Variation]:
    """Return the variations of a request for a rule, the most useful first.

    Operations with neighbouring ``number`` begin with different ones.
    """
    fitting = [each for each in VARIATIONS if each.rule == rule and each.applies(request)]
    start = number % len(fitting)
    found = fitting[start:] + fitting[:start]
    if request.costs:
        # An answer of the assistant is expensive, so these must not wait for their turn.
        first = _FIRST_ASKED[is_streamed(request)]
        found.sort(key=lambda each: each not in first)
    return found
