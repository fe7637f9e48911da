"""Tests for databases that are away, hang, or are locked by another program."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time as system_time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from siteassist_mock.storage.store import Store
from siteassist_mock.storage.worker import StoreUnavailable
from siteassist_mock.testing import mock_server
from tests.mock.command import started
from tests.mock.postgres_server import PostgresServer, postgres_server
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

# The timeout of a failing test; a passing test does not wait for it.
SECONDS = 30


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server that the tests may stop."""
    with postgres_server() as running:
        yield running


@contextmanager
def command(server: PostgresServer) -> Iterator[tuple[Popen[str], httpx.Client]]:
    """Run the command on ``server``, and a client of it with the private key."""
    with (
        started("--quiet", "--database", server.url) as (process, url, _),
        httpx.Client(base_url=url, headers=BEARER, timeout=SECONDS) as client,
    ):
        yield process, client


def end(process: Popen[str]) -> tuple[int, str]:
    """Stop the command with SIGTERM; return its status and its standard error."""
    assert process.stderr is not None
    process.send_signal(signal.SIGTERM)
    return process.wait(SECONDS), process.stderr.read()


def assert_unavailable(reply: httpx.Response) -> None:
    """Check that ``reply`` is the documented 503 with a time to wait."""
    assert (503, "1") == (reply.status_code, reply.headers["Retry-After"])
    assert {"retryAfter": 1} == reply.json()["error"]["details"]


def test_the_next_request_after_an_outage_is_served(server: PostgresServer) -> None:
    """Requests get a 503 while the database is away, with one line in the log."""
    with command(server) as (process, client):
        path = f"/conversations/{client.post('/conversations').json()['id']}"
        server.stop()
        try:
            for _ in range(50):
                assert_unavailable(client.get(path))
                assert_unavailable(client.post("/conversations"))
            assert 200 == client.get("/openapi").status_code
            socket = f"{client.base_url}conversations/x/ws".replace("http:", "ws:")
            with pytest.raises(InvalidStatus) as refused:
                connect(socket.replace("/x/", f"/{path[15:]}/") + f"?apiKey={API_KEY}")
            assert 503 == refused.value.response.status_code
        finally:
            server.start()
        assert 200 == client.get(path).status_code
        assert 201 == client.post("/conversations").status_code
        status, errors = end(process)
    assert (0, 1) == (status, errors.count("\n"))
    assert errors.startswith("the database postgresql://mock@/postgres")
    assert "is unavailable:" in errors


def test_a_restart_without_requests_goes_unnoticed(server: PostgresServer) -> None:
    """The first request after a restart connects again."""
    with command(server) as (process, client):
        assert 201 == client.post("/conversations").status_code
        server.stop()
        server.start()
        assert 201 == client.post("/conversations").status_code
        assert (0, "") == end(process)


def test_a_hanging_database_does_not_stop_the_server(server: PostgresServer) -> None:
    """Requests without a database are answered meanwhile, others get a 503, then succeed."""
    with command(server) as (_, client):
        with server.suspended():
            replies: list[httpx.Response] = []
            hanging = threading.Thread(
                target=lambda: replies.append(
                    httpx.get(f"{client.base_url}conversations", headers=BEARER, timeout=SECONDS)
                )
            )
            hanging.start()
            while hanging.is_alive():
                assert 200 == client.get("/openapi").status_code
            hanging.join()
            (reply,) = replies
            assert_unavailable(reply)
        assert 200 == client.get("/conversations").status_code


def test_the_command_stops_while_the_database_hangs(server: PostgresServer) -> None:
    """SIGTERM ends the command with the status 0."""
    with command(server) as (process, client), server.suspended():
        assert_unavailable(client.get("/conversations"))
        status, _ = end(process)
        assert 0 == status


def test_a_locked_table_gives_a_503(server: PostgresServer) -> None:
    """A lock of another program delays neither other requests nor the time after it."""
    with command(server) as (_, client):
        with psycopg.connect(server.url) as other:
            other.execute("LOCK TABLE conversations")
            assert_unavailable(client.post("/conversations"))
            assert 200 == client.get("/openapi").status_code
        assert 201 == client.post("/conversations").status_code


def test_a_locked_file_gives_a_503(tmp_path: Path) -> None:
    """An SQLite file that another program writes to gives a 503, and then works."""
    path = tmp_path / "mock.db"
    with (
        mock_server(database=path) as url,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert_unavailable(httpx.post(f"{url}/conversations", headers=BEARER))
        # Readers do not wait for a writer.
        assert 200 == httpx.get(f"{url}/conversations", headers=BEARER).status_code
        other.execute("ROLLBACK")
        assert 201 == httpx.post(f"{url}/conversations", headers=BEARER).status_code


def test_a_full_disk_gives_a_503(tmp_path: Path) -> None:
    """A transaction that does not fit on the disk is rolled back."""
    path = tmp_path / "mock.db"
    store = Store(system_time.time, path)
    with closing(store):
        with store.write() as records:
            visitor, _ = records.find_or_add_visitor("project", "device")

        def grow() -> None:
            with store.write() as records:
                for _ in range(100):
                    records.add_message(records.add_conversation(visitor.id).id, "user", "x" * 9999)

        with store.read() as records:
            before = records.counts()
        limit_pages(store)
        with pytest.raises(StoreUnavailable, match="full"):
            grow()
        with store.read() as records:
            assert before == records.counts()


def limit_pages(store: Store) -> None:
    """Let the file of ``store`` not grow, as on a full disk."""
    assert store._connection is not None
    store._connection.exec_driver_sql("PRAGMA max_page_count = 1")


def test_a_change_for_later_precedes_the_next_transaction(server: PostgresServer) -> None:
    """The end of a streamed answer is not lost if the database is away."""
    with closing(Store(system_time.time, server.url)) as store:
        with store.write() as records:
            visitor, _ = records.find_or_add_visitor("project", "device")
            chat = records.add_conversation(visitor.id).id
            message = records.add_message(chat, "assistant", "", status="streaming")
        server.stop()
        try:
            store.write_later(lambda records: records.end_message(message.id, "all", error=None))
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    store.read().__enter__()
        finally:
            server.start()
        with store.read() as records:
            (stored,) = records.messages(chat)
        assert ("complete", "all") == (stored.status, stored.text)
