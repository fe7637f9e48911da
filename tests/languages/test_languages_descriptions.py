"""The forms of the description have no words that their generators do not know, and lose little."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from scripts.languages.descriptions import (
    FORMS,
    METHODS,
    description_for,
    for_openapi_3_0,
    with_one_answer,
    with_plain_unions,
    without_negations,
)
from siteassist_spec import load_spec

SPEC = load_spec()


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
def test_most_generators_get_what_is_written(generator: str) -> None:
    """A form is the exception."""
    assert SPEC == description_for(generator, SPEC)


@pytest.mark.parametrize("generator", FORMS)
def test_form_is_a_valid_description(generator: str) -> None:
    """What comes out is OpenAPI of the version that it says, and the original stays as it was."""
    before = copy.deepcopy(SPEC)
    validate(description_for(generator, SPEC))
    assert before == SPEC


@pytest.mark.parametrize("generator", FORMS)
def test_form_has_every_operation_and_field(generator: str) -> None:
    """No operation and no field of a schema gets lost."""
    form = description_for(generator, SPEC)
    assert list(SPEC["paths"]) == list(form["paths"])
    for name, schema in SPEC["components"]["schemas"].items():
        fields = set(schema.get("properties", {}))
        assert fields <= set(form["components"]["schemas"][name].get("properties", {})), name


def test_openapi_3_0_has_no_word_of_3_1() -> None:
    """Neither `const` nor the type `null` nor the content of strings is left."""
    lowered = for_openapi_3_0(SPEC)
    assert "3.0.3" == lowered["openapi"]
    assert set() == keys_of(lowered) & {"const", "contentMediaType", "contentSchema", "identifier"}
    types = [schema.get("type") for schema in schemas_in(lowered)]
    assert "null" not in types
    assert not [kind for kind in types if isinstance(kind, list)]


def test_openapi_3_0_says_the_same_in_its_own_words() -> None:
    """A constant is an enum of one, and null is allowed by `nullable`."""
    before = {
        "one": {"const": "x"},
        "text": {"type": ["string", "null"]},
        "maybe": {"anyOf": [{"$ref": "#/a"}, {"type": "null"}]},
        "either": {"anyOf": [{"$ref": "#/a"}, {"$ref": "#/b"}, {"type": "null"}]},
        "both": {"anyOf": [{"$ref": "#/a"}, {"$ref": "#/b"}]},
        "shown": {"value": {"const": "x"}},
    }
    after = {
        "one": {"enum": ["x"]},
        "text": {"type": "string", "nullable": True},
        "maybe": {"allOf": [{"$ref": "#/a"}], "nullable": True},
        "either": {"anyOf": [{"$ref": "#/a"}, {"$ref": "#/b"}], "nullable": True},
        "both": {"anyOf": [{"$ref": "#/a"}, {"$ref": "#/b"}]},
        "shown": {"value": {"const": "x"}},
    }
    lowered = for_openapi_3_0({"info": {}, "components": {"schemas": before}})
    assert after == lowered["components"]["schemas"]


def test_plain_union_is_an_object_with_all_fields() -> None:
    """A part of a message is one class, whose kind decides what else it has."""
    part = with_plain_unions(SPEC)["components"]["schemas"]["MessagePart"]
    assert ["type", "text", "state", "output"] == list(part["properties"])
    assert ("object", ["type"]) == (part["type"], part["required"])
    assert {"type": "string", "description": "Names the type of this part."} == part["properties"][
        "type"
    ]


def test_plain_union_of_different_fields_leaves_them_open() -> None:
    """A field that the alternatives describe differently may be anything."""
    one = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    two = {"type": "object", "properties": {"a": {"type": "number", "description": "A."}}}
    schemas = {"Either": {"oneOf": [one, two]}}
    plain = with_plain_unions({"components": {"schemas": schemas}})
    expected = {"type": "object", "required": [], "properties": {"a": {}}}
    assert expected == plain["components"]["schemas"]["Either"]


def test_plain_unions_keep_what_may_be_null() -> None:
    """Only unions of objects, or of strings, are made plain."""
    schemas = SPEC["components"]["schemas"]
    plain = with_plain_unions(SPEC)["components"]["schemas"]
    feedback = schemas["Message"]["properties"]["feedback"]
    assert feedback == plain["Message"]["properties"]["feedback"]
    assert "string" == plain["StreamEvent"]["properties"]["data"]["type"]
    assert "not" not in keys_of(plain)


def test_plain_unions_accept_every_example() -> None:
    """Whatever a server may send by the original, a client by the plain form expects."""
    plain = with_plain_unions(SPEC)
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


def test_negations_are_left_out() -> None:
    """A name that is another one's `not` is a keyword; an example is left alone."""
    before = {"a": [{"not": {"const": 1}, "type": "string"}], "value": {"not": 1}}
    assert {"a": [{"type": "string"}], "value": {"not": 1}} == without_negations(before)


def test_one_answer_is_json() -> None:
    """No operation has more than one kind of success; errors and all else stay."""
    single = with_one_answer(SPEC)
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
