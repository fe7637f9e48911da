from enum import StrEnum


class MessageRole(StrEnum):
    ASSISTANT = "assistant"
    HUMAN_AGENT = "human_agent"
    USER = "user"

    def __str__(self) -> str:
        return str(self.value)
