"""Tests for the choice of the database and its use by several processes."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from siteassist_mock.storage.database import StoreError, open_database, shown
from siteassist_mock.storage.store import ABANDONED, Store
from siteassist_mock.storage.tables import EscapedText
from siteassist_mock.storage.worker import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from siteassist_mock.storage.tables import MessageRow
    from tests.mock.conftest import FakeTime, OpenStore


def a_conversation(store: Store) -> str:
    """Start a conversation of a device's visitor and return its id."""
    with store.write() as records:
        visitor, _ = records.find_or_add_visitor("project", "device-1")
        return records.add_conversation(visitor.id).id


def messages_of(store: Store, conversation_id: str) -> list[MessageRow]:
    """Return the messages of a conversation."""
    with store.read() as records:
        return records.messages(conversation_id)


# --- the choice of the database


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "in memory"),
        ("mock.db", "mock.db"),
        (Path("mock.db"), "mock.db"),
        ("sqlite:///mock.db", "mock.db"),
        ("sqlite://", "in memory"),
        ("postgresql://host/name", "postgresql://host/name"),
        ("postgres://host/name", "postgres://host/name"),
        ("postgresql+psycopg://me:secret@host/name", "postgresql+psycopg://me:***@host/name"),
    ],
)
def test_a_database_is_named_without_its_password(given: str | Path | None, name: str) -> None:
    """A path or URL selects the database, which is not opened yet."""
    database = open_database(given)
    assert name == database.name
    database.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://me:secret@host/name", r"mysql://me:\*\*\*@host/name: only sqlite:// and"),
        ("://secret", "its URL is malformed"),
        ("postgresql://me:secret@host:port/name", "its URL is malformed"),
    ],
)
def test_any_other_url_is_refused(time: FakeTime, url: str, problem: str) -> None:
    """The error for an unsupported or malformed URL has no password."""
    with pytest.raises(StoreError, match=rf"^cannot use the database:? ?{problem}") as caught:
        Store(time, url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("a.db", "a.db"),
        (Path("a.db"), "a.db"),
        ("postgresql://me:secret@host/name", "postgresql://me:***@host/name"),
        (
            "postgresql://host/name?user=me&password=secret&sslpassword=secret&sslmode=require",
            "postgresql://host/name?password=masked&sslmode=require&sslpassword=masked&user=me",
        ),
        ("postgresql://me:secret@host:port/name", "a malformed URL"),
    ],
)
def test_shown_hides_the_password(given: str | Path, seen: str) -> None:
    """The displayed name of a database has no password."""
    assert seen == shown(given)


def test_postgresql_needs_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(StoreError, match=r"pip install 'siteassist\[postgres\]'$"):
        open_database("postgresql://host/name")


def test_an_unreachable_server_is_one_sentence(time: FakeTime, tmp_path: Path) -> None:
    """The error has the reason in one line and no password."""
    url = f"postgresql://me:secret@/name?host={tmp_path}"
    with pytest.raises(StoreError) as caught:
        Store(time, url)
    problem = str(caught.value)
    assert problem.startswith("cannot use the database postgresql://me:***@/name?host=")
    assert "No such file or directory" in problem
    assert "\n" not in problem


