"""A transport or an HTTP client that a user passes stays open; the client's own is closed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, SiteAssist, SiteAssistError
from tests.runtime.helpers import BASE_URL, visitor


class Transport(httpx.MockTransport):
    """A transport that counts how often it is closed."""

    def __init__(self) -> None:
        super().__init__(lambda _: visitor())
        self.closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


WAYS = ("transport", "http_client")
ENDINGS = ("closed", "collected", "child closed", "child collected")


def given(kind: Any, way: str, transport: Transport) -> dict[str, Any]:
    """Return the argument of a client."""
    return {way: transport if way == "transport" else kind(transport=transport)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_passed_stays_open(way: str, ending: str) -> None:
    """Neither `close` nor the garbage collector closes it, for a client or a derived one."""
    transport = Transport()
    arguments = given(httpx.Client, way, transport)
    client = SiteAssist(api_key="pk", token="t", base_url=BASE_URL, **arguments)
    client.get_me()
    if ending.startswith("child"):
        client = client.with_options(timeout=1)
        client.get_me()
    if ending.endswith("closed"):
        client.close()
    del client
    gc.collect()
    assert 0 == transport.closed
    assert SiteAssist(token="t", base_url=BASE_URL, **arguments).get_me()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_passed_to_an_async_client_stays_open(way: str, ending: str) -> None:
    """Not even the end of the event loop closes it."""
    transport = Transport()
    arguments = given(httpx.AsyncClient, way, transport)

    async def main() -> None:
        client = AsyncSiteAssist(token="t", base_url=BASE_URL, **arguments)
        await client.get_me()
        if ending.startswith("child"):
            client = client.with_options(timeout=1)
            await client.get_me()
        if ending.endswith("closed"):
            await client.aclose()

    asyncio.run(main())
    gc.collect()
    assert 0 == transport.closed


def test_own_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`close` and the garbage collector close what the client has opened, and once."""
    closed: list[object] = []
    monkeypatch.setattr(httpx.Client, "close", lambda self: closed.append(id(self)))
    for ending in ("closed", "collected"):
        client = SiteAssist(token="t", base_url=BASE_URL)
        http = client._caller._client(None)  # type: ignore[arg-type]  # for the error only
        expected = [*closed, id(http)]
        if ending == "closed":
            client.close()
            client.close()
        del client
        gc.collect()
        assert expected == closed


def test_child_keeps_the_connections_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent's connections are closed when the last client that uses them is collected."""
    closed: list[object] = []
    monkeypatch.setattr(httpx.Client, "close", lambda self: closed.append(id(self)))
    parent = SiteAssist(token="t", base_url=BASE_URL)
    child = parent.with_options(timeout=1)
    http = child._caller._client(None)  # type: ignore[arg-type]  # for the error only
    assert http is parent._caller._client(None)  # type: ignore[arg-type]
    del parent
    gc.collect()
    child.close()
    assert [] == closed
    del child
    gc.collect()
    assert [id(http)] == closed


@pytest.mark.parametrize("client", [SiteAssist, AsyncSiteAssist])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "value",
    [
        lambda other: other.AsyncHTTPTransport,
        lambda other: other.AsyncClient,
        lambda _: object,
        lambda _: str,
    ],
)
def test_unusable_connections_are_refused(
    client: type[Any], way: str, value: Callable[[Any], Callable[[], object]]
) -> None:
    """A transport or client of the other kind, or of no kind, is refused at once."""
    found = value(httpx)
    if client is AsyncSiteAssist and found is not object and found is not str:
        found = {
            httpx.AsyncHTTPTransport: httpx.HTTPTransport,
            httpx.AsyncClient: httpx.Client,
        }[found]  # type: ignore[index]
    with pytest.raises(SiteAssistError, match=f"{way} must .*, got {found.__name__}"):
        client(token="t", **{way: found()})


def test_both_are_refused() -> None:
    """A transport beside an HTTP client would be ignored."""
    with pytest.raises(SiteAssistError, match="either transport or http_client"):
        SiteAssist(transport=Transport(), http_client=httpx.Client())


def test_closed_http_client_is_an_error() -> None:
    """The message names the argument."""
    http = httpx.Client(transport=Transport())
    client = SiteAssist(token="t", base_url=BASE_URL, http_client=http)
    http.close()
    with pytest.raises(SiteAssistError, match=r"^getMe: the http_client is closed$"):
        client.get_me()


def test_http_client_keeps_its_settings() -> None:
    """Its headers, parameters and event hooks apply; the headers of the call win."""
    seen: list[httpx.Request] = []
    http = httpx.Client(
        transport=Transport(),
        headers={"X-Gateway": "g", "User-Agent": "theirs", "X-Own": "theirs"},
        params={"tenant": "7"},
        event_hooks={"request": [seen.append]},
    )
    client = SiteAssist(token="t", base_url=BASE_URL, http_client=http)
    client.get_me(extra_headers={"X-Own": "call"})
    (request,) = seen
    assert ("g", "call") == (request.headers["x-gateway"], request.headers["x-own"])
    assert "Bearer t" == request.headers["authorization"]
    assert request.headers["user-agent"].startswith("siteassist-python/")
    assert f"{BASE_URL}/identity/me?tenant=7" == str(request.url)
