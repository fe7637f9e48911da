"""The handlers of sessions and visitors."""

from __future__ import annotations

from starlette.responses import JSONResponse

from siteassist_mock.handlers import views
from siteassist_mock.http.call import Call


def init(call: Call) -> JSONResponse:
    """Begin a session: 201 for a new device, 200 for a known one."""
    authenticator = call.services.authenticator
    authenticator.check_api_key(call.body["apiKey"], call.origins)
    token, visitor, new = authenticator.begin_session(call.body["saVid"])
    return JSONResponse(
        {"sessionToken": token, "visitor": views.visitor(visitor)},
        status_code=201 if new else 200,
    )


def get_me(call: Call) -> JSONResponse:
    """Return the visitor of the bearer token."""
    return JSONResponse(views.visitor(call.visitor))
