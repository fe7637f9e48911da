"""What ``openapi.yaml`` says of the answers of an operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siteassist_mock.operations import resolve
from siteassist_spec import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from siteassist_mock.operations import Operation

__all__ = ["EVENT_STREAM", "Documented", "Media", "read_responses"]

EVENT_STREAM = "text/event-stream"
"""The media type whose schema and examples describe one event, not the whole body."""


@dataclass(frozen=True, slots=True)
class Media:
    """One media type of a response; ``examples`` are the values by their names."""

    schema: Mapping[str, Any]
    examples: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Documented:
    """One response.

    ``request_flag`` is the property of the request's body that asks for a
    stream, where there is a choice (``x-event-stream``).
    """

    media: Mapping[str, Media]
    request_flag: str | None


def read_responses(spec: Mapping[str, Any], operation: Operation) -> dict[int, Documented]:
    """Return the responses of ``operation`` by their status, in the order of ``spec``.

    Raises `SpecError` if there are none, or if one cannot be read.
    """
    node = spec["paths"][operation.path][operation.method.lower()]
    try:
        return {
            int(status): _read(spec, resolve(spec, response))
            for status, response in node["responses"].items()
        }
    # A status such as "default" or "4XX" stands for no answer that could be sent.
    except (KeyError, TypeError, AttributeError, ValueError):
        raise SpecError(
            f"openapi.yaml: the responses of {operation.operation_id} cannot be read"
        ) from None


def _read(spec: Mapping[str, Any], node: Mapping[str, Any]) -> Documented:
    return Documented(
        media={
            media_type: Media(
                schema=media["schema"],
                examples={
                    name: resolve(spec, example)["value"]
                    for name, example in media.get("examples", {}).items()
                },
            )
            for media_type, media in node["content"].items()
        },
        request_flag=node.get("x-event-stream", {}).get("requestFlag"),
    )
