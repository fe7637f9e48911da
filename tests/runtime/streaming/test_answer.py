"""An answer, put together from what a stream says."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_runtime.streaming.answer import Answer

CALL = {"toolCallId": "c"}
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


def answer_of(*events: dict[str, Any]) -> Answer:
    """Return the answer that these events make; text deltas are written as streams do."""
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
    """Return an event with data of a website's own."""
    return {"type": kind, "data": value, **more}


def test_nothing_yet() -> None:
    """An answer begins empty."""
    answer = Answer()
    assert ("", [], None, None) == (answer.text, answer.parts, answer.usage, answer.metadata)


def test_texts_keep_their_order_when_interleaved() -> None:
    """The part of a text stands where the text began, whichever grows first."""
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


def test_a_text_may_begin_with_its_first_words() -> None:
    """Neither its start nor its end is needed."""
    answer = answer_of({"type": "text-delta", "id": "1", "delta": "Hi"})
    assert [{"type": "text", "text": "Hi"}] == answer.parts


def test_an_empty_text_is_a_part() -> None:
    """A text that has begun is there, without words."""
    assert [{"type": "text", "text": ""}] == answer_of(*text("1")).parts


def test_words_are_kept_as_they_come() -> None:
    """Line ends of all kinds, NUL and half a surrogate pair included."""
    words = ["a\r\n", "b\r", "\n\u2028", "\x00", "\ud800", "é"]
    assert "".join(words) == answer_of(*text("1", *words)).text


def test_reading_in_between_does_no_harm() -> None:
    """Text and parts can be asked for at any time, and what was got does not change."""
    answer = answer_of(*text("1", "Hel"), {"type": "file", "url": "u"})
    seen = answer.parts
    seen[1]["url"] = "changed"
    assert "Hel" == answer.text
    answer.writer("text", "1")("lo")
    assert [{"type": "text", "text": "Hello"}, {"type": "file", "url": "u"}] == answer.parts
    assert {"type": "text", "text": "Hel"} == seen[0]


def test_joining_the_pieces_changes_nothing() -> None:
    """Neither the texts nor what is appended to them afterwards."""
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


def test_the_id_of_a_text_may_come_again_in_another_step() -> None:
    """The public protocol ends an id with its text: the next one is a part of its own."""
    answer = answer_of(
        *text("0", "Let me look. "),
        {"type": "tool-input-available", **CALL, "toolName": "find", "input": {}},
        {"type": "finish-step"},
        {"type": "start-step"},
        *text("0", "Found it."),
    )
    assert ["text", "tool-find", "text"] == [part["type"] for part in answer.parts]
    assert "Let me look. Found it." == answer.text


def test_reasoning_is_a_part_and_no_text() -> None:
    """It is kept apart from the text, even from one with the same id."""
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
def test_what_says_too_little_is_left(event: dict[str, Any]) -> None:
    """An undocumented event without what it needs is passed through, and adds nothing."""
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
def test_a_tool_is_one_part_through_all_its_states(
    events: list[dict[str, Any]], part: dict[str, Any]
) -> None:
    """The part tells the last state, and all that is known of input and output."""
    answer = answer_of(*({**event, **CALL} for event in events))
    assert [{"type": "tool-find", **CALL, **part}] == answer.parts


def test_tools_are_told_apart_by_their_call() -> None:
    """Two uses of the same tool are two parts, in the order in which they began."""
    answer = answer_of(
        {"type": "tool-input-start", "toolCallId": "1", "toolName": "find"},
        {"type": "tool-input-start", "toolCallId": "2", "toolName": "find"},
        {"type": "tool-output-available", "toolCallId": "2", "output": "b"},
        {"type": "tool-output-available", "toolCallId": "1", "output": "a"},
    )
    assert [("1", "a"), ("2", "b")] == [
        (part["toolCallId"], part["output"]) for part in answer.parts
    ]


def test_a_tool_that_nobody_announced() -> None:
    """Its name is not known, its output is; a state that is not known changes nothing."""
    answer = answer_of(
        {"type": "tool-output-available", **CALL, "output": 1},
        {"type": "tool-brand-new", **CALL},
    )
    assert [{"type": "tool-", **CALL, "state": "output-available", "output": 1}] == answer.parts


def test_later_data_replace_those_with_the_same_type_and_id() -> None:
    """They stay where the first ones stood; another type or another id is another part."""
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
def test_data_without_an_id_replace_nothing(events: list[dict[str, Any]]) -> None:
    """Each is a part of its own, also if somebody uses small numbers as ids."""
    assert events == answer_of(*events).parts


