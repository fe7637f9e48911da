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

if TYPE_CHECKING:
    from ..models.visitor import Visitor


T = TypeVar("T", bound="VisitorSession")


@_attrs_define
class VisitorSession:
    """A visitor and the token to act as that visitor.

    Reference: schema `VisitorSession` of the SiteAssist API 2.0.0.

    """

    session_token: str = _attrs_field(repr=False)
    """ The bearer token of the session. It is short-lived and expires when
    it has not been used for a while. """
    visitor: Visitor
    """ A person, or a device, that visits the website. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        session_token = self.session_token

        visitor = self.visitor.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "sessionToken": session_token,
                "visitor": visitor,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.visitor import Visitor

        d = dict(src_dict)
        session_token = d.pop("sessionToken")

        visitor = Visitor.from_dict(d.pop("visitor"))

        visitor_session = cls(
            session_token=session_token,
            visitor=visitor,
        )

        visitor_session.additional_properties = d
        return visitor_session

    def __reduce__(self) -> Any:
        """Refuse to be pickled: secrets do not belong in files."""
        msg = "VisitorSession holds a secret and cannot be pickled"
        raise TypeError(msg)

    def __copy__(self: T) -> T:
        return type(self).from_dict(self.to_dict())

    def __deepcopy__(self: T, memo: dict[int, Any]) -> T:
        return type(self).from_dict(self.to_dict())

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
