"""Calls that block until they are answered."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from .calls import BaseCaller, Call, Vocabulary
from .operation import Operation
from .pages import Pages
from .settings import Settings, seconds
from .stream import Stream, StreamFormat
from .unset import UNSET, Unset

ResultT = TypeVar("ResultT")


class Caller(BaseCaller):
    """Makes calls, for any number of threads at once."""

    def __init__(
        self,
        settings: Settings,
        vocabulary: Vocabulary,
        *,
        transport: httpx.BaseTransport | None,
    ) -> None:
        """Take what the client was told; connect when there is something to say."""
        super().__init__(settings, vocabulary)
        self._transport = transport
        self._http: httpx.Client | None = None
        self._opening = threading.Lock()
        self._session_lock = threading.Lock()
        self._abandoned: list[httpx.Client] = []

    def call(
        self,
        operation: Operation,
        path: str,
        reader: Callable[[httpx.Response], ResultT],
        **rest: Any,
    ) -> ResultT:
        """Make a call and read its answer; ``rest`` is what `plan` takes."""
        call = self.plan(operation, path, **rest)
        with call.deadline:
            response = self._send(call)
        return self.parse(operation, response, reader)

    def stream(
        self,
        operation: Operation,
        path: str,
        form: Callable[[], StreamFormat],
        *,
        idle_timeout: float | Unset | None = UNSET,
        **rest: Any,
    ) -> Stream[Any, Any, Any]:
        """Prepare a call whose answer is read as it comes."""
        idle = (
            self.settings.idle_timeout
            if isinstance(idle_timeout, Unset)
            else seconds("idle_timeout", idle_timeout)
        )

        def start() -> httpx.Response:
            call = self.plan(operation, path, accept="text/event-stream", streamed=True, **rest)
            with call.deadline:
                response = self._send(call)
            # From here on the limit is on the time between events.
            response.request.extensions["timeout"]["read"] = idle
            return response

        return Stream(operation.name, form(), idle, start, lambda: self.secrets)

    def pages(
        self,
        operation: Operation,
        path: str,
        reader: Callable[[httpx.Response], Any],
        query: Mapping[str, Any],
        **rest: Any,
    ) -> Pages[Any, Any]:
        """Prepare calls for one page after the other."""

        def fetch(offset: int) -> Any:
            return self.call(operation, path, reader, query={**query, "offset": offset}, **rest)

        return Pages(fetch, query)

    def close(self) -> None:
        """Close the connections; no call can be made any more."""
        self._closed = True
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def forget_connections(self) -> None:
        """Leave the connections to the process that opened them (after a fork)."""
        if self._http is not None:
            # Kept, since closing them would end the other process's connections.
            self._abandoned.append(self._http)
            self._http = None
        # Whoever held these is not in this process.
        self._opening = threading.Lock()
        self._session_lock = threading.Lock()

    def _client(self) -> httpx.Client:
        http = self._http
        if http is None:
            with self._opening:
                http = self._http
                if http is None:
                    http = self._http = self._open()
                    # For those who forget to: nothing is left open in the end.
                    weakref.finalize(self, http.close)
        return http

    def _open(self) -> httpx.Client:
        http = httpx.Client(transport=self._transport)
        if self._transport is None or isinstance(self._transport, httpx.HTTPTransport):
            # Not before there is something to guard: its import takes its time.
            from .network import guard  # noqa: PLC0415

            guard(http)
        return http

    def _send(self, call: Call) -> httpx.Response:
        """Make the call, again if need be; the answer is a success."""
        self.check(call.operation)
        session = self.needs_session(call.operation)
        renewed = False
        attempt = 0
        while True:
            token = None
            if call.operation.bearer:
                token = self._session(call) if session else self.settings.token
            request = self.request(call, token)
            sent = time.monotonic()
            try:
                response = self._client().send(request, stream=call.streamed)
                if response.is_success:
                    self.log_answer(call, response, sent)
                    return response
                try:
                    response.read()
                finally:
                    response.close()
            except httpx.HTTPError as caught:
                error, repeat = self.connection_error(call, caught, attempt)
                cause: Exception | None = caught
            else:
                self.log_answer(call, response, sent)
                if not renewed and self.is_expired(call, response.status_code):
                    renewed = True
                    self.expire(token)
                    continue
                cause = None
                failed = self.status_error(call, response)
                repeat = self.repeats(call, failed)
                error = failed
            error.__cause__ = cause
            time.sleep(self.wait_after(call, error, attempt, repeat=repeat))
            attempt += 1

    def _session(self, call: Call) -> str:
        token = self.session_token
        if token is not None:
            return token
        # One starts the session, the others wait for it, each as long as it has time.
        left = call.deadline.remaining()
        if not self._session_lock.acquire(timeout=-1 if left == float("inf") else left):
            raise self.timeout_error(call, 0)
        try:
            if self.session_token is None:
                response = self._send(self.plan_session(call.deadline))
                return self.session_from(response)
            return self.session_token
        finally:
            self._session_lock.release()
