"""A program that uses the client passes mypy and pyright, and runs."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jedi
import pytest

from siteassist import AsyncSiteAssist, SiteAssist
from siteassist_mock.testing import mock_server
from tests.commands import run
from tests.generated.checkouts import MYPY_CACHE
from tests.values import API_KEY

pytestmark = pytest.mark.one_interpreter

PROGRAM = Path(__file__).with_name("data") / "user_code.py"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Copy the program out of the repository, away from its configuration."""
    return Path(shutil.copy(PROGRAM, tmp_path))


def tool(name: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment."""
    command = [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
    return run(command, cwd=cwd)


def test_mypy_accepts_the_program(program: Path) -> None:
    """Strict mypy reports nothing, so it finds each mistake that a comment ignores."""
    done = tool(
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={MYPY_CACHE}",
        f"--python-executable={sys.executable}",
        program.name,
        cwd=program.parent,
    )
    assert "Success: no issues found in 1 source file" == done.stdout.strip(), done.stdout
    assert (0, "") == (done.returncode, done.stderr)


def test_pyright_accepts_the_program(program: Path) -> None:
    """Strict pyright reports nothing; a comment that ignores nothing is an error."""
    configuration = {
        "include": [program.name],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (program.parent / "pyrightconfig.json").write_text(json.dumps(configuration))
    done = tool("pyright", "--outputjson", f"--pythonpath={sys.executable}", cwd=program.parent)
    report = json.loads(done.stdout)
    found = [
        (row["range"]["start"]["line"] + 1, row["message"]) for row in report["generalDiagnostics"]
    ]
    assert ([], 1, 0) == (found, report["summary"]["filesAnalyzed"], done.returncode)


@pytest.mark.no_cover  # Jedi takes seconds, and reads the code without running it.
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("SiteAssist().get_m", "get_me"),
        ("SiteAssist().get_me().avat", "avatar_url"),
        ("SiteAssist().visitor().with_options().get_m", "get_me"),
        ("SiteAssist().with_raw_response.get_me().stat", "status_code"),
        ("Visitor.from_d", "from_dict"),
        ('NotFoundError("m", operation="o", status_code=404).status_c', "status_code"),
    ],
)
def test_editors_complete_names(line: str, name: str) -> None:
    """Jedi, which several editors use, finds what is imported when it is first used."""
    program = (
        "from siteassist import NotFoundError, SiteAssist\n"
        f"from siteassist.models import Visitor\n{line}"
    )
    assert name in {found.name for found in jedi.Script(program).complete()}


@pytest.fixture(scope="module")
def user_code() -> ModuleType:
    """Import the program as a module."""
    spec = importlib.util.spec_from_file_location("user_code", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_program_runs(user_code: ModuleType) -> None:
    """Both halves of the program, sync and async, run against the mock."""
    with mock_server() as url:
        with SiteAssist(api_key=API_KEY, base_url=url) as client:
            seen = user_code.blocking(client)
            kinds = user_code.kinds_of(client)

        async def main() -> list[str]:
            async with AsyncSiteAssist(api_key=API_KEY, base_url=url) as client:
                found: list[str] = await user_code.awaited(client)
                return found

        awaited = asyncio.run(main())
    # The visitor and the human agent, who is absent, come first.
    assert ["anonymous", "None"] == seen[:2]
    assert all(seen[2:])
    assert "404" in " ".join(seen)
    assert {"start", "finish"} <= set(kinds)
    assert all(awaited)
    # An answer, the deltas of a streamed one, the conversations and an error's code.
    assert 4 < len(awaited)
    assert awaited[-1] in " ".join(seen)
