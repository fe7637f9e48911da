from enum import StrEnum


class ConversationOrderBy(StrEnum):
    CLOSEDAT = "closedAt"
    CREATEDAT = "createdAt"
    ID = "id"
    ISHUMANHANDLED = "isHumanHandled"
    LASTINTERACTIONAT = "lastInteractionAt"
    STATUS = "status"
    TITLE = "title"
    UPDATEDAT = "updatedAt"

    def __str__(self) -> str:
        return str(self.value)
