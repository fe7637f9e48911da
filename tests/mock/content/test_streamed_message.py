"""Tests for the message that events make up."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_mock.content.streamed_message import StreamedMessage

STEP: list[dict[str, Any]] = [{"type": "start"}, {"type": "start-step"}]
TEXT = {"type": "text-start", "id": "1"}
CALL = {"type": "tool-input-available", "toolCallId": "c", "toolName": "t", "input": 1}


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([*STEP, {"type": "start-step"}], "comes within a step"),
        ([{"type": "finish-step"}], "comes without `start-step`"),
        ([{"type": "reset-step"}], "comes without `start-step`"),
        ([TEXT], "comes without `start-step`"),
        ([*STEP, TEXT, TEXT], "repeats the id '1'"),
        ([*STEP, TEXT, {"type": "finish-step"}], "comes before the `text-end` of '1'"),
        ([*STEP, {"type": "finish"}], "comes before `finish-step`"),
        ([{"type": "finish"}, {"type": "custom", "kind": "x"}], "comes after `finish`"),
        (
            [*STEP, {"type": "reasoning-delta", "id": "1", "delta": "x"}],
            "comes without a `reasoning-start` of '1'",
        ),
        (
            [*STEP, TEXT, {"type": "reasoning-end", "id": "1"}],
            "comes without a `reasoning-start` of '1'",
        ),
        (
            [{"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "x"}],
            "comes without the tool call 'c'",
        ),
        (
            [CALL, {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "x"}],
            "comes without `tool-input-start`",
        ),
        (
            [{"type": "tool-output-available", "toolCallId": "c", "output": 1}],
            "comes without the tool call 'c'",
        ),
        (
            [{"type": "tool-approval-response", "approvalId": "a", "approved": True}],
            "comes without an approval request 'a'",
        ),
    ],
)
def test_events_in_a_wrong_order_are_refused(events: list[dict[str, Any]], problem: str) -> None:
    """The last event may not come after those before it."""
    message = StreamedMessage(events[:-1])
    with pytest.raises(ValueError, match=r"^comes|^repeats") as caught:
        message.add(events[-1])
    assert problem == str(caught.value)


def test_metadata_are_merged() -> None:
    """Objects are merged field by field, and other values replace earlier ones."""
    found = [{"a": {"b": 1, "c": [1]}}, {"a": {"c": [2]}, "d": None}, {"d": {"e": 1}}]
    events = [{"type": "message-metadata", "messageMetadata": value} for value in found]
    assert {"a": {"b": 1, "c": [2]}, "d": {"e": 1}} == StreamedMessage(events).metadata


def test_data_replace_those_of_their_id() -> None:
    """Data without an id are always added, and transient ones never."""
    data = [("a", "1", 1), ("b", "1", 2), ("a", None, 3), ("a", None, 4), ("a", "1", 5)]
    events = [
        {"type": f"data-{name}", "data": value} | ({"id": key} if key else {})
        for name, key, value in data
    ]
    made = StreamedMessage([*events, {"type": "data-a", "data": 6, "transient": True}])
    assert [("data-a", 5), ("data-b", 2), ("data-a", 3), ("data-a", 4)] == [
        (part["type"], part["data"]) for part in made.parts
    ]


def test_a_reset_discards_the_step() -> None:
    """Parts of earlier steps stay, and an open text need not be closed."""
    made = StreamedMessage(
        [
            *STEP,
            TEXT,
            {"type": "text-delta", "id": "1", "delta": "a"},
            {"type": "text-end", "id": "1"},
            {"type": "finish-step"},
            {"type": "start-step"},
            TEXT,
            {"type": "text-delta", "id": "1", "delta": "b"},
            {"type": "reset-step"},
            {"type": "custom", "kind": "c"},
            {"type": "finish-step"},
            {"type": "finish"},
        ]
    )
    assert [[{"type": "text", "text": "a"}], [{"type": "custom", "kind": "c"}]] == made.steps


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ({"type": "finish"}, None),
        ({"type": "error", "errorText": "gone"}, "gone"),
        ({"type": "abort", "reason": "cancelled"}, "cancelled"),
        ({"type": "abort"}, "The answer was aborted"),
    ],
)
def test_the_last_event_has_the_error(last: dict[str, Any], error: str | None) -> None:
    """An error and an abort end the message with an error."""
    assert error == StreamedMessage([last]).error
