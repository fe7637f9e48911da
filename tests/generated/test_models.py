"""Models preserve the data that they are read from: unknown values and fields, absent fields."""

from __future__ import annotations

import copy
import enum
import inspect
import json
import pickle
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
import pytest
from openapi_python_client.strings import PythonIdentifier

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
    Qna,
    QnaAuthor,
    StartConversationRequest,
    TextPart,
    TokenUsage,
    ToolPart,
    Visitor,
)
from siteassist_spec import Body, Media
from tests.description import DOCUMENT, SPEC
from tests.generated.description import (
    CLASS_NAMES,
    OPERATIONS,
    SCHEMAS,
    schema_name,
    snake_case,
)

resolve = DOCUMENT.resolve
# These models hold a secret and refuse to be pickled.
UNPICKLED = {"InitRequest", "VisitorSession"}
# A value and a field that a later version of the service may send.
UNKNOWN = "of-tomorrow"
MORE = {"ofTomorrow": {"a": [1, None, {"b": "c"}]}}


class Example(NamedTuple):
    """A named example of the description with its schema."""

    name: str
    schema: str
    value: dict[str, Any]

    @property
    def model(self) -> Any:
        """The class of the schema."""
        return getattr(siteassist.models, CLASS_NAMES.get(self.schema, self.schema))

    def changed(self, value: Callable[[str], str], more: dict[str, Any]) -> Any:
        """Return the example with other values where there is an enum, and more fields."""
        return changed(SCHEMAS[self.schema], self.value, value, more)


def examples() -> list[Example]:
    """Return every named example of a body, once for each schema."""
    responses = [one for operation in OPERATIONS for one in operation.responses.values()]
    bodies: list[Body | Media] = [body for one in responses for body in one.media.values()]
    bodies += [one.body for one in OPERATIONS if one.body]
    found = {
        (schema_name(body.schema), name): value
        for body in bodies
        for name, value in body.examples.items()
        if isinstance(value, dict)
    }
    return [Example(name, schema, value) for (schema, name), value in found.items()]


EXAMPLES = examples()
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
    """Return ``value`` with ``word`` applied to each enum value, and more fields everywhere."""
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


# Round trips


def test_examples_cover_the_responses() -> None:
    """There is an example of every schema of an object that an operation returns."""
    expected = {
        schema_name(media.schema)
        for operation in OPERATIONS
        for response in operation.responses.values()
        for media in response.media.values()
    }
    assert expected - {"QueuedNotice", "EventStream"} <= {example.schema for example in EXAMPLES}


@each_example
def test_example_survives_a_round_trip(example: Example) -> None:
    """Reading and writing loses nothing, adds nothing and leaves the dict unchanged."""
    before = copy.deepcopy(example.value)
    model = example.model.from_dict(example.value)
    assert before == model.to_dict() == example.value
    assert model == example.model.from_dict(model.to_dict())
    assert before == json.loads(json.dumps(model.to_dict()))


@each_example
def test_unknown_fields_survive_a_round_trip(example: Example) -> None:
    """Unknown fields are kept at every level, and can be accessed like the items of a dict."""
    value = example.changed(str, MORE)
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
    example for example in EXAMPLES if UNKNOWN in json.dumps(example.changed(lambda _: UNKNOWN, {}))
]


@pytest.mark.parametrize(
    "example", WITH_ENUMS, ids=[f"{found.schema}-{found.name}" for found in WITH_ENUMS]
)
def test_unknown_enum_values_survive_a_round_trip(example: Example) -> None:
    """A value that the enum does not list is read and written unchanged."""
    value = example.changed(lambda _: UNKNOWN, MORE)
    assert value == example.model.from_dict(value).to_dict()


def test_examples_cover_the_enums() -> None:
    """The examples of the previous test contain a value of each enum of a response."""
    assert 8 <= len(WITH_ENUMS)
    met = set()

    def meet(value: str) -> str:
        met.add(value)
        return value

    for example in WITH_ENUMS:
        example.changed(meet, {})
    known: dict[str, set[Any]] = {cls.__name__: set(cls) for cls in ENUMS}
    in_requests = {"ConversationOrderBy", "OrderDirection", "MessageStatus"}
    assert [] == [name for name in known if name not in in_requests and not met & known[name]]


