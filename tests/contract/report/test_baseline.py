"""Baselines: readable files, and clear errors for unusable ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siteassist_contract.findings import SHAPES, Violation
from siteassist_contract.report import baseline
from siteassist_contract.verdict import CannotRunError


def violation(operation: str, rule: str, place: str = "") -> Violation:
    """Create a violation."""
    return Violation(
        *(SHAPES, rule, operation, "words", "document", "this", "that", "", "", "", 1, 0.5),
        place=place,
    )


def test_baseline_is_written_and_read(tmp_path: Path) -> None:
    """The keys are sorted, so that the file changes as little as possible."""
    path = tmp_path / "baseline.json"
    baseline.write(path, [violation("search", "bounds", "sizé"), violation("getMe", "me")])
    assert frozenset({"getMe me", "search bounds sizé"}) == baseline.read(path)
    assert ["getMe me", "search bounds sizé"] == json.loads(path.read_text("utf-8"))["violations"]
    assert path.read_text("utf-8").endswith("\n")


def test_baseline_may_be_empty(tmp_path: Path) -> None:
    """The baseline of a correct server accepts nothing."""
    path = tmp_path / "baseline.json"
    baseline.write(path, [])
    assert frozenset() == baseline.read(path)


def test_additional_keys_are_ignored(tmp_path: Path) -> None:
    """A baseline may contain notes."""
    path = tmp_path / "baseline.json"
    path.write_text('{"why": "mended in May", "violations": ["getMe me"]}')
    assert frozenset({"getMe me"}) == baseline.read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON: "),
        (b"{", "is not JSON: "),
        (100_000 * b"[", "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"[]", "has no list of strings named `violations`"),
        (b"{}", "has no list of strings named `violations`"),
        (b'{"violations": "getMe me"}', "has no list of strings named `violations`"),
        (b'{"violations": ["getMe me", 1]}', "has no list of strings named `violations`"),
    ],
)
def test_invalid_baseline_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    """An invalid file raises an error instead of accepting violations."""
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    with pytest.raises(CannotRunError) as caught:
        baseline.read(path)
    assert str(caught.value).startswith(f"the baseline {path} {problem}")


def test_missing_file_is_reported(tmp_path: Path) -> None:
    """Reading and writing report a missing file or folder."""
    path = tmp_path / "nowhere" / "baseline.json"
    with pytest.raises(CannotRunError, match=r"baseline\.json: No such file or directory"):
        baseline.read(path)
    with pytest.raises(CannotRunError, match=r"baseline\.json: No such file or directory"):
        baseline.write(path, [])
