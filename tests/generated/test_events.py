"""The classes of the events in a stream, each with the fields that its schema describes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import siteassist
import siteassist.client
from siteassist import UNSET
from tests.generated.description import EVENTS, OTHER_EVENT, SCHEMAS, snake_case

FORM = siteassist.client._send_message_format()
RENAMED = {"type": "type_", "input": "input_"}
"""The attributes that would hide a builtin function."""


REQUIRED = {name: set(SCHEMAS[name]["required"]) for name in EVENTS}

each_event = pytest.mark.parametrize("name", EVENTS)


def read(event: dict[str, Any]) -> Any:
    """Read an event as streams do."""
    return FORM.events[event["type"]](event)


def test_there_are_thirty_types() -> None:
    """Versions 5 to 7 of the protocol together have thirty types of events."""
    assert 30 == len(EVENTS)


@each_event
def test_event_survives_a_round_trip(name: str) -> None:
    """An event of a type is an object of its class, whose attributes are its fields."""
    event = EVENTS[name]
    before = copy.deepcopy(event)
    payload = read(event)
    assert before == event
    assert name == type(payload).__name__
    assert getattr(siteassist, name) is type(payload)
    assert {} == payload.additional_properties
    assert event == payload.to_dict()
    for field in event:
        assert hasattr(payload, RENAMED.get(field, snake_case(field)))


@each_event
@pytest.mark.parametrize("absent", ["left out", "null"])
def test_missing_optional_fields_are_unset(name: str, absent: str) -> None:
    """Optional fields that are left out or null are `UNSET`; `to_dict` returns what came.

    Null is a value of a field that can have any.
    """
    required = {field: EVENTS[name][field] for field in REQUIRED[name]}
    optional = EVENTS[name].keys() - required
    given = required | (dict.fromkeys(optional) if absent == "null" else {})
    payload = read(given)
    for field in optional:
        value = getattr(payload, RENAMED.get(field, snake_case(field)))
        assert value is UNSET or (absent == "null" and value is None)
    assert given == payload.to_dict()
    assert payload == type(payload).from_dict(given)


@each_event
def test_unknown_fields_are_kept(name: str) -> None:
    """Unknown fields survive a round trip, beside all known fields and the required ones."""
    more = {"brandNew": [1, None], "type_": "decoy", "additional_properties": {}}
    for fields in (EVENTS[name].keys(), REQUIRED[name]):
        event = {field: EVENTS[name][field] for field in fields} | more
        payload = read(event)
        assert more == payload.additional_properties
        assert payload == type(payload).from_dict(event)
        assert event == payload.to_dict()


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name in EVENTS for field in sorted(REQUIRED[name] - {"type"})],
)
def test_required_field_must_not_be_missing(name: str, field: str) -> None:
    """An event without a required field is refused, whether or not it has the optional ones."""
    for fields in (EVENTS[name].keys(), REQUIRED[name]):
        event = {key: EVENTS[name][key] for key in fields if key != field}
        with pytest.raises(KeyError, match=field):
            read(event)


def test_other_types_have_the_last_class() -> None:
    """An event of a type that is not described keeps all its fields."""
    event = {"type": "of-tomorrow", "id": "1", "deep": {"er": [None]}}
    payload = read(event)
    assert OTHER_EVENT == type(payload).__name__
    assert event == payload.to_dict()


@each_event
def test_events_are_values(name: str) -> None:
    """Events can be compared, shown, copied and pickled."""
    payload = read(EVENTS[name])
    assert read(EVENTS[name]) == payload
    assert read(EVENTS[name] | {"more": 1}) != payload
    assert repr(payload).startswith(f"{name}(type_=")
    assert payload == pickle.loads(pickle.dumps(payload)) == copy.deepcopy(payload)
