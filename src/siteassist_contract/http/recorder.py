"""The transport of the suite, which records each request and its answer as bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from siteassist_contract.http.json_reader import read_json
from siteassist_contract.http.network import LARGEST_ANSWER, Network
from siteassist_contract.tolerance import CIRCUMSTANCES

_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_LONGEST_WAIT = 60.0
_RETRIES = 4
_MOST_REFUSED = 25
"""Maximum number of consecutive refusals with a status of `CIRCUMSTANCES`."""
LONGEST_ANSWER = 120.0
"""Maximum duration of an answer, in seconds."""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    operation: str
    """The ``operationId``."""
    credential: str
    """``first`` or ``second`` for a visitor's token, empty for none, or an invalid credential."""
    method: str
    target: str
    """The path and the query, without the base URL."""
    body: bytes
    content_type: str
    """The media type of the request; empty if it has no body."""
    status: int
    headers: Mapping[str, str] = field(repr=False)
    """The headers of the answer, with names in lower case."""
    content: bytes = field(repr=False)
    """The body of the answer."""
    seconds: float
    """Time from the first byte of the request to the last byte of the answer."""
    first: float
    """Time until the first byte of the answer's body; 0 if it is empty."""
    pieces: int
    """Number of chunks of the answer's body."""

    @property
    def media_type(self) -> str:
        """The media type of the answer, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The JSON of the answer in the documented spelling, or ``None`` if it is not JSON."""
        try:
            return read_json(self.content)
        except ValueError:
            return None

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object of the answer, or an empty one."""
        value = self.json
        return value if isinstance(value, dict) else {}

    @property
    def sent(self) -> Any:
        """The JSON of the request, or ``None`` if it is not JSON."""
        try:
            return json.loads(self.body)
        except (RecursionError, ValueError):
            return None


@dataclass(frozen=True)
class CallFacts:
    """Facts about a request, kept in the extensions of an `httpx.Request`."""

    operation: str
    """The ``operationId``."""
    credential: str = ""
    """See `Exchange.credential`."""
    token: str | None = field(default=None, repr=False)
    """The token, which the exchange does not contain."""
    base_path: str = ""
    """The path of the base URL."""


CALL = "siteassist_contract"
"""The name of `CallFacts` among the extensions of a request."""


class UnansweredError(BaseException):
    """A request without an answer; the message gives the reason.

    Not an `Exception`: hypothesis would treat it as a failure and try to minimise it.
    """

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(reason)
        self.operation = operation


class GoneError(BaseException):
    """A server that stopped answering, or asks for a long wait; see `UnansweredError`."""

    def __init__(self, reason: str, operation: str = "") -> None:
        super().__init__(reason)
        self.operation = operation
        """The ``operationId`` of the request without an answer; empty if it was answered."""


class Recorder(httpx.BaseTransport):
    """A transport that limits the rate of requests, retries after 429, and records exchanges."""

    def __init__(
        self,
        *,
        per_second: float | None = None,
        watch: Callable[[], None] = lambda: None,
        on_exchange: Callable[[Exchange, CallFacts], None] = lambda *_: None,
        base_url: str = "",
        network: Network | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send at most ``per_second`` requests per second.

        ``watch`` is called before each request, ``on_exchange`` after each answer.
        ``network`` is the way to the server at ``base_url``, unless there is a ``transport``.
        """
        network = network or Network()
        self._inner = transport or network.transport(base_url)
        self._headers = network.headers
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0
        self._watch = watch
        self._on_exchange = on_exchange
        self._refused = 0
        self._sleep = sleep
        self.history: list[Exchange] = []
        """The exchanges since the list was last cleared."""
        self.requests = 0
        self.answers = 0
        self.waited = 0.0
        """Total time of waits after 429, in seconds."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, retry it after 429, and record the exchange."""
        exchange = self._exchange(request)
        for _ in range(_RETRIES):
            wait = _wait_requested(exchange)
            if wait is None:
                break
            if wait > _LONGEST_WAIT:
                raise GoneError(f"the server asks to retry after {wait:.0f} s (429)")
            self.waited += wait
            self._sleep(wait)
            exchange = self._exchange(request)
        self._refused = self._refused + 1 if exchange.status in CIRCUMSTANCES else 0
        if self._refused >= _MOST_REFUSED:
            raise GoneError(f"the server refuses all requests, the last one with {exchange.status}")
        self.answers += 1
        self.history.append(exchange)
        self._on_exchange(exchange, _facts(request))
        # The body is already decoded, so these headers no longer describe it.
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
            raise GoneError(
                f"the server stopped answering: {error}", _facts(request).operation
            ) from None
        except httpx.RemoteProtocolError as error:
            if request.method != "GET":
                raise UnansweredError(_facts(request).operation, str(error)) from None
        except (httpx.HTTPError, OSError) as error:
            raise UnansweredError(_facts(request).operation, _reason(error, request)) from None
        # The server may have closed an idle connection; a GET can be repeated safely.
        try:
            return self._send(request, body)
        except httpx.ConnectError as error:
            raise GoneError(
                f"the server stopped answering: {error}", _facts(request).operation
            ) from None
        except (httpx.HTTPError, OSError) as error:
            raise UnansweredError(_facts(request).operation, _reason(error, request)) from None

    def _send(self, request: httpx.Request, body: bytes) -> Exchange:
        # Answers are judged as bytes, so they must not be compressed.
        request.headers["Accept-Encoding"] = "identity"
        for name, value in self._headers:
            request.headers[name] = value
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
                    raise UnansweredError(_facts(request).operation, "the answer does not end")
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


def _wait_requested(exchange: Exchange) -> float | None:
    """Return the seconds that the server asks to wait, or None."""
    if exchange.status != httpx.codes.TOO_MANY_REQUESTS:
        return None
    error = exchange.document.get("error")
    details = error.get("details") if isinstance(error, dict) else None
    wait = details.get("retryAfter") if isinstance(details, dict) else None
    header = exchange.headers.get("retry-after", "")
    if not isinstance(wait, int | float) and header.isascii() and header.isdigit():
        wait = int(header)
    if not isinstance(wait, int | float):
        return None
    # Avoid overflow: the caller gives up on far shorter waits.
    return float(min(max(wait, 0), 10**6))


def _reason(error: Exception, request: httpx.Request) -> str:
    if isinstance(error, httpx.TimeoutException):
        limit = request.extensions.get("timeout", {}).get("read")
        return f"no answer within {limit:.0f} s" if limit else "no answer in time"
    return f"the answer was cut off ({type(error).__name__})"
