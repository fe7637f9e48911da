"""Models keep what they were made from: unknown words, unknown fields, what is left out."""

from __future__ import annotations

import copy
import enum
import json
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import siteassist.models
from siteassist import UNSET, Unset
from siteassist.models import (
    Completion,
    CompletionStep,
    Conversation,
    ConversationStatus,
    ConversationSummary,
    ErrorResponse,
    Message,
    OtherPart,
    StartConversationRequest,
    TextPart,
    TokenUsage,
    ToolPart,
    Visitor,
)
from siteassist_spec import Document

DOCUMENT = Document.load()
SPEC = DOCUMENT.raw
SCHEMAS = SPEC["components"]["schemas"]
CLASSES = {"Error": "ErrorResponse"}
# These hold a secret, and refuse.
UNPICKLED = {"InitRequest", "VisitorSession"}
TOMORROW = "of-tomorrow"
MORE = {"ofTomorrow": {"a": [1, None, {"b": "c"}]}}


def resolve(node: Any) -> Any:
    """Follow the ``$ref`` of a node, if it is one."""
    return DOCUMENT.resolve(node)


class Example(NamedTuple):
    """A named example of the description, and the schema that it is of."""

    name: str
    schema: str
    value: dict[str, Any]

    @property
    def model(self) -> Any:
        """The class that reads it."""
        return getattr(siteassist.models, CLASSES.get(self.schema, self.schema))


def examples() -> Iterator[Example]:
    """Yield every named example of a body, once for each schema."""
    seen: set[tuple[str, str]] = set()
    for item in SPEC["paths"].values():
        for operation in item.values():
            bodies = [resolve(found) for found in operation["responses"].values()]
            bodies += [resolve(operation["requestBody"])] if "requestBody" in operation else []
            for body in bodies:
                for media in body["content"].values():
                    schema = media["schema"]["$ref"].rpartition("/")[2]
                    for reference in media.get("examples", {}).values():
                        name = reference["$ref"].rpartition("/")[2]
                        value = resolve(reference)["value"]
                        if isinstance(value, dict) and (name, schema) not in seen:
                            seen.add((name, schema))
                            yield Example(name, schema, value)


EXAMPLES = list(examples())
each_example = pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{found.schema}-{found.name}" for found in EXAMPLES]
)
ENUMS = sorted(
    (
        found
        for found in (getattr(siteassist.models, name) for name in siteassist.models.__all__)
        if isinstance(found, enum.EnumMeta)
    ),
    key=lambda found: found.__name__,
)
each_enum = pytest.mark.parametrize("cls", ENUMS)


def named(name: str) -> dict[str, Any]:
    """Return a copy of a named example of the description."""
    value: dict[str, Any] = copy.deepcopy(SPEC["components"]["examples"][name]["value"])
    return value


def changed(schema: Any, value: Any, word: Callable[[str], str], more: dict[str, Any]) -> Any:
    """Return ``value`` with other words where there is an enum, and more fields everywhere."""
    schema = resolve(schema)
    if value is None:
        return None
    if "enum" in schema:
        return word(value)
    if isinstance(value, list):
        return [changed(schema["items"], item, word, more) for item in value]
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        inside = {
            name: changed(properties[name], item, word, more) if name in properties else item
            for name, item in value.items()
        }
        return inside | copy.deepcopy(more)
    variants = schema.get("anyOf", schema.get("oneOf", []))
    for variant in variants:
        if "enum" in resolve(variant):
            return word(value)
    return value


def words(value: Any) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, dict):
        return [found for item in value.values() for found in words(item)]
    if isinstance(value, list):
        return [found for item in value for found in words(item)]
    return [value] if isinstance(value, str) else []


# Round trips


