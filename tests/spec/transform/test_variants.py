"""The transformed descriptions accept and refuse the same payloads as the original."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import (
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)

from siteassist_spec import Document, SpecError
from siteassist_spec.transform import (
    UnknownConstructError,
    dereference,
    rebuild,
    rest_only,
    to_openapi_3_0,
    to_openapi_3_2,
)
from tests.description import DOCUMENT, OPERATIONS, SPEC, WEBSOCKETS

FLAT = dereference(DOCUMENT)
OLDER = to_openapi_3_0(DOCUMENT)
NEWER = to_openapi_3_2(DOCUMENT)
NAMES = list(SPEC["components"]["schemas"])
STREAM = "text/event-stream"


def in_draft_4(schema: Any) -> Any:
    """Convert a schema of OpenAPI 3.0.3 to JSON Schema, with ``nullable`` meaning "or null".

    That is how tools read it, also beside ``allOf``, ``enum`` and nothing at all. The other
    differences, keywords beside `$ref` and boolean bounds, do not occur.
    """
    if isinstance(schema, list):
        return [in_draft_4(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {key: in_draft_4(value) for key, value in schema.items()}
    if converted.pop("nullable", False):
        return {"anyOf": [converted, {"type": "null"}]}
    return converted


def by_the_letter(schema: Any) -> Any:
    """Spell ``nullable`` as OpenAPI 3.0.3 demands: beside a ``type``, and with null in an enum."""
    if isinstance(schema, list):
        return [by_the_letter(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {key: by_the_letter(value) for key, value in schema.items()}
    if converted.get("nullable") is True and "type" not in converted:
        del converted["nullable"]
        return {"anyOf": [converted, {"type": "object", "nullable": True, "enum": [None]}]}
    if converted.get("nullable") is True and "enum" in converted:
        converted["enum"] = [*converted["enum"], None]
    return converted


def of_json_schema(description: Mapping[str, Any], name: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of one component of OpenAPI 3.1 or 3.2."""
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": description["components"]},
        validate_formats=False,
    )


def of_openapi_3_0(name: str) -> jsonschema_rs.Draft4Validator:
    """Return a validator of one component of OpenAPI 3.0.3."""
    components = {"schemas": in_draft_4(OLDER["components"]["schemas"])}
    return jsonschema_rs.Draft4Validator(
        {"$ref": f"#/components/schemas/{name}", "components": components},
        # By default, Draft 4 checks formats and Draft 2020-12 does not.
        validate_formats=False,
    )


ORIGINAL = {name: of_json_schema(SPEC, name) for name in NAMES}
OTHERS: dict[str, dict[str, Callable[[Any], bool]]] = {
    name: {
        "3.0.3": of_openapi_3_0(name).is_valid,
        "3.2.0": of_json_schema(NEWER, name).is_valid,
        "dereferenced": of_json_schema(FLAT, name).is_valid,
    }
    for name in NAMES
}

# Arbitrary values, and values that are easily confused.
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 1001)
    # In 3.0, 1.0 is not an integer, since it has a decimal point.
    | st.floats(-9, 9, width=16).filter(lambda number: not number.is_integer())
    | st.sampled_from(["", "text", "tool-x", "data-x", "[DONE]", "null", "like", "a" * 101]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "id", "x", "name"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def valid(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for payloads that mostly fit a schema without references."""
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if union := schema.get("anyOf", schema.get("oneOf")):
        return st.one_of([valid(member) for member in union])
    types = schema.get("type", "anything")
    return st.one_of(
        [typed(kind, schema) for kind in (types if isinstance(types, list) else [types])]
    )


def typed(kind: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for payloads that mostly fit one type of a schema."""
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -2), schema.get("maximum", 2))
        case "number":
            return st.integers(schema.get("minimum", -2), schema.get("maximum", 2)) | st.just(8.5)
        case "string":
            shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 1)
            words = ["text", "tool-x", "start", "data-x", "else"]
            return st.sampled_from([*words, "a" * shortest, "a" * longest, "a" * (longest + 1)])
        case "array":
            return st.lists(valid(schema["items"]), max_size=2)
        case "object":
            required = schema.get("required", [])
            fields = {name: valid(field) for name, field in schema.get("properties", {}).items()}
            return st.fixed_dictionaries(
                {name: fields[name] for name in fields if name in required},
                optional={name: fields[name] for name in fields if name not in required},
            )
        case _:
            return ANYTHING


