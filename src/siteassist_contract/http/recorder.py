"""The transport of the suite: it keeps each request and its answer, byte by byte."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from siteassist_contract.http.json_reader import read_json
from siteassist_contract.tolerance import CIRCUMSTANCES

_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_LONGEST_WAIT = 60.0
_RETRIES = 4
_IN_VAIN = 25
"""How many requests in a row may be refused for reasons that lie outside of them."""
LONGEST_ANSWER = 120.0
"""How long, in seconds, an answer may go on; one piece of it has less time."""
LARGEST_ANSWER = 64 * 2**20
"""How large, in bytes, an answer may be."""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    operation: str
    """The ``operationId``."""
    credential: str
    """Who asked: ``first`` or ``second`` for a visitor, empty for nobody, else a bad credential."""
    method: str
    target: str
    """Path and query, after the base URL."""
    body: bytes
    content_type: str
    """Of the request; empty if it has none."""
    status: int
    headers: Mapping[str, str] = field(repr=False)
    """The answer's, names in small letters."""
    content: bytes = field(repr=False)
    """The answer's body."""
    seconds: float
    """How long it took from the first byte that was sent to the last one that came."""
    first: float
    """When the first byte of the answer's body came; 0 if there was none."""
    pieces: int
    """In how many pieces the body came."""

    @property
    def media_type(self) -> str:
        """The answer's media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The answer's body in the documented spelling, if it is JSON; else ``None``."""
        try:
            return read_json(self.content)
        except ValueError:
            return None

    @property
    def document(self) -> dict[str, Any]:
        """The answer's body, if it is a JSON object; else an empty one."""
        value = self.json
        return value if isinstance(value, dict) else {}

    @property
    def sent(self) -> Any:
        """The request's body, if it is JSON; else ``None``."""
        try:
            return json.loads(self.body)
        except (RecursionError, ValueError):
            return None


@dataclass(frozen=True)
class CallFacts:
    """What a request is for; travels in the extensions of an `httpx.Request`."""

    operation: str
    """The ``operationId``."""
    credential: str = ""
    """Who asks: see `Exchange.credential`."""
    token: str | None = field(default=None, repr=False)
    """The token of whoever asks, which is not kept with the exchange."""
    base_path: str = ""
    """The path of the base URL."""


CALL = "siteassist_contract"
"""The name of `CallFacts` among the extensions of a request."""


class UnansweredError(BaseException):
    """A request got no answer; the message says how it ended.

    Not an `Exception`: hypothesis would take it for a finding, and try again and again.
    """

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(reason)
        self.operation = operation


class GoneError(BaseException):
    """The server is not there any more, or says to come back much later; see `UnansweredError`."""

    def __init__(self, reason: str, operation: str = "") -> None:
        super().__init__(reason)
        self.operation = operation
        """The ``operationId`` of the request that got no answer; empty if there was one."""


