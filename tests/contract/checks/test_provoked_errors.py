"""Errors that are wrong in unusual situations only, and bodies that contradict their status."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.checks import error_bodies, provoked_errors
from siteassist_contract.findings import StopRun
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.profiles import FIRST, PROFILES
from siteassist_contract.rules import RULES
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter


def error(status: int, code: str | None = None, **more: Any) -> httpx.Response:
    """Return an error."""
    body = {"message": "No", **({} if code is None else {"code": code}), **more}
    return httpx.Response(status, json={"error": body})


def changing(change: Callable[[httpx.Request, httpx.Response], httpx.Response | None]) -> Fault:
    """Return a server that replaces some answers."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        return change(request, answer) or answer

    return fault


def anonymous(request: httpx.Request) -> bool:
    """Whether a request has no token."""
    return "authorization" not in request.headers


def is_streamed(request: httpx.Request) -> bool:
    """Whether a request asks for a stream."""
    return b'"stream": true' in request.content


def of_status(status: int, answer: Callable[[], httpx.Response]) -> Fault:
    """Return a server that replaces the answers with a status."""
    return changing(lambda _, given: answer() if given.status_code == status else None)


def as_stream(status: int) -> httpx.Response:
    """Return an error as an event stream."""
    headers = {"Content-Type": "text/event-stream"}
    text = 'data: {"type": "error", "errorText": "No"}\n\ndata: [DONE]\n\n'
    return httpx.Response(status, headers=headers, text=text)


