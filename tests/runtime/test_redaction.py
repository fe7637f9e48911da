"""Keys and tokens show nowhere: not in reprs, exceptions, logs or pickles, whoever wrote them."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from siteassist import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    AsyncSiteAssist,
    AuthenticatedClient,
    Client,
    InternalServerError,
    SiteAssist,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    UnauthorizedError,
)
from siteassist.models import InitRequest, VisitorSession
from siteassist_mock.testing import mock_server
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.redaction import REDACTED, KeyFilter, redact, redact_headers

BASE_URL = "http://127.0.0.1/v2"
CONVERSATION = "7f3e2d1c-0b9a-4887-a6f5-e4d3c2b1a098"
# With characters that JSON, addresses and regular expressions write in another way.
TOKEN = "sk_live/T0ken+with.odd~characters=="
SESSION = "session/T0ken+with.odd~characters=="
KEY = "pk_live/K3y+with.odd~characters=="
SECRETS = (TOKEN, SESSION, KEY)
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}

Run = Callable[..., Any]
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Take a step with a client of either kind."""

    def run(handler: Handler, step: Callable[[Any], Any], **settings: Any) -> Any:
        settings = {"base_url": BASE_URL, "max_retries": 0, **settings}
        transport = httpx.MockTransport(handler)
        if request.param == "sync":
            with SiteAssist(transport=transport, **settings) as client:
                return step(client)

        async def main() -> Any:
            async with AsyncSiteAssist(transport=transport, **settings) as client:
                return await step(client)

        return asyncio.run(main())

    return run


def spellings(secret: str) -> set[str]:
    """Return the ways in which a secret may be written."""
    return {secret, quote(secret), quote(secret, safe=""), secret.replace("/", "\\/")}


