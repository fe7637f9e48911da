"""``openapi.yaml`` follows the rules of its style.

A rule is a function that lists the places that break it. For every rule there is a change to
``openapi.yaml`` that the rule must detect, so that no rule passes vacuously.
"""

from __future__ import annotations

import copy
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from siteassist_spec import SPEC_PATH, Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Spec = dict[str, Any]

TOP = ["openapi", "info", "servers", "security", "tags", "paths", "components"]
OPERATION = [
    "operationId",
    "tags",
    "summary",
    "description",
    "security",
    "parameters",
    "requestBody",
    "responses",
]
ERRORS = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "402": "PaymentRequired",
    "403": "Forbidden",
    "404": "NotFound",
    "409": "Conflict",
    "422": "UnprocessableEntity",
    "429": "TooManyRequests",
    "500": "InternalServerError",
    "502": "BadGateway",
    "503": "ServiceUnavailable",
}
# Sequences of operations that the links must allow: a complete visit, and shorter ones.
SEQUENCES = [
    [
        "init",
        "startConversation",
        "sendMessage",
        "getMessages",
        "sendMessageFeedback",
        "getConversations",
        "closeConversation",
        "getConversation",
    ],
    ["init", "getMe"],
    ["startConversation", "closeConversation", "closeConversation", "sendMessage"],
    ["getProject", "getQnas", "getQna"],
]


def resolved(spec: Spec, node: Any) -> Any:
    """Follow references within the document."""
    return Document(spec).resolve(node) if isinstance(node, dict) else node


