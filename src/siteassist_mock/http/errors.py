"""The documented error body and its exception.

The default messages and codes are those of the eleven error examples of
``openapi.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

DEFAULTS: Mapping[int, tuple[str, str]] = {
    400: ("INVALID_REQUEST_BODY", "Invalid request body."),
    401: ("UNAUTHORIZED", "Authentication required"),
    402: ("PAYMENT_REQUIRED", "A higher pricing plan is required to access this feature"),
    403: ("FORBIDDEN", "Access denied to this conversation"),
    404: ("NOT_FOUND", "There is nothing at this address"),
    # No document mentions 405 or 413; both are of HTTP itself.
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method"),
    409: ("CONFLICT", "Resource already exists"),
    413: ("PAYLOAD_TOO_LARGE", "The request body is too large"),
    422: ("VALIDATION_ERROR", "Validation failed"),
    429: ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded. Please try again later."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred"),
    502: ("BAD_GATEWAY", "Service temporarily unavailable"),
    503: ("SERVICE_UNAVAILABLE", "Service temporarily unavailable"),
}
"""The default code and message of each status."""


_RETRY_SECONDS = 1


class ApiError(Exception):
    """A documented error response.

    ``code`` and ``message`` default to those of ``status``; ``details`` is left
    out of the body if None. Raises `KeyError` for a status without defaults.
    """

    def __init__(
        self,
        status: int,
        *,
        code: str | None = None,
        message: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Create an error for ``status``."""
        default_code, default_message = DEFAULTS[status]
        self.status = status
        self.code = code or default_code
        self.message = message or default_message
        self.details = details
        self.headers = dict(headers or {})
        if status == HTTPStatus.UNAUTHORIZED:
            # RFC 9110, 15.5.2: a 401 names the scheme to use.
            self.headers.setdefault("WWW-Authenticate", "Bearer")
        super().__init__(f"{status} {self.code}: {self.message}")


def unavailable() -> ApiError:
    """Return the error of a request that may succeed when it is sent again."""
    return ApiError(
        503,
        details={"retryAfter": _RETRY_SECONDS},
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )


def error_response(error: ApiError) -> JSONResponse:
    """Return ``error`` as the documented body with its status and headers."""
    body: dict[str, Any] = {"message": error.message, "code": error.code}
    if error.details is not None:
        body["details"] = dict(error.details)
    return JSONResponse({"error": body}, status_code=error.status, headers=error.headers)