def parts(value: object) -> list[object]:
    """Return what a value holds, whether it shows it or not."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    found: list[object] = []
    if isinstance(value, BaseException):
        found = [value.args, value.__cause__, value.__context__]
    elif isinstance(value, httpx.Headers):
        found = [value.raw]
    elif isinstance(value, httpx.Request):
        found = [str(value.url), repr(value.url), value.content]
    elif isinstance(value, httpx.Response):
        found = [value.content, value.text, value.reason_phrase]
    else:
        return []
    return [*found, repr(value), str(value), vars(value)]


def strings(*values: object) -> list[str]:
    """Return every text that can be reached from the values, attribute by attribute."""
    # The values themselves are kept: the number of one that is gone may be another's.
    seen: dict[int, object] = {}
    left = list(values)
    while left:
        value = left.pop()
        if id(value) not in seen:
            seen[id(value)] = value
            left += parts(value)
    texts = [value for value in seen.values() if isinstance(value, str)]
    return texts + [value.decode("latin-1") for value in seen.values() if isinstance(value, bytes)]


SPELLINGS = {spelling for secret in SECRETS for spelling in spellings(secret)}


def leaks(*texts: str) -> list[str]:
    """Return the texts that hold a secret."""
    return [text[:300] for text in texts if any(secret in text for secret in SPELLINGS)]


def assert_clean(error: BaseException) -> None:
    """Look for secrets in all that an exception holds and shows."""
    assert [] == leaks(*strings(error))
    assert [] == leaks("".join(traceback.format_exception(error)))
    assert [] == leaks(*(pickle.dumps(error, protocol).decode("latin-1") for protocol in range(6)))
    again = pickle.loads(pickle.dumps(error))
    assert [] == leaks(*strings(again, copy.deepcopy(error)))


def test_the_search_for_secrets_finds_them() -> None:
    """The tests below would notice: each place that they look at is really looked at."""
    request = httpx.Request("GET", BASE_URL, headers={"Authorization": f"Bearer {TOKEN}"})
    asked = httpx.Request("GET", BASE_URL, params={"apiKey": KEY})
    holders: list[object] = [
        SiteAssistError(f"no {TOKEN}"),
        APIStatusError("no", operation="x", status_code=404, details={"a": [TOKEN]}),
        APIStatusError("no", operation="x", status_code=404, reason=TOKEN),
        request,
        asked,
        httpx.Response(404, request=request),
        httpx.Response(404, headers={"X-Echo": TOKEN}),
        httpx.Response(404, text=TOKEN),
        httpx.Response(404, extensions={"reason_phrase": TOKEN.encode()}),
        httpx.Response(404, content=json.dumps(TOKEN).replace("/", "\\/")),
        httpx.ReadError("no", request=request),
    ]
    assert [] == [holder for holder in holders if not leaks(*strings(holder))]
    outer = SiteAssistError("no")
    outer.__cause__ = httpx.ReadError("no", request=request)
    assert leaks(*strings(outer))


# Reprs and pickles

CLIENTS: dict[str, Callable[[], Any]] = {
    "token": lambda: SiteAssist(token=TOKEN, api_key=KEY),
    "key": lambda: SiteAssist(api_key=KEY),
    "async token": lambda: AsyncSiteAssist(token=TOKEN, api_key=KEY),
    "async key": lambda: AsyncSiteAssist(api_key=KEY),
}


@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_repr_of_a_client_names_its_kind_of_credential_only(make: Callable[[], Any]) -> None:
    """Address, device and the kind of credential; nothing that could be used."""
    client = make()
    client._caller.session_token = SESSION
    shown = repr(client)
    assert [] == leaks(shown, str(client), f"{client}")
    assert shown.startswith(f"{type(client).__name__}(base_url='https://")
    assert client.device_id in shown
    inner = (client._caller, client._settings)
    assert [] == leaks(*map(repr, inner), *map(str, inner))


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"token": TOKEN}, "token"), ({"api_key": KEY}, "api_key"), ({}, "none")],
)
def test_repr_tells_the_kind(settings: dict[str, str], kind: str) -> None:
    """Whoever wonders why a call is refused sees at least this."""
    assert f"credential={kind}," in repr(SiteAssist(**settings))  # type: ignore[arg-type]  # strings all


def test_repr_of_a_planned_call_shows_no_key() -> None:
    """A call holds the key in its address or its body, and may end up in a traceback's locals."""
    caller = SiteAssist(api_key=KEY)._caller
    search = OperationInfo("search", "GET", bearer=False, secrets=("apiKey",))
    start = OperationInfo("init", "POST", bearer=False, secrets=("apiKey",))
    calls = [
        caller.plan(search, "/search", query={"apiKey": KEY, "q": "x"}),
        caller.plan(search, "/search", headers={"Authorization": f"Bearer {TOKEN}"}),
        caller.plan(start, "/identity/init", body={"apiKey": KEY}),
    ]
    assert [] == leaks(*map(repr, calls), *map(str, calls))
    assert "search" in repr(calls[0])


def test_repr_of_streams_and_lists_shows_no_secret() -> None:
    """They hold the client."""
    client = SiteAssist(token=TOKEN, api_key=KEY)
    lazy: list[object] = [
        client.send_message_stream(CONVERSATION, content="Hi"),
        client.get_conversations(),
        AsyncSiteAssist(token=TOKEN).send_message_stream(CONVERSATION, content="Hi"),
        AsyncSiteAssist(token=TOKEN).get_conversations(),
    ]
    assert [] == leaks(*map(repr, lazy))


REFUSING: dict[str, tuple[Callable[[], object], str]] = {
    **{name: (make, "client") for name, make in CLIENTS.items()},
    "low-level": (lambda: Client(BASE_URL, headers={"Authorization": TOKEN}), "client"),
    "low-level with token": (lambda: AuthenticatedClient(BASE_URL, token=TOKEN), "client"),
    "session": (
        lambda: VisitorSession.from_dict({"sessionToken": SESSION, "visitor": VISITOR}),
        "VisitorSession",
    ),
    "request": (lambda: InitRequest(api_key=KEY, sa_vid="device-1"), "InitRequest"),
}


