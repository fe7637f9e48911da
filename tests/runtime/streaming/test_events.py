"""Payloads of the public protocol's events, and the handling of incomplete events."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from attrs import fields

from siteassist_runtime.streaming import events
from siteassist_runtime.unset import UNSET

PROVIDER = {"providerMetadata": {"some": {"key": ["value"]}}}
CALL = {"toolCallId": "call-1"}

# For each type: the class, all its fields, and the names of the optional fields.
WHOLE: dict[str, tuple[type[events.Payload], dict[str, Any], set[str]]] = {
    "abort": (events.AbortPayload, {"reason": "asked to"}, {"reason"}),
    "reasoning-start": (
        events.ReasoningStartPayload,
        {"id": "r", **PROVIDER},
        {"providerMetadata"},
    ),
    "reasoning-delta": (
        events.ReasoningDeltaPayload,
        {"id": "r", "delta": "so", **PROVIDER},
        {"providerMetadata"},
    ),
    "reasoning-end": (events.ReasoningEndPayload, {"id": "r", **PROVIDER}, {"providerMetadata"}),
    "source-url": (
        events.SourceUrlPayload,
        {"sourceId": "s", "url": "https://example.com/", "title": "Home", **PROVIDER},
        {"title", "providerMetadata"},
    ),
    "source-document": (
        events.SourceDocumentPayload,
        {
            "sourceId": "s",
            "mediaType": "application/pdf",
            "title": "Terms",
            "filename": "terms.pdf",
            **PROVIDER,
        },
        {"filename", "providerMetadata"},
    ),
    "file": (
        events.FilePayload,
        {"url": "data:image/png;base64,AA==", "mediaType": "image/png", **PROVIDER},
        {"providerMetadata"},
    ),
    "tool-input-start": (
        events.ToolInputStartPayload,
        {**CALL, "toolName": "find", "providerExecuted": True, "dynamic": False, "title": "Find"},
        {"providerExecuted", "dynamic", "title"},
    ),
    "tool-input-delta": (
        events.ToolInputDeltaPayload,
        {**CALL, "inputTextDelta": '{"q":'},
        set(),
    ),
    "tool-input-available": (
        events.ToolInputAvailablePayload,
        {
            **CALL,
            "toolName": "find",
            "input": {"q": "shoes"},
            "providerExecuted": False,
            "dynamic": True,
            "title": "Find",
            **PROVIDER,
        },
        {"providerExecuted", "dynamic", "title", "providerMetadata"},
    ),
    "tool-input-error": (
        events.ToolInputErrorPayload,
        {
            **CALL,
            "toolName": "find",
            "input": "{",
            "errorText": "no JSON",
            "providerExecuted": False,
            "dynamic": True,
            "title": "Find",
            **PROVIDER,
        },
        {"providerExecuted", "dynamic", "title", "providerMetadata"},
    ),
    "tool-approval-request": (
        events.ToolApprovalRequestPayload,
        {**CALL, "approvalId": "a"},
        set(),
    ),
    "tool-output-available": (
        events.ToolOutputAvailablePayload,
        {**CALL, "output": [1], "providerExecuted": False, "dynamic": True, "preliminary": True},
        {"providerExecuted", "dynamic", "preliminary"},
    ),
    "tool-output-error": (
        events.ToolOutputErrorPayload,
        {**CALL, "errorText": "out of order", "providerExecuted": False, "dynamic": True},
        {"providerExecuted", "dynamic"},
    ),
    "tool-output-denied": (events.ToolOutputDeniedPayload, CALL, set()),
    "message-metadata": (events.MessageMetadataPayload, {"messageMetadata": {"a": 1}}, set()),
    "data-weather": (
        events.DataPayload,
        {"data": {"sun": True}, "id": "w", "transient": False},
        {"id", "transient"},
    ),
}
# Python keywords and builtins get an underscore.
RENAMED = {"type": "type_", "input": "input_"}


def other(event: dict[str, Any]) -> dict[str, Any]:
    """Wrap an event of an unknown type."""
    return {"other": event}


def attribute(wire: str) -> str:
    """Return the Python name of a field."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in wire)
    return RENAMED.get(wire, snake)


