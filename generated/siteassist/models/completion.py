from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.completion_step import CompletionStep
    from ..models.token_usage import TokenUsage


T = TypeVar("T", bound="Completion")


@_attrs_define
class Completion:
    """A whole answer.

    Reference: schema `Completion` of the SiteAssist API 2.0.0.

    """

    steps: list[CompletionStep]
    """ What the assistant did, in order: one step for an answer given at
    once, more if it used tools in between. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        steps = []
        for steps_item_data in self.steps:
            steps_item = steps_item_data.to_dict()
            steps.append(steps_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "steps": steps,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.completion_step import CompletionStep

        d = dict(src_dict)
        steps = []
        _steps = d.pop("steps")
        for steps_item_data in _steps:
            steps_item = CompletionStep.from_dict(steps_item_data)

            steps.append(steps_item)

        completion = cls(
            steps=steps,
        )

        completion.additional_properties = d
        return completion

    @property
    def text(self) -> str:
        """All texts, joined in order."""
        return "".join(step.text for step in self.steps)

    @property
    def queued(self) -> Literal[False]:
        """False, since this is an answer. `QueuedNotice` stands for a message that waits for a human agent."""
        return False

    @property
    def usage(self) -> TokenUsage:
        """The token counts, summed over all steps."""
        from ..models.token_usage import TokenUsage

        total: dict[str, Any] = {}
        for step in self.steps:
            for name, count in step.usage.to_dict().items():
                known = total.get(name, 0)
                total[name] = (
                    known + count
                    if isinstance(count, int) and isinstance(known, int)
                    else count
                )
        return TokenUsage.from_dict(total)

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
