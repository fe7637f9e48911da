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
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

T = TypeVar("T", bound="FinishPayload")


@_attrs_define
class FinishPayload:
    """The answer is complete.

    Reference: schema `FinishPayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["finish"]
    """ Names the type of this payload. """
    finish_reason: str | Unset = UNSET
    """ Why the model stopped, for example `stop`. """
    message_metadata: Any | Unset = UNSET
    """ Data that the service keeps with the message. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        finish_reason = self.finish_reason

        message_metadata = self.message_metadata

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
            }
        )
        if finish_reason is not UNSET:
            field_dict["finishReason"] = finish_reason
        if message_metadata is not UNSET:
            field_dict["messageMetadata"] = message_metadata

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["finish"], d.pop("type"))
        if type_ != "finish":
            raise ValueError(f"type must match const 'finish', got '{type_}'")

        finish_reason = take(d, "finishReason")

        message_metadata = d.pop("messageMetadata", UNSET)

        finish_payload = cls(
            type_=type_,
            finish_reason=finish_reason,
            message_metadata=message_metadata,
        )

        finish_payload.additional_properties = d
        return finish_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 1:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.finish_reason = UNSET
            self.message_metadata = UNSET
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
