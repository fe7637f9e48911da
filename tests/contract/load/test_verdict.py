"""The plan of a load, and the verdict that is made of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from siteassist_contract.description import operations
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.redaction import Filter
from siteassist_contract.load import plan, report
from siteassist_contract.load.judge import LoadFindings
from siteassist_contract.load.plan import LEFT_OUT, QNA, ROUND, STEPS, Plan
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.verdict import conclude
from siteassist_contract.load.visitors import VisitorPool
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import ExitStatus
from tests.values import API_KEY as KEY
from tests.values import ROOT

RUN = {
    "base_url": "http://127.0.0.1:8787/v2",
    "date": "2030-01-31T12:30:15+00:00",
    "versions": {"siteassist": "1.2.3"},
}
PLAN = Plan.of(users=3, seconds=60)
ADVICE = "use a longer --time or fewer --users."
VIOLATION = LoadFindings(secrets=Filter(), render=lambda _: ("", ""))
VIOLATION.judge_unavailable("search", 503, [])


def whole() -> LoadResults:
    """Return results that have exactly what `PLAN` plans."""
    results = LoadResults(visits=PLAN.visits, visitors=PLAN.visitors)
    results.steps.update(PLAN.steps)
    results.samples.update({key: sample.least for key, sample in PLAN.samples.items()})
    return results


def broken() -> LoadResults:
    """Return complete results with a violation."""
    results = whole()
    results.take(VIOLATION)
    return results


def failed() -> LoadResults:
    """Return complete results with a violation and an internal error."""
    results = broken()
    results.fail(ValueError("odd"), Filter())
    return results


def test_visits_do_what_is_planned(url: str) -> None:
    """A round of visits has each planned step and rule, and tests no other rule."""
    pool = VisitorPool(Target(url, KEY), sleep=lambda _: None)
    simulated = pool.join(lambda: None)
    for _ in range(ROUND):
        simulated.visit()
    simulated.close()
    small = Plan.of(users=1, seconds=60)
    assert {step.name for step in STEPS} == set(pool.results.steps)
    assert set(small.samples) == set(pool.results.samples)
    assert ExitStatus.KEPT is conclude(small, pool.results, 1).verdict


def test_rules_are_planned_or_left_out_with_a_reason() -> None:
    """No rule is forgotten, and none is in both."""
    planned = {key.split()[1] for key in PLAN.samples}
    assert set(RULES) == planned | set(LEFT_OUT)
    assert set() == planned & set(LEFT_OUT)


@pytest.mark.parametrize(
    ("users", "visits", "expected"),
    [(1, None, (1, ROUND)), (50, None, (50, 50)), (50, 8, (8, 8)), (2, 100, (2, ROUND))],
)
def test_plan_grows_with_the_visitors(
    users: int, visits: int | None, expected: tuple[int, int]
) -> None:
    """Each visitor must complete a visit, unless the load may end after fewer visits."""
    made = Plan.of(users, 60, visits)
    assert expected == (made.visitors, made.visits)
    assert min(made.steps.values()) >= 1
    assert max(1, made.visits // 2) == made.samples["search accepted"].least


def test_whole_plan_is_kept() -> None:
    """A server keeps the contract if all that was planned was done."""
    conclusion = conclude(PLAN, whole(), 120)
    line = "The server keeps the contract under load (4 visits, 120 requests)."
    assert (ExitStatus.KEPT, ExitStatus.KEPT, line) == (
        conclusion.verdict,
        conclusion.status,
        conclusion.line,
    )
    assert set(LEFT_OUT) == {part.name for part in conclusion.not_tested}


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        *(("steps", name) for name in PLAN.steps),
        *(("samples", key) for key in PLAN.samples),
        ("", "visits"),
        ("", "visitors"),
    ],
)
def test_nothing_of_the_plan_can_be_missing(counts: str, name: str) -> None:
    """Each step, each rule, each visit and each visitor is needed."""
    results = whole()
    if counts:
        getattr(results, counts)[name] -= 1
    else:
        setattr(results, name, getattr(results, name) - 1)
    conclusion = conclude(PLAN, results, 120)
    assert ExitStatus.INCOMPLETE is conclusion.verdict is conclusion.status
    missing = [part for part in conclusion.not_tested if part.is_missing]
    assert [name if counts else ""] == [part.name for part in missing]
    assert name.removesuffix("s") in conclusion.line
    assert conclusion.line.endswith(ADVICE)


def test_empty_results_are_incomplete() -> None:
    """A load in which no visit ended kept nothing."""
    conclusion = conclude(PLAN, LoadResults(), 3)
    expected = (
        "Incomplete: no visit of at least 4 came to an end: the time was over"
        f" (0 visits, 3 requests); {ADVICE}"
    )
    assert (ExitStatus.INCOMPLETE, expected) == (conclusion.verdict, conclusion.line)


@pytest.mark.parametrize(
    ("counter", "why", "advice"),
    [
        ("throttled", "the server answered 2 x 429", "raise the rate limits"),
        ("refused", "the server answered 2 x 402", "messages left"),
        ("unavailable", "the server answered 2 x 502 or 503", "log of the server"),
        ("unanswered", "the server answered 2 x no answer", "log of the server"),
    ],
)
def test_circumstances_are_the_reason(counter: str, why: str, advice: str) -> None:
    """The last line has the refusals, and what would help."""
    results = replace(whole(), visits=3)
    getattr(results, counter)["init"] = 2
    reason, _, help_ = conclude(PLAN, results, 9).line.partition(" (3 visits, 9 requests); ")
    assert f"Incomplete: only 3 visits of at least 4 came to an end: {why}" == reason
    assert advice in help_


@pytest.mark.parametrize(
    ("results", "interrupted", "verdict", "words"),
    [
        (whole(), True, ExitStatus.INTERRUPTED, "the load was interrupted (4 visits"),
        (replace(whole(), problem="gone"), False, ExitStatus.INCOMPLETE, ": gone (4 visits"),
        (broken(), False, ExitStatus.BROKEN, ": 1 violation (4 visits, 1 request)."),
        (broken(), True, ExitStatus.BROKEN, "1 request; the load did not finish: the load was"),
        (failed(), True, ExitStatus.INTERNAL_ERROR, "Internal error: ValueError: odd; please"),
    ],
)
def test_precedence(
    results: LoadResults, interrupted: bool, verdict: ExitStatus, words: str
) -> None:
    """An internal error precedes a violation, and a violation precedes everything else."""
    conclusion = conclude(PLAN, results, 1, interrupted=interrupted, allow_incomplete=True)
    assert verdict is conclusion.verdict
    assert words in conclusion.line
    assert (verdict is ExitStatus.INCOMPLETE) == conclusion.allowed


def test_incomplete_load_can_be_allowed() -> None:
    """An allowed incomplete load is still called incomplete."""
    conclusion = conclude(PLAN, LoadResults(), 0, allow_incomplete=True)
    assert ("incomplete", ExitStatus.KEPT) == (conclusion.name, conclusion.status)
    assert conclusion.line.endswith(" (exit status 0 because of --allow-incomplete).")


def test_request_without_an_answer_at_the_end_is_missing() -> None:
    """A server that lets requests hang at the end does not keep the contract."""
    results = whole()
    results.abandoned["search"] = 1
    conclusion = conclude(PLAN, results, 1)
    assert ExitStatus.INCOMPLETE is conclusion.verdict
    assert "1 request of search had no answer" in conclusion.line


def test_impossible_step_is_named_and_not_required() -> None:
    """A project without Q&As cannot be blamed, but the report names what was not tested."""
    results = whole()
    results.unmet[QNA.name] = "the project has no Q&As"
    del results.steps[QNA.name]
    keys = [key for key, sample in PLAN.samples.items() if sample.step is QNA]
    for key in keys:
        del results.samples[key]
    conclusion = conclude(PLAN, results, 1)
    assert ExitStatus.KEPT is conclusion.verdict
    named = [part.name for part in conclusion.not_tested if "Q&As" in part.reason]
    assert [QNA.name, *keys] == named
    assert keys


def test_project_without_qnas_makes_the_step_impossible(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty list of Q&As is noted as the reason."""
    monkeypatch.setattr(
        "siteassist_contract.load.visit.page_query", lambda *_, **__: {"offset": 999}
    )
    pool = VisitorPool(Target(url, KEY), sleep=lambda _: None)
    simulated = pool.join(lambda: None)
    simulated.visit()
    simulated.close()
    assert {QNA.name: "the project has no Q&As"} == pool.results.unmet
    assert plan.LAST.name in pool.results.steps


