from enum import StrEnum


class MessageStatus(StrEnum):
    COMPLETE = "complete"
    ERROR = "error"
    STREAMING = "streaming"

    def __str__(self) -> str:
        return str(self.value)
