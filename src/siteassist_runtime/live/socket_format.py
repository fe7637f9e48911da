"""The facts of a socket that the generated client passes to the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.pages import PageNames
from siteassist_runtime.streaming.stream import EventTable


class MissedMessages(NamedTuple):
    """Where to read the messages that were sent while there was no connection."""

    operation: OperationInfo
    """The operation that lists them, oldest first."""
    reader: Callable[[Any], Any]
    """The reader of its response."""
    page: PageNames
    """The names of its pages."""
    parameters: Mapping[str, Any]
    """The query parameters that select the messages of the socket."""
    attributes: Mapping[str, Any]
    """The values of these parameters, by the attribute of a message."""
    carrier: str
    """The attribute of an event that holds a message."""
    event: Callable[[Any, str], Any]
    """Returns the event for a message of a conversation."""

    def selects(self, message: Any) -> bool:
        """Return whether a message is one of those that the socket sends."""
        return all(getattr(message, name) == value for name, value in self.attributes.items())


class Place(NamedTuple):
    """A conversation, and where to reach it."""

    conversation_id: str
    socket_path: str
    list_path: str
    key: Mapping[str, str | None]
    """The query of the handshake."""

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"<Place {self.conversation_id}>"


class SocketFormat(NamedTuple):
    """The texts and times of a socket, and the readers of its events."""

    operation: OperationInfo
    """The handshake."""
    ping: str
    """The text that the client sends as a sign of life."""
    pong: str
    """The text that the server sends back."""
    ping_interval: float
    """The seconds between two pings."""
    idle_limit: float
    """The seconds without any text after which the connection counts as broken."""
    first_delay: float
    """The maximum seconds before the first attempt to connect again; it doubles each time."""
    longest_delay: float
    """The maximum seconds before any attempt."""
    events: EventTable
    """The readers of events, by type."""
    missed: MissedMessages
    """The messages that the socket did not send."""
