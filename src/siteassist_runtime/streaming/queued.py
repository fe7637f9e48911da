"""The acknowledgement of a message that waits for a human agent."""

from __future__ import annotations

from typing import Literal


class QueuedNotice(str):
    """The words of a 202 answer, for example ``Message sent``.

    There is no answer yet: a human agent handles the conversation. The words
    are the string itself, and `text` as well, so that an answer and a notice
    can be printed alike.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        """Count as true, even if the words did not arrive: the message is queued."""
        return True

    @property
    def text(self) -> str:
        """The words."""
        return str(self)

    @property
    def queued(self) -> Literal[True]:
        """True; a whole answer says False."""
        return True
