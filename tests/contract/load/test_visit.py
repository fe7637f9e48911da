"""Visits, judged one by one and without Locust."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import replace

import httpx
import pytest

from siteassist_contract.description import operations
from siteassist_contract.findings import Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.load.judge import CutShortError, LoadFindings
from siteassist_contract.load.meter import Meter, Timing
from siteassist_contract.load.plan import ROUND
from siteassist_contract.load.reachability import PATIENCE, Reachability
from siteassist_contract.load.report import show
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.time_limit import within
from siteassist_contract.load.visit import Visit
from siteassist_contract.load.visitors import VisitorPool
from siteassist_mock.testing import mock_server
from tests.contract.load.conftest import refusing
from tests.values import API_KEY as KEY

REQUESTS = 38
"""The number of requests of the first visit, which has most optional steps."""


def no_wait(*_: object) -> None:
    """Do not wait."""


def visit_repeatedly(url: str, visits: int = 2 * ROUND) -> tuple[VisitorPool, Counter[str]]:
    """Run the visits of one visitor; return the pool, and the responses by operation."""
    answers: Counter[str] = Counter()

    def count(operation: str, _: Timing) -> None:
        answers[operation] += 1

    pool = VisitorPool(Target(url, KEY), on_answer=count, sleep=no_wait)
    simulated = pool.join(no_wait)
    for _ in range(visits):
        simulated.visit()
    simulated.close()
    return pool, answers


def exchange(status: int, content: bytes = b"{}") -> Exchange:
    """Create a response to a search."""
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
    """Create empty findings."""
    return LoadFindings(secrets=Filter(), render=lambda _: ("", ""))


def unanswered(found: Findings, rule: str) -> bool:
    """Report a violation of ``rule``; return whether the rule counts as kept."""
    return found.judge(
        kept=False,
        rule=rule,
        operation="search",
        expected="an answer",
        actual="none",
        exchanges=[],
    )


def with_violation(visits: int = 1) -> LoadResults:
    """Create results with one violation, seen by ``visits`` visits."""
    results = LoadResults()
    for _ in range(visits):
        found = findings()
        unanswered(found, "answered")
        results.take(found)
    return results


def test_correct_server_passes(url: str) -> None:
    """A correct server has no violation, and the visits call every operation."""
    pool, answers = visit_repeatedly(url)
    assert ({}, 2 * ROUND) == (pool.results.violations, pool.results.visits)
    assert set(operations()) == set(answers)


def test_missing_delta_is_found(broken_url: str) -> None:
    """A stream that lacks part of the stored answer is one violation with a count."""
    pool, _ = visit_repeatedly(broken_url, 10)
    (found,) = pool.results.violations.values()
    assert ("sendMessage", "stored-answer", "load") == (found.operation, found.rule, found.layer)
    assert pool.results.counts[found.key] >= 2
    assert "curl" in found.commands
    assert KEY not in json.dumps(pool.results.document())


def test_rate_limit_is_waited_for() -> None:
    """A 429 is counted and waited for as long as it asks; it is not a violation."""
    waits: list[float] = []
    with mock_server(rate_limits=("5/m",)) as url:
        pool = VisitorPool(Target(url, KEY), sleep=waits.append)
        simulated = pool.join(no_wait)
        simulated.visit()
        simulated.close()
    assert {} == pool.results.violations
    assert 0 == pool.results.visits
    assert 5 == pool.results.throttled.total()
    # Four waits of about twelve seconds for the server, and one shorter wait of the visitor.
    # Those of no time let other visitors run.
    assert [True] * 4 + [False] == [10 <= wait <= 13 for wait in waits if wait]


def test_exhausted_quota_is_not_a_violation() -> None:
    """A server whose quota of messages is exhausted ends the visit without a violation."""
    with mock_server(quota=1) as url:
        pool, _ = visit_repeatedly(url, 1)
    assert ({}, 0) == (pool.results.violations, pool.results.visits)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_error_ends_the_visit(status: int) -> None:
    """Every 5xx ends the visit; whether 502 and 503 are violations depends on other visits."""
    found = findings()
    with pytest.raises(CutShortError):
        found.see(exchange(status), [])
    assert (status == 500) == ("search no-server-error" in found.violations)


@pytest.mark.parametrize("status", [402, 429, 502, 503])
def test_server_that_refuses_everything_is_not_accused(status: int) -> None:
    """A server that only has circumstances breaks no rule, and completes no visit."""
    with refusing(status, after=5) as url:
        pool, _ = visit_repeatedly(url, 3)
    results = pool.results
    assert ({}, 0, 0) == (results.violations, results.visits, results.visitors)
    counts = (results.throttled, results.refused, results.unavailable)
    assert sum(counted.total() for counted in counts) >= 3


@pytest.mark.parametrize("status", [502, 503])
def test_unavailable_server_is_a_violation_after_a_visit(status: int) -> None:
    """A 502 or 503 is a violation of a server that completes visits, whichever comes first."""
    with refusing(status, after=REQUESTS) as url:
        pool, _ = visit_repeatedly(url, 2)
    assert ["init no-server-error"] == list(pool.results.violations)
    with refusing(status, after=0) as url:
        pool, _ = visit_repeatedly(url, 2)
    assert ({}, 2) == (pool.results.violations, pool.results.unavailable["init"])
    pool.completed()
    assert {"init no-server-error": 1} == pool.results.counts


@pytest.mark.parametrize(("waited", "expected"), [(60.0, {"search": 1}), (1.0, {})])
def test_request_that_the_end_cuts_off_is_noted(
    waited: float, expected: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was overdue at the end is not forgotten; one in time is."""

    def hang(visit: Visit, _number: int) -> bool:
        meter = visit.recorder._inner  # there is no server that hangs for a minute
        assert isinstance(meter, Meter)
        meter.pending = ("search", time.monotonic() - waited)
        raise KeyboardInterrupt

    monkeypatch.setattr(Visit, "run", hang)
    pool = VisitorPool(Target("http://127.0.0.1:9/v2", KEY), sleep=no_wait)
    with pytest.raises(KeyboardInterrupt):
        pool.join(no_wait).visit()
    assert expected == pool.results.abandoned


