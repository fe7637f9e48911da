"""``docs/evidence.md`` and ``docs/reference/extensions.md`` cover ``openapi.yaml`` exactly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from siteassist_spec import SPEC_PATH
from siteassist_spec.document import walk
from tests.description import OPERATIONS, SPEC
from tests.values import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY = re.compile(r"\b(?:C-\d\d|[RO]-\d+)\b")
PAGE = re.compile(r"\b(?:P\d|F-[a-z]+)\b")
STREAMING = [name for name, operation in OPERATIONS.items() if operation.stream]
SECTIONS = {
    "schemas": "Schemas",
    "securitySchemes": "Security schemes",
    "parameters": "Parameters",
    "responses": "Responses",
}


@pytest.fixture
def entries(evidence: str, evidence_table: Callable[[str], list[list[str]]]) -> list[str]:
    """Return the ids of all contradictions, readings and open questions, in order."""
    contradictions = re.findall(r"^### (C-\d\d) ", evidence, flags=re.MULTILINE)
    readings = [row[0] for row in evidence_table("Readings")]
    questions = [row[0] for row in evidence_table("Open questions")]
    return contradictions + readings + questions


@pytest.fixture
def extensions() -> str:
    """Read the text of ``docs/reference/extensions.md``."""
    return (ROOT / "docs" / "reference" / "extensions.md").read_text(encoding="utf-8")


def extension_keys() -> list[str]:
    """List every key in ``openapi.yaml`` that begins with ``x-``."""
    keys = (str(key) for _, node in walk(SPEC) if isinstance(node, dict) for key in node)
    return [key for key in keys if key.startswith("x-")]


def test_every_operation_has_its_row(
    operations: dict[str, dict[str, Any]],
    evidence_table: Callable[[str], list[list[str]]],
) -> None:
    """The table has exactly one row for each operation, with its method and path."""
    assert sorted(row[:2] for row in evidence_table("Operations")) == sorted(
        [f"`{name}`", f"`{operation['method'].upper()} {operation['path']}`"]
        for name, operation in operations.items()
    )


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_component_has_its_row(
    kind: str,
    spec: dict[str, Any],
    evidence_table: Callable[[str], list[list[str]]],
) -> None:
    """The table has exactly one row for each component, in the order of the file."""
    names = [row[0] for row in evidence_table(SECTIONS[kind])]
    assert names == [f"`{name}`" for name in spec["components"][kind]]


def test_every_row_names_a_page(evidence_table: Callable[[str], list[list[str]]]) -> None:
    """The row of each operation and component names at least one page of the documents."""
    rows = [row[2:3] for row in evidence_table("Operations")]
    for heading in ("Schemas", "Security schemes", "Parameters"):
        rows += [row[1:2] for row in evidence_table(heading)]
    for (pages,) in rows:
        assert all(PAGE.fullmatch(page) for page in pages.split(", "))


def test_responses_are_listed_with_their_status(
    operations: dict[str, dict[str, Any]],
    evidence_table: Callable[[str], list[list[str]]],
) -> None:
    """The table lists each shared response with the status that refers to it."""
    used = {
        (f"`{response['$ref'].rpartition('/')[2]}`", status)
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if "$ref" in response
    }
    assert {(row[0], row[1]) for row in evidence_table("Responses")} == used


def test_every_page_is_defined(
    evidence: str,
    evidence_table: Callable[[str], list[list[str]]],
) -> None:
    """Every page id in the text is listed as a document, and every listed document is used."""
    defined = [row[0] for row in evidence_table("Documents")]
    assert len(set(defined)) == len(defined)
    after = evidence.partition("## Operations")[2]
    used = set(PAGE.findall(after))
    assert used - set(defined) == set()
    assert set(defined) - used == {"F-start"}  # an overview that supports no single statement


def test_entries_are_numbered(entries: list[str]) -> None:
    """Contradictions, readings and open questions are numbered without gaps."""
    for letter in "CRO":
        numbers = [int(entry[2:]) for entry in entries if entry.startswith(letter)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_every_contradiction_has_two_readings_and_a_decision(evidence: str) -> None:
    """Each contradiction names pages for both readings and states the decision."""
    chapter = evidence.partition("## Contradictions")[2].partition("\n## ")[0]
    for section in chapter.split("\n### ")[1:]:
        assert (
            len(re.findall(r"^- [^:]*\bP\d\b|^- [^:]*\bF-[a-z]+\b", section, flags=re.MULTILINE))
            >= 2
        )
        assert section.count("**Decision:** ") == 1


@pytest.mark.parametrize(
    "path",
    [
        SPEC_PATH,
        ROOT / "docs" / "evidence.md",
        *sorted((ROOT / "tests" / "spec" / "data").iterdir()),
    ],
    ids=lambda path: path.name,
)
def test_every_entry_referred_to_exists(path: Path, entries: list[str]) -> None:
    """Every contradiction, reading and open question that a file refers to exists."""
    used = set(ENTRY.findall(path.read_text(encoding="utf-8")))
    assert used
    assert used - set(entries) == set()


def test_every_extension_is_documented(extensions: str) -> None:
    """``docs/reference/extensions.md`` has exactly one chapter for each ``x-`` key in use."""
    documented = re.findall(r"^## `(x-[a-z-]+)`$", extensions, flags=re.MULTILINE)
    assert documented == sorted(set(extension_keys()))


def test_extension_is_on_event_streams(
    operations: dict[str, dict[str, Any]],
    resolve: Callable[[Any], Any],
) -> None:
    """``x-event-stream`` is on each response with events, and nowhere else."""
    responses = [
        resolve(response)
        for operation in operations.values()
        for response in operation["responses"].values()
    ]
    streams = [
        response for response in responses if "text/event-stream" in response.get("content", {})
    ]
    assert len(streams) == len(STREAMING) > 0
    assert all("x-event-stream" in response for response in streams)
    assert extension_keys().count("x-event-stream") == len(streams)


@pytest.mark.parametrize("name", STREAMING)
def test_extension_is_as_documented(
    name: str,
    operations: dict[str, dict[str, Any]],
    extensions: str,
) -> None:
    """The documented keys and the documented response are those of ``openapi.yaml``."""
    response = operations[name]["responses"]["200"]
    chapter = extensions.partition("\n## `x-event-stream`\n")[2].partition("\n## ")[0]
    keys = re.findall(r"^\| `(\w+)` \| string \|", chapter, flags=re.MULTILINE)
    assert keys == list(response["x-event-stream"])
    (block,) = re.findall(r"```yaml\n(.*?)```", chapter, flags=re.DOTALL)
    shown = YAML(typ="safe", pure=True).load(block)["200"]
    content = {
        media_type: {"schema": entry["schema"]} for media_type, entry in response["content"].items()
    }
    assert shown == {
        "description": response["description"],
        "content": content,
        "x-event-stream": response["x-event-stream"],
    }


@pytest.mark.parametrize("name", STREAMING)
def test_extension_agrees_with_the_schemas(
    name: str,
    operations: dict[str, dict[str, Any]],
    resolve: Callable[[Any], Any],
    spec: dict[str, Any],
) -> None:
    """The flag is a boolean of the body; the terminator and the error match their schemas."""
    extension = operations[name]["responses"]["200"]["x-event-stream"]
    body = operations[name]["requestBody"]["content"]["application/json"]["schema"]
    schemas = spec["components"]["schemas"]
    error = schemas["ErrorPayload"]
    assert resolve(body)["properties"][extension["requestFlag"]]["type"] == "boolean"
    assert extension["terminator"] == schemas["StreamTerminator"]["const"]
    assert extension["errorType"] == error["properties"]["type"]["const"]
    assert extension["errorText"] in error["required"]


def test_paths_in_the_documents_exist(evidence: str, extensions: str) -> None:
    """Every path of the repository that the two documents name exists."""
    named = re.findall(r"`((?:tests|docs)/[^`]*)`|\]\((\.\./[^)]*)\)", evidence + extensions)
    paths = [ROOT / plain if plain else ROOT / "docs" / linked for plain, linked in named]
    assert paths
    assert [path for path in paths if not path.exists()] == []
