"""Isolation between two visitors: both of a key, or lent with two tokens."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.description import session_arguments
from siteassist_contract.rules import GAPS, RULES, TWO_VISITORS
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from click.testing import Result

    from tests.contract.conftest import Command, Fault, Forward, InProcess, Loopback

# Coverage doubles the time of a run, and the tests of the checks have that of the same lines.
pytestmark = [pytest.mark.one_interpreter, pytest.mark.no_cover]

Options = dict[str, tuple[str, ...]]
ISOLATION = ("--only", "isolation", "--only", "own-list")
# Two visitors of a key are those of the tests in tests/faults.
LENT = pytest.mark.parametrize("kind", ["tokens", "key and tokens"])
UNTESTED = {("isolation", name) for name in RULES["isolation"].operations} | {
    ("own-list", "getConversations")
}


def session(shared: InProcess) -> str:
    """Start the session of a new device, and return its token."""
    body = session_arguments(API_KEY, f"device-{uuid.uuid4()}")
    request = httpx.Request("POST", "http://localhost/v2/identity/init", json=body)
    return str(shared.forward(request).json()["sessionToken"])


@pytest.fixture
def options(shared: InProcess) -> Options:
    """Return the options of each way to have two visitors, and of one with a single visitor."""
    key, token = ("--api-key", API_KEY), ("--token", session(shared))
    tokens = (*token, "--second-token", session(shared))
    return {"token": token, "tokens": tokens, "key and tokens": (*key, *tokens)}


def rows_of_isolation() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows of the last report that are about isolation."""
    rows = json.loads(Path("reports/summary.json").read_text())["coverage"]
    pairs = {(row["what"], row["operation"]): row for row in rows}
    return {pair: row for pair, row in pairs.items() if pair in UNTESTED}


def violated() -> set[tuple[str, str]]:
    """Return the rules and operations of the violations in the last report."""
    found = json.loads(Path("reports/summary.json").read_text())["violations"]
    return {(each["rule"], each["operation"]) for each in found}


def lets_everybody(*parts: str) -> Fault:
    """Let any visitor access a conversation at paths that end with one of ``parts``."""
    owners: dict[str, str] = {}

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        path = request.url.path
        owner = next((token for name, token in owners.items() if name in path), None)
        if owner is not None and "Authorization" in request.headers and path.endswith(parts):
            request.headers["Authorization"] = owner
        answer = forward(request)
        if path.endswith("/conversations") and answer.status_code == 201:
            owners[answer.json()["id"]] = request.headers["Authorization"]
        return answer

    return fault


def lists_everything() -> Fault:
    """Return a server that shows all visitors the list of the latest one who started."""
    latest: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.url.path.endswith("/conversations"):
            if request.method == "POST":
                latest[:] = [request.headers.get("Authorization", "")]
            elif latest and "Authorization" in request.headers:
                request.headers["Authorization"] = latest[0]
        return forward(request)

    return fault


def run(command: Command, server: Loopback, given: tuple[str, ...], *only: str) -> Result:
    """Run the command, and check that no token is printed or reported."""
    result = command(server.url, *given, *only)
    reports = [path.read_text() for path in Path("reports").rglob("*") if path.is_file()]
    tokens = [text for text in given if not text.startswith("--") and text != API_KEY]
    assert [] == [text for text in (result.output, *reports) for token in tokens if token in text]
    return result


@LENT
def test_isolation_is_tested_with_two_visitors(
    kind: str, options: Options, shared: InProcess, served: Loopback, command: Command
) -> None:
    """The visitors of two tokens test isolation on each operation, with a key and without."""
    shared.fault = None
    result = run(command, served, options[kind], *ISOLATION)
    assert 0 == result.exit_code, result.output
    assert "is only one visitor" not in result.output
    assert set() == {pair for pair, row in rows_of_isolation().items() if not row["count"]}


def test_isolation_is_not_tested_with_one_visitor(
    options: Options, shared: InProcess, served: Loopback, command: Command
) -> None:
    """With a single token, no layer counts isolation as tested, and the reason is named."""
    shared.fault = None
    result = run(command, served, options["token"], *ISOLATION)
    rows = {(row["count"], row["reason"]) for row in rows_of_isolation().values()}
    assert {(0, GAPS[TWO_VISITORS])} == rows
    assert "There is only one visitor" in result.output


@pytest.mark.parametrize(
    ("kind", "parts", "operation"),
    [
        ("tokens", ("/messages",), "getMessages"),
        ("key and tokens", ("/close",), "closeConversation"),
    ],
)
@pytest.mark.usefixtures("without_shapes")
def test_open_conversations_are_found(
    kind: str,
    parts: tuple[str, ...],
    operation: str,
    options: Options,
    shared: InProcess,
    served: Loopback,
    command: Command,
) -> None:
    """A server that lets visitors read or close conversations of others is found."""
    shared.fault = lets_everybody(*parts)
    result = run(command, served, options[kind], *ISOLATION)
    assert 1 == result.exit_code, result.output
    assert ("isolation", operation) in violated()
    if kind == "tokens":
        assert 'second="$SITEASSIST_SECOND_TOKEN"' in result.output


@pytest.mark.usefixtures("without_shapes")
def test_shared_lists_are_found(
    options: Options, shared: InProcess, served: Loopback, command: Command
) -> None:
    """A list with conversations of another visitor is found."""
    shared.fault = lists_everything()
    assert 1 == run(command, served, options["tokens"], *ISOLATION).exit_code
    assert ("own-list", "getConversations") in violated()


def test_second_token_needs_a_first_one(served: Loopback, command: Command) -> None:
    """A second visitor without a first one is an error, with a key as well."""
    result = command(served.url, "--api-key", API_KEY, "--second-token", PRIVATE_KEY)
    assert 2 == result.exit_code
    assert "--second-token needs the --token of the first visitor" in result.stderr


def test_second_token_is_that_of_another_visitor(
    shared: InProcess, served: Loopback, command: Command
) -> None:
    """Two tokens of one visitor would make a correct server fail; the variable works as well."""
    shared.fault = None
    env = {"SITEASSIST_TOKEN": PRIVATE_KEY, "SITEASSIST_SECOND_TOKEN": PRIVATE_KEY}
    result = command(served.url, env=env)
    assert 2 == result.exit_code
    assert "--token and --second-token are of the same visitor" in result.stderr


def test_refused_second_token_is_named(
    shared: InProcess, served: Loopback, command: Command
) -> None:
    """The message says which of the two tokens was refused, without repeating it."""
    shared.fault = None
    result = command(served.url, "--token", PRIVATE_KEY, "--second-token", "wrong-credential")
    assert (2, False) == (result.exit_code, "wrong-credential" in result.output)
    assert "the second token was refused: GET /identity/me answered 401" in result.stderr
    assert "--second-token takes a valid token of another visitor" in result.stderr
