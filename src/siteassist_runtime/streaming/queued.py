"""The acknowledgement of a message that waits for a human agent."""

from __future__ import annotations

from typing import Literal


class QueuedNotice(str):
    """The text of a 202 response, for example ``Message sent``.

    The answer is not available yet: a human agent handles the conversation. `text`
    is the string itself, so that an answer and a notice can be printed in the same way.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        """Return True, even if the text did not arrive: the message is queued."""
        return True

    @property
    def text(self) -> str:
        """The text of the response."""
        return str(self)

    @property
    def queued(self) -> Literal[True]:
        """True; False for a complete answer."""
        return True
