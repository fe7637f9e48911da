"""The schema of ``summary.json`` describes each kind of report, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest

from siteassist_contract.findings import LAYERS
from siteassist_contract.report import summary
from siteassist_contract.report.summary import Report
from siteassist_contract.verdict import ExitStatus, InternalError
from tests.contract.report.sample_reports import BROKEN, ELSEWHERE, KNOWN, report

STEPS: dict[str, Any] = {"planned": ["a", "b"], "unfinished": {"b": "not begun"}}
REPORTS = {
    "kept": report(notes=["one"]),
    "broken": report(BROKEN, KNOWN, ELSEWHERE),
    "accepted": report(KNOWN),
    "incomplete": report(status=ExitStatus.INCOMPLETE, problem="the server went away", **STEPS),
    "allowed": report(status=ExitStatus.INCOMPLETE, allowed=True, **STEPS),
    "internal error": report(BROKEN, status=ExitStatus.INTERNAL_ERROR, error=InternalError("x")),
    "no rows": report(status=ExitStatus.INTERNAL_ERROR, error=InternalError("x"), rows=[]),
    "interrupted": report(status=ExitStatus.INTERRUPTED, **STEPS),
    "narrowed": report(selection="--only me"),
    "recording": replace(report(), seed=None, time_limit=None),
}


@pytest.fixture(scope="module")
def schema() -> Any:
    """Return the schema."""
    folder = resources.files("siteassist_contract.report")
    return json.loads(folder.joinpath("summary.schema.json").read_text("utf-8"))


def objects(schema: Any) -> list[dict[str, Any]]:
    """Return all schemas of objects with named properties."""
    return [schema, *schema["$defs"].values()]


def test_schema_is_valid_and_strict(schema: Any) -> None:
    """The schema is valid, allows no other key, requires each, and describes each in words."""
    jsonschema_rs.meta.validate(schema)
    for each in objects(schema):
        assert each["additionalProperties"] is False
        assert sorted(each["properties"]) == sorted(each["required"])
        for name, value in each["properties"].items():
            assert "description" in value, name


@pytest.mark.parametrize("kind", REPORTS)
def test_schema_describes_each_kind_of_report(kind: str, schema: Any) -> None:
    """The document of each kind of report is valid, as it is written."""
    written = json.loads(json.dumps(summary.document(REPORTS[kind])))
    assert [] == [each.message for each in jsonschema_rs.validator_for(schema).iter_errors(written)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("version", 1), ("verdict", "not run"), ("exit_status", 4), ("line", ""), ("more", 1)],
)
def test_schema_refuses_other_values(key: str, value: object, schema: Any) -> None:
    """A value or a key that no report has is not valid."""
    changed = json.loads(json.dumps(summary.document(report()))) | {key: value}
    assert not jsonschema_rs.is_valid(schema, changed)


def test_schema_names_each_value(schema: Any) -> None:
    """The schema has the verdicts, the exit statuses, the layers and the version of the code."""
    properties = schema["properties"]
    assert [status.words for status in ExitStatus] == properties["verdict"]["enum"]
    assert [int(status) for status in ExitStatus] == properties["exit_status"]["enum"]
    layers = schema["$defs"]["violation"]["properties"]["layer"]["enum"]
    assert sorted(LAYERS) == sorted(layers)
    assert summary.VERSION == properties["version"]["const"]


def test_schema_describes_each_key_of_a_report(schema: Any) -> None:
    """Each key of a report is in the schema, also of its parts."""
    whole: Report = REPORTS["broken"]
    found = summary.document(whole)
    assert set(found) == set(schema["properties"])
    parts = {"violation": "violations", "row": "coverage", "gap": "not_tested"}
    for name, key in parts.items():
        assert set(found[key][0]) == set(schema["$defs"][name]["properties"])
