from enum import StrEnum


class Feedback(StrEnum):
    DISLIKE = "dislike"
    LIKE = "like"

    def __str__(self) -> str:
        return str(self.value)
