from enum import StrEnum
from typing import Self


class VisitorType(StrEnum):
    """Whether the website has told the service who the visitor is.

    A value that is not listed here, because the service is newer than this
    client, becomes a member without a constant. It equals its string.

    Reference: schema `VisitorType` of the SiteAssist API 2.0.0.
    """

    ANONYMOUS = "anonymous"
    IDENTIFIED = "identified"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
