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
    from ..models.tool_metadata import ToolMetadata


T = TypeVar("T", bound="ToolOutputErrorPayload")


@_attrs_define
class ToolOutputErrorPayload:
    """A tool has failed.

    Reference: schema `ToolOutputErrorPayload` of the SiteAssist API 2.0.0.

    """

    type_: Literal["tool-output-error"]
    """ Names the type of this payload. """
    tool_call_id: str
    """ Identifies the use of a tool within an answer. """
    error_text: str
    """ What went wrong. """
    provider_executed: bool | Unset = UNSET
    """ Whether the provider of the AI model runs the tool. """
    dynamic: bool | Unset = UNSET
    """ Whether the tool is known only at run time. """
    tool_metadata: ToolMetadata | Unset = UNSET
    """ What the tool adds, by name. """
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

        tool_call_id = self.tool_call_id

        error_text = self.error_text

        provider_executed = self.provider_executed

        dynamic = self.dynamic

        tool_metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.tool_metadata, Unset):
            tool_metadata = self.tool_metadata.to_dict()

        provider_metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.provider_metadata, Unset):
            provider_metadata = self.provider_metadata.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "toolCallId": tool_call_id,
                "errorText": error_text,
            }
        )
        if provider_executed is not UNSET:
            field_dict["providerExecuted"] = provider_executed
        if dynamic is not UNSET:
            field_dict["dynamic"] = dynamic
        if tool_metadata is not UNSET:
            field_dict["toolMetadata"] = tool_metadata
        if provider_metadata is not UNSET:
            field_dict["providerMetadata"] = provider_metadata

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.provider_metadata import ProviderMetadata
        from ..models.tool_metadata import ToolMetadata

        d = dict(src_dict)
        type_ = cast(Literal["tool-output-error"], d.pop("type"))
        if type_ != "tool-output-error":
            raise ValueError(
                f"type must match const 'tool-output-error', got '{type_}'"
            )

        tool_call_id = d.pop("toolCallId")

        error_text = d.pop("errorText")

        provider_executed = take(d, "providerExecuted")

        dynamic = take(d, "dynamic")

        _tool_metadata = take(d, "toolMetadata")
        tool_metadata: ToolMetadata | Unset
        if isinstance(_tool_metadata, Unset):
            tool_metadata = UNSET
        else:
            tool_metadata = ToolMetadata.from_dict(_tool_metadata)

        _provider_metadata = take(d, "providerMetadata")
        provider_metadata: ProviderMetadata | Unset
        if isinstance(_provider_metadata, Unset):
            provider_metadata = UNSET
        else:
            provider_metadata = ProviderMetadata.from_dict(_provider_metadata)

        tool_output_error_payload = cls(
            type_=type_,
            tool_call_id=tool_call_id,
            error_text=error_text,
            provider_executed=provider_executed,
            dynamic=dynamic,
            tool_metadata=tool_metadata,
            provider_metadata=provider_metadata,
        )

        tool_output_error_payload.additional_properties = d
        return tool_output_error_payload

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read an event. This is faster than `from_dict`."""
        if len(event) == 3:
            self = cls.__new__(cls)
            self.type_ = event["type"]
            self.tool_call_id = event["toolCallId"]
            self.error_text = event["errorText"]
            self.provider_executed = UNSET
            self.dynamic = UNSET
            self.tool_metadata = UNSET
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
