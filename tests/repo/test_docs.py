"""Every printed command and snippet of the README and the docs works."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from fakeredis import TcpFakeServer
from ruamel.yaml import YAML

from scripts import pages
from scripts.languages.catalogue import LANGUAGES
from siteassist_contract.__main__ import SUBCOMMANDS
from siteassist_contract.report import summary
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import ExitStatus
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
    *sorted((ROOT / "docs").rglob("*.md")),
]
MAP = ROOT / "docs" / "README.md"
CI = ROOT / "docs" / "how-to" / "ci"
INSTALLATION = re.compile(r'python -m pip install "\$\((ls -v \S+\.whl \| tail -n 1)\)\[[a-z,]+\]"')
"""The first command of each job."""
CI_FILES = sorted(CI.iterdir())
TESTS = ("Test", "Run the end-to-end tests")
"""The steps whose failure others must survive."""
LOAD = ROOT / ".venv-load" / "bin" / "python"
DOCUMENTED_URL = "http://127.0.0.1:8787/v2"
FAULTY_URL = "http://127.0.0.1:8788/v2"
"""The server of the tutorial on contract runs."""
QUICK = ("--profile", "quick", "--only", "search")
"""Options that narrow a contract run to a few requests; the last profile counts."""
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the page and the text of each block in ``language``."""
    return [
        (page.relative_to(ROOT).as_posix(), text)
        for page in PAGES
        for found, text in FENCE.findall(page.read_text())
        if found == language
    ]