def test_only_texts_are_the_text() -> None:
    """Not what is called nearly so."""
    answer = answer_of(
        data("x", kind="data-text", text="x"),
        {"type": "tool-input-start", **CALL, "toolName": "text"},
        *text("1", "Hi"),
    )
    assert "Hi" == answer.text
    assert ["data-text", "tool-text", "text"] == [part["type"] for part in answer.parts]


def test_transient_data_are_no_part() -> None:
    """They are for now; data that say they are not transient are a part without the word."""
    answer = answer_of(data(1, id="a"), data(2, id="a", transient=True), data(3, transient=True))
    assert [data(1, id="a")] == answer.parts
    assert [data(1)] == answer_of(data(1, transient=False)).parts


def test_sources_and_files_are_parts() -> None:
    """Each stands where it came, as it came, even if it comes twice."""
    events = [
        {"type": "source-url", "sourceId": "s", "url": "https://example.com/"},
        {"type": "file", "url": "data:,", "mediaType": "text/plain"},
        {"type": "source-url", "sourceId": "s", "url": "https://example.com/"},
        {"type": "source-document", "sourceId": "d", "mediaType": "m", "title": "t"},
    ]
    assert events == answer_of(*events).parts


def test_metadata_are_merged() -> None:
    """Whichever event carries them, the last word on each name counts."""
    answer = answer_of(
        {"type": "start", "messageId": "m", "messageMetadata": {"a": 1, "b": 1}},
        {"type": "message-metadata", "messageMetadata": {"b": 2}},
        {"type": "finish-step", "messageMetadata": {"c": 3}},
        {"type": "finish"},
    )
    assert {"a": 1, "b": 2, "c": 3} == answer.metadata
    assert [] == answer.parts


def test_metadata_of_another_kind_replace_what_was_there() -> None:
    """What is no object cannot be merged."""
    answer = answer_of({"type": "start", "messageMetadata": {"a": 1}})
    answer.take({"type": "finish", "messageMetadata": "later"})
    assert "later" == answer.metadata
    answer.take({"type": "finish", "messageMetadata": {"b": 2}})
    assert {"b": 2} == answer.metadata


def test_the_usage_of_the_steps_is_added_up() -> None:
    """What only one step tells is kept; what is no number is what the last step says."""
    answer = answer_of(
        {"type": "finish-step", "usage": {"inputTokens": 3, "cachedInputTokens": 1, "model": "a"}},
        {"type": "finish-step"},
        {"type": "finish-step", "usage": {"inputTokens": 4, "outputTokens": 2, "model": "b"}},
    )
    assert {"inputTokens": 7, "cachedInputTokens": 1, "outputTokens": 2, "model": "b"} == (
        answer.usage
    )


def test_the_usage_at_the_finish_is_that_of_all_steps() -> None:
    """It replaces the sum."""
    answer = answer_of(
        {"type": "finish-step", "usage": {"inputTokens": 3}},
        {"type": "finish", "usage": USAGE},
    )
    assert USAGE == answer.usage


def test_the_usage_in_the_metadata_comes_first() -> None:
    """That is where many services put it; metadata without usage do not hide the steps'."""
    steps = {"type": "finish-step", "usage": {"inputTokens": 3}}
    with_usage = {"type": "finish", "messageMetadata": {"usage": USAGE}}
    assert USAGE == answer_of(steps, with_usage).usage
    assert USAGE == answer_of(with_usage, steps).usage
    for told in ({"a": 1}, {"usage": None}, "text", None):
        assert {"inputTokens": 3} == answer_of(
            steps, {"type": "finish", "messageMetadata": told}
        ).usage


@pytest.mark.parametrize("usage", [None, 5, "5", [], True])
def test_a_usage_that_is_no_object_is_left(usage: object) -> None:
    """There is nothing to count in it."""
    assert answer_of({"type": "finish", "usage": usage}).usage is None


def test_what_was_read_as_usage_is_a_copy() -> None:
    """Changing it changes neither the answer nor the event."""
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


def test_steps_and_ends_add_no_part() -> None:
    """They are brackets, not content."""
    kinds = ("start", "start-step", "finish-step", "finish", "abort", "text-end", "reasoning-end")
    assert [] == answer_of(*({"type": kind, "id": "1"} for kind in kinds)).parts
