"""Visits judge a server, each by itself; Locust has no part in these tests."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from siteassist_contract.description import operations
from siteassist_contract.findings import Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.load.judge import CutShortError, LoadFindings
from siteassist_contract.load.meter import Meter, Timing
from siteassist_contract.load.reachability import PATIENCE, Reachability
from siteassist_contract.load.report import show, status_of, verdict, write
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.visitors import VisitorPool
from siteassist_contract.verdict import ExitStatus
from siteassist_mock.testing import mock_server
from tests.values import API_KEY as KEY

ROUND = 8
"""So many visits go every way that a visit can go."""


def no_time(*_: object) -> None:
    """Wait for nothing."""


def visited(url: str, visits: int = ROUND) -> tuple[VisitorPool, Counter[str]]:
    """Let one visitor come so often; return what was found, and how often each was answered."""
    answers: Counter[str] = Counter()

    def count(operation: str, _: Timing) -> None:
        answers[operation] += 1

    pool = VisitorPool(Target(url, KEY), on_answer=count, sleep=no_time)
    simulated = pool.join(no_time)
    for _ in range(visits):
        simulated.visit()
    simulated.close()
    return pool, answers


def exchange(status: int, content: bytes = b"{}") -> Exchange:
    """Return an answer to a search."""
    return Exchange(
        operation="search",
        credential="",
        method="GET",
        target="/search?q=x",
        body=b"",
        content_type="",
        status=status,
        headers={"content-type": "application/json"},
        content=content,
        seconds=0.1,
        first=0.1,
        pieces=1,
    )


def findings() -> LoadFindings:
    """Return what has found nothing yet."""
    return LoadFindings(secrets=Filter(), render=lambda _: ("", ""))


def unanswered(found: Findings, rule: str) -> bool:
    """Break ``rule``; return whether that counts as having kept it."""
    return found.judge(
        kept=False,
        rule=rule,
        operation="search",
        expected="an answer",
        actual="none",
        exchanges=[],
    )


def with_break(visits: int = 1) -> LoadResults:
    """Return results with one violation that a number of visits have seen."""
    results = LoadResults()
    for _ in range(visits):
        found = findings()
        unanswered(found, "answered")
        results.take(found)
    return results


def test_a_server_that_keeps_the_contract_passes(url: str) -> None:
    """No violation in any way that a visit can go, and every operation takes part."""
    pool, answers = visited(url)
    assert ({}, ROUND) == (pool.results.violations, pool.results.visits)
    assert set(operations()) == set(answers)


def test_a_missing_delta_is_found(broken_url: str) -> None:
    """A stream that says less than what was stored is a violation, counted but kept once."""
    pool, _ = visited(broken_url, 10)
    (found,) = pool.results.violations.values()
    assert ("sendMessage", "stored-answer", "load") == (found.operation, found.rule, found.layer)
    assert pool.results.counts[found.key] >= 2
    assert "curl" in found.commands
    assert KEY not in json.dumps(pool.results.document())


def test_many_requests_are_waited_for_and_no_break() -> None:
    """429 is counted by operation, and the visitor waits as long as it is told."""
    waits: list[float] = []
    with mock_server(rate_limits=("5/m",)) as url:
        pool = VisitorPool(Target(url, KEY), sleep=waits.append)
        simulated = pool.join(no_time)
        simulated.visit()
        simulated.close()
    assert {} == pool.results.violations
    assert 0 == pool.results.visits
    assert 5 == pool.results.throttled.total()
    # Four waits that the server asked for, one for twelve seconds, and the visitor's own.
    assert [True] * 4 + [False] == [10 <= wait <= 13 for wait in waits]


def test_a_spent_quota_is_no_break() -> None:
    """A server that takes no more messages ends the visit; nothing of it is called a violation."""
    with mock_server(quota=1) as url:
        pool, _ = visited(url, 1)
    assert ({}, 0) == (pool.results.violations, pool.results.visits)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_a_break_and_ends_the_visit(status: int) -> None:
    """Under load, 502 and 503 are no excuse."""
    found = findings()
    with pytest.raises(CutShortError):
        found.see(exchange(status), [])
    assert "search no-server-error" in found.violations


@pytest.mark.parametrize("status", [402, 429])
def test_a_refusal_for_a_reason_is_none(status: int) -> None:
    """402 and 429 end a visit, too."""
    body = b'{"error": {"code": "X", "message": "Later", "details": {}}}'
    found = findings()
    with pytest.raises(CutShortError, match=str(status)):
        found.see(exchange(status, body), [])
    assert "search no-server-error" not in found.violations


def test_pace_is_not_judged_under_load() -> None:
    """A busy server may keep a visitor waiting before it streams."""
    assert unanswered(findings(), "stream-incremental")


def test_a_server_that_is_not_there_is_lost() -> None:
    """Refused connections are the server's end, not its violations."""
    pool, _ = visited("http://127.0.0.1:9/v2", 1)
    pool.settle()
    assert {} == pool.results.violations
    assert pool.results.problem.startswith("getProject: the server stopped answering")


