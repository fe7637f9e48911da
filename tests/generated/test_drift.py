"""The committed client is exactly the output of the generator for ``openapi.yaml``."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts import generate
from tests.generated.checkouts import copy_repository, generate_in, python, refusal, run_generator
from tests.values import ROOT

pytestmark = pytest.mark.one_interpreter


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client into a temporary folder."""
    target = tmp_path_factory.mktemp("generated") / "siteassist"
    generate.generate(target)
    return target


def test_committed_client_is_up_to_date(fresh: Path) -> None:
    """A fresh client has the same files with the same bytes."""
    assert [] == generate.differences(fresh, ROOT / "generated" / "siteassist")


def test_every_difference_is_found(fresh: Path, tmp_path: Path) -> None:
    """A changed, a missing and an extra file are reported; caches are not."""
    copy = tmp_path / "siteassist"
    shutil.copytree(fresh, copy)
    (copy / "client.py").write_text("changed")
    (copy / "py.typed").unlink()
    (copy / "extra.py").touch()
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "client.pyc").touch()
    expected = ["differs   client.py", "extra     extra.py", "missing   py.typed"]
    assert expected == generate.differences(fresh, copy)


def test_check_fails_until_the_client_is_generated(checkout: Path) -> None:
    """The check names the changed file and leaves it; generating restores it."""
    client = checkout / "generated" / "siteassist" / "client.py"
    expected = client.read_text()
    client.write_text("changed")
    checked = run_generator(checkout, "--check")
    assert (1, "changed") == (checked.returncode, client.read_text())
    assert "differs   client.py" in checked.stderr
    assert (0, expected) == (run_generator(checkout).returncode, client.read_text())
    assert 0 == run_generator(checkout, "--check").returncode


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client of a description with a renamed operation and a new field."""
    checkout = copy_repository(tmp_path_factory.mktemp("changed"))
    new = (
        "        stars:\n          type: integer\n"
        "          maximum: 5\n          description: Stars.\n"
    )
    description = checkout / "openapi.yaml"
    text = re.sub(r"\bgetMe\b", "whoAmI", description.read_text())
    head, _, tail = text.partition("\n    TokenUsage:\n")
    properties = "      properties:\n"
    tail = tail.replace(properties, properties + new, 1)
    description.write_text(f"{head}\n    TokenUsage:\n{tail}")
    generate_in(checkout)
    return checkout


def test_renamed_operation_reaches_client_docs_and_tests(changed: Path) -> None:
    """Generating renames the methods, the module, the reference and the tests."""
    client = changed / "generated" / "siteassist"
    modules = {path.stem for path in (client / "api" / "identity").iterdir()}
    assert {"__init__", "init", "who_am_i"} == modules
    for written in (
        client / "client.py",
        changed / "docs" / "reference" / "client-reference.md",
        changed / "tests" / "generated" / "every_method.py",
    ):
        text = written.read_text()
        assert "who_am_i" in text
        assert "get_me(" not in text
    tests = [f"tests/generated/{name}.py" for name in ("test_names", "test_client_surface")]
    python(changed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "whoAmI", *tests)


def test_new_field_reaches_the_client(changed: Path) -> None:
    """Generating adds a new field of a schema, with its bounds in the docstring."""
    usage = (changed / "generated/siteassist/models/token_usage.py").read_text()
    assert "stars: int | Unset" in usage
    assert "Stars. At most 5." in usage


def test_syntax_error_is_one_line(checkout: Path) -> None:
    """A description that is not YAML is refused with its position and the problem."""
    description = checkout / "openapi.yaml"
    lines = description.read_text().splitlines()
    lines[9] = "  title: [broken"
    description.write_text("\n".join(lines))
    problem, _, _ = refusal(checkout, description)
    assert "expected ',' or ']'" in problem


def test_generator_failure_is_reported(checkout: Path) -> None:
    """The generator's message is shown, without a traceback, and the exit status is 2."""
    path = checkout / "openapi.yaml"
    path.write_text(path.read_text().replace("openapi: 3.1.0", "openapi: 4.0.0"))
    done = run_generator(checkout)
    assert 2 == done.returncode
    assert "4.0.0" in done.stderr
    assert "Traceback" not in done.stderr
