"""The command's options, output and exit statuses."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import Result

from siteassist_contract import cli, description, run
from siteassist_contract.http import preflight
from siteassist_contract.profiles import PROFILES
from siteassist_contract.rules import ACCEPTED, GAPS, TWO_VISITORS
from siteassist_contract.run import NOT_BEGUN, STOPPED, Options
from siteassist_contract.selection import Selection
from siteassist_contract.verdict import ExitStatus
from tests.contract.conftest import NoShapes
from tests.values import API_KEY as KEY
from tests.values import PRIVATE_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.contract.conftest import Clock, Command, Forward, InProcess, Loopback, Serve

pytestmark = pytest.mark.usefixtures("without_shapes")

SEARCH = ("--only", "search", "--only", "no-token-needed")
LISTS = ("--only", "search", "--only", "getConversations")
STREAMS = ("--layer", "streams")
BRIEF = ("--examples", "1")
"""The options of runs of a few requests, for tests of what a run does besides its requests."""
# Coverage doubles the time of a run, and the other runs take the same branches.
unmeasured = pytest.mark.no_cover


@pytest.fixture
def url(served: Loopback, direct: InProcess) -> str:
    """Return the address of a server that keeps the contract unless a test sets a fault."""
    assert direct.fault is None
    return served.url


def fails_to_run(result: Result) -> str:
    """Check that the run could not start, and return the reason from its only line."""
    assert (2, "") == (result.exit_code, result.stdout)
    line = result.stderr.removesuffix("\n")
    assert "\n" not in line
    assert line.startswith("The tests cannot run: ")
    return line.removeprefix("The tests cannot run: ")


def last(result: Result) -> str:
    """Return the last line of standard output."""
    return str(result.stdout.splitlines()[-1])


def breaks_the_page(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Return a wrong `limit` in lists of conversations."""
    answer = forward(request)
    if request.method == "GET" and request.url.path == "/v2/conversations":
        text = re.sub(r'"limit":\d+', '"limit":77', answer.text)
        return httpx.Response(answer.status_code, headers=answer.headers, text=text)
    return answer


def breaks_the_search(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Require a token for the search."""
    if request.url.path == "/v2/search":
        return httpx.Response(401, json={"error": {"message": "No"}})
    return forward(request)


def breaks_both(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Combine both faults."""
    return breaks_the_search(request, lambda r: breaks_the_page(r, forward))


# Runs that cannot start


def test_missing_server_is_reported(command: Command) -> None:
    """A missing server gives one line and exit status 2; the timeout is below ten seconds."""
    line = fails_to_run(command("http://127.0.0.1:1/v2", "--token", "x"))
    assert line.startswith("no server at http://127.0.0.1:1/v2/identity/me: ")
    assert preflight.TIMEOUT < 10


@pytest.mark.parametrize("option", ["--token", "--api-key"])
def test_refused_credential_is_reported(option: str, url: str, command: Command) -> None:
    """The message has the request, the status and the server's message, not the credential."""
    line = fails_to_run(command(url, option, "wrong-credential"))
    assert re.search(
        r"was refused: (GET|POST) /identity/(me|init) answered 401 \(.+\); (.+)$", line
    )
    assert "wrong-credential" not in line


@pytest.mark.parametrize("env", [{}, {"SITEASSIST_TOKEN": ""}])
def test_missing_credential_is_reported(env: dict[str, str], url: str, command: Command) -> None:
    """A run needs a credential; an empty variable, as make passes it on, does not count."""
    line = fails_to_run(command(url, env=env))
    assert line.startswith("no credentials: give --api-key or --token")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("host/v2", "invalid base URL"),
        ("ftp://host/v2", "invalid base URL"),
        ("http://", "invalid base URL"),
        ("http://host:99999/v2", "invalid base URL"),
        ("http://host:0/v2", "invalid base URL"),
        ("http://[::1/v2", "invalid base URL"),
        ("http://user:secret@host/v2", "must not have a query, a fragment, a user or a password"),
        ("http://host/v2?a=b", "must not have a query"),
        ("http://host/v2#a", "must not have a query"),
    ],
)
def test_invalid_url_is_refused(address: str, problem: str, command: Command) -> None:
    """An invalid base URL is refused before any request is sent."""
    line = fails_to_run(command(address, "--token", "x"))
    assert problem in line
    assert "secret" not in line


