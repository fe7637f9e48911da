"""The set-up installs what is locked, on any later day, or says in one sentence why not."""

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
from tests.values import ROOT

ENVIRONMENTS = {"dev.txt": ".venv", "bench.txt": ".venv-bench", "load.txt": ".venv-load"}
# That of Python 3.11.0, the oldest that can be bundled; and the one of today.
PIPS = ["pip==22.3", "pip"]
LATER = "9999"


def installed(name: str) -> dict[str, Distribution]:
    """Return what the environment of a lock file has, apart from pip and this package."""
    folder = ROOT / ENVIRONMENTS[name]
    if not (folder / "lib").exists():
        pytest.skip(f"needs {ENVIRONMENTS[name]}, which `make test` sets up")
    paths = [str(path) for path in folder.glob("lib/python*/site-packages")]
    found = {canonicalize_name(one.metadata["Name"]): one for one in distributions(path=paths)}
    return {
        name: one for name, one in found.items() if name not in {"pip", "setuptools", "siteassist"}
    }


def locked(name: str) -> dict[str, str]:
    """Return the versions of a lock file that are for this interpreter."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    entries = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        canonicalize_name(entry.name): str(entry.specifier).removeprefix("==")
        for entry in entries
        if entry.marker is None or entry.marker.evaluate()
    }


@pytest.mark.parametrize("name", LOCKS)
def test_environment_is_exactly_what_is_locked(name: str) -> None:
    """Nothing was resolved, nothing left out: each package, in its version."""
    found = {package: one.version for package, one in installed(name).items()}
    assert locked(name) == found


def stub(folder: Path, name: str, version: str, requires: list[str]) -> str:
    """Write a wheel that has metadata and nothing else; return the hash of its file."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {text}" for text in requires),
        # Without the name of an extra, pip only warns.
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


def moved_on(folder: Path, name: str) -> Path:
    """Make a package index, as a folder, in which every locked package has a newer release.

    Each locked version and version 9999 are wheels without content, with what the
    package really requires. Returns the lock file with the hashes of those wheels.
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
    """Fetch a pip from the package index and return the path of its wheel."""
    folder = tmp_path_factory.mktemp("pip")
    command = environment.pip(sys.executable, "download", "--quiet", "--no-deps", request.param)
    subprocess.run(command, cwd=folder, check=True)
    (wheel,) = folder.glob("pip-*.whl")
    return str(wheel)


@pytest.fixture
def empty(tmp_path: Path, other_pip: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Create an environment that has only this pip, and only the folder ``world`` as an index."""
    (tmp_path / "world").mkdir()
    venv = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(venv, check=True)
    monkeypatch.setenv("PYTHONPATH", other_pip)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "world"))
    return str(tmp_path / "venv" / "bin" / "python")


def contents(python: str) -> dict[str, str]:
    """Return the packages and versions of an environment."""
    (packages,) = Path(python).parents[1].glob("lib/python*/site-packages")
    found = distributions(path=[str(packages)])
    return {canonicalize_name(one.metadata["Name"]): one.version for one in found}


@pytest.mark.parametrize("name", LOCKS)
def test_setup_does_not_notice_newer_releases(name: str, empty: str, tmp_path: Path) -> None:
    """With each pip, the environment gets the locked versions and nothing else."""
    lock = moved_on(tmp_path / "world", name)
    environment.install(empty, lock, editable=False)
    assert locked(name) == contents(empty)


@pytest.mark.parametrize("other_pip", ["pip"], indirect=True)
def test_newer_releases_are_there_to_be_noticed(empty: str, tmp_path: Path) -> None:
    """Without the lock, the same index gives version 9999: the test above can fail."""
    moved_on(tmp_path / "world", "dev.txt")
    subprocess.run(
        environment.pip(empty, "install", "--quiet", "--no-deps", "coverage"), check=True
    )
    assert {"coverage": LATER} == contents(empty)


@pytest.mark.parametrize("other_pip", ["pip"], indirect=True)
@pytest.mark.parametrize(
    ("name", "lost", "needed_by"),
    [
        ("dev.txt", "iniconfig", "pytest"),
        # Only an extra asks for it, which `pip check` does not look at.
        ("dev.txt", "psycopg-binary", r"psycopg\[binary\]"),
        ("dev.txt", "ruff", "pyproject.toml"),
        ("load.txt", "flask", "locust"),
    ],
)
def test_incomplete_lock_is_told_in_one_sentence(
    name: str, lost: str, needed_by: str, empty: str, tmp_path: Path
) -> None:
    """The sentence names the lock, the package, and what needs it."""
    lock = moved_on(tmp_path / "world", name)
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
    """A requirement without version or hash could change under us."""
    text = (ROOT / "requirements" / name).read_text()
    entries = re.findall(
        r"^([a-z0-9][^\s=]*)(==\S+)?((?:.*\\\n\s+--hash=\S+)+)?", text, re.MULTILINE
    )
    assert len(entries) > 20
    assert [] == [name for name, version, hashes in entries if not version or not hashes]


