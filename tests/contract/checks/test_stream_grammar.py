"""The grammar of event streams: legal streams pass, and each fault breaks its own rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siteassist_contract.checks.stream_grammar import (
    END,
    FRAMES,
    IDS,
    ORDER,
    ParsedStream,
    held_back,
    read,
)
from siteassist_contract.description import operations
from siteassist_contract.rules import RULES

Payload = dict[str, Any]

DONE = "[DONE]"
START: Payload = {"type": "start"}
STEP: Payload = {"type": "start-step"}
STEP_END: Payload = {"type": "finish-step"}
FINISH: Payload = {"type": "finish"}
ERROR: Payload = {"type": "error", "errorText": "The model is gone."}
ABORT: Payload = {"type": "abort"}
OTHER: Payload = {"type": "data-weather", "id": "0", "data": {"sun": True}}


def opened(name: str = "0") -> Payload:
    """Create the payload that opens a text."""
    return {"type": "text-start", "id": name}


def delta(text: str, name: str = "0") -> Payload:
    """Create a piece of a text."""
    return {"type": "text-delta", "id": name, "delta": text}


def ended(name: str = "0") -> Payload:
    """Create the payload that closes a text."""
    return {"type": "text-end", "id": name}


TEXT = (opened(), delta("Hello"), delta(" there"), ended())
ANSWER: tuple[Payload | str, ...] = (START, STEP, *TEXT, STEP_END, FINISH, DONE)


def frames(*payloads: Payload | str) -> str:
    """Write payloads as events; strings are written verbatim."""
    texts = (each if isinstance(each, str) else json.dumps(each) for each in payloads)
    return "".join(f"data: {text}\n\n" for text in texts)


def parsed(stream: str | bytes, operation: str = "sendMessage") -> ParsedStream:
    """Parse a stream."""
    return read(operation, stream.encode() if isinstance(stream, str) else stream)


def broken(stream: str | bytes) -> list[str]:
    """Return the rules that a stream breaks, in order."""
    return [fault.rule for fault in parsed(stream).faults]


def only_fault(stream: str | bytes) -> str:
    """Return the message of a stream's only fault."""
    (fault,) = parsed(stream).faults
    return fault.sentence


WHOLE = frames(*ANSWER)

LEGAL = {
    "plain": WHOLE,
    "no step at all": frames(START, FINISH, DONE),
    "a step without text": frames(START, STEP, STEP_END, FINISH, DONE),
    "several steps": frames(START, STEP, *TEXT, STEP_END, STEP, *TEXT, STEP_END, FINISH, DONE),
    "a text without a piece": frames(START, STEP, opened(), ended(), STEP_END, FINISH, DONE),
    "an empty piece": frames(START, STEP, opened(), delta(""), ended(), STEP_END, FINISH, DONE),
    "texts that overlap": frames(
        *(START, STEP, opened("a"), opened("b"), delta("1", "a"), delta("2", "b"), ended("a")),
        *(delta("3", "b"), ended("b"), STEP_END, FINISH, DONE),
    ),
    "an id that is used again": frames(START, STEP, *TEXT, *TEXT, STEP_END, FINISH, DONE),
    "an empty id": frames(START, STEP, opened(""), ended(""), STEP_END, FINISH, DONE),
    "fields that are not described": frames(
        {**START, "messageId": "m"}, {**STEP, "n": [1, None]}, STEP_END, FINISH, DONE
    ),
    "providerMetadata": frames(
        START, STEP, {**opened(), "providerMetadata": {"p": {}}}, ended(), STEP_END, FINISH, DONE
    ),
    "unknown payloads everywhere": frames(
        *(payload for each in ANSWER for payload in (OTHER, each))
    ),
    "CRLF": WHOLE.replace("\n", "\r\n"),
    "CR": WHOLE.replace("\n", "\r"),
    "mixed ends of lines": WHOLE.replace("\n\n", "\r\n\n", 2).replace("\n\n", "\r\r", 1),
    "no space after the colon": WHOLE.replace("data: ", "data:"),
    "BOM": "\ufeff" + WHOLE,
    "comments": ": ping\n\n" + WHOLE.replace("data:", ":\n: keep-alive\ndata:"),
    "other fields": WHOLE.replace("data:", "event: message\nid: 7\nretry: 1000\ndata:"),
    "fields after the data": WHOLE.replace("}\n\n", "}\nid\nevent:\n\n"),
    "unknown fields": WHOLE.replace("data:", "name: x\nDATA: {}\n data: 1\ndata:"),
    "an unknown field after the data": WHOLE.replace("}\n\n", "}\nname\n\n"),
    "data on several lines": frames(START)
    + 'data: {"type":\nid: 1\ndata\ndata:"finish"}\n\n'
    + frames(DONE),
    "an event without data": "id: 1\n\n" + WHOLE,
    "more empty lines": "\n\n" + WHOLE.replace("\n\n", "\n\n\n\n"),
    "a comment after the end": WHOLE + ": bye\n\n",
    "separators of other standards": frames(
        *(START, STEP, opened(), '{"type":"text-delta","id":"0","delta":"\u2028\u0085\u000b"}'),
        *(ended(), STEP_END, FINISH, DONE),
    ).replace("\x0b", "\\u000b"),
    "an error": frames(START, STEP, opened(), delta("Hel"), ERROR),
    "an error and the end": frames(START, STEP, opened(), delta("Hel"), ERROR, DONE),
    "an error at once": frames(ERROR),
    "an error after the start": frames(START, ERROR, DONE),
    "an abort": frames(START, STEP, opened(), ABORT),
    "an abort and the end": frames(START, STEP, ABORT, DONE),
    "an abort with a reason": frames(START, {**ABORT, "reason": "stopped"}, DONE),
}


