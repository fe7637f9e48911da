"""The web backend of docs/how-to/client.md under load, with visitors that go away."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from siteassist_mock.testing import mock_server
from tests.values import API_KEY, ROOT

PROGRAM = re.compile(r'^```python title="backend\.py"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
ANSWER = "Two to four working days within the country."
QUESTION = "How long does shipping take?"
VISITORS = 50


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Run an application, and yield its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="on", ws="none", timeout_keep_alive=60)
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the application of the page, over a mock that streams slowly."""
    (program,) = PROGRAM.findall((ROOT / "docs" / "how-to" / "client.md").read_text())
    (tmp_path / "backend.py").write_text(program)
    spec = importlib.util.spec_from_file_location("backend", tmp_path / "backend.py")
    assert spec is not None
    assert spec.loader is not None
    backend = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(backend)
    with mock_server(stream_delay=0.005) as url:
        monkeypatch.setenv("SITEASSIST_API_KEY", API_KEY)
        monkeypatch.setenv("SITEASSIST_BASE_URL", url)
        yield backend.app


async def visit(url: str, device: str, reached: asyncio.Event) -> str:
    """Ask a question with a browser of one's own, and return the answer."""
    # The server has no certificate to verify.
    async with httpx.AsyncClient(base_url=url, timeout=60, verify=False) as browser:
        made = await browser.post("/conversations", params={"device": device})
        assert 200 == made.status_code, made.text
        path = f"/conversations/{made.json()['id']}/answers"
        parameters = {"device": device, "question": QUESTION}
        async with browser.stream("POST", path, params=parameters) as response:
            assert 200 == response.status_code, await response.aread()
            text = ""
            async for piece in response.aiter_text():
                text += piece
                reached.set()
            return text


async def crowd(url: str, dice: random.Random) -> list[str | None]:
    """Let visitors ask at once; half of them go away, before or while they read."""

    async def one(number: int) -> str | None:
        reached = asyncio.Event()
        task = asyncio.create_task(visit(url, f"device-{number}", reached))
        if number % 2 == 0:
            return await task
        if dice.random() < 0.5:
            await reached.wait()
        await asyncio.sleep(dice.random() / 20)
        task.cancel()
        await asyncio.wait([task])
        return None

    return await asyncio.gather(*(one(number) for number in range(VISITORS)))


def test_backend_serves_many_visitors(app: Any) -> None:
    """Whoever stays gets a whole answer; whoever goes away leaves no connection in use."""

    def pool() -> Any:
        (state,) = app.state.client._caller._loops.values()
        return state.http._transport._pool

    async def main(url: str) -> None:
        dice = random.Random(1)
        for _ in range(3):
            answers = await crowd(url, dice)
            assert [True] * (VISITORS // 2) == [ANSWER in str(text) for text in answers[::2]]
            busy: list[Any] = []
            for _ in range(500):
                busy = [one for one in list(pool().connections) if not one.is_idle()]
                if not busy and not pool()._requests:
                    break
                await asyncio.sleep(0.02)
            assert [] == busy
            assert [] == pool()._requests

    with serving(app) as url:
        asyncio.run(main(url))
    # A visitor's session is kept from one request to the next.
    assert VISITORS // 2 <= app.state.visitor.cache_info().currsize <= VISITORS


def test_backend_reports_errors(app: Any) -> None:
    """An error status of the service is one of the backend, and not half an answer."""
    with serving(app) as url:
        parameters = {"device": "d", "question": "Hi"}
        missing = "/conversations/123e4567-e89b-12d3-a456-426614174000/answers"
        found = httpx.post(url + missing, params=parameters)
    assert 502 == found.status_code
    assert found.json()["error"]
