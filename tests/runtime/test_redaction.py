"""Redaction: no repr, exception, log record or pickle contains a key or token."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpcore
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
from siteassist_runtime.redaction import REDACTED, KeyFilter, redact, redact_headers, redact_value
from tests.runtime.helpers import BASE_URL, CONVERSATION, VISITOR, Handler, Run, Step, chat, me

# With characters that JSON, URLs and regular expressions escape.
TOKEN = "sk_live/T0ken+with.odd~characters=="
SESSION = "session/T0ken+with.odd~characters=="
KEY = "pk_live/K3y+with.odd~characters=="
SECRETS = (TOKEN, SESSION, KEY)


@pytest.fixture
def run(run_steps: Run) -> Run:
    """Return a function that runs one step with a client that never retries."""
    return lambda handler, step, **settings: run_steps(
        handler, step, **{"max_retries": 0, **settings}
    )[0]


def spellings(secret: str) -> set[str]:
    """Return the ways in which a secret can be written."""
    return {secret, quote(secret), quote(secret, safe=""), secret.replace("/", "\\/")}


def parts(value: object) -> list[object]:
    """Return the contents of a value, including those that it does not show."""
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
    # The values are kept, since the id of a collected object can be reused.
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
    """Return the texts that contain a secret."""
    return [text[:300] for text in texts if any(secret in text for secret in SPELLINGS)]


def assert_clean(error: BaseException) -> None:
    """Check that nothing an exception holds or shows contains a secret."""
    assert [] == leaks(*strings(error))
    assert [] == leaks("".join(traceback.format_exception(error)))
    assert [] == leaks(*(pickle.dumps(error, protocol).decode("latin-1") for protocol in range(6)))
    again = pickle.loads(pickle.dumps(error))
    assert [] == leaks(*strings(again, copy.deepcopy(error)))


def test_search_for_secrets_finds_them() -> None:
    """The search used below finds a secret in each place."""
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
def test_repr_of_a_client_shows_no_secret(make: Callable[[], Any]) -> None:
    """The repr of a client shows base URL and device id, but no credential."""
    client = make()
    client._caller.session.token = SESSION
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
def test_repr_names_the_kind_of_credential(settings: dict[str, str], kind: str) -> None:
    """The repr names the kind of credential, which helps to explain a refused call."""
    assert f"credential={kind}," in repr(SiteAssist(**settings))  # type: ignore[arg-type]  # all strings


def test_repr_of_a_planned_call_shows_no_key() -> None:
    """The repr of a call, which may appear in a traceback, does not show the key."""
    caller = SiteAssist(api_key=KEY)._caller
    search = OperationInfo("search", "GET", bearer=False, secrets=("apiKey",))
    start = OperationInfo("init", "POST", bearer=False, secrets=("apiKey",))
    calls = [
        caller.plan(search, "/search", query={"apiKey": KEY, "q": "x"}),
        caller.plan(search, "/search", extra_headers={"Authorization": f"Bearer {TOKEN}"}),
        caller.plan(start, "/identity/init", body={"apiKey": KEY}),
    ]
    assert [] == leaks(*map(repr, calls), *map(str, calls))
    assert "search" in repr(calls[0])


def test_repr_of_streams_and_lists_shows_no_secret() -> None:
    """Streams and lists, which hold the client, show no secret."""
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
def test_object_with_a_secret_cannot_be_pickled(
    make: Callable[[], object], word: str, protocol: int
) -> None:
    """Pickling a client, or a model with a secret, raises TypeError."""
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
def test_parts_of_a_client_pickle_no_secret(make: Callable[[], object]) -> None:
    """Pickling a part of a client may fail, but never writes a secret."""
    try:
        written = pickle.dumps(make()).decode("latin-1")
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        written = str(error)
    assert [] == leaks(written)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_models_with_secrets_can_be_copied(way: Step) -> None:
    """Models with secrets can be copied, since copies stay in the process."""
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
    """Return the credential that a request carries."""
    key: str | None = request.url.params.get("apiKey")
    if key is None and request.content:
        key = json.loads(request.content).get("apiKey")
    token: str = request.headers.get("authorization", "").removeprefix("Bearer ")
    return token or key or ""


def body(words: str, **rest: Any) -> dict[str, Any]:
    """Return the body of an error response."""
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


def search(client: Any) -> Any:
    """Call `search`, which sends the key in its URL."""
    return client.search(q="x")


def start(client: Any) -> Any:
    """Call `init`, which sends the key in its body."""
    return client.init()


STEPS: dict[str, tuple[Step, dict[str, str]]] = {
    "token": (me, {"token": TOKEN}),
    "session": (me, {"api_key": KEY}),
    "key in the address": (search, {"api_key": KEY}),
    "key in the body": (start, {"api_key": KEY}),
}


def with_session(handler: Handler) -> Handler:
    """Start a session if needed, and pass the other calls to ``handler``."""
    started: list[httpx.Request] = []

    def wrapped(request: httpx.Request) -> httpx.Response:
        # The client itself sends the first one if it needs a session.
        if request.url.path.endswith("/init") and not started:
            started.append(request)
            return httpx.Response(201, json={"sessionToken": SESSION, "visitor": VISITOR})
        return handler(request)

    return wrapped


@pytest.mark.parametrize(("step", "settings"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
def test_exception_shows_no_echoed_secret(
    run: Run,
    answer: Callable[[str], httpx.Response],
    step: Step,
    settings: dict[str, str],
) -> None:
    """A secret echoed anywhere in a response is not in the exception, its parts or its pickle."""
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
    step: Step,
    settings: dict[str, str],
    error: type[httpx.TransportError],
) -> None:
    """The exception of httpx, which holds the request, is redacted as the cause."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    service = handler if step is start else with_session(handler)
    with pytest.raises(APIConnectionError) as caught:
        run(service, step, **settings)
    assert isinstance(caught.value.__cause__, error)
    assert_clean(caught.value)


