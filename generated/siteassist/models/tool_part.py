from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

T = TypeVar("T", bound="ToolPart")


@_attrs_define
class ToolPart:
    """The use of a tool by the assistant.

    Reference: schema `ToolPart` of the SiteAssist API 2.0.0.

    """

    type_: str
    """ `tool-` and the name of the tool. """
    state: str | Unset = UNSET
    """ How far the use of the tool has come. """
    output: Any | Unset = UNSET
    """ What the tool returned. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        state = self.state

        output = self.output

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
            }
        )
        if state is not UNSET:
            field_dict["state"] = state
        if output is not UNSET:
            field_dict["output"] = output

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = d.pop("type")
        if not str(type_).startswith("tool-"):
            raise ValueError(f"type must begin with 'tool-', got '{type_}'")

        state = take(d, "state")

        output = d.pop("output", UNSET)

        tool_part = cls(
            type_=type_,
            state=state,
            output=output,
        )

        tool_part.additional_properties = d
        return tool_part

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
