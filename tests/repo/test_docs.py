"""Every printed command and snippet of the README and the docs works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakeredis import TcpFakeServer

from scripts.languages.catalogue import LANGUAGES
from siteassist_contract.__main__ import SUBCOMMANDS
from siteassist_contract.report import summary
from siteassist_mock.app import create_app
from siteassist_mock.testing import mock_server
from tests.commands import run
from tests.contract.recording import traffic
from tests.contract.report.sample_reports import report
from tests.contract.toy import toy_server
from tests.values import API_KEY, ROOT

TOOLS = Path(sys.executable).parent
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LOAD = ROOT / ".venv-load" / "bin" / "python"
DOCUMENTED_URL = "http://127.0.0.1:8787/v2"
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the page and the text of each block in ``language``."""
    return [
        (page.name, text)
        for page in PAGES
        for found, text in FENCE.findall(page.read_text())
        if found == language
    ]


def commands() -> dict[str, str]:
    """Return the printed commands, by page and command."""
    lines = [(page, line) for page, text in blocks("sh") for line in text.splitlines()]
    bare = [(page, line.partition("  # ")[0].strip()) for page, line in lines]
    return {f"{page}: {line}": line for page, line in bare if line}


COMMANDS = commands()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a mock for the tests of this module."""
    with mock_server() as base_url:
        yield base_url


def starting_with(*words: str) -> list[str]:
    """Return the keys of the commands that begin with one of ``words``."""
    return [key for key, line in COMMANDS.items() if line.startswith(words)]


def test_every_command_is_run_by_a_test() -> None:
    """A command that no other test runs fails this test."""
    # tests/scripts/publish runs `sha256sum`.
    kinds = (
        "make ",
        "curl ",
        "siteassist chat ",
        "siteassist-mock ",
        "siteassist-contract ",
        "siteassist-load ",
        "pytest ",
        "sha256sum ",
    )
    # These are too slow for a test; `make languages` runs them.
    run_by_make = {command for language in LANGUAGES for command in language.commands}
    others = set(COMMANDS.values()) - run_by_make
    assert [] == [line for line in others if not line.startswith(kinds)]


@pytest.mark.parametrize("key", starting_with("make "))
def test_make_verb_exists(key: str) -> None:
    """Make accepts the command; `.ci/run` runs `contract` and `test` themselves."""
    done = run([*shlex.split(COMMANDS[key]), "--dry-run"])
    assert (0, "") == (done.returncode, done.stderr)


def test_make_alone_lists_every_verb() -> None:
    """`make` without a verb prints a line for each phony target."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = re.findall(r"^  ([a-z-]+) {2,}\S", listed, re.MULTILINE)
    assert sorted(phony[1].split()) == sorted(verbs)


