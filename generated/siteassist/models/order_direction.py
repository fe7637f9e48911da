from enum import StrEnum
from typing import Self


class OrderDirection(StrEnum):
    """Smallest or earliest first (`asc`), or last (`desc`).

    A value that is not listed here, because the service is newer than this
    client, becomes a member without a constant. It equals its string.

    Reference: schema `OrderDirection` of the SiteAssist API 2.0.0.
    """

    ASC = "asc"
    DESC = "desc"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
