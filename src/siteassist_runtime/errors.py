"""The exceptions of the client.

They contain no secrets: texts, headers and requests are redacted first. All of
them can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from siteassist_runtime.texts import printable, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    import httpx

# The statuses that may mean that the address is wrong.
_ADDRESSED = frozenset({404, 405, *range(300, 400)})
_WAIT = "retryAfter"  # The detail that `retry_after` shows.


class SiteAssistError(Exception):
    """The base class of the client's exceptions."""

    def __init__(self, message: str, *, operation: str | None = None) -> None:
        """Store the message and the ``operationId``."""
        message = printable(message)
        super().__init__(message)
        self.message = message
        """The description of the problem; control characters are shown as escapes."""
        self.operation = operation
        """The ``operationId`` of the call, if there was one."""

    def __str__(self) -> str:
        """Return the operation and the message."""
        return f"{self.operation}: {self.message}" if self.operation else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the attributes: the constructors take keywords."""
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[SiteAssistError], args: tuple[Any, ...]) -> SiteAssistError:
    error = cls.__new__(cls, *args)
    error.args = args
    return error


class CredentialsError(SiteAssistError):
    """The operation needs a credential that the client does not have."""


class APIConnectionError(SiteAssistError):
    """The service could not be reached, or the connection broke."""


class APITimeoutError(APIConnectionError):
    """The call, its retries included, did not end in time."""


class AnswerTimeoutError(APITimeoutError):
    """The message was sent, but no human agent answered in time."""

    def __init__(
        self, message: str, *, operation: str | None = None, message_id: UUID | None = None
    ) -> None:
        """Store the message, the ``operationId`` and the id of the message that was sent."""
        super().__init__(message, operation=operation)
        self.message_id = message_id
        """The id of the message that was sent; None if the service does not list it."""


class APIResponseError(SiteAssistError):
    """The service reported success, but its response does not match the description."""

    def __init__(
        self, message: str, *, operation: str, response: httpx.Response | None, text: str
    ) -> None:
        """Store the message, the ``operationId`` and the redacted response."""
        super().__init__(message, operation=operation)
        self.response = response
        """The response, without secrets."""
        self.text = text
        """The body of the response as text, without secrets."""


class APIStatusError(SiteAssistError):
    """The service responded with an error status.

    The documented statuses have classes of their own; any other status raises
    this one.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status_code: int,
        reason: str = "",
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        body: object = None,
        text: str = "",
        url: str | None = None,
        response: httpx.Response | None = None,
    ) -> None:
        """Store the parts of the response."""
        super().__init__(message, operation=operation)
        self.status_code = status_code
        """The HTTP status."""
        self.reason = reason
        """The reason phrase, for example ``Not Found``."""
        self.code = code
        """``error.code``: the kind of problem, for programs; None if not given."""
        self.details = details
        """``error.details``: more about the problem; None if not given."""
        self.retry_after = retry_after
        """The seconds to wait that the service stated, in ``error.details.retryAfter`` or
        in the ``Retry-After`` header (the longer one if both); None if it did not."""
        self.request_id = request_id
        """The ``X-Request-Id`` header; None if there is none."""
        self.body = body
        """The parsed JSON body; None if the body is not JSON."""
        self.text = text
        """The body as text, without secrets."""
        self.url = url
        """The URL of the request, without its query."""
        self.response = response
        """The response, without secrets."""

    def __str__(self) -> str:
        """Return the operation, the status, the service's message and further details."""
        parts = [self.code or "", *_shown(self.details or {})]
        if self.retry_after is not None:
            parts.append(f"retry after {self.retry_after:g} s")
        if self.request_id:
            parts.append(f"request {self.request_id}")
        if self.url and self.status_code in _ADDRESSED:
            parts.append(self.url)
        more = ", ".join(part for part in parts if part)
        status = f"{self.status_code} {self.reason}".strip()
        words = f"{self.operation}: {status}: {self.message}"
        return printable(f"{words} ({more})" if more else words)


def _shown(details: dict[str, Any]) -> Iterator[str]:
    """Yield the details that are plain values, such as the field and the reason."""
    for name, value in details.items():
        if name != _WAIT and isinstance(value, (str, int, float)) and value != "":
            yield f"{name}: {shorten(str(value))}"


class StreamError(SiteAssistError):
    """The answer failed: the stream contained an ``error`` event.

    The part of the answer that had arrived is in the stream's ``text`` and ``parts``.
    """


class StreamTruncatedError(StreamError):
    """The stream ended without its terminal marker, so the answer may be incomplete."""


class StreamDecodeError(StreamError):
    """The stream contained an invalid event."""
