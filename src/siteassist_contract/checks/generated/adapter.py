"""The transport of the engine, on requests, which goes the same way as the other layers.

Each session that schemathesis opens gets it, those of its logins and checks included. The
settings that requests itself would read from the environment are ignored. Lost and refused
requests are sent again as in the other layers (`siteassist_contract.http.patience`).
"""

from __future__ import annotations

import functools
import http.client
import io
import json
import re
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from schemathesis.core.errors import AuthenticationError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    DecodeError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from siteassist_contract.description import operations
from siteassist_contract.http.network import LARGEST_ANSWER
from siteassist_contract.http.patience import (
    LONGEST_ANSWER,
    RESTART,
    TRIES,
    Patience,
    Refusal,
    Waits,
)
from siteassist_contract.http.spending import WITHHELD, Spending

ENDLESS = "the answer does not end"
_PIECE = 64 * 1024
_INTERIM = range(102, 200)
"""The statuses of interim answers; 101 ends HTTP, and http.client itself skips 100."""
_LOOK = 0.25
"""Time, in seconds, between two looks at the deadlines of connections."""
_patience = Patience()


@dataclass
class Repeats:
    """The requests that were sent again since the last report."""

    lost: int = 0
    refused: list[requests.Response] | None = None

    def take(self) -> tuple[int, list[requests.Response]]:
        """Return the number of losses and the refusals, and forget them."""
        lost, refused = self.lost, self.refused or []
        self.lost, self.refused = 0, None
        return lost, refused


repeats = Repeats()
spending = Spending()
"""The answers of the assistant to generated requests."""
HEADER_OF_WITHHELD = "x-siteassist-contract-withheld"
"""A header of answers that no server has sent."""


def install(way: Mapping[str, Any]) -> None:
    """Make each new session use `NetworkAdapter` with the way that `describe` returned."""
    spending.limit = way.get("answers")
    if not way["verify"]:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    # A session creates its adapters by this name, which is the only access to all sessions.
    requests.sessions.HTTPAdapter = functools.partial(  # type: ignore[attr-defined,assignment]  # as above
        NetworkAdapter, way
    )


class NetworkAdapter(HTTPAdapter):
    """An adapter with fixed headers, certificates and proxies, and with limits of answers."""

    def __init__(self, way: Mapping[str, Any]) -> None:
        """Use the headers, the certificates (``verify``) and the ``proxies`` of ``way``."""
        super().__init__()
        self._way = way
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request until it is answered; the certificates and proxies are the way's."""
        request.headers.update(self._way["headers"])
        _require_token(request)
        options |= {"verify": self._way["verify"], "proxies": self._way["proxies"]}
        operation = operation_of(request, self._way["base_path"])
        with spending.allowed(operation, _bytes(request.body)) as allowed:
            if not allowed:
                return self._withheld(request)
            return self._patient(operation, request, *args, **options)

    def _patient(
        self, operation: str, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request again while it is refused for passing reasons."""
        waits = Waits()
        while True:
            response = self._answered(request, *args, **options)
            spending.count(operation, response.status_code)
            headers = {name.lower(): value for name, value in response.headers.items()}
            # Reading the content would leave nothing for the reader of event streams.
            passing = response.status_code in _patience.statuses
            content = response.content if passing else b""
            refusal = Refusal(response.status_code, headers, content)
            wait = _patience.wait(operation, waits, refusal)
            if wait is None:
                return response
            repeats.refused = [*(repeats.refused or ()), response]
            time.sleep(wait)

    def _withheld(self, request: requests.PreparedRequest) -> requests.Response:
        """Return the refusal of a request that is not sent."""
        error = {"error": {"message": "The limit of --max-messages was reached"}}
        answer = urllib3.HTTPResponse(
            body=io.BytesIO(json.dumps(error).encode()),
            headers={"Content-Type": "application/json", HEADER_OF_WITHHELD: "true"},
            status=WITHHELD,
            preload_content=False,
        )
        return self.build_response(request, answer)

    def _answered(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request until it was lost `TRIES` times in a row, or the server is gone."""
        lost, restarts = 0, list(RESTART)
        while True:
            began = time.monotonic()
            try:
                return self._whole(super().send(request, *args, **options), began)
            except requests.RequestException as error:
                if time.monotonic() - began >= LONGEST_ANSWER:
                    raise requests.ReadTimeout(ENDLESS, request=request) from error
                if _is_refused_connection(error) and restarts:
                    time.sleep(restarts.pop(0))
                elif is_lost(error) and lost < TRIES - 1:
                    lost += 1
                    repeats.lost += 1
                else:
                    raise

    def _whole(self, response: requests.Response, began: float) -> requests.Response:
        """Read an answer, and return it so that it can be read again without the server."""
        raw = response.raw
        try:
            content = _read(raw, began)
        except ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(
                error, request=response.request
            ) from error
        except DecodeError as error:
            raise requests.exceptions.ContentDecodingError(
                error, request=response.request
            ) from error
        except ReadTimeoutError as error:
            raise requests.ReadTimeout(error, request=response.request) from error
        raw.release_conn()
        headers = raw.headers.copy()
        # The content is already decoded.
        headers.pop("content-encoding", None)
        again = urllib3.HTTPResponse(
            body=io.BytesIO(content),
            headers=headers,
            status=raw.status,
            version=raw.version,
            reason=raw.reason,
            preload_content=False,
            enforce_content_length=False,
        )
        whole = self.build_response(response.request, again)
        # As in the other layers; schemathesis would fail at a charset that does not exist.
        whole.encoding = "utf-8"
        return whole


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _require_token(request: requests.PreparedRequest) -> None:
    """Raise `AuthenticationError` for a token that the server sent and that cannot be sent back."""
    authorization = request.headers.get("Authorization") or ""
    if isinstance(authorization, str) and not authorization.isascii():
        raise AuthenticationError("adapter", "send", "no header can contain its token")


def _read(raw: urllib3.BaseHTTPResponse, began: float) -> bytes:
    content = bytearray()
    try:
        # Unlike `read`, `read1` returns the bytes that have arrived, so that the time is checked.
        while piece := raw.read1(_PIECE, decode_content=True):
            content += piece
            _require_end(began, len(content))
        # http.client takes a connection that was shut down for the end of the headers.
        _require_end(began, len(content))
    except Exception:
        raw.close()
        # schemathesis keeps each error, with this frame in its traceback.
        content.clear()
        raise
    return bytes(content)


def _require_end(began: float, size: int) -> None:
    if size > LARGEST_ANSWER or time.monotonic() - began > LONGEST_ANSWER:
        raise ProtocolError(ENDLESS)


def operation_of(request: requests.PreparedRequest, base_path: str) -> str:
    """Return the ``operationId`` of a request, or an empty string."""
    path = urlsplit(str(request.url)).path.removeprefix(base_path)
    for name, operation in operations().items():
        if operation.method == request.method and _pattern(operation.path).fullmatch(path):
            return name
    return ""


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)))