def test_message_of_a_protocol_error_shows_no_secret(run: Run) -> None:
    """A header value repeated by h11 in its message is redacted."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value {echo(request)!r}")

    with pytest.raises(APIConnectionError) as caught:
        run(handler, me, token=TOKEN)
    assert [] == leaks(str(caught.value), repr(caught.value))


def test_replaced_token_is_redacted(run: Run) -> None:
    """The token of a session replaced during the call is redacted too."""
    old = SESSION
    new = "session/N3w.token+abcdefgh=="

    clients: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        # Another call renews the session while this one is in progress.
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
        lambda client: client.get_me(extra_headers={"authorization": f"Bearer {TOKEN}"}),
    ],
    ids=["search", "get_project", "init", "header"],
)
def test_credential_of_one_call_is_a_secret(run: Run, step: Step) -> None:
    """A key or token given to a call is redacted like the client's own."""
    with pytest.raises(UnauthorizedError) as caught:
        run(
            lambda request: httpx.Response(401, json=body(f"Unknown key {echo(request)}")),
            step,
            token="another-token",
        )
    assert_clean(caught.value)


def test_request_of_an_exception_keeps_other_headers(run: Run) -> None:
    """The request of an exception keeps its headers, except the credential."""
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


def test_url_of_an_exception_keeps_other_parameters(run: Run) -> None:
    """The URL of an exception keeps its query, except the key."""
    with pytest.raises(APIStatusError) as caught:
        run(lambda _: httpx.Response(404), search, api_key=KEY)
    response = caught.value.response
    assert response is not None
    assert "x" == response.request.url.params["q"]
    assert "redacted" in response.request.url.params["apiKey"]


def test_short_token_is_not_redacted_in_other_words() -> None:
    """A short token, as used in tests, is not redacted inside other words."""
    for token in ("e", "1", "error", "a-token"):
        answer = httpx.Response(404, json=body("No error 1 for a token"))
        transport = httpx.MockTransport(lambda _, answer=answer: answer)
        client = SiteAssist(token=token, base_url="http://127.0.0.1:8181/v2", transport=transport)
        with client, pytest.raises(APIStatusError) as caught:
            client.get_me()
        assert ("no", "No error 1 for a token") == (caught.value.code, caught.value.message)


@pytest.mark.parametrize("secret", ["t", "0", "true", "user", "message", "key-1", "conversation"])
def test_short_secret_is_redacted_as_a_value(secret: str) -> None:
    """A secret that may be a word is redacted where it is a value, and in no other text."""
    for place in (
        "{}",
        'no "{}"',
        "no '{}' here",
        "x-api-key: {}",
        "Bearer {}",
        "http://h/search?apiKey={}&q=x",
        "http://h/search?q=x&key={}",
        '{{"user":"{}","x":1}}',
    ):
        assert place.format(REDACTED) == redact(place.format(secret), [secret])
    words = "it is true that 10 users opened messages in conversations, monkey-12"
    assert words == redact(words, [secret])
    document = {secret: ["a", 0, None, True], "b": f"x{secret}x"}
    assert document == redact_value(document, [secret])
    assert {"a": [REDACTED]} == redact_value({"a": [secret]}, [secret])


@pytest.mark.parametrize("secret", ["t", "error", 'a"b', '","message":"', "message", TOKEN])
def test_error_stays_readable_with_any_token(secret: str) -> None:
    """The body of an error stays JSON, and its code and message are read."""
    answer = httpx.Response(404, json={**body("Not here"), "shown": secret})
    transport = httpx.MockTransport(lambda _: answer)
    client = SiteAssist(token=secret, base_url="http://127.0.0.1:8181/v2", transport=transport)
    with client, pytest.raises(APIStatusError) as caught:
        client.get_me()
    assert ("no", "Not here") == (caught.value.code, caught.value.message)
    assert caught.value.response is not None
    assert REDACTED == caught.value.response.json()["shown"]


def test_text_about_tokens_is_not_redacted(run: Run) -> None:
    """A message and a scheme that mention bearer tokens are not redacted."""
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


