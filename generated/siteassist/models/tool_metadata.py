from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="ToolMetadata")


@_attrs_define
class ToolMetadata:
    """What the tool adds, by name.

    Reference: schema `ToolMetadata` of the SiteAssist API 2.0.0.

    """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        tool_metadata = cls()

        tool_metadata.additional_properties = d
        return tool_metadata

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
