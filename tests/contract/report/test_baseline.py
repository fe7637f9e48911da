"""A baseline is a file that people can read, and that says clearly why it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siteassist_contract.findings import SHAPES, Violation
from siteassist_contract.report import baseline
from siteassist_contract.verdict import CannotRunError


def made(operation: str, rule: str, place: str = "") -> Violation:
    """Make a violation for a test."""
    return Violation(
        *(SHAPES, rule, operation, "words", "document", "this", "that", "", "", "", 1, 0.5),
        place=place,
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Sorted, so that it changes as little as the server does."""
    path = tmp_path / "baseline.json"
    baseline.write(path, [made("search", "bounds", "sizé"), made("getMe", "me")])
    assert frozenset({"getMe me", "search bounds sizé"}) == baseline.read(path)
    assert ["getMe me", "search bounds sizé"] == json.loads(path.read_text("utf-8"))["violations"]
    assert path.read_text("utf-8").endswith("\n")


def test_baseline_may_be_empty(tmp_path: Path) -> None:
    """A server that keeps everything has nothing to accept."""
    path = tmp_path / "baseline.json"
    baseline.write(path, [])
    assert frozenset() == baseline.read(path)


def test_further_keys_are_left_alone(tmp_path: Path) -> None:
    """Somebody may have noted why."""
    path = tmp_path / "baseline.json"
    path.write_text('{"why": "mended in May", "violations": ["getMe me"]}')
    assert frozenset({"getMe me"}) == baseline.read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON: "),
        (b"{", "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"[]", "has no list of strings named `violations`"),
        (b"{}", "has no list of strings named `violations`"),
        (b'{"violations": "getMe me"}', "has no list of strings named `violations`"),
        (b'{"violations": ["getMe me", 1]}', "has no list of strings named `violations`"),
    ],
)
def test_what_is_no_baseline_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    """A mistake in it must not accept anything."""
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    with pytest.raises(CannotRunError) as caught:
        baseline.read(path)
    assert str(caught.value).startswith(f"the baseline {path} {problem}")


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """To read it, and to write it."""
    path = tmp_path / "nowhere" / "baseline.json"
    with pytest.raises(CannotRunError, match=r"baseline\.json: No such file or directory"):
        baseline.read(path)
    with pytest.raises(CannotRunError, match=r"baseline\.json: No such file or directory"):
        baseline.write(path, [])
