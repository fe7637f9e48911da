"""Events, from whoever does something to whoever listens."""

from __future__ import annotations

from siteassist_mock.storage.events import ConversationEvent, LocalEvents

ASSIGNED = ConversationEvent("human_assigned")
RESET = ConversationEvent("reset")


def test_listeners_hear_of_their_own_conversation() -> None:
    """All of its listeners, in order, and nobody else."""
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


def test_everybody_hears_of_what_concerns_all() -> None:
    """An event without a conversation goes to the listeners of each."""
    events = LocalEvents()
    one: list[ConversationEvent] = []
    two: list[ConversationEvent] = []
    with events.subscribe("a", one.append), events.subscribe("b", two.append):
        events.publish(None, RESET)
    assert [RESET] == one == two


def test_listening_ends_with_the_block() -> None:
    """One listener's end leaves the others."""
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
    """What it is told of may cause the next event."""
    events = LocalEvents()
    heard: list[ConversationEvent] = []
    with (
        events.subscribe("a", lambda _event: events.publish("b", RESET)),
        events.subscribe("b", heard.append),
    ):
        events.publish("a", ASSIGNED)
    assert [RESET] == heard
