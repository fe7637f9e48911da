from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
)
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..models.feedback import Feedback
from ..models.message_role import MessageRole
from ..models.message_status import MessageStatus
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.human_agent import HumanAgent
    from ..models.other_part import OtherPart
    from ..models.text_part import TextPart
    from ..models.tool_part import ToolPart


T = TypeVar("T", bound="Message")


@_attrs_define
class Message:
    """One message of a conversation.

    Reference: schema `Message` of the SiteAssist API 2.0.0.

    """

    id: UUID
    """ Identifies a message. """
    created_at: str
    """ When the message was written. """
    chat_id: UUID
    """ Identifies a conversation. """
    role: MessageRole
    """ Who wrote a message; `user` is the visitor. """
    parts: list[OtherPart | TextPart | ToolPart]
    """ What the message consists of, in order. """
    status: MessageStatus | None
    """ The state of the message, where it has one. """
    error: None | str
    """ What went wrong, if the message broke off. """
    feedback: Feedback | None
    """ The visitor's feedback; null if there is none. """
    feedback_at: None | str
    """ When the feedback was given; null if there is none. """
    metadata: Any
    """ Whatever else the service keeps with the message. """
    page_url: None | str
    """ The page that the message was sent from. """
    page_title: None | str
    """ The title of that page. """
    text_selection: None | str
    """ The text that was selected on that page. """
    object_: Literal["message"] | Unset = "message"
    """ Names the type of this object. """
    human_agent: HumanAgent | None | Unset = UNSET
    """ The human agent who wrote the message, if one did. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        from ..models.human_agent import HumanAgent
        from ..models.text_part import TextPart
        from ..models.tool_part import ToolPart

        id = str(self.id)

        created_at = self.created_at

        chat_id = str(self.chat_id)

        role = self.role.value

        parts = []
        for parts_item_data in self.parts:
            parts_item: dict[str, Any]
            if isinstance(parts_item_data, TextPart):
                parts_item = parts_item_data.to_dict()
            elif isinstance(parts_item_data, ToolPart):
                parts_item = parts_item_data.to_dict()
            else:
                parts_item = parts_item_data.to_dict()

            parts.append(parts_item)

        status: None | str
        if isinstance(self.status, MessageStatus):
            status = self.status.value
        else:
            status = self.status

        error: None | str
        error = self.error

        feedback: None | str
        if isinstance(self.feedback, Feedback):
            feedback = self.feedback.value
        else:
            feedback = self.feedback

        feedback_at: None | str
        feedback_at = self.feedback_at

        metadata = self.metadata

        page_url: None | str
        page_url = self.page_url

        page_title: None | str
        page_title = self.page_title

        text_selection: None | str
        text_selection = self.text_selection

        object_ = self.object_

        human_agent: dict[str, Any] | None | Unset
        if isinstance(self.human_agent, Unset):
            human_agent = UNSET
        elif isinstance(self.human_agent, HumanAgent):
            human_agent = self.human_agent.to_dict()
        else:
            human_agent = self.human_agent

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "createdAt": created_at,
                "chatId": chat_id,
                "role": role,
                "parts": parts,
                "status": status,
                "error": error,
                "feedback": feedback,
                "feedbackAt": feedback_at,
                "metadata": metadata,
                "pageUrl": page_url,
                "pageTitle": page_title,
                "textSelection": text_selection,
            }
        )
        if object_ is not UNSET:
            field_dict["object"] = object_
        if human_agent is not UNSET:
            field_dict["humanAgent"] = human_agent

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.human_agent import HumanAgent
        from ..models.other_part import OtherPart
        from ..models.text_part import TextPart
        from ..models.tool_part import ToolPart

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        created_at = d.pop("createdAt")

        chat_id = UUID(d.pop("chatId"))

        role = MessageRole(d.pop("role"))

        parts = []
        _parts = d.pop("parts")
        for parts_item_data in _parts:

            def _parse_parts_item(data: object) -> OtherPart | TextPart | ToolPart:
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_message_part_type_0 = TextPart.from_dict(data)

                    return componentsschemas_message_part_type_0
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_message_part_type_1 = ToolPart.from_dict(data)

                    return componentsschemas_message_part_type_1
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_message_part_type_2 = OtherPart.from_dict(data)

                return componentsschemas_message_part_type_2

            parts_item = _parse_parts_item(parts_item_data)

            parts.append(parts_item)

        def _parse_status(data: object) -> MessageStatus | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                status_type_0 = MessageStatus(data)

                return status_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(MessageStatus | None, data)

        status = _parse_status(d.pop("status", None))

        def _parse_error(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        error = _parse_error(d.pop("error", None))

        def _parse_feedback(data: object) -> Feedback | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                feedback_type_0 = Feedback(data)

                return feedback_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Feedback | None, data)

        feedback = _parse_feedback(d.pop("feedback", None))

        def _parse_feedback_at(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        feedback_at = _parse_feedback_at(d.pop("feedbackAt", None))

        metadata = d.pop("metadata", None)

        def _parse_page_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        page_url = _parse_page_url(d.pop("pageUrl", None))

        def _parse_page_title(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        page_title = _parse_page_title(d.pop("pageTitle", None))

        def _parse_text_selection(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        text_selection = _parse_text_selection(d.pop("textSelection", None))

        object_ = cast(Literal["message"] | Unset, take(d, "object"))
        if object_ != "message" and not isinstance(object_, Unset):
            raise ValueError(f"object must match const 'message', got '{object_}'")

        def _parse_human_agent(data: object) -> HumanAgent | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                human_agent_type_0 = HumanAgent.from_dict(data)

                return human_agent_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(HumanAgent | None | Unset, data)

        human_agent = _parse_human_agent(d.pop("humanAgent", UNSET))

        message = cls(
            id=id,
            created_at=created_at,
            chat_id=chat_id,
            role=role,
            parts=parts,
            status=status,
            error=error,
            feedback=feedback,
            feedback_at=feedback_at,
            metadata=metadata,
            page_url=page_url,
            page_title=page_title,
            text_selection=text_selection,
            object_=object_,
            human_agent=human_agent,
        )

        message.additional_properties = d
        return message

    @property
    def text(self) -> str:
        """All texts, joined in order."""
        from ..models.text_part import TextPart

        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
