"""What happens in conversations, from whoever does it to whoever listens.

`EventBus` is all that the rest of the server knows. `LocalEvents` reaches the
listeners of one process; a bus that reaches several processes carries the same
events between them, for example by PostgreSQL's NOTIFY, and hands those that
arrive to a `LocalEvents` of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["ConversationEvent", "EventBus", "EventType", "Listener", "LocalEvents"]

EventType: TypeAlias = Literal["new_message", "human_assigned", "reset"]
"""The first two are those of the documented socket.

After a ``reset`` whatever was heard before may no longer be so, nor complete: look again.
"""


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """Something that happened in a conversation, after it was stored.

    It names the message and does not carry it: so it fits into any channel
    (NOTIFY takes less than 8,000 bytes), and whoever hears of it reads what is
    stored.
    """

    type: EventType
    message_id: str | None = None


Listener: TypeAlias = Callable[[ConversationEvent], None]
"""Is told of an event, on the thread where it arrives; it must return at once and not raise."""


class EventBus(Protocol):
    """Brings events to listeners; from any thread."""

    def publish(self, conversation_id: str | None, event: ConversationEvent) -> None:
        """Tell the listeners of a conversation; those of all conversations with None.

        To be called after the transaction has ended, so that a listener finds
        in the database what it hears of.
        """

    def subscribe(self, conversation_id: str, listener: Listener) -> AbstractContextManager[None]:
        """Tell ``listener`` of the events of a conversation, within the block.

        It may still be told of one event after the end of the block, if that
        arrives at the same moment.
        """
        ...


class LocalEvents:
    """An `EventBus` within one process; events arrive in the order of their publication."""

    def __init__(self) -> None:
        """Begin without listeners."""
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Listener]] = {}

    def publish(self, conversation_id: str | None, event: ConversationEvent) -> None:
        """Call every listener that there is now."""
        with self._lock:
            called = (
                [listener for some in self._listeners.values() for listener in some]
                if conversation_id is None
                else list(self._listeners.get(conversation_id, ()))
            )
        for listener in called:
            listener(event)

    @contextmanager
    def subscribe(self, conversation_id: str, listener: Listener) -> Iterator[None]:
        """Call ``listener`` for the events of a conversation, within the block."""
        with self._lock:
            self._listeners.setdefault(conversation_id, []).append(listener)
        try:
            yield
        finally:
            with self._lock:
                listeners = self._listeners[conversation_id]
                listeners.remove(listener)
                # Or the names of all conversations that were ever listened to stay.
                if not listeners:
                    del self._listeners[conversation_id]
