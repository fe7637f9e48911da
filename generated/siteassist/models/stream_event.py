from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="StreamEvent")


@_attrs_define
class StreamEvent:
    """One server-sent event. `data` holds a payload as JSON, except in the
    last event, where it is the terminator.

        Reference: schema `StreamEvent` of the SiteAssist API 2.0.0.

    """

    data: Literal["[DONE]"] | str
    """ The payload as JSON, or the terminator. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        data: Literal["[DONE]"] | str
        data = self.data

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "data": data,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_data(data: object) -> Literal["[DONE]"] | str:
            try:
                if not (isinstance(data, str) and str(data) == "[DONE]"):
                    raise TypeError()
                data_type_0 = cast(Literal["[DONE]"], data)
                if data_type_0 != "[DONE]":
                    raise ValueError(
                        f"data_type_0 must match const '[DONE]', got '{data_type_0}'"
                    )
                return data_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Literal["[DONE]"] | str, data)

        data = _parse_data(d.pop("data"))

        stream_event = cls(
            data=data,
        )

        stream_event.additional_properties = d
        return stream_event

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