def test_another_encoding_is_refused(time: FakeTime, postgres: str) -> None:
    """A PostgreSQL database must be UTF-8 to hold every text."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin TEMPLATE template0"
            " ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C'"
        )
    with pytest.raises(StoreError, match=r"its encoding is LATIN1, not UTF8$"):
        Store(time, postgres.replace("/postgres?", "/latin?"))


# --- texts


@pytest.mark.parametrize("text", ["", "a", "\0", "\1", "\0\1", "\1\0", "\1\1\0\0", "\1\2", "\2\1"])
def test_every_text_survives_its_escape(text: str) -> None:
    """Escaping is reversible, and an escaped text has no NUL."""
    escaped = EscapedText()
    stored = escaped.process_bind_param(text, None)  # type: ignore[arg-type] # not used
    assert stored is not None
    assert "\0" not in stored
    assert text == escaped.process_result_value(stored, None)  # type: ignore[arg-type] # not used


def test_the_escape_keeps_the_order() -> None:
    """Escaped texts sort like the original ones."""
    texts = ["", "\0", "\0\0", "\0\1", "\1", "\1\0", "\1\1", "\1\2", "\2", "a"]
    escaped = [EscapedText().process_bind_param(text, None) for text in texts]  # type: ignore[arg-type] # not used
    assert texts == sorted(texts)
    assert escaped == sorted(text for text in escaped if text is not None)


def test_titles_sort_by_code_points(open_store: OpenStore, database: str | None) -> None:
    """Each database sorts by code points, regardless of its locale."""
    store = open_store(database)
    titles = ["\0", "\1", "A", "Z", "a", "z", "é", "\ue000", "\U0001f600"]
    with store.write() as records:
        visitor, _ = records.find_or_add_visitor("project", "a\0b")
        for title in reversed(titles):
            records.touch_conversation(records.add_conversation(visitor.id).id, title)
        assert not records.find_or_add_visitor("project", "a\0b")[1]
    with store.read() as records:
        _, found = records.conversations(
            visitor.id, status=None, order_by="title", descending=False, limit=100, offset=0
        )
    assert titles == [conversation.title for conversation in found]


# --- several processes


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in several threads that start at the same moment."""
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))


def test_a_new_database_is_created_once(open_store: OpenStore, shared_database: str) -> None:
    """Stores that open a new database at the same moment share one schema and secret."""
    stores: list[Store] = []
    at_once(4, lambda _number: stores.append(open_store(shared_database)))
    assert 1 == len({store.secret for store in stores})


def test_a_device_gets_one_visitor(open_store: OpenStore, shared_database: str) -> None:
    """A device that several processes see at the same moment is added once."""
    stores = [open_store(shared_database) for _ in range(4)]
    found: list[tuple[str, bool]] = []

    def find(number: int) -> None:
        for device in range(10):
            with stores[number].write() as records:
                visitor, new = records.find_or_add_visitor("project", f"device-{device}")
            found.append((visitor.id, new))

    at_once(4, find)
    assert 10 == len({visitor_id for visitor_id, _ in found})
    assert 10 == sum(new for _, new in found)


def test_a_question_and_its_answer_stay_together(
    open_store: OpenStore, shared_database: str
) -> None:
    """Concurrent writers, with different clocks, do not separate an answer from its question."""
    stores = [
        open_store(shared_database, lambda hour=number: 1.7e9 - 3600.0 * hour)
        for number in range(4)
    ]
    conversation_id = a_conversation(stores[0])
    with stores[0].write() as records:
        visitor, _ = records.find_or_add_visitor("project", "device-1")

    def talk(number: int) -> None:
        for turn in range(10):
            with stores[number].write() as records:
                assert records.conversation(conversation_id, visitor.id) is not None
                for role in ("user", "assistant"):
                    records.add_message(conversation_id, role, f"{number}.{turn}")
                records.touch_conversation(conversation_id)

    at_once(4, talk)
    messages = messages_of(stores[0], conversation_id)
    assert ["user", "assistant"] * 40 == [message.role for message in messages]
    assert [message.text for message in messages[::2]] == [
        message.text for message in messages[1::2]
    ]
    times = [message.created_at for message in messages]
    assert times == sorted(times)


def test_an_earlier_use_does_not_replace_a_later_one(
    open_store: OpenStore, shared_database: str
) -> None:
    """A session keeps its latest use if the clocks of two machines differ."""
    ahead = open_store(shared_database, lambda: 2000.0)
    behind = open_store(shared_database, lambda: 1000.0)
    with behind.write() as records:
        visitor, _ = records.find_or_add_visitor("project", "device-1")
        session_id = records.add_session(visitor.id, keep=60)
    for store in (ahead, behind):
        with store.write() as records:
            records.touch_session(session_id, keep=1800)
    with behind.read() as records:
        session = records.session(session_id)
    assert session == (visitor, 2000.0)


