"""The pytest plugin, in a repository of a team that writes a small server with FastAPI."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from siteassist_contract import testing
from siteassist_contract.verdict import CannotRunError
from siteassist_mock.testing import mock_server
from tests.contract.toy import toy_server
from tests.values import API_KEY

TOY = Path(toy_server.__file__)
CONFTEST = """
import pytest
from siteassist_contract.testing import Server
from toy_server import KEY, create_app

@pytest.fixture(scope="session")
def siteassist_server():
    return Server(create_app(any_key={fault}), api_key=KEY)
"""
TEST = """
def test_contract(siteassist_contract):
    assert siteassist_contract.operation in ("search", "")
"""
FEW = "search and (key-checked or no-token-needed or no-such-path)"
"""The tests of three rules on one operation."""

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestAssertRewriteWarning")


@pytest.fixture
def repository(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a scratch repository with the toy server, and no options of this one."""
    for name in ("API_KEY", "TOKEN", "SECOND_TOKEN"):
        monkeypatch.delenv(f"SITEASSIST_{name}", raising=False)
    shutil.copy(TOY, pytester.path)
    pytester.syspathinsert()
    return pytester


def write(repository: pytest.Pytester, *, fault: bool) -> None:
    """Write the project's fixture and its test."""
    repository.makeconftest(CONFTEST.format(fault=fault))
    repository.makepyfile(test_api=TEST)


def test_application_that_keeps_the_contract_is_green(repository: pytest.Pytester) -> None:
    """Each rule is a test of its own, and the application needs no port."""
    write(repository, fault=False)
    result = repository.runpytest_inprocess("-k", FEW, "-v")
    result.assert_outcomes(passed=3, deselected=len(list(testing.pairs())) - 2)
    result.stdout.fnmatch_lines(["*test_api.py::test_contract?key-checked-search? PASSED*"])


def test_fault_is_red_in_its_rule_only(repository: pytest.Pytester) -> None:
    """The message of the failed assertion is the finding, and --lf repeats it alone."""
    write(repository, fault=True)
    result = repository.runpytest_inprocess("-k", FEW)
    result.assert_outcomes(passed=2, failed=1, deselected=len(list(testing.pairs())) - 2)
    result.stdout.fnmatch_lines(
        [
            "*AssertionError: GET /search (search)",
            "*rule: *A wrong publishable key is refused.*",
            "*actual: *200*",
            "*reproduce:*",
            "FAILED test_api.py::test_contract?key-checked-search?*",
        ]
    )
    again = repository.runpytest_inprocess("--lf")
    again.assert_outcomes(failed=1)


def test_processes_share_one_run(repository: pytest.Pytester) -> None:
    """With pytest-xdist, the result is the same, and one process makes the run."""
    write(repository, fault=True)
    done = repository.runpytest_subprocess("-n", "2", "-k", FEW)
    done.assert_outcomes(passed=2, failed=1)


def test_option_adds_the_tests_of_a_server(repository: pytest.Pytester) -> None:
    """`pytest --siteassist-url URL` needs no file; -k selects."""
    with mock_server() as mock:
        options = ("--siteassist-url", mock, "--siteassist-api-key", API_KEY)
        result = repository.runpytest_inprocess(*options, "-k", "no-token-needed-search", "-v")
        number = len(mock.requests)
    result.assert_outcomes(passed=1, deselected=len(list(testing.pairs())))
    result.stdout.fnmatch_lines(["*no-token-needed-search PASSED*"])
    assert 0 < number < 1000


def test_missing_server_fails_each_test(repository: pytest.Pytester) -> None:
    """The reason is one sentence, and no test is green."""
    options = ("--siteassist-url", "http://127.0.0.1:1/v2", "--siteassist-token", "x" * 20)
    result = repository.runpytest_inprocess(*options, "-k", "me-getMe")
    assert 0 == result.parseoutcomes().get("passed", 0)
    assert 0 < result.parseoutcomes()["failed"]
    result.stdout.fnmatch_lines(["The tests cannot run: no server at http://127.0.0.1:1/v2*"])
    assert "x" * 20 not in result.stdout.str()


def test_server_must_be_given(repository: pytest.Pytester) -> None:
    """Without an option and without a fixture of the project, the message says what to do."""
    repository.makepyfile(test_api=TEST)
    result = repository.runpytest_inprocess("-k", "key-checked-search")
    result.assert_outcomes(errors=1, deselected=len(list(testing.pairs())))
    result.stdout.fnmatch_lines(["*give --siteassist-url, or define a fixture siteassist_server*"])