def commands() -> dict[str, str]:
    """Return the printed commands, by the first page that has each and the command."""
    lines = [(page, line) for page, text in blocks("sh") for line in text.splitlines()]
    bare = [(page, line.partition("  # ")[0].strip()) for page, line in lines]
    first: dict[str, str] = {}
    for page, line in bare:
        first.setdefault(line, page)
    return {f"{page}: {line}": line for line, page in first.items() if line}


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
    kinds = (
        "make ",
        "curl ",
        "siteassist chat ",
        "siteassist-mock ",
        f"siteassist-contract {DOCUMENTED_URL}",
        *(f"siteassist-contract {name} " for name in SUBCOMMANDS),
        f"siteassist-contract {FAULTY_URL}",
        "siteassist-load ",
        "pytest ",
        "sha256sum ",  # run by tests/scripts/publish
        "python3 -m pip install ",  # run by tests/repo/test_package.py
        ". .venv/bin/activate",  # set up by each run of make
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
    words = shlex.split(COMMANDS[key].replace("8787", "0").replace("8788", "0"))
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


def contract(line: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a printed contract command in a folder, with more options."""
    words = shlex.split(line)
    return run([str(TOOLS / words[0]), *words[1:], *more], cwd=folder)


@pytest.mark.parametrize("key", starting_with(f"siteassist-contract {DOCUMENTED_URL}"))
def test_contract_command_runs(key: str, url: str, tmp_path: Path) -> None:
    """Each printed command runs the contract tests on the mock and reports no violation.

    The tests are those of one operation in one layer, as tests/contract has the others.
    """
    layer = "behaviour" if "isolation" in key else "errors"
    with shared_database() as address:
        line = COMMANDS[key].replace(DOCUMENTED_URL, url).replace("redis://127.0.0.1/0", address)
        done = contract(line, tmp_path, *QUICK, "--layer", layer)
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


def test_tutorial_finds_the_fault_and_its_end(url: str, tmp_path: Path) -> None:
    """The contract run of the tutorial has the printed finding, which is gone without the fault."""
    first, second = (COMMANDS[key] for key in starting_with(f"siteassist-contract {FAULTY_URL}"))
    start = COMMANDS[starting_with("siteassist-mock --port 8788 --fault")[0]]
    fault = shlex.split(start)[-1]
    with mock_server(faults=fault) as faulty:
        found = contract(first.replace(FAULTY_URL, faulty), tmp_path)
    assert (1, "") == (found.returncode, found.stderr)
    for page in ("README.md", "docs/tutorials/first-contract-run.md"):
        text = (ROOT / page).read_text()
        printed = text.partition("<!-- output: finding -->")[2].partition("<!-- end -->")[0]
        assert RULES["stream-end"].words in printed
        assert printed.strip("\n`").splitlines()[-1].partition(" (")[0] in found.stdout
    done = contract(second.replace(FAULTY_URL, url), tmp_path, "--layer", "streams")
    assert (0, "") == (done.returncode, done.stderr), done.stdout


@dataclass(frozen=True, slots=True)
class Job:
    """A job in one of the printed files for CI systems."""

    script: list[str]
    """What the job runs, in its order."""
    variables: dict[str, str]
    uploaded: list[str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the only job of a file for GitHub Actions or GitLab."""
        content = YAML(typ="safe", pure=True).load(path)
        (job,) = content.get("jobs", content).values()
        if "jobs" in content:
            script = [step["run"] for step in job["steps"] if "run" in step]
            (upload,) = (
                step["with"]["path"]
                for step in job["steps"]
                if step.get("uses", "").startswith("actions/upload-artifact")
            )
            return cls(script, job["env"], upload.split())
        script = [*job["script"], *job.get("after_script", ())]
        assert "reports/junit.xml" == job["artifacts"]["reports"]["junit"]
        return cls(script, job["variables"], job["artifacts"]["paths"])

    def run(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the job in a folder, without its installation, on free ports."""
        install, *rest = self.script
        assert INSTALLATION.fullmatch(install)
        script = "\n".join(["set -e", "trap 'kill $(jobs -p)' EXIT", *rest])
        narrow = shlex.join((*QUICK, "--layer", "errors"))
        script = script.replace("--profile quick", f"--profile quick {narrow}")
        variables = self.variables
        for port in ("8787", "8788"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                used = str(free.getsockname()[1])
            script = script.replace(port, used)
            variables = {name: value.replace(port, used) for name, value in variables.items()}
        return run(
            ["bash", "-c", script],
            cwd=folder,
            env={
                **os.environ,
                **variables,
                "GITHUB_STEP_SUMMARY": str(folder / "step-summary.md"),
                "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            },
        )


def test_ci_files_install_the_newest_wheel(tmp_path: Path) -> None:
    """A folder may have the wheels of several versions."""
    found = {INSTALLATION.fullmatch(Job.read(path).script[0]) for path in CI_FILES}
    (command,) = {match[1] for match in found if match is not None}
    (tmp_path / "tools").mkdir()
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        (tmp_path / "tools" / f"siteassist-{version}-py3-none-any.whl").touch()
    done = run(["bash", "-c", command], cwd=tmp_path)
    assert "tools/siteassist-0.10.0-py3-none-any.whl\n" == done.stdout


@pytest.mark.parametrize("path", CI_FILES, ids=lambda path: path.name)
def test_ci_file_is_valid(path: Path) -> None:
    """Each printed file is valid by the schema that its CI system publishes."""
    schema = "github-workflows" if path.name.startswith("github") else "gitlab-ci"
    transform = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    options = ["--builtin-schema", f"vendor.{schema}", *transform, str(path)]
    done = run([sys.executable, "-m", "check_jsonschema", *options])
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", CI_FILES, ids=lambda path: path.name)
def test_ci_file_runs(path: Path, tmp_path: Path) -> None:
    """Each job passes on the mock, and leaves what it uploads."""
    job = Job.read(path)
    done = job.run(tmp_path)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "reports/" in job.uploaded
    assert [] == [name for name in job.uploaded if not (tmp_path / name).exists()]
    assert (tmp_path / "reports" / "junit.xml").exists()


def test_recorded_traffic_is_judged_if_the_tests_fail(tmp_path: Path) -> None:
    """The job of GitLab fails with the end-to-end tests, and has judged what they sent."""
    job = Job.read(CI / "gitlab-ci-front-end.yml")
    index = next(n for n, line in enumerate(job.script) if line.startswith("siteassist chat"))
    command, _, rest = job.script[index].partition(" && ")
    job.script[index] = f"({command}; exit 3) && {rest}"
    done = job.run(tmp_path)
    assert 3 == done.returncode, done.stdout + done.stderr
    assert (tmp_path / "reports" / "junit.xml").exists()


@pytest.mark.parametrize("path", sorted(CI.glob("github-*")), ids=lambda path: path.name)
def test_reports_of_a_failed_job_are_uploaded(path: Path) -> None:
    """On GitHub, the steps after the tests run although those fail."""
    steps = next(iter(YAML(typ="safe", pure=True).load(path)["jobs"].values()))["steps"]
    tests = next(n for n, step in enumerate(steps) if step.get("name") in TESTS)
    conditions = [step.get("if", "").partition(" && ")[0] for step in steps]
    expected = ["always()" if number > tests else "" for number in range(len(steps))]
    assert expected == conditions


@pytest.mark.parametrize(
    "path", [path for path in CI_FILES if "front-end" not in path.name], ids=lambda path: path.name
)
def test_ci_file_compares_with_the_main_branch(path: Path, tmp_path: Path) -> None:
    """The second job compares its report with the one that the first job kept."""
    job = Job.read(path)
    first = job.run(tmp_path)
    summary_page = tmp_path / "step-summary.md"
    if path.name.startswith("github"):
        assert "There is no report of the main branch yet." in summary_page.read_text()
    second = job.run(tmp_path)
    assert [0, 0] == [first.returncode, second.returncode], second.stdout + second.stderr
    assert "Findings: 0 new" not in first.stdout
    shown = summary_page.read_text() if summary_page.exists() else second.stdout
    assert "Findings: 0 new" in shown


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


SNIPPETS = blocks("python")


@pytest.mark.parametrize(("page", "snippet"), SNIPPETS, ids=[page for page, _ in SNIPPETS])
def test_python_snippet_runs(
    page: str, snippet: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each printed program runs against the mock and has an output, the printed one if any."""
    program = compile(snippet.replace(DOCUMENTED_URL, url), page, "exec")
    exec(program, {"__name__": "__main__"})
    output = capsys.readouterr().out
    assert output.strip()
    after = (ROOT / page).read_text().partition(snippet)[2].removeprefix("```")
    block = re.search(r"^```(.*)\n((?:.*\n)*?)```$", after, re.MULTILINE)
    if block and block[1] == 'text title="output"':
        assert block[2] == output


def test_recipe_for_pytest_works(tmp_path: Path) -> None:
    """Each printed test module passes without a configuration."""
    recipe = re.compile(r'^```python title="(\w+\.py)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    found = [match for page in PAGES for match in recipe.findall(page.read_text())]
    assert found
    for name, text in found:
        (tmp_path / name).write_text(text)
    done = run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "error"),
            *("-p", "no:cacheprovider", "-p", "no:schemathesis"),
        ],
        cwd=tmp_path,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout


def test_snippet_of_the_readme_has_five_lines() -> None:
    """The first program has few lines, not counting imports."""
    _, snippet = blocks("python")[0]
    lines = [
        line for line in snippet.splitlines() if line and not line.startswith(("from ", "import "))
    ]
    assert len(lines) <= 5


def targets(page: Path) -> Iterator[str]:
    """Yield the link targets of a page, without those in code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page refers to an existing file, and to one of its headings."""
    missing = []
    for target in targets(page):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(target)
    assert [] == missing


def test_map_has_every_page() -> None:
    """The page about the documentation links each page once, and no other one."""
    linked = [(MAP.parent / target).resolve() for target in targets(MAP)]
    assert len(linked) == len(set(linked))
    assert {*PAGES, ROOT / "CHANGELOG.md"} - {MAP, ROOT / "README.md"} == set(linked)


@pytest.mark.parametrize("name", pages.PAGES)
def test_generated_page_is_up_to_date(name: str) -> None:
    """The pages of commands and rules say what the code says."""
    assert pages.PAGES[name]() == (ROOT / "docs" / "reference" / name).read_text()


def constants() -> str:
    """Return all strings in the shipped code; a gap of a formatted string is a NUL."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    part.value if isinstance(part, ast.Constant) else "\0" for part in node.values
                ]
                found.append("".join(map(str, parts)))
    return "\n".join(found)


def test_documented_messages_exist() -> None:
    """Each message on the page is in the code."""
    page = (ROOT / "docs" / "reference" / "messages.md").read_text()
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    texts = constants()
    pieces = {piece.strip() for message in messages for piece in message.split("…")}
    assert len(messages) > 30
    assert set() == {piece for piece in pieces if piece not in texts}


def test_tutorials_name_each_language_and_each_part_of_a_finding() -> None:
    """The tutorials have the languages of `examples/`, and explain the printed finding."""
    tutorials = ROOT / "docs" / "tutorials"
    text = (tutorials / "another-language.md").read_text()
    assert set() == {each.title for each in LANGUAGES if each.title not in text}
    text = (tutorials / "first-contract-run.md").read_text()
    finding = text.partition("<!-- output: finding -->")[2].partition("<!-- end -->")[0]
    printed = set(re.findall(r"^  ([a-z]+):", finding, re.MULTILINE))
    rows = "".join(re.findall(r"^\| `.*? \|", text, re.MULTILINE))
    assert len(printed) >= 6
    assert printed <= set(re.findall(r"`([a-z]+)`", rows))


def test_readme_has_the_measured_share_of_mutants() -> None:
    """The README's figure for the contract tests is the one on the page of mutants."""
    page = (ROOT / "docs" / "explanation" / "mutants.md").read_text(encoding="utf-8")
    measured = re.search(r"^\| all \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert measured is not None
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"detect {measured[1]} of {measured[2]} faults" in readme


def test_dependencies_are_listed_once() -> None:
    """Each package has one row with all reasons."""
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text().partition("\n## ")[0]
    names = [
        name
        for row in re.findall(r"^\| (\w.*?) \|", page, re.MULTILINE)
        for name in row.split(", ")
    ]
    assert len(names) > 30
    assert sorted(set(names)) == sorted(names)


def test_documented_statuses_are_those_of_the_suite() -> None:
    """The page of exit statuses has each verdict with its number."""
    page = (ROOT / "docs" / "reference" / "exit-statuses.md").read_text()
    for status in ExitStatus:
        assert f"| {status.value} | {status.words} |" in page


def test_documented_extras_exist() -> None:
    """Each `siteassist[…]` in the docs names an extra of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra for page in PAGES for extra in re.findall(r"siteassist\[(\w+)\]", page.read_text())
    }
    assert named
    assert named <= set(project["optional-dependencies"])
    readme = (ROOT / "README.md").read_text()
    install = readme.partition("## Install")[2].partition("\n## ")[0]
    assert set() == {name for name in project["optional-dependencies"] if name not in install}
