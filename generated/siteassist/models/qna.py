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
    from ..models.qna_author import QnaAuthor


T = TypeVar("T", bound="Qna")


@_attrs_define
class Qna:
    """A question and its answer.

    Reference: schema `Qna` of the SiteAssist API 2.0.0.

    """

    object_: Literal["qna"]
    """ Names the type of this object. """
    id: UUID
    """ Identifies a question with its answer. """
    created_at: str
    """ When the entry was written. """
    updated_at: str
    """ When the entry last changed. """
    question: str
    """ The question. """
    answer: str
    """ The answer. """
    created_by: QnaAuthor | Unset = UNSET
    """ Who wrote a Q&A. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        object_ = self.object_

        id = str(self.id)

        created_at = self.created_at

        updated_at = self.updated_at

        question = self.question

        answer = self.answer

        created_by: dict[str, Any] | Unset = UNSET
        if not isinstance(self.created_by, Unset):
            created_by = self.created_by.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "object": object_,
                "id": id,
                "createdAt": created_at,
                "updatedAt": updated_at,
                "question": question,
                "answer": answer,
            }
        )
        if created_by is not UNSET:
            field_dict["createdBy"] = created_by

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.qna_author import QnaAuthor

        d = dict(src_dict)
        object_ = cast(Literal["qna"], d.pop("object"))
        if object_ != "qna":
            raise ValueError(f"object must match const 'qna', got '{object_}'")

        id = UUID(d.pop("id"))

        created_at = d.pop("createdAt")

        updated_at = d.pop("updatedAt")

        question = d.pop("question")

        answer = d.pop("answer")

        _created_by = take(d, "createdBy")
        created_by: QnaAuthor | Unset
        if isinstance(_created_by, Unset):
            created_by = UNSET
        else:
            created_by = QnaAuthor.from_dict(_created_by)

        qna = cls(
            object_=object_,
            id=id,
            created_at=created_at,
            updated_at=updated_at,
            question=question,
            answer=answer,
            created_by=created_by,
        )

        qna.additional_properties = d
        return qna

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
