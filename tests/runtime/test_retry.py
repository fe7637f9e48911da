"""Retries: which calls are repeated, how often and after which wait, and which never are."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import httpx
import pytest

from siteassist import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    InternalServerError,
    ServiceUnavailableError,
    SiteAssistError,
    TooManyRequestsError,
)
from siteassist_runtime import retry
from siteassist_runtime.operation import OperationInfo
from tests.runtime.helpers import (
    COMPLETION,
    CONVERSATION,
    VISITOR,
    FakeTime,
    Run,
    Service,
    Step,
    chat,
    me,
    send,
    visitor,
)


@pytest.fixture
def run(run_steps: Run) -> Run:
    """Return a function that runs one step with a client that has a token."""
    return lambda handler, step, **settings: run_steps(
        handler, step, **{"token": "a-token", **settings}
    )[0]


def failing(status: int, number: int = 0, wait: object = ..., **headers: str) -> httpx.Response:
    """Return an error response with a number in its message and, if given, a stated wait."""
    details = {} if wait is ... else {"retryAfter": wait}
    body = {"error": {"message": f"No. {number}", "code": "no", "details": details}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=json.dumps(body), headers=named)


def completion() -> httpx.Response:
    """Return a successful answer to `send`."""
    return httpx.Response(200, json=COMPLETION)


def spoken() -> httpx.Response:
    """Return a successful answer to `chat`."""
    data = ('{"type":"start"}', '{"type":"finish"}', "[DONE]")
    content = "".join(f"data: {line}\n\n" for line in data).encode()
    return httpx.Response(200, content=content, headers={"Content-Type": "text/event-stream"})


def start(client: Any, **options: Any) -> Any:
    """Call `start_conversation`: a POST that must never be delivered twice."""
    return client.start_conversation(**options)


def started() -> httpx.Response:
    """Return a successful answer to `start`."""
    stamps = dict.fromkeys(("createdAt", "updatedAt", "lastInteractionAt"), "2024-01-10T09:00:00Z")
    missing = dict.fromkeys(("closedAt", "closeReason", "title"))
    body = {"object": "conversation", "id": CONVERSATION, "status": "open", "messages": []}
    return httpx.Response(201, json=body | stamps | missing)


POSTS: dict[Step, httpx.Response] = {send: completion(), start: started(), chat: spoken()}
"""Each call that changes something, with its successful answer."""


# The length of a wait


def limit(attempt: int) -> float:
    """Return the longest back-off after an attempt."""
    return float(min(0.5 * 2**attempt, 8.0))


@pytest.mark.parametrize("attempt", [0, 1, 2, 3, 4, 5, 20])
def test_backoff_limits(attempt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit doubles from 0.5 s to 8 s; the wait is drawn between half of it and all of it."""
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    monkeypatch.setattr(random, "uniform", uniform)
    assert limit(attempt) / 2 == retry.backoff(attempt)
    assert [(limit(attempt) / 2, limit(attempt))] == drawn


def test_backoff_is_random() -> None:
    """Back-offs are random, so clients that failed together do not retry together."""
    waits = {retry.backoff(3) for _ in range(50)}
    assert 40 < len(waits)
    assert all(2.0 <= wait <= 4.0 for wait in waits)


@pytest.mark.parametrize("attempt", [1023, 1024, 10**6])
def test_backoff_of_late_attempts(attempt: int) -> None:
    """The longest back-off applies to every later attempt."""
    assert 4.0 <= retry.backoff(attempt) <= 8.0


NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
EARLY = "Sat, 01 Mar 2025 09:00:00 GMT"
"""The time of a service whose clock is three hours behind."""


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the current time to `NOW`."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            assert tz is UTC
            return cls.combine(NOW.date(), NOW.time(), tz)

    monkeypatch.setattr(retry, "datetime", Fixed)