def test_time_limit_holds_for_calls_that_do_not_end() -> None:
    """The result of a call is its exception, or a timeout."""
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.01, ended.wait)
    ended.set()
    within(10, no_wait)
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0)


@pytest.mark.parametrize("status", [402, 429])
def test_refusal_for_load_is_not_a_violation(status: int) -> None:
    """A 402 or 429 ends the visit without a violation."""
    body = b'{"error": {"code": "X", "message": "Later", "details": {}}}'
    found = findings()
    with pytest.raises(CutShortError, match=str(status)):
        found.see(exchange(status, body), [])
    assert "search no-server-error" not in found.violations


def test_pace_is_not_judged_under_load() -> None:
    """A busy server may delay the start of a stream."""
    assert unanswered(findings(), "stream-incremental")


def test_refused_connection_is_a_lost_server() -> None:
    """A refused connection is a problem of the run, not a violation."""
    pool, _ = visit_repeatedly("http://127.0.0.1:9/v2", 1)
    pool.settle()
    assert {} == pool.results.violations
    assert pool.results.problem.startswith("the server is gone (getProject: ")


def test_missing_response_is_a_violation_if_the_server_responds_later() -> None:
    """A reset connection becomes a violation after a later response."""
    with mock_server(faults=("reset:1",)) as url:
        pool, _ = visit_repeatedly(url, 1)
        assert {} == pool.results.violations
        pool.target = replace(pool.target, base_url=url.removesuffix("/v2"))
        pool.settle()
    assert ["getProject answered"] == list(pool.results.violations)
    assert "" == pool.results.problem


def test_failure_is_confirmed_by_later_requests_only() -> None:
    """A response whose request began before the failure does not confirm it."""
    now = [10.0]
    confirmed: list[str] = []
    reachability = Reachability(lambda: now[0])
    reachability.failed("cut off", lambda: confirmed.append("cut off"))
    reachability.answered(9.0)
    now[0] += PATIENCE
    assert ([], "cut off") == (confirmed, reachability.lost())
    reachability.answered(11.0)
    assert (["cut off"], None) == (confirmed, reachability.lost())


def test_server_has_time_to_recover() -> None:
    """A server counts as lost only after some seconds without a response."""
    reachability = Reachability(lambda: 10.0)
    reachability.failed("cut off", no_wait)
    assert (None, "cut off") == (reachability.lost(), reachability.lost(patience=0))


def test_meter_times_deltas() -> None:
    """Each delta has a time, the same for deltas of one chunk; other events have none."""
    events = [b'data: {"type":"start"}\n\n', b'"text-delta" "text-delta"', b'"text-delta"']
    timings: list[Timing] = []
    answer = httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, content=iter(events)
    )
    meter = Meter(httpx.MockTransport(lambda _: answer), timings.append)
    with httpx.Client(transport=meter) as client:
        body = client.get("http://x").content
    (timing,) = timings
    assert (b"".join(events), len(body)) == (body, timing.size)
    assert 3 == len(timing.deltas)
    assert timing.gaps[0] == 0.0 <= timing.gaps[1]
    assert timing.first_delta is not None
    assert timing.first_delta <= timing.seconds


def test_results_can_be_serialized_and_merged() -> None:
    """Results survive serialization, and merging adds them up."""
    results = with_violation(2)
    results.throttled["search"] = 3
    results.problem = "gone"
    results.unmet["read a Q&A"] = "none"
    results.fail(ValueError(f"bad {KEY}"), Filter([KEY]))
    results.fail(ValueError("later"), Filter())
    assert results.failure is not None
    assert ("ValueError", False) == (results.failure.type, KEY in results.failure.traceback)
    copy = LoadResults.of(json.loads(json.dumps(results.document())))
    assert results == copy
    whole = LoadResults.merged([results, copy, LoadResults(visits=4)])
    assert {"search answered": 4} == whole.counts
    assert (6, 4, "gone") == (whole.throttled.total(), whole.visits, whole.problem)


def test_report_has_each_finding_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The report has the rule, the expectation, the response and the count."""
    results = with_violation(7)
    results.throttled["init"] = 2
    show(results)
    printed = capsys.readouterr().out
    assert 1 == printed.count("Every request is answered.")
    for line in ("expected: an answer", "actual:   none", "seen in:  7 visits", "init 2"):
        assert line in printed


def test_each_read_lets_other_visitors_run() -> None:
    """A server that always has data to read cannot keep the load from ending."""
    waits: list[float] = []
    with mock_server() as url:
        pool = VisitorPool(Target(url, KEY), sleep=waits.append)
        with httpx.Client(transport=pool.transport()) as client:
            client.get(f"{url}/openapi").raise_for_status()
    assert len(waits) > 1
    assert {0} == set(waits)
