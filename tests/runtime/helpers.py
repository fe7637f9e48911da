"""Values, steps and a clock shared by the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import httpx

from siteassist import AsyncSiteAssist

BASE_URL = "http://127.0.0.1/v2"
CONVERSATION = "7f3e2d1c-0b9a-4887-a6f5-e4d3c2b1a098"
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
COMPLETION = {
    "object": "chat.completion",
    "model": "m",
    "steps": [{"content": [{"type": "text", "text": "Hello."}], "usage": {}}],
}

Handler = Callable[[httpx.Request], httpx.Response]
Step = Callable[[Any], Any]
Run = Callable[..., Any]


class FakeTime:
    """A clock that moves only when the code under test sleeps or a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the current time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advance the clock at once."""
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        """Advance the clock at once."""
        self.sleep(seconds)


def me(client: Any, **options: Any) -> Any:
    """Call `get_me`: a GET without a body."""
    return client.get_me(**options)


def send(client: Any, **options: Any) -> Any:
    """Call `send_message`: a POST that must never be delivered twice."""
    return client.send_message(CONVERSATION, content="Hi", **options)


def chat(client: Any, **options: Any) -> Any:
    """Send a message and read the streamed answer; return the stream and its events."""
    stream = client.send_message_stream(CONVERSATION, content="Hi", **options)
    if isinstance(client, AsyncSiteAssist):
        return _read(stream)
    with stream:
        return stream, list(stream)


async def _read(stream: Any) -> Any:
    async with stream:
        return stream, [event async for event in stream]


class Service:
    """A service that gives its answers in order and then repeats the last one."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        """Take the answers; an exception stands for a connection that fails."""
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Record the request and answer it."""
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        # A new response each time, since a client binds a response to its request.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def visitor(**headers: str) -> httpx.Response:
    """Return a successful answer to `me`."""
    return httpx.Response(200, json=VISITOR, headers=headers)


def never(*args: object, **options: object) -> NoReturn:
    """Fail, in place of a function that must not be called."""
    raise AssertionError(args, options)
