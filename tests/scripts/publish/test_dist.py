"""`make publish` builds the documented files, reproducibly."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from scripts.publish import __main__ as publish
from scripts.publish import packages
from scripts.publish.packages import PublishError, build_packages, last_change
from scripts.publish.socket_reference import FOLDER
from scripts.publish.typescript import NAME
from siteassist_spec import load_spec
from siteassist_spec.reference import build_reference
from tests.commands import run
from tests.values import ROOT

PAGE = (ROOT / "docs" / "reference" / "publishing.md").read_text()
EPOCH = "1700000000"
NODE_MODULES = Path("tools", "node", "node_modules")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build all published files once."""
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        publish.build(folder)
    return folder


def test_files_are_the_documented_ones(dist: Path) -> None:
    """The folder has the files that the page lists, and no others."""
    names = {path.name for path in dist.iterdir()}
    listed = re.findall(r"^\| `([^`]+)`(?:, `([^`]+)`)? \|", PAGE, re.MULTILINE)
    expected = {name.rstrip("/") for row in listed for name in row if name}
    plain = {re.sub(r"(siteassist-|types-)\d+\.\d+\.\d+", r"\1VERSION", name) for name in names}
    made_by_node = {f"{NAME}-VERSION.tgz", FOLDER}
    assert made_by_node <= expected
    # Without Node.js, they are not built.
    assert expected in (plain, plain | made_by_node)
    assert set(build_reference(load_spec())) == {x.name for x in (dist / "reference").iterdir()}


def test_description_is_published_unchanged(dist: Path) -> None:
    """The YAML has the same bytes, and the JSON has the same content in the same order."""
    assert (ROOT / "openapi.yaml").read_bytes() == (dist / "openapi.yaml").read_bytes()
    published = json.loads((dist / "openapi.json").read_text())
    assert json.dumps(load_spec()) == json.dumps(published)


@pytest.mark.parametrize("version", ["3.0.3", "3.2.0"])
def test_yaml_and_json_have_the_same_content(dist: Path, version: str) -> None:
    """A reader of YAML 1.1, in which `on` and dates have other types, gets the same, too."""
    path = dist / f"openapi-{version}.yaml"
    expected = json.loads(path.with_suffix(".json").read_text())
    older = YAML(typ="safe", pure=True)
    older.version = (1, 1)
    assert expected == load_spec(path) == older.load(path)
    assert version == expected["openapi"]


def test_checksums_can_be_verified(dist: Path) -> None:
    """Every file has a checksum, and the documented command verifies it."""
    (line,) = re.findall(r"^sha256sum .*$", PAGE, re.MULTILINE)
    done = run(shlex.split(line), cwd=dist)
    assert (0, "") == (done.returncode, done.stderr)
    checked = {row.rpartition(": ")[0] for row in done.stdout.splitlines()}
    files = {path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()}
    assert files - {publish.SUMS} == checked


def test_packages_have_the_time_of_the_last_change(dist: Path) -> None:
    """Every file has the time of the last change, so that a later build is the same."""
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    assert {(2023, 11, 14, 22, 13, 20)} == {
        row.date_time for row in zipfile.ZipFile(wheel).infolist()
    }
    with tarfile.open(sdist) as archive:
        assert {int(EPOCH)} == {int(row.mtime) for row in archive.getmembers()}
        assert any(row.name.endswith("/openapi.yaml") for row in archive.getmembers())


def test_build_of_a_copy_is_the_same(dist: Path, tmp_path: Path) -> None:
    """A copy in another folder, without the history, builds the same files."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    if (ROOT / NODE_MODULES).exists():
        (tmp_path / NODE_MODULES).symlink_to(ROOT / NODE_MODULES)
    done = run(
        [sys.executable, "-m", "scripts.publish"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{tmp_path / 'generated'}",
            "SOURCE_DATE_EPOCH": EPOCH,
        },
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert publish.digests(dist) == publish.digests(tmp_path / "dist")


def test_linters_find_no_problem(node_bin: Path, dist: Path) -> None:
    """The variants and the journeys pass Redocly's lint, the socket AsyncAPI's parser."""
    assert node_bin
    assert [] == publish.lint(dist)


def test_problem_of_redocly_is_reported(
    dist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The report begins with the name of the file."""
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    program = tmp_path / "tools" / "node" / "node_modules" / ".bin" / "redocly"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho Bad; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))
    assert "openapi-3.0.3.yaml: Bad\n" == publish.lint(dist)[0]


