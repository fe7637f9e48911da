"""Tests for events between processes, over PostgreSQL."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
import pytest

from siteassist_mock.storage.events import ConversationEvent
from siteassist_mock.storage.postgres_events import PostgresEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MakeBus: TypeAlias = "Callable[..., PostgresEvents]"
ONE, TWO = "conversation-1", "conversation-2"
# The timeout of a failing test; a passing test does not wait for it.
SECONDS = 20


@pytest.fixture
def make_bus(postgres: str) -> Iterator[MakeBus]:
    """Return a factory of buses, each like that of another process."""
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
def subscribed(
    bus: PostgresEvents, conversation_id: str
) -> Iterator[Callable[[], ConversationEvent]]:
    """Subscribe to a conversation and yield a function that returns its next event."""
    events: queue.Queue[ConversationEvent] = queue.Queue()
    bus.listen()
    with bus.subscribe(conversation_id, events.put):
        yield lambda: events.get(timeout=SECONDS)


def test_every_process_receives_an_event(make_bus: MakeBus) -> None:
    """Each process receives the events of its conversations in order, its own included."""
    one, two = make_bus(), make_bus()
    events = [ConversationEvent("human_assigned"), ConversationEvent("new_message", "message-1")]
    with (
        subscribed(one, ONE) as at_one,
        subscribed(two, ONE) as at_two,
        subscribed(two, TWO) as elsewhere,
    ):
        one.publish(ONE, events[0])
        two.publish(ONE, events[1])
        two.publish(TWO, events[1])
        assert events == [at_one(), at_one()]
        assert events == [at_two(), at_two()]
        assert events[1] == elsewhere()


def test_a_reset_reaches_all_processes(make_bus: MakeBus) -> None:
    """A reset is sent to the listeners of every conversation."""
    one, two = make_bus(), make_bus()
    with subscribed(one, ONE) as at_one, subscribed(two, TWO) as at_two:
        one.publish(None, ConversationEvent("reset"))
        assert ConversationEvent("reset") == at_one() == at_two()


def test_channels_are_separate(make_bus: MakeBus) -> None:
    """Servers with different states can use one database."""
    one, other = make_bus(), make_bus("another")
    with subscribed(one, ONE) as at_one:
        other.publish(ONE, ConversationEvent("human_assigned"))
        one.publish(ONE, ConversationEvent("new_message", "message-1"))
        assert ConversationEvent("new_message", "message-1") == at_one()


def test_closing_a_bus_does_not_affect_others(make_bus: MakeBus) -> None:
    """A closed bus ends its thread, and the others still receive events."""
    one, two = make_bus(), make_bus()
    with subscribed(one, ONE) as at_one:
        before = threading.active_count()
        with subscribed(two, ONE):
            assert before + 1 == threading.active_count()
        two.close()
        assert before == threading.active_count()
        make_bus().publish(ONE, ConversationEvent("human_assigned"))
        assert ConversationEvent("human_assigned") == at_one()


def test_a_lost_connection_resets_listeners(make_bus: MakeBus, postgres: str) -> None:
    """Listeners receive a reset after a reconnection, and then the next events."""
    bus = make_bus()
    with subscribed(bus, ONE) as at_bus:
        bus.publish(ONE, ConversationEvent("human_assigned"))
        assert ConversationEvent("human_assigned") == at_bus()
        end_connections(postgres)
        assert ConversationEvent("reset") == at_bus()
        bus.publish(ONE, ConversationEvent("new_message", "message-1"))
        assert ConversationEvent("new_message", "message-1") == at_bus()


class Connector:
    """A connection factory that can be made unavailable and counts refused attempts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.available = True
        self.refused = threading.Semaphore(0)
        self.on_connect: Callable[[], None] = lambda: None

    def __call__(self) -> psycopg.Connection[Any]:
        """Connect, or raise `psycopg.OperationalError` while unavailable."""
        if not self.available:
            self.refused.release()
            raise psycopg.OperationalError
        self.on_connect()
        return psycopg.connect(self._url, autocommit=True, application_name="bus")


def test_a_bus_retries_until_it_is_closed(postgres: str, caplog: pytest.LogCaptureFixture) -> None:
    """A bus retries to connect until the database is back or the bus is closed."""
    connector = Connector(postgres)
    bus = PostgresEvents(connector, "away", retry=0.01)
    away = Connector(postgres)
    away.available = False
    with subscribed(bus, ONE) as at_bus:
        connector.available = False
        end_connections(postgres)
        assert connector.refused.acquire(timeout=SECONDS)
        # Its cause is stored already, so that the loss is only logged.
        with caplog.at_level("WARNING"):
            PostgresEvents(away, "away").publish(ONE, ConversationEvent("human_assigned"))
        assert "the database is unavailable: an event was lost" in caplog.messages
        with pytest.raises(psycopg.OperationalError):
            PostgresEvents(away, "away").listen()
        connector.available = True
        assert ConversationEvent("reset") == at_bus()
        connector.available = False
        end_connections(postgres)
        for _ in range(2):
            assert connector.refused.acquire(timeout=SECONDS)
        bus.close()
        assert ConversationEvent("reset") == at_bus()


def test_a_stop_during_a_reconnection_is_noticed(postgres: str) -> None:
    """A stop before the new connection listens is not lost."""
    connector = Connector(postgres)
    bus = PostgresEvents(connector, "between", retry=0.01)
    connecting = threading.Event()

    def hold() -> None:
        connecting.set()
        assert bus._closing.wait(SECONDS)

    closer = threading.Thread(target=bus.close)
    with subscribed(bus, ONE) as at_bus:
        connector.on_connect = hold
        end_connections(postgres)
        assert connecting.wait(SECONDS)
        closer.start()
        closer.join(SECONDS)
        assert not closer.is_alive()
        assert ConversationEvent("reset") == at_bus()


def end_connections(url: str) -> None:
    """End the connections of all buses, as a restart of PostgreSQL does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bus'"
        )
