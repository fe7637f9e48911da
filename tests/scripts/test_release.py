"""`make release` checks that the repository is ready, and tags it."""

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
def test_section_is_the_text_below_a_heading(name: str, expected: str | None) -> None:
    """The heading must match the whole version, not only its beginning."""
    assert expected == section(CHANGELOG, name)


def test_notes_are_the_section_of_the_version() -> None:
    """Before the release, the notes are the unreleased changes and are marked as such."""
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
def test_objection_is_named(
    version: str, changelog: str, tags: list[str], changed: list[str], objection: str
) -> None:
    """Each reason not to release is one line."""
    (found,) = release.objections(version, changelog, tags, changed, release.BRANCH)
    assert found.startswith(objection)


@pytest.mark.parametrize(
    ("branch", "where"), [("next", "on the branch 'next'"), ("", "detached")], ids=["side", "none"]
)
def test_release_from_elsewhere_is_refused(branch: str, where: str) -> None:
    """A tag on a side branch or on a detached HEAD would release what is not on the main branch."""
    assert [
        f"the HEAD is {where}: switch to 'main', from which releases are made"
    ] == release.objections("1.2.0", CHANGELOG, [], [], branch)


def test_ready_repository_has_no_objections() -> None:
    """A tag of an earlier version does not count."""
    assert [] == release.objections("1.2.0", CHANGELOG, ["v1.1.0"], [], release.BRANCH)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a repository that is ready for release, with a Makefile that only logs its verbs."""
    assert GIT is not None
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / ".gitignore").write_text("dist\n")
    (tmp_path / "Makefile").write_text(
        f"{' '.join(release.CHECKS)}:\n\t@echo $@ >> dist.log\n"
        "publish:\n\t@mkdir dist && printf '# Notes\\n\\n- A.\\n' > dist/RELEASE_NOTES.md\n"
    )
    for words in (
        ("init", "--quiet", f"--initial-branch={release.BRANCH}"),
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
    """Return the tags of the repository with their messages."""
    assert GIT is not None
    command = [GIT, "tag", "--list", "--format=%(refname:short) %(contents)"]
    return subprocess.run(
        command, cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_release_checks_builds_and_tags(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The tag has the release notes, headings included; pushing it is left to the user."""
    assert 0 == release.main([])
    assert [*release.CHECKS] == (repository / "dist.log").read_text().split()
    assert "v1.2.0 # Notes\n\n- A." == tags(repository)
    assert "git push origin v1.2.0" in capfd.readouterr().out


def test_dry_run_does_nothing(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A dry run reports its result without running a check or creating a tag."""
    assert 0 == release.main(["--dry-run"])
    assert "" == tags(repository)
    assert not (repository / "dist.log").exists()
    assert "The quick checks found no objection to releasing 1.2.0." in capfd.readouterr().out


def test_uncommitted_change_stops_the_release(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An untracked file counts as a change."""
    (repository / "new.py").touch()
    assert 1 == release.main([])
    assert "uncommitted changes: new.py\n" == capfd.readouterr().err


@pytest.mark.parametrize(
    "words", [("switch", "--create", "next"), ("checkout", "--detach")], ids=["side", "detached"]
)
def test_other_head_stops_the_release(
    words: tuple[str, ...], repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither a side branch nor a detached HEAD is released."""
    assert GIT is not None
    subprocess.run([GIT, *words, "--quiet"], cwd=repository, check=True)
    assert 1 == release.main(["--dry-run"])
    assert capfd.readouterr().err.startswith("the HEAD is ")
    assert "" == tags(repository)


def test_failed_check_stops_the_release(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failed check is named, and no tag is created."""
    monkeypatch.setattr(release, "CHECKS", ("no-such-verb",))
    assert 1 == release.main([])
    assert "" == tags(repository)
    assert "make no-such-verb failed" in capfd.readouterr().err


def test_missing_tool_is_reported(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The message names the missing tool, and the exit status is 2."""
    assert repository.exists()
    monkeypatch.setenv("PATH", "/nowhere")
    assert 2 == release.main([])
    assert "No such file or directory: 'git'" in capfd.readouterr().err