@pytest.mark.usefixtures("today")
@pytest.mark.parametrize(
    ("header", "detail", "expected"),
    [
        (None, None, None),
        ("3", None, 3.0),
        ("2.5", None, 2.5),
        ("0", None, 0.0),
        (" 4 ", None, 4.0),
        (None, 5, 5.0),
        (None, 0, 0.0),
        (None, 1.5, 1.5),
        (None, "6", 6.0),
        ("3", 5, 5.0),
        ("7", 5, 7.0),
        ("Sat, 01 Mar 2025 12:00:30 GMT", None, 30.0),
        ("Sat, 01 Mar 2025 13:00:30 +0100", None, 30.0),
        ("Sat, 01 Mar 2025 12:00:30", None, 30.0),
        ("Saturday, 01-Mar-25 12:00:30 GMT", None, 30.0),
        ("Sat Mar  1 12:00:30 2025", None, 30.0),
        ("Sat, 01 Mar 2025 11:59:59 GMT", None, 0.0),
        ("Mon, 01 Jan 1990 00:00:00 GMT", 2, 2.0),
        ("never", 2, 2.0),
        ("9", "soon", 9.0),
    ],
)
def test_stated_wait_is_the_longer_of_header_and_detail(
    header: str | None, detail: object, expected: float | None
) -> None:
    """The wait is the longer one of the error's detail and of the header, in any HTTP format."""
    headers = {} if header is None else {"retry-after": header}
    details = None if detail is None else {"retryAfter": detail}
    assert expected == retry.stated_wait(headers, details)


INVALID = [
    *(-1, -0.5, float("nan"), float("-inf"), True, False, None, "", "soon", "-3", "1_0", "٣"),
    *("nan", "inf", "1e999", "0x10", "1e1", ".5", "+5", "1 0", [5], [], {"seconds": 5}),
]


@pytest.mark.usefixtures("today")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "Sat, 01 Mar 2025 09:00:30 GMT", "date": EARLY}, 30.0),
        ({"retry-after": "Sat, 01 Mar 2025 12:00:30 GMT", "date": EARLY}, 3 * 3600 + 30.0),
        ({"retry-after": "Sat, 01 Mar 2025 08:00:00 GMT", "date": EARLY}, 0.0),
        ({"retry-after": "Sat, 01 Mar 2025 12:00:30 GMT", "date": "yesterday"}, 30.0),
        ({"retry-after": "7", "date": EARLY}, 7.0),
    ],
)
def test_date_is_compared_with_the_clock_of_the_service(
    headers: dict[str, str], expected: float
) -> None:
    """Clocks differ, so a date counts from the `Date` of the same response if there is one."""
    assert expected == retry.stated_wait(headers, None)


HUGE = [float("inf"), 10**400, "9" * 400, 1e300]


@pytest.mark.parametrize("detail", HUGE, ids=lambda value: repr(value)[:20])
def test_huge_detail_is_no_missing_one(detail: object) -> None:
    """A wait that is too large for a float is still the longest one."""
    found = retry.stated_wait({"retry-after": "2"}, {"retryAfter": detail})
    assert found is not None
    assert found >= 1e300


@pytest.mark.parametrize("step", [me, *POSTS])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "wait",
    ["9" * 400, "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Mar 99999 12:00:30 GMT"],
    ids=lambda value: value[:20],
)
def test_absurd_wait_is_never_begun(
    run: Run, clock: FakeTime, step: Step, status: int, wait: str
) -> None:
    """Even without any limit, the error is raised at once, and nothing is sent again."""
    service = Service(failing(status, retry_after=wait))
    with pytest.raises(APIStatusError) as caught:
        run(service, step, timeout=None, max_retry_wait=None)
    assert (1, []) == (len(service.requests), clock.slept)
    assert (caught.value.retry_after or 0) > 10**9


@pytest.mark.parametrize("detail", INVALID, ids=lambda value: repr(value)[:20])
def test_invalid_detail_is_ignored(detail: object) -> None:
    """A detail that is not a number of seconds is ignored; the header still counts."""
    assert None is retry.stated_wait({}, {"retryAfter": detail})
    assert 2.0 == retry.stated_wait({"retry-after": "2"}, {"retryAfter": detail})


