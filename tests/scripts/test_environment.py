"""The set-up installs exactly the locked packages, or reports in one sentence why it cannot."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import environment
from scripts.lock import LOCKS, changes, pins
from tests.commands import run
from tests.values import ROOT

ENVIRONMENTS = {"dev.txt": ".venv", "bench.txt": ".venv-bench", "load.txt": ".venv-load"}
# The pip of Python 3.11.0, which is the oldest that can be bundled, and the latest.
PIPS = ["pip==22.3", "pip"]
LATER = "9999"


def installed(name: str) -> dict[str, Distribution]:
    """Return the packages in the environment of a lock file, without pip and this project."""
    folder = ROOT / ENVIRONMENTS[name]
    if not (folder / "lib").exists():
        pytest.skip(f"needs {ENVIRONMENTS[name]}, which `make test` sets up")
    paths = [str(path) for path in folder.glob("lib/python*/site-packages")]
    found = {canonicalize_name(one.metadata["Name"]): one for one in distributions(path=paths)}
    return {
        name: one for name, one in found.items() if name not in {"pip", "setuptools", "siteassist"}
    }


def locked(name: str) -> dict[str, str]:
    """Return the versions of a lock file that apply to this interpreter."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    entries = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        canonicalize_name(entry.name): str(entry.specifier).removeprefix("==")
        for entry in entries
        if entry.marker is None or entry.marker.evaluate()
    }


@pytest.mark.parametrize("name", LOCKS)
def test_environment_matches_its_lock(name: str) -> None:
    """The environment has each locked package in the locked version, and no other package."""
    found = {package: one.version for package, one in installed(name).items()}
    assert locked(name) == found


def stub(folder: Path, name: str, version: str, requires: list[str]) -> str:
    """Write a wheel that has only metadata, and return the hash of its file."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {text}" for text in requires),
        # For an undeclared extra, pip only prints a warning.
        *sorted({f"Provides-Extra: {extra}" for text in requires for extra in EXTRA.findall(text)}),
    ]
    files = {
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: stub\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256="
        + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        + f",{len(text)}"
        for path, text in files.items()
    ]
    files[f"{stem}.dist-info/RECORD"] = "\n".join([*record, f"{stem}.dist-info/RECORD,,"]) + "\n"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")


def newer_index(folder: Path, name: str) -> Path:
    """Write a package index, as a folder, in which every locked package has a newer release.

    The locked version and version 9999 of each package are empty wheels with the real
    requirements. Returns a lock file with the hashes of these wheels.
    """
    lock = folder / name
    entries = []
    for package, one in installed(name).items():
        requires = one.requires or []
        digest = stub(folder, package, one.version, requires)
        stub(folder, package, LATER, requires)
        entries.append(f"{package}=={one.version} \\\n    --hash=sha256:{digest}\n")
    lock.write_text("".join(entries))
    return lock


@pytest.fixture(scope="module", params=PIPS)
def other_pip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Download a version of pip, and return the path of its wheel."""
    folder = tmp_path_factory.mktemp("pip")
    command = environment.pip(sys.executable, "download", "--quiet", "--no-deps", request.param)
    subprocess.run(command, cwd=folder, check=True)
    (wheel,) = folder.glob("pip-*.whl")
    return str(wheel)