def is_lost(error: requests.RequestException) -> bool:
    """Whether a request failed because its connection was closed or reset.

    Neither a timeout nor an answer that is not HTTP counts.
    """
    reason = error.args[0] if error.args else None
    if not isinstance(reason, ProtocolError):
        return False
    cause = reason.args[1] if len(reason.args) > 1 else None
    # http.client does not distinguish an invalid size of a chunk from a missing one.
    return isinstance(cause, ConnectionError | http.client.IncompleteRead)


def _is_refused_connection(error: requests.RequestException) -> bool:
    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


class _Watcher:
    """A thread that shuts down connections whose exchange takes too long.

    The timeouts of sockets start again with each byte that arrives.
    """

    def __init__(self) -> None:
        self._ends: weakref.WeakKeyDictionary[HTTPConnection, float] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, connection: HTTPConnection) -> None:
        """Limit the exchange that begins now on a connection."""
        with self._lock:
            # An idle connection may be shut down as well: the pool opens another one instead.
            self._ends[connection] = time.monotonic() + LONGEST_ANSWER
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK)
            now = time.monotonic()
            with self._lock:
                late = [each for each, end in self._ends.items() if end <= now]
                for connection in late:
                    del self._ends[connection]
            for connection in late:
                opened = connection.sock
                if opened is not None:
                    with suppress(OSError):
                        opened.shutdown(socket.SHUT_RDWR)


_watcher = _Watcher()


class _FinalAnswer(http.client.HTTPResponse):
    """An answer without the interim ones before it, of which http.client only skips 100."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # has no type
            if line[1] not in _INTERIM:
                return line
            http.client.parse_headers(self.fp)


class _WatchedConnection(HTTPConnection):
    response_class = _FinalAnswer

    def putrequest(self, *args: Any, **options: Any) -> None:
        """Begin a request, and its time."""
        _watcher.begin(self)
        super().putrequest(*args, **options)


class _WatchedTlsConnection(HTTPSConnection):
    response_class = _FinalAnswer

    def putrequest(self, *args: Any, **options: Any) -> None:
        """Begin a request, and its time."""
        _watcher.begin(self)
        super().putrequest(*args, **options)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _WatchedConnection  # pyright: ignore[reportAssignmentType]  # as in urllib3


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection  # pyright: ignore[reportAssignmentType]  # as in urllib3


_POOLS = {"http": _Pool, "https": _TlsPool}