@pytest.mark.parametrize("key", starting_with("curl "))
def test_curl_command_succeeds(key: str, url: str) -> None:
    """Each printed request succeeds on the mock."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this machine")
    # Some commands use paths outside of the API's base path.
    documented, actual = DOCUMENTED_URL.removesuffix("/v2"), url.removesuffix("/v2")
    command = shlex.split(COMMANDS[key].replace(documented, actual))[1:]
    done = run([curl, "--silent", "--show-error", "--fail", *command])
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("key", starting_with("siteassist-mock "))
def test_mock_command_starts(key: str, tmp_path: Path) -> None:
    """Each printed command starts the mock, or prints its help."""
    words = shlex.split(COMMANDS[key].replace("8787", "0"))
    command = [str(TOOLS / words[0]), *words[1:]]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as mock:
        assert mock.stdout is not None
        line = mock.stdout.readline()
        if "--help" not in words:
            assert line.startswith("SiteAssist mock on http://127.0.0.1:")
            mock.terminate()
        mock.stdout.read()
    assert 0 == mock.returncode


def test_chat_commands_answer(url: str) -> None:
    """Each printed command gets an answer from the mock."""
    for key in starting_with("siteassist chat "):
        words = shlex.split(COMMANDS[key].replace("--mock", f"--base-url {url}"))
        done = subprocess.run(
            [str(TOOLS / words[0]), *words[1:]],
            input="Hello\n",
            env={**os.environ, "SITEASSIST_API_KEY": API_KEY},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr), key
        assert done.stdout.strip()


@contextmanager
def shared_database() -> Iterator[str]:
    """Run a fake Redis server, and yield its address."""
    # The constructor already listens.
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("key", starting_with(f"siteassist-contract {DOCUMENTED_URL}"))
def test_contract_command_runs(key: str, url: str, tmp_path: Path) -> None:
    """Each printed command runs the contract tests on the mock and reports no violation.

    The last options count: the profile is the quickest, and the tests are those of one
    operation, as tests/contract has the others.
    """
    with shared_database() as address:
        line = COMMANDS[key].replace(DOCUMENTED_URL, url).replace("redis://127.0.0.1/0", address)
        words = shlex.split(line)
        quick = ("--profile", "quick", "--examples", "1", "--time", "2m", "--only", "search")
        done = run([str(TOOLS / words[0]), *words[1:], *quick], cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert (tmp_path / "reports" / "html" / "index.html").exists()


@pytest.mark.parametrize(
    "key", starting_with(*(f"siteassist-contract {name} " for name in SUBCOMMANDS))
)
def test_subcommand_runs(key: str, url: str, tmp_path: Path) -> None:
    """Each printed command finds nothing wrong with the mock."""
    traffic.write(tmp_path / "traffic.har", traffic.record(create_app(), traffic.visit))
    for folder in ("main", "reports"):
        (tmp_path / folder).mkdir()
        summary.write(report(), tmp_path / folder / "summary.json")
    words = shlex.split(COMMANDS[key].replace(DOCUMENTED_URL, url))
    done = run([str(TOOLS / words[0]), *words[1:]], cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stderr), done.stdout


@pytest.mark.parametrize("key", starting_with("pytest "))
def test_pytest_command_runs(key: str, url: str, tmp_path: Path) -> None:
    """Each printed command tests the mock, and at least one rule passes."""
    words = shlex.split(COMMANDS[key].replace(DOCUMENTED_URL, url))
    done = run([str(TOOLS / words[0]), *words[1:], "-p", "no:cacheprovider"], cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert re.search(r"^=+ [1-9]\d* passed", done.stdout, re.MULTILINE)


def test_recipe_for_a_server_works(pytester: pytest.Pytester) -> None:
    """The printed files test the toy server of the plugin's tests."""
    shutil.copy(toy_server.__file__, pytester.path)
    pytester.syspathinsert()
    key = "toy_server.KEY = 'pk_of_the_tests'"
    pytester.makepyfile(my_server=f"import toy_server\n{key}\napp = toy_server.create_app()")
    for _, text in blocks("py"):
        comment, _, program = text.partition("\n")
        (pytester.path / comment.removeprefix("# ")).write_text(program)
    result = pytester.runpytest_inprocess("-k", "search and key-checked")
    assert {"passed": 1} == {n: c for n, c in result.parseoutcomes().items() if n != "deselected"}


@pytest.mark.skipif(not LOAD.exists(), reason="needs Locust: make .venv-load/.ready")
def test_load_commands_run(url: str, tmp_path: Path) -> None:
    """The printed commands run the load test on the mock and report no violation.

    A worker needs its master, so all commands start before the test waits for one.
    """
    keys = starting_with(f"siteassist-load {DOCUMENTED_URL}")
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT / "generated")))
    started = []
    for key in keys:
        line = COMMANDS[key].replace(DOCUMENTED_URL, url).replace("0.0.0.0", "127.0.0.1")
        line = line.replace("--expect-workers 2", "--expect-workers 1")
        words = [*shlex.split(line)[1:], "--users", "2", "--visits", "2", "--think", "0", "0"]
        started.append(
            subprocess.Popen(
                [str(LOAD), "-P", "-m", "siteassist_contract.load", *words],
                cwd=tmp_path,
                env={**os.environ, "SITEASSIST_API_KEY": API_KEY, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    ends = [(process.communicate()[1], process.returncode) for process in started]
    assert [("", 0)] * len(keys) == ends
    assert len(keys) >= 3


@pytest.mark.parametrize(("page", "snippet"), blocks("python"))
def test_python_snippet_runs(page: str, snippet: str, url: str) -> None:
    """Each printed program runs against the mock, and has an output."""
    done = run([sys.executable, "-W", "error", "-c", snippet.replace(DOCUMENTED_URL, url)])
    assert (0, "") == (done.returncode, done.stderr), page
    assert done.stdout.strip()


def test_recipe_for_pytest_works(tmp_path: Path) -> None:
    """Each printed test module passes without a configuration."""
    recipe = re.compile(r'^```python title="(\w+\.py)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    found = [match for page in PAGES for match in recipe.findall(page.read_text())]
    assert found
    for name, text in found:
        (tmp_path / name).write_text(text)
    done = run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout


def test_snippet_of_the_readme_has_ten_lines() -> None:
    """The README promises ten lines, not counting imports, which editors write."""
    _, snippet = blocks("python")[0]
    lines = [
        line for line in snippet.splitlines() if line and not line.startswith(("from ", "import "))
    ]
    assert len(lines) <= 10


def test_links_refer_to_existing_files() -> None:
    """No page has a relative link to a missing file."""
    missing = {
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    }
    assert set() == missing


def test_documented_extras_exist() -> None:
    """Each `siteassist[…]` in the docs names an extra of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra for page in PAGES for extra in re.findall(r"siteassist\[(\w+)\]", page.read_text())
    }
    assert named
    assert named <= set(project["optional-dependencies"])
