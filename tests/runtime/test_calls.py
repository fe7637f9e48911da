"""What a call sends: address, headers and body; and what a client does besides."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from siteassist import (
    UNSET,
    APIResponseError,
    AsyncSiteAssist,
    NotFoundError,
    SiteAssist,
    SiteAssistError,
)
from siteassist.models import (
    ChatMessage,
    ChatRole,
    ConversationContext,
    ConversationOrderBy,
    ConversationStatus,
    Feedback,
    PageContext,
    Visitor,
)
from siteassist_runtime import calls
from siteassist_runtime.calls import BaseCaller, ServiceInfo
from siteassist_runtime.deadline import Deadline
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.settings import ClientSettings

BASE_URL = "http://127.0.0.1:8181/v2"
CONVERSATION = "7f3e2d1c-0b9a-4887-a6f5-e4d3c2b1a098"
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}

Run = Callable[..., Any]
Handler = Callable[[httpx.Request], httpx.Response]
Step = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Take a step with a client of either kind."""

    def run(handler: Handler, step: Step, **settings: Any) -> Any:
        settings = {"token": "a-token", "base_url": BASE_URL, "max_retries": 0, **settings}
        transport = httpx.MockTransport(handler)
        if request.param == "sync":
            with SiteAssist(transport=transport, **settings) as client:
                return step(client)

        async def main() -> Any:
            async with AsyncSiteAssist(transport=transport, **settings) as client:
                return await step(client)

        return asyncio.run(main())

    return run


@pytest.fixture
def sent(run: Run) -> Callable[..., httpx.Request]:
    """Take a step, and return the request that it made."""

    def sent(step: Step, **settings: Any) -> httpx.Request:
        requests: list[httpx.Request] = []

        def handler(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(404)

        with pytest.raises(NotFoundError):
            run(handler, step, **settings)
        assert 1 == len(requests)
        return requests[0]

    return sent


def me(client: Any, **rest: Any) -> Any:
    """Make a call without a body."""
    return client.get_me(**rest)


def page(client: Any, **query: Any) -> Any:
    """Make a call with a query."""
    return client.get_conversations(**query).page()


# Headers


async def _open(stream: Any) -> None:
    async with stream:
        pass


def chat(client: Any, **rest: Any) -> Any:
    """Make a call whose answer is a stream."""
    stream = client.send_message_stream(CONVERSATION, content="Hi", **rest)
    if isinstance(client, AsyncSiteAssist):
        return _open(stream)
    with stream:
        return None


def test_headers_of_a_call_without_a_body(sent: Callable[..., httpx.Request]) -> None:
    """Who, what is wanted, on whose behalf; nothing about a body that is not there."""
    headers = sent(me).headers
    assert ("application/json", "Bearer a-token", "gzip, deflate") == (
        headers["accept"],
        headers["authorization"],
        headers["accept-encoding"],
    )
    assert headers["user-agent"].startswith("siteassist-python/")
    assert "content-type" not in headers


def test_headers_of_a_call_with_a_body(sent: Callable[..., httpx.Request]) -> None:
    """JSON goes, JSON is wanted."""
    request = sent(lambda client: client.send_message(CONVERSATION, content="☺"))
    assert ("application/json", "application/json") == (
        request.headers["content-type"],
        request.headers["accept"],
    )
    assert str(len(request.content)) == request.headers["content-length"]


def test_headers_of_a_stream(sent: Callable[..., httpx.Request]) -> None:
    """JSON goes, events are wanted."""
    headers = sent(chat).headers
    assert ("application/json", "text/event-stream") == (
        headers["content-type"],
        headers["accept"],
    )


def test_calls_without_a_visitor_send_no_token(sent: Callable[..., httpx.Request]) -> None:
    """A private key is not shown to what does not ask for one."""
    assert "authorization" not in sent(lambda client: client.get_project(api_key="pk")).headers
    assert "authorization" not in sent(lambda client: client.init(api_key="pk")).headers


NAMES = ["User-Agent", "user-agent", "USER-AGENT"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["client", "call"])
def test_own_header_replaces_the_clients(
    sent: Callable[..., httpx.Request], where: str, name: str
) -> None:
    """However it is spelled, there is one of it, not two."""
    given = {"headers": {name: "own/1"}}
    own, call = (given, {}) if where == "client" else ({}, given)
    headers = sent(lambda client: me(client, **call), **own).headers
    assert ["own/1"] == headers.get_list("user-agent")


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize("where", ["client", "call"])
def test_own_credential_is_sent_once(
    sent: Callable[..., httpx.Request], where: str, name: str
) -> None:
    """Two credentials in one request are none."""
    given = {"headers": {name: "Bearer own"}}
    own, call = (given, {}) if where == "client" else ({}, given)
    headers = sent(lambda client: me(client, **call), **own).headers
    assert 1 == len(headers.get_list("authorization"))
    if where == "call":
        assert "Bearer own" == headers["authorization"]


@pytest.mark.parametrize("name", ["Accept", "accept", "Content-Type", "content-type"])
def test_header_that_the_client_brings_itself_is_sent_once(
    sent: Callable[..., httpx.Request], name: str
) -> None:
    """So that the service cannot choose."""
    headers = sent(chat, headers={name: "application/json"}).headers
    assert [1, 1] == [len(headers.get_list(found)) for found in ("accept", "content-type")]
    assert "application/json" == headers["content-type"]


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_headers_of_a_call_win_over_those_of_the_client(
    sent: Callable[..., httpx.Request], spelling: Callable[[str], str]
) -> None:
    """The others stay."""
    headers = sent(
        lambda client: me(client, headers={spelling("X-Own"): "call"}),
        headers={"X-Own": "client", "X-Other": "client"},
    ).headers
    assert ["call"] == headers.get_list("x-own")
    assert ["client"] == headers.get_list("x-other")


def test_headers_of_a_call_are_for_that_call() -> None:
    """They do not stay with the client, nor does the caller's dict change."""
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=VISITOR)

    given = {"X-Own": "call"}
    with SiteAssist(token="t", transport=httpx.MockTransport(handler)) as client:
        client.get_me(headers=given)
        client.get_me()
    assert [["call"], []] == [request.headers.get_list("x-own") for request in requests]
    assert {"X-Own": "call"} == given