@each_example
@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_model_survives_copying(example: Example, way: str) -> None:
    """A copy equals its model, unknown values, unknown fields and absent fields included."""
    model = example.model.from_dict(example.changed(lambda _: UNKNOWN, MORE))
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
def test_absent_field_stays_unset_in_a_pickle(protocol: int) -> None:
    """An absent field is the constant itself after unpickling, so tests with ``is`` work."""
    value = named("NewConversation")
    for name in ("object", "isHumanHandled", "humanAgent", "messages"):
        value.pop(name)
    model = Conversation.from_dict(value)
    again = pickle.loads(pickle.dumps(model, protocol))
    assert UNSET is model.messages
    assert UNSET is again.messages is again.is_human_handled is again.human_agent
    assert model == again
    assert value == again.to_dict()


def test_optional_field_is_left_out() -> None:
    """A field without a value is ``UNSET``, of the exported type, and is not written."""
    request = StartConversationRequest()
    assert type(request.context) is Unset
    assert {} == request.to_dict()


# Enums


@each_enum
def test_known_value_is_its_member(cls: Any) -> None:
    """Each value of the description is a member, equal to its text."""
    values = SCHEMAS[cls.__name__]["enum"]
    assert values == [str(cls(value)) for value in values]
    for member in cls:
        assert member is cls(member.value) is cls(str(member)) is cls(member)
        assert member == member.value
        assert hash(member) == hash(member.value)


@each_enum
def test_unknown_value_is_a_member_that_equals_it(cls: Any) -> None:
    """An unknown value is compared, hashed, printed and serialised like a known one."""
    member = cls(UNKNOWN)
    assert {cls, str} <= set(type(member).__mro__)
    assert member == UNKNOWN
    assert UNKNOWN == member
    assert member == cls(UNKNOWN)
    assert member != cls("another")
    assert hash(UNKNOWN) == hash(member)
    assert {UNKNOWN: 1} == {member: 1}
    assert 1 == {member: 1}[UNKNOWN]
    assert 1 == len({member, UNKNOWN, cls(UNKNOWN)})
    assert (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN) == (
        member.value,
        member.name,
        str(member),
        f"{member}",
    )
    assert f'"{UNKNOWN}"' == json.dumps(member)
    assert f"<{cls.__name__}.{UNKNOWN}: '{UNKNOWN}'>" == repr(member)
    assert member not in list(cls)
    assert not any(member == known for known in cls)
    assert UNKNOWN not in cls.__members__


@each_enum
@pytest.mark.parametrize("word", [UNKNOWN, "", "Ünï cödé", "mro", "name"])
def test_unknown_value_survives_copying(cls: Any, word: str) -> None:
    """Pickles of every protocol, copies and deep copies preserve class and value."""
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
def test_enum_accepts_strings_only(cls: Any, value: object) -> None:
    """A value that is not a string raises `ValueError`, although unknown strings do not."""
    with pytest.raises(ValueError, match=re.escape(f"is not a valid {cls.__name__}")):
        cls(value)


def test_unknown_value_matches_the_last_case() -> None:
    """A ``match`` on the known members falls through to its last case."""
    match ConversationStatus(UNKNOWN):
        case ConversationStatus.OPEN | ConversationStatus.CLOSED:
            found = "known"
        case other:
            found = other
    assert UNKNOWN == found


# Two spellings of one field

CONVERSATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Conversation": (Conversation, named("NewConversation")),
    "ConversationSummary": (ConversationSummary, named("OneConversation")["data"][0]),
}
each_conversation = pytest.mark.parametrize(
    ("cls", "value"), CONVERSATIONS.values(), ids=CONVERSATIONS
)
AT = "2025-01-02T03:04:05.000Z"


