"""A reader of HAR files of any size, which holds one entry at a time.

Browsers, proxies such as mitmproxy, schemathesis and ``siteassist-mock --record`` write them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import ijson
from ijson.common import ObjectBuilder

from siteassist_contract.verdict import CannotRunError

_LIST = ["", "log", "entries"]
"""The keys of the list of entries."""
_STARTS, _ENDS = ("start_map", "start_array"), ("end_map", "end_array")
_DEEPEST = 100
_TOO_DEEP = f"nested more deeply than {_DEEPEST} levels"
_ARRIVALS = "_arrivals"
"""The time in milliseconds and the size of each piece of a body, which our proxy records."""
_ERRORS = ("_error", "_failureText")
"""Where browsers and our proxy note that an answer was not received whole."""


@dataclass(frozen=True)
class Entry:
    """A request in a recording, with its answer."""

    number: int
    """The number of the entry in the file, from 1."""
    method: str
    url: str
    headers: Mapping[str, str]
    """The headers of the request, with names in lower case."""
    body: bytes
    status: int
    """The status of the answer; 0 if there is none."""
    answer_headers: Mapping[str, str]
    content: bytes | None
    """The body of the answer, or None if the recording does not have it."""
    cut: bool
    """Whether the answer was not received whole."""
    started: float | None
    """Time of the request, in seconds since 1970, or None if it is unknown."""
    seconds: float
    """Time from the request to the end of the answer."""
    arrivals: tuple[tuple[float, int], ...] = ()
    """The time in seconds and the number of bytes of each piece of the body, if known."""


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file.

    Raises `CannotRunError` if it cannot be read, is cut off, or not a HAR file.
    """
    found = False
    try:
        with path.open("rb") as file:
            for number, entry in enumerate(_entries(file)):
                found = True
                if number:
                    yield _entry(number, entry)
    except OSError as error:
        raise CannotRunError(f"the recording {path}: {error.strerror}") from None
    except ijson.IncompleteJSONError as error:
        problem = f"the recording {path} is cut off or no JSON: {_line(error)}"
        raise CannotRunError(problem) from None
    except (ijson.JSONError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise CannotRunError(f"the recording {path} is no JSON: {_line(error)}") from None
    if not found:
        raise CannotRunError(f"the recording {path} is no HAR file: it has no list `log.entries`")


def _entries(file: IO[bytes]) -> Iterator[Any]:
    """Yield None at the beginning of the list of entries, and then each entry.

    Raises `ValueError` for a file that is nested too deeply.
    """
    events = ijson.basic_parse(file, use_float=True)
    keys: list[str] = []
    """The keys of the objects and arrays that are open; empty for an item of an array."""
    key = ""
    for event, value in events:
        if event == "map_key":
            key = value
        elif keys == _LIST and event not in _ENDS:
            yield _built(event, value, events)
        elif event in _STARTS:
            keys.append(key)
            key = ""
            if len(keys) > _DEEPEST:
                raise ValueError(_TOO_DEEP)
            if keys == _LIST and event == "start_array":
                yield None
        elif event in _ENDS:
            keys.pop()


def _built(event: str, value: Any, events: Iterator[tuple[str, Any]]) -> Any:
    """Return the value that begins with an event."""
    builder = ObjectBuilder()
    builder.event(event, value)
    depth = int(event in _STARTS)
    while depth:
        event, value = next(events)
        builder.event(event, value)
        depth += (event in _STARTS) - (event in _ENDS)
        if depth > _DEEPEST:
            raise ValueError(_TOO_DEEP)
    return builder.value


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _entry(number: int, entry: Any) -> Entry:
    """Return an entry; a value of another type than the documented one counts as absent."""
    request, response = (_mapping(_mapping(entry).get(n)) for n in ("request", "response"))
    content = _mapping(response.get("content"))
    answer_headers = _headers(response.get("headers"))
    media_type = content.get("mimeType")
    if isinstance(media_type, str) and media_type not in ("", "x-unknown"):
        answer_headers.setdefault("content-type", media_type)
    status = response.get("status")
    milliseconds = _number(_mapping(entry).get("time"))
    return Entry(
        number=number,
        method=str(request.get("method", "")).upper(),
        url=str(request.get("url", "")),
        headers=_headers(request.get("headers")),
        body=_text(_mapping(request.get("postData"))) or b"",
        status=int(status) if isinstance(status, int | float) and status > 0 else 0,
        answer_headers=answer_headers,
        content=_content(content),
        cut=any(_mapping(each).get(name) for each in (entry, response) for name in _ERRORS),
        started=_time(_mapping(entry).get("startedDateTime")),
        seconds=max(0.0, milliseconds) / 1000,
        arrivals=tuple(_arrivals(_mapping(entry).get(_ARRIVALS))),
    )


def _content(content: Mapping[str, Any]) -> bytes | None:
    """Return a body; without a text it is empty only if its size is 0."""
    body = _text(content)
    if body is None and _number(content.get("size", -1)) == 0:
        return b""
    return body


def _text(data: Mapping[str, Any]) -> bytes | None:
    text = data.get("text")
    if not isinstance(text, str):
        return None
    if data.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return None
    return text.encode("utf-8", "surrogatepass")


def _headers(pairs: Any) -> dict[str, str]:
    """Return headers by name, without the pseudo-headers of HTTP/2."""
    found: dict[str, str] = {}
    for pair in pairs if isinstance(pairs, list) else ():
        name, value = (_mapping(pair).get(key) for key in ("name", "value"))
        if isinstance(name, str) and isinstance(value, str) and not name.startswith(":"):
            found[name.lower()] = value
    return found


def _arrivals(pieces: Any) -> Iterator[tuple[float, int]]:
    for piece in pieces if isinstance(pieces, list) else ():
        if isinstance(piece, list) and len(piece) == 2:
            yield _number(piece[0]) / 1000, int(_number(piece[1]))


def _time(text: Any) -> float | None:
    try:
        read = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
