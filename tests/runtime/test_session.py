"""Visitor sessions: started automatically, once, and renewed when they expire."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
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
from tests.runtime.helpers import (
    BASE_URL,
    COMPLETION,
    CONVERSATION,
    VISITOR,
    Handler,
    Run,
    Step,
    chat,
    me,
    send,
)

KEY = "pk_test_1"
PROJECT = "0b9a4887-a6f5-4e4d-83c2-b1a0987f3e2d"
CALLERS = 8
BODIES = {
    "/v2/identity/me": VISITOR,
    f"/v2/conversations/{CONVERSATION}/messages": COMPLETION,
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


@pytest.fixture
def run(run_steps: Run) -> Run:
    """Return a function that runs steps, in order, with a client that never retries."""
    return lambda handler, *steps, **settings: run_steps(
        handler, *steps, **{"max_retries": 0, **settings}
    )


class SessionService:
    """A service that issues the tokens 1, 2, 3, … and accepts all but the expired ones."""

    def __init__(self, *expired: str, tokens: tuple[object, ...] = ()) -> None:
        """Take the expired tokens, and the tokens to issue instead of numbers."""
        self.expired = set(expired)
        self._tokens = tokens
        self.requests: list[httpx.Request] = []
        self.inits: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def seen(self) -> list[str]:
        """The requests, each as its last path segment and its token."""
        return [
            f"{request.url.path.rpartition('/')[2]} {_token(request)}".strip()
            for request in self.requests
        ]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Record the request and answer it."""
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


def search(client: Any) -> Any:
    """Call `search`, which needs no visitor."""
    return client.search(q="shipping")


# The start of a session


def test_session_starts_with_the_first_call_that_needs_one(run: Run) -> None:
    """The session starts with the first call that needs it; later calls share it."""
    service = SessionService()
    run(service, search, me, send, api_key=KEY, device_id="device-1")
    assert ["search", "init", "me 1", "messages 1"] == service.seen
    assert [{"apiKey": KEY, "saVid": "device-1"}] == service.inits


def test_generated_device_id_is_sent(run: Run) -> None:
    """The generated device id is the one sent, so a program can store it and keep its visitor."""
    service = SessionService()
    device, _ = run(service, lambda client: client.device_id, me, api_key=KEY)
    assert device == service.inits[0]["saVid"]
    assert 36 == len(device)


def test_client_with_a_token_never_starts_a_session(run: Run) -> None:
    """A client with a token starts no session, even after a 401, which a key cannot repair."""
    service = SessionService("sk_private")
    with pytest.raises(UnauthorizedError) as caught:
        run(service, me, token="sk_private", api_key=KEY)
    assert ["me sk_private"] == service.seen
    assert ("getMe", "expired") == (caught.value.operation, caught.value.code)


def test_client_uses_both_token_and_key(run: Run) -> None:
    """The token is used for visitor calls, the key for calls that take a key."""
    service = SessionService()
    run(service, me, search, token="sk_private", api_key=KEY)
    assert ["me sk_private", "search"] == service.seen
    assert KEY == service.requests[1].url.params["apiKey"]


@pytest.mark.parametrize("settings", [{}, {"device_id": "device-1"}], ids=["nothing", "device"])
def test_client_without_a_credential_names_the_settings(run: Run, settings: dict[str, str]) -> None:
    """Without a credential the error names the arguments and variables; nothing is sent."""
    service = SessionService()
    with pytest.raises(CredentialsError) as caught:
        run(service, me, **settings)
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
def test_call_without_a_key_is_an_error(
    run: Run, step: Step, operation: str, settings: dict[str, str]
) -> None:
    """A call that takes a key fails without one, even with a token; the error names the call."""
    words = r"api_key is needed.*SITEASSIST_API_KEY"
    with pytest.raises(CredentialsError, match=words) as caught:
        run(SessionService(), step, **settings)
    assert operation == caught.value.operation


def test_key_of_a_call_overrides_the_clients(run: Run) -> None:
    """A key given to a call overrides the client's key, and needs none in the client."""
    service = SessionService()
    run(service, lambda client: client.search(q="x", api_key="pk_other"))
    run(service, lambda client: client.search(q="x", api_key="pk_other"), search, api_key=KEY)
    keys = [request.url.params["apiKey"] for request in service.requests]
    assert ["pk_other", "pk_other", KEY] == keys


def test_call_without_a_visitor_needs_no_credential(run: Run) -> None:
    """A public operation needs no credential."""
    service = SessionService()
    qna, *_ = run(service, lambda client: client.get_qna(PROJECT, CONVERSATION))
    assert "What is it?" == qna.question
    assert [CONVERSATION] == service.seen


