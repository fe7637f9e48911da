"""`siteassist-contract check` judges recorded traffic, and sends nothing."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from siteassist_contract.checks.shown_objects import ShownObjects
from siteassist_contract.findings import Findings
from siteassist_contract.http.redaction import Filter
from siteassist_contract.recording import recorded_exchanges
from siteassist_contract.recording.judgement import Judgement
from siteassist_contract.subcommands import check
from siteassist_mock.app import create_app
from tests.contract.recording.traffic import BASE, long_visit, record, visit, write
from tests.faults.catalogue import MUTANTS

Entries = list[dict[str, Any]]


@pytest.fixture(scope="module")
def kept() -> str:
    """Return the entries of a visit to the mock, as JSON."""
    return json.dumps(record(create_app(), visit))


@pytest.fixture
def entries(kept: str) -> Entries:
    """Return a copy of these entries."""
    copy: Entries = json.loads(kept)
    return copy


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that judges entries."""
    monkeypatch.chdir(tmp_path)

    def call(entries: Entries, *options: str) -> Result:
        write(tmp_path / "traffic.har", entries)
        return CliRunner().invoke(check.main, ["traffic.har", *options])

    return call


def violations() -> dict[str, dict[str, Any]]:
    """Return the violations in the report, by key."""
    report = json.loads(Path("reports/summary.json").read_text())
    return {each["key"]: each for each in report["violations"]}


def find(entries: Entries, method: str, end: str, number: int = 0) -> dict[str, Any]:
    """Return an entry."""
    found = [
        each
        for each in entries
        if each["request"]["method"] == method and each["request"]["url"].endswith(end)
    ]
    return found[number]


def answer(entry: dict[str, Any], change: Callable[[Any], object]) -> None:
    """Change the JSON of an answer."""
    content = entry["response"]["content"]
    document = json.loads(base64.b64decode(content["text"]))
    change(document)
    entry["response"]["content"] = {"text": json.dumps(document), "mimeType": "application/json"}


def test_traffic_of_the_mock_is_kept(entries: Entries, judge: Callable[..., Result]) -> None:
    """The verdict names what the recording does not show; all reports are written."""
    result = judge(entries)
    assert (0, "") == (result.exit_code, result.stderr), result.stdout
    line = result.stdout.splitlines()[-1]
    assert line.startswith(f"The server keeps the contract ({len(entries)} requests). Not tested: ")
    assert "(the recording does not show it)" in line
    assert {"html", "junit.xml", "summary.json"} == {p.name for p in Path("reports").iterdir()}
    report = json.loads(Path("reports/summary.json").read_text())
    assert ("kept", "recording") == (report["verdict"], report["profile"])