def test_examples_cover_the_answers() -> None:
    """Every kind of body that an operation takes or gives is among them."""
    expected = {
        media["schema"]["$ref"].rpartition("/")[2]
        for item in SPEC["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        for media in resolve(response).get("content", {}).values()
    }
    assert expected - {"QueuedNotice"} <= {example.schema for example in EXAMPLES}


@each_example
def test_example_survives_a_round_trip(example: Example) -> None:
    """Nothing is lost, nothing is added, and the dict that was read is as it was."""
    before = copy.deepcopy(example.value)
    model = example.model.from_dict(example.value)
    assert before == model.to_dict() == example.value
    assert model == example.model.from_dict(model.to_dict())
    # It can be sent as it is.
    assert before == json.loads(json.dumps(model.to_dict()))


@each_example
def test_unknown_fields_survive_a_round_trip(example: Example) -> None:
    """On every level; they can be read like the items of a dict."""
    value = changed({"$ref": f"#/components/schemas/{example.schema}"}, example.value, str, MORE)
    model = example.model.from_dict(value)
    assert value == model.to_dict()
    assert MORE["ofTomorrow"] == model["ofTomorrow"]
    assert "ofTomorrow" in model
    assert ["ofTomorrow"] == model.additional_keys
    model["ofTomorrow"] = 1
    assert 1 == model.to_dict()["ofTomorrow"]
    del model["ofTomorrow"]
    assert "ofTomorrow" not in model.to_dict()


WITH_ENUMS = [
    example
    for example in EXAMPLES
    if TOMORROW
    in words(
        changed(
            {"$ref": f"#/components/schemas/{example.schema}"},
            example.value,
            lambda _: TOMORROW,
            {},
        )
    )
]


@pytest.mark.parametrize(
    "example", WITH_ENUMS, ids=[f"{found.schema}-{found.name}" for found in WITH_ENUMS]
)
def test_unknown_words_survive_a_round_trip(example: Example) -> None:
    """Wherever the description lists words, another one is read and written."""
    schema = {"$ref": f"#/components/schemas/{example.schema}"}
    value = changed(schema, example.value, lambda _: TOMORROW, MORE)
    assert value == example.model.from_dict(value).to_dict()


def test_many_examples_have_words_from_a_list() -> None:
    """The test above has something to test: each enum of an answer is met."""
    assert 8 <= len(WITH_ENUMS)
    met = set()
    for example in WITH_ENUMS:

        def word(known: str) -> str:
            met.add(known)
            return known

        changed({"$ref": f"#/components/schemas/{example.schema}"}, example.value, word, {})
    known: dict[str, set[Any]] = {cls.__name__: set(cls) for cls in ENUMS}
    asked_for = {"ConversationOrderBy", "OrderDirection", "MessageStatus"}
    assert [] == [name for name in known if name not in asked_for and not met & known[name]]


@each_example
@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_model_survives_copying(example: Example, way: str) -> None:
    """With unknown words and fields, and with what was left out still left out."""
    schema = {"$ref": f"#/components/schemas/{example.schema}"}
    model = example.model.from_dict(changed(schema, example.value, lambda _: TOMORROW, MORE))
    if way == "pickle" and example.schema in UNPICKLED:
        with pytest.raises(TypeError, match=f"{example.schema} holds a secret"):
            pickle.dumps(model)
        return
    ways: dict[str, Callable[[Any], Any]] = {
        "pickle": lambda found: pickle.loads(pickle.dumps(found)),
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
    }
    again = ways[way](model)
    assert model is not again
    assert (model, model.to_dict()) == (again, again.to_dict())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_left_out_stays_left_out_in_a_pickle(protocol: int) -> None:
    """It is the constant itself, which tests with `is` find."""
    value = named("NewConversation")
    for name in ("object", "isHumanHandled", "humanAgent", "messages"):
        value.pop(name)
    model = Conversation.from_dict(value)
    again = pickle.loads(pickle.dumps(model, protocol))
    assert UNSET is model.messages
    assert UNSET is again.messages is again.is_human_handled is again.human_agent
    assert model == again
    assert value == again.to_dict()
    assert UNSET is pickle.loads(pickle.dumps(UNSET, protocol))
    assert UNSET is copy.copy(UNSET) is copy.deepcopy(UNSET)


def test_what_is_left_out_is_false_and_says_what_it_is() -> None:
    """So that ``value or default`` reads well."""
    assert not UNSET
    assert ("UNSET", Unset) == (repr(UNSET), type(UNSET))
    assert {} == StartConversationRequest().to_dict()


# Enums


@each_enum
def test_known_word_is_its_member(cls: Any) -> None:
    """By the word that travels; all words are those of the description."""
    assert SCHEMAS[cls.__name__]["enum"] == [
        str(cls(word)) for word in SCHEMAS[cls.__name__]["enum"]
    ]
    for member in cls:
        assert member is cls(member.value) is cls(str(member)) is cls(member)
        assert member == member.value
        assert hash(member) == hash(member.value)


@each_enum
def test_unknown_word_is_a_member_that_equals_it(cls: Any) -> None:
    """It can be compared, hashed, printed, written and passed on like any other."""
    member = cls(TOMORROW)
    assert {cls, str} <= set(type(member).__mro__)
    assert member == TOMORROW
    assert TOMORROW == member
    assert member == cls(TOMORROW)
    assert member != cls("another")
    assert hash(TOMORROW) == hash(member)
    assert {TOMORROW: 1} == {member: 1}
    assert 1 == {member: 1}[TOMORROW]
    assert 1 == len({member, TOMORROW, cls(TOMORROW)})
    assert (TOMORROW, TOMORROW, TOMORROW, TOMORROW) == (
        member.value,
        member.name,
        str(member),
        f"{member}",
    )
    assert f'"{TOMORROW}"' == json.dumps(member)
    assert f"<{cls.__name__}.{TOMORROW}: '{TOMORROW}'>" == repr(member)
    assert member not in list(cls)
    assert not any(member == known for known in cls)
    assert TOMORROW not in cls.__members__


@each_enum
@pytest.mark.parametrize("word", [TOMORROW, "", "Ünï cödé", "mro", "name"])
def test_unknown_word_survives_copying(cls: Any, word: str) -> None:
    """In every protocol, and in both kinds of copies."""
    member = cls(word)
    ways: list[Any] = [
        pickle.loads(pickle.dumps(member, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    ways += [copy.copy(member), copy.deepcopy(member)]
    assert [(cls, word)] * len(ways) == [(type(found), found.value) for found in ways]
    assert [member] * len(ways) == ways


@each_enum
@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, b"open"], ids=repr)
def test_what_is_no_word_is_no_member(cls: Any, value: object) -> None:
    """A service that sends a number sends something else."""
    with pytest.raises(ValueError, match=re.escape(f"is not a valid {cls.__name__}")):
        cls(value)


def test_unknown_word_leads_to_the_last_case() -> None:
    """A program that lists the known words goes on with the rest."""
    match ConversationStatus(TOMORROW):
        case ConversationStatus.OPEN | ConversationStatus.CLOSED:
            found = "known"
        case other:
            found = other
    assert TOMORROW == found


# Two spellings of one field

OF_CONVERSATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Conversation": (Conversation, named("NewConversation")),
    "ConversationSummary": (ConversationSummary, named("OneConversation")["data"][0]),
}
each_conversation = pytest.mark.parametrize(
    ("cls", "value"), OF_CONVERSATIONS.values(), ids=OF_CONVERSATIONS
)
AT = "2025-01-02T03:04:05.000Z"


@each_conversation
@pytest.mark.parametrize("spelling", ["lastInteractionAt", "lastInterationAt"])
def test_either_spelling_is_read(cls: Any, value: dict[str, Any], spelling: str) -> None:
    """The documents have both (docs/evidence.md, C-01); a program sees one."""
    spelled = {**value, spelling: AT}
    if spelling != "lastInteractionAt":
        del spelled["lastInteractionAt"]
    model = cls.from_dict(spelled)
    assert (AT, {}) == (model.last_interaction_at, model.additional_properties)
    assert AT == model.to_dict()["lastInteractionAt"]
    assert model == cls.from_dict(model.to_dict())


@each_conversation
def test_newer_spelling_wins_if_both_are_there(cls: Any, value: dict[str, Any]) -> None:
    """And the older one is kept as an unknown field."""
    both = {**value, "lastInteractionAt": AT, "lastInterationAt": "older"}
    model = cls.from_dict(both)
    assert (AT, "older") == (model.last_interaction_at, model["lastInterationAt"])
    assert both == model.to_dict()


@each_conversation
def test_neither_spelling_is_an_error(cls: Any, value: dict[str, Any]) -> None:
    """The field is required, and null is not among its values."""
    with pytest.raises(KeyError, match="lastInteractionAt"):
        cls.from_dict({name: item for name, item in value.items() if name != "lastInteractionAt"})


# What must be there


def nullable(schema: Any) -> bool:
    """Tell whether null is among the values of a schema."""
    schema = resolve(schema)
    kinds = schema.get("type", [])
    if "null" in (kinds if isinstance(kinds, list) else [kinds]):
        return True
    return any(nullable(variant) for variant in schema.get("anyOf", []))


REQUIRED = [
    (example, name, nullable(SCHEMAS[example.schema]["properties"][name]))
    for example in EXAMPLES
    for name in SCHEMAS[example.schema].get("required", [])
]
NULLABLE = [(example, name) for example, name, null in REQUIRED if null]
OTHERS = [(example, name) for example, name, null in REQUIRED if not null]


@pytest.mark.parametrize(
    ("example", "name"), NULLABLE, ids=[f"{found.name}-{name}" for found, name in NULLABLE]
)
def test_missing_field_that_may_be_null_counts_as_null(example: Example, name: str) -> None:
    """Some answers in the documents leave it out (docs/evidence.md, C-02)."""
    value = {key: item for key, item in example.value.items() if key != name}
    model = example.model.from_dict(value)
    assert None is model.to_dict()[name]
    assert {**value, name: None} == model.to_dict()


@pytest.mark.parametrize(
    ("example", "name"), OTHERS, ids=[f"{found.name}-{name}" for found, name in OTHERS]
)
def test_missing_field_that_may_not_be_null_is_an_error(example: Example, name: str) -> None:
    """The client makes it an `APIResponseError` that names the field."""
    with pytest.raises(KeyError, match=name):
        example.model.from_dict({key: item for key, item in example.value.items() if key != name})


# Parts

PARTS: list[tuple[dict[str, Any], type]] = [
    ({"type": "text", "text": "Hello."}, TextPart),
    ({"type": "text", "text": "", "state": "done"}, TextPart),
    ({"type": "tool-search", "toolCallId": "c", "state": "output-available"}, ToolPart),
    ({"type": "tool-", "toolCallId": "c", "state": "of-tomorrow", "output": None}, ToolPart),
    ({"type": "reasoning", "text": "Hm."}, OtherPart),
    ({"type": "source-url", "sourceId": "s", "url": "https://example.com"}, OtherPart),
    ({"type": "of-tomorrow", "a": {"b": [1]}}, OtherPart),
    ({"type": "tool"}, OtherPart),
    ({"type": "mytool-x", "toolCallId": "c", "state": "s"}, OtherPart),
    # A text without words is none.
    ({"type": "text"}, OtherPart),
]


def message(*parts: dict[str, Any]) -> Message:
    """Return a message with these parts."""
    value = named("QuestionAndAnswer")["data"][0]
    return Message.from_dict({**value, "parts": list(parts)})


def step(*parts: dict[str, Any], usage: dict[str, Any] | None = None) -> CompletionStep:
    """Return a step of an answer with these parts."""
    return CompletionStep.from_dict({"content": list(parts), "usage": usage or {}})


@pytest.mark.parametrize(("part", "cls"), PARTS, ids=lambda value: str(value)[:40])
def test_part_is_read_by_its_type(part: dict[str, Any], cls: type) -> None:
    """In a message as in a step of an answer; what is not known is another part, and kept."""
    for found in (message(part).parts, step(part).content):
        assert [cls] == [type(item) for item in found]
        assert [part] == [item.to_dict() for item in found]


def test_part_that_is_no_object_is_an_error() -> None:
    """The client makes it an `APIResponseError`."""
    with pytest.raises(TypeError):
        message("text")  # type: ignore[arg-type]  # as a service might send it
    with pytest.raises(KeyError):
        message({"text": "no type"})


def test_text_of_a_message_is_all_its_texts() -> None:
    """In order, without what is no text."""
    parts = [part for part, _ in PARTS]
    texts = [{"type": "text", "text": word} for word in ("It ", "is.")]
    assert "It is." == message(texts[0], parts[2], parts[4], texts[1]).text
    assert "It is." == step(texts[0], parts[6], texts[1]).text
    assert ("", "") == (message().text, step().text)


def test_answer_adds_up_its_steps() -> None:
    """Words and tokens; an answer is not queued."""
    value = named("Answer")
    first = {"content": [{"type": "text", "text": "It "}], "usage": {"inputTokens": 3, "new": 1}}
    second = {
        "content": [{"type": "text", "text": "is."}],
        "usage": {"inputTokens": 4, "outputTokens": 2, "kind": "x"},
    }
    answer = Completion.from_dict({**value, "steps": [first, second]})
    assert ("It is.", False) == (answer.text, answer.queued)
    assert isinstance(answer.usage, TokenUsage)
    expected = {"inputTokens": 7, "outputTokens": 2, "new": 1, "kind": "x"}
    assert expected == answer.usage.to_dict()
    empty = Completion.from_dict({**value, "steps": []})
    assert ("", {}) == (empty.text, empty.usage.to_dict())


def test_answer_of_the_description_adds_up() -> None:
    """The example's own words and tokens."""
    value = named("Answer")
    answer = Completion.from_dict(value)
    assert answer.text == "".join(
        part.get("text", "") for found in value["steps"] for part in found["content"]
    )
    assert value["steps"][0]["usage"].keys() <= answer.usage.to_dict().keys()


# Events

PAYLOADS = [found["$ref"].rpartition("/")[2] for found in SCHEMAS["StreamPayload"]["oneOf"]]


def smallest(name: str) -> dict[str, Any]:
    """Return an event of a schema with its required fields only."""
    fields = SCHEMAS[name]["properties"]
    return {
        field: resolve(fields[field]).get("const", f"the {field}")
        for field in SCHEMAS[name]["required"]
    }


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("more", [{}, MORE, {"providerMetadata": {"x": {"y": 1}}}], ids=str)
def test_event_is_read_the_same_way_fast_or_slow(name: str, more: dict[str, Any]) -> None:
    """What streams use is a short cut, and changes nothing, not even what it reads."""
    cls = getattr(siteassist.models, name)
    event = {**smallest(name), **copy.deepcopy(more)}
    before = copy.deepcopy(event)
    fast, slow = cls.from_event(event), cls.from_dict(event)
    assert fast == slow
    assert before == event == fast.to_dict() == slow.to_dict()
    assert fast == pickle.loads(pickle.dumps(fast))
    assert repr(fast) == repr(slow)


@pytest.mark.parametrize("name", PAYLOADS)
def test_event_without_a_required_field_is_an_error(name: str) -> None:
    """The short cut is no way around."""
    cls = getattr(siteassist.models, name)
    for field in SCHEMAS[name]["required"]:
        event = {key: value for key, value in smallest(name).items() if key != field}
        for read in (cls.from_event, cls.from_dict):
            with pytest.raises(KeyError, match=field):
                read(event)


# Reading what is none


@pytest.mark.parametrize("value", [[], None, 5, "text", [["id", 1]]], ids=repr)
def test_what_is_no_object_is_no_model(value: Any) -> None:
    """The client makes it an `APIResponseError`."""
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)):
        Visitor.from_dict(value)


def test_details_of_an_error_are_open() -> None:
    """Whatever a service adds there is kept."""
    value = named("TooManyRequests")
    value["error"]["details"] = {"retryAfter": 5, "quota": {"left": 0}}
    assert value == ErrorResponse.from_dict(value).to_dict()