@pytest.mark.parametrize(
    "header",
    [
        *("", "soon", "-1", "nan", "inf", "-inf", "1e999", "1_0", "1, 2", "1 2", ",", "1;2"),
        *("Sat, 99 Mar 2025 12:00:30 GMT", "Sat", "01 Mar"),
        "Sat, 01 Mar 2025 12:00:30 +9999",
        "Sat, 01 Mar 2025 12:00:30 +99999999999999999999",
        "Sat, 01 Mar 2025 99999999999999999999:00:00 GMT",
    ],
)
def test_invalid_header_is_ignored(header: str) -> None:
    """A header that is neither seconds nor a date is ignored; the detail still counts."""
    assert None is retry.stated_wait({"retry-after": header}, None)
    assert 2.0 == retry.stated_wait({"retry-after": header}, {"retryAfter": 2})


# The decision to retry

STATUSES = (302, 400, 401, 402, 403, 404, 408, 409, 418, 422, 429, 500, 501, 502, 503, 504, 599)


@pytest.mark.parametrize("stated", [None, 0.0, 3.0])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_retried_statuses(method: str, stated: float | None) -> None:
    """A GET is retried after 408, 429 and 5xx; others after 429, and 503 with a stated wait."""
    operation = OperationInfo("anything", method, bearer=True)
    found = {status for status in STATUSES if retry.may_repeat(operation, status, stated)}
    if method == "GET":
        assert {408, 429, 500, 501, 502, 503, 504, 599} == found
    else:
        assert ({429} if stated is None else {429, 503}) == found


def test_status_over_599_is_not_retried() -> None:
    """A status over 599 has no meaning in HTTP and is not retried."""
    assert not retry.may_repeat(OperationInfo("anything", "GET", bearer=True), 777, None)


@pytest.mark.parametrize("status", [408, 429, 500, 501, 502, 503, 504, 599])
def test_get_is_retried(run: Run, clock: FakeTime, status: int) -> None:
    """A GET that fails twice succeeds in the third attempt, after two growing waits."""
    service = Service(failing(status), failing(status), visitor())
    assert VISITOR["id"] == str(run(service, me).id)
    assert 3 == len(service.requests)
    assert [True, True] == [
        limit(attempt) / 2 <= wait <= limit(attempt) for attempt, wait in enumerate(clock.slept)
    ]


@pytest.mark.parametrize("status", [300, 302, 304, 400, 401, 402, 403, 404, 409, 418, 422])
@pytest.mark.parametrize("step", [me, send])
def test_refusal_is_final(run: Run, clock: FakeTime, step: Step, status: int) -> None:
    """A refused call is not retried, even with a stated wait."""
    service = Service(failing(status, wait=1))
    with pytest.raises(APIStatusError):
        run(service, step)
    assert (1, []) == (len(service.requests), clock.slept)


@pytest.mark.parametrize("step", [send, start, chat])
@pytest.mark.parametrize(
    "answer",
    [
        *(failing(status) for status in (408, 500, 502, 503, 504, 599, 777)),
        failing(500, retry_after="1"),
        failing(503, retry_after="soon"),
        failing(503, retry_after="-1"),
        failing(503, wait=None),
    ],
    ids=[
        *("408", "500", "502", "503", "504", "599", "777"),
        *("500, wait", "503, invalid", "503, negative", "503, null"),
    ],
)
def test_post_is_not_retried_after_a_failure(
    run: Run, clock: FakeTime, step: Step, answer: httpx.Response
) -> None:
    """A POST that the service may have processed is not repeated."""
    service = Service(answer)
    with pytest.raises(APIStatusError):
        run(service, step)
    assert (1, []) == (len(service.requests), clock.slept)


@pytest.mark.parametrize("step", POSTS)
@pytest.mark.parametrize(
    "refusal",
    [
        failing(429),
        failing(429, retry_after="1"),
        failing(429, retry_after="soon"),
        failing(503, wait=1),
        failing(503, retry_after="1"),
        failing(503, retry_after="0"),
        failing(503, retry_after="Mon, 01 Jan 1990 00:00:00 GMT"),
    ],
    ids=[
        *("429", "429 with wait", "429 with invalid wait", "503 with detail", "503 with seconds"),
        *("503 with zero", "503 with date"),
    ],
)
def test_refused_post_is_retried(
    run: Run, clock: FakeTime, step: Step, refusal: httpx.Response
) -> None:
    """A POST that the service states not to have processed is repeated unchanged."""
    service = Service(refusal, refusal, POSTS[step])
    run(service, step)
    requests = [(request.url, request.content, request.headers) for request in service.requests]
    assert 3 * [requests[0]] == requests
    assert 2 == len(clock.slept)


