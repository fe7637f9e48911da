"""The Postman collection has every operation and no credential, and runs on the mock."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.publish.collection import as_collection, in_order
from scripts.publish.documents import as_json
from siteassist_mock.testing import mock_server
from siteassist_spec import Document, read_operations
from tests.commands import run
from tests.description import SPEC
from tests.values import API_KEY

OPERATIONS = tuple(read_operations(Document(SPEC)).values())
COLLECTION = as_collection(Document(SPEC))
ITEMS: list[dict[str, Any]] = COLLECTION["item"]


def script(item: dict[str, Any]) -> str:
    """Return the script that checks the response."""
    return "\n".join(item["event"][0]["script"]["exec"])


def test_collection_has_every_operation() -> None:
    """Requests have the summary and order of operations; streams have requests of their own."""
    ordered = in_order(OPERATIONS)
    assert sorted(one.operation_id for one in OPERATIONS) == sorted(
        one.operation_id for one in ordered
    )
    names = [item["name"] for item in ITEMS]
    streams = [name for name in names if name.endswith(", as a stream")]
    assert [one.summary for one in ordered] == [name for name in names if name not in streams]
    assert [f"{one.summary}, as a stream" for one in ordered if one.stream] == streams


def test_collection_contains_no_credential() -> None:
    """The keys and tokens of the examples are replaced by variables without a value."""
    text = as_json(COLLECTION).decode()
    assert [] == re.findall(r"\b(?:sa_)?[ps]k_\w+|session-token-example", text)
    values = {row["key"]: row["value"] for row in COLLECTION["variable"]}
    assert "https://api.siteassist.io/v2" == values.pop("baseUrl")
    assert {""} == set(values.values())


def test_every_variable_is_set_before_it_is_used() -> None:
    """The user or an earlier request sets each variable, and no other variable is declared."""
    declared = {row["key"] for row in COLLECTION["variable"]}
    known = {"baseUrl", "apiKey", "deviceId"}
    for item in ITEMS:
        request = item["request"]
        used = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(request)))
        if "auth" not in request:
            used.add("sessionToken")
        assert used <= known, item["name"]
        known |= set(re.findall(r'collectionVariables\.set\("(\w+)"', script(item)))
    assert known == declared


def test_identifiers_come_from_the_links() -> None:
    """The script reads an identifier with the pointer of the description's link."""
    spec = copy.deepcopy(SPEC)
    links = spec["paths"]["/conversations/{conversationId}/messages"]["get"]["responses"]["200"][
        "links"
    ]
    links["sendMessageFeedback"]["parameters"]["messageId"] = "$response.body#/data/7/id"
    texts = [script(item) for item in as_collection(Document(spec))["item"]]
    assert any("pm.response.json().data[7].id" in text for text in texts)


def test_token_is_sent_only_where_required() -> None:
    """The requests of operations without security do not use the collection's token."""
    without = [item["name"] for item in ITEMS if item["request"].get("auth") == {"type": "noauth"}]
    expected = [one.summary for one in OPERATIONS if not one.needs_token]
    assert sorted(expected) == sorted(without)


def test_optional_parameters_are_disabled() -> None:
    """An optional parameter is listed, but not sent until the user enables it."""
    (item,) = [item for item in ITEMS if item["name"] == "Search the knowledge base"]
    url = item["request"]["url"]
    assert ["q", "size", "apiKey"] == [row["key"] for row in url["query"]]
    assert [False, True, False] == [row.get("disabled", False) for row in url["query"]]
    assert "{{baseUrl}}/search?q=How long does shipping take?&apiKey={{apiKey}}" == url["raw"]


def test_operation_without_a_link_is_an_error() -> None:
    """The message names the operation and the parameter that no link provides."""
    spec = copy.deepcopy(SPEC)
    links = spec["paths"]["/conversations/{conversationId}/messages"]["get"]["responses"]["200"]
    del links["links"]["sendMessageFeedback"]
    with pytest.raises(LookupError, match=r"no link provides messageId for sendMessageFeedback$"):
        as_collection(Document(spec))


def test_body_without_an_example_is_an_error() -> None:
    """The collection has no other source for the body of a request."""
    spec = copy.deepcopy(SPEC)
    body = spec["paths"]["/identity/init"]["post"]["requestBody"]
    del body["content"]["application/json"]["examples"]
    with pytest.raises(LookupError, match="the body of init has no example"):
        as_collection(Document(spec))


def test_collection_runs_on_the_mock(node_bin: Path, tmp_path: Path) -> None:
    """Newman, Postman's own runner, runs every request without a failure."""
    collection, report = tmp_path / "collection.json", tmp_path / "report.json"
    collection.write_bytes(as_json(COLLECTION))
    with mock_server(strict=True) as url:
        variables = {"baseUrl": url, "apiKey": API_KEY, "deviceId": "device-1"}
        done = run(
            [
                *(str(node_bin / "newman"), "run", str(collection)),
                *(f"--env-var={name}={value}" for name, value in variables.items()),
                *("--reporters=json", f"--reporter-json-export={report}"),
            ]
        )
    assert 0 == done.returncode, done.stdout + done.stderr
    stats = json.loads(report.read_text())["run"]["stats"]
    assert {"total": len(ITEMS), "pending": 0, "failed": 0} == stats["requests"]
    assert stats["assertions"]["total"] > len(ITEMS)
    assert 0 == stats["assertions"]["failed"]