def whole(kind: str) -> dict[str, Any]:
    """Return an event with every field of its type."""
    return {"type": kind, **WHOLE[kind][1]}


def test_every_type_is_tested() -> None:
    """The table `WHOLE` covers every known type, and data events."""
    assert {*events.BY_TYPE, "data-weather"} == set(WHOLE)
    assert events.BY_TYPE == {kind: WHOLE[kind][0] for kind in events.BY_TYPE}


@pytest.mark.parametrize("kind", WHOLE)
def test_complete_event_survives_a_round_trip(kind: str) -> None:
    """Each field becomes a snake-case attribute and keeps its JSON name."""
    event = whole(kind)
    before = copy.deepcopy(event)
    payload = WHOLE[kind][0].from_dict(event)
    assert before == event
    assert {} == payload.additional_properties
    assert event == {name: getattr(payload, attribute(name)) for name in event}
    assert event == payload.to_dict()
    known = {found.name for found in fields(type(payload)) if found.init}
    assert {attribute(name) for name in event} == known


@pytest.mark.parametrize("kind", WHOLE)
def test_missing_optional_fields_are_unset(kind: str) -> None:
    """Missing optional fields are `UNSET` and are not serialized."""
    cls, _, optional = WHOLE[kind]
    event = {name: value for name, value in whole(kind).items() if name not in optional}
    payload = cls.from_dict(event)
    assert all(getattr(payload, attribute(name)) is UNSET for name in optional)
    assert event == payload.to_dict()


@pytest.mark.parametrize("kind", WHOLE)
def test_null_stays_null(kind: str) -> None:
    """A null field is serialized as null."""
    event = {"type": kind, **dict.fromkeys(WHOLE[kind][1])}
    assert event == WHOLE[kind][0].from_dict(event).to_dict()


@pytest.mark.parametrize("kind", WHOLE)
def test_unknown_fields_are_kept(kind: str) -> None:
    """Unknown fields survive a round trip, so newer services work."""
    more = {"brandNew": [1, None], "type_": "decoy", "input_": 1, "additional_properties": {}}
    event = whole(kind) | more
    payload = WHOLE[kind][0].from_dict(event)
    assert more == payload.additional_properties
    assert event == payload.to_dict()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, (_, event, optional) in WHOLE.items()
        for name in sorted(event.keys() - optional)
    ],
)
def test_event_without_a_required_field_is_passed_through(kind: str, name: str) -> None:
    """An event without a required field goes to the reader of unknown types, complete."""
    event = whole(kind)
    del event[name]
    read = events.reader(WHOLE[kind][0], other)
    assert {"other": event} == read(dict(event))
    with pytest.raises(KeyError, match=name):
        WHOLE[kind][0].from_dict(event)


def test_each_type_has_a_reader() -> None:
    """`readers` has a reader for each type that creates its class."""
    readers = events.readers(other)
    assert {kind: cls.from_dict(whole(kind)) for kind, cls in events.BY_TYPE.items()} == {
        kind: read(whole(kind)) for kind, read in readers.items()
    }
    assert {"other": {"type": "file"}} == readers["file"]({"type": "file"})


@pytest.mark.parametrize("kind", WHOLE)
def test_payloads_are_values(kind: str) -> None:
    """Payloads can be compared, shown, copied and pickled."""
    cls = WHOLE[kind][0]
    payload = cls.from_dict(whole(kind))
    assert cls.from_dict(whole(kind)) == payload
    assert cls.from_dict(whole(kind) | {"more": 1}) != payload
    assert repr(payload).startswith(f"{cls.__name__}(type_='{kind}'")
    assert payload == pickle.loads(pickle.dumps(payload))
    assert payload == copy.deepcopy(payload)


def test_payload_can_be_created_directly() -> None:
    """A payload can be created directly, and unset fields are not serialized."""
    payload = events.ReasoningDeltaPayload("reasoning-delta", id="r", delta="so")
    assert {"type": "reasoning-delta", "id": "r", "delta": "so"} == payload.to_dict()
    assert payload.provider_metadata is UNSET