def test_headers_of_a_client_are_its_own() -> None:
    """Changing the dict afterwards changes nothing."""
    given = {"X-Own": "before"}
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=VISITOR)

    with SiteAssist(token="t", headers=given, transport=httpx.MockTransport(handler)) as client:
        given["X-Own"] = "after"
        client.get_me()
    assert "before" == requests[0].headers["x-own"]


@pytest.mark.parametrize(
    "headers",
    [{"X-Own": "café"}, {"X-Own": 5}, {"Näme": "x"}, {"X-Own": "\ud800"}, {5: "x"}, "X-Own: 1"],
    ids=["value", "number", "name", "half a pair", "name that is a number", "text"],
)
def test_header_that_cannot_be_written_is_an_error(run: Run, headers: Any) -> None:
    """One of the client's, before anything is sent."""
    with pytest.raises(SiteAssistError):
        run(never, lambda client: me(client, headers=headers))


def never(request: httpx.Request) -> httpx.Response:
    """Be a service that must not be asked."""
    raise AssertionError(request)


def test_cookies_are_not_kept() -> None:
    """One visitor's cookie must not come with another's token."""
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=VISITOR, headers={"Set-Cookie": "a=b; Path=/"})

    with SiteAssist(token="t", transport=httpx.MockTransport(handler)) as client:
        client.get_me()
        client.get_me()
    assert [False, False] == ["cookie" in request.headers for request in requests]


# Bodies