def test_a_lost_connection_is_reopened(open_store: OpenStore, postgres_url: str) -> None:
    """The interrupted transaction fails, and the next one succeeds."""
    store = open_store(postgres_url)
    conversation_id = a_conversation(store)

    def end_connections() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'siteassist-mock'"
            )

    end_connections()
    assert messages_of(store, conversation_id) == []

    def fail() -> None:
        with store.write() as records:
            records.add_message(conversation_id, "user", "lost")
            end_connections()

    with pytest.raises(StoreUnavailable):
        fail()
    assert messages_of(store, conversation_id) == []


def test_other_errors_are_raised(open_store: OpenStore) -> None:
    """A transaction is not repeated if the connection is not the cause."""
    store = open_store(None)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        a_conversation(store)


# --- killed processes

PROGRAM = """
import sys, time
from siteassist_mock.storage.store import Store
store = Store(time.time, sys.argv[1])
with store.write() as records:
    visitor, _ = records.find_or_add_visitor("project", "device-1")
    conversation_id = records.add_conversation(visitor.id).id
    records.add_message(conversation_id, "user", "Hello")
    records.add_message(conversation_id, "assistant", "", status="streaming")
print(conversation_id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def streaming(shared_database: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a process that streams an answer; yield it and the conversation's id."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, shared_database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_an_interrupted_answer_becomes_an_error(
    streaming: tuple[subprocess.Popen[str], str], shared_database: str, open_store: OpenStore
) -> None:
    """The next start marks the answers of a killed process, but not of a running one."""
    process, conversation_id = streaming
    (_, meanwhile) = messages_of(open_store(shared_database), conversation_id)
    assert (meanwhile.status, meanwhile.error) == ("streaming", None)
    process.kill()
    process.wait()
    (asked, answer) = messages_of(open_store(shared_database), conversation_id)
    assert (asked.status, asked.error) == ("complete", None)
    assert (answer.status, answer.error) == ("error", ABANDONED)


def test_a_complete_answer_is_not_marked(open_store: OpenStore, shared_database: str) -> None:
    """A later start does not change a complete answer."""
    store = open_store(shared_database)
    conversation_id = a_conversation(store)
    with store.write() as records:
        message = records.add_message(conversation_id, "assistant", "", status="streaming")
        records.end_message(message.id, "done", error=None)
    store.close()
    (message,) = messages_of(open_store(shared_database), conversation_id)
    assert (message.status, message.text) == ("complete", "done")


def test_owner_files_of_killed_processes_are_removed(open_store: OpenStore, tmp_path: Path) -> None:
    """Each process has one owner file; files of killed processes are removed."""
    path = tmp_path / "mock.db"
    dead, strange = tmp_path / "mock.db-owner-12", tmp_path / "mock.db-owner-x"
    for other in (dead, strange):
        other.touch()
    one, two = open_store(path), open_store(path)
    left = {found.name for found in tmp_path.glob("mock.db-owner-*")}
    assert 3 == len(left)
    assert strange.name in left
    assert dead.name not in left
    for store in (one, two):
        store.close()
    assert [strange.name] == [found.name for found in tmp_path.glob("mock.db-owner-*")]


def test_a_new_file_is_private(open_store: OpenStore, tmp_path: Path) -> None:
    """Other users of the machine cannot read the secret; an existing file keeps its mode."""
    path = tmp_path / "mock.db"
    store = open_store(path)
    a_conversation(store)
    for name in (path, *tmp_path.glob("mock.db-*")):
        assert (name, 0) == (name, name.stat().st_mode & 0o077 if "owner" not in name.name else 0)
    existing = tmp_path / "existing.db"
    existing.touch(0o640)
    existing.chmod(0o640)
    open_store(existing)
    assert 0o640 == existing.stat().st_mode & 0o777
