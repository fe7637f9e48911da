from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.other_part import OtherPart
    from ..models.text_part import TextPart
    from ..models.tool_part import ToolPart


T = TypeVar("T", bound="SteeringMessagePayload")


@_attrs_define
class SteeringMessagePayload:
    """A message that the person has sent while the answer was being written.

    Reference: schema `SteeringMessagePayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["steering-message"]
    """ Names the type of this payload. """
    id: str
    """ Identifies the message. """
    parts: list[OtherPart | TextPart | ToolPart]
    """ The parts of the message, in order. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        from ..models.text_part import TextPart
        from ..models.tool_part import ToolPart

        type_ = self.type_

        id = self.id

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

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "id": id,
                "parts": parts,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.other_part import OtherPart
        from ..models.text_part import TextPart
        from ..models.tool_part import ToolPart

        d = dict(src_dict)
        type_ = cast(Literal["steering-message"], d.pop("type"))
        if type_ != "steering-message":
            raise ValueError(f"type must match const 'steering-message', got '{type_}'")

        id = d.pop("id")

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

        steering_message_payload = cls(
            type_=type_,
            id=id,
            parts=parts,
        )

        steering_message_payload.additional_properties = d
        return steering_message_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        return cls.from_dict(event)

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
