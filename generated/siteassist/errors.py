"""The exceptions of the clients.

The high-level clients raise `SiteAssistError` and its subclasses. The low-level
functions of `api` raise `UnexpectedStatus` for an undocumented status, and
return every other error.
"""

from siteassist_runtime.errors import (
    AnswerTimeoutError,
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    CredentialsError,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
)


class UnexpectedStatus(Exception):
    """Raised by the functions of `api` for an undocumented status if `raise_on_unexpected_status` of the client is set."""

    def __init__(self, status_code: int, content: bytes):
        self.status_code = status_code
        self.content = content

        super().__init__(
            f"Unexpected status code: {status_code}\n\nResponse content:\n{content.decode(errors='ignore')}"
        )


class BadRequestError(APIStatusError):
    """400: The body or a parameter is malformed.

    Reference: the responses with status 400 of the SiteAssist API 2.0.0.
    """


class UnauthorizedError(APIStatusError):
    """401: The credential is missing, wrong or expired.

    Reference: the responses with status 401 of the SiteAssist API 2.0.0.
    """


class PaymentRequiredError(APIStatusError):
    """402: The feature needs a higher pricing plan.

    Reference: the responses with status 402 of the SiteAssist API 2.0.0.
    """


class ForbiddenError(APIStatusError):
    """403: The credential does not permit this.

    Reference: the responses with status 403 of the SiteAssist API 2.0.0.
    """


class NotFoundError(APIStatusError):
    """404: There is no such resource.

    Reference: the responses with status 404 of the SiteAssist API 2.0.0.
    """


class ConflictError(APIStatusError):
    """409: The resource's current state does not allow this.

    Reference: the responses with status 409 of the SiteAssist API 2.0.0.
    """


class UnprocessableEntityError(APIStatusError):
    """422: The request is well-formed, but a value in it is not acceptable.

    Reference: the responses with status 422 of the SiteAssist API 2.0.0.
    """


class TooManyRequestsError(APIStatusError):
    """429: A rate limit or a usage quota is exhausted. `details.retryAfter`, if
    present, states the seconds to wait.

    Reference: the responses with status 429 of the SiteAssist API 2.0.0.
    """


class InternalServerError(APIStatusError):
    """500: The service failed unexpectedly.

    Reference: the responses with status 500 of the SiteAssist API 2.0.0.
    """


class BadGatewayError(APIStatusError):
    """502: A service behind this one, for example the provider of the AI model,
    gave no valid answer.

    Reference: the responses with status 502 of the SiteAssist API 2.0.0.
    """


class ServiceUnavailableError(APIStatusError):
    """503: The service cannot answer for the moment. `details.retryAfter`, if
    present, states the seconds to wait.

    Reference: the responses with status 503 of the SiteAssist API 2.0.0.
    """


STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    402: PaymentRequiredError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: TooManyRequestsError,
    500: InternalServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
}
"""The class of each documented error status; every other status raises `APIStatusError`."""

__all__ = [
    "STATUS_ERRORS",
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AnswerTimeoutError",
    "CredentialsError",
    "SiteAssistError",
    "StreamDecodeError",
    "StreamError",
    "StreamTruncatedError",
    "UnexpectedStatus",
    "BadGatewayError",
    "BadRequestError",
    "ConflictError",
    "ForbiddenError",
    "InternalServerError",
    "NotFoundError",
    "PaymentRequiredError",
    "ServiceUnavailableError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnprocessableEntityError",
]
