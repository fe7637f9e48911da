"""A reader of HAR files of any size, which holds one entry at a time.

Browsers, proxies such as mitmproxy, schemathesis and ``siteassist-mock --record`` write them.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
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
_OTHERS = {
    codecs.BOM_UTF16_LE: "it is UTF-16, and must be UTF-8",
    codecs.BOM_UTF16_BE: "it is UTF-16, and must be UTF-8",
    b"\x1f\x8b": "it is compressed with gzip, and must be unpacked first",
}
"""The first bytes of files of other kinds."""
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
    has_body: bool
    """Whether the recording has the whole body of the request, or shows that there is none."""
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
            _begin(file)
            for number, entry in enumerate(_entries(file)):
                found = True
                if number:
                    yield _entry(number, entry)
    except OSError as error:
        raise CannotRunError(f"the recording {path}: {error.strerror}") from None
    except ijson.IncompleteJSONError as error:
        problem = f"the recording {path} is cut off or not JSON: {_line(error)}"
        raise CannotRunError(problem) from None
    except (ijson.JSONError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise CannotRunError(f"the recording {path} is not JSON: {_line(error)}") from None
    if not found:
        problem = f"the recording {path} is not a HAR file: it has no list `log.entries`"
        raise CannotRunError(problem)


def _begin(file: IO[bytes]) -> None:
    """Skip a byte order mark, which readers of HAR files must accept.

    Raises `ValueError` for a file in another encoding.
    """
    first = file.read(len(codecs.BOM_UTF8))
    for mark, problem in _OTHERS.items():
        if first.startswith(mark):
            raise ValueError(problem)
    if first != codecs.BOM_UTF8:
        file.seek(0)


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
    """Return the first line of an error; those of the parser are bytes."""
    if isinstance(error, UnicodeDecodeError):
        return "a text in it is not UTF-8"
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return " ".join((text.strip().splitlines() or [""])[0].split())[:160]


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
    headers = _headers(request.get("headers"))
    posted_type = _mapping(request.get("postData")).get("mimeType")
    if not headers and isinstance(posted_type, str):
        headers["content-type"] = posted_type
    body = _body(request, headers)
    return Entry(
        number=number,
        method=str(request.get("method", "")).upper(),
        url=str(request.get("url", "")),
        headers=headers,
        body=body or b"",
        has_body=body is not None,
        status=int(status) if isinstance(status, int | float) and status > 0 else 0,
        answer_headers=answer_headers,
        content=_content(response, answer_headers),
        cut=any(_mapping(each).get(name) for each in (entry, response) for name in _ERRORS),
        started=_time(_mapping(entry).get("startedDateTime")),
        seconds=max(0.0, milliseconds) / 1000,
        arrivals=tuple(_arrivals(_mapping(entry).get(_ARRIVALS))),
    )


def _body(request: Mapping[str, Any], headers: Mapping[str, str]) -> bytes | None:
    """Return the body of a request, or None if the recording does not have all of it."""
    posted = _mapping(request.get("postData"))
    body, length = _text(posted), headers.get("content-length", "")
    sizes = [_number(request.get("bodySize", -1)), float(length) if length.isdecimal() else -1]
    if body:
        # Browsers cut a long body off, of which then no JSON is left.
        return None if 0 <= len(body) < sizes[1] and not _is_json(body) else body
    if max(sizes) > 0 or "transfer-encoding" in headers:
        return None
    if body is not None:
        return body
    described = posted or (max(sizes) < 0 and "content-type" in headers)
    return None if described else b""


def _content(response: Mapping[str, Any], headers: Mapping[str, str]) -> bytes | None:
    """Return the body of an answer, or None if the recording does not have it.

    Some browsers write an empty text in place of a body that they did not keep.
    """
    content = _mapping(response.get("content"))
    body, length = _text(content), headers.get("content-length", "")
    sizes = [_number(content.get("size", -1)), _number(response.get("bodySize", -1))]
    if body or (body is None and sizes[0] != 0):
        return body
    return None if max(sizes) > 0 or (length.isdecimal() and length.strip("0")) else b""


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (RecursionError, ValueError):
        return False
    return True


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