@pytest.mark.parametrize(("make", "word"), REFUSING.values(), ids=REFUSING)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_holds_a_secret_refuses_to_be_pickled(
    make: Callable[[], object], word: str, protocol: int
) -> None:
    """A clear TypeError, not a file with a secret in it."""
    with pytest.raises(TypeError, match=word) as caught:
        pickle.dumps(make(), protocol)
    assert [] == leaks(str(caught.value))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SiteAssist(token=TOKEN, api_key=KEY)._settings,
        lambda: SiteAssist(token=TOKEN, api_key=KEY)._caller,
        lambda: SiteAssist(api_key=KEY)._caller.plan(
            OperationInfo("search", "GET", bearer=False, secrets=("apiKey",)),
            "/search",
            query={"apiKey": KEY},
        ),
        lambda: SiteAssist(token=TOKEN).send_message_stream(CONVERSATION, content="Hi"),
        lambda: SiteAssist(token=TOKEN).get_conversations(),
    ],
    ids=["settings", "caller", "call", "stream", "list"],
)
def test_parts_of_a_client_do_not_get_into_a_pickle(make: Callable[[], object]) -> None:
    """A program that pickles its own objects may reach them; whatever happens, no secret goes."""
    try:
        written = pickle.dumps(make()).decode("latin-1")
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        written = str(error)
    assert [] == leaks(written)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_models_with_secrets_can_be_copied(way: Callable[[Any], Any]) -> None:
    """They stay in the process, so that is no danger."""
    session = VisitorSession.from_dict({"sessionToken": SESSION, "visitor": VISITOR, "new": 1})
    again = way(session)
    assert session is not again
    assert session == again
    assert (SESSION, {"new": 1}) == (again.session_token, again.additional_properties)
    request = InitRequest(api_key=KEY, sa_vid="device-1")
    assert request == way(request)
    assert [] == leaks(repr(session), repr(again), repr(request), str(request))


# Exceptions


def echo(request: httpx.Request) -> str:
    """Return the credential that a request came with."""
    key: str | None = request.url.params.get("apiKey")
    if key is None and request.content:
        key = json.loads(request.content).get("apiKey")
    token: str = request.headers.get("authorization", "").removeprefix("Bearer ")
    return token or key or ""


def body(words: str, **rest: Any) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": words, "code": "no", **rest}}


ECHOES: dict[str, Callable[[str], httpx.Response]] = {
    "message": lambda secret: httpx.Response(404, json=body(f"No {secret} here")),
    "code": lambda secret: httpx.Response(404, json={"error": {"code": secret}}),
    "details": lambda secret: httpx.Response(404, json=body("No", details={"got": [secret]})),
    "name of a detail": lambda secret: httpx.Response(404, json=body("No", details={secret: 1})),
    "plain text": lambda secret: httpx.Response(404, text=f"No {secret} here"),
    "page": lambda secret: httpx.Response(502, html=f"<p title='{secret}'>{secret}</p>"),
    "escaped slashes": lambda secret: httpx.Response(
        404, content=json.dumps(body(secret, details={"got": secret})).replace("/", "\\/")
    ),
    "escaped characters": lambda secret: httpx.Response(
        404, content=json.dumps(body(secret)).replace("T", "\\u0054").replace("K", "\\u004b")
    ),
    "escaped as in an address": lambda secret: httpx.Response(
        404, json=body(f"No page /x?token={quote(secret, safe='')}")
    ),
    "header": lambda secret: httpx.Response(404, json=body("No"), headers={"X-Echo": secret}),
    "request id": lambda secret: httpx.Response(404, headers={"X-Request-Id": f"r-{secret}"}),
    "cookie": lambda secret: httpx.Response(404, headers={"Set-Cookie": f"session={secret}"}),
    "address": lambda secret: httpx.Response(302, headers={"Location": f"/x?token={secret}"}),
    "type": lambda secret: httpx.Response(404, headers={"Content-Type": f"text/{secret}"}),
    "reason": lambda secret: httpx.Response(
        404, extensions={"reason_phrase": f"No {secret}".encode()}
    ),
    "scheme": lambda secret: httpx.Response(401, headers={"WWW-Authenticate": f"Bearer {secret}"}),
    "success": lambda secret: httpx.Response(200, json={"sessionToken": secret, "x": secret}),
    "success in text": lambda secret: httpx.Response(200, text=f"Welcome, {secret}"),
    "success of a type": lambda secret: httpx.Response(
        200, headers={"Content-Type": f"text/{secret}"}
    ),
    "success with a wrong value": lambda secret: httpx.Response(200, json=VISITOR | {"id": secret}),
}