FAULTS: dict[str, tuple[Fault, str]] = {
    "404 before 401": (
        changing(
            lambda request, answer: (
                error(404)
                if anonymous(request)
                and "conversations/" in str(request.url)
                and answer.status_code == 401
                else None
            )
        ),
        "token-required",
    ),
    "403 without a token": (
        changing(
            lambda request, answer: (
                error(403) if answer.status_code == 401 and "feedback" in str(request.url) else None
            )
        ),
        "token-required",
    ),
    "streams that begin in spite of errors": (
        changing(
            lambda request, answer: (
                as_stream(200) if is_streamed(request) and answer.status_code >= 400 else None
            )
        ),
        "token-required",
    ),
    "errors as streams": (
        changing(
            lambda request, answer: (
                as_stream(answer.status_code)
                if is_streamed(request) and answer.status_code in (400, 422)
                else None
            )
        ),
        "described",
    ),
    "failures of streams": (
        changing(
            lambda request, answer: (
                error(500) if is_streamed(request) and answer.status_code == 404 else None
            )
        ),
        "no-server-error",
    ),
    "long ids": (
        changing(lambda request, _: error(500) if len(request.url.path) > 900 else None),
        "no-server-error",
    ),
    "long tokens": (
        changing(
            lambda request, _: (
                error(500) if len(request.headers.get("authorization", "")) > 900 else None
            )
        ),
        "no-server-error",
    ),
    "another status for long tokens": (
        changing(
            lambda request, answer: (
                error(404)
                if answer.status_code == 401
                and 200 < len(request.headers.get("authorization", "")) < 500
                else None
            )
        ),
        "token-checked",
    ),
    "long keys": (
        changing(lambda request, _: error(500) if "ab.c-ab.c" in str(request.url) else None),
        "no-server-error",
    ),
    "pages for long ids of one operation": (
        changing(
            lambda request, answer: (
                httpx.Response(400, html="<h1>Bad request</h1>")
                if "/qnas/" in request.url.path and 300 < len(request.url.path) < 500
                else None
            )
        ),
        "described",
    ),
    "ids that are cut": (
        lambda request, forward: forward(
            httpx.Request(
                request.method,
                re.sub(r"([0-9a-f-]{36})0+", r"\1", str(request.url)),
                headers=request.headers,
                content=request.content,
            )
        ),
        "malformed-refused",
    ),
    "codes of another status": (of_status(401, lambda: error(401, "FORBIDDEN")), "error-body"),
    "one code for all": (of_status(404, lambda: error(404, "BAD_REQUEST")), "error-body"),
    "the code of a failure": (
        of_status(404, lambda: error(404, "INTERNAL_SERVER_ERROR")),
        "error-body",
    ),
    "blank messages": (of_status(404, lambda: error(404, message=" ")), "error-body"),
    "details as a text": (of_status(401, lambda: error(401, details="No token")), "described"),
    "details as an array": (of_status(404, lambda: error(404, details=["No"])), "described"),
    "errors without a body": (of_status(401, lambda: httpx.Response(401)), "described"),
    "errors as pages": (
        of_status(404, lambda: httpx.Response(404, html="<h1>Not found</h1>")),
        "described",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_wrong_error_is_found(name: str, shared: InProcess, make_context: MakeContext) -> None:
    """A server whose errors are wrong in one situation is found."""
    shared.fault, rule = FAULTS[name]
    context = make_context(shared, profile=PROFILES["default"])
    context.findings.stop_at_first = True
    with contextlib.suppress(StopRun):
        for _, check, _ in provoked_errors.CHECKS:
            check(context)
    assert [rule] == [each.rule for each in context.findings.violations.values()]


LEGAL: dict[str, Fault | None] = {
    "mock": None,
    "403 for unknown objects": of_status(404, lambda: error(403, "FORBIDDEN")),
    "422 for all that is invalid": of_status(400, lambda: error(422, "INVALID_REQUEST_BODY")),
    "codes of its own": of_status(404, lambda: error(404, "E1007", details={"retryAfter": None})),
    "messages alone": of_status(401, lambda: error(401)),
    "long addresses": changing(
        lambda request, _: httpx.Response(414, text="No") if len(str(request.url)) > 700 else None
    ),
    "long headers": changing(
        lambda request, _: (
            httpx.Response(431, text="No")
            if len(request.headers.get("authorization", "")) > 700
            else None
        )
    ),
}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", LEGAL)
def test_legal_server_has_no_violation(
    name: str, whole: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """Errors that the documents allow are no violation; all operations are asked."""
    shared.fault = LEGAL[name]
    context = make_context(shared, profile=PROFILES["default"])
    context.size = context.profile.size if whole else FIRST
    ((_, check, rules),) = provoked_errors.CHECKS
    check(context)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}
    assert {rule for rule, _ in context.findings.tested} <= rules
    protected = {
        n for n in RULES["token-required"].operations if n in RULES["isolation"].operations
    }
    assert {("token-required", each) for each in protected} <= set(context.findings.tested)


def test_token_alone_is_enough(shared: InProcess, make_context: MakeContext) -> None:
    """With a token and without a key, errors are provoked as well."""
    shared.fault = None
    context = make_context(shared, api_key=None, token=PRIVATE_KEY, profile=PROFILES["default"])
    ((_, check, _),) = provoked_errors.CHECKS
    check(context)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}


def exchange(status: int, body: object) -> Exchange:
    """Return an exchange with an answer."""
    content = json.dumps(body).encode()
    return Exchange("getMe", "", "GET", "/identity/me", b"", "", status, {}, content, 0, 0, 1)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, {"message": "Wait", "details": {"retryAfter": 60}}, []),
        (429, {"message": "Wait", "code": "TOO_MANY_REQUESTS"}, []),
        (429, {"message": "Wait", "code": "RATE_LIMIT_EXCEEDED"}, []),
        (502, {"message": "Wait", "code": "SERVICE_UNAVAILABLE"}, []),
        (422, {"message": "No", "code": "CONFLICT"}, []),
        (404, {"message": "No", "code": "CONVERSATION_NOT_FOUND"}, []),
        (
            403,
            {"message": "No", "code": "CONVERSATION_NOT_FOUND"},
            ["`code` is CONVERSATION_NOT_FOUND, which is that of 404"],
        ),
        (
            503,
            {"message": "Wait", "details": {"retryAfter": "soon"}},
            ['`details.retryAfter` is "soon", not a number of seconds'],
        ),
        (
            503,
            {"message": "Wait", "details": {"retryAfter": True}},
            ["`details.retryAfter` is true, not a number of seconds"],
        ),
        (
            429,
            {"message": "Wait", "details": {"retryAfter": -1}},
            ["`details.retryAfter` is -1, not a number of seconds"],
        ),
        (400, {"message": "", "code": " "}, ["`message` is blank", "`code` is blank"]),
        (400, {"message": "[object Object]"}, ["`message` is [object Object]"]),
        (400, "No", []),
    ],
)
def test_body_of_an_error(status: int, body: object, expected: list[str]) -> None:
    """A code belongs to its status, a message has words, and a wait is a number."""
    assert expected == error_bodies.faults(exchange(status, {"error": body}))
