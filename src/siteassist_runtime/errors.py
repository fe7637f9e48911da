"""What can go wrong, as exceptions.

None of them holds a secret: texts, headers and requests are redacted before
they get here. All of them can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


class SiteAssistError(Exception):
    """The base of every exception that the client raises by itself."""

    def __init__(self, message: str, *, operation: str | None = None) -> None:
        """Take the words and the ``operationId``."""
        super().__init__(message)
        self.message = message
        """What went wrong, in words."""
        self.operation = operation
        """The ``operationId`` of the call, if there was one."""

    def __str__(self) -> str:
        """Name the operation and what went wrong."""
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


class APIResponseError(SiteAssistError):
    """The service reported success, but its answer is not what the description promises."""

    def __init__(
        self, message: str, *, operation: str, response: httpx.Response | None, text: str
    ) -> None:
        """Take the words, the ``operationId`` and the redacted answer."""
        super().__init__(message, operation=operation)
        self.response = response
        """The answer, without secrets."""
        self.text = text
        """The body of the answer as text, without secrets."""


class APIStatusError(SiteAssistError):
    """The service answered with an error status.

    The documented statuses have classes of their own; any other status raises
    this one.
    """

    def __init__(  # noqa: PLR0913  # one for each thing that an answer says
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
        response: httpx.Response | None = None,
    ) -> None:
        """Take everything that the answer said."""
        super().__init__(message, operation=operation)
        self.status_code = status_code
        """The HTTP status."""
        self.reason = reason
        """The status in words, for example ``Not Found``."""
        self.code = code
        """``error.code``: the problem in one word, for programs; None if not given."""
        self.details = details
        """``error.details``: more about the problem; None if not given."""
        self.retry_after = retry_after
        """The seconds to wait that the service stated, in ``error.details.retryAfter`` or
        in the ``Retry-After`` header (the longer one if both); None if it did not."""
        self.request_id = request_id
        """The ``X-Request-Id`` header; None if there is none."""
        self.body = body
        """The body, parsed from JSON; None if it is no JSON."""
        self.text = text
        """The body as it came, as text."""
        self.response = response
        """The answer, without secrets."""

    def __str__(self) -> str:
        """Name the operation, the status and what the service said."""
        told = [self.code or ""]
        if self.retry_after is not None:
            told.append(f"retry after {self.retry_after:g} s")
        if self.request_id:
            told.append(f"request {self.request_id}")
        more = ", ".join(part for part in told if part)
        status = f"{self.status_code} {self.reason}".strip()
        words = f"{self.operation}: {status}: {self.message}"
        return f"{words} ({more})" if more else words


class StreamError(SiteAssistError):
    """The answer broke off: the stream carried an ``error`` event.

    What had arrived by then is in the stream's ``text`` and ``parts``.
    """


class StreamTruncatedError(StreamError):
    """The stream ended without its terminal marker, so the answer may be incomplete."""


class StreamDecodeError(StreamError):
    """The stream carried something that is no event of the protocol."""