class Recorder(httpx.BaseTransport):
    """The way to the server: paces requests, waits when it is told to, keeps what went over it."""

    def __init__(  # noqa: PLR0913  # each has a default
        self,
        *,
        per_second: float | None = None,
        watch: Callable[[], None] = lambda: None,
        on_exchange: Callable[[Exchange, CallFacts], None] = lambda *_: None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send at most ``per_second`` requests.

        ``watch`` is called before each one, ``on_exchange`` with each answer.
        """
        self._inner = transport or httpx.HTTPTransport(proxy=proxy)
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0
        self._watch = watch
        self._on_exchange = on_exchange
        self._in_vain = 0
        self._sleep = sleep
        self.history: list[Exchange] = []
        """What went over the wire since somebody emptied the list."""
        self.requests = 0
        self.answers = 0
        self.waited = 0.0
        """How many seconds the server told us to wait, in all."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, again if the server says later, and keep what came."""
        exchange = self._exchange(request)
        for _ in range(_RETRIES):
            wait = _told_to_wait(exchange)
            if wait is None:
                break
            if wait > _LONGEST_WAIT:
                raise GoneError(f"the server says to come back in {wait:.0f} s (429)")
            self.waited += wait
            self._sleep(wait)
            exchange = self._exchange(request)
        self._in_vain = self._in_vain + 1 if exchange.status in CIRCUMSTANCES else 0
        if self._in_vain >= _IN_VAIN:
            raise GoneError(f"the server refuses everything, the last time with {exchange.status}")
        self.answers += 1
        self.history.append(exchange)
        self._on_exchange(exchange, _facts(request))
        # The body is here as it came, whatever its headers say of it.
        headers = {n: v for n, v in exchange.headers.items() if n not in _OF_THE_BODY}
        return httpx.Response(exchange.status, headers=headers, content=exchange.content)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _exchange(self, request: httpx.Request) -> Exchange:
        self._watch()
        now = time.monotonic()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._gap
        self.requests += 1
        body = request.read()
        try:
            return self._send(request, body)
        except httpx.ConnectError as error:
            raise GoneError(f"the server went away: {error}", _facts(request).operation) from None
        except httpx.RemoteProtocolError as error:
            if request.method != "GET":
                raise UnansweredError(_facts(request).operation, str(error)) from None
        except (httpx.HTTPError, OSError) as error:
            raise UnansweredError(_facts(request).operation, _reason(error, request)) from None
        # A connection that had been idle may be closed at any time; reading again does no harm.
        try:
            return self._send(request, body)
        except httpx.ConnectError as error:
            raise GoneError(f"the server went away: {error}", _facts(request).operation) from None
        except (httpx.HTTPError, OSError) as error:
            raise UnansweredError(_facts(request).operation, _reason(error, request)) from None

    def _send(self, request: httpx.Request, body: bytes) -> Exchange:
        # What comes has to be looked at as it is.
        request.headers["Accept-Encoding"] = "identity"
        started = time.monotonic()
        response = self._inner.handle_request(request)
        first, pieces, size, chunks = 0.0, 0, 0, []
        try:
            for chunk in response.stream:  # type: ignore[union-attr]  # blocking, since the transport is
                if chunk:
                    first = first or time.monotonic() - started
                    pieces += 1
                    size += len(chunk)
                    chunks.append(chunk)
                if time.monotonic() - started > LONGEST_ANSWER or size > LARGEST_ANSWER:
                    raise UnansweredError(
                        _facts(request).operation, "the answer does not come to an end"
                    )
        finally:
            response.close()
        target = request.url.raw_path.decode("ascii")
        facts = _facts(request)
        return Exchange(
            operation=facts.operation,
            credential=facts.credential,
            method=request.method,
            target=target.removeprefix(facts.base_path),
            body=body,
            content_type=request.headers.get("Content-Type", "") if body else "",
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            content=b"".join(chunks),
            seconds=time.monotonic() - started,
            first=first,
            pieces=pieces,
        )


def _facts(request: httpx.Request) -> CallFacts:
    facts: CallFacts = request.extensions[CALL]
    return facts


def proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment names for an address, as other programs use it."""
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _told_to_wait(exchange: Exchange) -> float | None:
    """Return how many seconds the server says to wait, if it does."""
    if exchange.status != httpx.codes.TOO_MANY_REQUESTS:
        return None
    error = exchange.document.get("error")
    details = error.get("details") if isinstance(error, dict) else None
    told = details.get("retryAfter") if isinstance(details, dict) else None
    header = exchange.headers.get("retry-after", "")
    if not isinstance(told, int | float) and header.isascii() and header.isdigit():
        told = int(header)
    if not isinstance(told, int | float):
        return None
    # More than anybody waits is the same as ever so much more.
    return float(min(max(told, 0), 10**6))


def _reason(error: Exception, request: httpx.Request) -> str:
    if isinstance(error, httpx.TimeoutException):
        limit = request.extensions.get("timeout", {}).get("read")
        return f"no answer within {limit:.0f} s" if limit else "no answer in time"
    return f"the answer was cut off ({type(error).__name__})"