def test_times_fit_80_columns() -> None:
    """The table has a line for each entry, and one for all requests."""
    figures = {
        "num_requests": 1_000_000,
        "median_response_time": 60_000,
        "response_time_percentile_0.95": 60_000,
        "max_response_time": 60_000,
        "total_rps": 9999.94,
    }
    names = [f"{max(operations(), key=len)}: between deltas", "search", "Aggregated"]
    methods = ("STREAM", "GET", None)
    entries = [{"name": n, "method": m, **figures} for n, m in zip(names, methods, strict=True)]
    entries[1] |= dict.fromkeys(("median_response_time", "response_time_percentile_0.95"))
    lines = report.times(entries).splitlines()
    assert max(map(len, lines)) <= 80
    assert [*["number", "median"], "95", "%", "longest", "per", "s"] == lines[0].split()
    assert [names[0].split()[-1], "1000000", *3 * ["60000"]] == lines[1].split()[-5:]
    assert ["search", "1000000", "60000", "9999.9"] == lines[2].split()
    assert lines[3].startswith("  all requests ")


def test_json_report_is_as_documented(tmp_path: Path) -> None:
    """The report has the documented keys, and says what was planned, done and not tested."""
    results = failed()
    results.steps[QNA.name] = 0
    conclusion = conclude(PLAN, results, 7)
    document = report.document(PLAN, results, 7, conclusion, [{"name": "search"}], RUN)
    report.write(document, tmp_path / report.JSON)
    assert json.loads(json.dumps(document)) == json.loads((tmp_path / report.JSON).read_text())
    assert (1, "internal error", 3) == tuple(
        document[name] for name in ("version", "verdict", "exit_status")
    )
    assert {"type": "ValueError", "text": "odd"} == document["internal_error"]
    assert (4, 4, 7) == (
        document["planned"]["visits"],
        document["done"]["visits"],
        document["done"]["requests"],
    )
    assert QNA.name in [part["name"] for part in document["not_tested"]]
    assert {"search no-server-error": 1} == document["counts"]
    page = (ROOT / "docs" / "how-to" / "load.md").read_text()
    table = page.partition("| key of `load.json` |")[2].partition("\n\n")[0]
    documented = [
        name
        for cell in re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
        for name in re.findall("`(.+?)`", cell)
    ]
    assert list(document) == documented
    assert {status.words for status in ExitStatus} <= set(re.findall("`(.+?)`", table))
