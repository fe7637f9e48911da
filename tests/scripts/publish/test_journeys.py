"""The Arazzo document refers to existing parts of ``openapi.yaml``, and runs on the mock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from scripts.publish.documents import as_yaml
from siteassist_mock.testing import mock_server
from siteassist_spec import Document, load_spec
from siteassist_spec.transform import dereference, rest_only, to_openapi_3_2
from tests.commands import run
from tests.description import SPEC
from tests.values import API_KEY, ROOT

PATH = ROOT / "siteassist.arazzo.yaml"
FLAT = dereference(Document(rest_only(Document(SPEC))))
DOCUMENT = load_spec(PATH)
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for item in FLAT["paths"].values()
    for operation in item.values()
}
WORKFLOWS: dict[str, dict[str, Any]] = {
    workflow["workflowId"]: workflow for workflow in DOCUMENT["workflows"]
}
STEPS = [
    pytest.param(workflow, number, id=f"{name}-{step['stepId']}")
    for name, workflow in WORKFLOWS.items()
    for number, step in enumerate(workflow["steps"])
]
BODY = "$response.body#"


def texts(value: Any) -> Iterator[str]:
    """Yield every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def given(step: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of a step, with references followed."""
    return [
        DOCUMENT["components"]["parameters"][row["reference"].rpartition(".")[2]]
        if "reference" in row
        else row
        for row in step.get("parameters", [])
    ]


def inputs(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a workflow's inputs."""
    schema = workflow.get("inputs", {})
    if "$ref" in schema:
        schema = DOCUMENT["components"]["inputs"][schema["$ref"].rpartition("/")[2]]
    assert set(schema["required"]) == set(schema["properties"])
    properties: dict[str, Any] = schema["properties"]
    return properties


def reaches(schema: dict[str, Any], pointer: str) -> bool:
    """Return whether a JSON pointer refers to a value that the schema describes."""
    step, _, rest = pointer.removeprefix("/").partition("/")
    if not step:
        return True
    if any(reaches(member, pointer) for member in schema.get("anyOf", [])):
        return True
    inner = schema.get("items") if step.isdigit() else schema.get("properties", {}).get(step)
    return inner is not None and reaches(inner, f"/{rest}" if rest else "")


def test_every_operation_has_a_journey() -> None:
    """The steps of the journeys use every operation, and no unknown one."""
    used = [step["operationId"] for flow in WORKFLOWS.values() for step in flow["steps"]]
    assert set(OPERATIONS) == set(used)


def test_journeys_refer_to_the_description() -> None:
    """The reference is relative, so that it works in `dist/`, and the versions are the same."""
    (source,) = DOCUMENT["sourceDescriptions"]
    assert "./openapi.yaml" == source["url"]
    assert (SPEC["info"]["version"], "1.0.1") == (DOCUMENT["info"]["version"], DOCUMENT["arazzo"])


@pytest.mark.parametrize(("workflow", "number"), STEPS)
def test_step_sends_a_valid_request(workflow: dict[str, Any], number: int) -> None:
    """All parameters exist, no required one is missing, and the body is valid."""
    step = workflow["steps"][number]
    operation = OPERATIONS[step["operationId"]]
    sent = {(row["in"], row["name"]) for row in given(step)}
    bearer = {("header", "Authorization")} if operation["security"] else set()
    known = {(row["in"], row["name"]) for row in operation.get("parameters", [])} | bearer
    required = {
        (row["in"], row["name"]) for row in operation.get("parameters", []) if row.get("required")
    }
    assert required | bearer <= sent <= known
    body = operation.get("requestBody", {"required": False})
    if body.get("required") or "requestBody" in step:
        media_type = step["requestBody"]["contentType"]
        schema = body["content"][media_type]["schema"]
        jsonschema_rs.Draft202012Validator(schema).validate(step["requestBody"]["payload"])


@pytest.mark.parametrize(("workflow", "number"), STEPS)
def test_step_reads_a_documented_response(workflow: dict[str, Any], number: int) -> None:
    """The expected statuses are documented, and every pointer refers to a described value."""
    step = workflow["steps"][number]
    responses = OPERATIONS[step["operationId"]]["responses"]
    conditions = " ".join(row["condition"] for row in step["successCriteria"])
    statuses = re.findall(r"\$statusCode == (\d+)", conditions)
    assert statuses
    assert set(statuses) <= set(responses)
    read = [*texts(step.get("outputs", {})), *texts(step["successCriteria"])]
    pointers = {
        pointer for text in read for pointer in re.findall(re.escape(BODY) + r"([\w/]+)", text)
    }
    schemas = [
        responses[status]["content"]["application/json"]["schema"]
        for status in statuses[:1]
        if pointers
    ]
    assert [] == [
        pointer for pointer in pointers if not all(reaches(schema, pointer) for schema in schemas)
    ]


@pytest.mark.parametrize(("workflow", "number"), STEPS)
def test_step_refers_to_known_values(workflow: dict[str, Any], number: int) -> None:
    """Inputs are declared, and outputs come from an earlier step or a required journey."""
    step = workflow["steps"][number]
    earlier = {
        f"{row['stepId']}.{name}"
        for row in workflow["steps"][:number]
        for name in row.get("outputs", {})
    }
    before = {
        f"{name}.{output}"
        for name in workflow.get("dependsOn", [])
        for output in WORKFLOWS[name]["outputs"]
    }
    used = " ".join(texts({**step, "parameters": given(step)}))
    assert set(re.findall(r"\$inputs\.(\w+)", used)) <= set(inputs(workflow))
    found = re.findall(r"\$(steps|workflows)\.(\w+)\.outputs\.(\w+)", used)
    assert {f"{name}.{output}" for kind, name, output in found if kind == "steps"} <= earlier
    assert {f"{name}.{output}" for kind, name, output in found if kind == "workflows"} <= before


def test_outputs_of_journeys_are_outputs_of_their_steps() -> None:
    """Each output of a journey refers to an output of one of its steps."""
    for workflow in WORKFLOWS.values():
        outputs = {
            f"$steps.{step['stepId']}.outputs.{name}"
            for step in workflow["steps"]
            for name in step.get("outputs", {})
        }
        assert set(workflow.get("outputs", {}).values()) <= outputs


def test_wrong_pointer_is_found() -> None:
    """The check of pointers fails at a property, at an index, and below a string."""
    schema = FLAT["components"]["schemas"]["MessageList"]
    assert reaches(schema, "/data/0/humanAgent/name")
    assert not reaches(schema, "/data/0/unknown")
    assert not reaches(schema, "/0/data")
    assert not reaches(schema, "/data/0/id/x")


def test_journeys_run_on_the_mock(node_bin: Path, tmp_path: Path) -> None:
    """Redocly's runner, which validates each response, passes all journeys."""
    (tmp_path / PATH.name).write_bytes(PATH.read_bytes())
    # In OpenAPI 3.1, the runner applies the schema of one event to the whole stream.
    (tmp_path / "openapi.yaml").write_bytes(as_yaml(to_openapi_3_2(Document(SPEC))))
    with mock_server(strict=True) as url, httpx.Client(base_url=url) as client:
        session = client.post("/identity/init", json={"apiKey": API_KEY, "saVid": "device-1"})
        token = session.json()["sessionToken"]
        bearer = {"Authorization": f"Bearer {token}"}
        conversation = client.post("/conversations", headers=bearer).json()["id"]
        control = f"{url.removesuffix('/v2')}/_mock/conversations/{conversation}/handover"
        client.post(control, json={"name": "Ann"}).raise_for_status()
        given_inputs = {
            "apiKey": API_KEY,
            "deviceId": "device-1",
            "sessionToken": token,
            "handedOverId": conversation,
            "expiredToken": "expired",
        }
        done = run(
            [
                *(str(node_bin / "redocly"), "respect", str(tmp_path / PATH.name)),
                f"--server=siteassist={url}",
                *(f"--input={name}={value}" for name, value in given_inputs.items()),
            ],
            env={**os.environ, "REDOCLY_TELEMETRY": "off"},
        )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"Workflows: {len(WORKFLOWS)} passed" in re.sub(r"\x1b\[\d*m", "", done.stdout)
