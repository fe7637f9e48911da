"""The command says clearly what came of a run, and exits with the status that means it."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import Result

from siteassist_contract import __main__ as entry
from siteassist_contract import cli
from siteassist_contract.checks.generated import example_databases
from siteassist_contract.http import preflight
from siteassist_contract.profiles import PROFILES
from siteassist_contract.run import Options
from siteassist_contract.verdict import CannotRunError, ExitStatus
from tests.values import API_KEY as KEY
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Answerer, Forward, InProcess, Loopback

pytestmark = pytest.mark.usefixtures("without_shapes")


Command = Callable[..., Result]
Serve = Callable[["Answerer"], "Loopback"]


@pytest.fixture
def url(served: Loopback, direct: InProcess) -> str:
    """Return the address of a server that keeps the contract, unless a test says otherwise."""
    assert direct.fault is None
    return served.url


def fails_to_run(result: Result) -> str:
    """Check that the tests could not run, and return the one line that says why."""
    assert (2, "") == (result.exit_code, result.stdout)
    line = result.stderr.removesuffix("\n")
    assert "\n" not in line
    assert line.startswith("The tests cannot run: ")
    return line.removeprefix("The tests cannot run: ")


def last(result: Result) -> str:
    """Return the last line."""
    return str(result.stdout.splitlines()[-1])


def breaks_the_page(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Say another limit in lists of conversations: one way to break the contract."""
    answer = forward(request)
    if request.method == "GET" and request.url.path == "/v2/conversations":
        text = re.sub(r'"limit":\d+', '"limit":77', answer.text)
        return httpx.Response(answer.status_code, headers=answer.headers, text=text)
    return answer