STREAMS: dict[str, tuple[Callable[[str], str], type[SiteAssistError]]] = {
    "error event": (
        lambda secret: json.dumps({"type": "error", "errorText": f"No {secret}"}),
        StreamError,
    ),
    "no JSON": (lambda secret: f"No {secret}", StreamDecodeError),
    "no event": (lambda secret: json.dumps([secret]), StreamDecodeError),
    # The message is truncated within the secret.
    "cut": (lambda secret: "x" * (100 - len(secret) + 3) + secret, StreamDecodeError),
}


@pytest.mark.parametrize(("data", "cls"), STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("settings", [{"token": TOKEN}, {"api_key": KEY}], ids=["token", "session"])
def test_stream_shows_no_echoed_secret(
    run: Run,
    data: Callable[[str], str],
    cls: type[SiteAssistError],
    settings: dict[str, str],
) -> None:
    """A secret echoed in an error event or an invalid event is redacted."""

    def handler(request: httpx.Request) -> httpx.Response:
        content = f"data: {data(echo(request))}\n\n".encode()
        return httpx.Response(200, content=content, headers={"Content-Type": "text/event-stream"})

    with pytest.raises(cls) as caught:
        run(with_session(handler), chat, **settings)
    assert_clean(caught.value)
    # A large part of a secret must not be shown either.
    assert TOKEN[:20] not in str(caught.value)
    assert SESSION[:20] not in str(caught.value)


def test_stream_of_another_type_shows_no_secret(run: Run) -> None:
    """The error about a wrong media type names the type without the secret in it."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": f"text/plain; x={echo(request)}"})

    with pytest.raises(APIResponseError, match="text/plain") as caught:
        run(handler, chat, token=TOKEN)
    assert_clean(caught.value)


# Logs


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return a function that returns everything logged by the client and its libraries."""
    for name in ("siteassist", httpx.__name__, httpcore.__name__, "asyncio"):
        caplog.set_level(1, logger=name)

    def logged() -> str:
        rows = [(record.name, record.getMessage(), record.args) for record in caplog.records]
        return "\n".join(f"{name} {message} {args!r}" for name, message, args in rows)

    return logged


@pytest.mark.parametrize(("step", "settings"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
def test_log_shows_no_echoed_secret(
    run: Run,
    logged: Callable[[], str],
    answer: Callable[[str], httpx.Response],
    step: Step,
    settings: dict[str, str],
) -> None:
    """Echoed secrets are in no log record of the client or of httpx, at any level."""

    def handler(request: httpx.Request) -> httpx.Response:
        found = answer(echo(request))
        if found.status_code in {404, 502}:
            # A status after which the call is retried and the message is logged.
            found.status_code = 429
            found.headers["Retry-After"] = "0"
        return found

    service = handler if step is start else with_session(handler)
    with pytest.raises(SiteAssistError):
        run(service, step, **settings, max_retries=1)
    assert [] == leaks(*logged().splitlines())
    assert "siteassist " in logged()
    assert f"{httpx.__name__} HTTP Request: " in logged()


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
    """Over real connections no log record of any library contains a secret."""
    key = "sa_pk_1234567890abcdef"
    secrets = {key}
    with mock_server() as url:
        with SiteAssist(api_key=key, base_url=url) as client:
            client.get_me()
            secrets.add(str(client._caller.session.token))
            _journey(client)
            secrets.add(str(client._caller.session.token))

        async def main() -> None:
            async with AsyncSiteAssist(api_key=key, base_url=url) as client:
                await _journey_async(client)
                secrets.add(str(client._caller.session.token))

        asyncio.run(main())
    assert 4 == len(secrets)
    rows = logged().splitlines()
    assert [] == [row for row in rows if any(secret in row for secret in secrets)]
    names = {row.partition(" ")[0].partition(".")[0] for row in rows}
    assert {"siteassist", httpx.__name__, httpcore.__name__} <= names


def test_log_of_httpcore_shows_no_echoed_secret(
    logged: Callable[[], str],
) -> None:
    """Response headers logged by httpcore are redacted."""

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
    assert f"{httpcore.__name__}.http11 receive_response_headers.complete" in logged()
    assert [] == leaks(*logged().splitlines())


# The functions themselves


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
    """Known secrets and text that looks like one are replaced, and nothing else."""
    assert expected == redact(text, ["", TOKEN])
    assert expected == redact(expected, [TOKEN])


def test_redact_headers() -> None:
    """Secret headers are replaced as a whole; other headers lose only known secrets."""
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
def test_key_filter_removes_the_key(args: tuple[object, ...], expected: str) -> None:
    """The filter keeps each record of httpx and removes the key."""
    record = logging.LogRecord(httpx.__name__, logging.INFO, __file__, 1, "%s %s", args, None)
    assert KeyFilter().filter(record)
    assert f"GET {expected}" == record.getMessage()


@pytest.mark.parametrize("args", [None, {"name": "value"}])
def test_key_filter_keeps_other_records(args: Any) -> None:
    """Records without positional arguments are unchanged."""
    record = logging.LogRecord(httpx.__name__, logging.INFO, __file__, 1, "words", None, None)
    record.args = args
    assert KeyFilter().filter(record)
    assert "words" == record.getMessage()
