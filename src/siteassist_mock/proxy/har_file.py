"""A HAR file that is whole after each entry, so that a killed proxy leaves a valid recording."""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from siteassist_mock.proxy.masks import Masks

if sys.platform != "win32":
    import fcntl

_HEAD = (
    '{"log": {"version": "1.2", "creator": {"name": "siteassist-mock", "version": "1"},'
    ' "entries": [\n'
)
_END = "\n]}}\n"
_EMPTY = (_HEAD + _END).encode()
"""A recording without exchanges, which may be begun again."""
_OTHER = "remove it, or give another name"
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_BUSY = "another proxy records in it; give another name"


@dataclass
class Traffic:
    """A request and its answer, as far as it was received."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    """The headers of the request."""
    body: bytes
    started: datetime
    status: int = 0
    answer_headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""
    """The body of the answer, unpacked."""
    seconds: float = 0.0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """The time since the request, in seconds, and the size of each piece of the answer."""
    error: str = ""
    """Why the answer was not received whole; empty if it was."""


class HarFile:
    """A recording. Only its owner can read it."""

    def __init__(self, path: Path, masks: Masks) -> None:
        """Begin an empty recording. Raises `OSError`, also for a file with anything in it."""
        self._file = _opened(path)
        self._masks = masks
        self._count = 0
        self._end = len(_HEAD)
        try:
            self._write((_HEAD + _END).encode())
        except OSError:
            self.close()
            raise

    def add(self, traffic: Traffic) -> None:
        """Add an entry. Raises `OSError`, and leaves the entries before."""
        text = ("" if not self._count else ",\n") + json.dumps(entry(traffic, self._masks))
        try:
            self._file.seek(self._end)
            self._write((text + _END).encode())
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._end)
                self._file.seek(self._end)
                self._write(_END.encode())
            raise
        self._end += len(text.encode())
        self._count += 1

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) :]


def _opened(path: Path) -> FileIO:
    """Return an empty file, which no other proxy can write until it is closed."""
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    # Without a buffer, which would keep the data that a full disk refuses.
    file = FileIO(descriptor, "r+")
    try:
        _take(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _take(file: FileIO, path: Path) -> None:
    """Lock a file and empty it, if it has no exchanges and is the user's alone."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EBUSY, _BUSY, str(path)) from None
        known = os.fstat(file.fileno())
        if known.st_nlink > 1 or known.st_uid != os.geteuid():
            reason = f"the file has another owner or another name as well; {_OTHER}"
            raise FileExistsError(errno.EEXIST, reason, str(path))
        os.fchmod(file.fileno(), 0o600)
    if file.read(len(_EMPTY) + 1) not in (b"", _EMPTY):
        raise FileExistsError(errno.EEXIST, f"the file is not empty; {_OTHER}", str(path))
    file.seek(0)
    file.truncate()


def entry(traffic: Traffic, masks: Masks) -> dict[str, Any]:
    """Return an entry of the format, without credentials."""
    headers = {name.lower(): value for name, value in traffic.headers}
    both = (*traffic.headers, *traffic.answer_headers)
    masks.learn(traffic.url, both, traffic.body, traffic.content)
    url = masks.text(traffic.url)
    answered = {name.lower(): value for name, value in traffic.answer_headers}
    milliseconds = round(traffic.seconds * 1000, 3)
    first = traffic.arrivals[0][0] * 1000 if traffic.arrivals else milliseconds
    request: dict[str, Any] = {
        "method": traffic.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(traffic.headers, masks),
        "queryString": _named(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        "headersSize": -1,
        "bodySize": len(traffic.body),
    }
    if traffic.body:
        request["postData"] = {
            "mimeType": headers.get("content-type", ""),
            "params": [],
            **_text(traffic.body, headers, masks),
        }
    found: dict[str, Any] = {
        "startedDateTime": traffic.started.isoformat(timespec="microseconds"),
        "time": milliseconds,
        "request": request,
        "response": {
            "status": traffic.status,
            "statusText": _phrase(traffic.status),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(traffic.answer_headers, masks),
            "content": {
                "size": len(traffic.content),
                "mimeType": answered.get("content-type", "x-unknown"),
                **_text(traffic.content, {} if not traffic.error else answered, masks),
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": first, "receive": max(0.0, milliseconds - first)},
        "_arrivals": [[round(at * 1000, 3), size] for at, size in traffic.arrivals],
    }
    if traffic.error:
        found["_error"] = masks.text(traffic.error)
    return found


def _pairs(headers: Iterable[tuple[str, str]], masks: Masks) -> list[Mapping[str, str]]:
    return _named((name, masks.header(name, value)) for name, value in headers)


def _named(pairs: Iterable[tuple[str, str]]) -> list[Mapping[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _text(body: bytes, headers: Mapping[str, str], masks: Masks) -> dict[str, str]:
    """Return a body as text, or as Base64 if it is not UTF-8.

    Credentials cannot be masked in a body that is packed or has parts: it is left out.
    """
    media = headers.get("content-type", "").strip().lower()
    packed = headers.get("content-encoding", "identity").strip().lower() != "identity"
    if body and (packed or media.startswith("multipart/")):
        return {"text": "", "comment": "left out, since it may have credentials"}
    try:
        return {"text": masks.text(body.decode())}
    except UnicodeDecodeError:
        shown = masks.text(body.decode("latin-1")).encode("latin-1", "replace")
        return {"text": base64.b64encode(shown).decode(), "encoding": "base64"}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
