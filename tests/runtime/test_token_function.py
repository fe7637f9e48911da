"""A token that a function returns, such as one that rotates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, SiteAssistError, UnauthorizedError
from tests.runtime.helpers import Run, Service, me, never, visitor

EXPIRED = httpx.Response(401, json={"error": {"message": "Expired."}})
BUSY = httpx.Response(429, json={"error": {"message": "Busy."}}, headers={"Retry-After": "0"})


def rotating(*tokens: str) -> Callable[[], str]:
    """Return a function that returns the tokens in order."""
    return iter(tokens).__next__


def sent(service: Service) -> list[str]:
    """Return the tokens of the requests."""
    return [request.headers["authorization"] for request in service.requests]


def test_each_attempt_asks_for_the_token(run_steps: Run) -> None:
    """A retry uses the token of its own moment."""
    service = Service(BUSY, visitor())
    run_steps(service, me, me, token=rotating("a", "b", "c"))
    assert ["Bearer a", "Bearer b", "Bearer c"] == sent(service)


def test_rejected_token_is_asked_for_again(run_steps: Run) -> None:
    """After a 401 the function is asked once more."""
    service = Service(EXPIRED, visitor())
    run_steps(service, me, token=rotating("old", "new"), max_retries=0)
    assert ["Bearer old", "Bearer new"] == sent(service)


@pytest.mark.parametrize("tokens", [("old", "old"), ("old", "new")])
def test_rejection_is_raised(run_steps: Run, tokens: tuple[str, str]) -> None:
    """The same token is not sent again, and a second rejection is final."""
    service = Service(EXPIRED)
    with pytest.raises(UnauthorizedError):
        run_steps(service, me, token=rotating(*tokens))
    assert len(set(tokens)) == len(service.requests)


@pytest.mark.parametrize("value", ["", "a b", "a\n", "ü", None, 5, b"t"])
def test_invalid_token_is_an_error(run_steps: Run, value: object) -> None:
    """The message does not show the value, and nothing is sent."""
    with pytest.raises(SiteAssistError, match=r"^getMe: the token function must return") as caught:
        run_steps(never, me, token=lambda: value)
    assert not value or repr(value) not in str(caught.value)


def test_coroutine_function_in_a_blocking_client_is_an_error() -> None:
    """Only the async client can wait for a token."""
    from siteassist import SiteAssist

    async def token() -> str:
        return "t"

    client = SiteAssist(token=token, transport=httpx.MockTransport(never))  # type: ignore[arg-type]
    with pytest.raises(SiteAssistError, match=r"must return .*, got coroutine"):
        client.get_me()


def test_coroutine_function_is_awaited() -> None:
    """The async client waits for the token."""
    service = Service(visitor())

    async def token() -> str:
        await asyncio.sleep(0)
        return "t"

    async def main() -> None:
        async with AsyncSiteAssist(token=token, transport=httpx.MockTransport(service)) as client:
            await client.get_me()

    asyncio.run(main())
    assert ["Bearer t"] == sent(service)


def test_exception_of_the_function_is_raised(run_steps: Run) -> None:
    """It is the program's own."""

    def token() -> str:
        raise LookupError("no key in the vault")

    with pytest.raises(LookupError, match="vault"):
        run_steps(never, me, token=token)


def test_token_is_a_secret(run_steps: Run) -> None:
    """The token is redacted wherever the service repeats it, its predecessor included."""
    first, second = "a-rotating-token", "another-rotating-token"
    echo = httpx.Response(409, json={"error": {"message": f"No {first} and {second}."}})
    shown: list[Any] = []

    def step(client: Any) -> Any:
        shown.append(repr(client))
        return me(client)

    with pytest.raises(SiteAssistError) as caught:
        run_steps(Service(EXPIRED, echo), step, token=rotating(first, second))
    text = f"{caught.value} {caught.value.text} {caught.value.response.headers} {shown}"  # type: ignore[attr-defined]
    assert first not in text
    assert second not in text
    assert "credential=token function" in text
