"""Tests for the store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.storage.store import ORDERS, Store
from siteassist_mock.storage.tables import MessageRow

if TYPE_CHECKING:
    from pathlib import Path

    from siteassist_mock.storage.tables import ConversationRow
    from tests.mock.conftest import FakeTime, OpenStore


@pytest.fixture
def store(open_store: OpenStore, database: str | None) -> Store:
    """Open a store, in memory and in PostgreSQL."""
    return open_store(database)


def a_visitor(store: Store, device: str = "device-1") -> str:
    """Return the id of a device's visitor."""
    with store.write() as records:
        return records.find_or_add_visitor("project", device)[0].id


def a_conversation(store: Store, visitor_id: str) -> ConversationRow:
    """Start a conversation and return it."""
    with store.write() as records:
        return records.add_conversation(visitor_id)


def listed(store: Store, visitor_id: str, **more: object) -> tuple[int, list[str]]:
    """Return the total and the ids of a page."""
    query = {"status": None, "order_by": "createdAt", "descending": False, "limit": 10, "offset": 0}
    with store.read() as records:
        total, page = records.conversations(visitor_id, **{**query, **more})  # type: ignore[arg-type] # checked by the store
    return total, [conversation.id for conversation in page]


def test_a_device_keeps_its_visitor(store: Store) -> None:
    """A device has one visitor in each project."""
    with store.write() as records:
        first, new = records.find_or_add_visitor("project", "device-1")
        again, known = records.find_or_add_visitor("project", "device-1")
        other, _ = records.find_or_add_visitor("another", "device-1")
    assert (new, known) == (True, False)
    assert first == again
    assert first.id != other.id


def test_a_session_has_its_visitor_and_last_use(store: Store, time: FakeTime) -> None:
    """Touching a session updates its last use; an unknown session is None."""
    visitor_id, begun = a_visitor(store), time.seconds
    with store.write() as records:
        session_id = records.add_session(visitor_id, keep=60)
        found = records.session(session_id)
        assert found is not None
        assert (found[0].id, found[1]) == (visitor_id, begun)
        time.seconds += 5
        records.touch_session(session_id, keep=60)
        found = records.session(session_id)
        assert found is not None
        assert found[1] == begun + 5
        assert records.session("none") is None


def test_a_new_session_deletes_expired_ones(store: Store, time: FakeTime) -> None:
    """Expired sessions of the same visitor are deleted; those of other visitors are not."""
    visitor_id, other_id = a_visitor(store), a_visitor(store, "device-2")
    with store.write() as records:
        old = records.add_session(visitor_id, keep=60)
        others = records.add_session(other_id, keep=60)
        time.seconds += 61
        records.add_session(visitor_id, keep=60)
        assert records.session(old) is None
        assert records.session(others) is not None


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    """A transaction is stored completely or not at all."""
    visitor_id = a_visitor(store)

    def fail() -> None:
        with store.write() as records:
            records.add_conversation(visitor_id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert listed(store, visitor_id) == (0, [])


@pytest.mark.parametrize("order_by", ORDERS)
def test_one_direction_is_the_reverse_of_the_other(
    store: Store, time: FakeTime, order_by: str
) -> None:
    """Both directions agree for each field, with ties and absent values."""
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


def test_a_human_agent_is_assigned(store: Store) -> None:
    """An agent has a name and an image; an unknown conversation raises `LookupError`."""
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
    """Messages are sorted within one millisecond as well, filtered and paged."""
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


def test_feedback_needs_ones_own_message(store: Store) -> None:
    """Feedback is stored with its time, and null removes both."""
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
    """Concurrent writers lose nothing."""
    visitor_id = a_visitor(store)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: a_conversation(store, visitor_id), range(80)))
    assert listed(store, visitor_id)[0] == 80


def test_a_file_keeps_everything(open_store: OpenStore, tmp_path: Path, time: FakeTime) -> None:
    """Rows and secret are kept after a restart, and the clock continues from the rows."""
    store = open_store(tmp_path / "mock.db")
    visitor_id = a_visitor(store)
    conversation = a_conversation(store, visitor_id)
    store.close()
    time.seconds -= 30
    again = open_store(tmp_path / "mock.db")
    assert again.secret == store.secret
    assert listed(again, visitor_id) == (1, [conversation.id])
    assert again.clock.timestamp() == conversation.created_at


def test_stores_in_memory_are_separate(store: Store, open_store: OpenStore) -> None:
    """Each store in memory has its own rows and its own secret."""
    other = open_store()
    assert other.secret != store.secret
    assert listed(other, a_visitor(store)) == (0, [])
