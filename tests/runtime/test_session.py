"""Visitors' sessions start by themselves, once, and again when they have expired."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from siteassist import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AsyncSiteAssist,
    CredentialsError,
    SiteAssist,
    SiteAssistError,
    UnauthorizedError,
)
from siteassist.errors import STATUS_ERRORS

BASE_URL = "http://127.0.0.1/v2"
KEY = "pk_test_1"
CONVERSATION = "7f3e2d1c-0b9a-4887-a6f5-e4d3c2b1a098"
PROJECT = "0b9a4887-a6f5-4e4d-83c2-b1a0987f3e2d"
CALLERS = 8
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
BODIES = {
    "/v2/identity/me": VISITOR,
    f"/v2/conversations/{CONVERSATION}/messages": {
        "object": "chat.completion",
        "model": "m",
        "steps": [{"content": [{"type": "text", "text": "Hello."}], "usage": {}}],
    },
    "/v2/search": {"object": "list", "results": []},
    f"/v2/projects/{PROJECT}/qnas/{CONVERSATION}": {
        "object": "qna",
        "id": CONVERSATION,
        "question": "What is it?",
        "answer": "It.",
        "createdAt": "2025-01-01T00:00:00Z",
        "updatedAt": "2025-01-01T00:00:00Z",
    },
}

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Take steps, one after the other, with a client of either kind."""

    def run(handler: Any, *steps: Callable[[Any], Any], **settings: Any) -> list[Any]:
        settings = {"base_url": BASE_URL, "max_retries": 0, **settings}
        transport = httpx.MockTransport(handler)
        if request.param == "sync":
            with SiteAssist(transport=transport, **settings) as client:
                return [step(client) for step in steps]

        async def main() -> list[Any]:
            async with AsyncSiteAssist(transport=transport, **settings) as client:
                found = []
                for step in steps:
                    result = step(client)
                    found.append(await result if isinstance(result, Awaitable) else result)
                return found

        return asyncio.run(main())

    return run


class Service:
    """Starts sessions with the tokens 1, 2, 3 …, and takes those that it is told to."""

    def __init__(self, *expired: str, tokens: tuple[object, ...] = ()) -> None:
        """Take the tokens that are refused, and what to give instead of numbers."""
        self.expired = set(expired)
        self._tokens = tokens
        self.requests: list[httpx.Request] = []
        self.inits: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def seen(self) -> list[str]:
        """Each request as its last word and its token."""
        return [
            f"{request.url.path.rpartition('/')[2]} {_token(request)}".strip()
            for request in self.requests
        ]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        with self._lock:
            self.requests.append(request)
            if request.url.path == "/v2/identity/init":
                self.inits.append(json.loads(request.content))
                number = len(self.inits)
                token = self._tokens[number - 1] if self._tokens else str(number)
                return httpx.Response(201, json={"sessionToken": token, "visitor": VISITOR})
        if _token(request) in self.expired:
            return httpx.Response(401, json={"error": {"code": "expired", "message": "Expired."}})
        return httpx.Response(200, json=BODIES[request.url.path])


def _token(request: httpx.Request) -> str:
    return str(request.headers.get("authorization", "")).removeprefix("Bearer ")


def read(client: Any) -> Any:
    """Read, as a visitor."""
    return client.get_me()


def write(client: Any) -> Any:
    """Write, as a visitor."""
    return client.send_message(CONVERSATION, content="Hi")


def search(client: Any) -> Any:
    """Do what takes no visitor."""
    return client.search(q="shipping")


# When it is needed


def test_session_starts_with_the_first_call_that_needs_one(run: Run) -> None:
    """A search needs none, and two calls share one."""
    service = Service()
    run(service, search, read, write, api_key=KEY, device_id="device-1")
    assert ["search", "init", "me 1", "messages 1"] == service.seen
    assert [{"apiKey": KEY, "saVid": "device-1"}] == service.inits


def test_device_that_was_made_up_is_the_one_that_is_sent(run: Run) -> None:
    """So a program can keep it, and get its visitor back."""
    service = Service()
    device, _ = run(service, lambda client: client.device_id, read, api_key=KEY)
    assert device == service.inits[0]["saVid"]
    assert 36 == len(device)