BODIES: dict[str, tuple[Step, Any]] = {
    "nothing to say": (lambda client: client.start_conversation(), None),
    "nothing to say, in so many words": (
        lambda client: client.start_conversation(context=UNSET),
        None,
    ),
    "no reason": (lambda client: client.close_conversation(CONVERSATION), None),
    "a reason": (
        lambda client: client.close_conversation(CONVERSATION, close_reason="done"),
        {"closeReason": "done"},
    ),
    "an empty reason": (
        lambda client: client.close_conversation(CONVERSATION, close_reason=""),
        {"closeReason": ""},
    ),
    "a dict": (
        lambda client: client.start_conversation(context={"pageUrl": "https://example.com"}),
        {"context": {"pageUrl": "https://example.com"}},
    ),
    "a model": (
        lambda client: client.start_conversation(
            context=ConversationContext.from_dict({"pageUrl": "https://example.com"})
        ),
        {"context": {"pageUrl": "https://example.com"}},
    ),
    "an empty dict": (lambda client: client.start_conversation(context={}), {"context": {}}),
    "a dict with what is left out": (
        lambda client: client.start_conversation(context={"pageUrl": UNSET, "a": None}),
        {"context": {"a": None}},
    ),
    "a message": (
        lambda client: client.send_message(CONVERSATION, content="Hi ☺"),
        {"content": "Hi ☺", "stream": False},
    ),
    "a message with null": (
        lambda client: client.send_message(CONVERSATION, content="Hi", page_context=None),
        {"content": "Hi", "pageContext": None, "stream": False},
    ),
    "a message with a dict": (
        lambda client: client.send_message(
            CONVERSATION, content="Hi", page_context={"url": "https://example.com", "x": [1]}
        ),
        {
            "content": "Hi",
            "pageContext": {"url": "https://example.com", "x": [1]},
            "stream": False,
        },
    ),
    "a message with a model": (
        lambda client: client.send_message(
            CONVERSATION,
            content="Hi",
            page_context=PageContext.from_dict({"url": "https://example.com"}),
        ),
        {"content": "Hi", "pageContext": {"url": "https://example.com"}, "stream": False},
    ),
    "a stream": (chat, {"content": "Hi", "stream": True}),
    "a word": (
        lambda client: client.send_message_feedback(CONVERSATION, feedback="like"),
        {"feedback": "like"},
    ),
    "an enum": (
        lambda client: client.send_message_feedback(CONVERSATION, feedback=Feedback.DISLIKE),
        {"feedback": "dislike"},
    ),
    "null": (
        lambda client: client.send_message_feedback(CONVERSATION, feedback=None),
        {"feedback": None},
    ),
    "a word of tomorrow": (
        lambda client: client.send_message_feedback(CONVERSATION, feedback="love"),
        {"feedback": "love"},
    ),
    "a list of dicts, models and enums": (
        lambda client: client.create_chat_completion(
            messages=(
                {"role": "user", "content": "Hi"},
                {"role": ChatRole.ASSISTANT, "content": "Hello."},
                ChatMessage(role=ChatRole.USER, content="And?"),
            ),
            assistant_id=uuid.UUID(CONVERSATION),
        ),
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "And?"},
            ],
            "assistantId": CONVERSATION,
            "stream": False,
        },
    ),
    "a session": (
        lambda client: client.init(api_key="pk", sa_vid="device-1"),
        {"apiKey": "pk", "saVid": "device-1"},
    ),
}


@pytest.mark.parametrize(("step", "expected"), BODIES.values(), ids=BODIES)
def test_body(sent: Callable[..., httpx.Request], step: Step, expected: Any) -> None:
    """What was given goes, null included; what was left out does not."""
    request = sent(step)
    if expected is None:
        assert (b"", "0") == (request.content, request.headers["content-length"])
        assert "content-type" not in request.headers
    else:
        assert expected == json.loads(request.content)


def test_body_is_short_utf8(sent: Callable[..., httpx.Request]) -> None:
    """Neither escapes nor blanks that nobody needs."""
    request = sent(lambda client: client.send_message(CONVERSATION, content="☺"))
    assert '{"content":"☺","stream":false}'.encode() == request.content


def cyclic() -> dict[str, Any]:
    """Return a dict that holds itself."""
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def deep() -> dict[str, Any]:
    """Return a dict that is nested beyond measure."""
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"more": value}
    return value


@pytest.mark.parametrize(
    "context",
    [
        {"number": float("nan")},
        {"number": float("inf")},
        {"text": "\ud800"},
        {("a", "b"): "tuple"},
        cyclic(),
        deep(),
    ],
    ids=["nan", "inf", "half a pair", "tuple", "cyclic", "deep"],
)
def test_body_that_is_no_json_is_an_error(run: Run, context: dict[str, Any]) -> None:
    """Before anything is sent, with the operation in the words."""
    with pytest.raises(
        SiteAssistError, match=r"^startConversation: the body cannot be written as JSON: "
    ):
        run(never, lambda client: client.start_conversation(context=context))


