"""Where the state is kept, and who else is at it."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from siteassist_mock.storage.database import open_database, shown
from siteassist_mock.storage.store import ABANDONED, Store, StoreError
from siteassist_mock.storage.tables import EscapedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from siteassist_mock.storage.tables import MessageRow
    from tests.mock.conftest import FakeTime


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Make a database that several stores can open: a file, and PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path / "mock.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def open_store(time: FakeTime) -> Iterator[Callable[..., Store]]:
    """Open stores that are closed in the end."""
    stores: list[Store] = []

    def opening(database: str | Path | None, now: Callable[[], float] = time) -> Store:
        stores.append(Store(now, database))
        return stores[-1]

    yield opening
    for store in stores:
        store.close()


def a_conversation(store: Store) -> str:
    """Return the id of a new conversation of a device's visitor."""
    with store.write() as records:
        visitor, _ = records.find_or_add_visitor("project", "device-1")
        return records.add_conversation(visitor.id).id


def said(store: Store, conversation_id: str) -> list[MessageRow]:
    """Return the messages of a conversation."""
    with store.read() as records:
        return records.messages(conversation_id)


# --- which database


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
def test_a_path_or_a_url_says_which_database(given: str | Path | None, name: str) -> None:
    """Nothing is opened yet, and a password is never shown."""
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
    """In one sentence, without the password."""
    with pytest.raises(StoreError, match=rf"^cannot use the database:? ?{problem}") as caught:
        Store(time, url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("a.db", "a.db"),
        (Path("a.db"), "a.db"),
        ("postgresql://me:secret@host/name", "postgresql://me:***@host/name"),
        ("postgresql://me:secret@host:port/name", "a malformed URL"),
    ],
)
def test_people_see_no_password(given: str | Path, seen: str) -> None:
    """Wherever a database is named."""
    assert seen == shown(given)


def test_postgresql_needs_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is an extra, and the sentence says which one."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(StoreError, match=r"pip install 'siteassist\[postgres\]'$"):
        open_database("postgresql://host/name")


def test_an_unreachable_server_is_one_sentence(time: FakeTime, tmp_path: Path) -> None:
    """With the reason, in one line and without the password."""
    url = f"postgresql://me:secret@/name?host={tmp_path}"
    with pytest.raises(StoreError) as caught:
        Store(time, url)
    problem = str(caught.value)
    assert problem.startswith("cannot use the database postgresql://me:***@/name?host=")
    assert "No such file or directory" in problem
    assert "\n" not in problem


def test_another_encoding_is_refused(time: FakeTime, postgres: str) -> None:
    """It could not hold what clients write."""
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
    """And what is stored has no NUL."""
    escaped = EscapedText()
    stored = escaped.process_bind_param(text, None)  # type: ignore[arg-type] # not used
    assert stored is not None
    assert "\0" not in stored
    assert text == escaped.process_result_value(stored, None)  # type: ignore[arg-type] # not used


def test_the_escape_keeps_the_order() -> None:
    """So that titles sort as without it."""
    texts = ["", "\0", "\0\0", "\0\1", "\1", "\1\0", "\1\1", "\1\2", "\2", "a"]
    escaped = [EscapedText().process_bind_param(text, None) for text in texts]  # type: ignore[arg-type] # not used
    assert texts == sorted(texts)
    assert escaped == sorted(text for text in escaped if text is not None)


def test_titles_sort_by_code_points(open_store: Callable[..., Store], database: str | None) -> None:
    """In each database, whatever its own language is."""
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


# --- several at once


