from enum import StrEnum
from typing import Self


class ConversationStatus(StrEnum):
    """Whether a conversation is open or closed.

    A value that is not listed here, because the service is newer than this
    client, becomes a member without a constant. It equals its string.

    Reference: schema `ConversationStatus` of the SiteAssist API 2.0.0.
    """

    CLOSED = "closed"
    OPEN = "open"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