def test_client_with_a_token_never_starts_a_session(run: Run) -> None:
    """Not even if the service refuses the token: there is nothing to renew it with."""
    service = Service("sk_private")
    with pytest.raises(UnauthorizedError) as caught:
        run(service, read, token="sk_private", api_key=KEY)
    assert ["me sk_private"] == service.seen
    assert ("getMe", "expired") == (caught.value.operation, caught.value.code)


def test_client_with_token_and_key_uses_each_where_it_belongs(run: Run) -> None:
    """The token for the visitor, the key for what takes a key."""
    service = Service()
    run(service, read, search, token="sk_private", api_key=KEY)
    assert ["me sk_private", "search"] == service.seen
    assert KEY == service.requests[1].url.params["apiKey"]


@pytest.mark.parametrize("settings", [{}, {"device_id": "device-1"}], ids=["nothing", "device"])
def test_client_without_a_credential_says_what_to_do(run: Run, settings: dict[str, str]) -> None:
    """Before anything is sent; the words name the arguments and the environment."""
    service = Service()
    with pytest.raises(CredentialsError) as caught:
        run(service, read, **settings)
    assert "getMe" == caught.value.operation
    for name in ("api_key=", "token=", "SITEASSIST_API_KEY", "SITEASSIST_TOKEN"):
        assert name in str(caught.value)
    assert [] == service.requests


@pytest.mark.parametrize(
    ("step", "operation"),
    [
        (search, "search"),
        (lambda client: client.get_project(), "getProject"),
        (lambda client: client.init(), "init"),
    ],
    ids=["search", "get_project", "init"],
)
@pytest.mark.parametrize("settings", [{}, {"token": "t"}], ids=["nothing", "token"])
def test_call_that_takes_a_key_says_if_there_is_none(
    run: Run, step: Callable[[Any], Any], operation: str, settings: dict[str, str]
) -> None:
    """A token is no key; the words name the operation, as those of every call."""
    words = r"api_key is needed.*SITEASSIST_API_KEY"
    with pytest.raises(CredentialsError, match=words) as caught:
        run(Service(), step, **settings)
    assert operation == caught.value.operation


def test_call_that_takes_a_key_takes_the_one_that_it_is_given(run: Run) -> None:
    """The client's own otherwise; one without a credential will do."""
    service = Service()
    run(service, lambda client: client.search(q="x", api_key="pk_other"))
    run(service, lambda client: client.search(q="x", api_key="pk_other"), search, api_key=KEY)
    keys = [request.url.params["apiKey"] for request in service.requests]
    assert ["pk_other", "pk_other", KEY] == keys


def test_call_without_a_visitor_needs_no_credential(run: Run) -> None:
    """What is public is public."""
    service = Service()
    qna, *_ = run(service, lambda client: client.get_qna(PROJECT, CONVERSATION))
    assert "What is it?" == qna.question
    assert [CONVERSATION] == service.seen


# When it has expired


@pytest.mark.parametrize("step", [read, write], ids=["GET", "POST"])
def test_expired_session_is_renewed_and_the_call_repeated_once(
    run: Run, step: Callable[[Any], Any]
) -> None:
    """A 401 means that the service did not act, so a message can be sent again."""
    service = Service("1")
    run(service, step, step, api_key=KEY)
    words = "me" if step is read else "messages"
    assert ["init", f"{words} 1", "init", f"{words} 2", f"{words} 2"] == service.seen
    first, second = service.requests[1], service.requests[3]
    assert (first.method, first.url, first.content) == (second.method, second.url, second.content)
    assert service.inits[0] == service.inits[1]


def test_second_refusal_is_final(run: Run) -> None:
    """A service that takes no session at all is not asked for ever."""
    service = Service("1", "2", "3")
    with pytest.raises(UnauthorizedError) as caught:
        run(service, read, api_key=KEY, max_retries=5)
    assert ["init", "me 1", "init", "me 2"] == service.seen
    assert "getMe" == caught.value.operation


def test_refusal_of_what_takes_no_visitor_starts_no_session(run: Run) -> None:
    """A search is refused for its key, which a session cannot mend."""
    service = Service("")
    with pytest.raises(UnauthorizedError):
        run(service, search, api_key=KEY)
    assert ["search"] == service.seen


