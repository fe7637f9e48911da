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
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.provider_metadata import ProviderMetadata


T = TypeVar("T", bound="TextDeltaPayload")


@_attrs_define
class TextDeltaPayload:
    """The next piece of a text that has begun.

    Reference: schema `TextDeltaPayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["text-delta"]
    """ Names the type of this payload. """
    id: str
    """ Identifies a text, or a piece of reasoning, within a stream. """
    delta: str
    """ The piece, to be appended to what came before. """
    provider_metadata: ProviderMetadata | Unset = UNSET
    """ What the provider of the AI model adds, by provider. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        id = self.id

        delta = self.delta

        provider_metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.provider_metadata, Unset):
            provider_metadata = self.provider_metadata.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "id": id,
                "delta": delta,
            }
        )
        if provider_metadata is not UNSET:
            field_dict["providerMetadata"] = provider_metadata

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.provider_metadata import ProviderMetadata

        d = dict(src_dict)
        type_ = cast(Literal["text-delta"], d.pop("type"))
        if type_ != "text-delta":
            raise ValueError(f"type must match const 'text-delta', got '{type_}'")

        id = d.pop("id")

        delta = d.pop("delta")

        _provider_metadata = take(d, "providerMetadata")
        provider_metadata: ProviderMetadata | Unset
        if isinstance(_provider_metadata, Unset):
            provider_metadata = UNSET
        else:
            provider_metadata = ProviderMetadata.from_dict(_provider_metadata)

        text_delta_payload = cls(
            type_=type_,
            id=id,
            delta=delta,
            provider_metadata=provider_metadata,
        )

        text_delta_payload.additional_properties = d
        return text_delta_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 3:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.id = event["id"]
            self.delta = event["delta"]
            self.provider_metadata = UNSET
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
