"""The events of the UI message stream protocol that this API does not document.

The service's reference names the protocol and documents seven types; the
generated package has those, and `error`. These are the others of the public
protocol (ai-sdk.dev, "Stream Protocols"). An event without a required field, or
of an unknown type, is read as `OtherPayload`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

from attrs import define, field, fields

from siteassist_runtime.unset import UNSET, Unset


def _unknown_last(_cls: type, attributes: list[Any]) -> list[Any]:
    # The attributes of a base class would come first.
    return sorted(attributes, key=lambda attribute: attribute.name == "additional_properties")


@define
class Payload:
    """The base class of these events."""

    additional_properties: dict[str, Any] = field(init=False, factory=dict)
    """The fields that are not described here."""

    wire_names: ClassVar[dict[str, str]] = {}
    """The JSON name of each field, by attribute."""

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """Read the JSON object. Raises `KeyError` if a required field is missing."""
        left = dict(src_dict)
        values: dict[str, Any] = {}
        for attribute in fields(cls):
            if not attribute.init:
                continue
            name = str(attribute.name)
            wire = cls.wire_names.get(name, name)
            required = attribute.default is not UNSET
            values[name] = left.pop(wire) if required else left.pop(wire, UNSET)
        payload = cls(**values)
        payload.additional_properties = left
        return payload

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object, unknown fields included."""
        found: dict[str, Any] = dict(self.additional_properties)
        for attribute in fields(type(self)):
            value = getattr(self, attribute.name)
            if attribute.init and value is not UNSET:
                name = str(attribute.name)
                found[self.wire_names.get(name, name)] = value
        return found


_TYPE = {"type_": "type"}
_PROVIDER = {"provider_metadata": "providerMetadata"}
_CALL = {
    **_TYPE,
    **_PROVIDER,
    "tool_call_id": "toolCallId",
    "tool_name": "toolName",
    "provider_executed": "providerExecuted",
    "error_text": "errorText",
    "input_text_delta": "inputTextDelta",
    "input_": "input",
    "approval_id": "approvalId",
}


@define(field_transformer=_unknown_last)
class AbortPayload(Payload):
    """The answer was cancelled."""

    type_: Literal["abort"]
    """Names the type of this payload."""
    reason: str | Unset = UNSET
    """The reason."""
    wire_names = _TYPE


@define(field_transformer=_unknown_last)
class ReasoningStartPayload(Payload):
    """A piece of the model's reasoning begins; its deltas carry the same `id`."""

    type_: Literal["reasoning-start"]
    """Names the type of this payload."""
    id: str
    """Identifies the piece within the stream."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    wire_names = _TYPE | _PROVIDER


@define(field_transformer=_unknown_last)
class ReasoningDeltaPayload(Payload):
    """The next piece of the reasoning."""

    type_: Literal["reasoning-delta"]
    """Names the type of this payload."""
    id: str
    """Identifies the piece within the stream."""
    delta: str
    """The text to append."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    wire_names = _TYPE | _PROVIDER


@define(field_transformer=_unknown_last)
class ReasoningEndPayload(Payload):
    """A piece of reasoning is complete."""

    type_: Literal["reasoning-end"]
    """Names the type of this payload."""
    id: str
    """Identifies the piece within the stream."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    wire_names = _TYPE | _PROVIDER


@define(field_transformer=_unknown_last)
class SourceUrlPayload(Payload):
    """A web page that the answer is based on."""

    type_: Literal["source-url"]
    """Names the type of this payload."""
    source_id: str
    """Identifies the source within the answer."""
    url: str
    """The address of the page."""
    title: str | Unset = UNSET
    """The title of the page."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    wire_names = _TYPE | _PROVIDER | {"source_id": "sourceId"}


@define(field_transformer=_unknown_last)
class SourceDocumentPayload(Payload):
    """A document that the answer is based on."""

    type_: Literal["source-document"]
    """Names the type of this payload."""
    source_id: str
    """Identifies the source within the answer."""
    media_type: str
    """The media type of the document."""
    title: str
    """The title of the document."""
    filename: str | Unset = UNSET
    """The name of its file."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    wire_names = _TYPE | _PROVIDER | {"source_id": "sourceId", "media_type": "mediaType"}


@define(field_transformer=_unknown_last)
class FilePayload(Payload):
    """A file that belongs to the answer."""

    type_: Literal["file"]
    """Names the type of this payload."""
    url: str
    """The URL of the file; may be a data URL."""
    media_type: str
    """The media type of the file."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    wire_names = _TYPE | _PROVIDER | {"media_type": "mediaType"}


