"""Requests from pages of other websites: each faulty server is found, and no correct one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from siteassist_contract.checks import cross_origin
from siteassist_contract.description import operations
from siteassist_contract.profiles import FIRST, PROFILES
from siteassist_contract.rules import GAPS, LISTED_WEBSITES, RULES, WEBSITE
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from siteassist_contract.checks.context import CheckContext
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext, MakeMock

pytestmark = pytest.mark.one_interpreter

ALLOW = "access-control-allow-"
ZOO = "https://zoo.example"
SEED = f"publishableKeys:\n  - key: pk_zoo\n    origins: ['{ZOO}']\n"
EVERY = set(operations())
# The checks of sockets test handshakes.
KEYED = [name for name in RULES["website-checked"].operations if name in operations()]


def is_preflight(request: httpx.Request) -> bool:
    """Whether a request is a preflight."""
    return "access-control-request-method" in request.headers


def without(answer: httpx.Response, *names: str) -> httpx.Response:
    """Return an answer without the headers whose names begin with one of ``names``."""
    kept = [(n, v) for n, v in answer.headers.multi_items() if not n.startswith(names)]
    return httpx.Response(answer.status_code, headers=kept, content=answer.content)


def edited(
    *,
    preflights: bool = True,
    answers: bool = True,
    where: Callable[[httpx.Request, httpx.Response], bool] = lambda *_: True,
    **headers: str,
) -> Fault:
    """Return a fault that replaces headers; `{origin}` is the origin of the request."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        wanted = preflights if is_preflight(request) else answers
        if wanted and "origin" in request.headers and where(request, answer):
            names = [name.replace("_", "-") for name in headers]
            answer = without(answer, *names)
            for name, value in zip(names, headers.values(), strict=True):
                if value:
                    answer.headers[name] = value.format(origin=request.headers["origin"])
        return answer

    return fault


def answering(status: int, **headers: str) -> Fault:
    """Return a fault that answers preflights with a status."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        return (
            httpx.Response(status, headers=headers) if is_preflight(request) else forward(request)
        )

    return fault


def no_cors(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer as if CORS did not exist."""
    return without(forward(request), "access-control-")


