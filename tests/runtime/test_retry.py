"""What is made again, how often, after which wait; and what is never sent twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any, Self

import httpx
import pytest

from siteassist import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncSiteAssist,
    InternalServerError,
    ServiceUnavailableError,
    SiteAssist,
    SiteAssistError,
    TooManyRequestsError,
)
from siteassist_runtime import async_driver, calls, deadline, retry, sync_driver
from siteassist_runtime.operation import OperationInfo

BASE_URL = "http://127.0.0.1/v2"
CONVERSATION = "7f3e2d1c-0b9a-4887-a6f5-e4d3c2b1a098"
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
COMPLETION = {
    "object": "chat.completion",
    "model": "m",
    "steps": [{"content": [{"type": "text", "text": "Hello."}], "usage": {}}],
}

Run = Callable[..., Any]
Handler = Callable[[httpx.Request], httpx.Response]


class FakeTime:
    """A clock that moves only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.sleep(seconds)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Give the runtime a clock of the test's."""
    clock = FakeTime()
    modules: tuple[ModuleType, ...] = (sync_driver, calls, deadline)
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(async_driver, "sleep", clock.sleep_async)
    return clock


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Take a step with a client of either kind."""

    def run(handler: Handler, step: Callable[[Any], Any], **settings: Any) -> Any:
        settings = {"token": "a-token", "base_url": BASE_URL, **settings}
        transport = httpx.MockTransport(handler)
        if request.param == "sync":
            with SiteAssist(transport=transport, **settings) as client:
                return step(client)

        async def main() -> Any:
            async with AsyncSiteAssist(transport=transport, **settings) as client:
                return await step(client)

        return asyncio.run(main())

    return run


class Service:
    """Gives one answer after the other, and the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        """Take the answers; an exception is what befalls the connection."""
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        # A new one each time, since a client binds an answer to its request.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def failing(status: int, number: int = 0, wait: object = None, **headers: str) -> httpx.Response:
    """Return an answer with an error status, a number to tell it by, and a stated wait."""
    details = {} if wait is None else {"retryAfter": wait}
    body = {"error": {"message": f"No. {number}", "code": "no", "details": details}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=json.dumps(body), headers=named)


def visitor() -> httpx.Response:
    """Return a success of `read`."""
    return httpx.Response(200, json=VISITOR)


def completion() -> httpx.Response:
    """Return a success of `write`."""
    return httpx.Response(200, json=COMPLETION)


def read(client: Any, **rest: Any) -> Any:
    """Make a call that changes nothing."""
    return client.get_me(**rest)


def write(client: Any, **rest: Any) -> Any:
    """Make a call that must never be delivered twice."""
    return client.send_message(CONVERSATION, content="Hi", **rest)


# How long


def limit(attempt: int) -> float:
    """Return the longest back-off after an attempt."""
    return float(min(0.5 * 2**attempt, 8.0))


