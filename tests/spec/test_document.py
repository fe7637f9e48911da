"""`siteassist_spec` reads the description, or reports why it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from siteassist_spec import SPEC_PATH, SpecError, load_spec
from siteassist_spec.__main__ import main
from tests.values import ROOT


def test_default_path_is_the_description_of_the_repository() -> None:
    """Without a path, `load_spec` reads ``openapi.yaml`` of this repository."""
    assert ROOT / "openapi.yaml" == SPEC_PATH
    assert "SiteAssist API" == load_spec()["info"]["title"]


def test_yaml_1_2_rules_apply(tmp_path: Path) -> None:
    """Words such as `no` and `on` are strings, not booleans."""
    path = tmp_path / "openapi.yaml"
    path.write_text("country: no\non: true\n")
    assert {"country": "no", "on": True} == load_spec(path)


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        (b"a: [1\nb: 2\n", ":2:", "expected ',' or ']'"),
        (b"a: 1\nb: 2\na: 3\n", ":3:1:", "found duplicate key"),
        (b"\ta: 1\n", ":1:1:", "cannot start any token"),
        (b"a: *b\n", ":1:4:", "found undefined alias"),
        (b"a: \x07\n", ":", "special characters are not allowed"),
        (b"\xff\xfe\xfa", ":", "not UTF-8 at byte 0"),
        (b"", ":1:", "must be a mapping, got an empty file"),
        (b"- a\n", ":1:", "must be a mapping, got a list"),
    ],
    ids=["syntax", "duplicate", "tab", "alias", "control", "encoding", "empty", "list"],
)
def test_bad_description_names_place_and_problem(
    content: bytes, place: str, problem: str, tmp_path: Path
) -> None:
    """The message names the file, the line if it is known, and the problem."""
    path = tmp_path / "openapi.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(caught.value).startswith(f"{path}{place}")
    assert problem in str(caught.value)


def test_missing_description_is_named(tmp_path: Path) -> None:
    """The message for a missing file has its path and the reason of the system."""
    path = tmp_path / "none.yaml"
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert f"{path}: No such file or directory" == str(caught.value)


def test_command_reports_a_readable_description(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints one line and exits with status 0."""
    assert 0 == main()
    assert ("openapi.yaml can be read.\n", "") == capsys.readouterr()


def test_command_reports_an_unreadable_description(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command prints one line to standard error and exits with status 2."""
    monkeypatch.setattr("siteassist_spec.document.SPEC_PATH", tmp_path)
    assert 2 == main()
    assert ("", f"{tmp_path}: Is a directory\n") == capsys.readouterr()
