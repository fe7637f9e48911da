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

from siteassist_mock.testing import MockServer, mock_server
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
def mock() -> Iterator[MockServer]:
    """Run a mock that streams slowly."""
    with mock_server(stream_delay=0.005) as server:
        yield server


@pytest.fixture
def app(mock: MockServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the application of the page, over the mock."""
    monkeypatch.setenv("SITEASSIST_API_KEY", API_KEY)
    monkeypatch.setenv("SITEASSIST_BASE_URL", mock.url)
    return load(tmp_path)


def load(folder: Path) -> Any:
    """Return the application of the page; the environment has its settings."""
    (program,) = PROGRAM.findall((ROOT / "docs" / "how-to" / "client.md").read_text())
    (folder / "backend.py").write_text(program)
    spec = importlib.util.spec_from_file_location("backend", folder / "backend.py")
    assert spec is not None
    assert spec.loader is not None
    backend = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(backend)
    return backend.app


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


def start(browser: httpx.Client, device: str) -> str:
    """Start a conversation, and return the path of its answers."""
    made = browser.post("/conversations", params={"device": device})
    assert 200 == made.status_code, made.text
    return f"/conversations/{made.json()['id']}/answers"


def ask(browser: httpx.Client, path: str, device: str, question: str = QUESTION) -> httpx.Response:
    """Ask a question, and return the whole answer."""
    return browser.post(path, params={"device": device, "question": question})


def test_backend_keeps_refusals_of_the_service(app: Any) -> None:
    """What a visitor got wrong is a 4xx with the reason, not a failure of the service."""
    with serving(app) as url, httpx.Client(base_url=url) as browser:
        path = start(browser, "d")
        unknown = "/conversations/123e4567-e89b-12d3-a456-426614174000/answers"
        answers = {
            "unknown": ask(browser, unknown, "d"),
            "of another visitor": ask(browser, path, "other"),
            "without a question": ask(browser, path, "d", ""),
            "no id": ask(browser, "/conversations/abc/answers", "d"),
            "no segment": ask(browser, "/conversations/%2E%2E/answers", "d"),
            "no device": ask(browser, path, ""),
        }
    found = {name: answer.status_code for name, answer in answers.items()}
    expected = [404, 404, 422, 422, 422, 422]
    assert dict(zip(answers, expected, strict=True)) == found
    assert "Conversation not found!" == answers["of another visitor"].json()["error"]


def test_backend_shows_the_notice_of_a_handed_over_conversation(app: Any, mock: MockServer) -> None:
    """The visitor sees that a human agent will answer, and not an empty answer."""
    with serving(app) as url, httpx.Client(base_url=url) as browser:
        path = start(browser, "d")
        mock.hand_over(path.split("/")[2])
        answer = ask(browser, path, "d")
    assert (202, "Message sent") == (answer.status_code, answer.text)


def test_backend_passes_a_rate_limit_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser gets a 429 with the wait at once, instead of waiting for a minute."""
    with mock_server(rate_limits=("1/m",)) as limited:
        monkeypatch.setenv("SITEASSIST_API_KEY", API_KEY)
        monkeypatch.setenv("SITEASSIST_BASE_URL", limited.url)
        with serving(load(tmp_path)) as url, httpx.Client(base_url=url, timeout=20) as browser:
            path = start(browser, "d")
            answer = ask(browser, path, "d")
    assert 429 == answer.status_code, answer.text
    assert 2 < int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["error"]


@pytest.mark.parametrize("problem", ["fails", "refuses the key", "is not there"])
def test_backend_reports_failures_that_are_not_the_visitors(
    problem: str, mock: MockServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that fails, refuses the key of the backend or does not run is a 502."""
    with mock_server(faults=["malformed-json:1"]) as failing:
        key = "pk_unknown" if problem == "refuses the key" else API_KEY
        monkeypatch.setenv("SITEASSIST_API_KEY", key)
        monkeypatch.setenv("SITEASSIST_BASE_URL", failing.url if problem == "fails" else mock.url)
        if problem == "is not there":
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            monkeypatch.setenv("SITEASSIST_BASE_URL", f"http://127.0.0.1:{port}/v2")
        with serving(load(tmp_path)) as url:
            answer = httpx.post(f"{url}/conversations", params={"device": "d"}, timeout=30)
    assert 502 == answer.status_code, answer.text
    assert answer.json()["error"]