# Addresses


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "open"}, {"status": "open"}),
        ({"status": ConversationStatus.OPEN}, {"status": "open"}),
        ({"status": "tomorrow"}, {"status": "tomorrow"}),
        ({"order_by": ConversationOrderBy.CREATEDAT}, {"orderBy": "createdAt"}),
        ({"order_by": "createdAt", "order_dir": "desc"}, None),
        ({"limit": 5}, {"limit": "5"}),
        ({"limit": 5.0}, {"limit": "5"}),
        ({"status": UNSET, "limit": UNSET}, {}),
    ],
)
def test_query_of_a_list(
    sent: Callable[..., httpx.Request], query: dict[str, Any], expected: dict[str, str] | None
) -> None:
    """As text, under the names of the API; what was left out does not go."""
    found = dict(sent(lambda client: page(client, **query)).url.params)
    found.pop("offset", None)
    assert ({"orderBy": "createdAt", "orderDir": "desc"} if expected is None else expected) == found


@pytest.mark.parametrize("offset", [0, 7, 7.0])
def test_offset_of_a_list(sent: Callable[..., httpx.Request], offset: float) -> None:
    """A whole number, since some parsers know no other."""
    request = sent(lambda client: page(client, offset=offset))
    assert str(int(offset)) == request.url.params["offset"]


@pytest.mark.parametrize("words", ["a b", "a&b=c", "50%", "+", "☺", "#", "a/b?c", "", "\n"])
def test_words_of_a_query_arrive_as_they_are(
    sent: Callable[..., httpx.Request], words: str
) -> None:
    """Whatever they mean to an address."""
    request = sent(lambda client: client.search(q=words, api_key="pk"))
    assert [("q", words)] == [pair for pair in request.url.params.multi_items() if pair[0] == "q"]
    assert "/v2/search" == request.url.path


def test_words_that_cannot_be_written_are_an_error(run: Run) -> None:
    """Half a surrogate pair has no place in an address, and no exception of Python's own."""
    with pytest.raises(SiteAssistError, match="search"):
        run(never, lambda client: client.search(q="\ud800", api_key="pk"))


def test_words_that_are_too_long_are_an_error(run: Run) -> None:
    """Httpx's limit is one of ours."""
    with pytest.raises(SiteAssistError, match=r"^search: invalid request: "):
        run(never, lambda client: client.search(q="x" * 70_000, api_key="pk"))


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        (CONVERSATION, CONVERSATION),
        (uuid.UUID(CONVERSATION), CONVERSATION),
        ("a/b", "a%2Fb"),
        ("../me", "..%2Fme"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("☺", "%E2%98%BA"),
        ("...", "..."),
    ],
)
def test_identifier_is_one_segment_of_the_path(
    sent: Callable[..., httpx.Request], identifier: object, path: str
) -> None:
    """It cannot lead to another resource."""
    request = sent(lambda client: client.get_conversation(identifier))
    assert f"/v2/conversations/{path}".encode() == request.url.raw_path


@pytest.mark.parametrize("identifier", ["", ".", ".."])
def test_identifier_that_is_none_is_refused(run: Run, identifier: str) -> None:
    """It would address something else; the words name the parameter."""
    with pytest.raises(ValueError, match="conversation_id must not be empty"):
        run(never, lambda client: client.get_conversation(identifier))


def test_moment_in_a_body_is_text(sent: Callable[..., httpx.Request]) -> None:
    """As ISO 8601 writes it."""
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    request = sent(lambda client: client.start_conversation(context={"at": moment}))
    assert {"context": {"at": "2025-01-01T00:00:00+00:00"}} == json.loads(request.content)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(run: Run, status: int) -> None:
    """A credential goes where it was meant to go, and nowhere else."""
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, headers={"Location": "https://example.com/"})

    with pytest.raises(SiteAssistError):
        run(handler, me)
    assert 1 == len(requests)


# The end of a client


def test_closed_client_makes_no_call(run: Run) -> None:
    """It says so, instead of opening connections that nobody closes."""

    async def closed(client: AsyncSiteAssist) -> None:
        await client.aclose()
        await client.aclose()
        await client.get_me()

    def step(client: Any) -> Any:
        if isinstance(client, AsyncSiteAssist):
            return closed(client)
        client.close()
        client.close()
        return client.get_me()

    with pytest.raises(SiteAssistError, match=r"^getMe: the client is closed$"):
        run(never, step)


