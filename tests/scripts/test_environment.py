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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import environment
from scripts.lock import LOCKS, changes, pins
from tests.commands import run
from tests.values import ROOT

ENVIRONMENTS = {
    "dev.txt": ".venv",
    "bench.txt": ".venv-bench",
    "load.txt": ".venv-load",
    "docs.txt": ".venv-docs",
}
# The pip of Python 3.11.0, which is the oldest that can be bundled, and the latest.
OLDEST_PIP, LATEST_PIP = "pip==22.3", "pip"
LATER = "9999"


def installed(name: str) -> dict[str, Distribution]:
    """Return the packages in the environment of a lock file, without pip and this project."""
    folder = ROOT / ENVIRONMENTS[name]
    if not (folder / "lib").exists():
        pytest.skip(f"needs {ENVIRONMENTS[name]}")
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


@dataclass(frozen=True)
class SetUp:
    """An environment, and the lock file that it was set up from."""

    python: str
    lock: Path

    @property
    def packages(self) -> Path:
        """The folder of its packages."""
        (folder,) = Path(self.python).parents[1].glob("lib/python*/site-packages")
        return folder

    @property
    def contents(self) -> dict[str, str]:
        """Its packages with their versions."""
        found = distributions(path=[str(self.packages)])
        return {canonicalize_name(one.metadata["Name"]): one.version for one in found}