def breaks_the_search(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Let only visitors search: another way."""
    if request.url.path == "/v2/search":
        return httpx.Response(401, json={"error": {"message": "No"}})
    return forward(request)


def breaks_both(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Break both."""
    return breaks_the_search(request, lambda r: breaks_the_page(r, forward))


# What cannot run


def test_no_server_is_told(command: Command) -> None:
    """Nobody there: one line, exit status 2; and who is silent is given up within ten seconds."""
    line = fails_to_run(command("http://127.0.0.1:1/v2", "--token", "x"))
    assert line.startswith("no server at http://127.0.0.1:1/v2/identity/me: ")
    assert preflight.TIMEOUT < 10


@pytest.mark.parametrize("option", ["--token", "--api-key"])
def test_refused_credential_is_told(option: str, url: str, command: Command) -> None:
    """A wrong credential names the request, the 401 and the server's words, not itself."""
    line = fails_to_run(command(url, option, "wrong-credential"))
    assert re.search(r"was refused: (GET|POST) /identity/(me|init) answered 401 \(.+\)$", line)
    assert "wrong-credential" not in line


def test_missing_credential_is_told(url: str, command: Command) -> None:
    """Without any credential there is nothing to start with."""
    assert fails_to_run(command(url)).startswith("no credentials: give --api-key or --token")


def test_empty_credential_is_none(url: str, command: Command) -> None:
    """An empty variable, as make passes it on, is no credential."""
    assert "no credentials" in fails_to_run(command(url, env={"SITEASSIST_TOKEN": ""}))


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
def test_bad_url_is_told(address: str, problem: str, command: Command) -> None:
    """What cannot be an address is refused before anything is sent."""
    line = fails_to_run(command(address, "--token", "x"))
    assert problem in line
    assert "secret" not in line


def test_wrong_path_is_told(url: str, command: Command) -> None:
    """A base URL without its version is the likeliest mistake."""
    line = fails_to_run(command(url.removesuffix("/v2"), "--token", PRIVATE_KEY))
    assert "answered 404; expected something like https://host/v2" in line


@pytest.mark.parametrize("token", ["line\nbreak", "schlüssel"])
def test_impossible_token_is_told(token: str, url: str, command: Command) -> None:
    """A token that no header can carry is refused, and not repeated."""
    line = fails_to_run(command(url, "--token", token))
    assert token.splitlines()[0] not in line


@pytest.mark.parametrize("status", [429, 500, 503])
def test_unready_server_is_told(status: int, loopback: Serve, command: Command) -> None:
    """A server that fails at once is not ready to be tested."""
    body = {"error": {"message": "Later,\nplease"}}
    server = loopback(lambda _: httpx.Response(status, json=body))
    line = fails_to_run(command(server.url, "--token", "x"))
    assert f"the server is not ready: GET /identity/me answered {status} (Later, please)" == line


def test_silent_server_is_told(
    loopback: Serve, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not answer is given up."""
    monkeypatch.setattr(preflight, "TIMEOUT", 0.05)
    server = loopback(lambda _: server.hang())
    line = fails_to_run(command(server.url, "--token", "x"))
    assert "did not answer within" in line


def test_garbage_is_no_server(loopback: Serve, command: Command) -> None:
    """A server that does not speak HTTP is told apart from one that is not there."""
    server = loopback(lambda _: b"\x00\xff\x15garbage\r\n\r\n")
    line = fails_to_run(command(server.url, "--token", "x"))
    assert line.endswith(": RemoteProtocolError")


@pytest.mark.parametrize("reports", ["/proc/reports", "taken"])
def test_reports_that_cannot_be_written_are_told(reports: str, url: str, command: Command) -> None:
    """A folder that cannot be made is named, before anything is sent."""
    Path("taken").mkdir()
    Path("taken", "html").write_text("in the way")
    line = fails_to_run(command(url, "--api-key", KEY, "--reports", reports))
    assert line.startswith(f"reports cannot be written to {reports}: ")


def test_reports_that_get_lost_on_the_way(
    url: str, shared: InProcess, command: Command, tmp_path: Path
) -> None:
    """If the folder cannot be written any more in the end, the verdict is told all the same."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        (tmp_path / "reports" / "html").touch()
        return forward(request)

    shared.fault = fault
    result = command(url, "--api-key", KEY)
    assert "The reports could not be written: File exists" in result.stderr
    assert "Traceback" not in result.output
    assert last(result).startswith("The server keeps the contract (")


def test_syntax_error_in_the_description_is_told(
    url: str, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """File, line and problem, in one line."""
    broken = tmp_path / "openapi.yaml"
    broken.write_text("openapi: 3.1.0\ninfo: [\n")
    monkeypatch.setattr("siteassist_spec.document.SPEC_PATH", broken)
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
def test_bad_option_is_told(
    arguments: tuple[str, ...], complaint: str, url: str, command: Command
) -> None:
    """What an option does not take is refused with what it takes."""
    result = command(url, "--api-key", KEY, *arguments)
    assert 2 == result.exit_code
    assert complaint in result.stderr


def test_human_conversation_needs_a_token(url: str, command: Command) -> None:
    """A conversation belongs to a visitor, whom only the token can stand for."""
    name = "0d4a0a4e-8c9f-4f3c-9f32-5b0f1d9b1f10"
    line = fails_to_run(command(url, "--api-key", KEY, "--human-conversation", name))
    assert "--human-conversation needs the --token of its visitor" == line


# What is kept

CREDENTIALS = {
    "key": ("--api-key", KEY),
    "token": ("--token", PRIVATE_KEY),
    "both": ("--api-key", KEY, "--token", PRIVATE_KEY),
}


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_server_that_keeps_the_contract(
    credentials: str, url: str, command: Command, tmp_path: Path
) -> None:
    """Exit status 0, three reports, what was not tested and why; without a key more of that."""
    result = command(url, *CREDENTIALS[credentials], "--seed", "7", "--reports", "out")
    assert (0, "") == (result.exit_code, result.stderr), result.output
    assert re.fullmatch(r"The server keeps the contract \(\d+ requests\)\.", last(result))
    assert (credentials == "token") == ("is only one visitor" in result.stdout)
    assert (credentials == "token") == ("needs a publishable key: --api-key" in result.stdout)
    assert f"Repeat with: siteassist-contract {url} --profile default --seed 7\n" in result.stdout
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert {"out/html/index.html", "out/junit.xml", "out/summary.json"} == written
    summary = json.loads(Path("out/summary.json").read_text())
    assert ("kept", last(result), []) == tuple(
        summary[name] for name in ("status", "verdict", "violations")
    )


def test_credentials_from_the_environment(url: str, command: Command) -> None:
    """Variables do what options do, the address included."""
    env = {"SITEASSIST_BASE_URL": f"{url}/", "SITEASSIST_API_KEY": KEY}
    result = command(env=env)
    assert 0 == result.exit_code
    assert f"Testing {url} (default: " in result.stdout


@pytest.mark.parametrize("profile", ["quick", "default", "deep"])
def test_profile_is_told(profile: str, url: str, command: Command) -> None:
    """The first line says what is tested and how; a deep run ends when its time is up."""
    result = command(url, "--api-key", KEY, "--profile", profile, "--time", "1s")
    assert 0 == result.exit_code
    words = f"Testing {url} ({profile}: {PROFILES[profile].words})"
    assert words == result.stdout.splitlines()[0]


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
    ],
)
def test_options_reach_the_run(
    arguments: tuple[str, ...],
    expected: dict[str, object],
    url: str,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was chosen is what is run."""
    seen: list[Options] = []

    class Stopped(Exception):
        """The run would begin."""

    def run(_: object, options: Options, *__: object) -> None:
        seen.append(options)
        raise Stopped

    monkeypatch.setattr(cli, "Run", run)
    assert isinstance(command(url, "--api-key", KEY, *arguments).exception, Stopped)
    assert expected == {name: getattr(seen[0], name) for name in expected}


def test_repeat_command_has_all_that_matters(url: str, shared: InProcess, command: Command) -> None:
    """The printed command has the choices that requests depend on, and no credential."""
    name = handled(shared)
    options = ("--examples", "3", "--human-conversation", name, "--seed", "1")
    result = command(url, "--token", PRIVATE_KEY, *options)
    repeat = next(line for line in result.stdout.splitlines() if line.startswith("Repeat"))
    assert repeat.endswith(f"--profile default --seed 1 --examples 3 --human-conversation {name}")


# A human agent


def handled(shared: InProcess, token: str = PRIVATE_KEY) -> str:
    """Return a new conversation of the token's visitor that a human agent handles."""
    headers = {"Authorization": f"Bearer {token}"}
    start = httpx.Request("POST", "http://localhost/v2/conversations", headers=headers)
    name = str(shared.forward(start).json()["id"])
    path = f"http://localhost/_mock/conversations/{name}/handover"
    shared.forward(httpx.Request("POST", path, json={"name": "Ada"}))
    return name


def summary_rows() -> dict[tuple[str, str], dict[str, Any]]:
    """Return what was tested, by operation and status or rule."""
    rows = json.loads(Path("reports/summary.json").read_text())["coverage"]
    return {(row["operation"], row["what"]): row for row in rows}


def test_human_conversation_opens_the_202_path(
    url: str, shared: InProcess, command: Command
) -> None:
    """With a conversation that a human agent handles, 202 and its rule are put to the test."""
    result = command(url, "--token", PRIVATE_KEY, "--human-conversation", handled(shared))
    assert 0 == result.exit_code, result.output
    rows = summary_rows()
    assert 1 == rows["sendMessage", "202"]["count"]
    assert 0 < rows["sendMessage", "queued"]["count"]


def test_human_conversation_of_somebody_else(url: str, shared: InProcess, command: Command) -> None:
    """Somebody else's conversation is left alone, and the report says so."""
    body = {"apiKey": KEY, "saVid": "somebody-else"}
    start = httpx.Request("POST", f"{url}/identity/init", json=body)
    name = handled(shared, shared.forward(start).json()["sessionToken"])
    shared.requests.clear()
    result = command(url, "--token", PRIVATE_KEY, "--human-conversation", name)
    assert 0 == result.exit_code, result.output
    row = summary_rows()["sendMessage", "queued"]
    assert 0 == row["count"]
    assert "--human-conversation does not belong to the token's visitor" == row["reason"]
    assert [] == [r for r in shared.requests if name in str(r.url)]


# What is broken


def test_finding_is_printed(url: str, shared: InProcess, command: Command) -> None:
    """Exit status 1: the rule, its document, what was expected, what came, how to repeat it."""
    shared.fault = breaks_the_search
    result = command(url, "--api-key", KEY)
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
        r"The server breaks the contract in \d+ ways? \(\d+ requests\)\.", last(result)
    )
    summary = json.loads(Path("reports/summary.json").read_text())
    assert {"search"} == {each["operation"] for each in summary["violations"]}
    assert summary["first_violation_seconds"] is not None


def test_stop_at_first(url: str, shared: InProcess, command: Command) -> None:
    """The run ends at its first violation, with the reports, and says what it left out for that."""
    shared.fault = breaks_both
    whole = command(url, "--api-key", KEY)
    result = command(url, "--api-key", KEY, "--stop-at-first")
    assert (1, 1) == (whole.exit_code, result.exit_code)
    summary = json.loads(Path("reports/summary.json").read_text())
    assert 1 == len(summary["violations"])
    assert last(result).startswith("The server breaks the contract in 1 way (")
    assert "the run stopped at its first violation" in result.stdout
    assert requests_of(result) < requests_of(whole)


def requests_of(result: Result) -> int:
    """Return the number of requests that the last line tells."""
    found = re.search(r"\((\d+) requests", last(result))
    assert found is not None
    return int(found[1])


def test_many_breaks_are_shortened(loopback: Serve, command: Command) -> None:
    """Of many findings the terminal shows some in full; the report has all of them."""
    server = loopback(lambda _: httpx.Response(200, json={}))
    result = command(server.url, "--token", PRIVATE_KEY)
    assert 1 == result.exit_code
    assert "  The HTML report has all of them in full.\n" in result.stdout
    assert 10 == result.stdout.count("\n  expected: ")
    assert "  also at:  " in result.stdout


def test_secrets_stay_out_of_all_output(
    url: str, shared: InProcess, command: Command, tmp_path: Path
) -> None:
    """Neither text nor reports repeat what a server gives away in its answers."""
    tokens: set[str] = set()

    def repeats(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.url.path.endswith("/init") and answer.status_code < 300:
            tokens.add(answer.json()["sessionToken"])
        if answer.status_code < 400:
            return answer
        told = f"{request.url} {dict(request.headers)} {KEY} {PRIVATE_KEY}"
        return httpx.Response(answer.status_code, json={"error": {"message": told}})

    shared.fault = repeats
    result = command(url, "--token", PRIVATE_KEY, "--api-key", KEY)
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
    """A server that repeats what it refuses gives nothing away."""
    told = {"error": {"message": f"bad: {secret}"}}
    server = loopback(lambda _: httpx.Response(401, json=told))
    line = fails_to_run(command(server.url, option, secret))
    assert "answered 401 (bad: [Filtered])" in line


# A baseline


def write_baseline(*keys: str) -> None:
    """Write a baseline that accepts ``keys``."""
    Path("base.json").write_text(json.dumps({"violations": list(keys)}))


def test_updated_baseline_is_kept(url: str, shared: InProcess, command: Command) -> None:
    """What was written down is accepted from then on, and still told."""
    shared.fault = breaks_both
    options = (url, "--api-key", KEY, "--baseline", "base.json")
    written = command(*options, "--update-baseline")
    assert 0 == written.exit_code, written.output
    keys = json.loads(Path("base.json").read_text())["violations"]
    assert sorted(keys) == keys
    assert f"Baseline: base.json, {len(keys)} violations accepted\n" in written.stdout
    result = command(*options)
    assert 0 == result.exit_code, result.output
    assert "(known)" in result.stdout
    assert re.fullmatch(
        r"The server keeps the contract \(\d+ requests, \d+ known findings accepted\)\.",
        last(result),
    )


def test_new_break_beside_known_ones(url: str, shared: InProcess, command: Command) -> None:
    """A violation outside the baseline fails the run, and counts alone."""
    shared.fault = breaks_the_page
    options = (url, "--api-key", KEY, "--baseline", "base.json")
    assert 0 == command(*options, "--update-baseline").exit_code
    shared.fault = breaks_both
    result = command(*options)
    assert 1 == result.exit_code
    shown = re.findall(
        r"^Finding \d+: \w+ \S+ \((\w+)\)( \(known\))?$", result.stdout, re.MULTILINE
    )
    assert {("search", ""), ("getConversations", " (known)")} == set(shown)
    assert "known finding" in last(result)


def test_stop_at_first_goes_past_known_breaks(
    url: str, shared: InProcess, command: Command
) -> None:
    """What is accepted does not stop a run."""
    shared.fault = breaks_the_page
    options = (url, "--api-key", KEY, "--baseline", "base.json")
    command(*options, "--update-baseline")
    assert 0 == command(*options, "--stop-at-first").exit_code


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "the baseline base.json: No such file or directory"),
        ("{", "the baseline base.json is not JSON: "),
        ("[]", "the baseline base.json has no list of strings named `violations`"),
        ('{"violations": [1]}', "the baseline base.json has no list of strings named `violations`"),
        ("\udcff", "the baseline base.json is not JSON: "),
    ],
)
def test_broken_baseline_is_told(
    content: str | None, problem: str, url: str, command: Command
) -> None:
    """A baseline that cannot be read never counts as an empty one."""
    if content is not None:
        Path("base.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    line = fails_to_run(command(url, "--api-key", KEY, "--baseline", "base.json"))
    assert line.startswith(problem)


def test_update_needs_a_baseline(url: str, command: Command) -> None:
    """Without a file there is nothing to write to."""
    line = fails_to_run(command(url, "--api-key", KEY, "--update-baseline"))
    assert "--update-baseline needs --baseline FILE" == line


# An example database


def test_example_database_that_cannot_be_used(url: str, command: Command) -> None:
    """A file in the place of the folder is told."""
    Path("taken").write_text("")
    line = fails_to_run(command(url, "--api-key", KEY, "--example-database", "taken"))
    assert "the example database taken: File exists" == line


def test_example_database_in_redis_that_is_not_there(url: str, command: Command) -> None:
    """Its address, which may hold a password, is not repeated."""
    place = "redis://:password@127.0.0.1:1/0"
    line = fails_to_run(command(url, "--api-key", KEY, "--example-database", place))
    assert "the example database in Redis cannot be reached (ConnectionError)" == line


def test_example_database_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is told."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CannotRunError, match="pip install redis"):
        example_databases.open_database("redis://127.0.0.1/0")


def test_no_example_database() -> None:
    """None is asked for, none is opened."""
    assert example_databases.open_database(None) is None


# The rest


def test_only_the_server_is_spoken_to(
    served: Loopback, shared: InProcess, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to any other address, and no name is looked up."""
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
    """A target can be logged."""
    target = preflight.Target("http://127.0.0.1/v2", api_key=KEY, token=PRIVATE_KEY)
    assert KEY not in repr(target)
    assert PRIVATE_KEY not in repr(target)


def test_devices_differ_between_runs() -> None:
    """Two runs at once do not get in each other's way."""
    address = "http://127.0.0.1/v2"
    first, second = preflight.Target(address), preflight.Target(address)
    assert 4 == len({*first.devices, *second.devices})
    assert all(len(device) <= 100 for device in first.devices)


def test_help_teaches(command: Command) -> None:
    """Exit statuses, profiles, examples and every option are in the help."""
    shown = command("--help").stdout
    options = [option for p in entry.main.params for option in p.opts if option.startswith("--")]
    assert 15 <= len(options)
    for words in ("Exit status", "Profiles", "Examples", "SITEASSIST_API_KEY", *options):
        assert words in shown


def test_statuses_are_the_documented_ones() -> None:
    """Scripts rest on these numbers."""
    assert [0, 1, 2, 130] == [int(status) for status in ExitStatus]


def test_baseline_that_cannot_be_written_is_told(
    url: str, shared: InProcess, command: Command
) -> None:
    """The run was for nothing, and one line says why."""
    shared.fault = breaks_both
    result = command(url, "--api-key", KEY, "--baseline", "/proc/x", "--update-baseline")
    assert 2 == result.exit_code, result.output
    assert "The baseline could not be updated: the baseline /proc/x: " in result.stderr


def test_run_without_an_end_leaves_the_baseline(
    url: str, shared: InProcess, command: Command, interrupt: Callable[[], None]
) -> None:
    """What an interrupted run did not find is not taken for mended."""
    write_baseline("search list-page")
    before = Path("base.json").read_bytes()

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


def test_tokens_of_the_run_are_known_from_the_first(
    url: str, shared: InProcess, command: Command
) -> None:
    """A server that repeats every token it has ever given gets none of them into a report."""
    given: list[str] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.url.path.endswith("/init") and answer.is_success:
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
