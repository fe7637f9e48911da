"""The parts of a call that do no I/O: requests, retries, session renewal, errors.

`BaseCaller.attempts` yields the steps of a call; `sync_driver` and `async_driver`
carry them out.
"""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeAlias, TypeVar, cast
from urllib.parse import urlencode

from siteassist_runtime import log, retry
from siteassist_runtime.body import TooLargeError
from siteassist_runtime.deadline import Deadline
from siteassist_runtime.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    CredentialsError,
    SiteAssistError,
)
from siteassist_runtime.http_library import StepLimits, errors
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.raw_response import record
from siteassist_runtime.redaction import (
    REDACTED,
    Secret,
    redact,
    redact_exception,
    redact_headers,
    redact_value,
)
from siteassist_runtime.serialization import present, text_of, texts
from siteassist_runtime.settings import (
    ClientSettings,
    extra,
    is_credential,
    merged,
    retries,
    seconds,
    secrets_in,
    time_limit,
)
from siteassist_runtime.texts import shorten
from siteassist_runtime.unset import UNSET, Unset

if TYPE_CHECKING:
    import httpx

    from siteassist_runtime.live.listening import Listening
    from siteassist_runtime.live.socket_format import SocketFormat

ResultT = TypeVar("ResultT")
TransportT = TypeVar("TransportT")
HTTPClientT = TypeVar("HTTPClientT")
ListenerT = TypeVar("ListenerT")

_SWITCHING_PROTOCOLS = 101
_QUEUED = 202
_UNAUTHORIZED = 401
_NOT_FOUND = 404
# The request was not sent, so the service cannot have acted on it.
_NEVER_OPENED = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    # The proxy did not open the tunnel for the request.
    "ProxyError",
)
LIMITS = {
    "max_connections": 1000,
    "max_keepalive_connections": 100,
    # Node.js and uvicorn close an idle connection after 5 seconds. A request that is sent at that
    # moment fails, and a POST is not repeated.
    "keepalive_expiry": 4.0,
}
"""The maximum number of connections: streams keep theirs open for long."""
# The exceptions of a reader for a response that does not match the description.
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError, LookupError, OverflowError)
_KEPT = 8  # Former session tokens, which late failures may still contain.


class ServiceInfo(NamedTuple):
    """The facts of the API that the generated client passes to the runtime."""

    errors: Mapping[int, type[APIStatusError]]
    """The class of each documented error status."""
    session: OperationInfo
    """The operation that starts a session."""
    session_path: str
    """Its path."""
    session_body: Mapping[str, str]
    """The setting for each property of its body."""
    session_token: str
    """The property of its response that is the token."""


class Call(NamedTuple):
    """A call, which can be attempted several times."""

    operation: OperationInfo
    url: str
    content: bytes | None
    headers: Mapping[str, str] | None
    accept: str
    max_retries: int
    deadline: Deadline
    streamed: bool
    secrets: tuple[str, ...]
    """The secrets in this call's own arguments."""
    upgrade: bool = False
    """Whether the call is to change the protocol of its connection."""

    def __repr__(self) -> str:
        """Name the operation; address, headers and body may hold secrets."""
        return f"<Call {self.operation.name}>"

    def __reduce__(self) -> Any:
        """Refuse to be pickled: secrets do not belong in files."""
        raise TypeError("a call may hold secrets and cannot be pickled")


class Wait(NamedTuple):
    """A step of a call: sleep before the next attempt."""

    seconds: float


class NeedsToken:
    """A step of a call: return the token of the user's function or of the visitor's session."""


class Succeeded(NamedTuple):
    """The end of a call."""

    response: httpx.Response


class _Refused(NamedTuple):
    """A token of the user's function that the service rejected."""

    token: str
    response: httpx.Response


Step: TypeAlias = "httpx.Request | NeedsToken | Wait"
"""A step of a call, which a driver carries out."""


