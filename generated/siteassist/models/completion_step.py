from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.other_part import OtherPart
    from ..models.text_part import TextPart
    from ..models.token_usage import TokenUsage
    from ..models.tool_part import ToolPart


T = TypeVar("T", bound="CompletionStep")


@_attrs_define
class CompletionStep:
    """One step towards an answer.

    Reference: schema `CompletionStep` of the SiteAssist API 2.0.0.

    """

    content: list[OtherPart | TextPart | ToolPart]
    """ What the step produced. """
    usage: TokenUsage
    """ How many tokens a step used. """
    finish_reason: str | Unset = UNSET
    """ Why the model stopped, for example `stop`. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        from ..models.text_part import TextPart
        from ..models.tool_part import ToolPart

        content = []
        for content_item_data in self.content:
            content_item: dict[str, Any]
            if isinstance(content_item_data, TextPart):
                content_item = content_item_data.to_dict()
            elif isinstance(content_item_data, ToolPart):
                content_item = content_item_data.to_dict()
            else:
                content_item = content_item_data.to_dict()

            content.append(content_item)

        usage = self.usage.to_dict()

        finish_reason = self.finish_reason

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "content": content,
                "usage": usage,
            }
        )
        if finish_reason is not UNSET:
            field_dict["finishReason"] = finish_reason

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.other_part import OtherPart
        from ..models.text_part import TextPart
        from ..models.token_usage import TokenUsage
        from ..models.tool_part import ToolPart

        d = dict(src_dict)
        content = []
        _content = d.pop("content")
        for content_item_data in _content:

            def _parse_content_item(data: object) -> OtherPart | TextPart | ToolPart:
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_message_part_type_0 = TextPart.from_dict(data)

                    return componentsschemas_message_part_type_0
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_message_part_type_1 = ToolPart.from_dict(data)

                    return componentsschemas_message_part_type_1
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_message_part_type_2 = OtherPart.from_dict(data)

                return componentsschemas_message_part_type_2

            content_item = _parse_content_item(content_item_data)

            content.append(content_item)

        usage = TokenUsage.from_dict(d.pop("usage"))

        finish_reason = take(d, "finishReason")

        completion_step = cls(
            content=content,
            usage=usage,
            finish_reason=finish_reason,
        )

        completion_step.additional_properties = d
        return completion_step

    @property
    def text(self) -> str:
        """All texts, joined in order."""
        from ..models.text_part import TextPart

        return "".join(part.text for part in self.content if isinstance(part, TextPart))

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