def test_two_stores_share_all_they_have(
    open_store: Callable[..., Store], shared: str | Path
) -> None:
    """The rows and the secret: what one has written the other one reads."""
    one, two = open_store(shared), open_store(shared)
    assert one.secret == two.secret
    conversation_id = a_conversation(one)
    with two.write() as records:
        records.add_message(conversation_id, "user", "hello")
    assert ["hello"] == [message.text for message in said(one, conversation_id)]


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Do something in several threads that begin at the same moment."""
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_new_database_is_made_once(open_store: Callable[..., Store], shared: str | Path) -> None:
    """However many processes start at the same moment."""
    stores: list[Store] = []
    at_once(4, lambda _number: stores.append(open_store(shared)))
    assert 1 == len({store.secret for store in stores})


def test_a_device_gets_one_visitor(open_store: Callable[..., Store], shared: str | Path) -> None:
    """Even if several processes see it first; one of them has added it."""
    stores = [open_store(shared) for _ in range(4)]
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
    open_store: Callable[..., Store], shared: str | Path
) -> None:
    """Whoever else writes to the conversation, on whatever clock, waits for the end."""
    stores = [open_store(shared, lambda hour=number: 1.7e9 - 3600.0 * hour) for number in range(4)]
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
    messages = said(stores[0], conversation_id)
    assert ["user", "assistant"] * 40 == [message.role for message in messages]
    assert [message.text for message in messages[::2]] == [
        message.text for message in messages[1::2]
    ]
    times = [message.created_at for message in messages]
    assert times == sorted(times)


def test_an_earlier_use_does_not_replace_a_later_one(
    open_store: Callable[..., Store], shared: str | Path
) -> None:
    """The clocks of two machines differ, and a session lasts from its last use."""
    ahead, behind = open_store(shared, lambda: 2000.0), open_store(shared, lambda: 1000.0)
    with behind.write() as records:
        visitor, _ = records.find_or_add_visitor("project", "device-1")
        session_id = records.add_session(visitor.id, keep=60)
    for store in (ahead, behind):
        with store.write() as records:
            records.touch_session(session_id)
    with behind.read() as records:
        session = records.session(session_id)
    assert session == (visitor, 2000.0)


def test_a_lost_connection_is_made_anew(
    open_store: Callable[..., Store], postgres_url: str
) -> None:
    """The transaction that it hits fails, and the next one works."""
    store = open_store(postgres_url)
    conversation_id = a_conversation(store)

    def end_connections() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'siteassist-mock'"
            )

    end_connections()
    assert said(store, conversation_id) == []

    def fail() -> None:
        with store.write() as records:
            records.add_message(conversation_id, "user", "lost")
            end_connections()

    with pytest.raises(psycopg.OperationalError):
        fail()
    assert said(store, conversation_id) == []


def test_what_is_wrong_with_a_transaction_comes_through(
    open_store: Callable[..., Store],
) -> None:
    """Nobody tries again where the connection is not at fault."""
    store = open_store(None)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        a_conversation(store)


# --- those who are gone

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
def streaming(shared: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a process that streams an answer; yield it with the conversation's id."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(shared)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_what_a_killed_process_was_streaming_is_an_error(
    streaming: tuple[subprocess.Popen[str], str],
    shared: str | Path,
    open_store: Callable[..., Store],
) -> None:
    """From the next start on; while the process lives it stays as it is."""
    process, conversation_id = streaming
    (_, meanwhile) = said(open_store(shared), conversation_id)
    assert (meanwhile.status, meanwhile.error) == ("streaming", None)
    process.kill()
    process.wait()
    (asked, answer) = said(open_store(shared), conversation_id)
    assert (asked.status, asked.error) == ("complete", None)
    assert (answer.status, answer.error) == ("error", ABANDONED)


def test_an_answer_that_ends_belongs_to_nobody(
    open_store: Callable[..., Store], shared: str | Path
) -> None:
    """A later start leaves it alone."""
    store = open_store(shared)
    conversation_id = a_conversation(store)
    with store.write() as records:
        message = records.add_message(conversation_id, "assistant", "", status="streaming")
        records.end_message(message.id, "done", error=None)
    store.close()
    (message,) = said(open_store(shared), conversation_id)
    assert (message.status, message.text) == ("complete", "done")


def test_files_of_the_living_and_the_dead(
    open_store: Callable[..., Store],
    tmp_path: Path,
) -> None:
    """Each process has one beside the database; those of killed ones are cleared away."""
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