NEVER_OPENED = [
    httpx.ConnectError("x"),
    httpx.ConnectTimeout("x"),
    httpx.PoolTimeout("x"),
    # The proxy did not open the tunnel.
    httpx.ProxyError("x"),
]
BROKE_LATER = [
    httpx.ReadError("x"),
    httpx.ReadTimeout("x"),
    httpx.WriteError("x"),
    httpx.WriteTimeout("x"),
    httpx.CloseError("x"),
    httpx.RemoteProtocolError("x"),
]


@pytest.mark.parametrize(
    "error", NEVER_OPENED + BROKE_LATER, ids=lambda value: type(value).__name__
)
def test_get_is_retried_after_any_connection_error(
    run: Run, clock: FakeTime, error: Exception
) -> None:
    """A GET is retried after any connection error, since repeating it is harmless."""
    service = Service(error, error, visitor())
    assert VISITOR["id"] == str(run(service, me).id)
    assert (3, 2) == (len(service.requests), len(clock.slept))


@pytest.mark.parametrize("error", NEVER_OPENED, ids=lambda value: type(value).__name__)
@pytest.mark.usefixtures("clock")
def test_post_is_retried_if_no_connection_opened(run: Run, error: Exception) -> None:
    """A POST is repeated if no connection was opened, since it was never sent."""
    service = Service(error, error, completion())
    assert "Hello." == run(service, send).text
    assert 3 == len(service.requests)


@pytest.mark.parametrize("step", [send, chat])
@pytest.mark.parametrize("error", BROKE_LATER, ids=lambda value: type(value).__name__)
def test_post_is_not_retried_after_a_broken_connection(
    run: Run, clock: FakeTime, step: Step, error: Exception
) -> None:
    """A POST is not repeated if it may have reached the service."""
    service = Service(error)
    with pytest.raises(APIConnectionError):
        run(service, step)
    assert (1, []) == (len(service.requests), clock.slept)


def test_invalid_compression_is_not_retried(run: Run, clock: FakeTime) -> None:
    """A response that cannot be decompressed is final: the next one would be the same."""
    service = Service(httpx.DecodingError("x"))
    with pytest.raises(SiteAssistError, match="cannot decode"):
        run(service, me)
    assert (1, []) == (len(service.requests), clock.slept)


# The number of attempts


@pytest.mark.parametrize("step", [me, *POSTS])
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
@pytest.mark.parametrize("where", ["client", "call"])
def test_retries_are_counted(
    run: Run, clock: FakeTime, step: Callable[..., Any], retries: int, where: str
) -> None:
    """The call's number of retries overrides the client's; the last error is raised."""
    service = Service(*(failing(429, number) for number in range(10)))
    own = {"max_retries": retries} if where == "client" else {"max_retries": 1}
    call = {"max_retries": retries} if where == "call" else {}
    with pytest.raises(TooManyRequestsError) as caught:
        run(service, lambda client: step(client, **call), **own)
    assert (retries + 1, f"No. {retries}") == (len(service.requests), caught.value.message)
    assert retries == len(clock.slept)


@pytest.mark.usefixtures("clock")
def test_default_is_two_retries(run: Run) -> None:
    """The default is two retries, as documented."""
    service = Service(failing(500))
    with pytest.raises(InternalServerError):
        run(service, me)
    assert 3 == len(service.requests)


@pytest.mark.usefixtures("clock")
def test_last_error_is_raised(run: Run) -> None:
    """The last error is raised, without an earlier one as its cause."""
    service = Service(failing(500), failing(503), httpx.ReadError("reset"))
    with pytest.raises(APIConnectionError, match="reset") as caught:
        run(service, me)
    assert isinstance(caught.value.__cause__, httpx.ReadError)
    service = Service(httpx.ReadError("reset"), failing(503), failing(500))
    with pytest.raises(InternalServerError) as status:
        run(service, me)
    assert None is status.value.__cause__


