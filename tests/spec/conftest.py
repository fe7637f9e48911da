"""Fixtures for the tests of ``openapi.yaml``: lookups, validation and the evidence."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator

from tests.description import DOCUMENT, OPERATIONS, SPEC, WEBSOCKETS
from tests.values import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def spec() -> dict[str, Any]:
    """Return ``openapi.yaml``; a test that changes it works on a copy."""
    return SPEC


@pytest.fixture(scope="session")
def resolve() -> Callable[[Any], Any]:
    """Return a function that follows the ``$ref`` of a node, if it has one."""
    return DOCUMENT.resolve


@pytest.fixture(scope="session")
def operations() -> dict[str, dict[str, Any]]:
    """Return the raw operations by their ids, with their ``method`` and ``path``.

    The handshakes of WebSockets are operations as well.
    """
    return {
        name: {"method": operation.method.lower(), "path": operation.path, **operation.raw}
        for name, operation in (OPERATIONS | WEBSOCKETS).items()
    }


@pytest.fixture(scope="session")
def errors_of(spec: dict[str, Any]) -> Callable[[Any, Any], list[str]]:
    """Return a function that lists the errors of a value under a schema, formats included."""

    def errors_of(schema: Any, value: Any) -> list[str]:
        whole = {"components": spec["components"], "allOf": [schema]}
        validator = Draft202012Validator(whole, validate_formats=True)
        return [error.message for error in validator.iter_errors(value)]

    return errors_of


@pytest.fixture(scope="session")
def event_errors(errors_of: Callable[[Any, Any], list[str]]) -> Callable[[Any, Any], list[str]]:
    """Return a function that lists the errors of an event, its payload included.

    JSON Schema treats the content of a string as an annotation, so that the payload must
    be validated separately.
    """

    def event_errors(schema: Any, event: Any) -> list[str]:
        problems = errors_of(schema, event)
        if problems or not errors_of(
            {"$ref": "#/components/schemas/StreamTerminator"}, event["data"]
        ):
            return problems
        try:
            payload = json.loads(event["data"])
        except ValueError as error:
            return [f"the payload is not JSON: {error}"]
        return errors_of({"$ref": "#/components/schemas/StreamPayload"}, payload)

    return event_errors


@pytest.fixture(scope="session")
def evidence() -> str:
    """Read the text of ``docs/evidence.md``."""
    return (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def evidence_table(evidence: str) -> Callable[[str], list[list[str]]]:
    """Return a function that reads the rows of the table under a heading, without its header."""

    def evidence_table(heading: str) -> list[list[str]]:
        sections = re.split(r"^#+ (.+)$", evidence, flags=re.MULTILINE)
        assert sections.count(heading) == 1, f"expected one heading {heading!r}"
        lines = sections[sections.index(heading) + 1].splitlines()
        rows = [line for line in lines if line.startswith("|")]
        cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
        assert {len(row) for row in cells} == {len(cells[0])}, (
            f"rows of different lengths under {heading!r}"
        )
        return cells[2:]

    return evidence_table
