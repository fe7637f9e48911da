"""The collection has every operation, no credential, and runs as a whole."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.publish.collection import as_collection, in_order
from scripts.publish.documents import as_json
from siteassist_mock.content.seed import API_KEY
from siteassist_mock.testing import mock_server
from siteassist_spec import Document, load_spec, read_operations
from tests.values import ROOT

SPEC = load_spec()
COLLECTION = as_collection(Document(SPEC))
ITEMS: list[dict[str, Any]] = COLLECTION["item"]


def script(item: dict[str, Any]) -> str:
    """Return the program that looks at the answer."""
    return "\n".join(item["event"][0]["script"]["exec"])


def test_every_operation_is_there() -> None:
    """In the order of the journey, under its summary; streams have requests of their own."""
    summaries = {
        operation["operationId"]: operation["summary"]
        for item in SPEC["paths"].values()
        for operation in item.values()
    }
    names = [item["name"] for item in ITEMS]
    streamed = [name for name in names if name.endswith(", as a stream")]
    ordered = in_order(read_operations(Document(SPEC)).values())
    assert [one.summary for one in ordered] == [x for x in names if x not in streamed]
    assert sorted(summaries.values()) == sorted(one.summary for one in ordered)
    assert ["Send a message in a conversation", "Create a chat completion"] == [
        name.removesuffix(", as a stream") for name in streamed
    ]


def test_nothing_in_it_is_a_credential() -> None:
    """The keys and tokens of the examples are variables without a value."""
    text = as_json(COLLECTION).decode()
    assert [] == re.findall(r"\b(?:sa_)?[ps]k_\w+|session-token-example", text)
    values = {row["key"]: row["value"] for row in COLLECTION["variable"]}
    assert "https://api.siteassist.io/v2" == values.pop("baseUrl")
    assert {""} == set(values.values())


def test_every_variable_is_set_before_it_is_used() -> None:
    """By the user, or by an earlier request that says so in the description's links."""
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


def test_where_identifiers_come_from_is_said_by_the_links() -> None:
    """Not by the code: another pointer in a link is another one in the script."""
    spec = copy.deepcopy(SPEC)
    links = spec["paths"]["/conversations/{conversationId}/messages"]["get"]["responses"]["200"][
        "links"
    ]
    links["sendMessageFeedback"]["parameters"]["messageId"] = "$response.body#/data/7/id"
    texts = [script(item) for item in as_collection(Document(spec))["item"]]
    assert any("pm.response.json().data[7].id" in text for text in texts)


def test_credential_is_sent_where_it_is_needed() -> None:
    """The collection's bearer, but for the operations without one."""
    without = [item["name"] for item in ITEMS if item["request"].get("auth") == {"type": "noauth"}]
    expected = [
        operation["summary"]
        for item in SPEC["paths"].values()
        for operation in item.values()
        if not operation["security"]
    ]
    assert sorted(expected) == sorted(without)


def test_optional_parameters_are_there_but_not_sent() -> None:
    """With an example of their value, for whoever wants to try them."""
    (item,) = [item for item in ITEMS if item["name"] == "Search the knowledge base"]
    url = item["request"]["url"]
    assert ["q", "size", "apiKey"] == [row["key"] for row in url["query"]]
    assert [False, True, False] == [row.get("disabled", False) for row in url["query"]]
    assert "{{baseUrl}}/search?q=How long does shipping take?&apiKey={{apiKey}}" == url["raw"]


def test_operation_that_no_link_leads_to_is_an_error() -> None:
    """The message names the operation, and what it lacks."""
    spec = copy.deepcopy(SPEC)
    links = spec["paths"]["/conversations/{conversationId}/messages"]["get"]["responses"]["200"]
    del links["links"]["sendMessageFeedback"]
    with pytest.raises(LookupError, match=r"no link provides messageId for sendMessageFeedback$"):
        as_collection(Document(spec))


def test_body_without_an_example_is_an_error() -> None:
    """There would be nothing to send."""
    spec = copy.deepcopy(SPEC)
    body = spec["paths"]["/identity/init"]["post"]["requestBody"]
    del body["content"]["application/json"]["examples"]
    with pytest.raises(LookupError, match="the body of init has no example"):
        as_collection(Document(spec))


@pytest.mark.suite
def test_collection_runs_on_the_mock(node_bin: Path, tmp_path: Path) -> None:
    """From the first request to the last, in what Postman itself runs collections with."""
    collection, report = tmp_path / "collection.json", tmp_path / "report.json"
    collection.write_bytes(as_json(COLLECTION))
    with mock_server(strict=True) as url:
        variables = {"baseUrl": url, "apiKey": API_KEY, "deviceId": "device-1"}
        done = subprocess.run(
            [
                *(str(node_bin / "newman"), "run", str(collection)),
                *(f"--env-var={name}={value}" for name, value in variables.items()),
                *("--reporters=json", f"--reporter-json-export={report}"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert 0 == done.returncode, done.stdout + done.stderr
    stats = json.loads(report.read_text())["run"]["stats"]
    assert {"total": len(ITEMS), "pending": 0, "failed": 0} == stats["requests"]
    assert stats["assertions"]["total"] > len(ITEMS)
    assert 0 == stats["assertions"]["failed"]