@pytest.mark.parametrize("name", LEGAL)
@pytest.mark.parametrize("operation", RULES[END].operations)
def test_legal_stream_has_no_fault(name: str, operation: str) -> None:
    """Each variant that the documents or the standard of event streams allow passes."""
    assert [] == parsed(LEGAL[name], operation).faults


@pytest.mark.parametrize("ending", [ERROR, ABORT])
def test_reported_failure_is_recognised(ending: Payload) -> None:
    """A stream that ends with an error or an abort counts as broken off."""
    whole, off = parsed(WHOLE), parsed(frames(START, ending))
    assert (False, True) == (whole.broken_off, off.broken_off)


def test_texts_are_joined_in_order_of_arrival() -> None:
    """Each piece counts, those of overlapping texts and empty ones included."""
    stream = frames(
        *(START, STEP, opened("a"), opened("b"), delta("1", "a"), delta("", "b"), delta("2", "b")),
        *(ended("a"), ended("b"), STEP_END, STEP, *TEXT, STEP_END, FINISH, DONE),
    )
    found = parsed(stream)
    assert ("12Hello there", 5) == (found.text, found.deltas)


def test_text_keeps_each_character() -> None:
    """Line endings, emoji and lone surrogates are kept in a text."""
    text = 'é🎉\r\n\u2028"\\\ud83d'
    assert text == parsed(frames(START, STEP, opened(), delta(text), ABORT)).text


def test_halves_of_a_character_are_joined() -> None:
    """An emoji whose halves come in two deltas is one character of the text."""
    halves = [delta(half) for half in ("a\ud83c", "\udf89b")]
    found = parsed(frames(START, STEP, opened(), *halves, ended(), STEP_END, FINISH, DONE))
    assert ("a🎉b", []) == (found.text, found.faults)


