from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="ToolInputDeltaPayload")


@_attrs_define
class ToolInputDeltaPayload:
    """The next piece of a tool's input.

    Reference: schema `ToolInputDeltaPayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["tool-input-delta"]
    """ Names the type of this payload. """
    tool_call_id: str
    """ Identifies the use of a tool within an answer. """
    input_text_delta: str
    """ The text to append. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        tool_call_id = self.tool_call_id

        input_text_delta = self.input_text_delta

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "toolCallId": tool_call_id,
                "inputTextDelta": input_text_delta,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["tool-input-delta"], d.pop("type"))
        if type_ != "tool-input-delta":
            raise ValueError(f"type must match const 'tool-input-delta', got '{type_}'")

        tool_call_id = d.pop("toolCallId")

        input_text_delta = d.pop("inputTextDelta")

        tool_input_delta_payload = cls(
            type_=type_,
            tool_call_id=tool_call_id,
            input_text_delta=input_text_delta,
        )

        tool_input_delta_payload.additional_properties = d
        return tool_input_delta_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 3:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.tool_call_id = event["toolCallId"]
            self.input_text_delta = event["inputTextDelta"]
            self.additional_properties = {}
            return self
        return cls.from_dict(event)

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
