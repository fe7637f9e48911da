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
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.chat_widget_config import ChatWidgetConfig


T = TypeVar("T", bound="Project")


@_attrs_define
class Project:
    """A project, as far as its chat widget needs to know it.

    Reference: schema `Project` of the SiteAssist API 2.0.0.

    """

    id: UUID
    """ Identifies a project. """
    name: str
    """ The name of the project. At most 100 characters. """
    description: None | str
    """ What the project is for. At most 500 characters. """
    chat_widget_config: ChatWidgetConfig
    """ How the project's chat widget looks and behaves. """
    object_: Literal["project"] | Unset = UNSET
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

        name = self.name

        description: None | str
        description = self.description

        chat_widget_config = self.chat_widget_config.to_dict()

        object_ = self.object_

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "name": name,
                "description": description,
                "chatWidgetConfig": chat_widget_config,
            }
        )
        if object_ is not UNSET:
            field_dict["object"] = object_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.chat_widget_config import ChatWidgetConfig

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        name = d.pop("name")

        def _parse_description(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        description = _parse_description(d.pop("description", None))

        chat_widget_config = ChatWidgetConfig.from_dict(d.pop("chatWidgetConfig"))

        object_ = cast(Literal["project"] | Unset, take(d, "object"))
        if object_ != "project" and not isinstance(object_, Unset):
            raise ValueError(f"object must match const 'project', got '{object_}'")

        project = cls(
            id=id,
            name=name,
            description=description,
            chat_widget_config=chat_widget_config,
            object_=object_,
        )

        project.additional_properties = d
        return project

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