def test_url_without_version_is_reported(url: str, command: Command) -> None:
    """For a base URL without its version, the likeliest mistake, the message shows the form."""
    line = fails_to_run(command(url.removesuffix("/v2"), "--token", PRIVATE_KEY))
    assert "answered 404; expected something like https://host/v2" in line


@pytest.mark.parametrize("token", ["line\nbreak", "schlüssel"])
def test_token_that_no_header_can_carry_is_refused(token: str, url: str, command: Command) -> None:
    """The message does not repeat the token."""
    line = fails_to_run(command(url, "--token", token))
    assert token.splitlines()[0] not in line


@pytest.mark.parametrize("status", [429, 500, 503])
def test_unready_server_is_reported(status: int, loopback: Serve, command: Command) -> None:
    """A server whose first response is a 429 or a 5xx is reported as not ready."""
    body = {"error": {"message": "Later,\nplease"}}
    server = loopback(lambda _: httpx.Response(status, json=body))
    line = fails_to_run(command(server.url, "--token", "x"))
    assert f"the server is not ready: GET /identity/me answered {status} (Later, please)" == line


def test_server_that_is_not_ready_can_be_allowed(loopback: Serve, command: Command) -> None:
    """With --allow-incomplete, tests that cannot start end with 0; the last line says so."""
    server = loopback(lambda _: httpx.Response(503, json={}))
    result = command(server.url, "--token", "x", "--allow-incomplete")
    assert 0 == result.exit_code, result.output
    line = result.stderr.splitlines()[-1]
    assert line.startswith("The tests cannot run: the server is not ready")
    assert line.endswith("Exit status 0 because of --allow-incomplete.")


