from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
)
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="SocketHumanAssigned")


@_attrs_define
class SocketHumanAssigned:
    """A human agent has taken over the conversation.

    Reference: schema `SocketHumanAssigned` of the SiteAssist API 2.0.0.

    """

    type_: Literal["human_assigned"]
    """ Names the type of this object. """
    chat_id: UUID
    """ Identifies a conversation. """
    caught_up: bool = _attrs_field(default=False, kw_only=True, eq=False)
    """Whether the event was read from the conversation, since no connection delivered it."""
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        chat_id = str(self.chat_id)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "chatId": chat_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["human_assigned"], d.pop("type"))
        if type_ != "human_assigned":
            raise ValueError(f"type must match const 'human_assigned', got '{type_}'")

        chat_id = UUID(d.pop("chatId"))

        socket_human_assigned = cls(
            type_=type_,
            chat_id=chat_id,
        )

        socket_human_assigned.additional_properties = d
        return socket_human_assigned

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