@st.composite
def spoilt(draw: st.DrawFn, payloads: st.SearchStrategy[Any]) -> Any:
    """Draw a payload in which one value is removed, added or replaced."""
    payload = copy.deepcopy(draw(payloads))
    found = list(places(payload)) if isinstance(payload, (dict, list)) else []
    if not found:
        return draw(ANYTHING)
    container, key, _ = draw(st.sampled_from(found))
    action = draw(st.sampled_from(["replace", "remove", "add"]))
    if action == "replace":
        container[key] = draw(ANYTHING)
    elif action == "remove":
        del container[key]
    elif isinstance(container, list):
        container.append(draw(ANYTHING))
    else:
        container["unknown"] = draw(ANYTHING)
    return payload


def payloads(name: str) -> st.SearchStrategy[Any]:
    """Return a strategy for payloads of a component: fitting, spoilt and arbitrary ones."""
    fitting = valid(FLAT["components"]["schemas"][name])
    return fitting | spoilt(fitting) | ANYTHING


@pytest.mark.no_cover  # The descriptions were transformed when this module was imported.
@pytest.mark.parametrize("name", NAMES)
def test_variants_judge_as_the_original(name: str) -> None:
    """All four descriptions accept, or all refuse, each payload; both outcomes occur."""
    verdicts = set()

    @settings(max_examples=200, database=None, derandomize=True)
    @given(payload=payloads(name))
    def compare(payload: Any) -> None:
        expected = ORIGINAL[name].is_valid(payload)
        verdicts.add(expected)
        judged = {version: judge(payload) for version, judge in OTHERS[name].items()}
        assert dict.fromkeys(OTHERS[name], expected) == judged

    compare()
    assert {True, False} == verdicts


def test_formats_are_kept() -> None:
    """All descriptions have the same formats, which the comparison of payloads leaves out."""
    found: dict[str, list[tuple[str, str]]] = {}
    for version, description in (("3.1.0", SPEC), ("3.0.3", OLDER), ("3.2.0", NEWER)):
        found[version] = [
            (str(path), container[key])
            for container, key, path in places(description["components"]["schemas"])
            if key == "format" and isinstance(container[key], str)
        ]
    assert len(found["3.1.0"]) > 8
    assert found["3.1.0"] == found["3.0.3"] == found["3.2.0"]


