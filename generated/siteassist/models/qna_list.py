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

if TYPE_CHECKING:
    from ..models.qna import Qna


T = TypeVar("T", bound="QnaList")


@_attrs_define
class QnaList:
    """A page of a project's Q&As.

    Reference: schema `QnaList` of the SiteAssist API 2.0.0.

    """

    object_: Literal["list"]
    """ Names the type of this object. """
    total: float
    """ How many Q&As match, on all pages together. """
    limit: float
    """ How many Q&As the page holds at most. """
    offset: float
    """ How many Q&As were skipped. """
    data: list[Qna]
    """ The Q&As of this page. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        object_ = self.object_

        total = self.total

        limit = self.limit

        offset = self.offset

        data = []
        for data_item_data in self.data:
            data_item = data_item_data.to_dict()
            data.append(data_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "object": object_,
                "total": total,
                "limit": limit,
                "offset": offset,
                "data": data,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.qna import Qna

        d = dict(src_dict)
        object_ = cast(Literal["list"], d.pop("object"))
        if object_ != "list":
            raise ValueError(f"object must match const 'list', got '{object_}'")

        total = d.pop("total")

        limit = d.pop("limit")

        offset = d.pop("offset")

        data = []
        _data = d.pop("data")
        for data_item_data in _data:
            data_item = Qna.from_dict(data_item_data)

            data.append(data_item)

        qna_list = cls(
            object_=object_,
            total=total,
            limit=limit,
            offset=offset,
            data=data,
        )

        qna_list.additional_properties = d
        return qna_list

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
