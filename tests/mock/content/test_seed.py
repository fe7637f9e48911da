"""Tests for the built-in data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from siteassist_mock.content.seed import API_KEY, ASSISTANT_ID, PAGES, PROJECT, PROJECT_ID, QNAS

if TYPE_CHECKING:
    from tests.mock.conftest import Client


def test_the_seed_equals_the_examples(spec: dict[str, Any]) -> None:
    """The examples of the description are valid requests to the mock."""
    examples = spec["components"]["examples"]
    assert examples["InitDevice"]["value"]["apiKey"] == API_KEY
    assert examples["DemoProject"]["value"] == PROJECT
    assert examples["ShippingQna"]["value"] == QNAS[0]
    projects = spec["components"]["parameters"]["ProjectId"]["examples"].values()
    assert {PROJECT_ID} == {example["value"] for example in projects}


def test_all_of_the_seed_is_valid(client: Client) -> None:
    """All built-in Q&As and pages match their schemas."""
    for name, values in {
        "Qna": QNAS,
        "SearchResult": [{"score": 1, **page} for page in PAGES],
    }.items():
        for value in values:
            assert client.faults({"$ref": f"#/components/schemas/{name}"}, value) == []


def test_identifiers_are_distinct() -> None:
    """No two built-in objects have the same identifier."""
    ids = [PROJECT_ID, ASSISTANT_ID, *(qna["id"] for qna in QNAS)]
    assert len(set(ids)) == len(ids)
