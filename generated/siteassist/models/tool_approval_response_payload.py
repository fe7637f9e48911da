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


T = TypeVar("T", bound="ToolApprovalResponsePayload")


@_attrs_define
class ToolApprovalResponsePayload:
    """The use of a tool was approved or refused.

    Reference: schema `ToolApprovalResponsePayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["tool-approval-response"]
    """ Names the type of this payload. """
    approval_id: str
    """ Identifies the question whether a tool may be used. """
    approved: bool
    """ Whether the tool may be used. """
    reason: str | Unset = UNSET
    """ The reason. """
    provider_executed: bool | Unset = UNSET
    """ Whether the provider of the AI model runs the tool. """
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

        approval_id = self.approval_id

        approved = self.approved

        reason = self.reason

        provider_executed = self.provider_executed

        provider_metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.provider_metadata, Unset):
            provider_metadata = self.provider_metadata.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "approvalId": approval_id,
                "approved": approved,
            }
        )
        if reason is not UNSET:
            field_dict["reason"] = reason
        if provider_executed is not UNSET:
            field_dict["providerExecuted"] = provider_executed
        if provider_metadata is not UNSET:
            field_dict["providerMetadata"] = provider_metadata

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.provider_metadata import ProviderMetadata

        d = dict(src_dict)
        type_ = cast(Literal["tool-approval-response"], d.pop("type"))
        if type_ != "tool-approval-response":
            raise ValueError(
                f"type must match const 'tool-approval-response', got '{type_}'"
            )

        approval_id = d.pop("approvalId")

        approved = d.pop("approved")

        reason = take(d, "reason")

        provider_executed = take(d, "providerExecuted")

        _provider_metadata = take(d, "providerMetadata")
        provider_metadata: ProviderMetadata | Unset
        if isinstance(_provider_metadata, Unset):
            provider_metadata = UNSET
        else:
            provider_metadata = ProviderMetadata.from_dict(_provider_metadata)

        tool_approval_response_payload = cls(
            type_=type_,
            approval_id=approval_id,
            approved=approved,
            reason=reason,
            provider_executed=provider_executed,
            provider_metadata=provider_metadata,
        )

        tool_approval_response_payload.additional_properties = d
        return tool_approval_response_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 3:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.approval_id = event["approvalId"]
            self.approved = event["approved"]
            self.reason = UNSET
            self.provider_executed = UNSET
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