def test_silent_server_is_reported(
    loopback: Serve, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not respond is reported after the timeout."""
    monkeypatch.setattr(preflight, "TIMEOUT", 0.05)
    server = loopback(lambda _: server.hang())
    line = fails_to_run(command(server.url, "--token", "x"))
    assert "did not answer within" in line


def test_server_without_http_is_reported(loopback: Serve, command: Command) -> None:
    """A server that does not speak HTTP is distinguished from a missing server."""
    server = loopback(lambda _: b"\x00\xff\x15garbage\r\n\r\n")
    line = fails_to_run(command(server.url, "--token", "x"))
    assert "the server at " in line
    assert line.endswith(" gave an answer that is not valid HTTP")


def test_cut_answer_is_not_a_missing_server(loopback: Serve, command: Command) -> None:
    """A server that closes the connection too early is there, whichever part of it is missing."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    for cut in (b"", whole):
        server = loopback(lambda _, cut=cut: cut)  # type: ignore[misc]  # bound at once
        line = fails_to_run(command(server.url, "--token", "x"))
        assert line.endswith(" closed the connection before the end of its answer")


@pytest.mark.parametrize("reports", ["/proc/reports", "taken"])
def test_unwritable_reports_are_refused(reports: str, url: str, command: Command) -> None:
    """A folder that cannot be created is named before any request is sent."""
    Path("taken").mkdir()
    Path("taken", "html").write_text("in the way")
    line = fails_to_run(command(url, "--api-key", KEY, "--reports", reports))
    assert line.startswith(f"reports cannot be written to {reports}: ")
    assert line.endswith("; choose another folder with --reports")


@pytest.mark.one_interpreter
def test_reports_that_become_unwritable_are_reported(
    url: str, shared: InProcess, command: Command, tmp_path: Path
) -> None:
    """A report that cannot be written at the end loses neither the others nor the verdict."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        shutil.rmtree(tmp_path / "reports" / "html", ignore_errors=True)
        return forward(request)

    shared.fault = fault
    result = command(url, "--api-key", KEY, *STREAMS)
    written = [path.name for path in sorted((tmp_path / "reports").iterdir())]
    assert ["junit.xml", "summary.json"] == written
    assert "\nReports: reports/junit.xml, reports/summary.json\n" in result.stdout
    assert "Reports that could not be written: reports/html/index.html (" in result.stderr
    assert 1 == result.stderr.count("\n")
    assert last(result).startswith("The server keeps the contract in the tests selected by ")
    assert 0 == result.exit_code


@pytest.mark.parametrize("ci", ["", "true"])
@pytest.mark.parametrize("problem", ["url", "baseline", "selection", "credential", "allowed"])
def test_run_that_cannot_start_keeps_earlier_reports_except_in_ci(
    problem: str, ci: str, url: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person can still use the reports of the earlier run; CI cannot publish them by mistake."""
    monkeypatch.setenv("CI", ci)
    names = ["index.html", "junit.xml", "summary.json"]
    for name in ("html/index.html", "junit.xml", "summary.json"):
        path = Path("reports", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of an earlier run")
    Path("reports", "other.txt").write_text("not a report")
    arguments = {
        "url": ("nowhere", "--api-key", KEY),
        "baseline": (url, "--api-key", KEY, "--baseline", "missing"),
        "selection": (url, "--api-key", KEY, "--last-failed", "reports/summary.json"),
        "credential": (url, "--api-key", "wrong"),
        "allowed": (url, "--api-key", "wrong", "--allow-incomplete"),
    }[problem]
    result = command(*arguments)
    assert (0 if problem == "allowed" else 2) == result.exit_code
    assert "The tests cannot run: " in result.stderr.splitlines()[-1]
    told = "The reports of an earlier run are still in reports.\n" in result.stderr
    assert told == (not ci)
    left = sorted(p.name for p in Path("reports").rglob("*") if p.is_file())
    assert (["other.txt"] if ci else sorted([*names, "other.txt"])) == left


def test_run_that_is_interrupted_before_it_begins_tells_of_earlier_reports(
    url: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports that are still there are not taken for those of the interrupted run."""
    monkeypatch.setenv("CI", "")
    Path("reports").mkdir()
    Path("reports", "summary.json").write_text("of an earlier run")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("siteassist_contract.http.preflight.check", interrupt)
    result = command(url, "--api-key", KEY)
    assert "The reports of an earlier run are still in reports.\n" in result.stderr
    assert 130 == result.exit_code


def test_run_that_begins_removes_earlier_reports(
    url: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the tests begin, no report of an earlier run can be taken for this one's."""
    monkeypatch.setenv("CI", "")
    Path("reports").mkdir()
    Path("reports", "summary.json").write_text("of an earlier run")
    found: list[bool] = []

    def run(_: object) -> None:
        found.append(Path("reports", "summary.json").exists())
        raise RuntimeError("a mistake")

    monkeypatch.setattr("siteassist_contract.run.Run.run", run)
    assert 3 == command(url, "--api-key", KEY).exit_code
    assert [False] == found
    assert "internal error" == json.loads(Path("reports", "summary.json").read_text())["verdict"]


def test_syntax_error_in_the_description_is_reported(
    url: str, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broken description is reported in one line with file, line and column."""
    broken = tmp_path / "openapi.yaml"
    broken.write_text("openapi: 3.1.0\ninfo: [\n")
    monkeypatch.setattr("siteassist_spec.document.SPEC_PATH", broken)
    # The tests before have read the description; an error is not cached.
    description.document.cache_clear()
    description.operations.cache_clear()
    assert fails_to_run(command(url, "--api-key", KEY)).startswith(f"{broken}:3:1: ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--time", "soon"), "invalid time 'soon': expected something like 90s, 30m or 2h"),
        (("--time", "0s"), "invalid time '0s'"),
        (("--examples", "0"), "0 is not in the range"),
        (("--workers", "0"), "0 is not in the range"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--max-messages", "-1"), "-1 is not in the range"),
        (("--profile", "slow"), "'slow' is not one of"),
        (("--human-conversation", "1"), "'1' is not a valid UUID"),
        (("--baseline", "."), "is a directory"),
    ],
)
def test_invalid_option_is_refused(
    arguments: tuple[str, ...], complaint: str, url: str, command: Command
) -> None:
    """An invalid value of an option is refused with the reason."""
    result = command(url, "--api-key", KEY, *arguments)
    assert 2 == result.exit_code
    assert complaint in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ("--human-conversation", UNKNOWN_ID),
            "--human-conversation needs the --token of its visitor",
        ),
        (("--update-baseline",), "--update-baseline needs --baseline FILE"),
    ],
)
def test_option_that_needs_another_is_refused(
    arguments: tuple[str, ...], problem: str, url: str, command: Command
) -> None:
    """An option without the option that it depends on is refused before the run."""
    assert problem == fails_to_run(command(url, "--api-key", KEY, *arguments))


# Runs without a violation


@pytest.mark.sweep(1)
def test_correct_server_passes(
    credentials: tuple[str, ...], url: str, command: Command, tmp_path: Path
) -> None:
    """A run without violations exits with 0, writes three reports and names its gaps."""
    result = command(url, *credentials, "--seed", "7", *BRIEF, "--reports", "out")
    assert (0, "") == (result.exit_code, result.stderr), result.output
    assert re.match(r"The server keeps the contract \(\d+ requests\)\. Not tested: ", last(result))
    without_key = "--api-key" not in credentials
    isolation = f"; overlap, own-list, isolation ({GAPS[TWO_VISITORS]})"
    assert without_key == (isolation in last(result))
    assert without_key == ("is only one visitor" in result.stdout)
    assert without_key == ("needs a publishable key: --api-key" in result.stdout)
    variable = "SITEASSIST_TOKEN" if without_key else "SITEASSIST_API_KEY"
    lead = rf"Repeat with \(set {variable}.* first\):\n  siteassist-contract"
    assert re.search(rf"{lead} {url} --profile default --seed 7 --examples 1\n", result.stdout)
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert {"out/html/index.html", "out/junit.xml", "out/summary.json"} == written
    summary = json.loads(Path("out/summary.json").read_text())
    assert ("kept", last(result), []) == tuple(
        summary[name] for name in ("verdict", "line", "violations")
    )
    assert summary["planned"] == summary["done"] != []


def test_options_are_read_from_the_environment(url: str, command: Command) -> None:
    """Environment variables replace options, the base URL included."""
    env = {"SITEASSIST_BASE_URL": f"{url}/", "SITEASSIST_API_KEY": KEY}
    result = command(*STREAMS, env=env)
    assert 0 == result.exit_code
    assert f"Testing {url}\nProfile default: " in result.stdout


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
@pytest.mark.parametrize("profile", ["quick", "default", "deep"])
def test_profile_is_printed(
    profile: str, url: str, command: Command, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines have the server and the profile; a deep run ends at its time limit."""

    class Timed(NoShapes):
        def run(self) -> Iterator[str]:
            clock.sleep(4.0)
            yield from super().run()

    monkeypatch.setattr(run, "Shapes", Timed)
    options = ("--time", "10s") if profile == "deep" else STREAMS
    result = command(url, "--api-key", KEY, "--profile", profile, *options)
    assert 0 == result.exit_code, result.output
    words = [f"Testing {url}", f"Profile {profile}: {PROFILES[profile].words}"]
    assert words == result.stdout.splitlines()[:2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {"seconds": None, "examples": None, "workers": 1, "stop_at_first": False}),
        (("--time", "90"), {"seconds": 90.0}),
        (("--time", "90s"), {"seconds": 90.0}),
        (("--time", "30m"), {"seconds": 1800.0}),
        (("--time", "2h"), {"seconds": 7200.0}),
        (("--examples", "7"), {"examples": 7}),
        (("--seed", "9"), {"seed": 9}),
        (("--workers", "3"), {"workers": 3}),
        (("--stop-at-first",), {"stop_at_first": True}),
        ((), {"selection": Selection()}),
        (
            ("--only", "me", "--only", "getMe", "--layer", "errors"),
            {
                "selection": Selection(
                    rules=frozenset({"me"}),
                    operations=frozenset({"getMe"}),
                    layers=frozenset({"errors"}),
                    options="--only me --only getMe --layer errors",
                )
            },
        ),
    ],
)
def test_options_reach_the_run(
    arguments: tuple[str, ...],
    expected: dict[str, object],
    url: str,
    command: Command,
    prevented_runs: list[Options],
) -> None:
    """The command passes each option on to the run."""
    command(url, "--api-key", KEY, *arguments)
    (options,) = prevented_runs
    assert expected == {name: getattr(options, name) for name in expected}


@pytest.mark.one_interpreter
@unmeasured
def test_repeat_command_has_each_option_that_requests_depend_on(
    url: str, hand_over: Callable[..., str], command: Command
) -> None:
    """The printed command repeats the options that change requests, and no credential."""
    name = hand_over()
    options = (*STREAMS, "--examples", "3", "--human-conversation", name, "--seed", "1")
    result = command(url, "--token", PRIVATE_KEY, *options)
    (repeat,) = re.findall(r"^Repeat with .*\n  (.*)$", result.stdout, re.MULTILINE)
    changing = f"--examples 3 --human-conversation {name}"
    assert repeat.endswith(f"--profile default --seed 1 --layer streams {changing}")


# A human agent


def summary_rows() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows of what was tested, by operation and status or rule."""
    rows = json.loads(Path("reports/summary.json").read_text())["coverage"]
    return {(row["operation"], row["what"]): row for row in rows}


@pytest.mark.one_interpreter
def test_human_conversation_tests_queued_messages(
    url: str, hand_over: Callable[..., str], command: Command
) -> None:
    """With a conversation that a human agent handles, the rule of status 202 is tested."""
    options = ("--human-conversation", hand_over(), "--only", "queued")
    result = command(url, "--token", PRIVATE_KEY, *options)
    assert 0 == result.exit_code, result.output
    assert 0 < summary_rows()["sendMessage", "queued"]["count"]


@pytest.mark.one_interpreter
def test_human_conversation_of_another_visitor_is_not_used(
    url: str, shared: InProcess, hand_over: Callable[..., str], command: Command
) -> None:
    """A conversation of another visitor gets no request, and the last line gives the reason."""
    body = {"apiKey": KEY, "saVid": "another-visitor"}
    start = httpx.Request("POST", f"{url}/identity/init", json=body)
    name = hand_over(shared.forward(start).json()["sessionToken"])
    shared.requests.clear()
    options = ("--human-conversation", name, "--only", "queued")
    result = command(url, "--token", PRIVATE_KEY, *options)
    assert 2 == result.exit_code, result.output
    row = summary_rows()["sendMessage", "queued"]
    reason = "--human-conversation does not belong to the token's visitor"
    assert (0, reason, False) == (row["count"], row["reason"], row["excused"])
    narrowed = "in the tests selected by --only queued"
    assert result.stderr.startswith(f"Incomplete {narrowed}: not tested: queued ({reason}) (")
    assert [] == [r for r in shared.requests if name in str(r.url)]


# Runs with violations


def test_finding_is_printed(url: str, shared: InProcess, command: Command) -> None:
    """A finding is printed with its rule, source, expectation, response and reproduction."""
    shared.fault = breaks_the_search
    result = command(url, "--api-key", KEY, *SEARCH)
    assert (1, "") == (result.exit_code, result.stderr)
    text = result.stdout
    assert "  ✗ search: Operations that need no token work without one.\n" in text
    found = re.search(
        r"\nFinding \d+: GET /search \(search\)\n  rule:     (.*?)\n\n", text, re.DOTALL
    )
    assert found is not None
    for line in ("source: ", "expected: ", "actual:   401", "answer:", "reproduce:"):
        assert f"\n  {line}" in text
    assert re.fullmatch(
        r"The server violates the contract: \d+ findings? in the tests selected by --only search"
        r" --only no-token-needed \(\d+ requests\)\.",
        last(result),
    )
    summary = json.loads(Path("reports/summary.json").read_text())
    assert {"search"} == {each["operation"] for each in summary["violations"]}
    assert summary["first_violation_seconds"] is not None


def test_stop_at_first(url: str, shared: InProcess, command: Command) -> None:
    """`--stop-at-first` ends the run at its first violation and reports what was left out."""
    shared.fault = breaks_both
    whole = command(url, "--api-key", KEY, "--layer", "errors")
    result = command(url, "--api-key", KEY, "--layer", "errors", "--stop-at-first")
    assert (1, 1) == (whole.exit_code, result.exit_code)
    summary = json.loads(Path("reports/summary.json").read_text())
    assert 1 == len(summary["violations"])
    assert last(result).startswith("The server violates the contract: 1 finding in ")
    assert "the run stopped at its first violation" in result.stdout
    # The step that found it has begun, and those that were left out need no line each.
    assert [STOPPED] == [each for each in summary["unfinished"].values() if each != NOT_BEGUN]
    assert result.stdout.count(NOT_BEGUN) <= 1
    assert requests_of(result) < requests_of(whole)


def requests_of(result: Result) -> int:
    """Return the number of requests in the last line."""
    found = re.search(r"[( ](\d+) requests", last(result))
    assert found is not None
    return int(found[1])


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
def test_secrets_stay_out_of_all_output(
    url: str, shared: InProcess, command: Command, tmp_path: Path
) -> None:
    """Neither the output nor the reports contain credentials that a server repeats."""
    tokens: set[str] = set()

    def repeats(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.method == "POST" and "/init" in request.url.path and answer.is_success:
            tokens.add(answer.json()["sessionToken"])
        if answer.status_code < 400:
            return answer
        message = f"{request.url} {dict(request.headers)} {KEY} {PRIVATE_KEY}"
        return httpx.Response(answer.status_code, json={"error": {"message": message}})

    shared.fault = repeats
    result = command(url, "--token", PRIVATE_KEY, "--api-key", KEY, *BRIEF)
    assert 1 == result.exit_code
    assert "a credential" in result.stdout
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert 3 == len(written)
    secrets = {KEY, PRIVATE_KEY, *tokens}
    assert 2 < len(secrets)
    assert [] == [
        text[text.index(secret) - 200 :][:300]
        for secret in secrets
        for text in (result.output, *written)
        if secret in text
    ]


@pytest.mark.parametrize(("option", "secret"), [("--token", "t-secret"), ("--api-key", "k-secret")])
def test_repeated_credential_is_filtered(
    option: str, secret: str, loopback: Serve, command: Command
) -> None:
    """A credential that the preflight's response repeats is filtered."""
    body = {"error": {"message": f"bad: {secret}"}}
    server = loopback(lambda _: httpx.Response(401, json=body))
    line = fails_to_run(command(server.url, option, secret))
    assert "answered 401 (bad: [Filtered])" in line


# A baseline


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
def test_updated_baseline_is_accepted(url: str, shared: InProcess, command: Command) -> None:
    """Violations in the baseline are accepted by later runs, and still reported."""
    shared.fault = breaks_both
    options = (url, "--api-key", KEY, *LISTS, *BRIEF, "--baseline", "base.json")
    written = command(*options, "--update-baseline")
    assert 0 == written.exit_code, written.output
    keys = json.loads(Path("base.json").read_text())["violations"]
    assert sorted(keys) == keys
    assert f"Baseline: base.json, {len(keys)} violations accepted\n" in written.stdout
    result = command(*options)
    assert 0 == result.exit_code, result.output
    assert "(known)" in result.stdout
    assert re.fullmatch(
        r"The server keeps the contract in the tests selected by \S.* "
        r"\(\d+ requests, \d+ known findings accepted\)\..*",
        last(result),
    )
    untested = summary_rows()["search", "fits-request"]
    expected = (GAPS[ACCEPTED], True)
    assert expected == (untested["reason"], untested["excused"])
    assert 0 == command(*options, "--stop-at-first").exit_code


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
def test_new_violation_fails_despite_the_baseline(
    url: str, shared: InProcess, command: Command
) -> None:
    """Only a violation outside the baseline fails the run."""
    shared.fault = breaks_the_page
    options = (url, "--api-key", KEY, *LISTS, *BRIEF, "--baseline", "base.json")
    assert 0 == command(*options, "--update-baseline").exit_code
    shared.fault = breaks_both
    result = command(*options)
    assert 1 == result.exit_code
    shown = re.findall(
        r"^Finding \d+: \w+ \S+ \((\w+)\)( \(known\))?$", result.stdout, re.MULTILINE
    )
    assert {("search", ""), ("getConversations", " (known)")} == set(shown)
    assert "known finding" in last(result)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "the baseline base.json: No such file or directory"),
        ("{", "the baseline base.json is not JSON: "),
    ],
)
def test_unreadable_baseline_is_refused(
    content: str | None, problem: str, url: str, command: Command
) -> None:
    """A baseline that cannot be read prevents the run, instead of counting as empty."""
    if content is not None:
        Path("base.json").write_text(content)
    line = fails_to_run(command(url, "--api-key", KEY, "--baseline", "base.json"))
    assert line.startswith(problem)


