from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.provider_metadata import ProviderMetadata


T = TypeVar("T", bound="CitationSource")


@_attrs_define
class CitationSource:
    """The source of a citation.

    Reference: schema `CitationSource` of the SiteAssist API 2.0.0.

    """

    type_: Literal["source"]
    """ Names the type of this object. """
    source_type: str
    """ The kind of the source, `url` or `document`. """
    id: str
    """ Identifies a source within an answer. """
    url: str | Unset = UNSET
    """ The address of the page. """
    media_type: str | Unset = UNSET
    """ The media type of the document. """
    title: str | Unset = UNSET
    """ The title of the page or of the document. """
    filename: str | Unset = UNSET
    """ The name of the document's file. """
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

        source_type = self.source_type

        id = self.id

        url = self.url

        media_type = self.media_type

        title = self.title

        filename = self.filename

        provider_metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.provider_metadata, Unset):
            provider_metadata = self.provider_metadata.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "sourceType": source_type,
                "id": id,
            }
        )
        if url is not UNSET:
            field_dict["url"] = url
        if media_type is not UNSET:
            field_dict["mediaType"] = media_type
        if title is not UNSET:
            field_dict["title"] = title
        if filename is not UNSET:
            field_dict["filename"] = filename
        if provider_metadata is not UNSET:
            field_dict["providerMetadata"] = provider_metadata

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.provider_metadata import ProviderMetadata

        d = dict(src_dict)
        type_ = cast(Literal["source"], d.pop("type"))
        if type_ != "source":
            raise ValueError(f"type must match const 'source', got '{type_}'")

        source_type = d.pop("sourceType")

        id = d.pop("id")

        url = take(d, "url")

        media_type = take(d, "mediaType")

        title = take(d, "title")

        filename = take(d, "filename")

        _provider_metadata = take(d, "providerMetadata")
        provider_metadata: ProviderMetadata | Unset
        if isinstance(_provider_metadata, Unset):
            provider_metadata = UNSET
        else:
            provider_metadata = ProviderMetadata.from_dict(_provider_metadata)

        citation_source = cls(
            type_=type_,
            source_type=source_type,
            id=id,
            url=url,
            media_type=media_type,
            title=title,
            filename=filename,
            provider_metadata=provider_metadata,
        )

        citation_source.additional_properties = d
        return citation_source

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
