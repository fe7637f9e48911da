"""Clients for other visitors, and with other options, over one client's connections."""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from siteassist import CredentialsError, SiteAssist, SiteAssistError
from siteassist_runtime.environment import tls_context
from siteassist_runtime.redaction import KeyFilter
from tests.runtime.helpers import BASE_URL, COMPLETION, VISITOR, Run, me, send, visitor

KEY = "pk_1234567890"


class Sessions:
    """A service that gives each device a token of its own, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        if request.url.path.endswith("/init"):
            device = json.loads(request.content)["saVid"]
            return httpx.Response(200, json={"sessionToken": f"of-{device}", "visitor": VISITOR})
        if request.method == "POST":
            return httpx.Response(200, json=COMPLETION)
        return visitor()

    @property
    def tokens(self) -> list[str]:
        """The tokens of the requests that have one."""
        found = (request.headers.get("authorization") for request in self.requests)
        return [token.removeprefix("Bearer ") for token in found if token]


def test_visitors_have_sessions_of_their_own(run_steps: Run) -> None:
    """Each visitor starts a session once, for its own device."""
    service = Sessions()
    ada: Any = None

    def first(client: Any) -> Any:
        nonlocal ada
        ada = client.visitor(device_id="ada")
        return me(ada)

    run_steps(
        service,
        first,
        lambda _: me(ada),
        lambda client: me(client.visitor(device_id="bob")),
        me,
        api_key=KEY,
        device_id="own",
    )
    assert ["of-ada", "of-ada", "of-bob", "of-own"] == service.tokens
    assert 7 == len(service.requests)


def test_visitor_without_a_device_gets_a_new_one() -> None:
    """Two visitors differ, and from the client they come from."""
    client = SiteAssist(api_key=KEY)
    devices = {client.device_id, client.visitor().device_id, client.visitor().device_id}
    assert 3 == len(devices)


def test_visitor_needs_a_publishable_key() -> None:
    """With a token, all calls are of the same visitor."""
    with pytest.raises(CredentialsError, match=r"^visitor\(\) needs a publishable key"):
        SiteAssist(token="t").visitor(device_id="ada")


def test_visitor_does_not_use_the_token_of_its_client(run_steps: Run) -> None:
    """The token of the parent is another visitor's, or a private key."""
    service = Sessions()
    run_steps(service, lambda client: me(client.visitor(device_id="a")), api_key=KEY, token="sk")
    assert ["of-a"] == service.tokens


@pytest.mark.parametrize("device", ["", "x" * 101, 5, b"x", object()])
def test_invalid_device_is_refused(device: Any) -> None:
    """As in the constructor."""
    with pytest.raises(SiteAssistError, match=r"^device_id must be a string of 1 to 100"):
        SiteAssist(api_key=KEY).visitor(device_id=device)


def test_options_share_the_session(run_steps: Run) -> None:
    """A client with other options is the same visitor, whichever starts the session."""
    service = Sessions()
    run_steps(
        service,
        lambda client: me(client.with_options(max_retries=0)),
        me,
        lambda client: me(client.with_options(timeout=3)),
        api_key=KEY,
        device_id="d",
    )
    assert ["/v2/identity/init", *["/v2/identity/me"] * 3] == [
        request.url.path for request in service.requests
    ]
    timeouts = [request.extensions["timeout"]["read"] for request in service.requests]
    assert timeouts[-1] <= 3 < timeouts[-2]


def test_options_reach_the_request(run_steps: Run) -> None:
    """Headers, query and body of the call win over those of `with_options`."""
    service = Sessions()

    def step(client: Any) -> Any:
        client = client.with_options(
            extra_headers={"X-A": "1", "X-B": "1"},
            extra_query={"a": 1, "b": True},
            extra_body={"a": 1, "content": "lost"},
        )
        return send(
            client,
            extra_headers={"x-b": "2"},
            extra_query={"b": 2},
            extra_body={"content": "replaced"},
        )

    run_steps(service, step, send, token="t", headers={"X-A": "0", "X-C": "0"})
    changed, plain = service.requests
    assert ["1", "2", "0"] == [changed.headers[name] for name in ("x-a", "x-b", "x-c")]
    assert {"a": "1", "b": "2"} == dict(changed.url.params)
    assert {"a": 1, "content": "replaced"}.items() <= json.loads(changed.content).items()
    assert "0" == plain.headers["x-a"]
    assert {} == dict(plain.url.params)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timeout": "5"}, "timeout must be a number"),
        ({"idle_timeout": httpx.Timeout(5)}, "idle_timeout must be a number"),
        ({"timeout": httpx.Timeout(5, connect=-1)}, r"timeout\.connect must be more than 0"),
        ({"max_retries": -1}, "max_retries must be"),
        ({"max_retry_wait": -1}, "max_retry_wait must be"),
        ({"extra_headers": ["x"]}, "headers must be a mapping"),
        ({"extra_query": "a=1"}, "extra_query must be a mapping"),
        ({"extra_body": [1]}, "extra_body must be a mapping"),
        ({"extra_body": {1: 2}}, "extra_body must be a mapping"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], problem: str) -> None:
    """The same check applies to the client and to a call."""
    client = SiteAssist(token="t", transport=httpx.MockTransport(lambda _: visitor()))
    with pytest.raises(SiteAssistError, match=f"^{problem}"):
        client.with_options(**options)
    options = {name: value for name, value in options.items() if name != "max_retry_wait"}
    if set(options) <= {"timeout", "max_retries", "extra_headers", "extra_query", "extra_body"}:
        for _ in options:
            with pytest.raises(SiteAssistError, match=problem):
                send(client, **options)