@pytest.mark.parametrize("attempt", [0, 1, 2, 3, 4, 5, 20])
def test_backoff_is_between_half_of_the_limit_and_the_limit(
    attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit doubles from half a second to eight, and the wait is drawn below it."""
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    monkeypatch.setattr(random, "uniform", uniform)
    assert limit(attempt) / 2 == retry.backoff(attempt)
    assert [(limit(attempt) / 2, limit(attempt))] == drawn


def test_backoff_differs_from_client_to_client() -> None:
    """Clients that failed together come back one by one."""
    waits = {retry.backoff(3) for _ in range(50)}
    assert 40 < len(waits)
    assert all(2.0 <= wait <= 4.0 for wait in waits)


@pytest.mark.parametrize("attempt", [1023, 1024, 10**6])
def test_backoff_has_no_last_attempt(attempt: int) -> None:
    """A program that tries for days goes on with the longest wait."""
    assert 4.0 <= retry.backoff(attempt) <= 8.0


NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be `NOW`."""

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
    """Seconds, or one of HTTP's three forms of a date, or the detail of the error."""
    headers = {} if header is None else {"retry-after": header}
    details = None if detail is None else {"retryAfter": detail}
    assert expected == retry.stated_wait(headers, details)


ABSURD = [
    *(-1, -0.5, float("nan"), float("inf"), float("-inf"), True, False, None, "", "soon", "-3"),
    *("nan", "inf", "1e999", [5], [], {"seconds": 5}, 10**400, "9" * 400),
]


@pytest.mark.parametrize("detail", ABSURD, ids=lambda value: repr(value)[:20])
def test_absurd_detail_says_nothing(detail: object) -> None:
    """What is no number of seconds is as good as nothing; the header still counts."""
    assert None is retry.stated_wait({}, {"retryAfter": detail})
    assert 2.0 == retry.stated_wait({"retry-after": "2"}, {"retryAfter": detail})


@pytest.mark.parametrize(
    "header",
    [
        *("", "soon", "-1", "nan", "inf", "-inf", "1e999", "9" * 400, "1, 2", "1 2", ",", "1;2"),
        *("Sat, 99 Mar 2025 12:00:30 GMT", "Sat, 01 Mar 99999 12:00:30 GMT", "Sat", "01 Mar"),
        "Sat, 01 Mar 2025 12:00:30 +9999",
        "Sat, 01 Mar 2025 12:00:30 +99999999999999999999",
        "Sat, 01 Mar 99999999999999999999 12:00:30 GMT",
        "Sat, 01 Mar 2025 99999999999999999999:00:00 GMT",
    ],
)
def test_absurd_header_says_nothing(header: str) -> None:
    """What is neither seconds nor a date is as good as nothing; the detail still counts."""
    assert None is retry.stated_wait({"retry-after": header}, None)
    assert 2.0 == retry.stated_wait({"retry-after": header}, {"retryAfter": 2})


# Whether

STATUSES = (302, 400, 401, 402, 403, 404, 408, 409, 418, 422, 429, 500, 501, 502, 503, 504, 599)


@pytest.mark.parametrize("stated", [None, 0.0, 3.0])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_statuses_after_which_a_call_is_made_again(method: str, stated: float | None) -> None:
    """Reading: 408, 429 and 5xx. All else: 429, and 503 if the service states a wait."""
    operation = OperationInfo("anything", method, bearer=True)
    found = {status for status in STATUSES if retry.may_repeat(operation, status, stated)}
    if method == "GET":
        assert {408, 429, 500, 501, 502, 503, 504, 599} == found
    else:
        assert ({429} if stated is None else {429, 503}) == found


def test_status_beyond_599_is_no_reason_to_ask_again() -> None:
    """HTTP has no such class, so nothing is known about it."""
    assert not retry.may_repeat(OperationInfo("anything", "GET", bearer=True), 777, None)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_reading_is_tried_again(run: Run, clock: FakeTime, status: int) -> None:
    """Two failures and a success are a success, after two growing waits."""
    service = Service(failing(status), failing(status), visitor())
    assert VISITOR["id"] == str(run(service, read).id)
    assert 3 == len(service.requests)
    assert [True, True] == [
        limit(attempt) / 2 <= wait <= limit(attempt) for attempt, wait in enumerate(clock.slept)
    ]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 418, 422])
@pytest.mark.parametrize("step", [read, write])
def test_refusal_is_final(
    run: Run, clock: FakeTime, step: Callable[[Any], Any], status: int
) -> None:
    """What the service does not want it is not asked again, whatever wait it states."""
    service = Service(failing(status, wait=1))
    with pytest.raises(APIStatusError):
        run(service, step)
    assert (1, []) == (len(service.requests), clock.slept)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_message_is_not_sent_twice_after_a_failure(run: Run, clock: FakeTime, status: int) -> None:
    """The service may have taken it, so it is not sent again."""
    service = Service(failing(status))
    with pytest.raises(APIStatusError):
        run(service, write)
    assert (1, []) == (len(service.requests), clock.slept)


