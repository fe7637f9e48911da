"""The package of types can be installed from its file, and compiles with the strictest options."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.publish import typescript
from scripts.publish.packages import PublishError
from scripts.publish.typescript import NAME, types_package
from tests.commands import run
from tests.description import DOCUMENT, SPEC, WEBSOCKETS

EPOCH = 1_700_000_000
VERSION = "1.2.3"
STRICT = {
    "strict": True,
    "noEmit": True,
    "skipLibCheck": False,
    "exactOptionalPropertyTypes": True,
    "noUncheckedIndexedAccess": True,
    "verbatimModuleSyntax": True,
    "target": "es2022",
    "lib": ["es2022", "dom"],
    "types": [],
}


@pytest.fixture(scope="module")
def package(node_bin: Path) -> bytes:
    """Build the package."""
    assert node_bin
    return types_package(DOCUMENT, VERSION, EPOCH)


@pytest.fixture(scope="module")
def files(package: bytes) -> dict[str, str]:
    """Return the files of the package, by name."""
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        assert {EPOCH} == {int(entry.mtime) for entry in archive}
        assert {0o644} == {entry.mode for entry in archive}
        found = {}
        for entry in archive:
            content = archive.extractfile(entry)
            assert content is not None
            found[entry.name] = content.read().decode()
    return found


def test_package_has_a_readme_and_a_licence(files: dict[str, str]) -> None:
    """The package has nothing but types, and says what it is and under which licence."""
    names = {"package.json", "index.d.ts", "README.md", "LICENSE"}
    assert {f"package/{name}" for name in names} == set(files)
    manifest = json.loads(files["package/package.json"])
    assert (NAME, VERSION, "MIT") == (manifest["name"], manifest["version"], manifest["license"])
    assert f"{NAME}-{VERSION}.tgz" in files["package/README.md"]


def test_every_schema_is_a_type(files: dict[str, str]) -> None:
    """The schemas can be imported by name, those of events and of the socket's texts included."""
    types = files["package/index.d.ts"]
    exported = set(re.findall(r"^export type (\w+) =", types, re.MULTILINE))
    assert set(SPEC["components"]["schemas"]) <= exported
    for operation in WEBSOCKETS.values():
        assert operation.websocket is not None
        assert DOCUMENT.component(operation.websocket.messages) in exported


def test_package_is_reproducible(package: bytes) -> None:
    """A second build has the same bytes."""
    assert package == types_package(DOCUMENT, VERSION, EPOCH)


@pytest.mark.parametrize("module", ["commonjs", "nodenext", "bundler"])
def test_installed_package_compiles(
    module: str, package: bytes, files: dict[str, str], node_bin: Path, tmp_path: Path
) -> None:
    """The program of the README compiles with the installed package; a wrong value does not."""
    archive = tmp_path / f"{NAME}-{VERSION}.tgz"
    archive.write_bytes(package)
    (tmp_path / "package.json").write_text('{"private": true}')
    flags = ("--offline", "--ignore-scripts", "--no-audit", "--no-fund")
    done = run(["npm", "install", *flags, str(archive)], cwd=tmp_path)
    assert 0 == done.returncode, done.stderr
    (program,) = re.findall(r"```ts\n(.*?)```", files["package/README.md"], re.DOTALL)
    options = {
        "commonjs": {"module": "commonjs", "moduleResolution": "node10"},
        "nodenext": {"module": "nodenext"},
        "bundler": {"module": "esnext", "moduleResolution": "bundler"},
    }[module]
    if module == "commonjs":
        # The syntax of modules is not that of CommonJS.
        options["verbatimModuleSyntax"] = False  # type: ignore[assignment]
    (tmp_path / "main.mts" if module == "nodenext" else tmp_path / "main.ts").write_text(
        program
        + '// @ts-expect-error\nexport const wrong: Query = { limit: "one" };\n'
        + "// @ts-expect-error\nexport const bad: SocketMessage = 7;\n"
    )
    config = {"compilerOptions": {**STRICT, **options}, "include": ["main.*"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    done = run([node_bin / "tsc", "--project", "."], cwd=tmp_path)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_failure_of_the_generator_is_an_error(
    monkeypatch: pytest.MonkeyPatch, node_bin: Path
) -> None:
    """The error has the message of the generator."""
    assert node_bin
    failed = SimpleNamespace(returncode=1, stdout="", stderr="bad\n")
    monkeypatch.setattr(typescript, "subprocess", SimpleNamespace(run=lambda *_, **__: failed))
    with pytest.raises(PublishError, match=r"^the types cannot be generated: bad$"):
        types_package(DOCUMENT, VERSION, EPOCH)