# The renewal of a session


@pytest.mark.parametrize("step", [me, send], ids=["GET", "POST"])
def test_expired_session_is_renewed(run: Run, step: Step) -> None:
    """A 401 means that the call had no effect: the session is renewed and the call repeated."""
    service = SessionService("1")
    run(service, step, step, api_key=KEY)
    words = "me" if step is me else "messages"
    assert ["init", f"{words} 1", "init", f"{words} 2", f"{words} 2"] == service.seen
    first, second = service.requests[1], service.requests[3]
    assert (first.method, first.url, first.content) == (second.method, second.url, second.content)
    assert service.inits[0] == service.inits[1]


@pytest.mark.parametrize(
    ("step", "path", "operation"),
    [
        (me, "me", "getMe"),
        (send, "messages", "sendMessage"),
        (lambda client: client.start_conversation(), "conversations", "startConversation"),
        (chat, "messages", "sendMessage"),
    ],
    ids=["get_me", "send_message", "start_conversation", "send_message_stream"],
)
def test_second_refusal_is_final(run: Run, step: Step, path: str, operation: str) -> None:
    """A 401 with the new session is raised."""
    service = SessionService("1", "2", "3")
    with pytest.raises(UnauthorizedError) as caught:
        run(service, step, api_key=KEY, max_retries=5)
    assert ["init", f"{path} 1", "init", f"{path} 2"] == service.seen
    assert operation == caught.value.operation


def test_refused_key_starts_no_session(run: Run) -> None:
    """A 401 for a call without a visitor starts no session, since the key is refused."""
    service = SessionService("")
    with pytest.raises(UnauthorizedError):
        run(service, search, api_key=KEY)
    assert ["search"] == service.seen


def test_renewal_is_not_a_retry(run: Run) -> None:
    """A renewal does not count as a retry and happens with `max_retries=0` as well."""
    answers = [503, 401, 503, 200]

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            return httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
        return httpx.Response(answers.pop(0), json=VISITOR, headers={"Retry-After": "0"})

    assert VISITOR["id"] == str(run(handler, me, api_key=KEY, max_retries=2)[0].id)


def test_stream_renews_the_session(run: Run) -> None:
    """A stream refused before its first event renews the session and is opened again."""
    service = SessionService("1")

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if answer.is_success and request.url.path.endswith("/messages"):
            content = b'data: {"type":"start"}\n\ndata: [DONE]\n\n'
            headers = {"Content-Type": "text/event-stream"}
            return httpx.Response(200, content=content, headers=headers)
        return answer

    ((_, events),) = run(handler, chat, api_key=KEY)
    assert ["start"] == [event.type_ for event in events]
    assert ["init", "messages 1", "init", "messages 2"] == service.seen


# Failures to start a session


@pytest.mark.parametrize("status", [*sorted(STATUS_ERRORS), 418])
def test_refused_start_raises_its_own_error(run: Run, status: int) -> None:
    """A refused start raises the class of its status for `init`; the next call tries again."""
    answers = [status, status, 201]

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            # A 404 without the documented body may come from a wrong base URL.
            body = {"error": {"code": "REFUSED", "message": "No"}, "sessionToken": "t"}
            return httpx.Response(answers.pop(0), json={**body, "visitor": VISITOR})
        return httpx.Response(200, json=VISITOR)

    caught = []

    def refused(client: Any) -> Any:
        if isinstance(client, AsyncSiteAssist):
            return refused_async(client)
        with pytest.raises(APIStatusError) as found:
            me(client)
        return caught.append(found.value)

    async def refused_async(client: AsyncSiteAssist) -> None:
        with pytest.raises(APIStatusError) as found:
            await client.get_me()
        caught.append(found.value)

    run(handler, refused, refused, me, api_key=KEY)
    cls = STATUS_ERRORS.get(status, APIStatusError)
    assert [(cls, "init")] * 2 == [(type(error), error.operation) for error in caught]


def test_unreachable_service_raises_a_connection_error(run: Run) -> None:
    """A connection error during the start names `init`."""

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/init")
        raise httpx.ConnectError("refused")

    with pytest.raises(APIConnectionError, match=r"^init: cannot reach"):
        run(handler, me, api_key=KEY)