def only_json(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Leave the headers out of streams."""
    answer = forward(request)
    streams = answer.headers.get("content-type", "").startswith("text/event-stream")
    return without(answer, ALLOW) if streams else answer


def same_site_only(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Refuse changes from pages of other websites, as protection against forged requests."""
    if request.method == "POST" and request.headers.get("sec-fetch-site") == "cross-site":
        error = {"error": {"message": "Cross-site request", "code": "FORBIDDEN"}}
        return httpx.Response(403, json=error, headers={f"{ALLOW}origin": "*"})
    return forward(request)


class FirstPage:
    """A server that keeps the website of its first answer to each address."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Answer a request."""
        answer = forward(request)
        origin = request.headers.get("origin")
        if request.method == "GET" and answer.is_success and origin is not None:
            del answer.headers[f"{ALLOW}origin"]
            answer.headers[f"{ALLOW}origin"] = self._kept.setdefault(str(request.url), origin)
            answer.headers["vary"] = "Origin"
        return answer


def forgetful(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Answer no preflight for feedback."""
    if is_preflight(request) and request.url.path.endswith("/feedback"):
        return httpx.Response(404)
    return forward(request)


def violations(context: CheckContext) -> dict[str, set[str]]:
    """Check everything, and return the operations with a violation, by rule."""
    cross_origin.check_cross_origin(context)
    found: dict[str, set[str]] = {}
    for each in context.findings.violations.values():
        found.setdefault(each.rule, set()).add(each.operation)
    return found


TOKENS = {name for name, each in operations().items() if each.needs_token}
BODIES = {name for name, each in operations().items() if each.body is not None}
READS = {name for name, each in operations().items() if each.method == "GET"}
STREAMS = {name for name, each in operations().items() if each.stream is not None}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (no_cors, {"preflight": EVERY, "cross-origin": EVERY}),
        (answering(401), {"preflight": EVERY}),
        (answering(307, location="/"), {"preflight": EVERY}),
        (answering(204, **{f"{ALLOW}origin": "*"}), {"preflight": TOKENS | BODIES}),
        (edited(answers=False, access_control_allow_headers="*"), {"preflight": TOKENS}),
        (
            edited(answers=False, access_control_allow_headers="Authorization"),
            {"preflight": BODIES},
        ),
        (forgetful, {"preflight": {"sendMessageFeedback"}}),
        (
            edited(
                where=lambda _, answer: answer.status_code >= 400, access_control_allow_origin=""
            ),
            {"cross-origin": EVERY},
        ),
        (only_json, {"cross-origin": STREAMS}),
        (
            edited(access_control_allow_origin="*, *"),
            {"preflight": EVERY, "cross-origin": EVERY},
        ),
        (
            edited(access_control_allow_origin="https://app.example"),
            {"preflight": EVERY, "cross-origin": EVERY},
        ),
        (
            edited(preflights=False, access_control_allow_origin="{origin}", vary=""),
            {"cross-origin": READS},
        ),
        (FirstPage(), {"cross-origin": READS}),
        # Only `init` refuses the website, as if the key listed others.
        (same_site_only, {"website-checked": set(KEYED) - {"init"}}),
    ],
)
def test_faulty_server_is_found(
    fault: Fault,
    expected: dict[str, set[str]],
    shared: InProcess,
    make_context: MakeContext,
) -> None:
    """Each fault is found in exactly the operations that have it."""
    shared.fault = fault
    assert expected == violations(make_context(shared))


@pytest.mark.parametrize(
    "fault",
    [
        None,
        # GET and POST are allowed without being listed, and no operation needs cookies.
        edited(answers=False, access_control_allow_methods="GET"),
        edited(preflights=False, access_control_allow_credentials="true"),
        edited(
            access_control_allow_origin="{origin}",
            access_control_allow_credentials="true",
            vary="Accept-Encoding, origin",
        ),
        edited(access_control_allow_origin="{origin}", vary="", cache_control="private, No-Store"),
        answering(
            204,
            **{
                f"{ALLOW}origin": "*",
                f"{ALLOW}headers": "AUTHORIZATION,  Content-Type",
                "access-control-max-age": "600",
            },
        ),
        answering(
            200,
            **{
                f"{ALLOW}origin": "*",
                f"{ALLOW}methods": "*",
                f"{ALLOW}headers": "*, authorization",
            },
        ),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_correct_server_is_kept(
    fault: Fault | None, whole: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """What browsers accept is no violation, and each rule is tested on each operation."""
    shared.fault = fault
    context = make_context(shared)
    if not whole:
        context.size = FIRST
    assert {} == violations(context)
    tested = context.findings.tested
    for rule in ("preflight", "cross-origin"):
        assert all(tested[rule, name] for name in RULES[rule].operations)
    reasons = {context.findings.prevented["website-checked", name] for name in KEYED}
    assert {LISTED_WEBSITES} == reasons
    assert LISTED_WEBSITES in GAPS


@pytest.fixture
def seed(tmp_path: Path) -> str:
    """Write a seed file with a key for one website."""
    path = tmp_path / "seed.yaml"
    path.write_text(SEED, encoding="utf-8")
    return str(path)


def test_key_of_a_website_needs_its_origin(
    seed: str, make_mock: MakeMock, make_context: MakeContext
) -> None:
    """Without `--origin`, a key that lists websites is checked, and the rest is excused."""
    context = make_context(make_mock(seed=seed), api_key="pk_zoo")
    assert {} == violations(context)
    assert all(context.findings.tested["website-checked", name] for name in KEYED)
    assert WEBSITE == context.findings.prevented["preflight", "getMe"]


def unchecked(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Check the website in `init` only."""
    if request.url.path.endswith("/init"):
        return forward(request)
    headers = [(n, v) for n, v in request.headers.multi_items() if n != "origin"]
    return forward(
        httpx.Request(request.method, request.url, headers=headers, content=request.content)
    )


def similar(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Take a website for another one with the same beginning."""
    if request.headers.get("origin", "").startswith(ZOO):
        request.headers["origin"] = ZOO
    return forward(request)


@pytest.mark.parametrize(
    ("fault", "origin", "expected"),
    [
        (unchecked, None, {"website-checked": set(KEYED) - {"init"}}),
        (similar, ZOO, {"website-checked": set(KEYED)}),
        (None, ZOO, {}),
        (None, "https://lion.example", {"website-checked": set(KEYED)}),
    ],
)
def test_websites_of_a_key_are_checked(
    fault: Fault | None,
    origin: str | None,
    expected: dict[str, set[str]],
    seed: str,
    make_mock: MakeMock,
    make_context: MakeContext,
) -> None:
    """Each operation that takes the key accepts its website, and no other."""
    context = make_context(make_mock(fault, seed=seed), api_key="pk_zoo")
    context.target = replace(context.target, origin=origin)
    found = violations(context)
    assert expected.get("website-checked", set()) == found.get("website-checked", set())
    if fault is None and origin == ZOO:
        assert {} == found


def test_token_alone_needs_the_origin(shared: InProcess, make_context: MakeContext) -> None:
    """Without a key, nothing shows from which websites a token may be used."""
    shared.fault = None
    context = make_context(shared, api_key=None, token=PRIVATE_KEY)
    assert {} == violations(context)
    assert WEBSITE == context.findings.prevented["cross-origin", "getMe"]
    context.target = replace(context.target, origin=ZOO)
    assert {} == violations(context)
    assert context.findings.tested["cross-origin", "getMe"]


def test_gentle_profile_changes_nothing(shared: InProcess, make_context: MakeContext) -> None:
    """On a server in production, only the objects of requests are created, without an answer."""
    shared.fault = None
    context = make_context(shared, profile=PROFILES["live"])
    shared.requests.clear()
    assert {} == violations(context)
    sent = [r for r in shared.requests if "origin" in r.headers and r.method == "POST"]
    valid = {r.url.path for r in sent if shared.forward(r).is_success}
    assert valid <= {"/v2/identity/init"}


def test_reproduction_has_the_origin(shared: InProcess, make_context: MakeContext) -> None:
    """The commands in a report send the headers of the browser."""
    shared.fault = no_cors
    context = make_context(shared)
    context.size = FIRST
    found = violations(context)
    assert found
    violation = context.findings.violations["getMe preflight"]
    assert "--request OPTIONS" in violation.commands
    assert "Access-Control-Request-Headers: authorization" in violation.commands
    assert '"Access-Control-Request-Method": "GET"' in violation.snippet
    assert API_KEY not in violation.commands