FRAME_FAULTS: dict[str, tuple[str | bytes, str]] = {
    "no JSON": (frames(START, "{type", FINISH, DONE), "not JSON: {type"),
    "no text": (frames(START, "", FINISH, DONE), "not JSON: "),
    "a field without a colon": (
        frames(START) + "data\n\n" + frames(FINISH, DONE),
        "not JSON: ",
    ),
    "a JSON text": (frames(START, '"hi"', FINISH, DONE), 'invalid payload: "hi"'),
    "a JSON list": (frames(START, "[]", FINISH, DONE), "invalid payload: []"),
    "null": (frames(START, "null", FINISH, DONE), "invalid payload: null"),
    "no type": (frames(START, '{"x": 1}', FINISH, DONE), 'invalid payload: {"x": 1}'),
    "a type that is no text": (frames(START, '{"type": 1}', FINISH, DONE), '{"type": 1}'),
    "a type that is null": (frames(START, '{"type": null}', FINISH, DONE), '{"type": null}'),
    "an error without its text": (
        frames(START, '{"type": "error"}', FINISH, DONE),
        '{"type": "error"}',
    ),
    "lower case end": (frames(START, FINISH, "[done]", DONE), "not JSON: [done]"),
    "an unknown field without data": (
        frames(START) + "name: x\n\n" + frames(FINISH, DONE),
        "a line is not a field of an event: name: x",
    ),
    "a field in capitals": (
        frames(START) + "DATA: {}\n\n" + frames(FINISH, DONE),
        "a line is not a field of an event: DATA: {}",
    ),
    "a space before the field": (
        frames(START) + " data: {}\n\n" + frames(FINISH, DONE),
        "a line is not a field of an event:  data: {}",
    ),
    "two lines within a text": (
        frames(START) + 'data: {"type": "fin\ndata: ish"}\n\n' + frames(FINISH, DONE),
        'not JSON: {"type": "fin\nish"}',
    ),
    "an end of line too few": (WHOLE[:-1], "the last event is not complete: [DONE]"),
    "no UTF-8": (
        WHOLE.encode().replace(b"Hello", b"Hell\xf8"),
        f"the stream is not UTF-8 at byte {WHOLE.index('Hello') + 4}",
    ),
    "half a character": (
        frames(START, STEP, opened()).encode()
        + b'data: {"type":"text-delta","id":"0","delta":"\xf0'
        b'\x9f\x8e"}\n\n' + frames(ended(), STEP_END, FINISH, DONE).encode(),
        "the stream is not UTF-8 at byte 141",
    ),
    "a BOM in the middle": (
        frames(START) + "\ufeffdata: 1\n\n" + frames(FINISH, DONE),
        "a line is not a field of an event: \ufeffdata: 1",
    ),
}


@pytest.mark.parametrize("name", FRAME_FAULTS)
def test_fault_of_the_frames_is_reported(name: str) -> None:
    """An invalid event is reported with its text or position, and causes no other fault."""
    stream, words = FRAME_FAULTS[name]
    faults = parsed(stream).faults
    assert {FRAMES} == {fault.rule for fault in faults}
    assert words in faults[0].sentence


def test_incomplete_event_is_judged() -> None:
    """A piece without its final empty line still belongs to the text."""
    cut = frames(START, STEP, opened()) + f"data: {json.dumps(delta('Hi'))}\n"
    found = parsed(cut)
    assert "Hi" == found.text
    assert [FRAMES, ORDER, END] == [fault.rule for fault in found.faults]


def test_long_data_is_shortened() -> None:
    """Long data is quoted by its beginning."""
    sentence = only_fault(frames(START, 100 * "x", FINISH, DONE))
    assert sentence.endswith(f": {80 * 'x'}…")


STEP_OF = (STEP, *TEXT, STEP_END)
ORDER_FAULTS = {
    "no start": ((STEP, STEP_END, FINISH, DONE), "begins with `start-step` instead of `start`"),
    "only a finish": ((FINISH, DONE), "begins with `finish` instead of `start`"),
    "two starts": ((START, START, FINISH, DONE), "`start` comes twice"),
    "a late start": ((START, *STEP_OF, START, FINISH, DONE), "`start` comes twice"),
    "no finish": ((START, *STEP_OF, DONE), "the stream ends without `finish`"),
    "two finishes": ((START, FINISH, FINISH, DONE), "`finish` comes after `finish`"),
    "a step within a step": (
        (START, STEP, STEP, STEP_END, FINISH, DONE),
        "`start-step` comes within a step",
    ),
    "a step's end too many": (
        (START, STEP, STEP_END, STEP_END, FINISH, DONE),
        "`finish-step` comes without `start-step`",
    ),
    "no end of a step": ((START, STEP, *TEXT, FINISH, DONE), "`finish` comes before `finish-step`"),
    "a text outside of a step": (
        (START, *TEXT, FINISH, DONE),
        "`text-start` comes outside of a step",
    ),
    "a text between steps": (
        (START, *STEP_OF, opened(), ended(), *STEP_OF, FINISH, DONE),
        "`text-start` comes outside of a step",
    ),
    "a piece before its text": (
        (START, STEP, delta("x"), *TEXT, STEP_END, FINISH, DONE),
        "`text-delta` comes before `text-start`",
    ),
    "a piece after its text": (
        (START, STEP, *TEXT, delta("x"), STEP_END, FINISH, DONE),
        "`text-delta` comes after the text '0' has ended",
    ),
    "a piece in the next step": (
        (START, *STEP_OF, STEP, delta("x"), STEP_END, FINISH, DONE),
        "`text-delta` comes after the text '0' has ended",
    ),
    "an end before its text": (
        (START, STEP, ended(), STEP_END, FINISH, DONE),
        "`text-end` comes before `text-start`",
    ),
    "two ends of a text": (
        (START, STEP, *TEXT, ended(), STEP_END, FINISH, DONE),
        "`text-end` comes after the text '0' has ended",
    ),
    "a text that stays open": (
        (START, STEP, opened(), delta("x"), STEP_END, FINISH, DONE),
        "`finish-step` comes while the text '0' is open",
    ),
    "two texts that stay open": (
        (START, STEP, opened("b"), opened("a"), STEP_END, FINISH, DONE),
        "`finish-step` comes while the text 'a', 'b' is open",
    ),
}