@pytest.mark.parametrize(
    "name", [*(f"requirements/{name}" for name in LOCKS), "tools/node/package-lock.json"]
)
def test_lock_file_names_no_address(name: str) -> None:
    """Where packages come from is the user's business."""
    text = (ROOT / name).read_text()
    assert [] == re.findall(r'--(?:extra-)?index-url\S*|"resolved"', text)


def test_build_backend_is_the_locked_one() -> None:
    """Who builds from the sources, without our lock, gets the same backend."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (backend,) = project["build-system"]["requires"]
    assert [backend] == project["dependency-groups"]["build"]
    assert {Requirement(backend).name: str(Requirement(backend).specifier)} == {
        "hatchling": "==" + pins(ROOT / "requirements" / "dev.txt")["hatchling"]
    }


def test_changes_of_a_lock_are_listed() -> None:
    """`make lock ARGS=--check` names what is newer, new and gone."""
    old = {"a": "1", "b": "1", "c": "1"}
    expected = ["a 1 -> 2", "c 1 -> (no longer needed)", "d (new) -> 1"]
    assert expected == changes(old, {"a": "2", "b": "1", "d": "1"})


def set_up(
    *words: str, program: str = "", variables: Mapping[str, str] | None = None, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the set-up as make does, after ``program``."""
    start = "runpy.run_module('scripts.environment', run_name='__main__')"
    code = f"import runpy, sys\n{program}\n{start}"
    command = [sys.executable, "-c", code, *words]
    variables = {**os.environ, **(variables or {})}
    return subprocess.run(
        command, cwd=root, env=variables, capture_output=True, text=True, check=False
    )


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
def test_unusable_interpreter_is_told_in_one_sentence(
    program: str, sentence: str, tmp_path: Path
) -> None:
    """One line, exit status 2, and nothing was written."""
    hide = "class Hide:\n    def __init__(self, name): pass\n    find_spec = lambda *_: None\n"
    done = set_up(str(tmp_path / "venv"), "requirements/dev.txt", program=hide + program)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert re.search(rf"^The set-up cannot run: .*{sentence}", done.stderr)
    assert [] == list(tmp_path.iterdir())


def test_path_that_the_locale_cannot_read_is_told(tmp_path: Path) -> None:
    """Python would fail to start in the new environment, with a traceback."""
    root = tmp_path / "café"
    (root / "scripts").mkdir(parents=True)
    source = (ROOT / "scripts" / "environment.py").read_text()
    (root / "scripts" / "environment.py").write_text(source)
    (root / "dev.txt").touch()
    done = set_up("venv", "dev.txt", variables={"LC_ALL": "C", "PYTHONUTF8": "1"}, root=root)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "set LC_ALL=C.UTF-8, or move the folder." in done.stderr


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file in the way is as good as a folder without write permission, also for root."""
    (tmp_path / "file").touch()
    done = set_up(str(tmp_path / "file" / "venv"), "requirements/dev.txt")
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "The set-up cannot run: " in done.stderr
    assert "Not a directory" in done.stderr


def test_missing_index_is_told(tmp_path: Path) -> None:
    """Without a network, one sentence says which package could not be had."""
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    done = set_up(str(tmp_path / "venv"), "requirements/bench.txt", variables=variables)
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    sentence = "cannot install requirements/bench.txt: No matching distribution found for "
    assert sentence in done.stderr
    assert not (tmp_path / "venv" / ".ready").exists()


def test_two_setups_at_once_make_one_environment(tmp_path: Path) -> None:
    """The second one waits, and finds that there is nothing left to do."""
    lock = tmp_path / "dev.txt"
    lock.touch()
    program = (
        "import sys; from pathlib import Path; from scripts import environment\n"
        "environment.install = lambda *_, **__: None\n"
        f"environment.create(Path({str(tmp_path / 'venv')!r}), Path({str(lock)!r}), editable=False)"
    )
    command = [sys.executable, "-c", program]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate()[0].count(b"Setting up") for process in running]
    assert [0, 1] == sorted(told)
    assert [0, 0] == [process.returncode for process in running]
