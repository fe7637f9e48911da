"""The wheel is complete, and its client needs only httpx and attrs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.commands import run
from tests.values import ROOT

PACKAGES = {
    "siteassist",
    "siteassist_cli",
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
    assert "siteassist_contract/report/summary.schema.json" in archive.namelist()
    evidence = (ROOT / "docs" / "evidence.md").read_bytes()
    assert evidence == archive.read("siteassist_contract/report/evidence.md")
    assert "siteassist_mock/operator/page.html" in archive.namelist()


def test_wheel_carries_the_pages_that_it_refers_to(wheel: Path) -> None:
    """Docstrings, messages, reports and schemas name only pages that are installed with them."""
    archive = zipfile.ZipFile(wheel)
    names = set(archive.namelist())
    text = (".py", ".html", ".jinja", ".toml", ".json", "METADATA", "py.typed")
    shipped = [name for name in names if name.endswith(text) and "/vendor/" not in name]
    named = {
        page
        for name in shipped
        for page in re.findall(r"\bdocs/[\w./-]*\.(?:md|yaml)\b", archive.read(name).decode())
    }
    assert named
    assert set() == {page for page in named if f"siteassist/{page}" not in names}
    elsewhere = re.compile(r"\b(?:CONTRIBUTING|ARCHITECTURE)\.md\b|\b(?:tests|templates)/\w")
    code = [name for name in shipped if name.endswith((".py", ".html", ".jinja", ".toml"))]
    assert [] == [name for name in code if elsewhere.search(archive.read(name).decode())]


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


def test_long_description_is_the_readme_without_dead_links(wheel: Path) -> None:
    """The page of the package has the programs of the README, and links to websites only."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    text = archive.read(name).decode().partition("\n\n")[2]
    fence = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)]*)\)", fence.sub("", text))
    assert links
    assert [] == [link for link in links if not link.startswith("https://")]
    assert fence.findall((ROOT / "README.md").read_text()) == fence.findall(text)


def test_documented_installation_works(wheel: Path, tmp_path: Path) -> None:
    """The command of the README installs the wheel, here without other packages."""
    text = (ROOT / "README.md").read_text()
    (line,) = re.findall(r"^python3 -m pip install .*$", text, re.MULTILINE)
    options = f"--no-deps --no-index --quiet --target {shlex.quote(str(tmp_path / 'packages'))}"
    command = line.replace("python3", shlex.quote(sys.executable)).replace(
        "dist", str(wheel.parent)
    )
    done = run(["sh", "-c", f"{command} {options}"], cwd=tmp_path)
    assert 0 == done.returncode, done.stderr
    assert (tmp_path / "packages" / "siteassist" / "__init__.py").exists()


def test_installed_packages_read_the_packaged_description(wheel: Path, tmp_path: Path) -> None:
    """The packages work from the wheel, without the repository."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import siteassist, siteassist_cli, siteassist_mock, siteassist_contract\n"
        "import siteassist_spec\n"
        "print(siteassist_spec.SPEC_PATH, siteassist_spec.load_spec()['openapi'])\n"
    )
    done = run([sys.executable, "-c", program], cwd=tmp_path)
    assert (f"{tmp_path}/siteassist_spec/openapi.yaml 3.1.0\n", "") == (done.stdout, done.stderr)


def test_client_depends_on_httpx_and_attrs_only() -> None:
    """Installing the client installs attrs, httpx and what httpx brings."""
    names = {Requirement(line).name for line in PROJECT["dependencies"]}
    brought = {Requirement(line).name for line in metadata.requires("httpx") or []}
    assert {"attrs", "httpx"} <= names
    assert set() == names - {"attrs", "httpx"} - brought


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


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def needed(extra: str) -> set[str]:
    """Return the names of the distributions that an installation with ``extra`` has.

    Those that are not installed here, such as Locust's, are left out.
    """
    waiting = [*PROJECT["dependencies"], *EXTRAS.get(extra, ())]
    found: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        markers = [{"extra": each} for each in ("", *requirement.extras)]
        if name in found:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        waiting += [
            line
            for line in requires
            for marker in [Requirement(line).marker]
            if marker is None or any(marker.evaluate(each) for each in markers)
        ]
    return found


@pytest.mark.parametrize("extra", ["", *EXTRAS])
@pytest.mark.parametrize("script", PROJECT["scripts"])
def test_command_with_another_extra_names_its_own(script: str, extra: str) -> None:
    """Without the packages of its extra, each command prints one line instead of a traceback."""
    own = script.removeprefix("siteassist-") if "-" in script else "cli"
    present = needed(extra)
    # `cli` has no package that is missing here, unlike `load`.
    if own == extra or (own == "cli" and needed(own) <= present):
        pytest.skip("has the packages of the command")
    hidden = [
        module
        for module, names in metadata.packages_distributions().items()
        if not {canonicalize_name(name) for name in names} & {*present, "siteassist"}
    ]
    arguments = ["--port", "0"] if own == "mock" else ["http://127.0.0.1:1/v2", "--token", "x"]
    module, _, function = PROJECT["scripts"][script].partition(":")
    program = (
        "import importlib, sys\n"
        f"hidden = {hidden!r}\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in hidden:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        f"sys.argv = {[script, *arguments]!r}\n"
        f"importlib.import_module({module!r}).{function}()\n"
    )
    done = run([sys.executable, "-c", program])
    expected = f"{script} needs more packages: pip install 'siteassist[{own}]'\n"
    assert (2, "", expected) == (done.returncode, done.stdout, done.stderr)