@pytest.mark.parametrize("name", ORDER_FAULTS)
def test_fault_of_the_order_is_reported_once(name: str) -> None:
    """A misplaced payload is one fault, whatever follows."""
    payloads, words = ORDER_FAULTS[name]
    (fault,) = parsed(frames(*payloads)).faults
    assert ORDER == fault.rule
    assert words in fault.sentence


@pytest.mark.parametrize("late", [START, STEP, STEP_END, opened(), delta("x"), ended(), FINISH])
def test_known_payload_after_finish_is_a_fault(late: Payload) -> None:
    """Only unknown payloads may follow the `finish` of an answer."""
    faults = parsed(frames(START, *STEP_OF, FINISH, late, DONE)).faults
    assert (ORDER, f"`{late['type']}` comes after `finish`") == (faults[0].rule, faults[0].sentence)
    assert {ORDER} == {fault.rule for fault in faults}


def test_finish_within_a_text_is_two_faults() -> None:
    """Both the open step and the open text are reported."""
    assert [
        "`finish` comes before `finish-step`",
        "`finish` comes while the text '0' is open",
    ] == [f.sentence for f in parsed(frames(START, STEP, opened(), FINISH, DONE)).faults]


ID_FAULTS = {
    "a piece with another id": (delta("x", "1"), "`text-delta` has the id '1', expected '0'"),
    "an end with another id": (ended("1"), "`text-end` has the id '1', expected '0'"),
    "a text that is opened twice": (opened("0"), "the text '0' is opened twice"),
}


@pytest.mark.parametrize("name", ID_FAULTS)
def test_fault_of_the_ids_is_reported(name: str) -> None:
    """A piece belongs to an open text, and a text is opened once."""
    payload, words = ID_FAULTS[name]
    stream = frames(START, STEP, opened(), payload, ended(), STEP_END, FINISH, DONE)
    (fault,) = parsed(stream).faults
    assert (IDS, words) == (fault.rule, fault.sentence)


END_FAULTS = {
    "no end": (frames(START, FINISH), "the stream ends without [DONE]"),
    "two ends": (frames(*ANSWER, DONE), "[DONE] follows [DONE]"),
    "an unknown payload after the end": (frames(*ANSWER, OTHER), "follows [DONE]"),
    "a whole stream after the end": (WHOLE + WHOLE, '{"type": "start"} follows'),
    "no JSON after the end": (frames(*ANSWER, "bye"), "bye follows [DONE]"),
    "something after the end of an error": (frames(START, ERROR, DONE, OTHER), "follows [DONE]"),
}


@pytest.mark.parametrize("name", END_FAULTS)
def test_fault_of_the_end_is_reported(name: str) -> None:
    """The terminator comes once and is the last event, even after an error."""
    stream, words = END_FAULTS[name]
    (fault,) = parsed(stream).faults
    assert END == fault.rule
    assert words in fault.sentence


@pytest.mark.parametrize("stream", ["", ": nothing\n\n"])
def test_empty_stream_breaks_three_rules(stream: str) -> None:
    """A stream without events lacks events, an order and an end."""
    faults = parsed(stream).faults
    assert [FRAMES, ORDER, END] == [fault.rule for fault in faults]
    assert "the stream has no event" in faults[0].sentence


