"""The forms of the description suit their generators, and lose as little as possible."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from scripts.languages.descriptions import (
    FORMS,
    description_for,
    with_one_answer,
    with_plain_unions,
    with_types_for_typify,
    without_negations,
)
from siteassist_spec import METHODS, Document
from siteassist_spec.transform import rest_only, to_openapi_3_0
from tests.description import DOCUMENT, SPEC

REST = Document(rest_only(DOCUMENT))


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    """Yield ``node`` and all mappings below it, other than examples."""
    if isinstance(node, list):
        for item in node:
            yield from schemas_in(item)
    elif isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key != "value":
                yield from schemas_in(value)


def keys_of(description: dict[str, Any]) -> set[str]:
    """Return every key in ``description``."""
    return {key for schema in schemas_in(description) for key in schema}


@pytest.mark.parametrize("generator", ["", "oapi-codegen"])
def test_other_generators_get_the_original(generator: str) -> None:
    """A generator without a form of its own gets the description without the socket."""
    assert REST.raw == description_for(generator, DOCUMENT)


@pytest.mark.parametrize("generator", FORMS)
def test_form_is_a_valid_description(generator: str) -> None:
    """The form is valid in its version of OpenAPI, and the original is unchanged."""
    before = copy.deepcopy(SPEC)
    validate(description_for(generator, DOCUMENT))
    assert before == SPEC


@pytest.mark.parametrize("generator", FORMS)
def test_form_has_every_operation_and_field(generator: str) -> None:
    """A form drops no operation and no field of a schema."""
    form = description_for(generator, DOCUMENT)
    assert list(REST.raw["paths"]) == list(form["paths"])
    for name, schema in SPEC["components"]["schemas"].items():
        fields = set(schema.get("properties", {}))
        assert fields <= set(form["components"]["schemas"][name].get("properties", {})), name


def with_schemas(**schemas: Any) -> Document:
    """Return a description that consists of schemas."""
    return Document({"openapi": "3.1.0", "components": {"schemas": schemas}})


def test_form_for_progenitor_is_derived_from_openapi_3_0() -> None:
    """The form differs from the published OpenAPI 3.0 by its own three steps only."""
    steps = (without_negations, with_types_for_typify, with_one_answer, to_openapi_3_0)
    assert steps == FORMS["progenitor"]
    form = description_for("progenitor", DOCUMENT)
    published = to_openapi_3_0(Document(with_one_answer(REST)))
    assert published["info"] == form["info"]
    assert {"oneOf"} == keys_of(form) - keys_of(published)
    assert {"not", "anyOf"} == keys_of(published) - keys_of(form)


def test_form_for_progenitor_names_what_openapi_3_0_inlines() -> None:
    """Each enum or null has the name of the enum as its title, and nothing else has one."""
    schemas = description_for("progenitor", DOCUMENT)["components"]["schemas"]
    titles = [one["title"] for one in schemas_in(schemas) if isinstance(one.get("title"), str)]
    assert [] == [title for title in titles if "enum" not in schemas[title]]
    assert "Feedback" == schemas["Message"]["properties"]["feedback"]["title"]
    unions = {name: schema["oneOf"] for name, schema in schemas.items() if "oneOf" in schema}
    assert {
        name: schema["anyOf"]
        for name, schema in REST.raw["components"]["schemas"].items()
        if "anyOf" in schema
    } == unions


def test_plain_union_is_an_object_with_all_fields() -> None:
    """A part of a message becomes one object with the fields of all kinds of parts."""
    part = with_plain_unions(DOCUMENT)["components"]["schemas"]["MessagePart"]
    assert ["type", "text", "state", "output"] == list(part["properties"])
    assert ("object", ["type"]) == (part["type"], part["required"])
    assert {"type": "string", "description": "Names the type of this part."} == part["properties"][
        "type"
    ]


def test_plain_union_does_not_restrict_conflicting_fields() -> None:
    """A field that the alternatives describe differently accepts any value."""
    one = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    two = {"type": "object", "properties": {"a": {"type": "number", "description": "A."}}}
    plain = with_plain_unions(with_schemas(Either={"oneOf": [one, two]}))
    expected = {"type": "object", "required": [], "properties": {"a": {}}}
    assert expected == plain["components"]["schemas"]["Either"]


def test_plain_unions_keep_nullable_fields() -> None:
    """A union of a schema and null is unchanged, and every other one is made plain."""
    schemas = SPEC["components"]["schemas"]
    plain = with_plain_unions(DOCUMENT)["components"]["schemas"]
    feedback = schemas["Message"]["properties"]["feedback"]
    assert feedback == plain["Message"]["properties"]["feedback"]
    assert "string" == plain["StreamEvent"]["properties"]["data"]["type"]
    assert {"description"} == set(plain["EventStream"])
    assert "not" not in keys_of(plain)


def test_plain_unions_accept_every_example() -> None:
    """Each example that is valid in the original is valid in the plain form."""
    plain = with_plain_unions(DOCUMENT)
    seen = 0
    for holder in schemas_in(plain["paths"]):
        for content in holder.get("content", {}).values():
            schema = {**content["schema"], "components": plain["components"]}
            validator = jsonschema_rs.Draft202012Validator(schema)
            for reference in content["examples"].values():
                name = reference["$ref"].rpartition("/")[2]
                validator.validate(plain["components"]["examples"][name]["value"])
                seen += 1
    assert 30 <= seen


def test_nested_unions_are_made_plain() -> None:
    """A property of an alternative may itself be a union."""
    inner = {"anyOf": [{"type": "string", "const": "x"}, {"type": "string"}]}
    one = {"type": "object", "properties": {"a": inner}}
    document = with_schemas(One=one, Either={"oneOf": [{"$ref": "#/components/schemas/One"}, one]})
    plain = with_plain_unions(document)["components"]["schemas"]["Either"]
    assert {"type": "object", "required": [], "properties": {"a": {"type": "string"}}} == plain


def test_negations_are_removed() -> None:
    """The keyword `not` is removed; a property or an example of that name stays."""
    document = Document(
        {
            "components": {
                "schemas": {
                    "a": {"anyOf": [{"not": {"const": 1}, "type": "string"}]},
                    "b": {"properties": {"not": {"type": "string"}}},
                },
                "examples": {"c": {"value": {"not": 1}}},
            }
        }
    )
    assert {
        "schemas": {
            "a": {"anyOf": [{"type": "string"}]},
            "b": {"properties": {"not": {"type": "string"}}},
        },
        "examples": {"c": {"value": {"not": 1}}},
    } == without_negations(document)["components"]


def test_each_operation_has_one_type_of_success() -> None:
    """All successes of an operation have the same JSON schema; errors are unchanged."""
    single = with_one_answer(REST)
    sent = single["paths"]["/conversations/{conversationId}/messages"]["post"]["responses"]
    assert ["application/json"] == list(sent["200"]["content"])
    assert "202" not in sent
    assert "404" in sent
    assert {"200", "201"} <= set(single["paths"]["/identity/init"]["post"]["responses"])
    for path in single["paths"].values():
        for operation in (path[method] for method in METHODS if method in path):
            kinds = [
                content["schema"]
                for status, response in operation["responses"].items()
                if status[0] == "2"
                for content in response["content"].values()
            ]
            assert all(kinds[0] == kind for kind in kinds)
