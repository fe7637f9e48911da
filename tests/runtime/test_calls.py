"""The requests that calls send (URL, headers and body) and the life cycle of a client."""

from __future__ import annotations

import asyncio
import gc
import json
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
from siteassist_runtime.calls import BaseCaller, ServiceInfo, _parsed
from siteassist_runtime.deadline import Deadline
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.settings import ClientSettings
from tests.runtime.helpers import (
    BASE_URL,
    CONVERSATION,
    VISITOR,
    Run,
    Service,
    Step,
    chat,
    me,
    never,
    visitor,
)


@pytest.fixture
def run(run_steps: Run) -> Run:
    """Return a function that runs one step with a client that never retries."""
    return lambda handler, step, **settings: run_steps(
        handler, step, **{"token": "a-token", "max_retries": 0, **settings}
    )[0]


@pytest.fixture
def sent(run: Run) -> Callable[..., httpx.Request]:
    """Return a function that runs a step and returns the only request that it sends."""

    def sent(step: Step, **settings: Any) -> httpx.Request:
        service = Service(httpx.Response(404))
        with pytest.raises(NotFoundError):
            run(service, step, **settings)
        assert 1 == len(service.requests)
        return service.requests[0]

    return sent


# Headers


def test_headers_of_a_call_without_a_body(sent: Callable[..., httpx.Request]) -> None:
    """A GET carries Accept, Authorization, Accept-Encoding and User-Agent, and no Content-Type."""
    headers = sent(me).headers
    assert ("application/json", "Bearer a-token", "gzip, deflate") == (
        headers["accept"],
        headers["authorization"],
        headers["accept-encoding"],
    )
    assert headers["user-agent"].startswith("siteassist-python/")
    assert "content-type" not in headers


def test_headers_of_a_call_with_a_body(sent: Callable[..., httpx.Request]) -> None:
    """A POST sends and accepts JSON, with the length of its body."""
    request = sent(lambda client: client.send_message(CONVERSATION, content="☺"))
    assert ("application/json", "application/json") == (
        request.headers["content-type"],
        request.headers["accept"],
    )
    assert str(len(request.content)) == request.headers["content-length"]


def test_headers_of_a_stream(sent: Callable[..., httpx.Request]) -> None:
    """A streamed call sends JSON and accepts an event stream."""
    headers = sent(chat).headers
    assert ("application/json", "text/event-stream") == (
        headers["content-type"],
        headers["accept"],
    )


def test_calls_without_a_visitor_send_no_token(sent: Callable[..., httpx.Request]) -> None:
    """Operations without bearer authentication do not send the private key."""
    assert "authorization" not in sent(lambda client: client.get_project(api_key="pk")).headers
    assert "authorization" not in sent(lambda client: client.init(api_key="pk")).headers


def sent_with(
    sent: Callable[..., httpx.Request], where: str, headers: dict[str, str]
) -> httpx.Headers:
    """Return the headers sent when ``headers`` are given to the client or to the call."""
    client = where == "client"
    own = {"headers": headers} if client else {}
    call = {} if client else {"extra_headers": headers}
    return sent(lambda client: me(client, **call), **own).headers


@pytest.mark.parametrize("name", ["User-Agent", "user-agent", "USER-AGENT"])
@pytest.mark.parametrize("where", ["client", "call"])
def test_own_header_replaces_default_header(
    sent: Callable[..., httpx.Request], where: str, name: str
) -> None:
    """A header replaces the client's own header of the same name, in any case."""
    headers = sent_with(sent, where, {name: "own/1"})
    assert ["own/1"] == headers.get_list("user-agent")


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize("where", ["client", "call"])
def test_own_credential_is_sent_once(
    sent: Callable[..., httpx.Request], where: str, name: str
) -> None:
    """A given Authorization header never results in two credentials in one request."""
    headers = sent_with(sent, where, {name: "Bearer own"})
    assert 1 == len(headers.get_list("authorization"))
    if where == "call":
        assert "Bearer own" == headers["authorization"]


@pytest.mark.parametrize("name", ["Accept", "accept", "Content-Type", "content-type"])
def test_default_header_given_again_is_sent_once(
    sent: Callable[..., httpx.Request], name: str
) -> None:
    """Accept and Content-Type are sent once, so that the service cannot choose between two."""
    headers = sent(chat, headers={name: "application/json"}).headers
    assert [1, 1] == [len(headers.get_list(found)) for found in ("accept", "content-type")]
    assert "application/json" == headers["content-type"]


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_headers_of_a_call_win_over_those_of_the_client(
    sent: Callable[..., httpx.Request], spelling: Callable[[str], str]
) -> None:
    """A call's header replaces the client's header of the same name and keeps the others."""
    headers = sent(
        lambda client: me(client, extra_headers={spelling("X-Own"): "call"}),
        headers={"X-Own": "client", "X-Other": "client"},
    ).headers
    assert ["call"] == headers.get_list("x-own")
    assert ["client"] == headers.get_list("x-other")


