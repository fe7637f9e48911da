"""`make publish` puts together what is documented, the same each time."""

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
from siteassist_spec import load_spec
from siteassist_spec.reference import build_reference
from tests.values import ROOT

PAGE = (ROOT / "docs" / "publishing.md").read_text()
EPOCH = "1700000000"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build everything once."""
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        publish.build(folder)
    return folder


def test_everything_is_there(dist: Path) -> None:
    """What the page lists, and nothing else."""
    names = {path.name for path in dist.iterdir()}
    listed = re.findall(r"^\| `([^`]+)`(?:, `([^`]+)`)? \|", PAGE, re.MULTILINE)
    expected = {name.rstrip("/") for row in listed for name in row if name}
    plain = {re.sub(r"(siteassist-)\d+\.\d+\.\d+", r"\1VERSION", name) for name in names}
    assert expected == plain
    assert set(build_reference(load_spec())) == {x.name for x in (dist / "reference").iterdir()}


def test_description_is_published_as_it_is(dist: Path) -> None:
    """The YAML byte for byte, the JSON with the same content in the same order."""
    assert (ROOT / "openapi.yaml").read_bytes() == (dist / "openapi.yaml").read_bytes()
    published = json.loads((dist / "openapi.json").read_text())
    assert json.dumps(load_spec()) == json.dumps(published)


@pytest.mark.parametrize("version", ["3.0.3", "3.2.0"])
def test_yaml_and_json_say_the_same(dist: Path, version: str) -> None:
    """Also to a reader of YAML 1.1, to which `on` and dates are no texts."""
    path = dist / f"openapi-{version}.yaml"
    expected = json.loads(path.with_suffix(".json").read_text())
    older = YAML(typ="safe", pure=True)
    older.version = (1, 1)
    assert expected == load_spec(path) == older.load(path)
    assert version == expected["openapi"]


def test_sums_can_be_checked(dist: Path) -> None:
    """By the command that the page prints; every file has one."""
    (line,) = re.findall(r"^sha256sum .*$", PAGE, re.MULTILINE)
    done = subprocess.run(shlex.split(line), cwd=dist, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    checked = {row.rpartition(": ")[0] for row in done.stdout.splitlines()}
    files = {path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()}
    assert files - {publish.SUMS} == checked


def test_packages_have_the_time_of_the_last_change(dist: Path) -> None:
    """In every file of both, so that they do not depend on when they were built."""
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    assert {(2023, 11, 14, 22, 13, 20)} == {
        row.date_time for row in zipfile.ZipFile(wheel).infolist()
    }
    with tarfile.open(sdist) as archive:
        assert {int(EPOCH)} == {int(row.mtime) for row in archive.getmembers()}
        assert any(row.name.endswith("/openapi.yaml") for row in archive.getmembers())


@pytest.mark.suite
def test_a_copy_elsewhere_builds_the_same(dist: Path, tmp_path: Path) -> None:
    """In another folder, without the history, and twice."""
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
    done = subprocess.run(
        [sys.executable, "-m", "scripts.publish", "--twice"],
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if "COV" not in name},
            "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{tmp_path / 'generated'}",
            "SOURCE_DATE_EPOCH": EPOCH,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "A second build produced identical files." in done.stdout
    assert publish.digests(dist) == publish.digests(tmp_path / "dist")


@pytest.mark.suite
def test_redocly_has_nothing_to_say(node_bin: Path, dist: Path) -> None:
    """Of the variants and of the journeys."""
    assert node_bin
    assert [] == publish.lint(dist)


def test_what_redocly_finds_is_told(
    dist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the name of the file."""
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
def test_without_node_it_is_said_what_is_left_out(
    node: str | None,
    why: str,
    dist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By name, with the reason."""
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: node)
    assert [] == publish.lint(dist)
    names = "openapi-3.0.3.yaml, openapi-3.2.0.yaml, siteassist.arazzo.yaml"
    assert f"Skipped: Redocly's check of {names} ({why}).\n" == capsys.readouterr().out


def test_variant_that_is_not_valid_is_named(dist: Path, tmp_path: Path) -> None:
    """All but the one that is spoilt here, which is named."""
    shutil.copytree(dist, tmp_path, dirs_exist_ok=True)
    broken = (dist / "openapi-3.0.3.yaml").read_text().replace("operationId: getMe", "x: getMe", 1)
    (tmp_path / "openapi-3.0.3.yaml").write_text(broken)
    assert {"openapi-3.0.3.yaml"} == {row.partition(":")[0] for row in publish.problems(tmp_path)}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publish nothing but one file, to a folder that has another one."""
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


def test_what_was_there_goes(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is there now is listed."""
    assert 0 == publish.main()
    assert {"new", "reference"} == {path.name for path in target.iterdir()}
    assert "dist/new\ndist/reference/\n" == capsys.readouterr().out


@pytest.mark.parametrize("name", ["problems", "lint"])
def test_what_is_wrong_is_not_published(
    name: str, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, and the problem."""
    monkeypatch.setattr(publish, name, lambda _: ["openapi.yaml: bad"])
    assert 1 == publish.main()
    assert "openapi.yaml: bad\n" == capsys.readouterr().err
    assert ["old"] == [path.name for path in target.iterdir()]


def test_builds_that_differ_are_not_published(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, and what differs."""
    monkeypatch.setattr(sys, "argv", ["publish", "--twice"])
    assert 1 == publish.main()
    assert "new: the second build differs\n" == capsys.readouterr().err
    assert ["old"] == [path.name for path in target.iterdir()]


def test_what_cannot_be_built_is_told(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and the reason."""

    def build(_: Path) -> None:
        raise PublishError("no")

    monkeypatch.setattr(publish, "build", build)
    assert 2 == publish.main()
    assert "no\n" == capsys.readouterr().err
    assert ["old"] == [path.name for path in target.iterdir()]


def test_time_of_the_last_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is told, or the last commit, or where there is none the start of 1980."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert 5 == last_change()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    command = ["git", "log", "-1", "--format=%ct"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(found.stdout) == last_change()
    assert 315_532_800 == last_change(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert 315_532_800 == last_change()


def test_failed_build_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the builder said."""
    monkeypatch.setattr(packages, "ROOT", tmp_path)
    with pytest.raises(
        PublishError, match=r"^the packages cannot be built: ValueError: .*`project`"
    ):
        build_packages(tmp_path, 0)