def me(client: Any) -> Any:
    """Make a call with a token."""
    return client.get_me()


def search(client: Any) -> Any:
    """Make a call with a key in its address."""
    return client.search(q="x")


def start(client: Any) -> Any:
    """Make a call with a key in its body."""
    return client.init()


STEPS: dict[str, tuple[Callable[[Any], Any], dict[str, str]]] = {
    "token": (me, {"token": TOKEN}),
    "session": (me, {"api_key": KEY}),
    "key in the address": (search, {"api_key": KEY}),
    "key in the body": (start, {"api_key": KEY}),
}


def with_session(handler: Handler) -> Handler:
    """Start sessions, so that only other calls go to ``handler``."""
    started: list[httpx.Request] = []

    def wrapped(request: httpx.Request) -> httpx.Response:
        # The first is the client's own doing, if a session is what it needs.
        if request.url.path.endswith("/init") and not started:
            started.append(request)
            return httpx.Response(201, json={"sessionToken": SESSION, "visitor": VISITOR})
        return handler(request)

    return wrapped


@pytest.mark.parametrize(("step", "settings"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
def test_exception_shows_no_secret_that_the_service_repeats(
    run: Run,
    answer: Callable[[str], httpx.Response],
    step: Callable[[Any], Any],
    settings: dict[str, str],
) -> None:
    """Wherever the service writes it: the exception, its parts, its pickles are without it."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        secret = echo(request)
        asked.append(secret)
        return answer(secret)

    service = handler if step is start else with_session(handler)
    with pytest.raises(SiteAssistError) as caught:
        run(service, step, **settings)
    assert asked[0] in SECRETS
    assert_clean(caught.value)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadError, httpx.ReadTimeout])
@pytest.mark.parametrize(("step", "settings"), STEPS.values(), ids=STEPS)
def test_exception_of_a_broken_connection_shows_no_secret(
    run: Run,
    step: Callable[[Any], Any],
    settings: dict[str, str],
    error: type[httpx.TransportError],
) -> None:
    """Httpx's exception holds the request that failed; as a cause, it is shown with ours."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    service = handler if step is start else with_session(handler)
    with pytest.raises(APIConnectionError) as caught:
        run(service, step, **settings)
    assert isinstance(caught.value.__cause__, error)
    assert_clean(caught.value)


def test_words_of_a_broken_connection_show_no_secret(run: Run) -> None:
    """H11 repeats the header that it does not like."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value {echo(request)!r}")

    with pytest.raises(APIConnectionError) as caught:
        run(handler, me, token=TOKEN)
    assert [] == leaks(str(caught.value), repr(caught.value))


def test_token_that_was_replaced_meanwhile_is_a_secret_still(run: Run) -> None:
    """A failure that is about the former session must not show its token."""
    old = SESSION
    new = "session/N3w.token+abcdefgh=="

    clients: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        # While this call is under way, another one has renewed the session.
        client = clients[0]
        client._caller.adopt(new, KEY, client.device_id)
        return httpx.Response(500, json=body(f"No {echo(request)}"))

    def step(client: Any) -> Any:
        clients.append(client)
        return client.get_me()

    with pytest.raises(InternalServerError) as caught:
        run(with_session(handler), step, api_key=KEY)
    assert old not in str(caught.value)
    assert_clean(caught.value)


@pytest.mark.parametrize(
    "step",
    [
        lambda client: client.search(q="x", api_key=KEY),
        lambda client: client.get_project(api_key=KEY),
        lambda client: client.init(api_key=KEY),
    ],
    ids=["search", "get_project", "init"],
)
def test_key_of_one_call_is_a_secret_as_well(run: Run, step: Callable[[Any], Any]) -> None:
    """Not only the client's own."""
    with pytest.raises(APIStatusError) as caught:
        run(lambda request: httpx.Response(401, json=body(f"Unknown key {echo(request)}")), step)
    assert_clean(caught.value)


def test_token_of_one_call_is_a_secret_as_well(run: Run) -> None:
    """Whoever passes a header of their own has the same wish."""
    with pytest.raises(UnauthorizedError) as caught:
        run(
            lambda request: httpx.Response(401, json=body(f"Unknown token {echo(request)}")),
            lambda client: client.get_me(headers={"authorization": f"Bearer {TOKEN}"}),
            token="another-token",
        )
    assert_clean(caught.value)


def test_request_of_an_exception_has_its_headers_but_for_the_secret(run: Run) -> None:
    """What was sent can be looked at; the credential cannot."""
    with pytest.raises(APIStatusError) as caught:
        run(lambda _: httpx.Response(404), me, token=TOKEN, headers={"X-Own": "kept"})
    response = caught.value.response
    assert response is not None
    headers = response.request.headers
    assert (REDACTED, "kept", "application/json") == (
        headers["authorization"],
        headers["x-own"],
        headers["accept"],
    )


def test_address_of_an_exception_has_its_query_but_for_the_secret(run: Run) -> None:
    """The question stays, the key does not."""
    with pytest.raises(APIStatusError) as caught:
        run(lambda _: httpx.Response(404), search, api_key=KEY)
    response = caught.value.response
    assert response is not None
    assert "x" == response.request.url.params["q"]
    assert "redacted" in response.request.url.params["apiKey"]


def test_short_token_does_not_spoil_the_words() -> None:
    """A token such as those of tests may be part of any word, address or number."""
    for token in ("e", "1", "error", "a-token"):
        answer = httpx.Response(404, json=body("No error 1 for a token"))
        transport = httpx.MockTransport(lambda _, answer=answer: answer)
        client = SiteAssist(token=token, base_url="http://127.0.0.1:8181/v2", transport=transport)
        with client, pytest.raises(APIStatusError) as caught:
            client.get_me()
        assert ("no", "No error 1 for a token") == (caught.value.code, caught.value.message)


def test_words_about_tokens_are_no_tokens(run: Run) -> None:
    """What the service says of a bearer token can be read, and so can its scheme."""
    scheme = 'Bearer realm="siteassist", error="invalid_token"'
    answer = httpx.Response(
        401, json=body("A bearer token is needed."), headers={"WWW-Authenticate": scheme}
    )
    with pytest.raises(UnauthorizedError) as caught:
        run(lambda _: answer, me, token=TOKEN)
    assert "A bearer token is needed." == caught.value.message
    assert caught.value.response is not None
    assert scheme == caught.value.response.headers["www-authenticate"]


# Streams


async def _read(stream: Any) -> Any:
    async with stream:
        return await stream.until_done()


def chat(client: Any) -> Any:
    """Send a message and read the answer as it comes."""
    stream = client.send_message_stream(CONVERSATION, content="Hi")
    if isinstance(client, AsyncSiteAssist):
        return _read(stream)
    with stream:
        return stream.until_done()


STREAMS: dict[str, tuple[Callable[[str], str], type[SiteAssistError]]] = {
    "error event": (
        lambda secret: json.dumps({"type": "error", "errorText": f"No {secret}"}),
        StreamError,
    ),
    "no JSON": (lambda secret: f"No {secret}", StreamDecodeError),
    "no event": (lambda secret: json.dumps([secret]), StreamDecodeError),
    # The words are cut somewhere, and then it is no whole secret any more.
    "cut": (lambda secret: "x" * (100 - len(secret) + 3) + secret, StreamDecodeError),
}


@pytest.mark.parametrize(("data", "cls"), STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("settings", [{"token": TOKEN}, {"api_key": KEY}], ids=["token", "session"])
def test_stream_shows_no_secret_that_the_service_repeats(
    run: Run,
    data: Callable[[str], str],
    cls: type[SiteAssistError],
    settings: dict[str, str],
) -> None:
    """In an event of failure, or in what is no event."""

    def handler(request: httpx.Request) -> httpx.Response:
        content = f"data: {data(echo(request))}\n\n".encode()
        return httpx.Response(200, content=content, headers={"Content-Type": "text/event-stream"})

    with pytest.raises(cls) as caught:
        run(with_session(handler), chat, **settings)
    assert_clean(caught.value)
    # Nor most of it.
    assert TOKEN[:20] not in str(caught.value)
    assert SESSION[:20] not in str(caught.value)


def test_stream_of_another_type_shows_no_secret(run: Run) -> None:
    """The type that came instead is named, without what it repeats."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": f"text/plain; x={echo(request)}"})

    with pytest.raises(APIResponseError, match="text/plain") as caught:
        run(handler, chat, token=TOKEN)
    assert_clean(caught.value)


# Logs


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Log all that anybody has to say, and return it as text."""
    for name in ("siteassist", "httpx", "httpcore", "asyncio"):
        caplog.set_level(1, logger=name)

    def logged() -> str:
        rows = [(record.name, record.getMessage(), record.args) for record in caplog.records]
        return "\n".join(f"{name} {message} {args!r}" for name, message, args in rows)

    return logged


@pytest.mark.parametrize(("step", "settings"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
def test_log_shows_no_secret_that_the_service_repeats(
    run: Run,
    logged: Callable[[], str],
    answer: Callable[[str], httpx.Response],
    step: Callable[[Any], Any],
    settings: dict[str, str],
) -> None:
    """Our own lines and those of httpx, at every level, with retries."""

    def handler(request: httpx.Request) -> httpx.Response:
        found = answer(echo(request))
        if found.status_code in {404, 502}:
            # A kind of failure after which the call is made again, and the words logged.
            found.status_code = 429
            found.headers["Retry-After"] = "0"
        return found

    service = handler if step is start else with_session(handler)
    with pytest.raises(SiteAssistError):
        run(service, step, **settings, max_retries=1)
    assert [] == leaks(*logged().splitlines())
    assert "siteassist " in logged()
    assert "httpx HTTP Request: " in logged()


def _journey(client: SiteAssist) -> None:
    conversation = client.start_conversation()
    client.send_message(conversation.id, content="Hi")
    with client.send_message_stream(conversation.id, content="Hi") as stream:
        stream.until_done()
    client.search(q="shipping")
    client.get_project()
    client.init()
    with pytest.raises(APIStatusError):
        client.get_conversation(CONVERSATION)


async def _journey_async(client: AsyncSiteAssist) -> None:
    conversation = await client.start_conversation()
    async with client.send_message_stream(conversation.id, content="Hi") as stream:
        await stream.until_done()
    await client.search(q="shipping")
    await client.init()


def test_log_of_a_whole_journey_shows_no_secret(logged: Callable[[], str]) -> None:
    """Over real connections, with all that httpx and httpcore tell at their lowest levels."""
    key = "sa_pk_1234567890abcdef"
    secrets = {key}
    with mock_server() as url:
        with SiteAssist(api_key=key, base_url=url) as client:
            client.get_me()
            secrets.add(str(client._caller.session_token))
            _journey(client)
            secrets.add(str(client._caller.session_token))

        async def main() -> None:
            async with AsyncSiteAssist(api_key=key, base_url=url) as client:
                await _journey_async(client)
                secrets.add(str(client._caller.session_token))

        asyncio.run(main())
    assert 4 == len(secrets)
    rows = logged().splitlines()
    assert [] == [row for row in rows if any(secret in row for secret in secrets)]
    names = {row.partition(" ")[0].partition(".")[0] for row in rows}
    assert {"siteassist", "httpx", "httpcore"} <= names


def test_log_of_httpcore_shows_no_secret_that_the_service_repeats(
    logged: Callable[[], str],
) -> None:
    """Httpcore writes the headers of every answer down."""

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            head = connection.makefile("rb")
            token = next(
                line.split()[2] for line in head if line.lower().startswith(b"authorization:")
            )
            connection.sendall(
                b"HTTP/1.1 404 No " + token + b"\r\nX-Echo: " + token + b"\r\n"
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            head.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with SiteAssist(token=TOKEN, base_url=url) as client, pytest.raises(APIStatusError):
            client.get_me()
        thread.join(10)
    assert "httpcore.http11 receive_response_headers.complete" in logged()
    assert [] == leaks(*logged().splitlines())


# What it is made of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing secret", "nothing secret"),
        (f"a {TOKEN} b {TOKEN}", f"a {REDACTED} b {REDACTED}"),
        ('{"apiKey":"pk_x","a":1}', '{"apiKey":"[redacted]","a":1}'),
        ('{"sessionToken" : "a\\"b"}', '{"sessionToken" : "[redacted]"}'),
        ('{"apiKey":"cut of', '{"apiKey":"[redacted]'),
        ('{"apiKeys":"kept"}', '{"apiKeys":"kept"}'),
        ("/search?apiKey=pk_x&q=1", "/search?apiKey=[redacted]&q=1"),
        ("/search?q=1&APIKEY=pk_x#there", "/search?q=1&APIKEY=[redacted]#there"),
        ("/search?notapiKey=kept", "/search?notapiKey=kept"),
        ("Bearer abcdefghijklmnop", "Bearer [redacted]"),
        ("bearer  abc.def-ghi_jkl~mno+pqr/==, more", "bearer  [redacted], more"),
        ("the bearer token", "the bearer token"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    """What is known and what looks like a secret goes, and nothing around it."""
    assert expected == redact(text, ["", TOKEN])
    assert expected == redact(expected, [TOKEN])


def test_redact_headers() -> None:
    """Whole values of the headers that are secret, known secrets in the others."""
    headers = [
        ("Authorization", "Basic abc"),
        ("proxy-authorization", "Basic abc"),
        ("Cookie", "a=b"),
        ("Set-Cookie", "a=b"),
        ("set-cookie", "c=d"),
        ("X-Echo", f"a {TOKEN}"),
        ("Accept", "text/plain"),
    ]
    expected = [(name, REDACTED) for name, _ in headers[:5]]
    expected += [("X-Echo", f"a {REDACTED}"), ("Accept", "text/plain")]
    assert expected == redact_headers(iter(headers), iter([TOKEN]))


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("GET", httpx.URL(f"{BASE_URL}?apiKey=pk_x&q=1")), f"{BASE_URL}?apiKey=[redacted]&q=1"),
        (("GET", f"{BASE_URL}?apiKey=pk_x"), f"{BASE_URL}?apiKey=[redacted]"),
        (("GET", httpx.URL(BASE_URL)), BASE_URL),
        (("GET", 5), "5"),
    ],
)
def test_key_filter_lets_every_line_pass_without_its_key(
    args: tuple[object, ...], expected: str
) -> None:
    """What httpx logs keeps its words."""
    record = logging.LogRecord("httpx", logging.INFO, __file__, 1, "%s %s", args, None)
    assert KeyFilter().filter(record)
    assert f"GET {expected}" == record.getMessage()


@pytest.mark.parametrize("args", [None, {"name": "value"}])
def test_key_filter_leaves_other_lines_alone(args: Any) -> None:
    """A line without arguments, or with named ones, is none of httpx's about a request."""
    record = logging.LogRecord("httpx", logging.INFO, __file__, 1, "words", None, None)
    record.args = args
    assert KeyFilter().filter(record)
    assert "words" == record.getMessage()