# An example database


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("taken", "the example database taken: File exists"),
        (
            "redis://:password@127.0.0.1:1/0",
            "the example database in Redis cannot be reached (ConnectionError)",
        ),
    ],
)
def test_unusable_example_database_is_reported(
    place: str, problem: str, url: str, command: Command
) -> None:
    """The problem is printed, without an address in Redis, which may contain a password."""
    Path("taken").write_text("")
    assert problem == fails_to_run(command(url, "--api-key", KEY, "--example-database", place))


# Other guarantees


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
@unmeasured
def test_only_the_server_is_contacted(
    served: Loopback, shared: InProcess, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run connects to no address but the server's."""
    addresses: set[object] = set()
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        addresses.add(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    shared.fault = None
    assert 0 == command(served.url, "--api-key", KEY).exit_code
    parts = httpx.URL(served.url)
    assert {(parts.host, parts.port)} == addresses


def test_secrets_stay_out_of_reprs() -> None:
    """The representation of a target has no credentials, so that it can be logged."""
    target = preflight.Target("http://127.0.0.1/v2", api_key=KEY, token=PRIVATE_KEY)
    assert KEY not in repr(target)
    assert PRIVATE_KEY not in repr(target)


def test_devices_differ_between_runs() -> None:
    """Each run has devices of its own, so that simultaneous runs do not interfere."""
    address = "http://127.0.0.1/v2"
    first, second = preflight.Target(address), preflight.Target(address)
    assert 4 == len({*first.devices, *second.devices})
    assert all(len(device) <= 100 for device in first.devices)


def test_help_is_complete(command: Command) -> None:
    """The help has exit statuses, profiles, examples and every option."""
    shown = command("--help").stdout
    options = [option for p in cli.main.params for option in p.opts if option.startswith("--")]
    assert 15 <= len(options)
    for words in ("Exit status", "Profiles", "Examples", "SITEASSIST_API_KEY", *options):
        assert words in shown


def test_exit_statuses_are_stable() -> None:
    """The exit statuses have the documented numbers, on which scripts depend."""
    assert [0, 1, 2, 3, 130] == [int(status) for status in ExitStatus]


@pytest.mark.one_interpreter
def test_unwritable_baseline_is_reported(url: str, shared: InProcess, command: Command) -> None:
    """A baseline that cannot be written gives exit status 2 and the reason."""
    shared.fault = breaks_both
    options = ("--baseline", "/proc/x", "--update-baseline")
    result = command(url, "--api-key", KEY, *SEARCH, *options)
    assert 2 == result.exit_code, result.output
    assert "The baseline could not be updated: the baseline /proc/x: " in result.stderr


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
@unmeasured
def test_interrupted_run_keeps_the_baseline(
    url: str, shared: InProcess, command: Command, interrupt: Callable[[], None]
) -> None:
    """An interrupted run does not remove violations that it did not reach from the baseline."""
    before = b'{"violations": ["search list-page"]}'
    Path("base.json").write_bytes(before)

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.url.path.endswith("/close"):
            interrupt()
        return forward(request)

    shared.fault = fault
    options = ("--baseline", "base.json", "--update-baseline")
    result = command(url, "--api-key", KEY, *options)
    assert 130 == result.exit_code, result.output
    assert before == Path("base.json").read_bytes()
    assert "The baseline base.json was not updated" in result.stdout


@pytest.mark.usefixtures("without_kinds")
@pytest.mark.one_interpreter
@unmeasured
def test_all_tokens_of_the_run_are_filtered(url: str, shared: InProcess, command: Command) -> None:
    """No session token reaches a report, even from a server that repeats each token it issues."""
    given: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.method == "POST" and "/init" in request.url.path and answer.is_success:
            given.append(answer.json()["sessionToken"])
        if answer.is_client_error:
            body = {"error": {"code": "X", "message": " ".join(given)}}
            return httpx.Response(answer.status_code, json=body)
        return answer

    shared.fault = fault
    result = command(url, "--api-key", KEY)
    assert 1 == result.exit_code, result.output
    files = [path.read_text() for path in Path("reports").rglob("*") if path.is_file()]
    assert len(given) > 3
    assert [] == [token for token in given for text in (result.output, *files) if token in text]
