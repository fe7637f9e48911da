"""`Answer`: a message assembled from the events of a stream."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_runtime.streaming.answer import Answer

CALL = {"toolCallId": "c"}
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


def answer_of(*events: dict[str, Any]) -> Answer:
    """Return the answer assembled from the events; text deltas are written as in a stream."""
    answer = Answer()
    for event in events:
        if event["type"] == "text-delta":
            answer.writer("text", event["id"])(event["delta"])
        else:
            answer.take(event)
    return answer


def text(id_: str, *deltas: str) -> list[dict[str, Any]]:
    """Return the events of a text."""
    return [
        {"type": "text-start", "id": id_},
        *({"type": "text-delta", "id": id_, "delta": delta} for delta in deltas),
        {"type": "text-end", "id": id_},
    ]


def data(value: Any, kind: str = "data-weather", **more: Any) -> dict[str, Any]:
    """Return a custom data event."""
    return {"type": kind, "data": value, **more}


def test_new_answer_is_empty() -> None:
    """An answer is empty at first."""
    answer = Answer()
    assert ("", [], None, None) == (answer.text, answer.parts, answer.usage, answer.metadata)


def test_texts_keep_their_order_when_interleaved() -> None:
    """The parts of interleaved texts are in the order in which the texts began."""
    answer = answer_of(
        {"type": "text-start", "id": "1"},
        {"type": "text-start", "id": "2"},
        {"type": "text-delta", "id": "2", "delta": "second"},
        {"type": "text-delta", "id": "1", "delta": "fir"},
        {"type": "text-delta", "id": "2", "delta": "."},
        {"type": "text-delta", "id": "1", "delta": "st, "},
    )
    assert [{"type": "text", "text": "first, "}, {"type": "text", "text": "second."}] == (
        answer.parts
    )
    assert "first, second." == answer.text


def test_text_needs_no_start() -> None:
    """A text needs neither a start event nor an end event."""
    answer = answer_of({"type": "text-delta", "id": "1", "delta": "Hi"})
    assert [{"type": "text", "text": "Hi"}] == answer.parts


def test_empty_text_is_a_part() -> None:
    """A text that has begun is a part even if it is empty."""
    assert [{"type": "text", "text": ""}] == answer_of(*text("1")).parts


def test_text_is_unchanged() -> None:
    """Text is unchanged, including all line endings, NUL and a lone surrogate."""
    words = ["a\r\n", "b\r", "\n\u2028", "\x00", "\ud800", "é"]
    assert "".join(words) == answer_of(*text("1", *words)).text


def test_answer_can_be_read_at_any_time() -> None:
    """Text and parts can be read at any time; values already returned do not change."""
    answer = answer_of(*text("1", "Hel"), {"type": "file", "url": "u"})
    seen = answer.parts
    seen[1]["url"] = "changed"
    assert "Hel" == answer.text
    answer.writer("text", "1")("lo")
    assert [{"type": "text", "text": "Hello"}, {"type": "file", "url": "u"}] == answer.parts
    assert {"type": "text", "text": "Hel"} == seen[0]


def test_compact_changes_nothing() -> None:
    """`compact` changes neither the texts nor later additions to them."""
    answer = Answer()
    writers = [answer.writer("text", "1"), answer.writer("reasoning", "1")]
    for number in range(5000):
        for write in writers:
            write(f"{number} ")
        if number % 1700 == 0:
            answer.compact()
    whole = "".join(f"{number} " for number in range(5000))
    assert whole == answer.text
    assert [whole, whole] == [part["text"] for part in answer.parts]


def test_id_of_a_text_can_be_reused() -> None:
    """An id is free again after the end of its text: the next text is a separate part."""
    answer = answer_of(
        *text("0", "Let me look. "),
        {"type": "tool-input-available", **CALL, "toolName": "find", "input": {}},
        {"type": "finish-step"},
        {"type": "start-step"},
        *text("0", "Found it."),
    )
    assert ["text", "tool-find", "text"] == [part["type"] for part in answer.parts]
    assert "Let me look. Found it." == answer.text


def test_reasoning_is_a_separate_part() -> None:
    """Reasoning is a separate part and not in the text, even with the same id as a text."""
    answer = answer_of(
        {"type": "reasoning-start", "id": "1"},
        {"type": "reasoning-delta", "id": "1", "delta": "Hm"},
        *text("1", "Hi"),
        {"type": "reasoning-delta", "id": "1", "delta": "m"},
        {"type": "reasoning-end", "id": "1"},
    )
    assert [{"type": "reasoning", "text": "Hmm"}, {"type": "text", "text": "Hi"}] == answer.parts
    assert "Hi" == answer.text


@pytest.mark.parametrize(
    "event",
    [
        {"type": "reasoning-start"},
        {"type": "reasoning-delta"},
        {"type": "reasoning-delta", "id": "1"},
        {"type": "reasoning-delta", "delta": "x"},
        {"type": "reasoning-end"},
        {"type": "tool-input-start"},
        {"type": "tool-output-available", "output": 1},
        {"type": "message-metadata"},
        {"type": "brand-new", "id": "1"},
        {"type": ""},
    ],
)
def test_incomplete_event_is_ignored(event: dict[str, Any]) -> None:
    """An undocumented event without its required fields adds nothing to the answer."""
    answer = answer_of(*text("t", "Hi"), event)
    assert [{"type": "text", "text": "Hi"}] == answer.parts


@pytest.mark.parametrize(
    ("events", "part"),
    [
        ([{"type": "tool-input-start", "toolName": "find"}], {"state": "input-streaming"}),
        (
            [
                {"type": "tool-input-start", "toolName": "find"},
                {"type": "tool-input-delta", "inputTextDelta": "{"},
            ],
            {"state": "input-streaming"},
        ),
        (
            [{"type": "tool-input-available", "toolName": "find", "input": {"q": 1}}],
            {"state": "input-available", "input": {"q": 1}},
        ),
        (
            [
                {
                    "type": "tool-input-error",
                    "toolName": "find",
                    "input": "{",
                    "errorText": "no JSON",
                }
            ],
            {"state": "output-error", "input": "{", "errorText": "no JSON"},
        ),
        (
            [
                {"type": "tool-input-available", "toolName": "find", "input": None},
                {"type": "tool-approval-request", "approvalId": "a"},
            ],
            {"state": "approval-requested", "input": None},
        ),
        (
            [
                {"type": "tool-input-start", "toolName": "find"},
                {"type": "tool-input-available", "toolName": "find", "input": {"q": 1}},
                {"type": "tool-output-available", "output": [1], "preliminary": True},
                {"type": "tool-output-available", "output": [1, 2]},
            ],
            {"state": "output-available", "input": {"q": 1}, "output": [1, 2]},
        ),
        (
            [
                {"type": "tool-input-available", "toolName": "find", "input": {}},
                {"type": "tool-output-error", "errorText": "out of order"},
            ],
            {"state": "output-error", "input": {}, "errorText": "out of order"},
        ),
        (
            [
                {"type": "tool-input-available", "toolName": "find", "input": {}},
                {"type": "tool-output-denied"},
            ],
            {"state": "output-denied", "input": {}},
        ),
    ],
)
def test_tool_call_is_one_part(events: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """A tool call is one part with its latest state, input and output."""
    answer = answer_of(*({**event, **CALL} for event in events))
    assert [{"type": "tool-find", **CALL, **part}] == answer.parts


def test_calls_of_one_tool_are_separate_parts() -> None:
    """Two calls of the same tool are two parts, in the order of their start."""
    answer = answer_of(
        {"type": "tool-input-start", "toolCallId": "1", "toolName": "find"},
        {"type": "tool-input-start", "toolCallId": "2", "toolName": "find"},
        {"type": "tool-output-available", "toolCallId": "2", "output": "b"},
        {"type": "tool-output-available", "toolCallId": "1", "output": "a"},
    )
    assert [("1", "a"), ("2", "b")] == [
        (part["toolCallId"], part["output"]) for part in answer.parts
    ]


def test_tool_call_without_a_start() -> None:
    """A call without a start event has no tool name; an unknown state is ignored."""
    answer = answer_of(
        {"type": "tool-output-available", **CALL, "output": 1},
        {"type": "tool-brand-new", **CALL},
    )
    assert [{"type": "tool-", **CALL, "state": "output-available", "output": 1}] == answer.parts


def test_data_with_a_known_id_replaces_the_part() -> None:
    """Data with a known type and id replaces the earlier part in place."""
    answer = answer_of(
        data(1, id="a"),
        data(2, id="b"),
        data(3, kind="data-news", id="a"),
        data(4, id="a", more=True),
    )
    assert [data(4, id="a", more=True), data(2, id="b"), data(3, kind="data-news", id="a")] == (
        answer.parts
    )


@pytest.mark.parametrize(
    "events",
    [
        [data(1), data(2)],
        [data(1), data(2, id="0")],
        [data(1, id="1"), data(2)],
        [data(1, id=None), data(2, id=None)],
        [data(1, id="0"), data(2, kind="data-news")],
    ],
)
def test_data_without_an_id_replaces_nothing(events: list[dict[str, Any]]) -> None:
    """Data without an id is always a new part, even if other ids are small numbers."""
    assert events == answer_of(*events).parts


def test_text_contains_only_texts() -> None:
    """Parts with similar types are not in the text."""
    answer = answer_of(
        data("x", kind="data-text", text="x"),
        {"type": "tool-input-start", **CALL, "toolName": "text"},
        *text("1", "Hi"),
    )
    assert "Hi" == answer.text
    assert ["data-text", "tool-text", "text"] == [part["type"] for part in answer.parts]


def test_transient_data_is_not_a_part() -> None:
    """Transient data is not a part; `transient: false` is dropped from the part."""
    answer = answer_of(data(1, id="a"), data(2, id="a", transient=True), data(3, transient=True))
    assert [data(1, id="a")] == answer.parts
    assert [data(1)] == answer_of(data(1, transient=False)).parts


def test_sources_and_files_are_parts() -> None:
    """Sources and files are parts as received, duplicates included."""
    events = [
        {"type": "source-url", "sourceId": "s", "url": "https://example.com/"},
        {"type": "file", "url": "data:,", "mediaType": "text/plain"},
        {"type": "source-url", "sourceId": "s", "url": "https://example.com/"},
        {"type": "source-document", "sourceId": "d", "mediaType": "m", "title": "t"},
    ]
    assert events == answer_of(*events).parts


def test_metadata_is_merged() -> None:
    """Metadata of all events is merged; the last value of each name applies."""
    answer = answer_of(
        {"type": "start", "messageId": "m", "messageMetadata": {"a": 1, "b": 1}},
        {"type": "message-metadata", "messageMetadata": {"b": 2}},
        {"type": "finish-step", "messageMetadata": {"c": 3}},
        {"type": "finish"},
    )
    assert {"a": 1, "b": 2, "c": 3} == answer.metadata
    assert [] == answer.parts


def test_metadata_that_is_not_an_object_replaces_the_rest() -> None:
    """Metadata that is not an object replaces the earlier metadata."""
    answer = answer_of({"type": "start", "messageMetadata": {"a": 1}})
    answer.take({"type": "finish", "messageMetadata": "later"})
    assert "later" == answer.metadata
    answer.take({"type": "finish", "messageMetadata": {"b": 2}})
    assert {"b": 2} == answer.metadata


def test_usage_of_the_steps_is_added() -> None:
    """Numbers in the usage of the steps are added; of other values the last applies."""
    answer = answer_of(
        {"type": "finish-step", "usage": {"inputTokens": 3, "cachedInputTokens": 1, "model": "a"}},
        {"type": "finish-step"},
        {"type": "finish-step", "usage": {"inputTokens": 4, "outputTokens": 2, "model": "b"}},
    )
    assert {"inputTokens": 7, "cachedInputTokens": 1, "outputTokens": 2, "model": "b"} == (
        answer.usage
    )


def test_usage_of_the_finish_replaces_the_sum() -> None:
    """The usage of the finish event replaces the sum of the steps."""
    answer = answer_of(
        {"type": "finish-step", "usage": {"inputTokens": 3}},
        {"type": "finish", "usage": USAGE},
    )
    assert USAGE == answer.usage


def test_usage_in_the_metadata_takes_precedence() -> None:
    """Usage in the metadata, where many services put it, takes precedence over the steps."""
    steps = {"type": "finish-step", "usage": {"inputTokens": 3}}
    with_usage = {"type": "finish", "messageMetadata": {"usage": USAGE}}
    assert USAGE == answer_of(steps, with_usage).usage
    assert USAGE == answer_of(with_usage, steps).usage
    for told in ({"a": 1}, {"usage": None}, "text", None):
        assert {"inputTokens": 3} == answer_of(
            steps, {"type": "finish", "messageMetadata": told}
        ).usage


@pytest.mark.parametrize("usage", [None, 5, "5", [], True])
def test_usage_that_is_not_an_object_is_ignored(usage: object) -> None:
    """Usage that is not an object is ignored."""
    assert answer_of({"type": "finish", "usage": usage}).usage is None


def test_returned_usage_is_a_copy() -> None:
    """Changing the returned usage changes neither the answer nor the event."""
    event = {"type": "finish", "usage": dict(USAGE)}
    answer = answer_of(event)
    usage = answer.usage
    assert usage is not None
    usage.clear()
    assert USAGE == event["usage"]
    answer.take({"type": "message-metadata", "messageMetadata": {"usage": dict(USAGE)}})
    again = answer.usage
    assert again is not None
    again.clear()
    assert {"usage": USAGE} == answer.metadata


@pytest.mark.parametrize(
    "kind",
    ["source-url", "source-document", "file", "reasoning-file", "custom", "steering-message"],
)
def test_an_event_may_be_a_whole_part(kind: str) -> None:
    """Files, sources and what has no type of its own are parts as they come."""
    event = {"type": kind, "some": {"field": 1}}
    assert [event] == answer_of(event).parts


def test_a_reset_discards_the_parts_of_the_step() -> None:
    """Parts of earlier steps stay, and an id may be used again."""
    text = {"type": "text-start", "id": "1"}
    answer = answer_of({"type": "start-step"}, text)
    answer.writer("text", "1")("kept")
    for event in ({"type": "start-step"}, {"type": "source-url"}, text):
        answer.take(event)
    answer.writer("text", "1")(" dropped")
    answer.take({"type": "reset-step"})
    answer.writer("text", "1")(" and new")
    answer.take({"type": "custom", "kind": "x.y"})
    answer.finish()
    assert "kept and new" == answer.text
    assert [
        {"type": "text", "text": "kept"},
        {"type": "text", "text": " and new"},
        {"type": "custom", "kind": "x.y"},
    ] == answer.parts


def test_start_and_end_events_are_not_parts() -> None:
    """Start and end events are not parts."""
    kinds = ("start", "start-step", "finish-step", "finish", "abort", "text-end", "reasoning-end")
    assert [] == answer_of(*({"type": kind, "id": "1"} for kind in kinds)).parts
