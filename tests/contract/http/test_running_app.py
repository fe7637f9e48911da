"""An application in this process: its state, what it sends, and its end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from siteassist_contract.http import running_app
from siteassist_contract.http.running_app import RunningApp
from siteassist_contract.verdict import CannotRunError

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"x", "more_body": True}
URL = "http://app.test/"


async def started(receive: Any, send: Any) -> None:
    """Take part in the lifespan."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()


def test_requests_get_a_copy_of_the_state() -> None:
    """What the lifespan keeps is there in each request; what a request adds is not."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["name"] = b"database"
            await started(receive, send)
            return
        assert "mine" not in scope["state"]
        scope["state"]["mine"] = 1
        await send(START)
        await send({"type": "http.response.body", "body": scope["state"]["name"]})

    with RunningApp(app) as running, httpx.Client(transport=running.transport()) as client:
        assert [b"database"] * 2 == [client.get(URL).content for _ in range(2)]


def test_endless_answer_waits_for_the_client_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without an end does not block other requests, nor fill the memory."""
    monkeypatch.setattr(running_app, "_PATIENCE", 1.0)
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await started(receive, send)
            return
        await send(START)
        if scope["path"] == "/end":
            await send({"type": "http.response.body"})
            return
        while True:
            await send(BODY)
            if len(sent) < 100_000:
                sent.append(1)

    with RunningApp(app) as running, httpx.Client(transport=running.transport()) as client:
        with client.stream("GET", URL) as response:
            assert 200 == client.get(f"{URL}end").status_code
            time.sleep(0.1)
            assert len(sent) < 2 * running_app._UNREAD
            pieces = response.iter_raw()
            for _ in range(3 * running_app._UNREAD):
                assert b"x" == next(pieces)
        assert 200 == client.get(f"{URL}end").status_code


def test_call_that_takes_too_long_is_told_that_the_client_left() -> None:
    """A request without an answer in time is disconnected."""
    left = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await started(receive, send)
            return
        await receive()
        left.append((await receive())["type"])

    with RunningApp(app) as running, httpx.Client(transport=running.transport()) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get(URL, timeout=0.05)
        time.sleep(0.1)
        assert ["http.disconnect"] == left


def test_task_that_swallows_cancellation_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the application comes, and the results of the run with it."""
    monkeypatch.setattr(running_app, "_PATIENCE", 0.2)
    tasks = []

    async def stubborn() -> None:
        for _ in range(20):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        tasks.append(asyncio.create_task(stubborn()))
        await started(receive, send)

    with RunningApp(app):
        pass
    assert tasks


def test_exit_in_the_startup_is_the_reason() -> None:
    """An application that exits does not start; nothing waits for it."""

    async def app(_scope: object, _receive: object, _send: object) -> None:
        raise SystemExit(3)

    begun = time.monotonic()
    with pytest.raises(CannotRunError, match="does not start: it exits with 3"), RunningApp(app):
        pass
    assert time.monotonic() - begun < 10
