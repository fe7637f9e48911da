"""Events of conversations, and the bus that delivers them to listeners.

`LocalEvents` reaches the listeners of one process. The rest of the server uses
only the protocol `EventBus`, which a bus between processes implements as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

EventType: TypeAlias = Literal["new_message", "human_assigned", "reset"]
"""The first two are those of the documented socket.

After a ``reset`` the stored state may be any other, and events may be missing.
"""


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """A stored change of a conversation.

    It has the identifier of the message only, so that it fits into the 8,000
    bytes of NOTIFY. Listeners read the message from the store.
    """

    type: EventType
    message_id: str | None = None


Listener: TypeAlias = Callable[[ConversationEvent], None]
"""A callback for an event, on the thread where it arrives; it must not block or raise."""


class EventBus(Protocol):
    """A thread-safe bus that delivers events to listeners."""

    def publish(self, conversation_id: str | None, event: ConversationEvent) -> None:
        """Send ``event`` to the listeners of a conversation, or to all with None.

        Call it after the transaction has ended, so that listeners can read the
        change from the store.
        """

    def listen(self) -> None:
        """Prepare for listeners, which may have to wait for the database."""

    def subscribe(self, conversation_id: str, listener: Listener) -> AbstractContextManager[None]:
        """Call ``listener`` for the events of a conversation, within the block.

        One more call may come just after the end of the block.
        """
        ...


class LocalEvents:
    """An `EventBus` within one process; events arrive in the order in which they are sent."""

    def __init__(self) -> None:
        """Begin without listeners."""
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Listener]] = {}

    def publish(self, conversation_id: str | None, event: ConversationEvent) -> None:
        """Call the current listeners."""
        with self._lock:
            called = (
                [listener for some in self._listeners.values() for listener in some]
                if conversation_id is None
                else list(self._listeners.get(conversation_id, ()))
            )
        for listener in called:
            listener(event)

    def listen(self) -> None:
        """Do nothing: there is no connection."""

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
                # Otherwise the dictionary would grow with each conversation.
                if not listeners:
                    del self._listeners[conversation_id]
