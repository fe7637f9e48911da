from enum import StrEnum
from typing import Self


class WidgetPosition(StrEnum):
    """The corner of the page that the widget sits in.

    A value that is not listed here, because the service is newer than this
    client, becomes a member without a constant. It equals its string.

    Reference: schema `WidgetPosition` of the SiteAssist API 2.0.0.
    """

    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
