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

from ..models.conversation_status import ConversationStatus
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.human_agent import HumanAgent
    from ..models.message import Message


T = TypeVar("T", bound="ConversationSummary")


@_attrs_define
class ConversationSummary:
    """A conversation in a list, with its last message only.

    Reference: schema `ConversationSummary` of the SiteAssist API 2.0.0.

    """

    id: UUID
    """ Identifies a conversation. """
    created_at: str
    """ When the conversation was started. """
    updated_at: str
    """ When the conversation last changed. """
    status: ConversationStatus
    """ Whether a conversation is open or closed. """
    closed_at: None | str
    """ When the conversation was closed; null while it is open. """
    close_reason: None | str
    """ Why the conversation was closed, if a reason was given. """
    last_interaction_at: str
    """ When the visitor and the assistant last exchanged messages. """
    title: None | str
    """ What the conversation is about, once that is known. """
    object_: Literal["conversation"] | Unset = "conversation"
    """ Names the type of this object. """
    is_human_handled: bool | Unset = UNSET
    """ Whether a human agent answers instead of the assistant. """
    human_agent: HumanAgent | None | Unset = UNSET
    """ The human agent who is assigned; null if there is none. """
    last_message: Message | None | Unset = UNSET
    """ The latest message; null while there is none. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        from ..models.human_agent import HumanAgent
        from ..models.message import Message

        id = str(self.id)

        created_at = self.created_at

        updated_at = self.updated_at

        status = self.status.value

        closed_at: None | str
        closed_at = self.closed_at

        close_reason: None | str
        close_reason = self.close_reason

        last_interaction_at = self.last_interaction_at

        title: None | str
        title = self.title

        object_ = self.object_

        is_human_handled = self.is_human_handled

        human_agent: dict[str, Any] | None | Unset
        if isinstance(self.human_agent, Unset):
            human_agent = UNSET
        elif isinstance(self.human_agent, HumanAgent):
            human_agent = self.human_agent.to_dict()
        else:
            human_agent = self.human_agent

        last_message: dict[str, Any] | None | Unset
        if isinstance(self.last_message, Unset):
            last_message = UNSET
        elif isinstance(self.last_message, Message):
            last_message = self.last_message.to_dict()
        else:
            last_message = self.last_message

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "createdAt": created_at,
                "updatedAt": updated_at,
                "status": status,
                "closedAt": closed_at,
                "closeReason": close_reason,
                "lastInteractionAt": last_interaction_at,
                "title": title,
            }
        )
        if object_ is not UNSET:
            field_dict["object"] = object_
        if is_human_handled is not UNSET:
            field_dict["isHumanHandled"] = is_human_handled
        if human_agent is not UNSET:
            field_dict["humanAgent"] = human_agent
        if last_message is not UNSET:
            field_dict["lastMessage"] = last_message

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.human_agent import HumanAgent
        from ..models.message import Message

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        created_at = d.pop("createdAt")

        updated_at = d.pop("updatedAt")

        status = ConversationStatus(d.pop("status"))

        def _parse_closed_at(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        closed_at = _parse_closed_at(d.pop("closedAt", None))

        def _parse_close_reason(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        close_reason = _parse_close_reason(d.pop("closeReason", None))

        if "lastInteractionAt" not in d and "lastInterationAt" in d:
            d["lastInteractionAt"] = d.pop("lastInterationAt")
        last_interaction_at = d.pop("lastInteractionAt")

        def _parse_title(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        title = _parse_title(d.pop("title", None))

        object_ = cast(Literal["conversation"] | Unset, take(d, "object"))
        if object_ != "conversation" and not isinstance(object_, Unset):
            raise ValueError(f"object must match const 'conversation', got '{object_}'")

        is_human_handled = take(d, "isHumanHandled")

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

        def _parse_last_message(data: object) -> Message | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                last_message_type_0 = Message.from_dict(data)

                return last_message_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Message | None | Unset, data)

        last_message = _parse_last_message(d.pop("lastMessage", UNSET))

        conversation_summary = cls(
            id=id,
            created_at=created_at,
            updated_at=updated_at,
            status=status,
            closed_at=closed_at,
            close_reason=close_reason,
            last_interaction_at=last_interaction_at,
            title=title,
            object_=object_,
            is_human_handled=is_human_handled,
            human_agent=human_agent,
            last_message=last_message,
        )

        conversation_summary.additional_properties = d
        return conversation_summary

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
