"""Every published form supports every kind of operation without a change of code."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import (
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)

from scripts import diff
from scripts.languages.descriptions import FORMS, description_for
from scripts.languages.every_field import program
from scripts.publish.__main__ import documents
from scripts.publish.collection import as_collection, in_order
from siteassist_spec import Document, read_operations
from siteassist_spec.samples import code_samples
from siteassist_spec.transform import dereference, to_openapi_3_0, to_openapi_3_2
from tests.commands import run
from tests.description import SPEC

ADDED = ("deleteConversation", "replaceTitle", "touchConversation")


def with_operations() -> Document:
    """Add a DELETE with a header, a PUT with a body, and a PATCH without either."""
    spec = copy.deepcopy(SPEC)
    item = spec["paths"]["/conversations/{conversationId}"]
    common: dict[str, Any] = {
        key: item["get"][key] for key in ("tags", "description", "security", "parameters")
    }
    refused = {"401": item["get"]["responses"]["401"]}
    empty = {"204": {"description": "Done."}, **refused}
    header = {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The version.",
        "schema": {"type": "string"},
        "examples": {"version": {"value": "v1"}},
    }
    item["delete"] = {
        **copy.deepcopy(common),
        "operationId": ADDED[0],
        "summary": "Delete a conversation",
        "responses": copy.deepcopy(empty),
    }
    item["delete"]["parameters"].append(header)
    schema = {"$ref": "#/components/schemas/Title"}
    content = {"application/json": {"schema": schema, "examples": {"a": {"value": {"title": "A"}}}}}
    item["put"] = {
        **copy.deepcopy(common),
        "operationId": ADDED[1],
        "summary": "Replace the title",
        "requestBody": {"required": True, "content": copy.deepcopy(content)},
        "responses": {
            "200": {"description": "The title.", "content": copy.deepcopy(content)},
            **copy.deepcopy(refused),
        },
    }
    item["patch"] = {
        **copy.deepcopy(common),
        "operationId": ADDED[2],
        "summary": "Touch a conversation",
        "responses": copy.deepcopy(empty),
    }
    spec["components"]["schemas"]["Title"] = {
        "type": "object",
        "description": "A title.",
        "required": ["title"],
        "properties": {"title": {"type": "string"}},
    }
    return Document(spec)


DOCUMENT = with_operations()
SAMPLES = code_samples(DOCUMENT)


def test_all_forms_are_valid() -> None:
    """The forms for each version of OpenAPI and for each generator are valid."""
    for validator, form in (
        (OpenAPIV31SpecValidator, DOCUMENT.raw),
        (OpenAPIV30SpecValidator, to_openapi_3_0(DOCUMENT)),
        (OpenAPIV32SpecValidator, to_openapi_3_2(DOCUMENT)),
        (OpenAPIV31SpecValidator, description_for("openapi-generator", DOCUMENT)),
        (OpenAPIV30SpecValidator, description_for("progenitor", DOCUMENT)),
    ):
        assert [] == [error.message for error in validator(form).iter_errors()]
        methods = form["paths"]["/conversations/{conversationId}"]
        assert {"get", "delete", "put", "patch"} == set(methods)
        assert {"description": "Done."} == methods["delete"]["responses"]["204"]
    # The form "openapi-3.0" is that for OpenAPI 3.0 above.
    assert {"openapi-3.0", "openapi-generator", "progenitor"} == set(FORMS)
    flat = dereference(DOCUMENT)["paths"]["/conversations/{conversationId}"]
    assert ["conversationId", "If-Match"] == [one["name"] for one in flat["delete"]["parameters"]]


def test_new_operations_are_published() -> None:
    """The documents contain the new operations, and the reference has their samples."""
    files = documents(DOCUMENT)
    for name in ADDED:
        assert name.encode() in files["openapi-3.2.0.yaml"]
    page = files["reference/index.html"].decode()
    assert "client.delete_conversation(" in page


def test_collection_deletes_at_the_end() -> None:
    """The DELETE comes last: earlier, it would remove the object that other requests need."""
    ordered = [one.operation_id for one in in_order(read_operations(DOCUMENT).values())]
    assert ADDED[0] == ordered[-1]
    items = {item["name"]: item for item in as_collection(DOCUMENT)["item"]}
    deleting = items["Delete a conversation"]
    assert "DELETE" == deleting["request"]["method"]
    assert [{"key": "If-Match", "value": "v1", "description": "The version."}] == deleting[
        "request"
    ]["header"]
    assert (
        "  pm.expect(pm.response.code).to.be.oneOf([204]);"
        in deleting["event"][0]["script"]["exec"]
    )
    assert '{\n  "title": "A"\n}' == items["Replace the title"]["request"]["body"]["raw"]
    assert "body" not in items["Touch a conversation"]["request"]


def test_samples_have_methods_headers_and_bodies() -> None:
    """The samples send what the operation takes, and do not read an empty response."""
    python, curl, script = (sample.source for sample in SAMPLES[ADDED[0]])
    path = "/conversations/123e4567-e89b-12d3-a456-426614174000"
    assert (
        """\
    client.delete_conversation(
        "123e4567-e89b-12d3-a456-426614174000",
        if_match="v1",
    )
"""
        in python
    )
    assert f"{path} \\\n  --request DELETE \\\n" in curl
    assert "--header 'If-Match: v1'\n" in curl
    assert '    "If-Match": "v1",\n' in script
    assert script.endswith("}\nconsole.log(response.status);\n")
    python, curl, script = (sample.source for sample in SAMPLES[ADDED[1]])
    assert '        title="A",\n    )\n    print(result)\n' in python
    assert "--request PUT" in curl
    assert "--data '{" in curl
    assert "await response.json()" in script
    _, curl, _ = (sample.source for sample in SAMPLES[ADDED[2]])
    assert "--request PATCH" in curl
    assert "--data" not in curl


def test_paging_parameters_can_be_renamed() -> None:
    """The samples find a list by ``x-page``, not by the names of its parameters."""
    text = json.dumps(SPEC).replace('"offset"', '"skip"').replace('"limit"', '"take"')
    spec = json.loads(text)
    for item in spec["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                if "x-page" in response:
                    page = response["x-page"]
                    response["x-page"] = {
                        {"skip": "offset", "take": "limit"}.get(key, key): value
                        for key, value in page.items()
                    }
    (python, *_) = code_samples(Document(spec))["getConversations"]
    assert "    for item in client.get_conversations(" in python.source


def test_new_operations_are_not_breaking() -> None:
    """`make diff` lists each new operation as a change that is not breaking."""
    if shutil.which("go") is None:
        pytest.skip("no Go on this machine")
    changes = diff.compare(dict(SPEC), dict(DOCUMENT.raw))
    assert set(ADDED) == {change.operation for change in changes if change.operation}
    assert {1} == {change.level for change in changes if change.operation}


def test_every_field_compiles(node_bin: Path, tmp_path: Path) -> None:
    """The types of openapi-typescript are those that the program expects."""
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT.raw))
    text = program(DOCUMENT)
    assert 'same<operations["deleteConversation"]["responses"][204]["content"], undefined>' in text
    (tmp_path / "every_field.ts").write_text(text)
    generate = (
        "openapi-typescript",
        str(tmp_path / "openapi.json"),
        "--default-non-nullable=false",
    )
    programs = (str(tmp_path / "types.ts"), str(tmp_path / "every_field.ts"))
    for command in (
        (*generate, "--output", programs[0]),
        ("tsc", "--strict", "--noEmit", *programs),
    ):
        done = run([node_bin / command[0], *command[1:]])
        assert 0 == done.returncode, done.stdout + done.stderr
