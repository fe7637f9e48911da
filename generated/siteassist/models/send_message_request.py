from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.page_context import PageContext


T = TypeVar("T", bound="SendMessageRequest")


@_attrs_define
class SendMessageRequest:
    """The visitor's message and how to answer it.

    Reference: schema `SendMessageRequest` of the SiteAssist API 2.0.0.

    """

    content: str
    """ What the visitor says. From 1 to 10,000 characters. """
    stream: bool | Unset = UNSET
    """ True asks for server-sent events, false for JSON. JSON is also what
    comes if it is left out. """
    page_context: None | PageContext | Unset = UNSET
    """ The page that the visitor is looking at, if known. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        from ..models.page_context import PageContext

        content = self.content

        stream = self.stream

        page_context: dict[str, Any] | None | Unset
        if isinstance(self.page_context, Unset):
            page_context = UNSET
        elif isinstance(self.page_context, PageContext):
            page_context = self.page_context.to_dict()
        else:
            page_context = self.page_context

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "content": content,
            }
        )
        if stream is not UNSET:
            field_dict["stream"] = stream
        if page_context is not UNSET:
            field_dict["pageContext"] = page_context

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.page_context import PageContext

        d = dict(src_dict)
        content = d.pop("content")

        stream = take(d, "stream")

        def _parse_page_context(data: object) -> None | PageContext | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                page_context_type_0 = PageContext.from_dict(data)

                return page_context_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | PageContext | Unset, data)

        page_context = _parse_page_context(d.pop("pageContext", UNSET))

        send_message_request = cls(
            content=content,
            stream=stream,
            page_context=page_context,
        )

        send_message_request.additional_properties = d
        return send_message_request

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