def walk(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every mapping with its path, except the values of examples."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            if path[:2] != ("components", "examples") and key not in ("examples", "example"):
                yield from walk(value, (*path, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, (*path, str(index)))


def operations_of(spec: Spec) -> dict[str, dict[str, Any]]:
    """Return the operations by their ids, also of a description that breaks rules."""
    return {
        operation["operationId"]: operation
        for item in spec["paths"].values()
        for operation in item.values()
    }


def parameters_of(spec: Spec, operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of an operation by their names."""
    parameters = [resolved(spec, parameter) for parameter in operation.get("parameters", [])]
    return {parameter["name"]: parameter for parameter in parameters}


def links_of(spec: Spec) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the id of the operation, the response and the link of every link."""
    for name, operation in operations_of(spec).items():
        for response in operation["responses"].values():
            for link in resolved(spec, response).get("links", {}).values():
                yield name, resolved(spec, response), resolved(spec, link)


def is_valid(spec: Spec) -> list[str]:
    """Require valid OpenAPI 3.1."""
    return [str(error) for error in OpenAPIV31SpecValidator(spec).iter_errors()]


def top_is_in_order(spec: Spec) -> list[str]:
    """Require the top-level keys in their fixed order."""
    return [] if list(spec) == TOP else [str(list(spec))]


def operations_are_in_order(spec: Spec) -> list[str]:
    """Require the fixed order of keys in operations, with extensions last."""
    order = {key: place for place, key in enumerate(OPERATION)}
    broken = []
    for name, operation in operations_of(spec).items():
        keys = [order.get(key, len(order) if key.startswith("x-") else -1) for key in operation]
        if keys != sorted(keys) or -1 in keys or set(OPERATION[:5]) - set(operation):
            broken.append(name)
    return broken


def security_is_repeated(spec: Spec) -> list[str]:
    """Require each operation to state its credential."""
    allowed: list[list[dict[str, list[str]]]] = [[], [{"bearerAuth": []}]]
    operations = operations_of(spec).items()
    return [name for name, operation in operations if operation.get("security") not in allowed]


def nothing_is_anonymous(spec: Spec) -> list[str]:
    """Require every object and every enum to be a component of its own."""
    broken = []
    for path, node in walk(spec):
        if path and (path[-1] == "properties" or "not" in path):  # names, or an exclusion
            continue
        named = len(path) == 3 and path[:2] == ("components", "schemas")
        needs_name = {"properties", "enum"} & set(node) or "object" in node.get("type", "")
        if needs_name and not named:
            broken.append("/".join(path))
    return broken


def nullable_is_a_union(spec: Spec) -> list[str]:
    """Require a nullable component to be ``anyOf`` of a reference and null, in this order."""
    broken = []
    for path, node in walk(spec):
        if "enum" in node and path[-1] != "properties" and None in node["enum"]:
            broken.append("/".join(path))
        branches = node.get("anyOf")
        if (
            isinstance(branches, list)
            and {"type": "null"} in branches
            and ([set(branch) for branch in branches] != [{"$ref"}, {"type"}])
        ):
            broken.append("/".join(path))
    return broken


def components_are_in_pascal_case(spec: Spec) -> list[str]:
    """Require component names in PascalCase; a security scheme keeps its usual name."""
    kinds = {kind: names for kind, names in spec["components"].items() if kind != "securitySchemes"}
    return [
        f"{kind}/{name}"
        for kind, names in kinds.items()
        for name in names
        if not re.fullmatch(r"(?:[A-Z][a-z]+)+", name)
    ]


def objects_are_open(spec: Spec) -> list[str]:
    """Require objects to allow unknown fields."""
    keywords = ("additionalProperties", "unevaluatedProperties")
    return [
        "/".join(path)
        for path, node in walk(spec)
        if any(node.get(keyword) is False for keyword in keywords)
    ]


def summaries_are_short(spec: Spec) -> list[str]:
    """Require summaries of at most 50 characters, in sentence case, without a period."""
    summary = re.compile(r"(?=.{1,50}$)[A-Z][a-z]*(?: (?:[a-z]+|Q&As?))*")
    operations = operations_of(spec).items()
    return [name for name, entry in operations if not summary.fullmatch(entry["summary"])]


def descriptions_are_sentences(spec: Spec) -> list[str]:
    """Require operations, parameters, responses, schemas and properties to be described."""
    described: dict[str, dict[str, Any]] = dict(operations_of(spec))
    for path, node in walk(spec):
        if (
            path[:2] in {("components", "schemas"), ("components", "responses")} and len(path) == 3
        ) or (len(path) > 1 and path[-2] == "parameters" and "$ref" not in node):
            described["/".join(path)] = node
        if path and path[-1] == "properties":
            for name, value in node.items():
                if "$ref" not in value:
                    described["/".join((*path, name))] = value
    return [
        name
        for name, node in described.items()
        if not re.fullmatch(r"\S.*[.`]", node.get("description", "").strip(), flags=re.DOTALL)
    ]


def errors_are_shared(spec: Spec) -> list[str]:
    """Require every error status to refer to its shared response."""
    return [
        f"{name} {status}"
        for name, operation in operations_of(spec).items()
        for status, response in operation["responses"].items()
        if not status.startswith(("1", "2"))
        and response != {"$ref": f"#/components/responses/{ERRORS.get(status)}"}
    ]


def json_comes_first(spec: Spec) -> list[str]:
    """Require JSON to be the first of several media types."""
    return [
        "/".join(path)
        for path, node in walk(spec)
        if path and path[-1] == "content" and "/" in next(iter(node), "")
        if len(node) > 1 and next(iter(node)) != "application/json"
    ]


def tags_are_declared(spec: Spec) -> list[str]:
    """Require one declared tag for each operation, and no unused tag."""
    declared = [tag["name"] for tag in spec["tags"]]
    operations = operations_of(spec).items()
    broken = [name for name, operation in operations if len(operation["tags"]) != 1]
    used = {tag for _, operation in operations for tag in operation["tags"]}
    return broken + sorted(used.symmetric_difference(declared))


def reading_is_not_writing(spec: Spec) -> list[str]:
    """Require different components for the objects of requests and of responses."""

    def reached(node: Any, names: set[str]) -> set[str]:
        for _, inner in walk(node):
            name = str(inner.get("$ref", ""))
            if name.startswith("#/components/schemas/") and name not in names:
                names.add(name)
                reached(resolved(spec, inner), names)
        return names

    written: set[str] = set()
    read: set[str] = set()
    for operation in operations_of(spec).values():
        reached(operation.get("requestBody", {}), written)
        for response in operation["responses"].values():
            reached(resolved(spec, response), read)
    return [
        name
        for name in sorted(written & read)
        if resolved(spec, {"$ref": name}).get("type") == "object"
    ]


def links_lead_somewhere(spec: Spec) -> list[str]:
    """Require the target and parameters of links to exist, and their values to fit."""
    operations = operations_of(spec)
    broken = []
    for source, response, link in links_of(spec):
        name = f"{source} to {link.get('operationId')}"
        target = operations.get(link.get("operationId", ""))
        if target is None:
            broken.append(name)
            continue
        parameters = parameters_of(spec, target)
        given = link.get("parameters", {})
        needed = {key for key, value in parameters.items() if value.get("required")}
        if needed - set(given) or set(given) - set(parameters):
            broken.append(name)
        for key, expression in given.items():
            found = expressed(spec, operations[source], response, expression)
            if found is None or found != parameters.get(key, {}).get("schema"):
                broken.append(f"{name}: {expression}")
    return broken


def expressed(
    spec: Spec,
    operation: dict[str, Any],
    response: dict[str, Any],
    expression: str,
) -> Any:
    """Return the schema of the value of a runtime expression, or None."""
    if match := re.fullmatch(r"\$request\.path\.(\w+)", expression):
        return parameters_of(spec, operation).get(match[1], {}).get("schema")
    if not (match := re.fullmatch(r"\$response\.body#/(.+)", expression)):
        return None
    node: Any = response["content"]["application/json"]["schema"]
    for key in match[1].split("/"):
        schema = resolved(spec, node)
        node = schema.get("items") if key.isdigit() else schema.get("properties", {}).get(key)
        if node is None:
            return None
    return node


def links_allow_the_sequences(spec: Spec) -> list[str]:
    """Require links for the sequences of operations in the stateful tests."""
    steps = {(source, link["operationId"]) for source, _, link in links_of(spec)}
    return [
        f"{source} to {target}"
        for sequence in SEQUENCES
        for source, target in pairwise(sequence)
        if (source, target) not in steps
    ]


def components_are_used(spec: Spec) -> list[str]:
    """Require every component to be reached from the paths."""
    used: set[str] = set()

    def follow(node: Any) -> None:
        for _, inner in walk(node):
            referring = [inner, *inner.get("examples", {}).values()]
            for name in [
                entry["$ref"] for entry in referring if isinstance(entry.get("$ref"), str)
            ]:
                if name not in used:
                    used.add(name)
                    follow(resolved(spec, {"$ref": name}))

    follow(spec["paths"])
    for operation in operations_of(spec).values():
        for choice in operation["security"]:
            used |= {f"#/components/securitySchemes/{scheme}" for scheme in choice}
    return [
        f"{kind}/{name}"
        for kind, names in spec["components"].items()
        for name in names
        if f"#/components/{kind}/{name}" not in used
    ]


def sending(spec: Spec) -> dict[str, Any]:
    """Return the operation that most of the changes below apply to."""
    operation: dict[str, Any] = operations_of(spec)["sendMessage"]
    return operation


def set_at(*path: str) -> Callable[[Spec, Any], None]:
    """Return a change that sets the value at a path."""

    def change(spec: Spec, value: Any) -> None:
        node = spec
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def reverse(mapping: dict[str, Any]) -> None:
    """Reverse the order of a mapping in place."""
    items = list(mapping.items())[::-1]
    mapping.clear()
    mapping.update(items)


SCHEMAS = ("components", "schemas")
STARTED = ("paths", "/conversations", "post", "responses", "201", "links")

# Rules, each with a change that it must detect.
RULES: list[tuple[Callable[[Spec], list[str]], Callable[[Spec], object]]] = [
    (is_valid, lambda spec: spec["info"].pop("title")),
    (is_valid, lambda spec: sending(spec).update(operationId="getMessages")),
    (top_is_in_order, reverse),
    (operations_are_in_order, lambda spec: reverse(sending(spec))),
    (operations_are_in_order, lambda spec: sending(spec).pop("description")),
    (operations_are_in_order, lambda spec: sending(spec).update(deprecated=False)),
    (security_is_repeated, lambda spec: sending(spec).pop("security")),
    (security_is_repeated, lambda spec: sending(spec).update(security=[{}])),
    (
        nothing_is_anonymous,
        lambda spec: set_at(*SCHEMAS, "Error", "properties", "error")(spec, {"type": "object"}),
    ),
    (
        nothing_is_anonymous,
        lambda spec: set_at(*SCHEMAS, "Visitor", "properties", "type")(
            spec,
            {"type": "string", "enum": ["anonymous"]},
        ),
    ),
    (
        nothing_is_anonymous,
        lambda spec: set_at(*SCHEMAS, "Error", "properties", "error")(spec, {"properties": {}}),
    ),
    (
        nothing_is_anonymous,
        lambda spec: set_at(*SCHEMAS, "MessageList", "properties", "data", "items")(
            spec,
            {"type": ["object", "null"]},
        ),
    ),
    (
        nullable_is_a_union,
        lambda spec: spec["components"]["schemas"]["Feedback"]["enum"].append(None),
    ),
    (
        nullable_is_a_union,
        lambda spec: spec["components"]["schemas"]["Message"]["properties"]["feedback"][
            "anyOf"
        ].reverse(),
    ),
    (
        components_are_in_pascal_case,
        lambda spec: set_at(*SCHEMAS, "text_part")(spec, {"type": "string"}),
    ),
    (
        components_are_in_pascal_case,
        lambda spec: set_at("components", "responses", "notFound")(spec, {}),
    ),
    (
        objects_are_open,
        lambda spec: spec["components"]["schemas"]["Error"].update(additionalProperties=False),
    ),
    (summaries_are_short, lambda spec: sending(spec).update(summary="Send a message.")),
    (summaries_are_short, lambda spec: sending(spec).update(summary="Send A Message")),
    (summaries_are_short, lambda spec: sending(spec).update(summary="Send " * 11)),
    (
        descriptions_are_sentences,
        lambda spec: spec["components"]["schemas"]["Message"].pop("description"),
    ),
    (
        descriptions_are_sentences,
        lambda spec: set_at(*SCHEMAS, "Qna", "properties", "question", "description")(spec, "It"),
    ),
    (
        descriptions_are_sentences,
        lambda spec: spec["components"]["parameters"]["Limit"].pop("description"),
    ),
    (errors_are_shared, lambda spec: sending(spec)["responses"].update({"404": {}})),
    (errors_are_shared, lambda spec: sending(spec)["responses"].update(default={})),
    (json_comes_first, lambda spec: reverse(sending(spec)["responses"]["200"]["content"])),
    (tags_are_declared, lambda spec: sending(spec)["tags"].append("Chat")),
    (tags_are_declared, lambda spec: sending(spec).update(tags=["Talk"])),
    (tags_are_declared, lambda spec: spec["tags"].append({"name": "Idle"})),
    (
        reading_is_not_writing,
        lambda spec: set_at(*SCHEMAS, "StartConversationRequest", "properties", "context")(
            spec,
            {"$ref": "#/components/schemas/Conversation"},
        ),
    ),
    (
        links_lead_somewhere,
        lambda spec: set_at(*STARTED, "sendMessage", "operationId")(spec, "sendMessages"),
    ),
    (
        links_lead_somewhere,
        lambda spec: set_at(*STARTED, "sendMessage", "parameters")(spec, {}),
    ),
    (
        links_lead_somewhere,
        lambda spec: set_at(*STARTED, "sendMessage", "parameters", "messageId")(
            spec,
            "$response.body#/id",
        ),
    ),
    (
        links_lead_somewhere,
        lambda spec: set_at(*STARTED, "sendMessage", "parameters", "conversationId")(
            spec,
            "$response.body#/data/0/id",
        ),
    ),
    (
        links_lead_somewhere,
        lambda spec: set_at(*STARTED, "sendMessage", "parameters", "conversationId")(
            spec,
            "$request.path.conversationId",
        ),
    ),
    (
        links_lead_somewhere,
        lambda spec: set_at(*STARTED, "sendMessage", "parameters", "conversationId")(
            spec,
            "$response.body#/title",
        ),
    ),
    (
        links_allow_the_sequences,
        lambda spec: set_at("components", "links", "ReadVisitor", "operationId")(spec, "search"),
    ),
    (components_are_used, lambda spec: set_at(*SCHEMAS, "Idle")(spec, {"type": "string"})),
    (
        components_are_used,
        lambda spec: set_at(*SCHEMAS, "Idle")(spec, {"$ref": "#/components/schemas/Idle"}),
    ),
    (components_are_used, lambda spec: set_at("components", "examples", "Idle")(spec, {})),
]


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in RULES), ids=lambda r: r.__name__)
def test_rule_is_kept(rule: Callable[[Spec], list[str]], spec: Spec) -> None:
    """No place in ``openapi.yaml`` breaks the rule."""
    assert rule(spec) == []


@pytest.mark.parametrize(
    ("rule", "change"),
    RULES,
    ids=[f"{rule.__name__}-{number}" for number, (rule, _) in enumerate(RULES)],
)
def test_rule_detects_violation(
    rule: Callable[[Spec], list[str]],
    change: Callable[[Spec], object],
    spec: Spec,
) -> None:
    """The rule reports a change that breaks it."""
    changed = copy.deepcopy(spec)
    change(changed)
    assert rule(changed) != []


def test_file_is_self_contained(spec: Spec) -> None:
    """Every reference is to an existing component of the same file."""
    references = [node["$ref"] for _, node in walk(spec) if isinstance(node.get("$ref"), str)]
    assert references
    for reference in references:
        assert reference.startswith("#/components/")
        assert resolved(spec, {"$ref": reference}) is not None


def test_file_has_clean_whitespace() -> None:
    """``openapi.yaml`` has no tabs or trailing spaces, and ends with one line break."""
    text = SPEC_PATH.read_text(encoding="utf-8")
    assert re.findall(r"\t|[ \r]+$", text, flags=re.MULTILINE) == []
    assert re.search(r"[^\n]\n\Z", text)