def test_rules_apply_to_each_stream() -> None:
    """Each rule of the grammar applies to the operations with a stream."""
    streaming = tuple(name for name, operation in operations().items() if operation.stream)
    assert streaming
    assert {streaming} == {RULES[rule].operations for rule in (FRAMES, ORDER, IDS, END)}


# Generated streams

REPEATABLE = settings(derandomize=True)

NAMES = st.sampled_from(["0", "1", "txt-é", ""])
TEXTS = st.text(max_size=8)
VALUES = st.none() | TEXTS
OTHERS = st.one_of(
    st.builds(
        lambda kind, rest: {**rest, "type": kind},
        st.sampled_from(["x", "reset-step", "of-tomorrow"]),
        st.dictionaries(st.sampled_from(["id", "delta", "data"]), VALUES, max_size=2),
    ),
    st.builds(lambda value: {"type": "data-x", "data": value}, VALUES),
    st.builds(lambda value: {"type": "message-metadata", "messageMetadata": value}, VALUES),
    st.builds(
        lambda name, text: {"type": "reasoning-delta", "id": name, "delta": text}, NAMES, TEXTS
    ),
    st.builds(
        lambda name, tool: {"type": "tool-input-start", "toolCallId": name, "toolName": tool},
        NAMES,
        TEXTS,
    ),
)
"""Events that may stand anywhere in an answer: valid ones of types that have no order."""


@st.composite
def steps(draw: st.DrawFn) -> list[Payload]:
    """Draw a step with texts that may overlap."""
    payloads = [STEP]
    active: list[str] = []
    for _ in range(draw(st.integers(0, 6))):
        name = draw(NAMES)
        if name not in active:
            active.append(name)
            payloads.append(opened(name))
        elif draw(st.booleans()):
            payloads.append(delta(draw(TEXTS), name))
        else:
            active.remove(name)
            payloads.append(ended(name))
    payloads += [ended(name) for name in draw(st.permutations(active))]
    return [*payloads, STEP_END]


@st.composite
def answers(draw: st.DrawFn) -> list[Payload]:
    """Draw the known payloads of a legal answer."""
    inner = draw(st.lists(steps(), max_size=3))
    return [START, *(payload for step in inner for payload in step), FINISH]


