"""What a call is made of, whether it blocks or is awaited.

`blocking` and `awaiting` drive it; all decisions are here.
"""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import httpx

from . import log, retry
from .deadline import Deadline
from .errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    CredentialsError,
    SiteAssistError,
)
from .operation import Operation
from .redaction import REDACTED, redact, redact_headers
from .settings import Settings, retries, seconds
from .unset import UNSET, Unset
from .wire import present, query_values

ResultT = TypeVar("ResultT")

_UNAUTHORIZED = 401
_SHOWN = 200  # Characters of a body without words that a message repeats.
# The request never left: the service cannot have acted on it.
_NEVER_OPENED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Vocabulary(NamedTuple):
    """What the generated client knows and the runtime does not."""

    errors: Mapping[int, type[APIStatusError]]
    """The class of each documented error status."""
    session: Operation
    """The operation that starts a session."""
    session_path: str
    """Its path."""


class Call(NamedTuple):
    """One call, ready to be made as often as it takes."""

    operation: Operation
    url: str
    content: bytes | None
    headers: Mapping[str, str] | None
    accept: str
    max_retries: int
    deadline: Deadline
    streamed: bool


class BaseCaller:
    """The parts of a caller that do not wait for anything."""

    def __init__(self, settings: Settings, vocabulary: Vocabulary) -> None:
        """Take what the client was told and what the generated package knows."""
        self.settings = settings
        self.vocabulary = vocabulary
        self.session_token: str | None = None
        self._closed = False
        log.configure()
        _callers.add(self)

    def forget_connections(self) -> None:
        """Leave the connections to the process that opened them (after a fork)."""
        raise NotImplementedError

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        session = self.session_token
        return (*self.settings.secrets, session) if session else self.settings.secrets

    def plan(  # noqa: PLR0913  # one for each thing that a call can say
        self,
        operation: Operation,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        body_required: bool = False,
        accept: str = "application/json",
        timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        headers: Mapping[str, str] | None = None,
        streamed: bool = False,
        deadline: Deadline | None = None,
    ) -> Call:
        """Put a call together; its time runs from here."""
        settings = self.settings
        url = settings.base_url + path
        if query is not None:
            values = query_values(query)
            if values:
                url = f"{url}?{urlencode(values)}"
        content = None
        if body is not None:
            fields = present(body)
            if fields or body_required:
                content = _encode(operation, fields)
        if deadline is None:
            limit = settings.timeout if timeout is UNSET else seconds("timeout", timeout)  # type: ignore[arg-type]  # not UNSET
            deadline = Deadline(limit)
        return Call(
            operation,
            url,
            content,
            headers,
            accept,
            settings.max_retries if max_retries is UNSET else retries(max_retries),  # type: ignore[arg-type]  # not UNSET
            deadline,
            streamed,
        )

    def plan_session(self, deadline: Deadline) -> Call:
        """Put the call together that starts a session."""
        return self.plan(
            self.vocabulary.session,
            self.vocabulary.session_path,
            body={"apiKey": self.settings.api_key, "saVid": self.settings.device_id},
            deadline=deadline,
        )

    def needs_session(self, operation: Operation) -> bool:
        """Tell whether ``operation`` is made as the visitor of a session."""
        return operation.bearer and self.settings.token is None

    def check(self, operation: Operation) -> None:
        """Raise if the call cannot be made at all."""
        if self._closed:
            msg = "the client is closed"
            raise SiteAssistError(msg, operation=operation.name)
        if self.needs_session(operation) and self.settings.api_key is None:
            msg = (
                "a credential is needed: pass api_key= or token= to the client, or set "
                "SITEASSIST_API_KEY or SITEASSIST_TOKEN"
            )
            raise CredentialsError(msg, operation=operation.name)

    def request(self, call: Call, token: str | None) -> httpx.Request:
        """Write the request down."""
        headers = {"Accept": call.accept, **self.settings.headers}
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if call.headers:
            given = {name.lower() for name in call.headers}
            headers = {name: value for name, value in headers.items() if name.lower() not in given}
            headers.update(call.headers)
        try:
            request = httpx.Request(
                call.operation.method,
                call.url,
                headers=headers,
                content=call.content,
                extensions={"timeout": call.deadline.httpx_timeout()},
            )
        except (httpx.InvalidURL, UnicodeError, TypeError) as error:
            msg = f"the request cannot be written: {redact(str(error), self.secrets)}"
            raise SiteAssistError(msg, operation=call.operation.name) from None
        log.log_request(call.operation, request, self)
        return request

    def session_from(self, response: httpx.Response) -> str:
        """Take the token of a new session."""
        try:
            token = response.json()["sessionToken"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token:
            raise self.response_error(self.vocabulary.session, response, "it has no sessionToken")
        self.session_token = token
        return token

    def adopt(self, token: str, api_key: object, device_id: object) -> None:
        """Go on with a session that was started by hand, if it is this client's own."""
        settings = self.settings
        if settings.token is None and (api_key, device_id) == (
            settings.api_key,
            settings.device_id,
        ):
            self.session_token = token

    def expire(self, token: str | None) -> None:
        """Forget a session that the service no longer takes, unless it was renewed since."""
        if self.session_token == token:
            self.session_token = None

    def wait_after(
        self, call: Call, error: SiteAssistError, attempt: int, *, repeat: bool
    ) -> float:
        """Return the seconds after which to try again; raise ``error`` if not."""
        if not repeat or attempt >= call.max_retries:
            raise error
        stated = getattr(error, "retry_after", None)
        wait = retry.backoff(attempt)
        if stated is not None:
            if stated > self.settings.max_retry_wait:
                raise error
            # A little more than was asked for, lest all come at the same moment.
            wait = stated + wait / 10
        if wait >= call.deadline.remaining():
            raise error
        log.log_retry(call.operation, error, wait)
        return wait

    def connection_error(
        self, call: Call, error: httpx.HTTPError | TimeoutError, attempt: int
    ) -> tuple[SiteAssistError, bool]:
        """Return what to raise, and whether the call may be made again."""
        name = call.operation.name
        repeat = call.operation.safe or isinstance(error, _NEVER_OPENED)
        if isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return self.timeout_error(call, attempt), repeat
        words = redact(str(error), self.secrets) or type(error).__name__
        if isinstance(error, httpx.DecodingError):
            msg = f"the answer cannot be read: {words}"
            return APIResponseError(msg, operation=name, response=None, text=""), False
        did = "reach" if isinstance(error, _NEVER_OPENED) else "get an answer from"
        msg = f"cannot {did} {self.settings.base_url}: {words}"
        return APIConnectionError(msg, operation=name), repeat

    def timeout_error(self, call: Call, attempt: int) -> APITimeoutError:
        """Return what to raise when time is up."""
        tried = f" ({attempt + 1} attempts)" if attempt else ""
        limit = call.deadline.seconds
        within = f" within {limit:g} s" if limit is not None else ""
        msg = f"no answer from {self.settings.base_url}{within}{tried}"
        return APITimeoutError(msg, operation=call.operation.name)

    def status_error(self, call: Call, response: httpx.Response) -> APIStatusError:
        """Return what to raise for an answer with an error status, whatever its body."""
        secrets = self.secrets
        text = redact(response.text, secrets)
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        told = body.get("error") if isinstance(body, dict) else None
        told = told if isinstance(told, dict) else {}
        message, code, details = told.get("message"), told.get("code"), told.get("details")
        details = details if isinstance(details, dict) else None
        safe = self._without_secrets(response, text)
        words = message if isinstance(message, str) and message else _shorten(text)
        cls = self.vocabulary.errors.get(response.status_code, APIStatusError)
        return cls(
            words or "the service gave no reason",
            operation=call.operation.name,
            status_code=response.status_code,
            reason=response.reason_phrase,
            code=code if isinstance(code, str) else None,
            details=details,
            retry_after=retry.stated_wait(response.headers, details),
            request_id=safe.headers.get("x-request-id"),
            body=body,
            text=text,
            response=safe,
        )

    def response_error(
        self, operation: Operation, response: httpx.Response, problem: str
    ) -> APIResponseError:
        """Return what to raise for a success that is not what the description promises."""
        text = redact(response.text, self.secrets)
        found = response.headers.get("content-type", "no type")
        shown = f": {_shorten(text)}" if text else ""
        msg = f"{response.status_code} with an unexpected answer ({found}; {problem}){shown}"
        return APIResponseError(
            redact(msg, self.secrets),
            operation=operation.name,
            response=self._without_secrets(response, text),
            text=text,
        )

    def parse(
        self,
        operation: Operation,
        response: httpx.Response,
        reader: Callable[[httpx.Response], ResultT],
    ) -> ResultT:
        """Read an answer. Raises `APIResponseError` if it is not what was promised."""
        try:
            return reader(response)
        except KeyError as error:
            problem = f"it has no {error}"
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            problem = redact(str(error) or type(error).__name__, self.secrets)
        raise self.response_error(operation, response, problem)

    def repeats(self, call: Call, error: APIStatusError) -> bool:
        """Tell whether a call that was answered with ``error`` may be made again."""
        return retry.may_repeat(call.operation, error.status_code, error.retry_after)

    def is_expired(self, call: Call, status: int) -> bool:
        """Tell whether an answer says that the session has ended."""
        return status == _UNAUTHORIZED and self.needs_session(call.operation)

    def log_answer(self, call: Call, response: httpx.Response, sent: float) -> None:
        """Log the answer."""
        log.log_response(call.operation, response, time.monotonic() - sent, self)

    def _without_secrets(self, response: httpx.Response, text: str) -> httpx.Response:
        secrets = self.secrets
        request = httpx.Request(
            response.request.method,
            redact(str(response.request.url), secrets).replace(REDACTED, "redacted"),
            headers=redact_headers(response.request.headers.items(), secrets),
        )
        # The body is whole and decoded here, whatever its headers said of the wire.
        headers = [
            pair
            for pair in redact_headers(response.headers.multi_items(), secrets)
            if pair[0] not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        return httpx.Response(
            response.status_code,
            headers=headers,
            content=text.encode("utf-8", "surrogatepass"),
            request=request,
            extensions={"reason_phrase": response.extensions.get("reason_phrase", b"")}
            if "reason_phrase" in response.extensions
            else None,
        )

    def __reduce__(self) -> Any:
        """Refuse: see the message."""
        msg = "a client holds a credential and open connections; make a new one instead"
        raise TypeError(msg)


def _encode(operation: Operation, fields: dict[str, Any]) -> bytes:
    try:
        return json.dumps(
            fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"the body is no JSON: {error}"
        raise SiteAssistError(msg, operation=operation.name) from None


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


_callers: weakref.WeakSet[BaseCaller] = weakref.WeakSet()


def _after_fork() -> None:
    for caller in list(_callers):
        caller.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
