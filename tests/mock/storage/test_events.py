"""Tests for events within a process."""

from __future__ import annotations

from siteassist_mock.storage.events import ConversationEvent, LocalEvents

ASSIGNED = ConversationEvent("human_assigned")
RESET = ConversationEvent("reset")


def test_listeners_receive_their_own_conversation() -> None:
    """All listeners of a conversation receive its events in order; others do not."""
    events = LocalEvents()
    one: list[ConversationEvent] = []
    two: list[ConversationEvent] = []
    other: list[ConversationEvent] = []
    with (
        events.subscribe("a", one.append),
        events.subscribe("a", two.append),
        events.subscribe("b", other.append),
    ):
        events.publish("a", ASSIGNED)
        events.publish("a", ConversationEvent("new_message", "m"))
        events.publish("c", ASSIGNED)
    assert [ASSIGNED, ConversationEvent("new_message", "m")] == one == two
    assert [] == other


def test_all_listeners_receive_a_global_event() -> None:
    """An event without a conversation is sent to every listener."""
    events = LocalEvents()
    one: list[ConversationEvent] = []
    two: list[ConversationEvent] = []
    with events.subscribe("a", one.append), events.subscribe("b", two.append):
        events.publish(None, RESET)
    assert [RESET] == one == two


def test_a_subscription_ends_with_its_block() -> None:
    """The end of one subscription does not affect another."""
    events = LocalEvents()
    one: list[ConversationEvent] = []
    two: list[ConversationEvent] = []
    with events.subscribe("a", one.append):
        with events.subscribe("a", two.append):
            pass
        events.publish("a", ASSIGNED)
    events.publish("a", RESET)
    events.publish(None, RESET)
    assert ([ASSIGNED], []) == (one, two)


def test_a_listener_may_publish() -> None:
    """A listener can publish an event while it handles one."""
    events = LocalEvents()
    heard: list[ConversationEvent] = []
    with (
        events.subscribe("a", lambda _event: events.publish("b", RESET)),
        events.subscribe("b", heard.append),
    ):
        events.publish("a", ASSIGNED)
    assert [RESET] == heard
