"""The examples in ``openapi.yaml`` are valid at their places, and consistent with one another."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from siteassist_spec.document import walk
from tests.description import OPERATIONS, SPEC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from siteassist_spec import Operation


class Use(NamedTuple):
    """One example at one place."""

    place: str
    media_type: str
    schema: Any
    example: Any


def uses(node: Any, path: tuple[str, ...] = ()) -> Iterator[Use]:
    """Yield every use of an example beside a schema."""
    if isinstance(node, dict):
        if "schema" in node and "examples" in node:
            for name, example in node["examples"].items():
                yield Use("/".join((*path, name)), path[-1], node["schema"], example)
        for key, value in node.items():
            yield from uses(value, (*path, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from uses(
                value,
                (*path, str(value.get("name", index)) if isinstance(value, dict) else str(index)),
            )


USES = list(uses(SPEC))
EVENTS = [use for use in USES if use.media_type == "text/event-stream"]


@pytest.fixture
def value_of(spec: dict[str, Any]) -> Callable[[str], Any]:
    """Return a function that copies the value of a named example."""
    return lambda name: copy.deepcopy(spec["components"]["examples"][name]["value"])


@pytest.fixture
def parameter_value(spec: dict[str, Any]) -> Callable[[str], Any]:
    """Return a function that looks up the value of a shared parameter, the same in all cases."""

    def parameter_value(name: str) -> Any:
        first, *others = spec["components"]["parameters"][name]["examples"].values()
        assert all(other["value"] == first["value"] for other in others)
        return first["value"]

    return parameter_value


@pytest.fixture
def conversation_id(value_of: Callable[[str], Any]) -> str:
    """Return the id of the conversation that the examples share."""
    return str(value_of("NewConversation")["id"])


@pytest.mark.parametrize("use", USES, ids=lambda use: use.place)
def test_example_is_valid(
    use: Use,
    resolve: Callable[[Any], Any],
    errors_of: Callable[[Any, Any], list[str]],
) -> None:
    """The example has a summary, and its value is valid at this place."""
    example = resolve(use.example)
    assert set(example) == {"summary", "value"}
    assert errors_of(use.schema, example["value"]) == []


def events_of(text: str) -> list[str]:
    """Return the data of the events in a stream, which must consist of whole events."""
    *events, rest = text.split("\n\n")
    assert "" == rest
    assert all(re.fullmatch("data: .+", event) for event in events)
    return [event.removeprefix("data: ") for event in events]


@pytest.mark.parametrize("use", EVENTS, ids=lambda use: use.place)
def test_example_of_a_stream_is_one_whole_stream(
    use: Use,
    resolve: Callable[[Any], Any],
    event_errors: Callable[[Any, Any], list[str]],
) -> None:
    """Each event is valid, and the events are an answer with one text, in the documented order."""
    events = events_of(resolve(use.example)["value"])
    assert [[]] * len(events) == [event_errors(use.schema, {"data": event}) for event in events]
    assert "[DONE]" == events.pop()
    kinds = [json.loads(event)["type"] for event in events]
    deltas = kinds.count("text-delta")
    assert deltas > 1
    opening, closing = ["start", "start-step", "text-start"], ["text-end", "finish-step", "finish"]
    assert [*opening, *deltas * ["text-delta"], *closing] == kinds
    assert len({event["id"] for event in map(json.loads, events) if "id" in event}) == 1


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_examples_of_one_case_have_one_name(operation: Operation) -> None:
    """Each response of success has its request, by name, and each request its response.

    Tools pair them by these names. What an operation does not take or return needs no example.
    """
    required = [one.examples for one in operation.parameters if one.required]
    sent = {name for one in operation.parameters for name in one.examples}
    if operation.body is not None:
        required.append(operation.body.examples)
        sent |= set(operation.body.examples)
    returned = {
        name
        for response in operation.successes
        for media in response.media.values()
        for name in media.examples
    }
    if required:
        assert [] == [name for name in sorted(returned) for one in required if name not in one]
    shared = {name for one in operation.parameters for name in one.examples} - returned
    own = sent - shared if operation.body is None else set(operation.body.examples)
    assert own <= returned
    if sent:
        assert returned <= sent


@pytest.mark.parametrize("use", USES, ids=lambda use: use.place)
def test_example_could_be_invalid(
    use: Use,
    errors_of: Callable[[Any, Any], list[str]],
) -> None:
    """The schema at this place refuses some value, so that the test above can fail."""
    assert errors_of(use.schema, [None]) != []


@pytest.mark.parametrize(
    "data",
    ["Hello", "[]", "{}", '{"type":"text-delta","id":"1"}', '{"type":"error"}', '{"type":1}'],
)
def test_wrong_payload_is_invalid(
    data: str,
    event_errors: Callable[[Any, Any], list[str]],
) -> None:
    """The payload of an event is validated in addition to the event itself."""
    for use in EVENTS:
        assert event_errors(use.schema, {"data": data}) != []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("ConversationId", "123e4567-e89b-12d3-a456-42661417400"),
        ("ConversationContext", {"pageUrl": "no uri"}),
    ],
)
def test_formats_are_checked(
    schema: str,
    value: Any,
    errors_of: Callable[[Any, Any], list[str]],
) -> None:
    """A value of the wrong format is invalid."""
    assert errors_of({"$ref": f"#/components/schemas/{schema}"}, value) != []


def test_everything_has_an_example(spec: dict[str, Any]) -> None:
    """Each parameter and each body has at least one example."""
    assert [] == [
        pointer
        for pointer, node in walk(spec)
        if isinstance(node, dict) and "schema" in node and not node.get("examples")
    ]


def test_conversation_is_the_same_everywhere(
    conversation_id: str,
    value_of: Callable[[str], Any],
    parameter_value: Callable[[str], Any],
) -> None:
    """The conversation that is created is also addressed, read and listed."""
    assert parameter_value("ConversationId") == conversation_id
    assert value_of("AnsweredConversation")["id"] == conversation_id
    assert [entry["id"] for entry in value_of("OneConversation")["data"]] == [conversation_id]
    assert value_of("NotFound")["error"]["details"] == {"conversationId": conversation_id}


def test_listed_conversation_is_the_created_one(value_of: Callable[[str], Any]) -> None:
    """The list has the created conversation, with a last message in place of its messages."""
    started = value_of("NewConversation")
    (listed,) = value_of("OneConversation")["data"]
    assert started.pop("messages") == []
    assert listed.pop("lastMessage") is None
    assert listed == started


def test_messages_belong_to_the_conversation(
    conversation_id: str,
    value_of: Callable[[str], Any],
) -> None:
    """Every message has the id of the conversation, which contains all of them."""
    read = value_of("AnsweredConversation")["messages"]
    listed = value_of("QuestionAndAnswer")["data"]
    assert {message["chatId"] for message in read + listed} == {conversation_id}
    rated = [message for message in listed if message["feedback"] is not None]
    for message in rated:
        message |= {"feedback": None, "feedbackAt": None}
    assert len(rated) == 1
    assert listed == read


def test_question_is_the_one_that_was_sent(value_of: Callable[[str], Any]) -> None:
    """The message of the visitor equals the request, including the page."""
    question, _ = value_of("QuestionAndAnswer")["data"]
    sent = value_of("AskQuestion")
    assert question["role"] == "user"
    assert question["parts"] == [{"type": "text", "text": sent["content"]}]
    assert question["pageUrl"] == sent["pageContext"]["url"]
    assert question["pageTitle"] == sent["pageContext"]["title"]
    assert value_of("AskQuestionStreamed")["content"] == sent["content"]


def test_answer_is_the_one_that_was_returned(value_of: Callable[[str], Any]) -> None:
    """The message of the assistant equals the JSON answer and the streamed one."""
    _, answer = value_of("QuestionAndAnswer")["data"]
    (step,) = value_of("Answer")["steps"]
    assert answer["role"] == "assistant"
    assert answer["parts"] == step["content"]
    assert answer["parts"] == [{"type": "text", "text": streamed(value_of("StreamedAnswer"))}]
    assert value_of("OnlyAnswer")["data"] == [answer]


def test_completion_answers_its_question(value_of: Callable[[str], Any]) -> None:
    """Both completions answer the same messages with the same text, that of the Q&A."""
    whole, stream = value_of("CompleteQuestion"), value_of("CompleteQuestionStreamed")
    assert (False, True) == (whole.pop("stream"), stream.pop("stream"))
    assert whole == stream
    assert whole["messages"][-1]["content"] == value_of("ShippingQna")["question"]
    (step,) = value_of("ShippingAnswer")["steps"]
    (part,) = step["content"]
    assert value_of("ShippingQna")["answer"] == part["text"]
    assert part["text"] == streamed(value_of("StreamedShippingAnswer"))


def streamed(text: str) -> str:
    """Return the text of an answer that is streamed."""
    events = [json.loads(event) for event in events_of(text)[:-1]]
    return "".join(event["delta"] for event in events if event["type"] == "text-delta")


def test_feedback_is_the_one_that_was_submitted(
    value_of: Callable[[str], Any],
    parameter_value: Callable[[str], Any],
) -> None:
    """The answer is rated, and the list of messages has the rating with its time."""
    _, answer = value_of("QuestionAndAnswer")["data"]
    assert parameter_value("MessageId") == answer["id"]
    assert value_of("LikeMessage") == value_of("LikedMessage") == {"feedback": answer["feedback"]}
    assert value_of("RemoveFeedback") == value_of("RemovedFeedback")
    assert answer["feedbackAt"] > answer["createdAt"]


def test_times_are_in_order(value_of: Callable[[str], Any]) -> None:
    """The times of the conversation and its messages are in order, oldest message first."""
    conversation = value_of("AnsweredConversation")
    times = [message["createdAt"] for message in conversation["messages"]]
    assert value_of("NewConversation")["createdAt"] == conversation["createdAt"]
    assert sorted(times) == times
    assert conversation["createdAt"] <= times[0]
    assert conversation["lastInteractionAt"] == times[-1]


def test_visitor_is_the_same_everywhere(value_of: Callable[[str], Any]) -> None:
    """The visitor of the session is the one that is read."""
    assert value_of("AnonymousSession")["visitor"] == value_of("AnonymousVisitor")
    assert value_of("IdentifiedVisitor")["id"] != value_of("AnonymousVisitor")["id"]


def test_project_is_the_same_everywhere(
    value_of: Callable[[str], Any],
    parameter_value: Callable[[str], Any],
) -> None:
    """The key belongs to the project, whose Q&A is listed and read."""
    assert parameter_value("ApiKey") == value_of("InitDevice")["apiKey"]
    assert parameter_value("ProjectId") == value_of("DemoProject")["id"]
    assert parameter_value("QnaId") == value_of("ShippingQna")["id"]
    assert value_of("OneQna")["data"] == [value_of("ShippingQna")]


@pytest.mark.parametrize("name", ["OneConversation", "OneQna"])
def test_page_fits_its_query(
    name: str,
    value_of: Callable[[str], Any],
    parameter_value: Callable[[str], Any],
) -> None:
    """A page repeats the limit and the offset of its query, and counts its items."""
    page = value_of(name)
    assert page["limit"] == parameter_value("Limit")
    assert page["offset"] == parameter_value("Offset")
    assert page["total"] == len(page["data"])
