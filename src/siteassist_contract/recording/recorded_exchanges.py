"""The exchanges of a recording with one server, in the terms of the checks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from siteassist_contract import description
from siteassist_contract.description import operations
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.recording import doubtful_requests, har
from siteassist_contract.recording.har import Entry
from siteassist_contract.verdict import CannotRunError
from siteassist_spec import base_path

_ROUNDED = 0.001
_WHOLE = 0.0005
"""Maximum part of a millisecond that is a fault of the arithmetic."""
_NOT_MODIFIED = 304
_CONDITIONS = {"if-none-match", "if-modified-since"}
_TOGETHER = -1
"""The group of exchanges whose order is not known, unlike the groups of a run."""


@dataclass(frozen=True)
class RecordedExchange(Exchange):
    """An exchange of a recording."""

    number: int = 0
    """The number of its entry in the file."""
    path: Mapping[str, str] = field(default_factory=dict)
    """The parameters in the path."""
    url: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    """The header ``Authorization``; empty without one."""
    accept: str = ""
    """The header ``Accept`` of the request; empty without one."""
    is_whole: bool = True
    """Whether the recording has the whole answer."""
    has_body: bool = True
    """Whether the recording has the whole body of the request."""
    is_doubtful: bool = False
    """Whether servers may read the request in different ways, or refuse its form."""

    @property
    def sent(self) -> Any:
        """The JSON of the request, or ``None`` if it is not known how the server reads it."""
        return super().sent if self.has_body and not self.is_doubtful else None

    @property
    def token(self) -> str:
        """The bearer token; empty without one."""
        scheme, _, token = self.authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def without_bodies(self) -> RecordedExchange:
        """Return the exchange without bodies and headers, which take memory in a long recording."""
        return replace(self, content=b"", body=b"", headers={})


@dataclass
class Survey:
    """The facts from a first reading of a recording."""

    base_url: str = ""
    """The base URL of the server."""
    entries: int = 0
    others: int = 0
    """The number of entries that are not requests of an operation of this server."""
    unanswered: int = 0
    """The number of requests without an answer, or with one that is cut or has no body."""
    bodiless: int = 0
    """The number of requests whose body is not in the recording."""
    has_credentials: bool = False
    """Whether any request has a credential; browsers remove them from exported recordings."""
    overlapping: set[int] = field(default_factory=set, repr=False)
    """The numbers of entries whose order among the others is not known."""


def survey(path: Path, base_url: str | None = None) -> Survey:
    """Read a recording once, and return the facts about it.

    Raises `CannotRunError` if it cannot be read, has no exchange of the API, or has those of
    several servers and ``base_url`` does not choose one.
    """
    found, servers = Survey(base_url or ""), Counter[str]()
    spans: dict[str, list[tuple[float | None, float, int]]] = {}
    for entry in har.read(path):
        found.entries += 1
        place = _place(entry, base_url)
        if place is None:
            found.others += 1
            continue
        servers[place[0]] += 1
        spans.setdefault(place[0], []).append((entry.started, entry.seconds, entry.number))
        found.has_credentials = found.has_credentials or "authorization" in entry.headers
        found.unanswered += not _is_whole(entry)
        found.bodiless += not entry.has_body
    if not servers:
        where = f" with {base_url}" if base_url else ""
        raise CannotRunError(f"the recording {path} has no exchange of the API{where}")
    if len(servers) > 1:
        shown = ", ".join(f"{url} ({count})" for url, count in servers.most_common())
        raise CannotRunError(
            f"the recording {path} has exchanges with several servers: {shown}; choose one with"
            " --base-url"
        )
    (found.base_url,) = servers
    found.overlapping = _overlapping(spans[found.base_url])
    return found


def exchanges(path: Path, known: Survey) -> Iterator[RecordedExchange]:
    """Yield the exchanges with the server of a survey, also those without a whole answer.

    Raises `CannotRunError` as `survey` does.
    """
    for entry in har.read(path):
        place = _place(entry, known.base_url)
        if place is not None:
            yield _exchange(entry, *place, together=entry.number in known.overlapping)


def _exchange(
    entry: Entry, base_url: str, operation: str, parameters: Mapping[str, str], *, together: bool
) -> RecordedExchange:
    parts = urlsplit(entry.url)
    target = parts.path.removeprefix(urlsplit(base_url).path)
    return RecordedExchange(
        operation=operation,
        credential="recorded" if "authorization" in entry.headers else "",
        method=entry.method,
        target=f"{target}?{parts.query}" if parts.query else target,
        body=entry.body,
        content_type=entry.headers.get("content-type", "") if entry.body else "",
        status=entry.status,
        headers=entry.answer_headers,
        content=entry.content or b"",
        seconds=entry.seconds,
        first=entry.arrivals[0][0] if entry.arrivals else 0.0,
        pieces=len(entry.arrivals),
        arrivals=entry.arrivals,
        together=_TOGETHER if together else 0,
        number=entry.number,
        path=parameters,
        url=entry.url,
        authorization=entry.headers.get("authorization", ""),
        lost=0 if _is_whole(entry) else 1,
        accept=entry.headers.get("accept", ""),
        is_whole=_is_whole(entry),
        has_body=entry.has_body,
        is_doubtful=doubtful_requests.is_doubtful(entry, operations()[operation]),
    )


def _is_whole(entry: Entry) -> bool:
    # The answer to a conditional request is in the cache of the client.
    is_cached = entry.status == _NOT_MODIFIED and not _CONDITIONS.isdisjoint(entry.headers)
    return entry.status > 0 and not entry.cut and entry.content is not None and not is_cached


def _place(entry: Entry, base_url: str | None) -> tuple[str, str, Mapping[str, str]] | None:
    """Return the base URL, the operation and the parameters in the path, or None."""
    try:
        parts = urlsplit(entry.url)
    except ValueError:
        return None
    for base in _bases(parts, base_url):
        path = parts.path.removeprefix(urlsplit(base).path)
        for method, pattern, operation in _routes():
            match = pattern.fullmatch(path)
            if match is not None and method == entry.method:
                names = {name: unquote(value) for name, value in match.groupdict().items()}
                return base, operation, names
    return None


def _bases(parts: SplitResult, chosen: str | None) -> Iterator[str]:
    """Yield the possible base URLs of an address: each beginning that ends with the version."""
    origin = f"{parts.scheme}://{parts.netloc}"
    if chosen is not None:
        if f"{origin}{parts.path}".startswith(f"{chosen}/"):
            yield chosen
        return
    version = base_path(description.document())
    for match in re.finditer(rf"{re.escape(version)}(?=/)", parts.path):
        yield origin + parts.path[: match.end()]


@cache
def _routes() -> Sequence[tuple[str, re.Pattern[str], str]]:
    """Return the method and the pattern of each operation; fixed paths come first."""
    routes = [
        (
            operation.method,
            re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(operation.path))),
            name,
        )
        for name, operation in operations().items()
    ]
    return sorted(routes, key=lambda route: route[1].groups)


def _overlapping(spans: Sequence[tuple[float | None, float, int]]) -> set[int]:
    """Return the numbers of entries that overlap with others, or are not in their order."""
    found: set[int] = set()
    known = [(started, started + length, number) for started, length, number in spans if started]
    latest = float("-inf")
    for started, _, number in known:
        if started < latest:
            found.add(number)
        latest = max(latest, started)
    end, last, begun = float("-inf"), 0, float("-inf")
    for started, ended, number in sorted(known):
        # Times in whole milliseconds hide an overlap of less than one.
        if _is_rounded(started) and _is_rounded(end):
            is_after = started > end
        else:
            is_after = started >= end - _ROUNDED and started > begun
        if not is_after:
            found |= {last, number}
        if ended >= end:
            end, last = ended, number
        begun = started
    return found


def _is_rounded(seconds: float) -> bool:
    """Whether a time has whole milliseconds only."""
    return isfinite(seconds) and abs(seconds * 1000 - round(seconds * 1000)) < _WHOLE