@each_conversation
@pytest.mark.parametrize("spelling", ["lastInteractionAt", "lastInterationAt"])
def test_either_spelling_is_read(cls: Any, value: dict[str, Any], spelling: str) -> None:
    """Both documented spellings (docs/evidence.md, C-01) become the same attribute."""
    spelled = {**value, spelling: AT}
    if spelling != "lastInteractionAt":
        del spelled["lastInteractionAt"]
    model = cls.from_dict(spelled)
    assert (AT, {}) == (model.last_interaction_at, model.additional_properties)
    assert AT == model.to_dict()["lastInteractionAt"]
    assert model == cls.from_dict(model.to_dict())


@each_conversation
def test_newer_spelling_has_precedence(cls: Any, value: dict[str, Any]) -> None:
    """If both are present, the older spelling is kept as an unknown field."""
    both = {**value, "lastInteractionAt": AT, "lastInterationAt": "older"}
    model = cls.from_dict(both)
    assert (AT, "older") == (model.last_interaction_at, model["lastInterationAt"])
    assert both == model.to_dict()


@each_conversation
def test_one_spelling_is_required(cls: Any, value: dict[str, Any]) -> None:
    """Without either spelling, reading raises: the field is required and not nullable."""
    with pytest.raises(KeyError, match="lastInteractionAt"):
        cls.from_dict({name: item for name, item in value.items() if name != "lastInteractionAt"})


# Required fields


def nullable(schema: Any) -> bool:
    """Return whether the schema accepts null."""
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
def test_missing_nullable_field_is_null(example: Example, name: str) -> None:
    """Some documented responses leave such fields out (docs/evidence.md, C-02)."""
    value = {key: item for key, item in example.value.items() if key != name}
    model = example.model.from_dict(value)
    assert None is model.to_dict()[name]
    assert {**value, name: None} == model.to_dict()


@pytest.mark.parametrize(
    ("example", "name"), OTHERS, ids=[f"{found.name}-{name}" for found, name in OTHERS]
)
def test_missing_required_field_is_an_error(example: Example, name: str) -> None:
    """The error, which the client turns into an `APIResponseError`, names the field."""
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
    # Without a text, the part is not a text part.
    ({"type": "text"}, OtherPart),
]


def message(*parts: dict[str, Any]) -> Message:
    """Return a message with these parts."""
    value = named("QuestionAndAnswer")["data"][0]
    return Message.from_dict({**value, "parts": list(parts)})


def step(*parts: dict[str, Any], usage: dict[str, Any] | None = None) -> CompletionStep:
    """Return a step of a completion with these parts."""
    return CompletionStep.from_dict({"content": list(parts), "usage": usage or {}})


@pytest.mark.parametrize(("part", "cls"), PARTS, ids=lambda value: str(value)[:40])
def test_part_is_read_by_its_type(part: dict[str, Any], cls: type) -> None:
    """Messages and steps read the same parts, and keep unknown ones as `OtherPart`."""
    for found in (message(part).parts, step(part).content):
        assert [cls] == [type(item) for item in found]
        assert [part] == [item.to_dict() for item in found]


def test_malformed_part_is_an_error() -> None:
    """A part that is not an object, or has no type, raises."""
    with pytest.raises(TypeError):
        message("text")  # type: ignore[arg-type]  # as a service might send it
    with pytest.raises(KeyError):
        message({"text": "no type"})


def test_text_joins_the_text_parts() -> None:
    """The text of a message or a step joins its text parts in order, and skips other parts."""
    parts = [part for part, _ in PARTS]
    texts = [{"type": "text", "text": word} for word in ("It ", "is.")]
    assert "It is." == message(texts[0], parts[2], parts[4], texts[1]).text
    assert "It is." == step(texts[0], parts[6], texts[1]).text
    assert ("", "") == (message().text, step().text)


def test_completion_adds_up_its_steps() -> None:
    """A completion joins the texts of its steps and sums their tokens; it is not queued."""
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


# Other values


@pytest.mark.parametrize("value", [[], None, 5, "text", [["id", 1]]], ids=repr)
def test_model_is_read_from_an_object_only(value: Any) -> None:
    """Any other value raises an error that the client turns into an `APIResponseError`."""
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)):
        Visitor.from_dict(value)


def test_details_of_an_error_are_open() -> None:
    """Details that the service adds are kept."""
    value = named("TooManyRequests")
    value["error"]["details"] = {"retryAfter": 5, "quota": {"left": 0}}
    assert value == ErrorResponse.from_dict(value).to_dict()


