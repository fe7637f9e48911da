from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    Self,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

T = TypeVar("T", bound="DataPayload")


@_attrs_define
class DataPayload:
    """Data of the website's own; the type is `data-` and a name.

    Reference: schema `DataPayload` of the SiteAssist API 2.0.0.

    """

    type_: str
    """ `data-` and the name of the data. """
    data: Any
    """ The data. """
    id: str | Unset = UNSET
    """ Identifies the data; later data of this type and id replace it. """
    transient: bool | Unset = UNSET
    """ True if the data are not stored with the message. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        data = self.data

        id = self.id

        transient = self.transient

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "data": data,
            }
        )
        if id is not UNSET:
            field_dict["id"] = id
        if transient is not UNSET:
            field_dict["transient"] = transient

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = d.pop("type")
        if not str(type_).startswith("data-"):
            raise ValueError(f"type must begin with 'data-', got '{type_}'")

        data = d.pop("data")

        id = take(d, "id")

        transient = take(d, "transient")

        data_payload = cls(
            type_=type_,
            data=data,
            id=id,
            transient=transient,
        )

        data_payload.additional_properties = d
        return data_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 2:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.data = event["data"]
            self.id = UNSET
            self.transient = UNSET
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
