"""The wheel is complete, and its client needs only httpx and attrs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.commands import run
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
    """The wheel has exactly the shipped packages, each with its ``py.typed``."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert PACKAGES == {top for top in tops if not top.endswith(".dist-info")}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_wheel_carries_the_description(wheel: Path) -> None:
    """The wheel has an identical `openapi.yaml`, and the data files of the packages."""
    archive = zipfile.ZipFile(wheel)
    assert (ROOT / "openapi.yaml").read_bytes() == archive.read("siteassist_spec/openapi.yaml")
    assert "siteassist_contract/checks/generated/schemathesis.toml" in archive.namelist()
    assert "siteassist_mock/operator/page.html" in archive.namelist()


def test_wheel_carries_the_reference(wheel: Path) -> None:
    """The wheel has the page, the library that renders it, and the licences."""
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


def test_installed_packages_read_the_packaged_description(wheel: Path, tmp_path: Path) -> None:
    """The packages work from the wheel, without the repository."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import siteassist, siteassist_mock, siteassist_contract, siteassist_spec\n"
        "print(siteassist_spec.SPEC_PATH, siteassist_spec.load_spec()['openapi'])\n"
    )
    done = run([sys.executable, "-c", program], cwd=tmp_path)
    assert (f"{tmp_path}/siteassist_spec/openapi.yaml 3.1.0\n", "") == (done.stdout, done.stderr)


def test_client_depends_on_httpx_and_attrs_only() -> None:
    """Installing the client installs no library that it does not need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ["attrs>=23.1", "httpx>=0.25,<1"] == project["dependencies"]


def test_client_imports_its_dependencies_only() -> None:
    """Importing the whole client loads no library of the other packages."""
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
    # Without click, which httpx imports if it is installed.
    others = {"jsonschema_rs", "jwt", "ruamel", "schemathesis", "sqlalchemy"}
    assert set() == loaded & (others | PACKAGES - {"siteassist", "siteassist_runtime"})


@pytest.mark.parametrize("name", ["mock", "contract"])
def test_command_without_its_extra_names_it(name: str) -> None:
    """Without the extra, a command prints one line instead of a traceback."""
    program = (
        "import runpy, sys; sys.modules['click'] = None\n"
        f"runpy.run_module('siteassist_{name}', run_name='__main__')\n"
    )
    done = run([sys.executable, "-c", program])
    expected = f"siteassist-{name} needs more packages: pip install 'siteassist[{name}]'\n"
    assert (2, "", expected) == (done.returncode, done.stdout, done.stderr)