@pytest.mark.parametrize("ci", ["", "true"])
@pytest.mark.parametrize("content", [None, "not JSON", '{"log": {"entries": []}}'])
def test_recording_that_cannot_be_judged_keeps_earlier_reports(
    content: str | None, ci: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong name of a file removes no report of an earlier run, except in CI.

    That of a baseline is found first.
    """
    monkeypatch.setenv("CI", ci)
    (tmp_path / "summary.json").write_text("of an earlier run")
    recording = tmp_path / "typo.har"
    if content is not None:
        recording.write_text(content)
    baseline = [] if content else ["--baseline", str(tmp_path / "typo.txt")]
    options = [str(recording), "--reports", str(tmp_path), *baseline]
    result = CliRunner().invoke(check.main, options)
    assert 2 == result.exit_code
    assert (not ci) == (tmp_path / "summary.json").exists()
    assert (not ci) == ("The reports of an earlier run are still in " in result.stderr)


def test_recording_has_no_seed_and_no_limit(entries: Entries, judge: Callable[..., Result]) -> None:
    """No report names what only a run has: a seed, a limit of time, a plan, a cost."""
    shown = judge(entries).stdout.partition("This run:")[2]
    assert f"Requests: {len(entries)} in the recording" in " ".join(shown.split())
    report = json.loads(Path("reports/summary.json").read_text())
    assert (None, None) == (report["seed"], report["time_limit"])
    pages = [
        shown,
        *(Path("reports", name).read_text() for name in ("html/index.html", "junit.xml")),
    ]
    for page in pages:
        for name in ("Seed", "Plan", "Cost", "Selection", "at most"):
            assert not re.search(rf"\b{name}\b(?=:|</dt>|\"| \d+ s)", page, re.IGNORECASE), name


def test_finding_names_its_entries(entries: Entries, judge: Callable[..., Result]) -> None:
    """No credential is in the reports, and the commands are the places in the file."""
    answer(find(entries, "GET", "/identity/me"), lambda shown: shown.pop("type"))
    result = judge(entries)
    assert 1 == result.exit_code
    assert ["getMe described 200"] == list(violations())
    assert "# traffic.har, entry 2: GET /identity/me (200)" in result.stdout
    sent = [each["value"] for each in entries[1]["request"]["headers"]]
    (token,) = (each.removeprefix("Bearer ") for each in sent if each.startswith("Bearer "))
    assert not any(token in path.read_text() for path in Path("reports").glob("*.*"))


def test_accepted_violation_does_not_fail(entries: Entries, judge: Callable[..., Result]) -> None:
    """A baseline accepts it, as in a run."""
    answer(find(entries, "GET", "/identity/me"), lambda shown: shown.pop("type"))
    Path("accepted.json").write_text('{"violations": ["getMe described 200"]}')
    result = judge(entries, "--baseline", "accepted.json")
    assert 0 == result.exit_code, result.stdout


FAULTS = {
    "session-token-missing": "described",
    "visitor-type-unknown": "described",
    "conversation-wrapped": "described",
    "known-device-201": "device-status",
    "start-200": "described",
    "empty-content-taken": "bounds",
    "null-page-context-refused": "accepted",
    "no-token-me": "token-required",
    "read-foreign": "isolation",
    "list-of-everybody": "own-list",
    "one-visitor-for-all": "device-visitor",
    "question-not-stored": "stored-message",
    "answer-not-stored": "stored-answer",
    "feedback-not-stored": "feedback",
    "direction-turned-round": "list-order",
    "no-finish-step": "stream-order",
    "ids-differ": "stream-ids",
    "event-after-done": "stream-end",
    "error-as-detail": "described",
    "foreign-message-stored": "no-side-effects",
    "page-title-and-url-mixed-up": "stored-message",
    "closed-not-listed": "list-total",
    "messages-limit-from-the-end": "list-page",
    "messages-limit-ignored": "list-page",
    "messages-offset-ignored": "list-page",
}
"""The rule by which each fault shows in the traffic of a long visit."""


def test_faults_show_in_traffic(tmp_path: Path) -> None:
    """A recording shows these faults of the corpus, each by its rule."""
    missed = {}
    for name, rule in FAULTS.items():
        path = write(tmp_path / "traffic.har", record(MUTANTS[name].app(), long_visit))
        shown = ShownObjects(others_act=True)
        findings = Findings(Filter(), lambda _: ("", ""), shown=shown)
        judgement = Judgement(findings, has_credentials=True)
        for exchange in recorded_exchanges.exchanges(path, recorded_exchanges.survey(path)):
            judgement.see(exchange)
        found = {each.rule for each in findings.violations.values()}
        if rule not in found:
            missed[name] = found
    assert {} == missed


# Entries of other tools


def test_entries_without_credentials_are_judged_otherwise(
    entries: Entries, judge: Callable[..., Result]
) -> None:
    """Browsers remove credentials from an export, which is no missing token."""
    for entry in entries:
        headers = entry["request"]["headers"]
        headers[:] = [each for each in headers if each["name"] != "authorization"]
    result = judge(entries)
    assert 0 == result.exit_code, result.stdout
    assert "Note: the recording has no credentials: no rule about them was tested" in result.stdout


def test_parallel_requests_are_judged_on_their_own(
    entries: Entries, judge: Callable[..., Result]
) -> None:
    """The order of overlapping requests is not known, so nothing follows from it."""
    for entry in entries:
        entry["startedDateTime"] = entries[0]["startedDateTime"]
        entry["time"] = 1000
    result = judge(list(reversed(entries)))
    assert 0 == result.exit_code, result.stdout
    assert f"{len(entries)} exchanges overlap" in result.stdout


def test_requests_without_a_whole_answer_are_not_judged(
    entries: Entries, judge: Callable[..., Result]
) -> None:
    """Neither are those of other servers; the notes count them."""
    entries[3]["response"]["status"] = 0
    entries[4]["_error"] = "net::ERR_ABORTED"
    del entries[5]["response"]["content"]["text"]
    entries += [{}, {"request": {"method": "GET", "url": "https://shop.example/v2/cart"}}]
    entries += [{"request": {"method": "GET", "url": "http://[/v2/search"}, "response": 7}]
    result = judge(entries)
    assert 0 == result.exit_code, result.stdout
    assert "Note: 3 of 47 entries are not requests of the API" in result.stdout
    assert "Note: 3 requests have no whole answer in the recording" in result.stdout


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "the recording traffic.har: No such file or directory"),
        (b"", "the recording traffic.har is cut off or not JSON"),
        (b"\x00\xff", "not JSON"),
        (b"[1, 2]", "is not a HAR file: it has no list `log.entries`"),
        (b'{"log": {"entries": 7}}', "is not a HAR file"),
        (b'{"log": {"entries": []}}', "has no exchange of the API"),
        (b'{"log": {"entries": [7, null, {"request": []}]}}', "has no exchange of the API"),
        (b'{"log": {"entries": [{"request": {"url": "x"', "is cut off or not JSON"),
        (b'{"log": {"entries": [' + b"[" * 200_000, "not JSON"),
    ],
)
def test_file_that_cannot_be_judged_is_one_sentence(
    content: bytes | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is 2, and the sentence says what is wrong."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "traffic.har").write_bytes(content)
    result = CliRunner().invoke(check.main, ["traffic.har"])
    assert (2, "") == (result.exit_code, result.stdout)
    assert problem in result.stderr
    assert 1 == result.stderr.count("\n")


def test_server_must_be_chosen(entries: Entries, judge: Callable[..., Result]) -> None:
    """With exchanges of two servers, the message names both."""
    other = json.loads(json.dumps(entries).replace(BASE, "https://other.test/api/v2"))
    result = judge(entries + other)
    assert 2 == result.exit_code
    assert f"several servers: {BASE} (44), https://other.test/api/v2 (44); choose" in result.stderr
    chosen = judge(entries + other, "--base-url", "https://other.test/api/v2")
    assert 0 == chosen.exit_code, chosen.stdout


def test_recording_without_contents_is_refused(
    entries: Entries, judge: Callable[..., Result]
) -> None:
    """A green is earned: answers without their bodies show nothing."""
    for entry in entries:
        entry["response"]["content"] = {"size": 7}
    result = judge(entries)
    assert 2 == result.exit_code
    assert "has no answer with its body: export it with its contents" in result.stderr


# What several exchanges show


def conversation(entries: Entries) -> Entries:
    """Return the readings of conversations and of their messages."""
    return [
        each
        for each in entries
        if each["request"]["method"] == "GET" and "/conversations/" in each["request"]["url"]
    ]


def lose_question(entries: Entries) -> None:
    """Remove the first message from the first readings of a conversation."""
    for each in conversation(entries)[:2]:
        answer(each, lambda shown: (shown.get("data") or shown["messages"]).pop(0))


BREAKS: dict[str, Callable[[Entries], object]] = {
    "getMessages history": lambda e: answer(
        find(e, "GET", "/messages", 1), lambda a: a["data"][0]["parts"][0].update(text="No")
    ),
    "sendMessage stored-message": lose_question,
    "getConversations list-order": lambda e: answer(
        find(e, "GET", "orderDir=asc"), lambda a: a["data"].reverse()
    ),
    "getConversations list-page": lambda e: answer(
        find(e, "GET", "offset=1"), lambda a: a.update(offset=0)
    ),
    "getMe me": lambda e: answer(
        find(e, "GET", "/identity/me"),
        lambda a: a.update(id="00000000-0000-4000-8000-000000000000"),
    ),
    "getMe token-required": lambda e: find(e, "GET", "/identity/me", 1)["request"].update(
        headers=[]
    ),
    "closeConversation closes": lambda e: answer(
        conversation(e)[-2],
        lambda a: a.update(status="open", closedAt=None),
    ),
    "init device-status": lambda e: find(e, "POST", "/init", 2)["response"].update(status=201),
    "getMessages isolation": lambda e: conversation(e)[-1]["request"].update(
        headers=find(e, "GET", "/identity/me", 1)["request"]["headers"]
    ),
}


@pytest.mark.parametrize("key", BREAKS)
def test_rule_over_several_exchanges_is_judged(
    key: str, entries: Entries, judge: Callable[..., Result]
) -> None:
    """A change of one answer breaks the rule that it was made for."""
    BREAKS[key](entries)
    result = judge(entries)
    assert 1 == result.exit_code, result.stdout
    assert any(found.startswith(key) for found in violations()), list(violations())


def test_large_recording_takes_little_memory(entries: Entries, tmp_path: Path) -> None:
    """A file is read entry by entry: one of 64 MB takes little more than its largest entry."""
    path, size = tmp_path / "traffic.har", 64 * 2**20
    whole = json.dumps(find(entries, "GET", "/messages", 1)).encode()
    padded = json.loads(whole)
    padded["response"]["headers"].append({"name": "x-padding", "value": "x" * 2**20})
    line = json.dumps(padded).encode()
    with path.open("wb") as file:
        file.write(b'{"log": {"entries": [')
        file.write(b",".join([whole] * 3))
        for _ in range(size // len(line) + 1):
            file.write(b"," + line)
        file.write(b"]}}")
    program = (
        "import re, sys; from siteassist_contract.recording import recorded_exchanges as r;"
        "from pathlib import Path; path = Path(sys.argv[1]); known = r.survey(path);"
        "count = sum(1 for _ in r.exchanges(path, known));"
        # The maximum of `getrusage` includes that of the process that started this one.
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text());"
        "print(count, int(peak[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    count, megabytes = map(int, done.stdout.split())
    assert count > 60
    assert megabytes < 200