@pytest.fixture
def empty(tmp_path: Path, other_pip: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Create an environment with this pip, and the folder ``index`` as its only index."""
    (tmp_path / "index").mkdir()
    venv = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(venv, check=True)
    monkeypatch.setenv("PYTHONPATH", other_pip)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return str(tmp_path / "venv" / "bin" / "python")


def contents(python: str) -> dict[str, str]:
    """Return the packages of an environment with their versions."""
    (packages,) = Path(python).parents[1].glob("lib/python*/site-packages")
    found = distributions(path=[str(packages)])
    return {canonicalize_name(one.metadata["Name"]): one.version for one in found}


@pytest.mark.parametrize("name", LOCKS)
def test_setup_ignores_newer_releases(name: str, empty: str, tmp_path: Path) -> None:
    """Each version of pip installs the locked versions and nothing else."""
    lock = newer_index(tmp_path / "index", name)
    environment.install(empty, lock, editable=False)
    assert locked(name) == contents(empty)


@pytest.mark.parametrize("other_pip", ["pip"], indirect=True)
def test_newer_releases_are_installed_without_a_lock(empty: str, tmp_path: Path) -> None:
    """Without the lock, the same index gives version 9999, so the previous test can fail."""
    newer_index(tmp_path / "index", "dev.txt")
    subprocess.run(
        environment.pip(empty, "install", "--quiet", "--no-deps", "coverage"), check=True
    )
    assert {"coverage": LATER} == contents(empty)


@pytest.mark.parametrize("other_pip", ["pip"], indirect=True)
@pytest.mark.parametrize(
    ("name", "lost", "needed_by"),
    [
        ("dev.txt", "iniconfig", "pytest"),
        # Only an extra requires it, and `pip check` ignores extras.
        ("dev.txt", "psycopg-binary", r"psycopg\[binary\]"),
        ("dev.txt", "ruff", "pyproject.toml"),
        ("load.txt", "flask", "locust"),
    ],
)
def test_incomplete_lock_is_an_error(
    name: str, lost: str, needed_by: str, empty: str, tmp_path: Path
) -> None:
    """One line names the lock, the missing package and the package that requires it."""
    lock = newer_index(tmp_path / "index", name)
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)
    kept = [entry for entry in entries if not entry.startswith(f"{lost}==")]
    assert len(kept) == len(entries) - 1
    lock.write_text("".join(kept))
    sentence = f"{name} is incomplete: .*{needed_by} requires {lost}"
    with pytest.raises(environment.SetUpError, match=sentence) as raised:
        environment.install(empty, lock, editable=False)
    assert 1 == len(str(raised.value).splitlines())


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    """A requirement without a version or a hash could change without notice."""
    text = (ROOT / "requirements" / name).read_text()
    entries = re.findall(
        r"^([a-z0-9][^\s=]*)(==\S+)?((?:.*\\\n\s+--hash=\S+)+)?", text, re.MULTILINE
    )
    assert len(entries) > 20
    assert [] == [name for name, version, hashes in entries if not version or not hashes]


@pytest.mark.parametrize(
    "name", [*(f"requirements/{name}" for name in LOCKS), "tools/node/package-lock.json"]
)
def test_lock_file_contains_no_index(name: str) -> None:
    """The user's configuration decides on the package index."""
    text = (ROOT / name).read_text()
    assert [] == re.findall(r'--(?:extra-)?index-url\S*|"resolved"', text)


def test_build_backend_has_the_locked_version() -> None:
    """A build from the sources, without the lock, uses the same backend."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (backend,) = project["build-system"]["requires"]
    assert [backend] == project["dependency-groups"]["build"]
    assert {Requirement(backend).name: str(Requirement(backend).specifier)} == {
        "hatchling": "==" + pins(ROOT / "requirements" / "dev.txt")["hatchling"]
    }


def test_changes_of_a_lock_are_listed() -> None:
    """`make lock ARGS=--check` lists newer, new and removed packages."""
    old = {"a": "1", "b": "1", "c": "1"}
    expected = ["a 1 -> 2", "c 1 -> (no longer needed)", "d (new) -> 1"]
    assert expected == changes(old, {"a": "2", "b": "1", "d": "1"})


def set_up(
    *words: str, program: str = "", variables: Mapping[str, str] | None = None, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run ``program`` and then the set-up, as make runs it."""
    start = "runpy.run_module('scripts.environment', run_name='__main__')"
    code = f"import runpy, sys\n{program}\n{start}"
    command = [sys.executable, "-c", code, *words]
    variables = {**os.environ, **(variables or {})}
    return run(command, cwd=root, env=variables)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("sys.version_info = (3, 10, 2)", r"needs Python 3\.11 or later, but \S+ is 3\.10: select"),
        ("sys.modules['venv'] = None; sys.meta_path.insert(0, Hide('venv'))", "no module `venv`"),
        (
            "sys.modules['ensurepip'] = None; sys.meta_path.insert(0, Hide('ensurepip'))",
            "no module `ensurepip`",
        ),
    ],
)
def test_unusable_interpreter_is_reported(program: str, sentence: str, tmp_path: Path) -> None:
    """The message is one line, the exit status is 2, and nothing is written."""
    hide = "class Hide:\n    def __init__(self, name): pass\n    find_spec = lambda *_: None\n"
    done = set_up(str(tmp_path / "venv"), "requirements/dev.txt", program=hide + program)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert re.search(rf"^The set-up cannot run: .*{sentence}", done.stderr)
    assert [] == list(tmp_path.iterdir())


def test_path_that_the_locale_cannot_decode_is_reported(tmp_path: Path) -> None:
    """Otherwise, Python would fail with a traceback in the new environment."""
    root = tmp_path / "café"
    (root / "scripts").mkdir(parents=True)
    source = (ROOT / "scripts" / "environment.py").read_text()
    (root / "scripts" / "environment.py").write_text(source)
    (root / "dev.txt").touch()
    done = set_up("venv", "dev.txt", variables={"LC_ALL": "C", "PYTHONUTF8": "1"}, root=root)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "set LC_ALL=C.UTF-8, or move the folder." in done.stderr


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    """A file takes the place of the folder, because root can write to any folder."""
    (tmp_path / "file").touch()
    done = set_up(str(tmp_path / "file" / "venv"), "requirements/dev.txt")
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "The set-up cannot run: " in done.stderr
    assert "Not a directory" in done.stderr


def test_missing_index_is_reported(tmp_path: Path) -> None:
    """Without an index, one sentence names the package that cannot be installed."""
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    done = set_up(str(tmp_path / "venv"), "requirements/bench.txt", variables=variables)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    sentence = "cannot install requirements/bench.txt: No matching distribution found for "
    assert sentence in done.stderr
    assert not (tmp_path / "venv" / ".ready").exists()


def test_concurrent_setups_create_one_environment(tmp_path: Path) -> None:
    """The second process waits for the first, and then has nothing to do."""
    lock = tmp_path / "dev.txt"
    lock.touch()
    program = (
        "import sys; from pathlib import Path; from scripts import environment\n"
        "environment.install = lambda *_, **__: None\n"
        f"environment.create(Path({str(tmp_path / 'venv')!r}), Path({str(lock)!r}), editable=False)"
    )
    command = [sys.executable, "-c", program]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    printed = [process.communicate()[0].count(b"Setting up") for process in running]
    assert [0, 1] == sorted(printed)
    assert [0, 0] == [process.returncode for process in running]
