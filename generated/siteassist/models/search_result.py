from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from siteassist_runtime.serialization import take

from ..types import UNSET, Unset

T = TypeVar("T", bound="SearchResult")


@_attrs_define
class SearchResult:
    """A page or a product that matches.

    Reference: schema `SearchResult` of the SiteAssist API 2.0.0.

    """

    score: float
    """ How well it matches; higher is better. """
    title: str
    """ The title of the page. """
    content: str
    """ The passage that matches. """
    url: str
    """ The address of the page. """
    path: str
    """ The path of that address. """
    product_id: str | Unset = UNSET
    """ The shop's own identifier of the product. """
    price: float | Unset = UNSET
    """ The price of the product, in `currency`. """
    currency: str | Unset = UNSET
    """ The currency of the price. """
    availability: str | Unset = UNSET
    """ Whether the product is available. """
    vendor: str | Unset = UNSET
    """ Who makes or sells the product. """
    product_type: str | Unset = UNSET
    """ The kind of product. """
    image_url: str | Unset = UNSET
    """ Where to find a picture of the product. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        score = self.score

        title = self.title

        content = self.content

        url = self.url

        path = self.path

        product_id = self.product_id

        price = self.price

        currency = self.currency

        availability = self.availability

        vendor = self.vendor

        product_type = self.product_type

        image_url = self.image_url

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "score": score,
                "title": title,
                "content": content,
                "url": url,
                "path": path,
            }
        )
        if product_id is not UNSET:
            field_dict["productId"] = product_id
        if price is not UNSET:
            field_dict["price"] = price
        if currency is not UNSET:
            field_dict["currency"] = currency
        if availability is not UNSET:
            field_dict["availability"] = availability
        if vendor is not UNSET:
            field_dict["vendor"] = vendor
        if product_type is not UNSET:
            field_dict["productType"] = product_type
        if image_url is not UNSET:
            field_dict["imageUrl"] = image_url

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        score = d.pop("score")

        title = d.pop("title")

        content = d.pop("content")

        url = d.pop("url")

        path = d.pop("path")

        product_id = take(d, "productId")

        price = take(d, "price")

        currency = take(d, "currency")

        availability = take(d, "availability")

        vendor = take(d, "vendor")

        product_type = take(d, "productType")

        image_url = take(d, "imageUrl")

        search_result = cls(
            score=score,
            title=title,
            content=content,
            url=url,
            path=path,
            product_id=product_id,
            price=price,
            currency=currency,
            availability=availability,
            vendor=vendor,
            product_type=product_type,
            image_url=image_url,
        )

        search_result.additional_properties = d
        return search_result

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
