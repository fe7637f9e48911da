"""The files of reports: private, whole or missing, never written through a link."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from siteassist_contract.report import files
from siteassist_contract.verdict import CannotRunError

NAMES = ("html/index.html", "junit.xml")


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o777


def test_report_is_private(tmp_path: Path) -> None:
    """Only the owner can read a report, even if an earlier one was readable by all."""
    path = tmp_path / "junit.xml"
    path.write_text("old")
    path.chmod(0o644)
    files.write(path, "é\ud83d")
    assert (0o600, "é\\ud83d") == (mode(path), path.read_text("utf-8"))


def test_link_is_replaced(tmp_path: Path) -> None:
    """A link in place of a report is replaced, and its target stays as it was."""
    target, path = tmp_path / "target", tmp_path / "junit.xml"
    target.write_text("precious")
    path.symlink_to(target)
    files.write(path, "report")
    assert ("precious", "report", False) == (
        *(target.read_text(), path.read_text(), path.is_symlink()),
    )


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_failed_write_leaves_nothing_behind(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails half-way leaves neither half a report nor a temporary file."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(type(error)):
        files.write(tmp_path / "junit.xml", "report")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("before", [None, 0o640])
def test_shared_file_keeps_its_permissions(before: int | None, tmp_path: Path) -> None:
    """A baseline, which people share, keeps its permissions, or gets the usual ones."""
    path = tmp_path / "baseline.json"
    if before is not None:
        path.touch()
        path.chmod(before)
    umask = os.umask(0o022)
    try:
        files.write(path, "{}", private=False)
    finally:
        os.umask(umask)
    assert (before or 0o644) == mode(path)


def test_earlier_reports_are_removed(tmp_path: Path) -> None:
    """Preparing removes the reports of an earlier run, links included, and nothing else."""
    (tmp_path / "html").mkdir()
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "html" / "index.html").symlink_to(target)
    (tmp_path / "junit.xml").touch()
    files.prepare(tmp_path, NAMES)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert ["html", "target"] == left


def test_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A link within the folder for reports is not followed; the folder itself may be one."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "reports"
    elsewhere.mkdir()
    (elsewhere / "index.html").write_text("precious")
    folder.symlink_to(elsewhere)
    files.prepare(folder, NAMES[1:])
    (folder / "html").symlink_to(elsewhere)
    with pytest.raises(CannotRunError, match=r"html is a symbolic link$"):
        files.prepare(folder, NAMES)
    assert "precious" == (elsewhere / "index.html").read_text()


@pytest.mark.parametrize("taken", ["html", "junit.xml"])
def test_unusable_folder_is_refused(taken: str, tmp_path: Path) -> None:
    """A file in place of a folder, or a folder in place of a report, is one sentence."""
    if taken == "html":
        (tmp_path / taken).touch()
    else:
        (tmp_path / taken).mkdir()
    with pytest.raises(
        CannotRunError, match=r"^reports cannot be written to [^:]+: \w[\w ]+; .+--reports$"
    ):
        files.prepare(tmp_path, NAMES)


def test_each_report_may_fail_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are written, and two lines say which were and which were not."""

    def fail(_: Path) -> None:
        raise OSError(errno.EFBIG, "File too large")

    def fail_without_words(_: Path) -> None:
        raise OSError("odd")

    def fail_unexpectedly(_: Path) -> None:
        raise ValueError("a mistake")

    problems, unexpected = files.write_all(
        {
            Path("a"): fail,
            Path("b"): fail_without_words,
            Path("d"): fail_unexpectedly,
            tmp_path / "c": lambda path: files.write(path, "c"),
        }
    )
    files.tell(problems)
    printed = capsys.readouterr()
    assert "c" == (tmp_path / "c").read_text()
    assert f"Reports: {tmp_path / 'c'}\n" == printed.out
    expected = "Reports that could not be written: "
    expected += "a (File too large), b (odd), d (internal error)\n"
    assert expected == printed.err
    assert unexpected is not None
    assert "ValueError: a mistake" == str(unexpected)
    assert "fail_unexpectedly" in unexpected.details


def test_no_report_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """If no report was written, none is named."""
    files.tell({Path("a"): "full"})
    assert "" == capsys.readouterr().out


def test_json_is_text(tmp_path: Path) -> None:
    """JSON has escapes for control characters, in one line for each value."""
    text = files.json_text({"a": "\x9b\x7fé"})
    assert '{\n "a": "\\u009b\\u007fé"\n}\n' == text
    assert {"a": "\x9b\x7fé"} == json.loads(text)