def places(value: Any, path: tuple[str, ...] = ()) -> Any:
    """Yield the container, the key and the path of every place in ``value``."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key, (*path, str(key))
        if isinstance(item, (dict, list)):
            yield from places(item, (*path, str(key)))


def examples() -> list[tuple[str, Any]]:
    """Return the examples of bodies, each with the name of its schema."""
    found: list[tuple[str, Any]] = []

    def look(kind: str, node: dict[str, Any], _: Any) -> dict[str, Any]:
        if kind == "MediaType" and "$ref" in node.get("schema", {}):
            name = node["schema"]["$ref"].rpartition("/")[2]
            for example in node["examples"].values():
                example_name = example["$ref"].rpartition("/")[2]
                found.append((name, SPEC["components"]["examples"][example_name]["value"]))
        return node

    rebuild(DOCUMENT, look)
    return found


def test_openapi_3_0_validator_agrees() -> None:
    """A validator for OpenAPI 3.0 accepts all examples, and null exactly where it is allowed."""
    flat = dereference_any(OLDER, OLDER)
    schemas = by_the_letter(flat["components"]["schemas"])
    pairs = examples()
    assert len(pairs) > 40
    refused = [name for name, value in pairs if not OAS30Validator(schemas[name]).is_valid(value)]
    assert [] == refused
    assert OAS30Validator(schemas["MessageFeedback"]).is_valid({"feedback": None})
    assert not OAS30Validator(schemas["MessageFeedback"]).is_valid({"feedback": {}})
    assert not OAS30Validator(schemas["Feedback"]).is_valid(None)
    assert not OAS30Validator(schemas["HumanAgent"]).is_valid(None)


def dereference_any(description: Any, node: Any) -> Any:
    """Replace every reference within a description of any version."""
    if isinstance(node, list):
        return [dereference_any(description, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = description
        for step in node["$ref"].split("/")[1:]:
            target = target[step]
        return dereference_any(description, target)
    return {key: dereference_any(description, value) for key, value in node.items()}


def test_variants_are_valid() -> None:
    """Each description is valid for its version of OpenAPI."""
    OpenAPIV30SpecValidator(OLDER).validate()
    OpenAPIV31SpecValidator(FLAT).validate()
    OpenAPIV32SpecValidator(NEWER).validate()
    assert ("3.0.3", "3.1.0", "3.2.0") == (OLDER["openapi"], FLAT["openapi"], NEWER["openapi"])


def test_dereferenced_description_has_no_references() -> None:
    """The dereferenced description has the same content without references."""
    assert '"$ref"' not in json.dumps(FLAT)
    assert dereference_any(SPEC, SPEC) == FLAT


def test_3_0_has_no_newer_keywords() -> None:
    """The 3.0 description has no keyword of 3.1, and keeps all operations and components."""
    words = json.dumps(OLDER)
    for key in ("const", "contentSchema", "contentMediaType", "identifier"):
        assert f'"{key}"' not in words
    for key in ("responses", "parameters", "examples", "links", "schemas", "securitySchemes"):
        assert list(SPEC["components"][key]) == list(OLDER["components"][key])
    assert {
        path: {method: list(operation["responses"]) for method, operation in item.items()}
        for path, item in SPEC["paths"].items()
    } == {
        path: {method: list(operation["responses"]) for method, operation in item.items()}
        for path, item in OLDER["paths"].items()
    }
    data = OLDER["components"]["schemas"]["StreamEvent"]["properties"]["data"]["anyOf"][1]
    assert {"type": "string", "description": "A `StreamPayload`, written as JSON."} == data
    assert {"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"} == OLDER["info"]["license"]
    assert OLDER["info"]["description"].startswith(f"{SPEC['info']['summary']}\n\nA website")


def test_3_2_describes_the_items_of_streams() -> None:
    """The schema of an event becomes ``itemSchema``; the examples have both forms of values."""
    streaming = [operation for operation in OPERATIONS.values() if operation.stream]
    assert streaming
    for operation in streaming:
        item = NEWER["paths"][operation.path][operation.method.lower()]
        media = item["responses"]["200"]["content"]
        assert {"$ref": "#/components/schemas/StreamEvent"} == media[STREAM]["itemSchema"]
        assert "schema" not in media[STREAM]
        assert "itemSchema" not in media["application/json"]
    example = SPEC["components"]["examples"]["StreamedAnswer"]
    events = [line.removeprefix("data: ") for line in example["value"].split("\n\n")[:-1]]
    assert {
        "summary": example["summary"],
        "dataValue": [{"data": event} for event in events],
        "serializedValue": example["value"],
    } == NEWER["components"]["examples"]["StreamedAnswer"]
    assert SPEC["components"]["schemas"] == NEWER["components"]["schemas"]


def with_schema(schema: Any) -> Document:
    """Return the description with the additional component ``New``."""
    spec = copy.deepcopy(SPEC)
    spec["components"]["schemas"]["New"] = schema
    return Document(spec)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"prefixItems": []}, "New/prefixItems: `prefixItems` is not supported in a Schema"),
        ({"type": ["string", "integer"]}, "New/type: OpenAPI 3.0 allows only one type"),
        ({"const": None}, "New/const: only a string, number or boolean is supported"),
        ({"const": {"a": 1}}, "New/const: only a string, number or boolean is supported"),
        ({"contentMediaType": "text/html"}, "New: only JSON with a named schema is supported"),
        ({"$ref": "#/x", "title": "A"}, "New/title: `title` is not supported in a Reference"),
        ([], "New: a Schema must be a mapping"),
    ],
)
def test_construct_without_3_0_equivalent_is_an_error(schema: Any, message: str) -> None:
    """No construct is dropped silently; the message names it and its place."""
    with pytest.raises(UnknownConstructError) as caught:
        to_openapi_3_0(with_schema(schema))
    assert f"#/components/schemas/{message}" == str(caught.value)


def test_booleans_are_schemas() -> None:
    """Boolean schemas are the same in all versions."""
    schema = {"type": "object", "additionalProperties": False}
    older = to_openapi_3_0(with_schema(schema))
    assert schema == older["components"]["schemas"]["New"]


def test_null_and_lists_of_types_are_converted_to_3_0() -> None:
    """Null becomes a nullable enum, a list with one type that type, a union nullable."""

    def converted(schema: Any) -> Any:
        return to_openapi_3_0(with_schema(schema))["components"]["schemas"]["New"]

    null = {"type": "object", "nullable": True, "enum": [None]}
    assert null == converted({"type": "null"}) == converted({"type": ["null"]})
    assert null == converted({"anyOf": [{"type": "null"}]})
    assert {"type": "string"} == converted({"type": ["string"]})
    agent, feedback = ({"$ref": f"#/components/schemas/{name}"} for name in ("Qna", "Feedback"))
    none = {"type": "null"}
    assert {"nullable": True, "allOf": [agent]} == converted({"anyOf": [agent, none]})
    assert {"nullable": True, "anyOf": [agent, feedback]} == converted(
        {"anyOf": [agent, none, feedback]}
    )
    assert {
        "type": "string",
        "nullable": True,
        "enum": ["like", "dislike"],
        "description": "Mine.",
    } == converted({"description": "Mine.", "anyOf": [feedback, none]})
    assert {"description": "Any.", "nullable": True} == converted({"description": "Any."})


def test_handshake_is_left_out() -> None:
    """Tools for requests get the same description without the operation that opens a socket."""
    rest = rest_only(DOCUMENT)
    kept = [one["operationId"] for item in rest["paths"].values() for one in item.values()]
    assert list(OPERATIONS) == kept
    assert SPEC["components"] == rest["components"]
    assert WEBSOCKETS
    assert all(operation.path not in rest["paths"] for operation in WEBSOCKETS.values())
    spec = copy.deepcopy(SPEC)
    (socket,) = WEBSOCKETS.values()
    spec["paths"][socket.path]["post"] = spec["paths"].pop("/identity/init")["post"] | {
        "parameters": spec["paths"][socket.path]["get"]["parameters"]
    }
    assert ["post"] == list(rest_only(Document(spec))["paths"][socket.path])


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "#/components/schemas/New"}, "#/components/schemas/New refers to itself"),
        ({"$ref": "#/components/schemas/None"}, "cannot resolve #/components/schemas/None"),
        ({"$ref": "other.yaml#/New"}, "cannot resolve other.yaml#/New"),
    ],
)
def test_unresolvable_reference_is_an_error(schema: Any, message: str) -> None:
    """The error names the place of the reference and its target."""
    with pytest.raises(SpecError) as caught:
        dereference(with_schema(schema))
    assert f"#/components/schemas/New: {message}" == str(caught.value)


@pytest.mark.parametrize(
    "value", ["data: a\ndata: b\n\n", "id: 1\ndata: a\n\n", "data: a", ": a\n\n", ""]
)
def test_event_with_other_fields_is_an_error(value: str) -> None:
    """Events with several lines or other fields, and incomplete streams, are not supported."""
    spec = copy.deepcopy(SPEC)
    spec["components"]["examples"]["StreamedAnswer"]["value"] = value
    with pytest.raises(UnknownConstructError, match="StreamedAnswer: only events with a single"):
        to_openapi_3_2(Document(spec))


def test_event_used_in_another_media_type_is_an_error() -> None:
    """An example cannot be both an event of a stream and a JSON body."""
    spec = copy.deepcopy(SPEC)
    responses = spec["paths"]["/chat/completions"]["post"]["responses"]["200"]["content"]
    streamed = {"$ref": "#/components/examples/StreamedShippingAnswer"}
    responses["application/json"]["examples"]["x"] = streamed
    with pytest.raises(
        UnknownConstructError,
        match="StreamedShippingAnswer: the example is also used for a media type other than",
    ):
        to_openapi_3_2(Document(spec))


def test_recursive_schema_is_an_error() -> None:
    """The error names the reference that closes the cycle."""
    schema = {"properties": {"next": {"items": {"$ref": "#/components/schemas/New"}}}}
    with pytest.raises(UnknownConstructError, match="/items: #/components/schemas/New contains"):
        dereference(with_schema(schema))


def test_example_that_looks_like_a_reference_is_unchanged() -> None:
    """The value of an example is data, so that a ``$ref`` in it is not followed."""
    spec = copy.deepcopy(SPEC)
    value = {"$ref": "#/nowhere", "const": 1, "type": ["string", "null"]}
    spec["components"]["examples"]["SearchAnswer"] = {"value": value}
    spec["components"]["responses"]["BadRequest"]["content"]["application/json"]["examples"] = {
        "x": {"$ref": "#/components/examples/SearchAnswer"}
    }
    changed = Document(spec)
    flat = dereference(changed)["components"]
    assert value == flat["examples"]["SearchAnswer"]["value"]
    examples_of = flat["responses"]["BadRequest"]["content"]["application/json"]["examples"]
    assert {"x": {"value": value}} == examples_of
    assert value == to_openapi_3_0(changed)["components"]["examples"]["SearchAnswer"]["value"]


@pytest.mark.parametrize("value", ["x", 1, 1.5, True])
def test_constant_is_an_enum_of_one_in_3_0(value: Any) -> None:
    """A constant that is a string, number or boolean becomes an enum with one value."""
    older = to_openapi_3_0(with_schema({"description": "One.", "const": value}))
    assert {"description": "One.", "enum": [value]} == older["components"]["schemas"]["New"]


def test_errors_name_the_line(tmp_path: Path) -> None:
    """The error of a description that comes from a file has line and column."""
    path = tmp_path / "openapi.yaml"
    path.write_text("openapi: 3.1.0\ninfo:\n  license:\n    name: MIT\n    other: x\n")
    with pytest.raises(UnknownConstructError) as caught:
        dereference(Document.load(path))
    assert str(caught.value).startswith(f"{path}:5:5: `other` is not supported")