def test_client_that_was_never_used_can_be_closed() -> None:
    """There is nothing to close."""
    with SiteAssist(token="t") as client:
        assert isinstance(client, SiteAssist)

    async def main() -> None:
        async with AsyncSiteAssist(token="t") as client:
            assert isinstance(client, AsyncSiteAssist)

    asyncio.run(main())


class Opened(httpx.MockTransport):
    """A transport that knows whether it is open."""

    def __init__(self, handler: Handler) -> None:
        """Take the service."""
        super().__init__(handler)
        self.closed = 0

    def close(self) -> None:
        """Close."""
        self.closed += 1

    async def aclose(self) -> None:
        """Close."""
        self.closed += 1


def test_client_that_is_closed_while_it_waits_does_not_open_again() -> None:
    """A retry after the end would leave a connection open that nobody knows of."""
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        client.close()
        return httpx.Response(429, headers={"Retry-After": "0"})

    transport = Opened(handler)
    client = SiteAssist(token="t", transport=transport, max_retries=1)
    with pytest.raises(SiteAssistError):
        client.get_me()
    assert (1, 1) == (len(requests), transport.closed)


def test_async_client_that_is_closed_while_it_waits_does_not_open_again() -> None:
    """The same holds for it."""
    requests: list[httpx.Request] = []

    async def main() -> int:
        async def handler(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            await client.aclose()
            return httpx.Response(429, headers={"Retry-After": "0"})

        transport = Opened(handler)  # type: ignore[arg-type]  # it may be awaited
        client = AsyncSiteAssist(token="t", transport=transport, max_retries=1)
        with pytest.raises(SiteAssistError):
            await client.get_me()
        return transport.closed

    assert (1, 1) == (asyncio.run(main()), len(requests))


def test_transport_is_closed_with_the_client() -> None:
    """Once."""
    transport = Opened(lambda _: httpx.Response(200, json=VISITOR))
    with SiteAssist(token="t", transport=transport) as client:
        client.get_me()
        assert 0 == transport.closed
    assert 1 == transport.closed


def test_connections_of_a_loop_are_closed_with_it() -> None:
    """Also of a client that nobody closed."""
    transport = Opened(lambda _: httpx.Response(200, json=VISITOR))
    client = AsyncSiteAssist(token="t", transport=transport)

    async def main() -> None:
        await client.get_me()
        await client.get_me()

    asyncio.run(main())
    assert 1 == transport.closed
    asyncio.run(main())
    assert 2 == transport.closed


def test_async_client_closes_its_loops_connections() -> None:
    """Those of this loop, at once."""
    transport = Opened(lambda _: httpx.Response(200, json=VISITOR))

    async def main() -> int:
        async with AsyncSiteAssist(token="t", transport=transport) as client:
            await client.get_me()
        return transport.closed

    assert 1 == asyncio.run(main())
    assert 1 == transport.closed


def test_connections_that_another_thread_has_opened_meanwhile_are_used() -> None:
    """Two threads that come first together open one pool, not two."""
    transport = Opened(lambda _: httpx.Response(200, json=VISITOR))
    client = SiteAssist(token="t", transport=transport)
    other = httpx.Client(transport=transport)
    caller = vars(client._caller)

    class Lost:
        """A lock that this thread gets only after the other one is done."""

        def __enter__(self) -> None:
            caller["_http"] = other

        def __exit__(self, *_: object) -> None:
            pass

    caller["_opening"] = Lost()
    client.get_me()
    assert other is caller["_http"]
    client.close()
    assert 1 == transport.closed


# After a fork


def forgotten(client: Any) -> Any:
    """Do what happens in the new process."""
    calls._after_fork()
    return client


def test_new_process_opens_connections_of_its_own() -> None:
    """And leaves those of the old one alone."""
    transport = Opened(lambda _: httpx.Response(200, json=VISITOR))
    client = SiteAssist(token="t", transport=transport)
    forgotten(client)
    client.get_me()
    forgotten(client).get_me()
    assert 0 == transport.closed
    client.close()
    assert 1 == transport.closed


def test_new_process_opens_connections_of_its_own_async() -> None:
    """And leaves those of the old one alone."""
    transport = Opened(lambda _: httpx.Response(200, json=VISITOR))

    async def main() -> int:
        client = AsyncSiteAssist(token="t", transport=transport)
        await client.get_me()
        await forgotten(client).get_me()
        before = transport.closed
        await client.aclose()
        return before

    assert 0 == asyncio.run(main())


def test_lock_that_was_held_is_free_in_the_new_process() -> None:
    """Whoever held it does not exist there, or has a lock of its own by now."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            if not begun:
                begun.append(True)
                # As in a process that was made while this call is under way.
                forgotten(client).get_me(timeout=1)
            return httpx.Response(201, json={"sessionToken": "t", "visitor": VISITOR})
        return httpx.Response(200, json=VISITOR)

    begun: list[bool] = []
    client = SiteAssist(api_key="pk", transport=httpx.MockTransport(handler))
    assert VISITOR["id"] == str(client.get_me().id)


def test_clients_are_not_kept_alive() -> None:
    """The list of clients kept for forks holds no strong references."""
    gc.collect()
    before = len(calls._callers)
    clients = [SiteAssist(token="t") for _ in range(3)]
    assert before + 3 == len(calls._callers)
    clients.clear()
    gc.collect()
    assert before >= len(calls._callers)


# What both kinds share


def base(**given: Any) -> BaseCaller:
    """Return what both kinds of callers are."""
    told: dict[str, Any] = {
        "token": None,
        "api_key": "pk",
        "device_id": "device-1",
        "base_url": BASE_URL,
        "default_base_url": BASE_URL,
        "timeout": 5,
        "idle_timeout": 5,
        "max_retries": 2,
        "max_retry_wait": 60,
        "headers": None,
        "user_agent": "test/1",
    }
    service = ServiceInfo(
        {},
        OperationInfo("init", "POST", bearer=False),
        "/identity/init",
        {"apiKey": "api_key", "saVid": "device_id"},
        "sessionToken",
    )
    return BaseCaller(ClientSettings(**{**told, **given}), service)


def test_base_knows_no_connections() -> None:
    """Each kind has its own."""
    with pytest.raises(NotImplementedError):
        base().forget_connections()


def test_plan_takes_the_clients_settings_unless_told() -> None:
    """A call's own count more, its deadline most of all."""
    operation = OperationInfo("getMe", "GET", bearer=True)
    call = base().plan(operation, "/identity/me")
    assert (2, 5.0, f"{BASE_URL}/identity/me", None) == (
        call.max_retries,
        call.deadline.seconds,
        call.url,
        call.content,
    )
    own = base().plan(operation, "/identity/me", timeout=None, max_retries=0, query={}, body={})
    assert (0, None, f"{BASE_URL}/identity/me", None) == (
        own.max_retries,
        own.deadline.seconds,
        own.url,
        own.content,
    )
    deadline = Deadline(1)
    assert deadline is base().plan(operation, "/", deadline=deadline).deadline
    assert b"{}" == base().plan(operation, "/", body={}, body_required=True).content


def test_expired_session_is_forgotten_if_it_is_the_one() -> None:
    """A newer one stays."""
    caller = base()
    caller.session_token = "new"
    caller.expire("old")
    assert "new" == caller.session_token
    caller.expire("new")
    assert None is caller.session_token


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("name"), "missing 'name'"),
        (ValueError("no number"), "no number"),
        (TypeError(), "TypeError"),
        (AttributeError("no attribute"), "no attribute"),
        (RecursionError("too deep"), "too deep"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_model_that_cannot_read_an_answer_makes_it_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """Whichever of Python's own exceptions it fails with."""

    def from_dict(_: object) -> Visitor:
        raise error

    monkeypatch.setattr(Visitor, "from_dict", from_dict)
    with pytest.raises(APIResponseError) as caught:
        run(lambda _: httpx.Response(200, json=VISITOR), me)
    assert words in caught.value.message


class Trickle(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        """Give a little, and fail."""
        yield b'{"error":'
        raise httpx.ReadError("reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give a little, and fail."""
        yield b'{"error":'
        raise httpx.ReadError("reset")


@pytest.mark.parametrize("step", [me, chat], ids=["call", "stream"])
def test_error_whose_body_breaks_off_is_an_error_all_the_same(run: Run, step: Step) -> None:
    """One of the client's, whichever it is; nothing of httpx's comes through."""
    with pytest.raises(SiteAssistError) as caught:
        run(lambda _: httpx.Response(404, stream=Trickle()), step)
    assert str(caught.value).startswith(("getMe: ", "sendMessage: "))
