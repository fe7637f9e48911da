"""`make release` refuses what is not ready, and tags what is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts import release
from scripts.publish.notes import release_notes, section

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n## 1.2.0 (2030-01-01)\n\n- A.\n\n### B\n\n## 1.2\n\n- C.\n"
)
GIT = shutil.which("git")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Unreleased", ""), ("1.2.0", "- A.\n\n### B"), ("1.2", "- C."), ("1", None), ("2.0", None)],
)
def test_section_is_what_is_below_a_heading(name: str, expected: str | None) -> None:
    """Of this version, not of one that begins alike."""
    assert expected == section(CHANGELOG, name)


def test_notes_are_the_section_of_the_version() -> None:
    """Before the release they are the newest changes, and say that."""
    assert "# SiteAssist 1.2\n\n- C.\n" == release_notes(CHANGELOG, "1.2")
    newest = "## Unreleased\n\n- D.\n"
    assert "# SiteAssist 2.0, not yet released\n\n- D.\n" == release_notes(newest, "2.0")
    with pytest.raises(LookupError, match=r"CHANGELOG\.md has no section for 2\.0"):
        release_notes(CHANGELOG, "2.0")


@pytest.mark.parametrize(
    ("version", "changelog", "tags", "changed", "objection"),
    [
        ("1.2.0", CHANGELOG, [], ["a.py"], "uncommitted changes: a.py"),
        ("1.2", CHANGELOG, [], [], "pyproject.toml: invalid version '1.2': expected three numbers"),
        (
            "1.2.0",
            CHANGELOG,
            ["v1.2.0"],
            [],
            "pyproject.toml: version 1.2.0 has already been released",
        ),
        ("2.0.0", CHANGELOG, [], [], "CHANGELOG.md: no entries under a heading '## 2.0.0'"),
        (
            "1.2.0",
            CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- D.\n"),
            [],
            [],
            "CHANGELOG.md: move the entries under '## Unreleased' to '## 1.2.0'",
        ),
    ],
    ids=["uncommitted", "version", "released", "unsaid", "unreleased"],
)
def test_what_is_not_ready_is_named(
    version: str, changelog: str, tags: list[str], changed: list[str], objection: str
) -> None:
    """One line for each thing to do."""
    (found,) = release.objections(version, changelog, tags, changed)
    assert found.startswith(objection)


def test_nothing_speaks_against_what_is_ready() -> None:
    """An earlier version does not."""
    assert [] == release.objections("1.2.0", CHANGELOG, ["v1.1.0"], [])


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository that is ready, whose verbs do next to nothing."""
    assert GIT is not None
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / ".gitignore").write_text("dist\n")
    (tmp_path / "Makefile").write_text(
        f"{' '.join(release.CHECKS)}:\n\t@echo $@ >> dist.log\n"
        "publish:\n\t@mkdir dist && printf '# Notes\\n\\n- A.\\n' > dist/RELEASE_NOTES.md\n"
    )
    for words in (
        ("init", "--quiet"),
        ("config", "user.name", "A"),
        ("config", "user.email", "a@example.com"),
        ("config", "tag.gpgSign", "false"),
        ("add", "."),
        ("-c", "commit.gpgSign=false", "commit", "--quiet", "--message=A"),
    ):
        subprocess.run([GIT, *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    return tmp_path


def tags(repository: Path) -> str:
    """Return the tags with their messages."""
    assert GIT is not None
    command = [GIT, "tag", "--list", "--format=%(refname:short) %(contents)"]
    return subprocess.run(
        command, cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_release_checks_builds_and_tags(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this order; the tag has the notes, headings included. Nothing is pushed."""
    assert 0 == release.main([])
    assert [*release.CHECKS] == (repository / "dist.log").read_text().split()
    assert "v1.2.0 # Notes\n\n- A." == tags(repository)
    assert "git push origin v1.2.0" in capfd.readouterr().out


def test_dry_run_does_nothing(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It looks, and says what it saw."""
    assert 0 == release.main(["--dry-run"])
    assert "" == tags(repository)
    assert not (repository / "dist.log").exists()
    assert "The quick checks found no objection to releasing 1.2.0." in capfd.readouterr().out


def test_change_that_is_not_committed_stops_the_release(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also a file that git does not know."""
    (repository / "new.py").touch()
    assert 1 == release.main([])
    assert "uncommitted changes: new.py\n" == capfd.readouterr().err


def test_failed_check_stops_the_release(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """There is no tag then."""
    monkeypatch.setattr(release, "CHECKS", ("no-such-verb",))
    assert 1 == release.main([])
    assert "" == tags(repository)
    assert "make no-such-verb failed" in capfd.readouterr().err


def test_missing_tool_is_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and what is missing."""
    assert repository.exists()
    monkeypatch.setenv("PATH", "/nowhere")
    assert 2 == release.main([])
    assert "No such file or directory: 'git'" in capfd.readouterr().err
