from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    cast,
)
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..models.visitor_type import VisitorType
from ..types import UNSET, Unset

T = TypeVar("T", bound="Visitor")


@_attrs_define
class Visitor:
    """A person, or a device, that visits the website.

    Reference: schema `Visitor` of the SiteAssist API 2.0.0.

    """

    id: UUID
    """ Identifies a visitor. """
    type_: VisitorType
    """ Whether the website has told the service who the visitor is. """
    external_id: None | str
    """ The website's own identifier of the visitor. """
    name: None | str
    """ The visitor's name. """
    avatar_url: None | str
    """ Where to find a picture of the visitor. """
    object_: Literal["visitor"] | Unset = UNSET
    """ Names the type of this object. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        type_ = self.type_.value

        external_id: None | str
        external_id = self.external_id

        name: None | str
        name = self.name

        avatar_url: None | str
        avatar_url = self.avatar_url

        object_ = self.object_

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "type": type_,
                "externalId": external_id,
                "name": name,
                "avatarUrl": avatar_url,
            }
        )
        if object_ is not UNSET:
            field_dict["object"] = object_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        type_ = VisitorType(d.pop("type"))

        def _parse_external_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        external_id = _parse_external_id(d.pop("externalId", None))

        def _parse_name(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        name = _parse_name(d.pop("name", None))

        def _parse_avatar_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        avatar_url = _parse_avatar_url(d.pop("avatarUrl", None))

        object_ = cast(Literal["visitor"] | Unset, take(d, "object"))
        if object_ != "visitor" and not isinstance(object_, Unset):
            raise ValueError(f"object must match const 'visitor', got '{object_}'")

        visitor = cls(
            id=id,
            type_=type_,
            external_id=external_id,
            name=name,
            avatar_url=avatar_url,
            object_=object_,
        )

        visitor.additional_properties = d
        return visitor

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