@pytest.mark.parametrize(
    ("node", "why"),
    [(None, "Node.js is not installed"), ("node", "run `make lint-spec` to install it")],
)
def test_skipped_lint_is_reported(
    node: str | None,
    why: str,
    dist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without Node.js or Redocly, a message names the files and the reason."""
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: node)
    assert [] == publish.lint(dist)
    names = "openapi-3.0.3.yaml, openapi-3.2.0.yaml, siteassist.arazzo.yaml, asyncapi.yaml"
    assert (
        "Skipped: siteassist-types for npm, socket-reference/, and the checks of"
        f" {names} on Node.js ({why}).\n" == capsys.readouterr().out
    )


def test_invalid_variant_is_reported(dist: Path, tmp_path: Path) -> None:
    """Only the variant that this test breaks has problems."""
    for name, version in (("openapi.yaml", "3.1.0"), ("openapi-3.2.0.yaml", "3.2.0")):
        small = {"openapi": version, "info": {"title": "x", "version": "1"}, "paths": {}}
        (tmp_path / name).write_text(json.dumps(small))
    broken = (dist / "openapi-3.0.3.yaml").read_text().replace("operationId: getMe", "x: getMe", 1)
    (tmp_path / "openapi-3.0.3.yaml").write_text(broken)
    assert {"openapi-3.0.3.yaml"} == {row.partition(":")[0] for row in publish.problems(tmp_path)}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the build by one of two entries, and return a target folder that has a file."""
    target = tmp_path / "dist"
    target.mkdir()
    (target / "old").touch()
    monkeypatch.setattr(publish, "DIST", target)
    monkeypatch.setattr(publish, "problems", lambda _: [])
    monkeypatch.setattr(publish, "lint", lambda _: [])
    monkeypatch.setattr(sys, "argv", ["publish"])

    def build(folder: Path) -> None:
        (folder / "reference").mkdir(parents=True)
        (folder / "new").write_bytes(os.urandom(8))

    monkeypatch.setattr(publish, "build", build)
    return target


def test_old_files_are_replaced(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Old files are removed, and new files are listed."""
    assert 0 == publish.main()
    assert {"new", "reference"} == {path.name for path in target.iterdir()}
    assert "dist/new\ndist/reference/\n" == capsys.readouterr().out


def test_everybody_can_read_the_files(target: Path) -> None:
    """A private umask makes no private files: a web server of another user serves them."""
    before = os.umask(0o077)
    try:
        assert 0 == publish.main()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (target, *target.iterdir())}
    assert {"dist": 0o755, "new": 0o644, "reference": 0o755} == modes


def test_identical_builds_are_published(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--twice`, the output states that there were two builds."""
    monkeypatch.setattr(sys, "argv", ["publish", "--twice"])
    monkeypatch.setattr(os, "urandom", bytes)
    assert 0 == publish.main()
    assert "A second build produced identical files." == capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("name", ["problems", "lint"])
def test_build_with_a_problem_is_not_published(
    name: str, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The problem is printed, the exit status is 1, and the old files stay."""
    monkeypatch.setattr(publish, name, lambda _: ["openapi.yaml: bad"])
    assert 1 == publish.main()
    assert "openapi.yaml: bad\n" == capsys.readouterr().err
    assert ["old"] == [path.name for path in target.iterdir()]


def test_different_builds_are_not_published(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The different file is named, the exit status is 1, and the old files stay."""
    monkeypatch.setattr(sys, "argv", ["publish", "--twice"])
    assert 1 == publish.main()
    assert "new: the second build differs\n" == capsys.readouterr().err
    assert ["old"] == [path.name for path in target.iterdir()]


def test_failed_build_is_not_published(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is printed, the exit status is 2, and the old files stay."""

    def build(_: Path) -> None:
        raise PublishError("no")

    monkeypatch.setattr(publish, "build", build)
    assert 2 == publish.main()
    assert "no\n" == capsys.readouterr().err
    assert ["old"] == [path.name for path in target.iterdir()]


def test_time_of_the_last_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is `SOURCE_DATE_EPOCH`, or the last commit, or without commits the start of 1980."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert 5 == last_change()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    command = ["git", "log", "-1", "--format=%ct"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(found.stdout) == last_change()
    assert 315_532_800 == last_change(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert 315_532_800 == last_change()


def test_failure_of_the_build_backend_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error contains the message of the build backend."""
    monkeypatch.setattr(packages, "ROOT", tmp_path)
    with pytest.raises(
        PublishError, match=r"^the packages cannot be built: ValueError: .*`project`"
    ):
        build_packages(tmp_path, 0)