@pytest.mark.usefixtures("clock")
def test_timeout_after_retries_states_the_attempts(run: Run) -> None:
    """The message of a timeout after retries states the number of attempts."""
    service = Service(failing(500), failing(500), httpx.ReadTimeout("x"))
    with pytest.raises(APITimeoutError, match=r"within 60 s \(3 attempts\)$"):
        run(service, me)


# Stated waits


@pytest.mark.parametrize("step", [me, chat])
@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (failing(429, wait=3), 3),
        (failing(429, wait="3"), 3),
        (failing(429, retry_after="3"), 3),
        (failing(429, retry_after="7.5"), 7.5),
        (failing(429, wait=2, retry_after="3"), 3),
        (failing(429, wait=3, retry_after="2"), 3),
        (failing(503, wait=-9, retry_after="3"), 3),
        (failing(503, wait=3, retry_after="nan"), 3),
        (failing(429, retry_after="Mon, 01 Jan 1990 00:00:00 GMT"), 0),
        (failing(429), None),
        (failing(429, retry_after="-5"), None),
        (failing(429, retry_after="1e999"), None),
    ],
)
def test_stated_wait_is_kept(
    run: Run, clock: FakeTime, step: Step, refusal: httpx.Response, wait: float | None
) -> None:
    """The wait is the stated one plus some jitter, or else the back-off."""
    run(Service(refusal, visitor() if step is me else spoken()), step)
    (slept,) = clock.slept
    if wait is None:
        assert limit(0) / 2 <= slept <= limit(0)
    else:
        assert wait + limit(0) / 20 <= slept <= wait + limit(0) / 10


@pytest.mark.parametrize(
    ("settings", "wait", "slept"),
    [
        ({}, 60, True),
        ({}, 61, False),
        ({"max_retry_wait": 5}, 5, True),
        ({"max_retry_wait": 5}, 5.1, False),
        ({"max_retry_wait": 4000}, 3600, True),
        ({"max_retry_wait": float("inf")}, 10**6, True),
    ],
)
def test_wait_over_max_retry_wait_is_not_begun(
    run: Run, clock: FakeTime, settings: dict[str, Any], wait: float, *, slept: bool
) -> None:
    """Over `max_retry_wait` the error is raised at once and states the wait."""
    service = Service(failing(429, wait=wait), visitor())
    if slept:
        run(service, me, timeout=None, **settings)
    else:
        with pytest.raises(TooManyRequestsError) as caught:
            run(service, me, timeout=None, **settings)
        assert wait == caught.value.retry_after
    assert ([True] if slept else []) == [wait <= found <= wait + 1 for found in clock.slept]


@pytest.mark.parametrize("detail", [-5, "soon", True, [5], "nan"], ids=repr)
def test_invalid_wait_is_ignored(run: Run, clock: FakeTime, detail: object) -> None:
    """An invalid wait is ignored: a GET backs off, and a POST is not repeated after a 503."""
    run(Service(failing(429, wait=detail), visitor()), me)
    assert [True] == [limit(0) / 2 <= wait <= limit(0) for wait in clock.slept]
    service = Service(failing(503, wait=detail), completion())
    with pytest.raises(ServiceUnavailableError) as caught:
        run(service, send)
    assert (1, None) == (len(service.requests), caught.value.retry_after)


# The timeout of the call


@pytest.mark.parametrize("where", ["client", "call"])
def test_retries_stay_within_the_timeout(run: Run, clock: FakeTime, where: str) -> None:
    """The waits of all retries stay within the timeout of the call."""
    service = Service(*(failing(500, number) for number in range(100)))
    own, call = ({"timeout": 3}, {}) if where == "client" else ({}, {"timeout": 3})
    with pytest.raises(InternalServerError) as caught:
        run(service, lambda client: me(client, max_retries=1000, **call), **own)
    assert sum(clock.slept) < 3
    # The waits are at most 0.5, 1 and 2 seconds, so at least two fit in.
    assert 3 <= len(service.requests) <= 5
    assert f"No. {len(service.requests) - 1}" == caught.value.message


