"""The database."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.storage.store import ORDERS, Store, StoreError
from siteassist_mock.storage.tables import MessageRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from siteassist_mock.storage.tables import ConversationRow
    from tests.mock.conftest import FakeTime


@pytest.fixture
def store(time: FakeTime, database: str | None) -> Iterator[Store]:
    """Open a store, in memory and in PostgreSQL."""
    store = Store(time, database)
    yield store
    store.close()


def a_visitor(store: Store, device: str = "device-1") -> str:
    """Return the id of a device's visitor."""
    with store.write() as records:
        return records.find_or_add_visitor("project", device)[0].id


def a_conversation(store: Store, visitor_id: str) -> ConversationRow:
    """Return a new conversation."""
    with store.write() as records:
        return records.add_conversation(visitor_id)


def listed(store: Store, visitor_id: str, **more: object) -> tuple[int, list[str]]:
    """Return the total and the ids of a page."""
    query = {"status": None, "order_by": "createdAt", "descending": False, "limit": 10, "offset": 0}
    with store.read() as records:
        total, page = records.conversations(visitor_id, **{**query, **more})  # type: ignore[arg-type] # checked by the store
    return total, [conversation.id for conversation in page]


def test_a_device_keeps_its_visitor(store: Store) -> None:
    """Within its project; another project has another visitor."""
    with store.write() as records:
        first, new = records.find_or_add_visitor("project", "device-1")
        again, known = records.find_or_add_visitor("project", "device-1")
        other, _ = records.find_or_add_visitor("another", "device-1")
    assert (new, known) == (True, False)
    assert first == again
    assert first.id != other.id


def test_sessions_know_their_visitor_and_their_last_use(store: Store, time: FakeTime) -> None:
    """Touching one moves the time; an unknown one is None."""
    visitor_id, begun = a_visitor(store), time.seconds
    with store.write() as records:
        session_id = records.add_session(visitor_id, keep=60)
        found = records.session(session_id)
        assert found is not None
        assert (found[0].id, found[1]) == (visitor_id, begun)
        time.seconds += 5
        records.touch_session(session_id)
        found = records.session(session_id)
        assert found is not None
        assert found[1] == begun + 5
        assert records.session("none") is None