def test_renewal_counts_as_no_retry(run: Run) -> None:
    """It happens with `max_retries=0` as well, and takes nothing away from the retries."""
    answers = [503, 401, 503, 200]

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            return httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
        return httpx.Response(answers.pop(0), json=VISITOR, headers={"Retry-After": "0"})

    assert VISITOR["id"] == str(run(handler, read, api_key=KEY, max_retries=2)[0].id)


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


def test_stream_renews_the_session_as_well(run: Run) -> None:
    """A stream is refused before its first event, and opened again."""
    service = Service("1")

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if answer.is_success and request.url.path.endswith("/messages"):
            content = b'data: {"type":"start"}\n\ndata: [DONE]\n\n'
            headers = {"Content-Type": "text/event-stream"}
            return httpx.Response(200, content=content, headers=headers)
        return answer

    assert ["start"] == [event.type_ for event in run(handler, chat, api_key=KEY)[0]]
    assert ["init", "messages 1", "init", "messages 2"] == service.seen


# When it cannot be started


@pytest.mark.parametrize("status", [*sorted(STATUS_ERRORS), 418])
def test_session_that_is_refused_raises_the_error_of_its_start(run: Run, status: int) -> None:
    """The class is that of the status, the operation is `init`, and the next call tries anew."""
    answers = [status, status, 201]

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            body = {"sessionToken": "t", "visitor": VISITOR}
            return httpx.Response(answers.pop(0), json=body)
        return httpx.Response(200, json=VISITOR)

    caught = []

    def refused(client: Any) -> Any:
        if isinstance(client, AsyncSiteAssist):
            return refused_async(client)
        with pytest.raises(APIStatusError) as found:
            read(client)
        return caught.append(found.value)

    async def refused_async(client: AsyncSiteAssist) -> None:
        with pytest.raises(APIStatusError) as found:
            await client.get_me()
        caught.append(found.value)

    run(handler, refused, refused, read, api_key=KEY)
    cls = STATUS_ERRORS.get(status, APIStatusError)
    assert [(cls, "init")] * 2 == [(type(error), error.operation) for error in caught]


def test_session_whose_service_is_not_there_raises_a_connection_error(run: Run) -> None:
    """It names the start of the session, since that is what failed."""

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/init")
        raise httpx.ConnectError("refused")

    with pytest.raises(APIConnectionError, match=r"^init: cannot reach"):
        run(handler, read, api_key=KEY)


