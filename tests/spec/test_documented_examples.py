"""``openapi.yaml`` agrees with every example that the documents print."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = YAML(typ="safe", pure=True).load(
    Path(__file__).with_name("data") / "documented_examples.yaml",
)


class Example(NamedTuple):
    """One printed example, on one page."""

    name: str
    page: str
    operation_id: str
    at: str
    value: Any
    contradicts: list[str]
    repair: list[dict[str, Any]]


EXAMPLES = [
    Example(
        entry["name"],
        page,
        operation_id,
        entry["at"],
        entry["value"],
        entry.get("contradicts", []),
        entry.get("repair", []),
    )
    for entry in DATA["examples"]
    for page, operation_id in entry["printed"].items()
] + [
    Example(f"error {status}", page, operation_id, f"response {status}", value, [], [])
    for page, operation_id in DATA["errors"]["printed"].items()
    for status, value in DATA["errors"]["examples"].items()
]
VALID = [example for example in EXAMPLES if not example.contradicts]
INVALID = [example for example in EXAMPLES if example.contradicts]
REPAIRABLE = [example for example in INVALID if example.repair]

# Examples in openapi.yaml that are copied from the documents, with their source.
COPIED = {
    "InitDevice": "init body",
    "StartOnContactPage": "start body",
    "NewConversation": "started conversation",
    "OneConversation": "listed conversations",
    "AskQuestion": "send body",
    "Answer": "whole answer",
    "MessageQueued": "queued notice",
    "CloseResolved": "close body",
    "ConversationClosed": "closed conversation",
    "LikeMessage": "feedback like",
    "RemoveFeedback": "feedback removed",
}


def label(example: Example) -> str:
    """Return the test id of an example."""
    return f"{example.page}-{example.operation_id}-{example.name}"


def patched(value: Any, operations: list[dict[str, Any]]) -> Any:
    """Apply the JSON Patch operations ``add``, ``replace`` and ``move`` to a copy."""
    root = {"": copy.deepcopy(value)}

    def parent(path: str) -> tuple[Any, Any]:
        node: Any = root
        *above, last = path.split("/")
        for key in above:
            node = node[int(key) if isinstance(node, list) else key]
        return node, last

    for operation in operations:
        new = operation.get("value")
        if operation["op"] == "move":
            holder, key = parent(operation["from"])
            new = holder.pop(key)
        holder, key = parent(operation["path"])
        holder[key] = new
    return root[""]


@pytest.fixture
def problems(
    operations: dict[str, dict[str, Any]],
    resolve: Callable[[Any], Any],
    errors_of: Callable[[Any, Any], list[str]],
    event_errors: Callable[[Any, Any], list[str]],
) -> Callable[[Example, Any], list[str]]:
    """Return a function that lists the errors of a value at the place of an example."""

    def schema_at(operation: dict[str, Any], at: str) -> Any:
        match at.split():
            case ["request"]:
                content = resolve(operation["requestBody"])["content"]
                schema = content["application/json"]["schema"]
            case ["response", status, *media_types]:
                content = resolve(operation["responses"][status])["content"]
                schema = content["".join(media_types) or "application/json"]["schema"]
            case ["event"]:
                schema = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]
            case ["parameter", name]:
                parameters = [resolve(parameter) for parameter in operation["parameters"]]
                (schema,) = [entry["schema"] for entry in parameters if entry["name"] == name]
            case ["schema", name]:
                schema = {"$ref": f"#/components/schemas/{name}"}
            case ["schema", name, field]:
                named = resolve({"$ref": f"#/components/schemas/{name}"})
                schema = named["properties"][field]
            case _:
                raise AssertionError(f"unknown place: {at}")
        return schema

    def problems(example: Example, value: Any) -> list[str]:
        schema = schema_at(operations[example.operation_id], example.at)
        if example.at == "event":
            return event_errors(schema, {"data": value})
        return errors_of(schema, value)

    return problems


@pytest.mark.parametrize("example", VALID, ids=label)
def test_printed_example_is_valid(
    example: Example,
    problems: Callable[[Example, Any], list[str]],
) -> None:
    """The example is valid at its place in ``openapi.yaml``."""
    assert problems(example, example.value) == []


@pytest.mark.parametrize("example", INVALID, ids=label)
def test_contradicting_example_is_invalid(
    example: Example,
    problems: Callable[[Example, Any], list[str]],
) -> None:
    """Each example that is listed as contradicting is still invalid."""
    assert problems(example, example.value) != []


@pytest.mark.parametrize("example", REPAIRABLE, ids=label)
def test_contradictions_are_the_only_errors(
    example: Example,
    problems: Callable[[Example, Any], list[str]],
) -> None:
    """The example is valid if all contradictions are repaired, and invalid if one is left."""
    assert len(example.repair) == len(example.contradicts)
    assert problems(example, patched(example.value, example.repair)) == []
    for left in range(len(example.repair)):
        others = example.repair[:left] + example.repair[left + 1 :]
        assert problems(example, patched(example.value, others)) != []


@pytest.mark.parametrize("example", INVALID, ids=label)
def test_contradiction_is_explained(example: Example, evidence: str) -> None:
    """Each listed contradiction has an entry in ``docs/evidence.md``."""
    for contradiction in example.contradicts:
        assert f"\n### {contradiction} " in evidence


def test_evidence_lists_the_invalid_examples(
    evidence_table: Callable[[str], list[list[str]]],
) -> None:
    """``docs/evidence.md`` lists exactly the invalid examples."""
    assert evidence_table("Printed examples that are not valid") == [
        [example.name, example.page, ", ".join(example.contradicts)] for example in INVALID
    ]


def test_examples_are_complete() -> None:
    """The data file has as many examples as the five primary pages print."""
    counted = Counter(example.page for example in EXAMPLES if example.page.startswith("P"))
    assert counted == {
        "P1": 4 + 11,  # two bodies, a URL, an answer; the errors
        "P2": 12 + 14 + 11,  # ids, bodies, fields, stream, notice; the events; the errors
        "P3": 5 + 4 + 1 + 11,  # the curl line, the defaults, an answer; the errors
        "P4": 3 + 11,  # the curl line's id and body, an answer; the errors
        "P5": 2 + 11,  # the curl line's id, an answer; the errors
    }


def test_events_make_up_the_stream() -> None:
    """The separate events are the lines of the printed stream."""
    values = {example.name: example.value for example in EXAMPLES}
    events = [example.value for example in EXAMPLES if example.at == "event"]
    assert [f"data: {event}" for event in events] == values["stream as one string"].splitlines()


def test_names_are_unique() -> None:
    """No two examples have the same name."""
    names = Counter(entry["name"] for entry in DATA["examples"])
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("status", DATA["errors"]["examples"])
def test_printed_errors_are_copied(
    status: str,
    operations: dict[str, dict[str, Any]],
    resolve: Callable[[Any], Any],
) -> None:
    """Each response with the status has exactly the printed error as its example."""
    responses = [operation["responses"].get(status) for operation in operations.values()]
    listed = [resolve(response) for response in responses if response is not None]
    assert len(listed) >= len(DATA["errors"]["printed"])
    for response in listed:
        examples = response["content"]["application/json"]["examples"].values()
        assert [resolve(example)["value"] for example in examples] == [
            DATA["errors"]["examples"][status],
        ]


@pytest.mark.parametrize("name", COPIED)
def test_example_is_copied(name: str, spec: dict[str, Any]) -> None:
    """The example in ``openapi.yaml`` is the printed one, with its contradictions repaired."""
    printed = next(example for example in EXAMPLES if example.name == COPIED[name])
    expected = patched(printed.value, printed.repair)
    assert spec["components"]["examples"][name]["value"] == expected