@define(field_transformer=_unknown_last)
class ToolInputStartPayload(Payload):
    """The assistant begins to write the input of a tool."""

    type_: Literal["tool-input-start"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    tool_name: str
    """The name of the tool."""
    provider_executed: bool | Unset = UNSET
    """Whether the provider of the AI model runs the tool."""
    dynamic: bool | Unset = UNSET
    """Whether the tool is known only at run time."""
    title: str | Unset = UNSET
    """The name of the tool to display."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolInputDeltaPayload(Payload):
    """The next piece of a tool's input, which is JSON."""

    type_: Literal["tool-input-delta"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    input_text_delta: str
    """The text to append."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolInputAvailablePayload(Payload):
    """The input of a tool is complete."""

    type_: Literal["tool-input-available"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    tool_name: str
    """The name of the tool."""
    input_: Any
    """The input."""
    provider_executed: bool | Unset = UNSET
    """Whether the provider of the AI model runs the tool."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    dynamic: bool | Unset = UNSET
    """Whether the tool is known only at run time."""
    title: str | Unset = UNSET
    """The name of the tool to display."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolInputErrorPayload(Payload):
    """The input of a tool cannot be used."""

    type_: Literal["tool-input-error"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    tool_name: str
    """The name of the tool."""
    input_: Any
    """The input."""
    error_text: str
    """The problem."""
    provider_executed: bool | Unset = UNSET
    """Whether the provider of the AI model runs the tool."""
    provider_metadata: dict[str, Any] | Unset = UNSET
    """Additional data, by provider of the AI model."""
    dynamic: bool | Unset = UNSET
    """Whether the tool is known only at run time."""
    title: str | Unset = UNSET
    """The name of the tool to display."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolApprovalRequestPayload(Payload):
    """The use of a tool needs approval."""

    type_: Literal["tool-approval-request"]
    """Names the type of this payload."""
    approval_id: str
    """Identifies the request."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolOutputAvailablePayload(Payload):
    """A tool has returned a result."""

    type_: Literal["tool-output-available"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    output: Any
    """The result."""
    provider_executed: bool | Unset = UNSET
    """Whether the provider of the AI model runs the tool."""
    dynamic: bool | Unset = UNSET
    """Whether the tool is known only at run time."""
    preliminary: bool | Unset = UNSET
    """Whether the result is preliminary."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolOutputErrorPayload(Payload):
    """A tool has failed."""

    type_: Literal["tool-output-error"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    error_text: str
    """The problem."""
    provider_executed: bool | Unset = UNSET
    """Whether the provider of the AI model runs the tool."""
    dynamic: bool | Unset = UNSET
    """Whether the tool is known only at run time."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class ToolOutputDeniedPayload(Payload):
    """The use of a tool was not approved."""

    type_: Literal["tool-output-denied"]
    """Names the type of this payload."""
    tool_call_id: str
    """Identifies the use of the tool within the answer."""
    wire_names = _CALL


@define(field_transformer=_unknown_last)
class DataPayload(Payload):
    """Custom data of the website; the type is `data-` and a name."""

    type_: str
    """Names the type of this payload."""
    data: Any
    """The data."""
    id: str | Unset = UNSET
    """Identifies the data: later data of this type and id replace it."""
    transient: bool | Unset = UNSET
    """Whether the data are not stored with the message."""
    wire_names = _TYPE


@define(field_transformer=_unknown_last)
class MessageMetadataPayload(Payload):
    """Metadata of the message."""

    type_: Literal["message-metadata"]
    """Names the type of this payload."""
    message_metadata: Any
    """The metadata."""
    wire_names = _TYPE | {"message_metadata": "messageMetadata"}


BY_TYPE: dict[str, type[Payload]] = {
    "abort": AbortPayload,
    "reasoning-start": ReasoningStartPayload,
    "reasoning-delta": ReasoningDeltaPayload,
    "reasoning-end": ReasoningEndPayload,
    "source-url": SourceUrlPayload,
    "source-document": SourceDocumentPayload,
    "file": FilePayload,
    "tool-input-start": ToolInputStartPayload,
    "tool-input-delta": ToolInputDeltaPayload,
    "tool-input-available": ToolInputAvailablePayload,
    "tool-input-error": ToolInputErrorPayload,
    "tool-approval-request": ToolApprovalRequestPayload,
    "tool-output-available": ToolOutputAvailablePayload,
    "tool-output-error": ToolOutputErrorPayload,
    "tool-output-denied": ToolOutputDeniedPayload,
    "message-metadata": MessageMetadataPayload,
}
"""The class of each type."""
BY_PREFIX: dict[str, type[Payload]] = {"data-": DataPayload}
"""The class for each prefix of a type."""


def reader(
    cls: type[Payload], other: Callable[[dict[str, Any]], Any]
) -> Callable[[dict[str, Any]], Any]:
    """Return a reader of ``cls`` that uses ``other`` if a required field is missing."""

    def read(event: dict[str, Any]) -> Any:
        try:
            return cls.from_dict(event)
        except KeyError:
            return other(event)

    return read


def readers(
    other: Callable[[dict[str, Any]], Any],
) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Return the reader for each type in `BY_TYPE`."""
    return {kind: reader(cls, other) for kind, cls in BY_TYPE.items()}


def families(
    other: Callable[[dict[str, Any]], Any],
) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Return the reader for each prefix in `BY_PREFIX`."""
    return {prefix: reader(cls, other) for prefix, cls in BY_PREFIX.items()}
