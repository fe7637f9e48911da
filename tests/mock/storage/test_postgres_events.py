"""Events between processes, over PostgreSQL."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from siteassist_mock.storage.events import ConversationEvent
from siteassist_mock.storage.postgres_events import PostgresEvents
from siteassist_mock.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.mock.conftest import FakeTime

ONE, TWO = "conversation-1", "conversation-2"
# A failure should not take for ever; nothing waits as long as it works.
PATIENCE = 20


@pytest.fixture
def make_bus(postgres: str) -> Iterator[Callable[..., PostgresEvents]]:
    """Make buses as different processes would; they are closed in the end."""
    buses: list[PostgresEvents] = []

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(postgres, autocommit=True, application_name="bus")

    def make(channel: str = "Some Channel") -> PostgresEvents:
        buses.append(PostgresEvents(connect, channel, retry=0.01))
        return buses[-1]

    yield make
    for bus in buses:
        bus.close()


@contextmanager
def heard(bus: PostgresEvents, conversation_id: str) -> Iterator[Callable[[], ConversationEvent]]:
    """Listen; yield what returns the next event."""
    events: queue.Queue[ConversationEvent] = queue.Queue()
    with bus.subscribe(conversation_id, events.put):
        yield lambda: events.get(timeout=PATIENCE)


def test_every_process_hears_of_an_event(make_bus: Callable[..., PostgresEvents]) -> None:
    """Its own included, in the same order, and only of what it listens to."""
    one, two = make_bus(), make_bus()
    events = [ConversationEvent("human_assigned"), ConversationEvent("new_message", "message-1")]
    with heard(one, ONE) as at_one, heard(two, ONE) as at_two, heard(two, TWO) as elsewhere:
        one.publish(ONE, events[0])
        two.publish(ONE, events[1])
        two.publish(TWO, events[1])
        assert events == [at_one(), at_one()]
        assert events == [at_two(), at_two()]
        assert events[1] == elsewhere()


def test_a_reset_reaches_all(make_bus: Callable[..., PostgresEvents]) -> None:
    """Whichever conversation they listen to."""
    one, two = make_bus(), make_bus()
    with heard(one, ONE) as at_one, heard(two, TWO) as at_two:
        one.publish(None, ConversationEvent("reset"))
        assert ConversationEvent("reset") == at_one() == at_two()


def test_another_channel_is_another_world(make_bus: Callable[..., PostgresEvents]) -> None:
    """Two servers may use one database for different states."""
    one, other = make_bus(), make_bus("another")
    with heard(one, ONE) as at_one:
        other.publish(ONE, ConversationEvent("human_assigned"))
        one.publish(ONE, ConversationEvent("new_message", "message-1"))
        assert ConversationEvent("new_message", "message-1") == at_one()


def test_one_that_leaves_ends_only_itself(make_bus: Callable[..., PostgresEvents]) -> None:
    """Its thread is gone, the others hear each other as before."""
    one, two = make_bus(), make_bus()
    with heard(one, ONE) as at_one:
        before = threading.active_count()
        with heard(two, ONE):
            assert before + 1 == threading.active_count()
        two.close()
        assert before == threading.active_count()
        make_bus().publish(ONE, ConversationEvent("human_assigned"))
        assert ConversationEvent("human_assigned") == at_one()


def test_a_lost_connection_tells_listeners_to_look_again(
    make_bus: Callable[..., PostgresEvents], postgres: str
) -> None:
    """And after that they hear what is published."""
    bus = make_bus()
    with heard(bus, ONE) as at_bus:
        bus.publish(ONE, ConversationEvent("human_assigned"))
        assert ConversationEvent("human_assigned") == at_bus()
        end_connections(postgres)
        assert ConversationEvent("reset") == at_bus()
        bus.publish(ONE, ConversationEvent("new_message", "message-1"))
        assert ConversationEvent("new_message", "message-1") == at_bus()


class Door:
    """Lets connections be made until it is shut, and shows who was turned away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.is_open = True
        self.refused = threading.Semaphore(0)
        self.on_pass: Callable[[], None] = lambda: None

    def __call__(self) -> psycopg.Connection[Any]:
        """Connect, if the door is open."""
        if not self.is_open:
            self.refused.release()
            raise psycopg.OperationalError
        self.on_pass()
        return psycopg.connect(self._url, autocommit=True, application_name="bus")


def test_a_database_that_stays_away_is_looked_for(postgres: str) -> None:
    """Until it is there again, or until the server stops."""
    door = Door(postgres)
    bus = PostgresEvents(door, "away", retry=0.01)
    with heard(bus, ONE) as at_bus:
        door.is_open = False
        end_connections(postgres)
        assert door.refused.acquire(timeout=PATIENCE)
        with pytest.raises(psycopg.OperationalError):
            PostgresEvents(door, "away").publish(ONE, ConversationEvent("human_assigned"))
        door.is_open = True
        assert ConversationEvent("reset") == at_bus()
        door.is_open = False
        end_connections(postgres)
        for _ in range(2):
            assert door.refused.acquire(timeout=PATIENCE)
        bus.close()
        assert ConversationEvent("reset") == at_bus()


def test_a_stop_in_the_middle_of_a_new_connection_is_heard(postgres: str) -> None:
    """Though the word for it was said before anybody listened."""
    door = Door(postgres)
    bus = PostgresEvents(door, "between", retry=0.01)
    connecting, closing = threading.Event(), threading.Event()

    def hold() -> None:
        if threading.current_thread() is not closer:
            connecting.set()
            assert closing.wait(PATIENCE)

    closer = threading.Thread(target=bus.close)
    with heard(bus, ONE) as at_bus:
        door.on_pass = hold
        end_connections(postgres)
        assert connecting.wait(PATIENCE)
        door.on_pass = closing.set
        closer.start()
        closer.join(PATIENCE)
        assert not closer.is_alive()
        assert ConversationEvent("reset") == at_bus()


def end_connections(url: str) -> None:
    """End the connections of all buses, as a restart of PostgreSQL would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bus'"
        )


def test_stores_of_one_state_share_their_events(time: FakeTime, postgres_url: str) -> None:
    """Over connections that the store makes."""
    one, two = Store(time, postgres_url), Store(time, postgres_url)
    events: queue.Queue[ConversationEvent] = queue.Queue()
    try:
        with two.events.subscribe(ONE, events.put):
            one.events.publish(ONE, ConversationEvent("human_assigned"))
            assert ConversationEvent("human_assigned") == events.get(timeout=PATIENCE)
    finally:
        one.close()
        two.close()
