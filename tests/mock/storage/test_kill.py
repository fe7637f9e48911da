"""A server that is killed while clients write."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from siteassist_mock.storage.store import Store
from tests.values import BEARER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import FakeTime

# Each takes a start of the server, so the suite has few; 20 show more.
ROUNDS = int(os.environ.get("SITEASSIST_MOCK_KILLS", "2"))
WRITERS = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make a database that outlives a process."""
    if request.param == "sqlite":
        return str(tmp_path / "mock.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.mark.parametrize("number", range(ROUNDS))
def test_what_was_acknowledged_is_there_once(database: str, time: FakeTime, number: int) -> None:
    """After a ``kill -9`` in the middle of many writes, and every answer with its question."""
    acknowledged: list[str] = []
    # Each round hits another moment.
    enough = 20 + 7 * number
    lock = threading.Lock()

    def write(url: str, writer: int, process: subprocess.Popen[str]) -> None:
        with httpx.Client(base_url=url, headers=BEARER) as client:
            try:
                path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
                for turn in range(1000):
                    content = f"{writer}.{turn}"
                    assert client.post(path, json={"content": content}).status_code == 200
                    with lock:
                        acknowledged.append(content)
                        if len(acknowledged) == enough:
                            process.kill()
            except httpx.TransportError:
                return
        pytest.fail("the server was not killed")

    with subprocess.Popen(
        [sys.executable, "-m", "siteassist_mock", "--port=0", "--quiet", "--database", database],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        try:
            with ThreadPoolExecutor(WRITERS) as pool:
                list(pool.map(lambda writer: write(url, writer, process), range(WRITERS)))
        finally:
            process.kill()

    store = Store(time, database)
    with store.read() as records:
        said = [messages for _, messages in records.latest_conversations(100)]
    store.close()
    stored = Counter(
        message.text for messages in said for message in messages if message.role == "user"
    )
    assert len(acknowledged) >= enough
    assert set(acknowledged) <= set(stored)
    assert set(stored.values()) == {1}
    for messages in said:
        roles = [message.role for message in messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