GARBAGE: dict[str, bytes] = {
    "html": b"<html>",
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"token"',
    "no token": b"{}",
    "null token": b'{"sessionToken": null}',
    "number": b'{"sessionToken": 5}',
    "empty token": b'{"sessionToken": ""}',
    "line feed": b'{"sessionToken": "a\\nb"}',
    "space": b'{"sessionToken": "a b"}',
    "no ASCII": b'{"sessionToken": "a\\u00e9b"}',
    "half a pair": b'{"sessionToken": "a\\ud800b"}',
    "no UTF-8": b'{"sessionToken": "\xff"}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_session_without_a_token_that_can_be_used_is_an_error(run: Run, content: bytes) -> None:
    """What cannot travel in a header is no token; it is not kept, and nothing is sent with it."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=content, headers={"Content-Type": "application/json"})

    with pytest.raises(APIResponseError, match=r"^init: 200 with an unexpected body"):
        run(handler, read, api_key=KEY)
    assert ["/v2/identity/init"] == asked


# By hand


def start(**rest: Any) -> Callable[[Any], Any]:
    """Start a session by hand."""
    return lambda client: client.init(**rest)


@pytest.mark.parametrize(
    "rest",
    [{}, {"api_key": KEY}, {"sa_vid": "device-1"}, {"api_key": KEY, "sa_vid": "device-1"}],
    ids=["nothing", "key", "device", "both"],
)
def test_session_of_the_own_device_is_used(run: Run, rest: dict[str, str]) -> None:
    """A session that was started by hand serves the calls that follow."""
    service = Service()
    session, *_ = run(service, start(**rest), read, api_key=KEY, device_id="device-1")
    assert ("1", VISITOR["id"]) == (session.session_token, str(session.visitor.id))
    assert ["init", "me 1"] == service.seen
    assert [{"apiKey": KEY, "saVid": "device-1"}] == service.inits


def test_session_of_the_own_device_replaces_the_one_in_use(run: Run) -> None:
    """So it can be renewed before it expires."""
    service = Service()
    run(service, read, start(), read, api_key=KEY, device_id="device-1")
    assert ["init", "me 1", "init", "me 2"] == service.seen


@pytest.mark.parametrize("rest", [{"sa_vid": "device-2"}, {"api_key": "pk_other"}])
def test_session_of_another_device_is_not_used(run: Run, rest: dict[str, str]) -> None:
    """Its token is for whoever asked for it: the client goes on as its own visitor."""
    service = Service()
    run(service, read, start(**rest), read, api_key=KEY, device_id="device-1")
    assert ["init", "me 1", "init", "me 1"] == service.seen
    assert rest.get("sa_vid", "device-1") == service.inits[1]["saVid"]
    assert rest.get("api_key", KEY) == service.inits[1]["apiKey"]


def test_client_with_a_token_keeps_it_after_a_session_by_hand(run: Run) -> None:
    """Whoever gave a token meant it."""
    service = Service()
    run(service, start(), read, token="sk_private", api_key=KEY)
    assert ["init", "me sk_private"] == service.seen


def test_token_that_cannot_be_used_is_not_adopted(run: Run) -> None:
    """A service that gives a number for a token breaks no later call in another way."""
    service = Service(tokens=(5, 5, 5))
    with pytest.raises(SiteAssistError):
        run(service, start(), read, api_key=KEY)
    assert not [seen for seen in service.seen if seen.startswith("me")]


# Once for all


def in_threads(client: SiteAssist, count: int = CALLERS) -> list[Any]:
    """Read as often as that, at the same time."""
    together = threading.Barrier(count)

    def call(_: int) -> Any:
        together.wait(10)
        return client.get_me()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_threads_start_one_session_together() -> None:
    """Those that come while it is being started wait for it."""
    service = Service()
    second = threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if request.url.path.endswith("/init"):
            if len(service.inits) > 1:
                second.set()
            # Whoever does not wait has this long to be caught.
            second.wait(0.05)
        return answer

    with SiteAssist(
        api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(handler)
    ) as client:
        assert CALLERS == len(in_threads(client))
    assert 1 == len(service.inits)
    assert ["init"] + ["me 1"] * CALLERS == service.seen


def test_threads_renew_an_expired_session_together() -> None:
    """All of them are refused with the old token, and all go on with the same new one."""
    service = Service("1")
    refused = threading.Barrier(CALLERS)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if answer.status_code == 401:
            # Nobody is told before everybody has asked.
            refused.wait(10)
        return answer

    with SiteAssist(
        api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(handler)
    ) as client:
        client.init()
        assert CALLERS == len(in_threads(client))
    assert 2 == len(service.inits)
    assert [CALLERS, CALLERS] == [service.seen.count(f"me {token}") for token in (1, 2)]


def test_tasks_start_one_session_together() -> None:
    """The same holds for tasks."""
    service = Service()

    async def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        # Let the others run, as far as they can.
        for _ in range(50):
            await asyncio.sleep(0)
        return answer

    async def main() -> None:
        async with AsyncSiteAssist(
            api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(handler)
        ) as client:
            await asyncio.gather(*(client.get_me() for _ in range(CALLERS)))

    asyncio.run(main())
    assert ["init"] + ["me 1"] * CALLERS == service.seen


def test_tasks_renew_an_expired_session_together() -> None:
    """The same holds for tasks."""
    service = Service("1")

    async def main() -> None:
        refused = 0
        everybody = asyncio.Event()

        async def handler(request: httpx.Request) -> httpx.Response:
            nonlocal refused
            answer = service(request)
            if answer.status_code == 401:
                refused += 1
                if refused == CALLERS:
                    everybody.set()
                await asyncio.wait_for(everybody.wait(), 10)
            return answer

        async with AsyncSiteAssist(
            api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(handler)
        ) as client:
            await client.init()
            await asyncio.gather(*(client.get_me() for _ in range(CALLERS)))

    asyncio.run(main())
    assert 2 == len(service.inits)
    assert [CALLERS, CALLERS] == [service.seen.count(f"me {token}") for token in (1, 2)]


def test_thread_that_waits_for_a_session_waits_no_longer_than_it_may() -> None:
    """A start that hangs holds up the others only as long as they have time."""
    service = Service()
    begun, go_on = threading.Event(), threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            begun.set()
            assert go_on.wait(10)
        return service(request)

    with (
        SiteAssist(
            api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(handler)
        ) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.get_me, timeout=None)
        assert begun.wait(10)
        with pytest.raises(APITimeoutError, match=r"^getMe: no answer from .* within 0.05 s$"):
            client.get_me(timeout=0.05)
        go_on.set()
        assert VISITOR["id"] == str(first.result(10).id)
    assert ["init", "me 1"] == service.seen


def test_thread_without_a_limit_waits_for_the_session() -> None:
    """None is for ever here as well."""
    service = Service()
    begun, go_on = threading.Event(), threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            begun.set()
            assert go_on.wait(10)
        return service(request)

    with (
        SiteAssist(
            api_key=KEY, base_url=BASE_URL, timeout=None, transport=httpx.MockTransport(handler)
        ) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        calls = [pool.submit(client.get_me)]
        assert begun.wait(10)
        calls.append(pool.submit(client.get_me))
        go_on.set()
        assert [VISITOR["id"]] * 2 == [str(call.result(10).id) for call in calls]
    assert ["init", "me 1", "me 1"] == service.seen


@pytest.mark.parametrize("timeout", [1e10, 1e300], ids=["centuries", "eons"])
def test_limit_that_no_clock_reaches_is_none(run: Run, timeout: float) -> None:
    """Somebody who writes a very large number for no limit gets none."""
    service = Service()
    run(service, read, api_key=KEY, timeout=timeout)
    assert ["init", "me 1"] == service.seen


def test_task_that_waits_for_a_session_waits_no_longer_than_it_may() -> None:
    """The same holds for tasks."""
    service = Service()

    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/init"):
                begun.set()
                await asyncio.wait_for(go_on.wait(), 10)
            return service(request)

        async with AsyncSiteAssist(
            api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(handler)
        ) as client:
            first = asyncio.create_task(client.get_me(timeout=None))
            await asyncio.wait_for(begun.wait(), 10)
            with pytest.raises(APITimeoutError, match=r"^getMe: .* within 0.05 s$"):
                await client.get_me(timeout=0.05)
            go_on.set()
            assert VISITOR["id"] == str((await first).id)

    asyncio.run(main())
    assert ["init", "me 1"] == service.seen


def test_failed_start_lets_the_next_thread_try() -> None:
    """One failure is one caller's failure: the others start a session of their own."""
    service = Service()
    answers = iter([False] + [True] * CALLERS)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init") and not next(answers):
            return httpx.Response(500)
        return service(request)

    with SiteAssist(
        api_key=KEY, base_url=BASE_URL, max_retries=0, transport=httpx.MockTransport(handler)
    ) as client:
        together = threading.Barrier(CALLERS)

        def call(_: int) -> bool:
            together.wait(10)
            try:
                client.get_me()
            except APIStatusError:
                return False
            return True

        with ThreadPoolExecutor(CALLERS) as pool:
            assert [False] + [True] * (CALLERS - 1) == sorted(pool.map(call, range(CALLERS)))
    assert 1 == len(service.inits)


def test_answer_to_an_old_token_does_not_end_the_new_session(run: Run) -> None:
    """A late 401 is about the session that it was sent with."""
    service = Service("1")
    renewed: list[Callable[[], Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if answer.status_code == 401:
            # Meanwhile somebody else has renewed the session.
            renewed.pop()()
        return answer

    def go(client: Any) -> Any:
        renewed.append(lambda: client._caller.adopt("2", KEY, client.device_id))
        return read(client)

    run(handler, go, api_key=KEY)
    assert ["init", "me 1", "me 2"] == service.seen
