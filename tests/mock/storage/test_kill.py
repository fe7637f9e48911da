"""Tests for a server that is killed while clients write."""

from __future__ import annotations

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.mock.command import started
from tests.values import BEARER

if TYPE_CHECKING:
    import subprocess

    from tests.mock.conftest import OpenStore

# Each round starts a server, so the default is low; 20 rounds are a thorough test.
ROUNDS = int(os.environ.get("SITEASSIST_MOCK_KILLS", "2"))
WRITERS = 4


@pytest.mark.parametrize("number", range(ROUNDS))
def test_acknowledged_messages_are_stored_once(
    shared_database: str, open_store: OpenStore, number: int
) -> None:
    """After ``kill -9`` each acknowledged message is stored once, with its answer."""
    acknowledged: list[str] = []
    # Each round kills the server after another number of messages.
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

    with (
        started("--quiet", "--database", shared_database) as (process, url, _),
        ThreadPoolExecutor(WRITERS) as pool,
    ):
        list(pool.map(lambda writer: write(url, writer, process), range(WRITERS)))

    with open_store(shared_database).read() as records:
        said = [records.messages(each.id) for each in records.latest_conversations(100)]
    stored = Counter(
        message.text for messages in said for message in messages if message.role == "user"
    )
    assert len(acknowledged) >= enough
    assert set(acknowledged) <= set(stored)
    assert set(stored.values()) == {1}
    for messages in said:
        roles = [message.role for message in messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
