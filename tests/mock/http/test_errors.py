"""Tests for the documented error body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from siteassist_mock.http.errors import DEFAULTS, ApiError, error_response

EXAMPLES = {
    400: "BadRequest",
    401: "Unauthorized",
    402: "PaymentRequired",
    403: "Forbidden",
    409: "Conflict",
    422: "UnprocessableEntity",
    429: "TooManyRequests",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServiceUnavailable",
}


@pytest.mark.parametrize(("status", "example"), EXAMPLES.items())
def test_defaults_are_those_of_the_examples(
    spec: dict[str, Any], status: int, example: str
) -> None:
    """Codes and messages equal the examples; the example of a 400 extends the message."""
    documented = spec["components"]["examples"][example]["value"]["error"]
    code, message = DEFAULTS[status]
    assert documented["code"] == code
    assert documented["message"].startswith(message)


def test_an_error_overrides_the_defaults() -> None:
    """Code, message, details and headers of an error replace the defaults."""
    error = ApiError(404, code="X", message="No x", details={"x": 1}, headers={"Allow": "GET"})
    response = error_response(error)
    assert response.status_code == 404
    assert response.headers["allow"] == "GET"
    assert json.loads(bytes(response.body)) == {
        "error": {"message": "No x", "code": "X", "details": {"x": 1}}
    }


def test_an_undocumented_status_is_refused() -> None:
    """`ApiError` raises `KeyError` for a status that the description does not have."""
    with pytest.raises(KeyError):
        ApiError(418)