def test_a_new_session_clears_old_ones_away(store: Store, time: FakeTime) -> None:
    """Those of the same visitor that ended; others stay."""
    visitor_id, other_id = a_visitor(store), a_visitor(store, "device-2")
    with store.write() as records:
        old = records.add_session(visitor_id, keep=60)
        others = records.add_session(other_id, keep=60)
        time.seconds += 61
        records.add_session(visitor_id, keep=60)
        assert records.session(old) is None
        assert records.session(others) is not None


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    """All of a block happens, or none of it."""
    visitor_id = a_visitor(store)

    def fail() -> None:
        with store.write() as records:
            records.add_conversation(visitor_id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert listed(store, visitor_id) == (0, [])


def test_conversations_are_their_visitors_own(store: Store) -> None:
    """Nobody else finds them."""
    mine, yours = a_visitor(store), a_visitor(store, "device-2")
    conversation = a_conversation(store, mine)
    with store.read() as records:
        assert records.conversation(conversation.id, mine) == conversation
        assert records.conversation(conversation.id, yours) is None
    assert listed(store, yours) == (0, [])


@pytest.mark.parametrize("order_by", ORDERS)
def test_one_direction_is_the_reverse_of_the_other(
    store: Store, time: FakeTime, order_by: str
) -> None:
    """For every field, with ties and absent values among the rows."""
    visitor_id = a_visitor(store)
    rows = [a_conversation(store, visitor_id) for _ in range(5)]
    time.seconds += 1
    with store.write() as records:
        records.touch_conversation(rows[1].id, "B")
        records.touch_conversation(rows[3].id, "A")
        records.close_conversation(rows[2].id, None)
    store.assign_human(rows[4].id)
    total, up = listed(store, visitor_id, order_by=order_by)
    _, down = listed(store, visitor_id, order_by=order_by, descending=True)
    assert total == 5
    assert up == down[::-1]
    a, b, c, d, e = (row.id for row in rows)
    expected = {
        "id": sorted([a, b, c, d, e]),
        "createdAt": [a, b, c, d, e],
        "updatedAt": [a, b, c, d, e],
        "lastInteractionAt": [a, c, e, b, d],
        "status": [c, a, b, d, e],
        "closedAt": [a, b, d, e, c],
        "isHumanHandled": [a, b, c, d, e],
        "title": [a, c, e, d, b],
    }
    assert up == expected[order_by]


def test_pages_and_filters_keep_the_total(store: Store) -> None:
    """The total counts all that match; an offset of any size is fine."""
    visitor_id = a_visitor(store)
    rows = [a_conversation(store, visitor_id) for _ in range(3)]
    with store.write() as records:
        records.close_conversation(rows[0].id, "done")
    assert listed(store, visitor_id, limit=1, offset=1) == (3, [rows[1].id])
    assert listed(store, visitor_id, offset=10**300) == (3, [])
    assert listed(store, visitor_id, status="closed") == (1, [rows[0].id])


def test_closing_again_changes_nothing(store: Store, time: FakeTime) -> None:
    """The first time and the first reason stay."""
    visitor_id = a_visitor(store)
    conversation = a_conversation(store, visitor_id)
    with store.write() as records:
        records.close_conversation(conversation.id, "first")
        closed = records.conversation(conversation.id, visitor_id)
        time.seconds += 60
        records.close_conversation(conversation.id, "second")
        assert records.conversation(conversation.id, visitor_id) == closed
    assert closed is not None
    assert (closed.status, closed.close_reason) == ("closed", "first")


def test_a_human_agent_is_assigned(store: Store) -> None:
    """With a name and a picture; an unknown conversation is an error."""
    visitor_id = a_visitor(store)
    conversation = a_conversation(store, visitor_id)
    store.assign_human(conversation.id, "Sam", "https://example.com/sam.png")
    with store.read() as records:
        handled = records.conversation(conversation.id, visitor_id)
    assert handled is not None
    assert handled.is_human_handled is True
    assert handled.human_agent == {"name": "Sam", "image": "https://example.com/sam.png"}
    with pytest.raises(LookupError, match="there is no conversation none"):
        store.assign_human("none")


def test_messages_come_oldest_first(store: Store) -> None:
    """Also within one millisecond, filtered and paged."""
    conversation_id = a_conversation(store, a_visitor(store)).id
    with store.write() as records:
        for text in "abc":
            records.add_message(conversation_id, "user", text)
        streaming = records.add_message(conversation_id, "assistant", "", status="streaming")

        def texts(**query: object) -> list[str]:
            found = records.messages(conversation_id, **query)  # type: ignore[arg-type] # as above
            return [message.text for message in found]

        assert texts() == ["a", "b", "c", ""]
        assert texts(limit=1, offset=1) == ["b"]
        assert texts(offset=2) == ["c", ""]
        assert texts(role="user") == ["a", "b", "c"]
        assert texts(status="streaming") == [""]
        records.end_message(streaming.id, "d", error=None)
        assert texts(role="assistant", status="complete") == ["d"]
        records.end_message(streaming.id, "e", error="gone")
        last = records.last_messages([conversation_id, "none"])
    assert set(last) == {conversation_id}
    assert isinstance(last[conversation_id], MessageRow)
    assert (last[conversation_id].text, last[conversation_id].error) == ("e", "gone")


def test_feedback_is_for_ones_own_messages(store: Store) -> None:
    """It comes with its time, and null removes both."""
    mine, yours = a_visitor(store), a_visitor(store, "device-2")
    conversation_id = a_conversation(store, mine).id
    with store.write() as records:
        message = records.add_message(conversation_id, "assistant", "a")
        assert records.set_feedback(message.id, yours, "like") is False
        assert records.set_feedback(message.id, mine, "dislike") is True
        rated = records.messages(conversation_id)[0]
        assert (rated.feedback, rated.feedback_at) == ("dislike", message.created_at)
        assert records.set_feedback(message.id, mine, None) is True
        assert records.messages(conversation_id) == [message]


def test_threads_share_a_store(store: Store) -> None:
    """Writers at the same time lose nothing."""
    visitor_id = a_visitor(store)
    threads = [
        threading.Thread(target=lambda: [a_conversation(store, visitor_id) for _ in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert listed(store, visitor_id)[0] == 80


def test_a_file_keeps_everything(tmp_path: Path, time: FakeTime) -> None:
    """Rows and secret are there after a restart, and the clock goes on from them."""
    path = tmp_path / "mock.db"
    store = Store(time, path)
    visitor_id = a_visitor(store)
    conversation = a_conversation(store, visitor_id)
    store.close()
    time.seconds -= 3600
    again = Store(time, path)
    try:
        assert again.secret == store.secret
        assert listed(again, visitor_id) == (1, [conversation.id])
        assert again.clock.timestamp() == conversation.created_at
    finally:
        again.close()


def test_two_stores_share_a_file(tmp_path: Path, time: FakeTime) -> None:
    """What one process writes the other one reads, and both may write."""
    stores = [Store(time, tmp_path / "mock.db") for _ in range(2)]
    visitor_id = a_visitor(stores[0])
    for _ in range(3):
        for store in stores:
            a_conversation(store, visitor_id)
    assert [listed(store, visitor_id)[0] for store in stores] == [6, 6]
    for store in stores:
        store.close()


def test_stores_in_memory_are_strangers(store: Store, time: FakeTime) -> None:
    """Each has its own rows and its own secret."""
    other = Store(time)
    try:
        assert other.secret != store.secret
        assert listed(other, a_visitor(store)) == (0, [])
    finally:
        other.close()


def test_what_is_no_database_is_refused(tmp_path: Path, time: FakeTime) -> None:
    """The error names the file and the reason in one line."""
    path = tmp_path / "junk.db"
    path.write_bytes(b"This is not a database. " * 100)
    with pytest.raises(StoreError, match=r"^cannot use the database .*: file is not a database$"):
        Store(time, path)


def test_a_missing_folder_is_refused(tmp_path: Path, time: FakeTime) -> None:
    """A file is created, its folder is not."""
    with pytest.raises(StoreError, match="unable to open database file"):
        Store(time, tmp_path / "none" / "mock.db")


def test_somebody_elses_database_is_left_alone(tmp_path: Path, time: FakeTime) -> None:
    """Not a byte of it changes."""
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE messages (id)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="it belongs to another program"):
        Store(time, path)
    assert path.read_bytes() == before
