"""Exchanges in tasks of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from siteassist_runtime import exchange
from siteassist_runtime.exchange import Exchange, in_time, on_asyncio, running_loop

WATCHDOG = 10.0
Work = Callable[[], Coroutine[Any, Any, Any]]


@pytest.fixture(params=["asyncio", "other"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run exchanges as on asyncio, and as on other event loops."""
    if request.param == "other":
        monkeypatch.setattr(exchange, "on_asyncio", lambda: False)
    return str(request.param)


def awaited(main: Work) -> Any:
    """Run ``main`` on a new event loop, and fail if it hangs."""

    async def watched() -> Any:
        result = await asyncio.wait_for(main(), WATCHDOG)
        # No task is left behind.
        assert {asyncio.current_task()} == asyncio.all_tasks()
        return result

    return asyncio.run(watched())


async def nothing() -> str:
    """Return at once."""
    return "result"


async def waiting() -> str:
    """Return later."""
    await anyio.sleep(0.01)
    return "result"


async def failing() -> None:
    """Fail later."""
    await anyio.sleep(0.01)
    raise ZeroDivisionError


@pytest.mark.parametrize("work", [nothing, waiting])
@pytest.mark.parametrize("seconds", [None, WATCHDOG])
def test_result_is_returned(loop: str, work: Work, seconds: float | None) -> None:
    """The result of the coroutine is returned."""
    assert loop
    assert "result" == asyncio.run(in_time(work, seconds))


def test_exception_is_raised(loop: str) -> None:
    """The exception of the coroutine is raised."""
    assert loop
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_time(failing, None))


def test_late_exchange_is_cancelled(loop: str) -> None:
    """An exchange that takes too long is cancelled."""
    assert loop
    with pytest.raises(TimeoutError):
        asyncio.run(in_time(anyio.sleep_forever, 0.01))


class Shielded:
    """A coroutine that needs a moment to clean up, which it shields as httpcore does."""

    def __init__(self) -> None:
        self.cleaned = False
        self.started = asyncio.Event()

    async def __call__(self) -> None:
        """Wait, and clean up in several steps."""
        self.started.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(20):
                    await anyio.sleep(0.001)
            self.cleaned = True


@pytest.mark.parametrize("times", [1, 2, 50])
def test_cancelled_caller_waits_for_the_cleaning(times: int) -> None:
    """However often the caller is cancelled, it ends after the exchange has cleaned up."""
    work = Shielded()

    async def main() -> None:
        task = asyncio.create_task(in_time(work, None))
        await work.started.wait()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.cleaned

    awaited(main)


async def with_asyncio(work: Work) -> None:
    """Limit the time of an exchange with asyncio."""
    async with asyncio.timeout(0.01):
        await in_time(work, None)


async def with_anyio(work: Work) -> None:
    """Limit the time of an exchange with anyio."""
    with anyio.fail_after(0.01):
        await in_time(work, None)


@pytest.mark.parametrize("limited", [with_asyncio, with_anyio])
def test_timeout_of_the_caller_works(limited: Callable[[Work], Coroutine[Any, Any, None]]) -> None:
    """A timeout of asyncio or of anyio around an exchange ends it, and nothing else."""
    work = Shielded()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await limited(work)
        assert work.cleaned
        # Nothing is left of the cancellation.
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert 0 == task.cancelling()

    awaited(main)


def test_cancelled_before_it_begins() -> None:
    """An exchange that is cancelled at once does not begin, or ends."""
    work = Shielded()

    async def main() -> None:
        task = asyncio.create_task(in_time(work, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.started.is_set() == work.cleaned

    awaited(main)


def test_task_that_others_cancel_ends_its_caller() -> None:
    """A program that cancels all its tasks ends the exchange, even before it begins."""

    async def main() -> None:
        for wait in (False, True):
            running = Exchange(anyio.sleep_forever)
            if wait:
                await asyncio.sleep(0)
            running.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running.result()
            await running.cancel()

    awaited(main)


def test_abandoned_exception_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The exception of a cancelled exchange is nobody's concern."""

    async def stubborn() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise ZeroDivisionError

    async def main() -> None:
        running = Exchange(stubborn)
        await asyncio.sleep(0.01)
        await running.cancel()
        await running.cancel()

    with caplog.at_level(logging.DEBUG, logger="asyncio"):
        awaited(main)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_running_loop(loop: str) -> None:
    """The running loop is the same object each time."""

    async def main() -> None:
        assert running_loop() is running_loop() is asyncio.get_running_loop()

    asyncio.run(main())
    assert loop


def test_no_loop_is_not_asyncio() -> None:
    """Outside a task, nothing runs on asyncio."""
    assert not on_asyncio()