def test_rule_that_cannot_be_tested_is_skipped(repository: pytest.Pytester) -> None:
    """An excused rule is skipped with its reason; the verdict is that of the narrowed run."""
    write(repository, fault=False)
    result = repository.runpytest_inprocess("-k", "website-checked-search or verdict", "-rs")
    result.assert_outcomes(passed=1, skipped=1, failed=0, deselected=len(list(testing.pairs())) - 1)
    result.stdout.fnmatch_lines(["SKIPPED*needs a publishable key that lists websites"])


def test_rule_that_was_not_tested_is_red(repository: pytest.Pytester) -> None:
    """A green is earned: what the run did not reach fails, and so does its verdict."""
    write(repository, fault=False)
    options = ("--siteassist-seconds", "0.0001")
    result = repository.runpytest_inprocess("-k", "key-checked-search or verdict", *options)
    result.assert_outcomes(failed=2, deselected=len(list(testing.pairs())) - 1)
    result.stdout.fnmatch_lines(["*AssertionError: not tested: the time ran out*"])


def test_accepted_violation_is_skipped(repository: pytest.Pytester) -> None:
    """A baseline accepts what an earlier run has found."""
    write(repository, fault=True)
    server = testing.Server(toy_server.create_app(any_key=True), api_key=toy_server.KEY)
    report = testing.run(server, testing.Settings(pairs=[("key-checked", "search")]))
    accepted = repository.path / "accepted.json"
    accepted.write_text(json.dumps({"violations": [each["key"] for each in report["violations"]]}))
    options = ("--siteassist-baseline", str(accepted))
    result = repository.runpytest_inprocess("-k", "key-checked-search", "-rs", *options)
    result.assert_outcomes(skipped=1, deselected=len(list(testing.pairs())))
    result.stdout.fnmatch_lines(["SKIPPED*accepted by the baseline: 200*"])


def test_application_that_fails_to_start_cannot_be_tested() -> None:
    """The reason is that of the application."""

    async def app(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no\ndatabase"})  # type: ignore[operator]  # ASGI

    with pytest.raises(CannotRunError, match=r"^the application does not start: no database$"):
        testing.run(testing.Server(app, token="x"))


def test_unexpected_error_ends_one_run_for_all_tests(
    repository: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test is green, and none starts the run again."""
    runs = []

    def fails(*_: object) -> None:
        runs.append(1)
        raise KeyError("fault")

    monkeypatch.setattr(testing, "run", fails)
    write(repository, fault=False)
    result = repository.runpytest_inprocess("-k", FEW)
    result.assert_outcomes(failed=3, deselected=len(list(testing.pairs())) - 2)
    result.stdout.fnmatch_lines(["*Internal error: KeyError: 'fault'. Please report it.*"])
    assert [1] == runs


@pytest.mark.parametrize("selected_by", ["", "pytest"])
def test_command_that_repeats_a_run(selected_by: str) -> None:
    """It is one command, whether the plugin has selected the tests or not."""
    server = testing.Server(toy_server.create_app(any_key=False), api_key=toy_server.KEY)
    pairs = [("key-checked", "search")]
    report = testing.run(server, testing.Settings(pairs=pairs, selected_by=selected_by))
    assert "pytest" == report["repeat"]


@pytest.mark.parametrize("token", ["t", "0", "true", "getMe"])
def test_short_token_leaves_the_report_whole(token: str) -> None:
    """A server whose tokens are a letter or a word gets a report like any other."""
    toy = toy_server.create_app(any_key=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def send_short(message: Any) -> None:
            content = re.sub(
                rb'"session-[^"]+"', b'"%s"' % token.encode(), message.get("body", b"")
            )
            if message["type"] == "http.response.start":
                names = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                message = {**message, "headers": names}
            elif message["type"] == "http.response.body":
                message = {**message, "body": content}
            await send(message)

        await toy(scope, receive, send_short)

    server = testing.Server(app, api_key=toy_server.KEY)
    report = testing.run(server, testing.Settings(pairs=[("key-checked", "search")]))
    assert ("kept", []) == (report["verdict"], report["violations"])
    assert "[Filtered]" not in json.dumps(report)