@pytest.mark.parametrize(
    "refusal",
    [
        failing(429),
        failing(429, retry_after="1"),
        failing(503, wait=1),
        failing(503, retry_after="1"),
        failing(503, retry_after="Mon, 01 Jan 1990 00:00:00 GMT"),
    ],
    ids=["429", "429 with wait", "503 with detail", "503 with seconds", "503 with date"],
)
@pytest.mark.usefixtures("clock")
def test_message_that_was_not_taken_is_sent_again(run: Run, refusal: httpx.Response) -> None:
    """The service said that it did not take it; the second request is the same as the first."""
    service = Service(refusal, completion())
    assert "Hello." == run(service, write).text
    first, second = service.requests
    assert (first.url, first.content, first.headers) == (
        second.url,
        second.content,
        second.headers,
    )


NEVER_OPENED = [
    httpx.ConnectError("x"),
    httpx.ConnectTimeout("x"),
    httpx.PoolTimeout("x"),
    # The tunnel was not made.
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
def test_reading_is_tried_again_after_any_broken_connection(
    run: Run, clock: FakeTime, error: Exception
) -> None:
    """Asking twice does no harm."""
    service = Service(error, error, visitor())
    assert VISITOR["id"] == str(run(service, read).id)
    assert (3, 2) == (len(service.requests), len(clock.slept))


@pytest.mark.parametrize("error", NEVER_OPENED, ids=lambda value: type(value).__name__)
@pytest.mark.usefixtures("clock")
def test_message_is_sent_again_if_no_connection_opened(run: Run, error: Exception) -> None:
    """It never left."""
    service = Service(error, error, completion())
    assert "Hello." == run(service, write).text
    assert 3 == len(service.requests)


@pytest.mark.parametrize("error", BROKE_LATER, ids=lambda value: type(value).__name__)
def test_message_is_not_sent_again_if_the_connection_broke(
    run: Run, clock: FakeTime, error: Exception
) -> None:
    """It may have arrived."""
    service = Service(error)
    with pytest.raises(APIConnectionError):
        run(service, write)
    assert (1, []) == (len(service.requests), clock.slept)


def test_answer_that_cannot_be_unpacked_is_not_asked_for_again(run: Run, clock: FakeTime) -> None:
    """It would come the same way again."""
    service = Service(httpx.DecodingError("x"))
    with pytest.raises(SiteAssistError, match="cannot decode"):
        run(service, read)
    assert (1, []) == (len(service.requests), clock.slept)


# How often


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
@pytest.mark.parametrize("where", ["client", "call"])
def test_retries_are_counted(run: Run, retries: int, where: str) -> None:
    """As many as the client or the call says; the error that is raised is the last one."""
    service = Service(*(failing(500, number) for number in range(10)))
    own = {"max_retries": retries} if where == "client" else {"max_retries": 1}
    call = {"max_retries": retries} if where == "call" else {}
    with pytest.raises(InternalServerError) as caught:
        run(service, lambda client: read(client, **call), **own)
    assert (retries + 1, f"No. {retries}") == (len(service.requests), caught.value.message)


@pytest.mark.usefixtures("clock")
def test_two_retries_unless_told_otherwise(run: Run) -> None:
    """The default is what the documentation says."""
    service = Service(failing(500))
    with pytest.raises(InternalServerError):
        run(service, read)
    assert 3 == len(service.requests)


@pytest.mark.usefixtures("clock")
def test_last_error_is_raised_whatever_came_before(run: Run) -> None:
    """A broken connection after an error status is a broken connection."""
    service = Service(failing(500), failing(503), httpx.ReadError("reset"))
    with pytest.raises(APIConnectionError, match="reset") as caught:
        run(service, read)
    assert isinstance(caught.value.__cause__, httpx.ReadError)
    service = Service(httpx.ReadError("reset"), failing(503), failing(500))
    with pytest.raises(InternalServerError) as status:
        run(service, read)
    assert None is status.value.__cause__


@pytest.mark.usefixtures("clock")
def test_timeout_after_retries_tells_the_attempts(run: Run) -> None:
    """Somebody who wonders what took so long finds it in the words."""
    service = Service(failing(500), failing(500), httpx.ReadTimeout("x"))
    with pytest.raises(APITimeoutError, match=r"within 60 s \(3 attempts\)$"):
        run(service, read)


# Stated waits


@pytest.mark.parametrize(
    "refusal",
    [failing(429, wait=3), failing(429, retry_after="3"), failing(429, wait=2, retry_after="3")],
    ids=["detail", "header", "both"],
)
def test_stated_wait_is_kept_and_a_little_added(
    run: Run, clock: FakeTime, refusal: httpx.Response
) -> None:
    """Never too early, and not all clients at the same moment."""
    run(Service(refusal, visitor()), read)
    assert 1 == len(clock.slept)
    assert 3.0 + limit(0) / 20 <= clock.slept[0] <= 3.0 + limit(0) / 10


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
def test_wait_beyond_the_cap_is_not_begun(
    run: Run, clock: FakeTime, settings: dict[str, Any], wait: float, *, slept: bool
) -> None:
    """The error is raised at once, and says how long to wait."""
    service = Service(failing(429, wait=wait), visitor())
    if slept:
        run(service, read, timeout=None, **settings)
    else:
        with pytest.raises(TooManyRequestsError) as caught:
            run(service, read, timeout=None, **settings)
        assert wait == caught.value.retry_after
    assert ([True] if slept else []) == [wait <= found <= wait + 1 for found in clock.slept]


@pytest.mark.parametrize("detail", [-5, "soon", True, [5], "nan"], ids=repr)
def test_absurd_wait_counts_as_none(run: Run, clock: FakeTime, detail: object) -> None:
    """The back-off takes its place; a message is not sent again after a 503 that says nonsense."""
    run(Service(failing(429, wait=detail), visitor()), read)
    assert [True] == [limit(0) / 2 <= wait <= limit(0) for wait in clock.slept]
    service = Service(failing(503, wait=detail), completion())
    with pytest.raises(ServiceUnavailableError) as caught:
        run(service, write)
    assert (1, None) == (len(service.requests), caught.value.retry_after)


# The whole call in time


@pytest.mark.parametrize("where", ["client", "call"])
def test_retries_end_with_the_time_of_the_call(run: Run, clock: FakeTime, where: str) -> None:
    """However many retries there may be, their waits stay within the limit."""
    service = Service(*(failing(500, number) for number in range(100)))
    own, call = ({"timeout": 3}, {}) if where == "client" else ({}, {"timeout": 3})
    with pytest.raises(InternalServerError) as caught:
        run(service, lambda client: read(client, max_retries=1000, **call), **own)
    assert sum(clock.slept) < 3
    # Waits of at most 0.5, 1 and 2 seconds: two at least fit in.
    assert 3 <= len(service.requests) <= 5
    assert f"No. {len(service.requests) - 1}" == caught.value.message


def test_time_that_answers_take_counts(run: Run, clock: FakeTime) -> None:
    """The limit is on the whole call, not on its waits only."""
    requests = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        clock.now += 6
        return failing(500)

    with pytest.raises(InternalServerError):
        run(handler, read, timeout=10, max_retries=1000)
    assert 2 == len(requests)


def test_wait_that_does_not_fit_is_not_begun(run: Run, clock: FakeTime) -> None:
    """Nobody waits ten seconds to be told that five have passed."""
    service = Service(failing(429, wait=10), visitor())
    with pytest.raises(TooManyRequestsError):
        run(service, read, timeout=5)
    assert (1, []) == (len(service.requests), clock.slept)


@pytest.mark.usefixtures("clock")
def test_each_attempt_gets_the_time_that_is_left(run: Run) -> None:
    """The limits that httpx is given shrink from attempt to attempt."""
    service = Service(failing(429, wait=4), failing(429, wait=4), visitor())
    run(service, read, timeout=20)
    limits = [request.extensions["timeout"] for request in service.requests]
    assert 20.0 == limits[0]["read"]
    assert 15.9 < limits[1]["read"] <= 16.0
    assert 11.8 < limits[2]["read"] <= 12.0
    assert all(len(set(found.values())) == 1 for found in limits)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("timeout", [None, float("inf")])
def test_no_limit_is_no_limit(run: Run, timeout: float | None) -> None:
    """Httpx's own default of five seconds does not come in through the back door."""
    service = Service(failing(500), visitor())
    run(service, read, timeout=timeout)
    nothing = {"connect": None, "read": None, "write": None, "pool": None}
    assert [nothing, nothing] == [request.extensions["timeout"] for request in service.requests]


# Streams and sessions


async def _events(stream: Any) -> list[Any]:
    async with stream:
        return [event async for event in stream]


def chat(client: Any) -> Any:
    """Send a message and read the answer as it comes."""
    stream = client.send_message_stream(CONVERSATION, content="Hi")
    if isinstance(client, AsyncSiteAssist):
        return _events(stream)
    with stream:
        return list(stream)


@pytest.fixture
def spoken() -> httpx.Response:
    """Give the answer of a service that streams."""
    data = ('{"type":"start"}', '{"type":"finish"}', "[DONE]")
    content = "".join(f"data: {line}\n\n" for line in data).encode()
    return httpx.Response(200, content=content, headers={"Content-Type": "text/event-stream"})


@pytest.mark.usefixtures("clock")
def test_stream_that_was_refused_is_asked_for_again(run: Run, spoken: httpx.Response) -> None:
    """Before its first event, a stream is like any other call."""
    service = Service(failing(429), httpx.ConnectError("x"), spoken)
    assert ["start", "finish"] == [event.type_ for event in run(service, chat)]


@pytest.mark.parametrize("failure", [failing(500), failing(503), httpx.ReadError("x")])
def test_streamed_message_is_not_sent_twice(
    run: Run, clock: FakeTime, failure: httpx.Response | Exception
) -> None:
    """The same rules hold for it."""
    service = Service(failure)
    with pytest.raises((APIStatusError, APIConnectionError)):
        run(service, chat)
    assert (1, []) == (len(service.requests), clock.slept)


@pytest.mark.usefixtures("clock")
def test_start_of_a_session_is_tried_again_by_the_same_rules(run: Run) -> None:
    """It is a POST: after a 429 it is repeated, and then comes the call itself."""
    session = httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
    service = Service(failing(429), session, visitor())
    run(service, read, token=None, api_key="pk_1")
    paths = [request.url.path for request in service.requests]
    assert ["/v2/identity/init", "/v2/identity/init", "/v2/identity/me"] == paths


@pytest.mark.usefixtures("clock")
def test_call_without_retries_starts_its_session_without(run: Run) -> None:
    """What a call says holds for all that is done for it."""
    service = Service(failing(429))
    with pytest.raises(TooManyRequestsError):
        run(service, lambda client: read(client, max_retries=0), token=None, api_key="pk_1")
    assert 1 == len(service.requests)


def test_time_for_a_session_is_time_of_the_call(run: Run, clock: FakeTime) -> None:
    """What the session takes, the call has no more."""
    limits = []

    def handler(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        clock.now += 4
        if request.url.path.endswith("/init"):
            return httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
        return visitor()

    run(handler, read, token=None, api_key="pk_1", timeout=10)
    assert [10.0, 6.0] == limits


def test_date_far_ahead_is_beyond_every_cap(run: Run, clock: FakeTime) -> None:
    """A wait of years is not begun."""
    year = (datetime.now(UTC) + timedelta(days=400)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with pytest.raises(TooManyRequestsError) as caught:
        run(Service(failing(429, retry_after=year)), read)
    assert [] == clock.slept
    assert caught.value.retry_after is not None
    assert 399 * 86400 < caught.value.retry_after <= 400 * 86400