def test_closing_a_child_closes_only_the_child(run_steps: Run) -> None:
    """The parent and the other children go on; closing the parent ends them all."""
    closed = "the client is closed"
    transport = httpx.MockTransport(Sessions())
    with SiteAssist(api_key=KEY, base_url=BASE_URL, transport=transport) as client:
        other = client.visitor()
        with client.visitor() as child:
            child.get_me()
        with pytest.raises(SiteAssistError, match=closed):
            child.get_me()
        assert [client.get_me(), other.get_me()]
        grandchild = other.with_options(timeout=1)
    for one in (other, grandchild):
        with pytest.raises(SiteAssistError, match=closed):
            one.get_me()


def test_child_is_of_the_same_class_with_the_same_attributes() -> None:
    """A subclass and what it stores survive."""

    class Mine(SiteAssist):
        note = ""

    client = Mine(api_key=KEY)
    client.note = "kept"
    child = client.visitor()
    assert isinstance(child, Mine)
    assert "kept" == child.note
    assert child.device_id in repr(child)


def test_visitors_are_small() -> None:
    """A thousand visitors that have called take less than 5 MB, and no connection."""
    transport = httpx.MockTransport(Sessions())
    client = SiteAssist(api_key=KEY, base_url=BASE_URL, transport=transport)
    client.visitor(device_id="first").get_me()
    transport.handler = lambda request: (  # records no request
        httpx.Response(200, json={"sessionToken": "t" * 40, "visitor": VISITOR})
        if request.method == "POST"
        else visitor()
    )
    tracemalloc.start()
    try:
        visitors = [client.visitor(device_id=f"device-{number}") for number in range(1000)]
        for one in visitors:
            one.get_me()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 5_000_000


def test_clients_share_a_tls_context() -> None:
    """All clients of a process use one context, so that the certificates are loaded once."""
    contexts = set()
    for _ in range(2):
        with SiteAssist(token="t", base_url="https://127.0.0.1/v2") as client:
            http: Any = client._caller._client(None)  # type: ignore[arg-type]  # for the error only
            contexts.add(http._transport._pool._ssl_context)
    assert {tls_context(httpx)} == contexts


def log_while(client: SiteAssist, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Make a call, and return the secrets that each redaction of a log line looks for."""
    used: list[tuple[str, ...]] = []

    def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
        used.append(secrets)
        return text

    monkeypatch.setattr("siteassist_runtime.redaction.redact", redact)
    client.get_me()
    return used


def test_redaction_does_not_depend_on_the_number_of_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line of httpx is redacted with the secrets of its own call only."""
    transport = httpx.MockTransport(lambda _: visitor())
    logger = logging.getLogger(httpx.__name__)
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # as `setLevel` does
    others = [SiteAssist(token=f"another-token-{number}") for number in range(100)]
    client = SiteAssist(token="this-token", base_url=BASE_URL, transport=transport)
    used = log_while(client, monkeypatch)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    assert [("this-token",)] == used
    assert 100 == len(others)


@pytest.mark.parametrize("make", [lambda client: client, lambda client: client.visitor()])
def test_log_of_httpx_shows_no_secret(
    make: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The session's token in a line of httpx is redacted during the call that uses it."""
    logger = logging.getLogger(httpx.__name__)
    assert any(isinstance(found, KeyFilter) for found in logger.filters)

    def service(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init"):
            return httpx.Response(
                200, json={"sessionToken": "a-secret-session", "visitor": VISITOR}
            )
        logger.info("sent %s", dict(request.headers))
        return visitor()

    client = make(
        SiteAssist(api_key=KEY, base_url=BASE_URL, transport=httpx.MockTransport(service))
    )
    with caplog.at_level(logging.INFO, httpx.__name__):
        client.get_me()
    assert "sent " in caplog.text
    assert "a-secret-session" not in caplog.text