UNUSABLE: dict[str, bytes] = {
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
    "lone surrogate": b'{"sessionToken": "a\\ud800b"}',
    "no UTF-8": b'{"sessionToken": "\xff"}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_token_is_an_error(run: Run, content: bytes) -> None:
    """A token that no header can carry raises an error; it is not stored or sent."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=content, headers={"Content-Type": "application/json"})

    with pytest.raises(APIResponseError, match=r"^init: 200 with an unexpected body"):
        run(handler, me, api_key=KEY)
    assert ["/v2/identity/init"] == asked


# Sessions started by the program


def start(**rest: Any) -> Step:
    """Return a step that calls `init`."""
    return lambda client: client.init(**rest)


@pytest.mark.parametrize(
    "rest",
    [{}, {"api_key": KEY}, {"sa_vid": "device-1"}, {"api_key": KEY, "sa_vid": "device-1"}],
    ids=["nothing", "key", "device", "both"],
)
def test_own_session_is_used(run: Run, rest: dict[str, str]) -> None:
    """A session started by the program for the client's own device is used by later calls."""
    service = SessionService()
    session, *_ = run(service, start(**rest), me, api_key=KEY, device_id="device-1")
    assert ("1", VISITOR["id"]) == (session.session_token, str(session.visitor.id))
    assert ["init", "me 1"] == service.seen
    assert [{"apiKey": KEY, "saVid": "device-1"}] == service.inits


def test_own_session_replaces_the_current_one(run: Run) -> None:
    """It replaces the current session, so a program can renew it before it expires."""
    service = SessionService()
    run(service, me, start(), me, api_key=KEY, device_id="device-1")
    assert ["init", "me 1", "init", "me 2"] == service.seen


@pytest.mark.parametrize("rest", [{"sa_vid": "device-2"}, {"api_key": "pk_other"}])
def test_session_of_another_device_is_not_used(run: Run, rest: dict[str, str]) -> None:
    """A session for another device or key is not used by the client."""
    service = SessionService()
    run(service, me, start(**rest), me, api_key=KEY, device_id="device-1")
    assert ["init", "me 1", "init", "me 1"] == service.seen
    assert rest.get("sa_vid", "device-1") == service.inits[1]["saVid"]
    assert rest.get("api_key", KEY) == service.inits[1]["apiKey"]


def test_given_token_is_kept_after_init(run: Run) -> None:
    """A given token is kept after `init`."""
    service = SessionService()
    run(service, start(), me, token="sk_private", api_key=KEY)
    assert ["init", "me sk_private"] == service.seen


def test_invalid_token_is_not_adopted(run: Run) -> None:
    """A number as token is not adopted, so no later call fails because of it."""
    service = SessionService(tokens=(5, 5, 5))
    with pytest.raises(SiteAssistError):
        run(service, start(), me, api_key=KEY)
    assert not [seen for seen in service.seen if seen.startswith("me")]


# Concurrent calls


def sync_client(handler: Any, **settings: Any) -> SiteAssist:
    """Return a client that talks to ``handler``."""
    transport = httpx.MockTransport(handler)
    return SiteAssist(api_key=KEY, base_url=BASE_URL, transport=transport, **settings)


def async_client(handler: Any) -> AsyncSiteAssist:
    """Return an async client that talks to ``handler``."""
    transport = httpx.MockTransport(handler)
    return AsyncSiteAssist(api_key=KEY, base_url=BASE_URL, transport=transport)


def in_threads(call: Callable[[], Any]) -> list[Any]:
    """Make a call in each of several threads at the same time, and return the results."""
    together = threading.Barrier(CALLERS)

    def run(_: int) -> Any:
        together.wait(10)
        return call()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(run, range(CALLERS)))


def test_threads_start_one_session_together() -> None:
    """Threads that need a session while it starts wait for it."""
    service = SessionService()
    second = threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if request.url.path.endswith("/init"):
            if len(service.inits) > 1:
                second.set()
            # A thread that does not wait would start a second session meanwhile.
            second.wait(0.05)
        return answer

    with sync_client(handler) as client:
        assert CALLERS == len(in_threads(client.get_me))
    assert 1 == len(service.inits)
    assert ["init"] + ["me 1"] * CALLERS == service.seen


def test_threads_renew_an_expired_session_together() -> None:
    """Threads refused with the old token all continue with the same new one."""
    service = SessionService("1")
    refused = threading.Barrier(CALLERS)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if answer.status_code == 401:
            # No thread gets its 401 before all have sent their request.
            refused.wait(10)
        return answer

    with sync_client(handler) as client:
        client.init()
        assert CALLERS == len(in_threads(client.get_me))
    assert 2 == len(service.inits)
    assert [CALLERS, CALLERS] == [service.seen.count(f"me {token}") for token in (1, 2)]


