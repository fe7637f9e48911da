from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="InitRequest")


@_attrs_define
class InitRequest:
    """Which project and which device to start a session for.

    Reference: schema `InitRequest` of the SiteAssist API 2.0.0.

    """

    api_key: str = _attrs_field(repr=False)
    """ The project's publishable key. At least 1 character. """
    sa_vid: str
    """ The device's own identifier. Choose it once, keep it on the device,
    and send the same one every time. From 1 to 100 characters. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        api_key = self.api_key

        sa_vid = self.sa_vid

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "apiKey": api_key,
                "saVid": sa_vid,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        api_key = d.pop("apiKey")

        sa_vid = d.pop("saVid")

        init_request = cls(
            api_key=api_key,
            sa_vid=sa_vid,
        )

        init_request.additional_properties = d
        return init_request

    def __reduce__(self) -> Any:
        """Refuse to be pickled: secrets do not belong in files."""
        msg = "InitRequest holds a secret and cannot be pickled"
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
