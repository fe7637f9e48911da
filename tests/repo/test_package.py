"""The wheel has what it should, and its client needs httpx and attrs only."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.values import ROOT

PACKAGES = {
    "siteassist",
    "siteassist_contract",
    "siteassist_mock",
    "siteassist_runtime",
    "siteassist_spec",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build as b; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


def test_wheel_has_all_packages_with_types(wheel: Path) -> None:
    """Each package is there, and says that it is typed."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert PACKAGES == {top for top in tops if not top.endswith(".dist-info")}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_wheel_carries_the_description(wheel: Path) -> None:
    """What reads `openapi.yaml` finds it after installation, byte for byte."""
    archive = zipfile.ZipFile(wheel)
    assert (ROOT / "openapi.yaml").read_bytes() == archive.read("siteassist_spec/openapi.yaml")
    assert "siteassist_contract/checks/generated/schemathesis.toml" in archive.namelist()
    assert "siteassist_mock/operator/page.html" in archive.namelist()


def test_wheel_carries_the_reference(wheel: Path) -> None:
    """The page, the library that draws it, and its licences."""
    archive = zipfile.ZipFile(wheel)
    folder = ROOT / "src" / "siteassist_spec" / "reference"
    files = [path for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    assert folder / "vendor" / "redoc.standalone.js" in files
    for path in files:
        name = path.relative_to(ROOT / "src").as_posix()
        assert path.read_bytes() == archive.read(name)
    licenses = {name.rpartition("/licenses/")[2] for name in archive.namelist()}
    vendor = "src/siteassist_spec/reference/vendor"
    assert {"LICENSE", f"{vendor}/LICENSE", f"{vendor}/worker.js.LICENSE.txt"} <= licenses


def test_installed_packages_read_the_carried_description(wheel: Path, tmp_path: Path) -> None:
    """The packages work from the wheel alone, away from the repository."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import siteassist, siteassist_mock, siteassist_contract, siteassist_spec\n"
        "print(siteassist_spec.SPEC_PATH, siteassist_spec.load_spec()['openapi'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        # The unpacked copy is not what coverage is to be measured of.
        env={name: value for name, value in os.environ.items() if "COV" not in name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (f"{tmp_path}/siteassist_spec/openapi.yaml 3.1.0\n", "") == (done.stdout, done.stderr)


def test_client_needs_httpx_and_attrs_only() -> None:
    """Whoever installs the client gets nothing that it does not need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ["attrs>=23.1", "httpx>=0.25,<1"] == project["dependencies"]


def test_client_imports_nothing_else() -> None:
    """Importing the client loads no library but those two and theirs."""
    program = (
        "import sys, siteassist, siteassist.models, siteassist.api.messages.send_message\n"
        "siteassist.SiteAssist(token='x'), siteassist.AsyncSiteAssist(token='x')\n"
        "[getattr(siteassist, name) for name in siteassist.__all__]\n"
        "[getattr(siteassist.models, name) for name in siteassist.models.__all__]\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    # Not click: httpx loads that itself if it is there.
    ours_only = {"jsonschema_rs", "jwt", "ruamel", "schemathesis", "sqlalchemy"}
    assert set() == loaded & (ours_only | PACKAGES - {"siteassist", "siteassist_runtime"})


@pytest.mark.parametrize("name", ["mock", "contract"])
def test_command_without_its_packages_says_what_to_install(name: str) -> None:
    """Whoever installed the client alone gets one line instead of a traceback."""
    program = (
        "import runpy, sys; sys.modules['click'] = None\n"
        f"runpy.run_module('siteassist_{name}', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    expected = f"siteassist-{name} needs more packages: pip install 'siteassist[{name}]'\n"
    assert (2, "", expected) == (done.returncode, done.stdout, done.stderr)