@dataclass
class Setups:
    """Environments with versions of pip, and a folder as their only index."""

    folder: Path
    _pips: dict[str, str] = field(default_factory=dict)
    _done: dict[tuple[str, str], SetUp] = field(default_factory=dict)

    def empty(self, name: str) -> SetUp:
        """Create an environment, and the index with the packages of a lock file."""
        folder = self.folder / f"{len(list(self.folder.iterdir()))}"
        (folder / "index").mkdir(parents=True)
        venv = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
        subprocess.run(venv, check=True)
        lock = newer_index(folder / "index", name)
        return SetUp(str(folder / "venv" / "bin" / "python"), lock)

    def complete(self, pip: str, name: str) -> SetUp:
        """Return the environment that a version of pip has set up from a lock file."""
        if (pip, name) not in self._done:
            made = self.empty(name)
            with self.using(pip, made):
                environment.install(made.python, made.lock, editable=False)
            self._done[pip, name] = made
        return self._done[pip, name]

    @contextmanager
    def using(self, pip: str, made: SetUp) -> Iterator[None]:
        """Let the environment have this pip, and its index only."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", self._wheel(pip))
            patch.setenv("PIP_NO_INDEX", "1")
            patch.setenv("PIP_FIND_LINKS", str(made.lock.parent))
            yield

    def _wheel(self, pip: str) -> str:
        if pip not in self._pips:
            folder = self.folder / f"wheel-{len(self._pips)}"
            folder.mkdir()
            command = environment.pip(sys.executable, "download", "--quiet", "--no-deps", pip)
            subprocess.run(command, cwd=folder, check=True)
            (wheel,) = folder.glob("pip-*.whl")
            self._pips[pip] = str(wheel)
        return self._pips[pip]


@pytest.fixture(scope="module")
def setups(tmp_path_factory: pytest.TempPathFactory) -> Setups:
    """Share the environments of this module: to set one up takes seconds."""
    return Setups(tmp_path_factory.mktemp("setups"))


@pytest.mark.sweep(2)
@pytest.mark.parametrize(
    ("pip", "name"), [*((OLDEST_PIP, name) for name in LOCKS), (LATEST_PIP, "dev.txt")]
)
def test_setup_ignores_newer_releases(pip: str, name: str, setups: Setups) -> None:
    """Each version of pip installs the locked versions and nothing else."""
    assert locked(name) == setups.complete(pip, name).contents


def test_setup_prints_its_progress(setups: Setups) -> None:
    """During the minute of an installation, short lines name the steps and count the packages."""
    made = setups.empty("dev.txt")
    total, lines = len(installed("dev.txt")), list[str]()
    with setups.using(OLDEST_PIP, made):
        environment.install(made.python, made.lock, editable=False, say=lines.append)
    counted = range(environment.STEP, total + 1, environment.STEP)
    assert lines == [
        f"  downloading {total} packages",
        *(f"  downloaded {number} of {total} packages" for number in counted),
        f"  unpacking {total} packages",
        "  checking the packages",
    ]
    assert [] == [line for line in lines if len(line) > 80]


def test_newer_releases_are_installed_without_a_lock(setups: Setups) -> None:
    """Without the lock, the same index gives version 9999, so the previous test can fail."""
    made = setups.empty("dev.txt")
    command = environment.pip(made.python, "install", "--quiet", "--no-deps", "coverage")
    with setups.using(LATEST_PIP, made):
        subprocess.run(command, check=True)
    assert {"coverage": LATER} == made.contents


@contextmanager
def without(made: SetUp, lost: list[str], folder: Path) -> Iterator[Path]:
    """Take packages out of an environment, and yield a lock file without them."""
    entries = re.split(r"^(?=[a-z0-9])", made.lock.read_text(), flags=re.MULTILINE)
    kept = [entry for entry in entries if entry.partition("==")[0] not in lost]
    assert len(kept) == len(entries) - len(lost)
    lock = folder / made.lock.name
    lock.write_text("".join(kept))
    found = [made.packages.glob(f"{name.replace('-', '_')}-*.dist-info") for name in lost]
    moved = [(path, folder / path.name) for paths in found for path in paths]
    assert len(lost) == len(moved)
    for path, elsewhere in moved:
        path.rename(elsewhere)
    try:
        yield lock
    finally:
        for path, elsewhere in moved:
            elsewhere.rename(path)


def test_incomplete_lock_is_an_error(setups: Setups, tmp_path: Path) -> None:
    """One line names the lock, the missing package and the package that requires it."""
    made = setups.complete(OLDEST_PIP, "load.txt")
    sentence = "load.txt is incomplete: .*locust requires flask"
    with (
        without(made, ["flask"], tmp_path) as lock,
        setups.using(OLDEST_PIP, made),
        pytest.raises(environment.SetUpError, match=sentence) as raised,
    ):
        environment.install(made.python, lock, editable=False)
    assert 1 == len(str(raised.value).splitlines())


def test_each_missing_package_is_found(setups: Setups, tmp_path: Path) -> None:
    """A package may be needed by another one, by an extra only, or by this project."""
    made = setups.complete(OLDEST_PIP, "dev.txt")
    with (
        without(made, ["iniconfig", "psycopg-binary", "ruff"], tmp_path) as lock,
        # `pip check` ignores extras.
        setups.using(OLDEST_PIP, made),
    ):
        done = run([made.python, ROOT / "scripts" / "lock_check.py", lock])
    assert 1 == done.returncode
    assert {
        "psycopg[binary] requires psycopg-binary, which is not installed",
        "pyproject.toml requires ruff, which is not installed",
        "pytest requires iniconfig, which is not installed",
    } <= set(done.stdout.splitlines())


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
    """A build from the sources, without the lock, uses the same backend and plugin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requires = project["build-system"]["requires"]
    assert requires == project["dependency-groups"]["build"]
    versions = pins(ROOT / "requirements" / "dev.txt")
    for backend in map(Requirement, requires):
        assert f"=={versions[backend.name]}" == str(backend.specifier)


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
    *progress, line = done.stderr.splitlines()
    assert (2, "", 1) == (done.returncode, done.stdout, len(progress))
    assert line.startswith("The set-up cannot run: ")
    assert "Not a directory" in line


def test_missing_index_is_reported(tmp_path: Path) -> None:
    """Without an index, one sentence names the package that cannot be installed."""
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    done = set_up(str(tmp_path / "venv"), "requirements/bench.txt", variables=variables)
    *progress, line = done.stderr.splitlines()
    assert (2, "") == (done.returncode, done.stdout)
    assert [True, False] == [each.startswith("Setting up ") for each in progress]
    sentence = "cannot install requirements/bench.txt: No matching distribution found for "
    assert sentence in line
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
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    printed = [process.communicate()[1].count(b"Setting up") for process in running]
    assert [0, 1] == sorted(printed)
    assert [0, 0] == [process.returncode for process in running]