def test_a_request_without_answer_is_a_break_if_the_server_lives() -> None:
    """A connection that is cut off counts once another request is answered."""
    with mock_server(faults=("reset:1",)) as url:
        pool, _ = visited(url, 1)
        assert {} == pool.results.violations
        pool.target = replace(pool.target, base_url=url.removesuffix("/v2"))
        pool.settle()
    assert ["getProject answered"] == list(pool.results.violations)
    assert "" == pool.results.problem


def test_a_failure_is_confirmed_by_what_begins_later_only() -> None:
    """An answer that was on its way already says nothing of a server that died since."""
    now = [10.0]
    confirmed: list[str] = []
    reachability = Reachability(lambda: now[0])
    reachability.failed("cut off", lambda: confirmed.append("cut off"))
    reachability.answered(9.0)
    now[0] += PATIENCE
    assert ([], "cut off") == (confirmed, reachability.lost())
    reachability.answered(11.0)
    assert (["cut off"], None) == (confirmed, reachability.lost())


def test_a_server_is_not_lost_at_once() -> None:
    """It has some seconds to come back."""
    reachability = Reachability(lambda: 10.0)
    reachability.failed("cut off", no_time)
    assert (None, "cut off") == (reachability.lost(), reachability.lost(patience=0))


def test_a_meter_times_deltas() -> None:
    """Each delta has its moment, those of one piece the same; other events have none."""
    events = [b'data: {"type":"start"}\n\n', b'"text-delta" "text-delta"', b'"text-delta"']
    told: list[Timing] = []
    answer = httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, content=iter(events)
    )
    meter = Meter(httpx.MockTransport(lambda _: answer), told.append)
    with httpx.Client(transport=meter) as client:
        body = client.get("http://x").content
    (timing,) = told
    assert (b"".join(events), len(body)) == (body, timing.size)
    assert 3 == len(timing.deltas)
    assert timing.gaps[0] == 0.0 <= timing.gaps[1]
    assert timing.first_delta is not None
    assert timing.first_delta <= timing.seconds


def test_results_survive_the_way_to_the_master() -> None:
    """What is read is what was sent, and several of them add up."""
    results = with_break(2)
    results.throttled["search"] = 3
    results.problem = "gone"
    copy = LoadResults.of(json.loads(json.dumps(results.document())))
    assert results == copy
    whole = LoadResults.merged([results, copy, LoadResults(visits=4)])
    assert {"search answered": 4} == whole.counts
    assert (6, 4, "gone") == (whole.throttled.total(), whole.visits, whole.problem)


def test_a_report_has_each_finding_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With its rule in words, what was expected, what came, and how often."""
    results = with_break(7)
    results.throttled["init"] = 2
    show(results)
    printed = capsys.readouterr().out
    assert 1 == printed.count("Every request is answered.")
    for line in ("expected: an answer", "actual:   none", "seen in:  7 visits", "init 2"):
        assert line in printed


@pytest.mark.parametrize(
    ("results", "interrupted", "status", "words"),
    [
        (LoadResults(), False, ExitStatus.KEPT, "keeps the contract under load"),
        (LoadResults(), True, ExitStatus.INTERRUPTED, "interrupted"),
        (LoadResults(problem="no server"), False, ExitStatus.NOT_RUN, "no server"),
        (with_break(), False, ExitStatus.BROKEN, "in 1 way"),
        (with_break(), True, ExitStatus.BROKEN, "interrupted"),
    ],
)
def test_verdict(results: LoadResults, interrupted: bool, status: ExitStatus, words: str) -> None:
    """Violations take precedence; other problems are reported, too."""
    assert status == status_of(results, interrupted=interrupted)
    assert words in verdict(results, 10, interrupted=interrupted)


def test_the_written_report_has_breaks_and_figures(tmp_path: Path) -> None:
    """`load.json` is for programs."""
    write(with_break(), "Broken.", [{"name": "search"}], tmp_path)
    document = json.loads((tmp_path / "load.json").read_text())
    assert ("Broken.", [{"name": "search"}]) == (document["verdict"], document["stats"])
    assert {"search answered": 1} == document["counts"]
