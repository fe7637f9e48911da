"""Responses beside the parsed objects."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import httpx
import pytest

from siteassist import APIResponseError, AsyncSiteAssist, NotFoundError, RawResponse, SiteAssist
from siteassist.models import ConversationList, Visitor, VisitorSession
from tests.runtime.helpers import VISITOR, Run, Service, visitor

SESSION = httpx.Response(200, json={"sessionToken": "a-secret-session", "visitor": VISITOR})
PAGE = {"object": "list", "total": 3, "limit": 2, "offset": 1, "data": []}


def raw(run_steps: Run, service: Any, step: Any, **settings: Any) -> Any:
    """Run one step with the raw methods of a client."""
    settings = {"token": "a-secret-token", "max_retries": 0, **settings}
    return run_steps(service, lambda client: step(client.with_raw_response), **settings)[0]


def test_response_is_beside_the_object(run_steps: Run) -> None:
    """It has the status, the headers, the request id and the body."""
    answer = visitor(**{"X-Request-Id": "r-1", "X-RateLimit-Remaining": "4"})
    found = raw(run_steps, Service(answer), lambda client: client.get_me(timeout=5))
    assert isinstance(found, RawResponse)
    assert isinstance(found.parsed, Visitor)
    assert (200, "r-1", "4") == (
        found.status_code,
        found.request_id,
        found.headers["x-ratelimit-remaining"],
    )
    assert answer.content == found.content
    assert answer.text == found.text


def test_response_of_the_last_attempt_counts(run_steps: Run) -> None:
    """Neither a retry nor the start of a session is in the way."""
    busy = httpx.Response(429, headers={"Retry-After": "0"})
    service = Service(SESSION, busy, visitor(**{"X-Request-Id": "last"}))
    found = raw(
        run_steps, service, lambda client: client.get_me(), token=None, api_key="pk", max_retries=1
    )
    assert "last" == found.request_id


def test_list_returns_its_page(run_steps: Run) -> None:
    """The arguments choose the page."""
    service = Service(httpx.Response(200, json=PAGE))
    found = raw(run_steps, service, lambda client: client.get_conversations(limit=2, offset=1))
    assert isinstance(found.parsed, ConversationList)
    assert {"limit": "2", "offset": "1"} == dict(service.requests[0].url.params)


def test_session_is_adopted(run_steps: Run) -> None:
    """`init` has the effect that it has without the response."""
    service = Service(SESSION, visitor())
    found, _ = run_steps(
        service,
        lambda client: client.with_raw_response.init(),
        lambda client: client.get_me(),
        api_key="pk",
    )
    assert isinstance(found.parsed, VisitorSession)
    assert "Bearer a-secret-session" == service.requests[1].headers["authorization"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(httpx.Response(404), NotFoundError), (httpx.Response(200, json={}), APIResponseError)],
)
def test_errors_are_raised(run_steps: Run, answer: httpx.Response, error: type[Exception]) -> None:
    """An error has its own response."""
    with pytest.raises(error):
        raw(run_steps, Service(answer), lambda client: client.get_me())


def test_shows_no_secret(run_steps: Run) -> None:
    """The repr names the status and the class, and there is no pickle and no request."""
    found = raw(run_steps, Service(SESSION), lambda client: client.init(api_key="pk"))
    assert "<RawResponse 200: VisitorSession>" == repr(found)
    with pytest.raises(TypeError, match="may hold a secret"):
        pickle.dumps(found)
    assert "a-secret-token" not in str({**vars(found), "content": ""})


def test_calls_at_once_get_their_own_response() -> None:
    """Tasks do not mix up their responses."""

    async def service(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return visitor(**{"X-Request-Id": request.headers["x-number"]})

    async def main() -> list[str | None]:
        async with AsyncSiteAssist(token="t", transport=httpx.MockTransport(service)) as client:
            calls = (
                client.with_raw_response.get_me(extra_headers={"X-Number": str(number)})
                for number in range(20)
            )
            return [found.request_id for found in await asyncio.gather(*calls)]

    assert [str(number) for number in range(20)] == asyncio.run(main())


def test_client_of_other_options_has_raw_methods() -> None:
    """The options of a derived client apply."""
    service = Service(visitor())
    client = SiteAssist(token="t", transport=httpx.MockTransport(service))
    client.with_options(extra_headers={"X-A": "1"}).with_raw_response.get_me()
    assert "1" == service.requests[0].headers["x-a"]