def test_headers_of_a_call_are_for_that_call() -> None:
    """Headers of one call do not affect the next call, and the caller's dict is unchanged."""
    service = Service(visitor())
    given = {"X-Own": "call"}
    with SiteAssist(token="t", transport=httpx.MockTransport(service)) as client:
        client.get_me(extra_headers=given)
        client.get_me()
    assert [["call"], []] == [request.headers.get_list("x-own") for request in service.requests]
    assert {"X-Own": "call"} == given


def test_headers_of_a_client_are_copied() -> None:
    """Changing the given dict after the client is created has no effect."""
    given = {"X-Own": "before"}
    service = Service(visitor())
    with SiteAssist(token="t", headers=given, transport=httpx.MockTransport(service)) as client:
        given["X-Own"] = "after"
        client.get_me()
    assert "before" == service.requests[0].headers["x-own"]


@pytest.mark.parametrize(
    "headers",
    [{"X-Own": "café"}, {"X-Own": 5}, {"Näme": "x"}, {"X-Own": "\ud800"}, {5: "x"}, "X-Own: 1"],
    ids=["value", "number", "name", "lone surrogate", "numeric name", "text"],
)
def test_unencodable_header_is_an_error(run: Run, headers: Any) -> None:
    """An unencodable header raises SiteAssistError before anything is sent."""
    with pytest.raises(SiteAssistError):
        run(never, lambda client: me(client, extra_headers=headers))


def test_cookies_are_not_kept() -> None:
    """Cookies are not kept: one visitor's cookie must not accompany another visitor's token."""
    service = Service(visitor(**{"Set-Cookie": "a=b; Path=/"}))
    with SiteAssist(token="t", transport=httpx.MockTransport(service)) as client:
        client.get_me()
        client.get_me()
    assert [False, False] == ["cookie" in request.headers for request in service.requests]


# Bodies

BODIES: dict[str, tuple[Step, Any]] = {
    "no context": (lambda client: client.start_conversation(), None),
    "an unset context": (
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
    "a dict with an unset value": (
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
    "a string": (
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
    "a future value": (
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
    """The body contains the given values, null included, and omits unset ones."""
    request = sent(step)
    if expected is None:
        assert (b"", "0") == (request.content, request.headers["content-length"])
        assert "content-type" not in request.headers
    else:
        assert expected == json.loads(request.content)


def test_body_is_compact_utf8(sent: Callable[..., httpx.Request]) -> None:
    """The body is compact UTF-8 JSON, without escapes or spaces."""
    request = sent(lambda client: client.send_message(CONVERSATION, content="☺"))
    assert '{"content":"☺","stream":false}'.encode() == request.content


def cyclic() -> dict[str, Any]:
    """Return a dict that contains itself."""
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def deep() -> dict[str, Any]:
    """Return a dict nested too deeply for the JSON encoder."""
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
    ids=["nan", "inf", "lone surrogate", "tuple", "cyclic", "deep"],
)
def test_unserializable_body_is_an_error(run: Run, context: dict[str, Any]) -> None:
    """An unserializable body raises an error that names the operation; nothing is sent."""
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
        ({"status": "future"}, {"status": "future"}),
        ({"order_by": ConversationOrderBy.CREATEDAT}, {"orderBy": "createdAt"}),
        (
            {"order_by": "createdAt", "order_dir": "desc"},
            {"orderBy": "createdAt", "orderDir": "desc"},
        ),
        ({"limit": 5}, {"limit": "5"}),
        ({"limit": 5.0}, {"limit": "5"}),
        ({"status": UNSET, "limit": UNSET}, {}),
    ],
)
def test_query_of_a_list(
    sent: Callable[..., httpx.Request], query: dict[str, Any], expected: dict[str, str]
) -> None:
    """Query parameters are text under the API's names; unset ones are omitted."""
    found = dict(sent(lambda client: client.get_conversations(**query).page()).url.params)
    found.pop("offset", None)
    assert expected == found


@pytest.mark.parametrize("offset", [0, 7, 7.0])
def test_offset_of_a_list(sent: Callable[..., httpx.Request], offset: float) -> None:
    """The offset is sent as an integer, since some servers parse nothing else."""
    request = sent(lambda client: client.get_conversations(offset=offset).page())
    assert str(int(offset)) == request.url.params["offset"]


@pytest.mark.parametrize("text", ["a b", "a&b=c", "50%", "+", "☺", "#", "a/b?c", "", "\n"])
def test_text_in_a_query_is_escaped(sent: Callable[..., httpx.Request], text: str) -> None:
    """Text with characters that have a meaning in a URL arrives unchanged."""
    request = sent(lambda client: client.search(q=text, api_key="pk"))
    assert [("q", text)] == [pair for pair in request.url.params.multi_items() if pair[0] == "q"]
    assert "/v2/search" == request.url.path


def test_unencodable_text_in_a_query_is_an_error(run: Run) -> None:
    """A lone surrogate in a query raises SiteAssistError instead of UnicodeEncodeError."""
    with pytest.raises(SiteAssistError, match="search"):
        run(never, lambda client: client.search(q="\ud800", api_key="pk"))


def test_too_long_query_is_an_error(run: Run) -> None:
    """A URL over httpx's length limit raises SiteAssistError."""
    with pytest.raises(SiteAssistError, match=r"^search: invalid request: "):
        run(never, lambda client: client.search(q="x" * 70_000, api_key="pk"))


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        (CONVERSATION, CONVERSATION),
        (uuid.UUID(CONVERSATION), CONVERSATION),
        ("../me?a#b", "..%2Fme%3Fa%23b"),
    ],
)
def test_identifier_is_one_segment_of_the_path(
    sent: Callable[..., httpx.Request], identifier: object, path: str
) -> None:
    """An identifier is escaped into one path segment, so it cannot reach another resource."""
    request = sent(lambda client: client.get_conversation(identifier))
    assert f"/v2/conversations/{path}".encode() == request.url.raw_path


