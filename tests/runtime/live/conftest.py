"""Fixtures of the tests of listening."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from siteassist_runtime.live import listener, listening, reply
from tests.runtime.helpers import CONVERSATION, FakeTime
from tests.runtime.live.service import Service


class Kind:
    """A kind of client, with blocking methods for both."""

    def __init__(self, *, awaited: bool) -> None:
        """Prepare an event loop for the asynchronous client."""
        self.awaited = awaited
        self._runner = asyncio.Runner()

    def run(self, value: Any) -> Any:
        """Return a value, awaited if it is awaitable."""

        async def result() -> Any:
            return await value

        return self._runner.run(result()) if hasattr(value, "__await__") else value

    def client(self, service: Service, **settings: Any) -> Any:
        """Return a client of a service."""
        return service.client(awaited=self.awaited, **settings)

    def listen(self, service: Service, **options: Any) -> Any:
        """Listen to the conversation."""
        return self.client(service).listen(CONVERSATION, **options)

    def next(self, listening_to: Any) -> Any:
        """Return the next event."""
        if not self.awaited:
            return next(listening_to)
        return self.run(anext(listening_to))

    def close(self, closed: Any) -> None:
        """Close a client or a listener."""
        if self.awaited:
            self.run(closed.aclose())
        else:
            closed.close()

    def ask(self, service: Service, content: str, **options: Any) -> Any:
        """Ask in the conversation."""
        return self.run(self.client(service).ask(CONVERSATION, content, **options))

    def end(self) -> None:
        """Close the event loop."""
        self._runner.close()

    @property
    def ended(self) -> type[Exception]:
        """The exception at the end of an iteration."""
        return StopAsyncIteration if self.awaited else StopIteration


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Return each kind of client in turn."""
    kind = Kind(awaited=request.param)
    yield kind
    kind.end()


@pytest.fixture
def clock(clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Replace the clock and the pauses of listening as well, and take the longest back-off."""
    for module in (listening, reply):
        monkeypatch.setattr(module, "time", clock)

    async def pause_async(closing: object, seconds: float) -> None:
        clock.sleep(seconds)

    monkeypatch.setattr(listener, "pause", lambda closing, seconds: clock.sleep(seconds))
    monkeypatch.setattr(listener, "pause_async", pause_async)
    longest: Callable[[float, float], float] = lambda least, most: most  # noqa: E731
    monkeypatch.setattr("random.uniform", longest)
    return clock