# Null for optional fields


def minimal(schema: Any) -> Any:
    """Return the smallest value of a schema."""
    schema = resolve(schema)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return minimal(schema[key][0])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: minimal(properties[name]) for name in schema.get("required", ())}
    if kind == "string":
        text = "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d"
        return schema["pattern"].removeprefix("^") if "pattern" in schema else text
    return {"array": [], "boolean": False, "integer": 1, "number": 1}.get(kind, "any value")


OBJECTS = sorted(name for name, schema in SCHEMAS.items() if "properties" in schema)
OPTIONAL = [
    (name, field)
    for name in OBJECTS
    for field in SCHEMAS[name]["properties"]
    if field not in SCHEMAS[name].get("required", ())
]


@pytest.mark.parametrize(("schema", "name"), OPTIONAL)
def test_null_for_an_optional_field_is_absent(schema: str, name: str) -> None:
    """Null is read as absent, unless it is a value of the field; `to_dict` returns it as it came.

    This holds for every model, its `from_event` included.
    """
    cls = getattr(siteassist.models, CLASS_NAMES.get(schema, schema))
    given = minimal({"$ref": f"#/components/schemas/{schema}"}) | {name: None}
    for read in (cls.from_dict, getattr(cls, "from_event", cls.from_dict)):
        found = read(copy.deepcopy(given))
        python_name = str(PythonIdentifier(snake_case(name), ""))
        annotation = str(inspect.get_annotations(cls)[python_name])
        null = "None" in annotation or annotation.startswith("Any")
        assert (None if null else UNSET) is getattr(found, python_name)
        assert given == found.to_dict()
        assert given == copy.deepcopy(found).to_dict()
        assert found == cls.from_dict(found.to_dict())


def test_value_in_place_of_a_null_is_sent() -> None:
    """A value that is set later wins over the null that came."""
    author = {"object": "qna", "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d", "createdBy": None}
    qna = Qna.from_dict(
        author | dict.fromkeys(("createdAt", "updatedAt", "question", "answer"), "")
    )
    qna.created_by = QnaAuthor.from_dict({"kept": 1})
    assert {"kept": 1}.items() <= qna.to_dict()["createdBy"].items()


# Copies and access


@pytest.mark.parametrize("schema", OBJECTS)
def test_evolved_model_keeps_unknown_fields(schema: str) -> None:
    """`attrs.evolve` copies the fields that are not described, and the copy is independent."""
    cls = getattr(siteassist.models, CLASS_NAMES.get(schema, schema))
    given = minimal({"$ref": f"#/components/schemas/{schema}"}) | MORE
    first = cls.from_dict(given)
    second = attrs.evolve(first)
    assert given == second.to_dict()
    assert first == second
    second["ofTomorrow"] = 1
    assert given == first.to_dict()


@pytest.mark.skipif(not hasattr(copy, "replace"), reason="new in Python 3.13")
def test_replaced_model_keeps_unknown_fields() -> None:
    """`copy.replace` is `attrs.evolve`."""
    visitor = Visitor.from_dict(named("AnonymousVisitor") | MORE)
    replace: Any = copy.replace  # type: ignore[attr-defined]  # new in Python 3.13
    assert MORE.items() <= replace(visitor, name="Z").to_dict().items()


@pytest.mark.parametrize("schema", OBJECTS)
@pytest.mark.parametrize("use", [list, dict, iter, set], ids=lambda use: use.__name__)
def test_model_cannot_be_iterated_over(schema: str, use: Callable[[Any], object]) -> None:
    """A model is no sequence: Python's own message says so. Unknown fields are found by name."""
    cls = getattr(siteassist.models, CLASS_NAMES.get(schema, schema))
    model = cls.from_dict(minimal({"$ref": f"#/components/schemas/{schema}"}) | MORE)
    with pytest.raises(TypeError, match=f"'{cls.__name__}' object is not iterable"):
        use(model)
    assert "ofTomorrow" in model
    assert "of tomorrow" not in model
    assert MORE["ofTomorrow"] == model["ofTomorrow"]
