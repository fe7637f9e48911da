"""The transport of the suite, which records each request and its answer as bytes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from siteassist_contract.description import all_operations
from siteassist_contract.http.deadline import Deadline
from siteassist_contract.http.framing import FRAMING, ContinueTimeout, read_timeout
from siteassist_contract.http.json_reader import read_json
from siteassist_contract.http.network import LARGEST_ANSWER, Network
from siteassist_contract.http.patience import (
    LONGEST_ANSWER,
    PASSING,
    RESTART,
    TRIES,
    UNCERTAIN,
    Patience,
    Refusal,
    Waits,
)
from siteassist_contract.http.spending import WITHHELD, Spending
from siteassist_contract.http.upgrade import UPGRADE, Upgrade
from siteassist_contract.tolerance import CIRCUMSTANCES

SUCCESS, CLIENT_ERRORS = range(200, 300), range(400, 500)
"""The statuses of accepted requests, and of refusals."""
_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_CLOSED = ("Server disconnected", "peer closed connection")
"""The beginnings of the messages about a connection that was closed before the answer's end."""
ENDLESS = "the answer does not end"
NO_ANSWER = 0
"""The status of an exchange whose request got no answer."""


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
    lost: int = 0
    """Number of times that the request was lost with its connection before."""
    refusals: tuple[Exchange, ...] = field(default=(), repr=False)
    """The answers that refused the request for passing reasons before it was sent again."""
    arrivals: tuple[tuple[float, int], ...] = field(default=(), repr=False, compare=False)
    """The time, as in `first`, and the number of bytes of each chunk of the answer's body."""
    together: int = 0
    """The number of the group of requests that were sent at the same time; 0 for a single one."""
    compared: bool = False
    """Whether a violation compares the answer with that of the last exchange."""
    sent_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The headers that the check has chosen, without the credential and the media type."""
    version: str = ""
    """The version of HTTP of the answer, such as ``HTTP/1.0``; empty if it is unknown."""
    withheld: bool = False
    """Whether the request was not sent because of the limit of `Spending`."""

    @property
    def is_of_method(self) -> bool:
        """Whether the request has the method of its operation, unlike a preflight."""
        known = all_operations().get(self.operation)
        return known is None or known.method == self.method

    @property
    def refused(self) -> bool:
        """Whether the server refused the request for reasons outside the request."""
        return self.status in CIRCUMSTANCES

    @property
    def repeats(self) -> int:
        """Number of times that the server may have carried out the request unanswered.

        An answer to a request that is not refused counts for one more.
        """
        answers = (*self.refusals, self)
        lost = sum(each.lost for each in answers)
        return lost + sum(each.status in UNCERTAIN for each in answers)

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
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """See `Exchange.sent_headers`."""


CALL = "siteassist_contract"
"""The name of `CallFacts` among the extensions of a request."""


class UnansweredError(BaseException):
    """A request without an answer; the message gives the reason.

    Not an `Exception`: hypothesis would treat it as a failure and try to minimise it.
    """

    def __init__(self, operation: str, reason: str, exchange: Exchange | None = None) -> None:
        super().__init__(reason)
        self.operation = operation
        self.exchange = exchange
        """The request, with the part of its answer that arrived; see `NO_ANSWER`."""


class _EndlessError(httpx.HTTPError):
    """An answer that is too long, in bytes or in time."""


class GoneError(BaseException):
    """A server that stopped answering; see `UnansweredError`."""

    def __init__(self, reason: str, operation: str = "", exchange: Exchange | None = None) -> None:
        super().__init__(reason)
        self.operation = operation
        """The ``operationId`` of the request without an answer; empty if it was answered."""
        self.exchange = exchange
        """The request without an answer; None if it was answered."""


class TimeUpError(BaseException):
    """The expiry of the time of a run; see `UnansweredError`."""


class Recorder(httpx.BaseTransport):
    """A transport that limits the rate of requests, sends some again, and records exchanges."""

    def __init__(
        self,
        *,
        per_second: float | None = None,
        watch: Callable[[], None] = lambda: None,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        on_exchange: Callable[[Exchange, CallFacts], None] = lambda *_: None,
        base_url: str = "",
        network: Network | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        waits_for: tuple[int, ...] = PASSING,
        spending: Spending | None = None,
    ) -> None:
        """Send at most ``per_second`` requests per second, within the limit of ``spending``.

        Refusals with a status in ``waits_for`` are waited for.

        ``watch`` is called before each request, ``on_exchange`` after each answer. Every wait, also
        the one for an answer, is a block of ``waiting``.
        ``network`` is the way to the server at ``base_url``, unless there is a ``transport``.
        """
        self._network = network = network or Network()
        self._base_url = base_url
        self._transport = transport
        self._owns_transport = True
        self._deadline = Deadline()
        self._inner = transport or network.transport(base_url, deadline=self._deadline)
        # A given transport has its own way of writing requests.
        self._framed = transport or network.framed_transport(self._deadline)
        self._headers = network.headers
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0
        self._watch = watch
        self.waiting = waiting
        self._on_exchange = on_exchange
        self._patience = Patience(waits_for)
        self._sleep = sleep
        self.spending = spending or Spending()
        self.until = math.inf
        """The time of `time.monotonic` after which no request, wait or answer goes on."""
        self.history: list[Exchange] = []
        """The exchanges since the list was last cleared."""
        self.requests = 0
        self.answers = 0
        self.lost = 0
        """Number of requests that were lost with their connection, and sent again."""
        self.waited = 0.0
        """Total time of waits after refusals, in seconds."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, again if it is lost or refused by circumstances; record the exchange.

        Raises `TimeUpError` at `until`, `UnansweredError` for a request without an answer, and
        `GoneError` for a server that accepts no connection.
        """
        facts = _facts(request)
        with self._allowed(request, facts) as allowed:
            if allowed:
                return self._patient(request, facts)
        exchange = _recorded(request, httpx.Response(WITHHELD))
        self.history.append(replace(exchange, withheld=True))
        return httpx.Response(WITHHELD)

    def _patient(self, request: httpx.Request, facts: CallFacts) -> httpx.Response:
        """Send a request again while it is refused for passing reasons."""
        waits = Waits()
        refusals: list[Exchange] = []
        while True:
            exchange = self._exchange(request)
            refusal = Refusal(exchange.status, exchange.headers, exchange.content)
            wait = self._patience.wait(facts.operation, waits, refusal)
            if wait is None:
                break
            if exchange.status in UNCERTAIN and time.monotonic() + wait >= self.until:
                break  # other requests may be answered at once
            refusals.append(exchange)
            self._pause(wait)
            self.waited += wait
        exchange = replace(exchange, refusals=tuple(refusals))
        self.answers += 1
        self.history.append(exchange)
        self._on_exchange(exchange, facts)
        # The body is already decoded, so these headers no longer describe it.
        passed = {n: v for n, v in exchange.headers.items() if n not in _OF_THE_BODY}
        # A server may send any bytes; httpx encodes ASCII only by itself.
        headers = httpx.Headers(passed, encoding="utf-8")
        return httpx.Response(exchange.status, headers=headers, content=exchange.content)

    def branch(
        self,
        on_exchange: Callable[[Exchange, CallFacts], None],
        watch: Callable[[], None] = lambda: None,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Recorder:
        """Return a recorder for another thread, with connections and a history of its own.

        It limits no rate, and shares the limit of answers. `adopt` adds its exchanges to this
        recorder.
        """
        branch = Recorder(
            base_url=self._base_url,
            network=self._network,
            transport=self._transport,
            watch=watch,
            waiting=waiting,
            on_exchange=on_exchange,
            sleep=self._sleep,
            waits_for=self._patience.statuses,
            spending=self.spending,
        )
        branch.until = self.until
        branch._owns_transport = self._transport is None
        return branch

    def upgrade(self) -> Upgrade:
        """Return the transport of one handshake, over a connection of its own."""
        deadline = Deadline()
        inner = self._transport or self._network.transport(self._base_url, deadline=deadline)
        return Upgrade(inner, deadline, owned=self._transport is None)

    def adopt(self, branch: Recorder, recorded: Iterable[tuple[Exchange, CallFacts]]) -> None:
        """Add the requests of another recorder, and these exchanges of it."""
        for name in ("requests", "answers", "lost", "waited"):
            setattr(self, name, getattr(self, name) + getattr(branch, name))
            setattr(branch, name, 0)
        for exchange, facts in recorded:
            self.history.append(exchange)
            self._on_exchange(exchange, facts)

    def rest(self, seconds: float) -> None:
        """Send nothing for some seconds, in which the clock of the server moves."""
        with self.waiting():
            time.sleep(seconds)

    def close(self) -> None:
        """Close the connections, unless they belong to another recorder."""
        if self._owns_transport:
            self._inner.close()
            if self._framed is not self._inner:
                self._framed.close()

    def _allowed(self, request: httpx.Request, facts: CallFacts) -> AbstractContextManager[bool]:
        """Return whether a request may be sent; without its token, it costs nothing."""
        if request.headers.get("Authorization") != f"Bearer {facts.token}":
            return nullcontext(True)
        return self.spending.allowed(facts.operation, request.read())

    def _exchange(self, request: httpx.Request) -> Exchange:
        """Send a request until it is answered, or until it was lost `TRIES` times in a row."""
        operation = _facts(request).operation
        request.read()
        lost, waits = 0, list(RESTART)
        while True:
            self._begin()
            arrived: list[Exchange] = []
            try:
                with self.waiting():
                    exchange = self._send(request, arrived)
            except httpx.ConnectError as error:
                if not waits:
                    reason = f"the server stopped answering: {error}"
                    raise GoneError(reason, operation, _last(arrived, request)) from None
                self._pause(waits.pop(0))
            except (httpx.HTTPError, OSError) as error:
                if time.monotonic() >= self.until:
                    raise TimeUpError from None
                # The server may have carried the request out, unless it did not get the body.
                number = 0 if isinstance(error, ContinueTimeout) else 1
                self.spending.count(operation, 0, number)
                reason = _reason(error, request)
                if not is_lost(error):
                    raise UnansweredError(operation, reason, _last(arrived, request)) from None
                lost += 1
                if lost == TRIES:
                    reason = f"{reason}, {TRIES} times in a row"
                    raise UnansweredError(operation, reason, _last(arrived, request)) from None
                self.lost += 1
            else:
                if exchange.is_of_method:
                    self.spending.count(operation, exchange.status)
                return replace(exchange, lost=lost)

    def _begin(self) -> None:
        """Wait for the turn of the next request."""
        self._watch()
        now = time.monotonic()
        self._pause(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._gap
        self.requests += 1

    def _pause(self, seconds: float) -> None:
        """Wait some seconds; raise `TimeUpError` if `until` comes first."""
        if time.monotonic() + seconds >= self.until:
            raise TimeUpError
        if seconds:
            with self.waiting():
                self._sleep(seconds)

    def _send(self, request: httpx.Request, arrived: list[Exchange]) -> Exchange:
        """Send a request once.

        The exchange is added to ``arrived`` as well, also if its answer breaks off.
        """
        # Answers are judged as bytes, so they must not be compressed.
        request.headers["Accept-Encoding"] = "identity"
        for name, value in self._headers:
            request.headers[name] = value
        started = time.monotonic()
        ends = min(started + LONGEST_ANSWER, self.until)
        transport, deadline = self._way(request)
        deadline.start(ends - started)
        try:
            response = transport.handle_request(request)
        except httpx.TimeoutException:
            self._require_time(ends)
            raise
        size, chunks, arrivals = 0, list[bytes](), list[tuple[float, int]]()
        try:
            for chunk in response.stream:  # type: ignore[union-attr]  # blocking, since the transport is
                if chunk:
                    arrivals.append((time.monotonic() - started, len(chunk)))
                    size += len(chunk)
                    chunks.append(chunk)
                self._require_time(ends)
                if size > LARGEST_ANSWER:
                    raise _EndlessError(ENDLESS)
        except httpx.TimeoutException:
            self._require_time(ends)
            raise
        finally:
            arrived.append(
                replace(
                    _recorded(request, response),
                    content=b"".join(chunks),
                    seconds=time.monotonic() - started,
                    first=arrivals[0][0] if arrivals else 0.0,
                    pieces=len(arrivals),
                    arrivals=tuple(arrivals),
                )
            )
            response.close()
        return arrived[-1]

    def _way(self, request: httpx.Request) -> tuple[httpx.BaseTransport, Deadline]:
        """Return the transport of a request, and the deadline of its connections."""
        upgrade: Upgrade | None = request.extensions.get(UPGRADE)
        if upgrade is not None:
            return upgrade, upgrade.deadline
        return self._framed if FRAMING in request.extensions else self._inner, self._deadline

    def _require_time(self, ends: float) -> None:
        """Raise the error of an exchange that is not over at ``ends``."""
        if time.monotonic() < ends:
            return
        if ends == self.until:
            raise TimeUpError
        raise _EndlessError(ENDLESS)


def is_lost(error: Exception) -> bool:
    """Whether a request failed because its connection was closed or reset.

    Neither a timeout nor an answer that is not HTTP counts.
    """
    if isinstance(error, httpx.RemoteProtocolError):
        # The same class reports invalid HTTP; only the words of httpcore and h11 differ.
        return str(error).startswith(_CLOSED)
    return isinstance(error, httpx.NetworkError | ConnectionError)


def _last(arrived: list[Exchange], request: httpx.Request) -> Exchange:
    """Return the exchange whose answer broke off, or that of a request without an answer."""
    return arrived[-1] if arrived else _recorded(request, httpx.Response(NO_ANSWER))


def _recorded(request: httpx.Request, response: httpx.Response) -> Exchange:
    """Return an exchange without the body of its answer."""
    facts, body = _facts(request), request.read()
    target = request.url.raw_path.decode("ascii")
    return Exchange(
        operation=facts.operation,
        credential=facts.credential,
        method=request.method,
        target=target.removeprefix(facts.base_path),
        body=body,
        content_type=request.headers.get("Content-Type", "") if body else "",
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        content=b"",
        seconds=0.0,
        first=0.0,
        pieces=0,
        sent_headers=facts.headers,
        version=response.extensions.get("http_version", b"").decode("ascii", "replace"),
    )


def _facts(request: httpx.Request) -> CallFacts:
    facts: CallFacts = request.extensions[CALL]
    return facts


def _reason(error: Exception, request: httpx.Request) -> str:
    if isinstance(error, _EndlessError | ContinueTimeout):
        return str(error)
    if isinstance(error, httpx.TimeoutException):
        limit = read_timeout(request)
        return f"no answer within {limit:.0f} s" if limit else "no answer in time"
    if isinstance(error, httpx.RemoteProtocolError) and not is_lost(error):
        return f"the answer is not valid HTTP: {error}"
    return f"the answer was cut off ({type(error).__name__})"
