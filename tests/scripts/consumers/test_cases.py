"""The values to try are the documented examples, and values that the description forbids."""

from __future__ import annotations

import pytest

from scripts.consumers.cases import Case, bad_values, read_cases
from siteassist_spec import EVENT_STREAM, JSON, Document
from siteassist_spec.schemas import accepts, compile_schema
from tests.description import DOCUMENT, OPERATIONS, SPEC

CASES = read_cases(DOCUMENT)
SCHEMA = {
    "type": "object",
    "required": ["id", "parts"],
    "properties": {
        "id": {"type": "string"},
        "kind": {"enum": ["a", "b"]},
        "link": {"type": "string", "format": "uri"},
        "note": {"type": ["string", "null"]},
        "parts": {"type": "array", "items": {"type": "integer"}},
    },
}


def test_every_example_is_tried() -> None:
    """Each documented example of a body is a case, streams included."""
    expected = {
        f"{name} {status or 'request'}: {example}"
        for name, operation in OPERATIONS.items()
        for status, held in [
            *([(0, operation.body.examples)] if operation.body else []),
            *(
                (status, media.examples)
                for status, response in operation.responses.items()
                for media in response.media.values()
            ),
        ]
        for example in held
    }
    assert expected == {case.name for case in CASES if not case.flaw}
    assert EVENT_STREAM in {case.media for case in CASES}


@pytest.mark.parametrize("flawed", [False, True])
def test_description_agrees(flawed: bool) -> None:
    """The description accepts the examples, and nothing that must be refused."""
    schemas = SPEC["components"]["schemas"]
    validators = {name: compile_schema(DOCUMENT, schema) for name, schema in schemas.items()}
    for case in CASES:
        if bool(case.flaw) == flawed and case.media == JSON:
            assert flawed != accepts(validators[case.schema], case.value), case.name


def test_each_flaw_is_tried() -> None:
    """A required property is missing, null or of another type; a text is not in an enum."""
    value = {"id": "1", "kind": "a", "link": "a:b", "note": "x", "parts": [1, 2]}
    found = list(bad_values(DOCUMENT, SCHEMA, value))
    assert [
        ("id", "missing"),
        ("id", "null"),
        ("id", "type"),
        ("kind", "null"),
        ("kind", "type"),
        ("kind", "text"),
        ("link", "null"),
        ("link", "type"),
        ("link", "format"),
        ("note", "type"),
        ("parts", "missing"),
        ("parts", "null"),
        ("parts", "type"),
        ("parts/0", "null"),
        ("parts/0", "type"),
    ] == [(place, flaw) for place, flaw, _ in found]
    assert {**value, "kind": "of-tomorrow"} == found[5][2]
    assert "a" == value["kind"]


def test_cases_have_different_names() -> None:
    """A problem is reported by the name of its case."""
    assert len(CASES) == len({case.name for case in CASES})


def test_requests_have_a_path_from_the_examples() -> None:
    """No parameter is left in the path of a request."""
    assert [] == [case.url for case in CASES if "{" in case.url]
    (search,) = {case.url.partition("?")[0] for case in CASES if case.operation == "search"}
    assert "/search" == search


def test_schema_is_spoilt_once() -> None:
    """The errors of all operations have one schema, so only one of them is spoilt."""
    spoilt = [(case.schema, case.name.partition(": ")[2]) for case in CASES if _response(case)]
    assert len(spoilt) == len(set(spoilt))
    assert [] == read_cases(Document({**SPEC, "paths": {}}))


def _response(case: Case) -> bool:
    return bool(case.flaw and case.status)