def test_tasks_start_one_session_together() -> None:
    """Tasks that need a session while it starts wait for it."""
    service = SessionService()

    async def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        # Let the other tasks run until they wait.
        for _ in range(50):
            await asyncio.sleep(0)
        return answer

    async def main() -> None:
        async with async_client(handler) as client:
            await asyncio.gather(*(client.get_me() for _ in range(CALLERS)))

    asyncio.run(main())
    assert ["init"] + ["me 1"] * CALLERS == service.seen


def test_tasks_renew_an_expired_session_together() -> None:
    """Tasks refused with the old token all continue with the same new one."""
    service = SessionService("1")

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

        async with async_client(handler) as client:
            await client.init()
            await asyncio.gather(*(client.get_me() for _ in range(CALLERS)))

    asyncio.run(main())
    assert 2 == len(service.inits)
    assert [CALLERS, CALLERS] == [service.seen.count(f"me {token}") for token in (1, 2)]


def hanging_start(
    service: SessionService,
) -> tuple[threading.Event, threading.Event, Handler]:
    """Return a handler whose session starts hang, and the events that mark and end this."""
    begun, go_on = threading.Event(), threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            begun.set()
            assert go_on.wait(10)
        return service(request)

    return begun, go_on, handler


def test_waiting_thread_respects_its_timeout() -> None:
    """The timeout of a call applies while it waits for another thread's session."""
    service = SessionService()
    begun, go_on, handler = hanging_start(service)
    with sync_client(handler) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.get_me, timeout=None)
        assert begun.wait(10)
        with pytest.raises(APITimeoutError, match=r"^getMe: no answer from .* within 0.05 s$"):
            client.get_me(timeout=0.05)
        go_on.set()
        assert VISITOR["id"] == str(first.result(10).id)
    assert ["init", "me 1"] == service.seen


def test_waiting_thread_without_a_timeout() -> None:
    """Without a timeout a call waits for another thread's session without limit."""
    service = SessionService()
    begun, go_on, handler = hanging_start(service)
    with sync_client(handler, timeout=None) as client, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.get_me)]
        assert begun.wait(10)
        calls.append(pool.submit(client.get_me))
        go_on.set()
        assert [VISITOR["id"]] * 2 == [str(call.result(10).id) for call in calls]
    assert ["init", "me 1", "me 1"] == service.seen


@pytest.mark.parametrize("timeout", [1e10, 1e300], ids=["centuries", "eons"])
def test_huge_timeout_is_no_timeout(run: Run, timeout: float) -> None:
    """A timeout too large for a lock counts as no timeout."""
    service = SessionService()
    run(service, me, api_key=KEY, timeout=timeout)
    assert ["init", "me 1"] == service.seen


def test_waiting_task_respects_its_timeout() -> None:
    """The timeout of a call applies while it waits for another task's session."""
    service = SessionService()

    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/init"):
                begun.set()
                await asyncio.wait_for(go_on.wait(), 10)
            return service(request)

        async with async_client(handler) as client:
            first = asyncio.create_task(client.get_me(timeout=None))
            await asyncio.wait_for(begun.wait(), 10)
            with pytest.raises(APITimeoutError, match=r"^getMe: .* within 0.05 s$"):
                await client.get_me(timeout=0.05)
            go_on.set()
            assert VISITOR["id"] == str((await first).id)

    asyncio.run(main())
    assert ["init", "me 1"] == service.seen


def test_failed_start_lets_the_next_thread_try() -> None:
    """A failed start fails only its own call; the next thread starts a session for all others."""
    service = SessionService()
    answers = iter([False] + [True] * CALLERS)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init") and not next(answers):
            return httpx.Response(500)
        return service(request)

    with sync_client(handler, max_retries=0) as client:

        def outcome() -> str:
            try:
                return str(client.get_me().type_)
            except APIStatusError as error:
                return str(error.operation)

        assert ["anonymous"] * (CALLERS - 1) + ["init"] == sorted(in_threads(outcome))
    assert 1 == len(service.inits)


def test_late_refusal_keeps_the_new_session(run: Run) -> None:
    """A late 401 for the old token does not end the new session."""
    service = SessionService("1")
    renewed: list[Callable[[], Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if answer.status_code == 401:
            # Another call renews the session in the meantime.
            renewed.pop()()
        return answer

    def go(client: Any) -> Any:
        renewed.append(lambda: client._caller.adopt("2", KEY, client.device_id))
        return me(client)

    run(handler, go, api_key=KEY)
    assert ["init", "me 1", "me 2"] == service.seen
