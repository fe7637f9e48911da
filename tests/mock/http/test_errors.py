"""The documented error body."""

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
    """Code and message come from the description; a 400's message goes on after its start."""
    documented = spec["components"]["examples"][example]["value"]["error"]
    code, message = DEFAULTS[status]
    assert documented["code"] == code
    assert documented["message"].startswith(message)


def test_a_body_has_what_the_error_brings() -> None:
    """Code, message, details and headers of an error override the defaults."""
    error = ApiError(404, code="X", message="No x", details={"x": 1}, headers={"Allow": "GET"})
    response = error_response(error)
    assert response.status_code == 404
    assert response.headers["allow"] == "GET"
    assert json.loads(bytes(response.body)) == {
        "error": {"message": "No x", "code": "X", "details": {"x": 1}}
    }


def test_details_are_left_out_if_there_are_none() -> None:
    """An absent `details` is absent, not null."""
    assert json.loads(bytes(error_response(ApiError(500)).body)) == {
        "error": {
            "message": "An internal server error occurred",
            "code": "INTERNAL_SERVER_ERROR",
        }
    }


def test_every_401_names_its_scheme() -> None:
    """HTTP asks for the header with this status."""
    assert error_response(ApiError(401)).headers["www-authenticate"] == "Bearer"


def test_a_status_without_defaults_is_a_mistake() -> None:
    """Nobody can send a status that the description does not have."""
    with pytest.raises(KeyError):
        ApiError(418)
