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

T = TypeVar("T", bound="ToolApprovalRequestPayload")


@_attrs_define
class ToolApprovalRequestPayload:
    """The use of a tool needs approval.

    Reference: schema `ToolApprovalRequestPayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["tool-approval-request"]
    """ Names the type of this payload. """
    approval_id: str
    """ Identifies the question whether a tool may be used. """
    tool_call_id: str
    """ Identifies the use of a tool within an answer. """
    approval_descriptor: Any | Unset = UNSET
    """ What is to be approved. """
    input_schema_input: Any | Unset = UNSET
    """ The input as the schema of the tool describes it. """
    reason: str | Unset = UNSET
    """ Why approval is needed. """
    is_automatic: bool | Unset = UNSET
    """ Whether the service decides by itself. """
    signature: str | Unset = UNSET
    """ Proves that the request is the service's. """
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

        tool_call_id = self.tool_call_id

        approval_descriptor = self.approval_descriptor

        input_schema_input = self.input_schema_input

        reason = self.reason

        is_automatic = self.is_automatic

        signature = self.signature

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "approvalId": approval_id,
                "toolCallId": tool_call_id,
            }
        )
        if approval_descriptor is not UNSET:
            field_dict["approvalDescriptor"] = approval_descriptor
        if input_schema_input is not UNSET:
            field_dict["inputSchemaInput"] = input_schema_input
        if reason is not UNSET:
            field_dict["reason"] = reason
        if is_automatic is not UNSET:
            field_dict["isAutomatic"] = is_automatic
        if signature is not UNSET:
            field_dict["signature"] = signature

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        type_ = cast(Literal["tool-approval-request"], d.pop("type"))
        if type_ != "tool-approval-request":
            raise ValueError(
                f"type must match const 'tool-approval-request', got '{type_}'"
            )

        approval_id = d.pop("approvalId")

        tool_call_id = d.pop("toolCallId")

        approval_descriptor = d.pop("approvalDescriptor", UNSET)

        input_schema_input = d.pop("inputSchemaInput", UNSET)

        reason = take(d, "reason")

        is_automatic = take(d, "isAutomatic")

        signature = take(d, "signature")

        tool_approval_request_payload = cls(
            type_=type_,
            approval_id=approval_id,
            tool_call_id=tool_call_id,
            approval_descriptor=approval_descriptor,
            input_schema_input=input_schema_input,
            reason=reason,
            is_automatic=is_automatic,
            signature=signature,
        )

        tool_approval_request_payload.additional_properties = d
        return tool_approval_request_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 3:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.approval_id = event["approvalId"]
            self.tool_call_id = event["toolCallId"]
            self.approval_descriptor = UNSET
            self.input_schema_input = UNSET
            self.reason = UNSET
            self.is_automatic = UNSET
            self.signature = UNSET
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
