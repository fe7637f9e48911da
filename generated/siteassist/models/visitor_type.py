from enum import StrEnum


class VisitorType(StrEnum):
    ANONYMOUS = "anonymous"
    IDENTIFIED = "identified"

    def __str__(self) -> str:
        return str(self.value)
