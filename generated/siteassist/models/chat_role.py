from enum import StrEnum
from typing import Self


class ChatRole(StrEnum):
    """Who speaks: instructions to the assistant (`system`), the person
    (`user`), or the assistant itself.

    A value that is not listed here, because the service is newer than this
    client, becomes a member without a constant. It equals its string.

    Reference: schema `ChatRole` of the SiteAssist API 2.0.0.
    """

    ASSISTANT = "assistant"
    SYSTEM = "system"
    USER = "user"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