class Session:
    """A visitor's session, which clients with different options can share."""

    __slots__ = ("__weakref__", "former", "lock", "token")

    def __init__(self) -> None:
        """Begin without a token."""
        self.token: str | None = None
        self.former: tuple[str, ...] = ()
        self.lock = threading.Lock()
        """Held by the thread that starts the session."""

    def use(self, token: str | None) -> None:
        """Replace the token."""
        if self.token is not None:
            self.former = (*self.former, self.token)[-_KEPT:]
        self.token = None if token is None else Secret(token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The token and its predecessors."""
        return self.former if self.token is None else (*self.former, self.token)


class BaseCaller(Generic[TransportT, HTTPClientT]):
    """The parts of a caller that do no I/O.

    A caller with a parent uses its parent's connections.
    """

    _listeners: weakref.WeakSet[Any] | None = None
    _keeping = threading.Lock()

    def __init__(
        self,
        settings: ClientSettings,
        service: ServiceInfo,
        *,
        library: Any,
        transport: TransportT | None = None,
        http_client: HTTPClientT | None = None,
        parent: Self | None = None,
        session: Session | None = None,
    ) -> None:
        """Store the settings and the facts of the API; connections are opened by the first call.

        A transport or an HTTP client that is passed belongs to the user, who closes it.
        """
        self.settings = settings
        self.service = service
        self.library = library
        self.transport = transport
        self.http_client = http_client
        self.parent = parent
        self.session = Session() if session is None else session
        self._build: Callable[..., httpx.Request] = (
            library.Request if http_client is None else cast("Any", http_client).build_request
        )
        self._closed = False
        # Whether the client's headers replace some that every call sets.
        self._replaces = not {name.lower() for name in settings.headers}.isdisjoint(
            {"accept", "content-type", "authorization"}
        )
        if parent is None:
            log.configure()
        _callers.add(self)

    def derive(self, settings: ClientSettings, *, same_session: bool) -> Self:
        """Return a caller with other settings and the same connections."""
        return type(self)(
            settings,
            self.service,
            library=self.library,
            http_client=self.http_client,
            parent=self if self.parent is None else self.parent,
            session=self.session if same_session else None,
        )

    def forget_connections(self) -> None:
        """Leave the connections to the process that opened them (after a fork)."""
        # The holder of the lock is not in this process.
        self.session.lock = threading.Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to redact."""
        return self.settings.secrets + self.session.secrets

    def begin_listening(
        self, form: SocketFormat, conversation_id: str, limits: Mapping[str, Any]
    ) -> Callable[[], Listening]:
        """Return a function that begins to listen, with valid limits.

        Raises `SiteAssistError` for an invalid limit, or without the library for WebSockets.
        """
        from siteassist_runtime.live.frames import check_installed
        from siteassist_runtime.live.listening import Listening

        check_installed("listen", form.operation.name)
        valid: dict[str, Any] = {
            name: seconds(name, value) if name.endswith("timeout") else value
            for name, value in limits.items()
        }
        return partial(
            Listening,
            form,
            conversation_id,
            **valid,
            longest_text=self.settings.max_response_bytes,
            longest_wait=self.settings.max_retry_wait,
        )

    def keep(self, listener: ListenerT) -> ListenerT:
        """Remember an iterator that has to end when the client is closed."""
        for caller in {self, self.parent or self}:
            with caller._keeping:
                if caller._listeners is None:
                    caller._listeners = weakref.WeakSet()
                caller._listeners.add(listener)
        return listener

    def _take_listeners(self) -> list[Any]:
        """Return the listeners of the client, which is closed, and forget them."""
        with self._keeping:
            found = list(self._listeners or ())
            self._listeners = None
        return found

    def plan(
        self,
        operation: OperationInfo,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        body_required: bool = False,
        header_values: Mapping[str, Any] | None = None,
        accept: str = "application/json",
        timeout: float | StepLimits | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        streamed: bool = False,
        upgrade: bool = False,
        deadline: Deadline | None = None,
    ) -> Call:
        """Build a call and start its deadline."""
        settings = self.settings
        url = settings.base_url + path
        if settings.query or extra_query:
            query = {**(query or {}), **settings.query, **extra("extra_query", extra_query)}
        if body is not None and (settings.body or extra_body):
            body = {**body, **settings.body, **extra("extra_body", extra_body)}
        given = {**(query or {}), **(body or {}), **(header_values or {})}
        own = tuple(given[name] for name in operation.secrets if isinstance(given.get(name), str))
        if query is not None:
            url += _query(operation, query)
        content = None if body is None else _encode(operation, body, required=body_required)
        if deadline is None:
            limit = settings.timeout if isinstance(timeout, Unset) else time_limit(timeout)
            if limit is None or isinstance(limit, (int, float)):
                deadline = Deadline(limit)
            else:
                deadline = Deadline(None, limit.as_dict())
        return Call(
            operation,
            url,
            content,
            _own_headers(operation, header_values, extra_headers),
            accept,
            settings.max_retries if isinstance(max_retries, Unset) else retries(max_retries),
            deadline,
            streamed,
            own + (secrets_in(extra_headers) if extra_headers else ()),
            upgrade,
        )

    def plan_session(self, call: Call) -> Call:
        """Build the call that starts a session, with the deadline of ``call``."""
        return self.plan(
            self.service.session,
            self.service.session_path,
            body={
                name: getattr(self.settings, setting)
                for name, setting in self.service.session_body.items()
            },
            max_retries=call.max_retries,
            deadline=call.deadline,
        )

    def _needs_session(self, operation: OperationInfo) -> bool:
        """Return whether ``operation`` needs the token of a session."""
        return operation.bearer and self.settings.uses_session

    def _check(self, operation: OperationInfo) -> None:
        """Raise if the client is closed or has no credential for the operation."""
        self.check_open(operation)
        if self._needs_session(operation) and self.settings.api_key is None:
            raise CredentialsError(
                "a credential is needed: pass api_key= or token= to the client, or set "
                "SITEASSIST_API_KEY or SITEASSIST_TOKEN",
                operation=operation.name,
            )

    @property
    def closed(self) -> bool:
        """Whether the client is closed, or the one that it was derived from."""
        return self._closed or (self.parent is not None and self.parent._closed)

    def check_open(self, operation: OperationInfo) -> None:
        """Raise if the client is closed, possibly while the call waited."""
        if self.closed:
            raise SiteAssistError("the client is closed", operation=operation.name)
        if self.http_client is not None and cast("Any", self.http_client).is_closed:
            raise SiteAssistError("the http_client is closed", operation=operation.name)

    def _request(self, call: Call, token: str | None) -> httpx.Request:
        """Build the request of an attempt."""
        headers = {"Accept": call.accept}
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = Secret(f"Bearer {token}")
        if self._replaces or call.headers:
            headers = merged(merged(headers, self.settings.headers), call.headers)
        else:
            headers |= self.settings.headers
        try:
            # A query may hold a secret, which must not stay in memory.
            library, url = self.library, call.url
            parsed = library.URL(url) if "?" in url else _parsed(library, url)
            request = self._build(
                call.operation.method,
                parsed,
                headers=headers,
                content=call.content,
                extensions={"timeout": call.deadline.httpx_timeout()},
            )
        except errors("InvalidURL", UnicodeError, TypeError) as error:
            raise SiteAssistError(
                f"invalid request: {redact(str(error), self.known(call))}",
                operation=call.operation.name,
            ) from None
        if log.is_on():
            log.log_request(call.operation, request, self.known(call))
        return request

    def known(self, call: Call) -> tuple[str, ...]:
        """Return the secrets of the client and of a call."""
        return (*self.secrets, *call.secrets)

    def session_from(self, call: Call, response: httpx.Response) -> str:
        """Store and return the token of a new session."""
        try:
            token = response.json()[self.service.session_token]
        except (ValueError, KeyError, TypeError, RecursionError):
            token = None
        if not is_credential(token):
            problem = f"{self.service.session_token} is missing or invalid"
            raise self.response_error(call, response, problem)
        self.session.use(str(token))
        return str(token)

    def adopt(self, token: str, api_key: object, device_id: object) -> None:
        """Use the session of an explicit call, if it is for this client's key and device."""
        settings = self.settings
        own = (settings.api_key, settings.device_id)
        if settings.uses_session and (api_key, device_id) == own:
            if not is_credential(token):
                raise SiteAssistError(
                    "the token of the new session is invalid in a header",
                    operation=self.service.session.name,
                )
            self.session.use(token)

    def given_token(self, call: Call, value: object) -> str:
        """Validate and return the token that the user's function returned."""
        if not is_credential(value):
            if isinstance(value, Coroutine):
                value.close()
            # The value must not be shown: it may be a misspelled secret.
            kind = "" if isinstance(value, str) else f", got {type(value).__name__}"
            raise SiteAssistError(
                "the token function must return printable ASCII without spaces, and not empty"
                f"{kind}",
                operation=call.operation.name,
            )
        token = str(value)
        if token != self.session.token:
            self.session.use(token)
        return token

    def expire(self, token: str | None) -> None:
        """Forget a token that the service rejected, unless it has been renewed."""
        if self.session.token == token:
            self.session.use(None)

    def attempts(self, call: Call) -> Generator[Step | Succeeded, Any, None]:
        """Yield the steps of a call, up to its success.

        A driver carries out each step and sends back its result: for a request the
        response, its body read unless the call is streamed, or the caught exception
        (one of `broken`); for `NeedsToken` the token; for `Wait` None.
        """
        operation = call.operation
        self._check(operation)
        renewed = False
        refused: _Refused | None = None
        attempt = 0
        while True:
            token = None
            if operation.bearer:
                token = self.settings.token
                if token is None:
                    token = yield NeedsToken()
                    if refused is not None and token == refused.token:
                        raise self._status_error(call, refused.response)
            request = self._request(call, token)
            sent = time.monotonic()
            result: httpx.Response | Exception = yield request
            if not isinstance(result, Exception):
                self._log_response(call, result, sent)
                if result.is_success or _is_upgraded(call, result):
                    yield Succeeded(result)
                    return
                if not renewed and self._is_expired(operation, result.status_code):
                    renewed = True
                    self.expire(token)
                    if self.settings.token_function is not None:
                        refused = _Refused(str(token), result)
                    continue
                failed = self._status_error(call, result)
                repeat = retry.may_repeat(operation, failed.status_code, failed.retry_after)
                error: SiteAssistError = failed
            else:
                error, repeat = self._connection_error(call, result, attempt)
                # A traceback with locals would show its message, which may contain a secret.
                del result
            yield Wait(self._wait_after(call, error, attempt, repeat=repeat))
            attempt += 1

    def _wait_after(
        self, call: Call, error: SiteAssistError, attempt: int, *, repeat: bool
    ) -> float:
        """Return the seconds before the next attempt, or raise ``error`` to end the call."""
        if not repeat or attempt >= call.max_retries:
            raise error
        stated = getattr(error, "retry_after", None)
        wait = retry.backoff(attempt)
        if stated is not None:
            if stated > self.settings.max_retry_wait or stated >= retry.LONGEST_STATED:
                raise error
            # A little more than stated, so that clients do not retry at the same moment.
            wait = stated + wait / 10
        if wait >= call.deadline.remaining():
            raise error
        log.log_retry(call.operation, error, wait)
        return wait

    def _connection_error(
        self, call: Call, caught: Exception, attempt: int
    ) -> tuple[SiteAssistError, bool]:
        """Return the error to raise, and whether the call may be retried."""
        if isinstance(caught, RuntimeError):
            self.check_open(call.operation)
            raise caught
        repeat = call.operation.safe or isinstance(caught, errors(*_NEVER_OPENED))
        if "CERTIFICATE_VERIFY_FAILED" in str(caught):
            repeat = False  # The next attempt would get the same certificate.
        error: SiteAssistError
        if isinstance(caught, errors("TimeoutException")):
            error = self.timeout_error(call, attempt)
        else:
            reason = redact(str(caught), self.known(call)) or type(caught).__name__
            name = call.operation.name
            if isinstance(caught, errors("DecodingError", TooLargeError)):
                repeat = False
                what = "read" if isinstance(caught, TooLargeError) else "decode"
                msg = f"cannot {what} the response: {reason}"
                error = APIResponseError(msg, operation=name, response=None, text="")
            else:
                # An invalid host name raises a UnicodeError.
                reached = not isinstance(caught, errors(*_NEVER_OPENED, UnicodeError))
                did = "get an answer from" if reached else "reach"
                msg = f"cannot {did} {self.settings.base_url}: {reason}"
                error = APIConnectionError(msg, operation=name)
        # Not the exception itself: it refers to the request and to its own causes.
        error.__cause__ = redact_exception(caught, self.known(call))
        return error, repeat

    def timeout_error(self, call: Call, attempt: int) -> APITimeoutError:
        """Return the error for an exceeded deadline."""
        tried = f" ({attempt + 1} attempts)" if attempt else ""
        limit = call.deadline.seconds
        within = f" within {limit:g} s" if limit is not None else ""
        msg = f"no answer from {self.settings.base_url}{within}{tried}"
        return APITimeoutError(msg, operation=call.operation.name)

    def _status_error(self, call: Call, response: httpx.Response) -> APIStatusError:
        """Return the error for a response with an error status."""
        secrets = self.known(call)
        text, body = _body(response, secrets)
        told = body.get("error") if isinstance(body, dict) else None
        documented = isinstance(told, dict)
        told = told if isinstance(told, dict) else {}
        message, code, details = told.get("message"), told.get("code"), told.get("details")
        details = details if isinstance(details, dict) else None
        safe = self._without_secrets(response, text, secrets)
        words = message if isinstance(message, str) and message else shorten(text)
        cls = self.service.errors.get(response.status_code, APIStatusError)
        if response.has_redirect_location and not documented:
            words = f"redirected to {shorten(safe.headers['location'])}: the base_url may be wrong"
        elif response.status_code == _NOT_FOUND and text and not documented:
            # Not the service's own answer: its resources are not at this address.
            cls = APIStatusError
            words = f"{words}: the base_url may be wrong"
        return cls(
            words or "the service gave no reason",
            operation=call.operation.name,
            status_code=response.status_code,
            reason=safe.reason_phrase,
            code=code if isinstance(code, str) else None,
            details=details,
            retry_after=retry.stated_wait(response.headers, details),
            request_id=safe.headers.get("x-request-id"),
            body=body,
            text=text,
            url=redact(str(response.request.url.copy_with(query=None)), secrets),
            response=safe,
        )

    def response_error(
        self, call: Call, response: httpx.Response, problem: str
    ) -> APIResponseError:
        """Return the error for a success that does not match the description."""
        secrets = self.known(call)
        text, _ = _body(response, secrets)
        found = redact(response.headers.get("content-type", "no type"), secrets)
        shown = f": {shorten(text)}" if text else ""
        problem = redact(problem, secrets)
        return APIResponseError(
            f"{response.status_code} with an unexpected body ({found}; {problem}){shown}",
            operation=call.operation.name,
            response=self._without_secrets(response, text, secrets),
            text=text,
        )

    def is_stream(self, call: Call, response: httpx.Response) -> bool:
        """Return whether the rest of a response after its headers is to be read later."""
        if _is_upgraded(call, response):
            return True
        if not call.streamed or not response.is_success:
            return False
        return response.status_code == _QUEUED or _media_type(response) == "text/event-stream"

    def check_stream(self, call: Call, response: httpx.Response) -> httpx.Response:
        """Return a response to a streamed call. Raises `APIResponseError` if it is not a stream."""
        if self.is_stream(call, response):
            return response
        raise self.response_error(call, response, "expected text/event-stream")

    def check_upgrade(self, call: Call, response: httpx.Response) -> httpx.Response:
        """Return the response to a handshake. Raises `SiteAssistError` if it was not upgraded."""
        if not _is_upgraded(call, response):
            raise self.response_error(call, response, "expected 101 Switching Protocols")
        if "network_stream" not in response.extensions:
            raise SiteAssistError(
                "the transport cannot open a WebSocket", operation=call.operation.name
            )
        return response

    def parse(
        self, call: Call, response: httpx.Response, reader: Callable[[httpx.Response], ResultT]
    ) -> ResultT:
        """Parse a response. Raises `APIResponseError` if it does not match the description."""
        try:
            parsed = reader(response)
        except KeyError as error:
            problem = f"missing {error}"
        except _UNREADABLE as error:
            problem = str(error) or type(error).__name__
        else:
            record(response)
            return parsed
        raise self.response_error(call, response, problem)

    def _is_expired(self, operation: OperationInfo, status: int) -> bool:
        """Return whether a status means that the token has expired and can be renewed."""
        return status == _UNAUTHORIZED and operation.bearer and self.settings.token is None

    def _log_response(self, call: Call, response: httpx.Response, sent: float) -> None:
        """Log the response."""
        if log.is_on():
            took = time.monotonic() - sent
            log.log_response(call.operation, response, took, self.known(call))

    def _without_secrets(
        self, response: httpx.Response, text: str, secrets: tuple[str, ...]
    ) -> httpx.Response:
        # The body is complete and decoded, so these headers no longer apply.
        headers = [
            pair
            for pair in redact_headers(response.headers.multi_items(), secrets)
            if pair[0] not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        reason = redact(response.reason_phrase, secrets)
        safe: httpx.Response = self.library.Response(
            response.status_code,
            headers=self.library.Headers(headers, encoding=response.headers.encoding),
            content=text.encode("utf-8", "surrogatepass"),
            request=self._request_without(response.request, secrets),
            extensions={"reason_phrase": reason.encode("ascii", "replace")},
        )
        # The content was encoded as UTF-8 above, regardless of the headers.
        safe.encoding = "utf-8"
        return safe

    def _request_without(self, request: httpx.Request, secrets: tuple[str, ...]) -> httpx.Request:
        headers = redact_headers(request.headers.multi_items(), secrets)
        safe: httpx.Request = self.library.Request(
            request.method,
            # Brackets would be written as %5B and %5D.
            redact(str(request.url), secrets).replace(REDACTED, REDACTED.strip("[]")),
            headers=self.library.Headers(headers, encoding=request.headers.encoding),
        )
        return safe

    def __reduce__(self) -> Any:
        """Refuse to be pickled."""
        raise TypeError("a client cannot be pickled: it has a credential and open connections")


def _own_headers(
    operation: OperationInfo, values: Mapping[str, Any] | None, headers: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the operation's header parameters, overridden by the headers of the call."""
    try:
        return merged(merged({}, texts(values)) if values else {}, headers)
    except (SiteAssistError, TypeError) as error:
        raise SiteAssistError(f"invalid request: {error}", operation=operation.name) from None


@lru_cache(maxsize=256)
def _parsed(library: Any, url: str) -> Any:
    """Return a parsed URL; parsing takes a tenth of the time of a call."""
    return library.URL(url)


def _is_upgraded(call: Call, response: httpx.Response) -> bool:
    return call.upgrade and response.status_code == _SWITCHING_PROTOCOLS


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def broken() -> tuple[type[Exception], ...]:
    """Return the exceptions of a failed attempt.

    An invalid host name raises a `UnicodeError`, an invalid redirect an `InvalidURL`, a
    client that is closed meanwhile a `RuntimeError`.
    """
    return errors("HTTPError", "InvalidURL", TooLargeError, UnicodeError, RuntimeError)


@contextmanager
def opening(operation: OperationInfo) -> Iterator[None]:
    """Raise `SiteAssistError` if httpx rejects the environment.

    Examples are a proxy with an unknown scheme and a missing file of certificates.
    """
    try:
        yield
    except SiteAssistError as error:
        raise SiteAssistError(error.message, operation=operation.name) from None
    except errors("InvalidURL", OSError, ValueError, ImportError) as error:
        raise SiteAssistError(
            f"cannot open connections with the settings of the environment: {redact(str(error))}",
            operation=operation.name,
        ) from None


def no_cookies() -> CookieJar:
    """Return a jar that rejects all cookies: the client would keep and never send them."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def _query(operation: OperationInfo, query: Mapping[str, Any]) -> str:
    try:
        values = texts(query)
        return f"?{urlencode(values)}" if values else ""
    except (UnicodeError, TypeError) as error:
        raise SiteAssistError(f"invalid request: {error}", operation=operation.name) from None


def _encode(operation: OperationInfo, body: Mapping[str, Any], *, required: bool) -> bytes | None:
    try:
        fields = present(body)
        if not fields and not required:
            return None
        return json.dumps(
            fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise SiteAssistError(
            f"the body cannot be written as JSON: {error}", operation=operation.name
        ) from None


def _body(response: httpx.Response, secrets: tuple[str, ...]) -> tuple[str, Any]:
    """Return the redacted body as text and, if it is JSON, parsed."""
    text = text_of(response).removeprefix("\ufeff")
    shown = redact(text, secrets)
    try:
        body = redact_value(json.loads(text), secrets)
    except (ValueError, RecursionError):
        return shown, None
    try:
        is_same = body == redact_value(json.loads(shown), secrets)
    except (ValueError, RecursionError):
        is_same = False
    # A secret with JSON escapes is found only in the parsed value, and one with the characters
    # of JSON itself only there is replaced without a change of its structure.
    return (shown if is_same else redact(json.dumps(body)), body)


_callers: weakref.WeakSet[BaseCaller[Any, Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for caller in list(_callers):
        caller.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
