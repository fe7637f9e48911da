"""Blocking calls."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from siteassist_runtime import body
from siteassist_runtime.calls import (
    LIMITS,
    BaseCaller,
    Call,
    NeedsToken,
    ServiceInfo,
    Step,
    Succeeded,
    Wait,
    broken,
    no_cookies,
    opening,
)
from siteassist_runtime.environment import check_proxies, tls_context
from siteassist_runtime.http_library import HTTPClient, Transport
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.pages import PageNames, Pages
from siteassist_runtime.redaction import redacting
from siteassist_runtime.settings import ClientSettings, seconds
from siteassist_runtime.streaming.stream import Stream, StreamFormat
from siteassist_runtime.transports import pools
from siteassist_runtime.unset import UNSET, Unset

if TYPE_CHECKING:
    import httpx

    from siteassist_runtime.live.listener import Listener
    from siteassist_runtime.live.socket_format import Place, SocketFormat

ResultT = TypeVar("ResultT")


class Caller(BaseCaller[Transport, HTTPClient]):
    """Makes calls; can be shared by threads."""

    _http: httpx.Client | None = None
    _finalizer: weakref.finalize[Any, Any] | None = None

    def __init__(self, settings: ClientSettings, service: ServiceInfo, **rest: Any) -> None:
        """Store the settings; ``rest`` goes to `BaseCaller`."""
        super().__init__(settings, service, **rest)
        self._opening = threading.Lock()

    def call(
        self,
        operation: OperationInfo,
        path: str,
        reader: Callable[[httpx.Response], ResultT],
        **rest: Any,
    ) -> ResultT:
        """Make a call and parse its response; ``rest`` goes to `plan`."""
        call = self.plan(operation, path, **rest)
        with call.deadline:
            response = self._send(call)
        return self.parse(call, response, reader)

    def stream(
        self,
        operation: OperationInfo,
        path: str,
        form: Callable[[], StreamFormat],
        *,
        idle_timeout: float | Unset | None = UNSET,
        messages: Callable[[], Pages[Any, Any]] | None = None,
        **rest: Any,
    ) -> Stream[Any, Any, Any]:
        """Prepare a call whose response is streamed.

        ``messages`` returns the list that holds the answer's message afterwards.
        """
        idle = (
            self.settings.idle_timeout
            if isinstance(idle_timeout, Unset)
            else seconds("idle_timeout", idle_timeout)
        )

        def start() -> httpx.Response:
            call = self.plan(operation, path, accept="text/event-stream", streamed=True, **rest)
            with call.deadline:
                response = self.check_stream(call, self._send(call))
            # From now on the limit applies to the time between events.
            response.request.extensions["timeout"]["read"] = idle
            return response

        return Stream(operation.name, form(), idle, start, lambda: self.secrets, messages)

    def upgrade(self, operation: OperationInfo, path: str, **rest: Any) -> httpx.Response:
        """Make a call that changes the protocol of its connection; ``rest`` goes to `plan`."""
        call = self.plan(operation, path, **rest)
        with call.deadline:
            return self.check_upgrade(call, self._send(call))

    def listen(
        self,
        form: SocketFormat,
        place: Place,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> Listener[Any]:
        """Prepare to listen to a conversation; ``limits`` goes to `Listening`."""
        from siteassist_runtime.live.calls import SocketCalls
        from siteassist_runtime.live.listener import Listener

        self.check_open(form.operation)
        begin = self.begin_listening(form, place.conversation_id, limits)
        calls = SocketCalls(self, form, place, extra_headers, extra_query)
        return self.keep(Listener(form.operation.name, begin, calls))

    def wait_for_reply(
        self,
        form: SocketFormat,
        place: Place,
        sending: OperationInfo,
        content: str,
        wait: float | None,
        **extra: Any,
    ) -> Any:
        """Wait for the reply to a message that ``sending`` has sent, and return it."""
        from siteassist_runtime.live.reply import Reply, wait_for_reply

        listens = None not in place.key.values()
        reply = Reply(form, sending.name, content, wait, listens=listens)
        return wait_for_reply(self, reply, place, extra)

    def pages(
        self,
        operation: OperationInfo,
        path: str,
        reader: Callable[[httpx.Response], Any],
        query: Mapping[str, Any],
        names: PageNames,
        **rest: Any,
    ) -> Pages[Any, Any]:
        """Prepare calls that fetch a list page by page."""

        def fetch(offset: int) -> Any:
            return self.call(operation, path, reader, query={**query, names.offset: offset}, **rest)

        return Pages(operation.name, fetch, query, names)

    def close(self) -> None:
        """Close the caller's own connections; later calls raise."""
        self._closed = True
        for listener in self._take_listeners():
            listener.close()
        self._http = None
        if self._finalizer is not None:
            self._finalizer()

    def forget_connections(self) -> None:
        """Leave the connections to the process that opened them (after a fork)."""
        super().forget_connections()
        # The module `network` closes the sockets without the locks of the pool.
        self._http = None
        if self._finalizer is not None:
            # At exit it would wait for locks whose holders do not exist in this process.
            self._finalizer.detach()
        self._opening = threading.Lock()

    def _client(self, operation: OperationInfo) -> httpx.Client:
        self.check_open(operation)
        if self.parent is not None:
            return self.parent._client(operation)
        http = self._http
        if http is None:
            with self._opening:
                http = self._http
                if http is None:
                    with opening(operation):
                        http = self._http = self._open()
        return http

    def _open(self) -> httpx.Client:
        library = self.library
        http: Any = self.http_client
        if http is None and self.transport is None:
            check_proxies(library)
            http = library.Client(
                verify=tls_context(library), limits=library.Limits(**LIMITS), cookies=no_cookies()
            )
            # Closes the connections of a client that is not closed explicitly.
            self._finalizer = weakref.finalize(self, http.close)
        elif http is None:
            http = library.Client(transport=self.transport, cookies=no_cookies())
        if self.transport is None or any(pools(self.transport)):
            # Imported here because it is slow.
            from siteassist_runtime.network import guard

            guard(http)
        client: httpx.Client = http
        return client

    def _send(self, call: Call) -> httpx.Response:
        """Make the call, with its retries, and return the successful response."""
        attempts = self.attempts(call)
        step = next(attempts)
        while not isinstance(step, Succeeded):
            step = attempts.send(self._perform(step, call))
        return step.response

    def _perform(self, step: Step, call: Call) -> Any:
        """Carry out a step of the call and return its result."""
        if isinstance(step, NeedsToken):
            return self._token(call)
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            with redacting(self.known(call)):
                response = self._client(call.operation).send(step, stream=True)
                if self.is_stream(call, response):
                    return response
                if call.streamed and response.is_success:
                    body.read_beginning(response, call.deadline)
                else:
                    body.read(response, call.deadline, self.settings.max_response_bytes)
        except broken() as error:
            # Returned and not raised: it would appear as the context of our error.
            return error
        return response

    def _token(self, call: Call) -> str:
        function = self.settings.token_function
        if function is not None:
            return self.given_token(call, function())
        token = self.session.token
        if token is not None:
            return token
        # One thread starts the session; the others wait, each up to its own deadline.
        left = call.deadline.remaining()
        lock = self.session.lock
        if not lock.acquire(timeout=-1 if left == float("inf") else left):
            raise self.timeout_error(call, 0)
        try:
            token = self.session.token
            if token is None:
                start = self.plan_session(call)
                token = self.session_from(start, self._send(start))
            return token
        finally:
            lock.release()