def test_timeout_includes_the_responses(run: Run, clock: FakeTime) -> None:
    """The timeout includes the time until each response."""
    requests = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        clock.now += 6
        return failing(500)

    with pytest.raises(InternalServerError):
        run(handler, me, timeout=10, max_retries=1000)
    assert 2 == len(requests)


FAR = (datetime.now(UTC) + timedelta(days=400)).strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize("step", [me, *POSTS])
@pytest.mark.parametrize(
    ("answer", "settings", "stated"),
    [
        (failing(429, retry_after="61"), {}, 61),
        (failing(429, wait=10), {"timeout": 5}, 10),
        (failing(503, wait=10**300), {"timeout": None}, 1e300),
        (failing(429, retry_after=FAR), {"timeout": None}, 400 * 86400),
    ],
    ids=["default limit", "timeout of the call", "huge number", "distant date"],
)
def test_too_long_wait_is_not_begun(
    run: Run,
    clock: FakeTime,
    step: Step,
    answer: httpx.Response,
    settings: dict[str, Any],
    stated: float,
) -> None:
    """A wait over the limit, or over the remaining time, is left to the caller."""
    service = Service(answer)
    with pytest.raises(APIStatusError) as caught:
        run(service, step, **settings)
    assert (1, []) == (len(service.requests), clock.slept)
    # The date is relative to the moment at which this module was imported.
    assert pytest.approx(stated, rel=0.001) == caught.value.retry_after


@pytest.mark.usefixtures("clock")
def test_each_attempt_gets_the_remaining_time(run: Run) -> None:
    """The timeouts passed to httpx shrink from attempt to attempt."""
    service = Service(failing(429, wait=4), failing(429, wait=4), visitor())
    run(service, me, timeout=20)
    limits = [request.extensions["timeout"] for request in service.requests]
    assert 20.0 == limits[0]["read"]
    assert 15.9 < limits[1]["read"] <= 16.0
    assert 11.8 < limits[2]["read"] <= 12.0
    assert all(len(set(found.values())) == 1 for found in limits)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("timeout", [None, float("inf")])
def test_no_timeout_is_passed_to_httpx(run: Run, timeout: float | None) -> None:
    """Without a timeout httpx gets none either, instead of its default of five seconds."""
    service = Service(failing(500), visitor())
    run(service, me, timeout=timeout)
    nothing = {"connect": None, "read": None, "write": None, "pool": None}
    assert [nothing, nothing] == [request.extensions["timeout"] for request in service.requests]


# Streams and sessions


@pytest.mark.usefixtures("clock")
def test_refused_stream_is_retried(run: Run) -> None:
    """A stream is retried before its first event."""
    service = Service(failing(429), httpx.ConnectError("x"), spoken())
    _, events = run(service, chat)
    assert ["start", "finish"] == [event.type_ for event in events]


@pytest.mark.usefixtures("clock")
def test_start_of_a_session_is_retried(run: Run) -> None:
    """The start of a session, a POST, is retried by the same rules; then the call is made."""
    session = httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
    service = Service(failing(429), failing(503, retry_after="1"), session, visitor())
    run(service, me, token=None, api_key="pk_1")
    paths = [request.url.path for request in service.requests]
    assert [*(3 * ["/v2/identity/init"]), "/v2/identity/me"] == paths


@pytest.mark.usefixtures("clock")
def test_call_without_retries_starts_its_session_once(run: Run) -> None:
    """A call's `max_retries` also applies to the start of its session."""
    service = Service(failing(429))
    with pytest.raises(TooManyRequestsError):
        run(service, lambda client: me(client, max_retries=0), token=None, api_key="pk_1")
    assert 1 == len(service.requests)


def test_timeout_includes_the_start_of_the_session(run: Run, clock: FakeTime) -> None:
    """The timeout of a call includes the start of its session."""
    limits = []

    def handler(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        clock.now += 4
        if request.url.path.endswith("/init"):
            return httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
        return visitor()

    run(handler, me, token=None, api_key="pk_1", timeout=10)
    assert [10.0, 6.0] == limits