def test_empty_identifier_is_refused(run: Run) -> None:
    """An empty identifier raises ValueError that names the parameter."""
    with pytest.raises(ValueError, match="conversation_id must not be empty"):
        run(never, lambda client: client.get_conversation(""))


def test_datetime_in_a_body_is_iso_8601(sent: Callable[..., httpx.Request]) -> None:
    """A datetime is sent as ISO 8601 text."""
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    request = sent(lambda client: client.start_conversation(context={"at": moment}))
    assert {"context": {"at": "2025-01-01T00:00:00+00:00"}} == json.loads(request.content)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(run: Run, status: int) -> None:
    """A redirect is not followed, so the credential goes to no other host."""
    service = Service(httpx.Response(status, headers={"Location": "https://example.com/"}))
    with pytest.raises(SiteAssistError):
        run(service, me)
    assert 1 == len(service.requests)


# The end of a client


def test_closed_client_makes_no_call(run: Run) -> None:
    """A call on a closed client raises an error and opens no connection."""

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
    """A client can be closed before its first call."""
    with SiteAssist(token="t") as client:
        assert isinstance(client, SiteAssist)

    async def main() -> None:
        async with AsyncSiteAssist(token="t") as client:
            assert isinstance(client, AsyncSiteAssist)

    asyncio.run(main())


class CountingTransport(httpx.MockTransport):
    """A transport that counts how often it is closed."""

    def __init__(self) -> None:
        super().__init__(lambda _: visitor())
        self.closed = 0

    def close(self) -> None:
        """Count a close."""
        self.closed += 1

    async def aclose(self) -> None:
        """Count a close."""
        self.closed += 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> CountingTransport:
    """Return the transport of all connections that clients open themselves."""
    transport = CountingTransport()
    for cls in (httpx.Client, httpx.AsyncClient):
        monkeypatch.setattr(cls, "_init_transport", lambda *_, **__: transport)
    return transport


def test_connections_are_closed_with_the_client(opened: CountingTransport) -> None:
    """Closing the client closes the connections that it has opened, once."""
    with SiteAssist(token="t") as client:
        client.get_me()
        assert 0 == opened.closed
    assert 1 == opened.closed


def test_connections_of_a_loop_are_closed_with_it(opened: CountingTransport) -> None:
    """The end of an event loop closes its connections even if the client is never closed."""
    client = AsyncSiteAssist(token="t")

    async def main() -> None:
        await client.get_me()
        await client.get_me()

    asyncio.run(main())
    assert 1 == opened.closed
    asyncio.run(main())
    assert 2 == opened.closed


