"""The examples, the documented commands and the pinned versions agree."""

from __future__ import annotations

import json
import re

import pytest

from scripts.languages.catalogue import LANGUAGES, Language
from scripts.languages.every_field import program, type_of
from siteassist_spec import Document
from tests.description import SPEC
from tests.values import ROOT

EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "how-to" / "languages.md").read_text()

each_language = pytest.mark.parametrize(
    "language", LANGUAGES, ids=[language.name for language in LANGUAGES]
)


def test_every_example_is_a_language() -> None:
    """`make languages` runs every example; tests/e2e runs that of the client in this repository."""
    folders = {path.name for path in EXAMPLES.iterdir()} - {"live"}
    assert folders == {language.folder for language in LANGUAGES}


@each_language
def test_version_is_the_pinned_one(language: Language) -> None:
    """The catalogue has the version of the generator that the example pins."""
    pins = [path.read_text() for path in (EXAMPLES / language.folder).iterdir() if path.is_file()]
    assert any(language.version in text for text in (*pins, *language.set_up))


@each_language
def test_page_shows_the_commands(language: Language) -> None:
    """The page prints the commands that `make languages` runs."""
    assert "```sh\n" + "\n".join(language.commands) + "\n```" in PAGE


@each_language
def test_page_has_the_language_in_its_table(language: Language) -> None:
    """The table of the page was measured with these generators."""
    row = rf"^\| {language.name} +\| {language.title} +\| {language.generator} {language.version} "
    assert re.search(row, PAGE, re.MULTILINE)


def test_lock_files_contain_no_registry() -> None:
    """The lock files of npm and Cargo have no address, so a mirror can be used."""
    for path in EXAMPLES.glob("*/package-lock.json"):
        packages = json.loads(path.read_text())["packages"]
        assert not [name for name, package in packages.items() if "resolved" in package], path
    # Cargo writes this name of crates.io even if a mirror replaces it.
    index = 'source = "registry+https://github.com/rust-lang/crates.io-index"'
    lines = (EXAMPLES / "rust" / "Cargo.lock").read_text().splitlines()
    assert {index} == {line for line in lines if "://" in line}


def test_typescript_program_uses_every_field() -> None:
    """The program names each operation, each status, each schema and each field."""
    text = program(Document(SPEC))
    for path in SPEC["paths"].values():
        for operation in path.values():
            own = f'operations["{operation["operationId"]}"]'
            statuses = " | ".join(operation["responses"])
            assert f'same<keyof {own}["responses"], {statuses}>(true);' in text
    for name, schema in SPEC["components"]["schemas"].items():
        assert f'Schemas["{name}"]' in text
        for field in schema.get("properties", {}):
            body = text.partition(f"function touch{name}(")[2].partition("\n}\n")[0]
            assert f"  same<typeof value.{field}, " in body


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/components/schemas/Visitor"}, 'Schemas["Visitor"]'),
        ({"type": "string", "const": "list"}, '"list"'),
        ({"type": "string", "enum": ["asc", "desc"]}, '"asc" | "desc"'),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "number | null"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "array", "items": {"type": ["number", "null"]}}, "(number | null)[]"),
        ({"type": "object", "additionalProperties": True}, "{ [key: string]: unknown }"),
        ({"description": "Anything."}, "unknown"),
    ],
)
def test_type_of_a_schema(schema: dict[str, object], expected: str) -> None:
    """The expected type follows from the description alone, not from a generator."""
    assert expected == type_of(schema, Document({}))