@st.composite
def framed(draw: st.DrawFn, payloads: list[Payload]) -> str:
    """Draw an encoding of payloads as events, with legal noise between them."""
    text = draw(st.sampled_from(["", "\ufeff"]))
    for each in [*map(json.dumps, payloads), DONE]:
        for _ in range(draw(st.integers(0, 1))):
            text += frames(draw(OTHERS))
        text += draw(st.sampled_from(["", ": ping\n", ": ping\n\n", "event: e\n", "id: 1\n\n"]))
        text += draw(st.sampled_from(["data:", "data: "])) + each + "\n"
        text += draw(st.sampled_from(["\n", "retry: 5\n\n", "\n\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))


@settings(REPEATABLE, max_examples=100)
@given(st.data())
def test_any_legal_stream_has_no_fault(data: st.DataObject) -> None:
    """A generated legal stream has no fault in any encoding, and its text is complete."""
    payloads = data.draw(answers())
    found = parsed(data.draw(framed(payloads)))
    deltas = [each["delta"] for each in payloads if each["type"] == "text-delta"]
    assert ([], "".join(deltas), len(deltas)) == (found.faults, found.text, found.deltas)


@settings(REPEATABLE, max_examples=100)
@given(st.data())
def test_any_legal_stream_may_break_off_anywhere(data: st.DataObject) -> None:
    """After an error or an abort a stream may end, with and without the terminator."""
    payloads = data.draw(answers())
    kept = payloads[: data.draw(st.integers(0, len(payloads)))]
    tail = data.draw(st.sampled_from([(ERROR,), (ERROR, DONE), (ABORT,), (ABORT, DONE)]))
    found = parsed(frames(*kept, *tail))
    assert ([], True) == (found.faults, found.broken_off)


@settings(REPEATABLE, max_examples=100)
@given(st.data())
def test_truncated_stream_has_a_fault(data: st.DataObject) -> None:
    """A stream that lacks bytes at its end is never complete."""
    stream = frames(*data.draw(answers()), DONE).encode()
    found = parsed(stream[: data.draw(st.integers(0, len(stream) - 1))])
    assert found.faults
    assert {FRAMES, END} & {fault.rule for fault in found.faults}


@settings(REPEATABLE, max_examples=100)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_can_be_parsed(content: bytes) -> None:
    """Arbitrary bytes are judged and never raise an exception."""
    assert parsed(content).faults


Mutation = Callable[[st.DataObject, list[Payload]], list[Payload | str]]


def substitute(kind: str, change: Callable[[Payload], list[Payload]]) -> Mutation:
    """Return a mutation that substitutes other payloads for one of a kind."""

    def mutate(data: st.DataObject, payloads: list[Payload]) -> list[Payload | str]:
        places = [n for n, each in enumerate(payloads) if each["type"] == kind]
        place = data.draw(st.sampled_from(places))
        return [*payloads[:place], *change(payloads[place]), *payloads[place + 1 :], DONE]

    return mutate


def drop(kind: str) -> Mutation:
    """Return a mutation that omits one payload of a kind."""
    return substitute(kind, lambda _: [])


def double(kind: str) -> Mutation:
    """Return a mutation that sends one payload of a kind twice."""
    return substitute(kind, lambda payload: [payload, payload])


def replace(kind: str, **fields: Any) -> Mutation:
    """Return a mutation that changes fields of one payload; ``...`` removes a field."""
    return substitute(
        kind, lambda payload: [{n: v for n, v in (payload | fields).items() if v is not ...}]
    )


def append(*late: Payload | str) -> Mutation:
    """Return a mutation that appends events to the answer."""
    return lambda _, payloads: [*payloads, *late]


def insert(text: str) -> Mutation:
    """Return a mutation that inserts an invalid payload anywhere."""

    def mutate(data: st.DataObject, payloads: list[Payload]) -> list[Payload | str]:
        place = data.draw(st.integers(0, len(payloads)))
        return [*payloads[:place], text, *payloads[place:], DONE]

    return mutate


MUTATIONS: dict[str, tuple[Mutation, set[str]]] = {
    "no start": (drop("start"), {ORDER}),
    "no start-step": (drop("start-step"), {ORDER}),
    # While another text is open, a piece of an unopened text has a wrong id.
    "no text-start": (drop("text-start"), {ORDER, IDS}),
    "no text-end": (drop("text-end"), {ORDER, IDS}),
    "no finish-step": (drop("finish-step"), {ORDER}),
    "no finish": (drop("finish"), {ORDER}),
    "two starts": (double("start"), {ORDER}),
    "two start-steps": (double("start-step"), {ORDER}),
    "two text-starts": (double("text-start"), {IDS}),
    "two text-ends": (double("text-end"), {ORDER}),
    "two finish-steps": (double("finish-step"), {ORDER}),
    "two finishes": (double("finish"), {ORDER}),
    "a wrong id of a piece": (replace("text-delta", id="wrong"), {IDS}),
    "no id of a piece": (replace("text-delta", id=...), {FRAMES}),
    "no text of a piece": (replace("text-delta", delta=...), {FRAMES}),
    "a number as a piece": (replace("text-delta", delta=7), {FRAMES}),
    "a number as an id": (replace("text-delta", id=7), {FRAMES}),
    "no type": (replace("text-delta", type=...), {FRAMES}),
    "no JSON": (insert("{"), {FRAMES}),
    "a list": (insert("[1]"), {FRAMES}),
    "no end": (append(), {END}),
    "two ends": (append(DONE, DONE), {END}),
    "more after the end": (append(DONE, OTHER), {END}),
    "a step after finish": (append(STEP, DONE), {ORDER}),
}


@pytest.mark.parametrize("name", MUTATIONS)
@settings(REPEATABLE, max_examples=25)
@given(data=st.data())
def test_one_fault_anywhere_breaks_its_own_rule(name: str, data: st.DataObject) -> None:
    """A single fault in a generated stream breaks only the rules about that fault."""
    mutate, rules = MUTATIONS[name]
    # At least one step has a text with a piece, so that each mutation has a target.
    before, after = data.draw(steps()), data.draw(steps())
    payloads = [START, *before, STEP, *TEXT, STEP_END, *after, FINISH]
    found = broken(frames(*mutate(data, payloads)))
    assert found
    assert set(found) <= rules


@settings(REPEATABLE, max_examples=50)
@given(st.data())
def test_merged_events_are_a_fault_of_the_frames(data: st.DataObject) -> None:
    """Without the empty line between them, two events are one event with invalid JSON."""
    payloads = [*map(json.dumps, data.draw(answers())), DONE]
    place = data.draw(st.integers(1, len(payloads) - 1))
    stream = frames(*payloads[:place])[:-1] + frames(*payloads[place:])
    assert FRAMES == broken(stream)[0]


@pytest.mark.parametrize(
    ("seconds", "first", "deltas", "expected"),
    [
        (0.4, 0.4, 100, None),
        (10.0, 10.0, 4, None),
        (10.0, 9.9, 5, True),
        (10.0, 9.0, 5, False),
        (10.0, 9.5, 5, False),
        (10.0, 0.1, 5, False),
        (0.5, 0.5, 5, True),
        (0.5, 0.4, 5, False),
        (10.0, 0.0, 5, False),
    ],
)
def test_buffered_stream_is_recognised(
    seconds: float,
    first: float,
    deltas: int,
    expected: bool | None,
) -> None:
    """Only a slow stream of several pieces shows whether it was sent at once or gradually."""
    assert expected is held_back(seconds, first, deltas)


DELTA = b'{"type":"text-delta"}'


@pytest.mark.parametrize(("chunks", "expected"), [(1, True), (14, True), (15, None), (30, None)])
def test_assistant_may_think_before_it_answers(chunks: int, expected: bool | None) -> None:
    """A chunk for each piece shows a server that has collected nothing, however late they come."""
    deltas = [len(range(number, 30, chunks)) for number in range(chunks)]
    pieces = [(3.0 + number / 10_000, len(DELTA) * each) for number, each in enumerate(deltas)]
    assert expected is held_back(3.003, 3.0, 30, pieces, DELTA * 30)
    begun = [(0.1, 10), *pieces]
    assert expected is held_back(3.003, 0.1, 30, begun, b"data: {}\n\n" + DELTA * 30)


Chunks = tuple[tuple[float, int], ...]
"""The time and the number of deltas of each chunk."""
EVEN: Chunks = tuple((number / 10, 2) for number in range(1, 11))
BURST: Chunks = tuple((1.0 + number / 1000, 4) for number in range(6))
EACH: Chunks = tuple((1.0 + number / 10_000, 1) for number in range(30))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (EVEN, False),
        (((0.1, 0), *BURST), True),
        (((0.1, 0), *BURST[:4]), None),
        (((0.1, 0), *EACH), None),
        (((0.1, 1), *EACH), True),
        (((0.1, 0), *BURST, (1.06, 0), (1.12, 0)), True),
        (((0.1, 1), (1.0, 22), (1.06, 0), (1.12, 0)), True),
        (((0.1, 0), (0.5, 0), (0.9, 0), *EACH), False),
        (((0.1, 4), (0.11, 0), *EACH), None),
        (((0.1, 4), (0.11, 0), *BURST), True),
        (((0.1, 1), *BURST[:4]), None),
        (((0.1, 8), *BURST), False),
        (((0.1, 0), (0.6, 0), *BURST), False),
        (((0.1, 0), *((0.9 + number / 100, 3) for number in range(10))), False),
        ((), False),
    ],
    ids=[
        "even",
        "burst",
        "few deltas",
        "an assistant that thinks",
        "an assistant that has begun",
        "a burst before the end",
        "one chunk before the end",
        "other events meanwhile",
        "a tool after a text",
        "a tool after a text, and a burst",
        "one that has begun, few deltas",
        "many came early",
        "no silence",
        "fast model",
        "unknown",
    ],
)
def test_burst_is_recognised(chunks: Chunks, expected: bool | None) -> None:
    """A stream whose first bytes or pieces alone come early is held back, a fast one is not."""
    bodies = [DELTA * number or b'{"type":"start"}' for _, number in chunks]
    arrivals = [(at, len(body)) for (at, _), body in zip(chunks, bodies, strict=True)]
    deltas = sum(number for _, number in chunks) or 20
    assert expected is held_back(1.01, 0.1, deltas, arrivals, b"".join(bodies))