def test_async_client_closes_its_loops_connections(opened: CountingTransport) -> None:
    """Leaving the client's block closes the connections of the running loop at once."""

    async def main() -> int:
        async with AsyncSiteAssist(token="t") as client:
            await client.get_me()
        return opened.closed

    assert 1 == asyncio.run(main())
    assert 1 == opened.closed


def test_pool_opened_by_another_thread_is_used() -> None:
    """Two threads that make the first call together open one pool, not two."""
    transport = CountingTransport()
    client = SiteAssist(token="t", transport=transport)
    other = httpx.Client(transport=transport)
    caller = vars(client._caller)

    class LateLock:
        """A lock that this thread acquires only after another thread opened the connections."""

        def __enter__(self) -> None:
            caller["_http"] = other

        def __exit__(self, *_: object) -> None:
            pass

    caller["_opening"] = LateLock()
    client.get_me()
    assert other is caller["_http"]


# After a fork


def test_child_process_opens_its_own_connections(opened: CountingTransport) -> None:
    """After a fork the client opens new connections and leaves the parent's alone."""
    client = SiteAssist(token="t")
    for _ in range(2):
        calls._after_fork()
        client.get_me()
    assert 0 == opened.closed
    client.close()
    assert 1 == opened.closed


def test_child_process_opens_its_own_async_connections(opened: CountingTransport) -> None:
    """After a fork the async client opens new connections and leaves the parent's alone."""

    async def main() -> int:
        client = AsyncSiteAssist(token="t")
        await client.get_me()
        calls._after_fork()
        await client.get_me()
        before = opened.closed
        await client.aclose()
        return before

    assert 0 == asyncio.run(main())


def test_held_lock_is_free_in_the_child_process() -> None:
    """A lock held at the time of the fork is free in the child process."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            if not begun:
                begun.append(True)
                # As in a process forked while this call is in progress.
                calls._after_fork()
                client.get_me(timeout=1)
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


# The base class of both callers


def base(**given: Any) -> BaseCaller[Any, Any]:
    """Return an instance of the base class of both callers."""
    defaults: dict[str, Any] = {
        "token": None,
        "api_key": "pk",
        "device_id": "device-1",
        "base_url": BASE_URL,
        "default_base_url": BASE_URL,
        "timeout": 5,
        "idle_timeout": 5,
        "max_retries": 2,
        "max_retry_wait": 60,
        "max_response_bytes": None,
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
    return BaseCaller(ClientSettings(**{**defaults, **given}), service, library=httpx)


def test_plan_uses_the_clients_settings_by_default() -> None:
    """A call uses the client's settings unless it has its own; a given deadline is used as is."""
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


def test_expire_drops_only_the_given_token() -> None:
    """Expiring an old token does not drop a newer one."""
    caller = base()
    caller.session.token = "new"
    caller.expire("old")
    assert "new" == caller.session.token
    caller.expire("new")
    assert None is caller.session.token


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
def test_exception_of_a_model_becomes_a_response_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """An exception of a model's `from_dict`, of any kind, becomes an APIResponseError."""

    def from_dict(_: object) -> Visitor:
        raise error

    monkeypatch.setattr(Visitor, "from_dict", from_dict)
    with pytest.raises(APIResponseError) as caught:
        run(lambda _: httpx.Response(200, json=VISITOR), me)
    assert words in caught.value.message


class Trickle(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield some bytes, then fail."""
        yield b'{"error":'
        raise httpx.ReadError("reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield some bytes, then fail."""
        yield b'{"error":'
        raise httpx.ReadError("reset")


@pytest.mark.parametrize("step", [me, chat], ids=["call", "stream"])
def test_error_response_with_a_broken_body_is_an_error(run: Run, step: Step) -> None:
    """A body that breaks off raises SiteAssistError, never an exception of httpx."""
    with pytest.raises(SiteAssistError) as caught:
        run(lambda _: httpx.Response(404, stream=Trickle()), step)
    assert str(caught.value).startswith(("getMe: ", "sendMessage: "))


def test_urls_are_parsed_once_and_queries_are_not_kept() -> None:
    """A call to the address of an earlier one does not parse it; a query may hold a secret."""
    _parsed.cache_clear()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=VISITOR))
    with SiteAssist(token="t", base_url=BASE_URL, transport=transport) as client:
        for _ in range(3):
            client.get_me()
        client.get_me(extra_query={"secret": "1234567890"})
    assert (2, 1, 1) == (
        _parsed.cache_info().hits,
        _parsed.cache_info().misses,
        _parsed.cache_info().currsize,
    )
