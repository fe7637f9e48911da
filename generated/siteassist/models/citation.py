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
    from ..models.citation_source import CitationSource


T = TypeVar("T", bound="Citation")


@_attrs_define
class Citation:
    """A passage of a source that a text quotes.

    Reference: schema `Citation` of the SiteAssist API 2.0.0.

    """

    source: CitationSource
    """ The source of a citation. """
    start_index: int | Unset = UNSET
    """ Where in the text the quotation begins. At least 0. """
    end_index: int | Unset = UNSET
    """ Where in the text the quotation ends. At least 0. """
    cited_text: str | Unset = UNSET
    """ The passage. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        source = self.source.to_dict()

        start_index = self.start_index

        end_index = self.end_index

        cited_text = self.cited_text

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "source": source,
            }
        )
        if start_index is not UNSET:
            field_dict["startIndex"] = start_index
        if end_index is not UNSET:
            field_dict["endIndex"] = end_index
        if cited_text is not UNSET:
            field_dict["citedText"] = cited_text

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.citation_source import CitationSource

        d = dict(src_dict)
        source = CitationSource.from_dict(d.pop("source"))

        start_index = take(d, "startIndex")

        end_index = take(d, "endIndex")

        cited_text = take(d, "citedText")

        citation = cls(
            source=source,
            start_index=start_index,
            end_index=end_index,
            cited_text=cited_text,
        )

        citation.additional_properties = d
        return citation

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
