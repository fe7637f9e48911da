"""The committed client is what ``openapi.yaml`` makes: nothing else, nothing missing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.generated.checkouts import run
from tests.values import ROOT

SCRIPT = ROOT / "scripts" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """Load ``scripts/generate.py``."""
    spec = importlib.util.spec_from_file_location("generate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fresh(generate: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client into a folder of its own."""
    target = tmp_path_factory.mktemp("generated") / "siteassist"
    generate.generate(target)
    return target


def test_committed_client_is_what_the_description_makes(generate: ModuleType, fresh: Path) -> None:
    """Generating anew changes no byte, adds no file and leaves none out."""
    assert [] == generate.differences(fresh, ROOT / "generated" / "siteassist")


def test_generation_is_reproducible(generate: ModuleType, fresh: Path, tmp_path: Path) -> None:
    """Two runs make the same files."""
    again = tmp_path / "again" / "siteassist"
    generate.generate(again)
    assert [] == generate.differences(fresh, again)


def test_every_kind_of_drift_is_found(generate: ModuleType, fresh: Path, tmp_path: Path) -> None:
    """A changed, a missing and an extra file each count, caches do not."""
    copy = tmp_path / "siteassist"
    shutil.copytree(fresh, copy)
    (copy / "client.py").write_text("changed")
    (copy / "py.typed").unlink()
    (copy / "extra.py").touch()
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "client.pyc").touch()
    expected = ["differs   client.py", "extra     extra.py", "missing   py.typed"]
    assert expected == generate.differences(fresh, copy)


def test_check_fails_on_drift_and_generate_mends_it(checkout: Path) -> None:
    """The check names the file and changes nothing; generating mends it."""
    client = checkout / "generated" / "siteassist" / "client.py"
    expected = client.read_text()
    client.write_text("changed")
    checked = run(checkout, "--check")
    assert (1, "changed") == (checked.returncode, client.read_text())
    assert "differs   client.py" in checked.stderr
    assert (0, expected) == (run(checkout).returncode, client.read_text())
    assert 0 == run(checkout, "--check").returncode


def test_renamed_operation_reaches_client_docs_and_tests(checkout: Path) -> None:
    """A new operationId renames methods, modules, reference and tests, by generating alone."""
    description = checkout / "openapi.yaml"
    description.write_text(re.sub(r"\bgetMe\b", "whoAmI", description.read_text()))
    assert 0 == run(checkout).returncode
    client = checkout / "generated" / "siteassist"
    modules = {path.stem for path in (client / "api" / "identity").iterdir()}
    assert {"__init__", "init", "who_am_i"} == modules
    for written in (
        client / "client.py",
        checkout / "docs" / "client-reference.md",
        checkout / "tests" / "generated" / "every_method.py",
    ):
        text = written.read_text()
        assert "who_am_i" in text
        assert "get_me(" not in text
    tests = [f"tests/generated/{name}.py" for name in ("test_names", "test_client_surface")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "whoAmI", *tests],
        cwd=checkout,
        # The copy is not what coverage is to be measured of.
        env={name: value for name, value in os.environ.items() if "COV" not in name}
        | {"PYTHONPATH": f"{checkout / 'generated'}{os.pathsep}{checkout / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout


def test_new_schema_reaches_the_client(checkout: Path) -> None:
    """A new field of an answer is read after generating, with its bounds in the docstring."""
    description = checkout / "openapi.yaml"
    text = description.read_text()
    assert 1 == text.count("    TokenUsage:\n")
    new = (
        "        stars:\n          type: integer\n"
        "          maximum: 5\n          description: Stars.\n"
    )
    head, _, tail = text.partition("    TokenUsage:\n")
    properties, rest = tail.split("      properties:\n", 1)
    description.write_text(f"{head}    TokenUsage:\n{properties}      properties:\n{new}{rest}")
    assert 0 == run(checkout).returncode
    usage = (checkout / "generated/siteassist/models/token_usage.py").read_text()
    assert "stars: int | Unset" in usage
    assert "Stars. At most 5." in usage


def test_syntax_error_names_file_line_and_problem(checkout: Path) -> None:
    """A description that is no YAML is one clear line, and exit status 2."""
    description = checkout / "openapi.yaml"
    lines = description.read_text().splitlines()
    lines[9] = "  title: [broken"
    description.write_text("\n".join(lines))
    done = run(checkout)
    assert 2 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert f"{description}:" in done.stderr
    assert "expected ',' or ']'" in done.stderr


def test_generator_failure_is_reported(checkout: Path) -> None:
    """A description that the generator cannot use gives its words and exit status 2."""
    path = checkout / "openapi.yaml"
    path.write_text(path.read_text().replace("openapi: 3.1.0", "openapi: 4.0.0"))
    done = run(checkout)
    assert 2 == done.returncode
    assert "4.0.0" in done.stderr
    assert "Traceback" not in done.stderr
