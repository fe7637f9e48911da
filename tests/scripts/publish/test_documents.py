"""Written documents have the same content for every YAML and JSON reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from scripts.publish.documents import as_json, as_yaml
from siteassist_spec import load_spec

WORDS = ["y", "No", "ON", "off", "true", "null", "~", "", "12:30", "1_000", "1.5", "0x1F", "0o17"]
WORDS += ["2024-01-15", "2024-01-15T10:30:00.000Z", "=", "<<", "- a", "a: b", "#", "'", "é ☃"]


@pytest.mark.parametrize(
    "word", [*WORDS, "two\nlines", "two\nlines\n", " leading\nand more ", "a " * 99]
)
@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_string_stays_a_string(word: str, version: tuple[int, int]) -> None:
    """A string is read back as a value and as a key, in YAML 1.1 and in YAML 1.2."""
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    document = {"value": word, "list": [word]} | ({} if "\n" in word else {word: 1})
    assert document == reader.load(as_yaml(document))


@given(st.dictionaries(st.text("ab:# -'\"", min_size=1), st.text("ab:# -'\"\n")))
def test_any_string_is_read_back(document: dict[str, str]) -> None:
    """Characters with a meaning in YAML are escaped."""
    assert document == (YAML(typ="safe", pure=True).load(as_yaml(document)) or {})
    assert document == json.loads(as_json(document))


def test_order_and_repetitions_are_kept(tmp_path: Path) -> None:
    """Keys are not sorted, and a repeated value is written in full instead of an alias."""
    same = {"b": [1, None, True], "a": 2.5}
    path = tmp_path / "document.yaml"
    path.write_bytes(as_yaml({"z": same, "y": same}))
    assert ["z", "y"] == list(load_spec(path))
    assert ["b", "a"] == list(load_spec(path)["z"])
    assert b"&" not in path.read_bytes()
    assert b'{\n  "z": 1\n}\n' == as_json({"z": 1})
