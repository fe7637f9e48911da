"""The verdict of a run: one of four values, from what was planned, done and found."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_contract.verdict import Evidence, ExitStatus, Gap, InternalError, Verdict, decide

EXCUSED = Gap("isolation", "getMessages", "needs a second visitor", excused=True)
MISSING = Gap("me", "getMe", "was not reached", excused=False)
ALLOWED = " Exit status 0 because of --allow-incomplete."


def verdict(requests: int = 9, **facts: Any) -> Verdict:
    """Decide on a run with these facts."""
    return decide(Evidence(requests=requests, **facts))


@pytest.mark.parametrize(
    ("facts", "status", "line"),
    [
        ({}, ExitStatus.KEPT, "The server keeps the contract (9 requests)."),
        ({"requests": 1}, ExitStatus.KEPT, "The server keeps the contract (1 request)."),
        (
            {"accepted": 1},
            ExitStatus.KEPT,
            "The server keeps the contract (9 requests, 1 known finding accepted).",
        ),
        (
            {"accepted": 2, "selection": "--only me"},
            ExitStatus.KEPT,
            (
                "The server keeps the contract in the tests selected by --only me"
                " (9 requests, 2 known findings accepted)."
            ),
        ),
        (
            {"gaps": [EXCUSED, EXCUSED]},
            ExitStatus.KEPT,
            (
                "The server keeps the contract (9 requests)."
                " Not tested: isolation (needs a second visitor)."
            ),
        ),
        (
            {"findings": 1},
            ExitStatus.BROKEN,
            "The server violates the contract: 1 finding (9 requests).",
        ),
        (
            {"findings": 2, "accepted": 1, "selection": "--layer errors"},
            ExitStatus.BROKEN,
            (
                "The server violates the contract: 2 findings in the tests selected by --layer"
                " errors (9 requests, 1 known finding accepted)."
            ),
        ),
        (
            {"gaps": [EXCUSED, MISSING]},
            ExitStatus.INCOMPLETE,
            "Incomplete: not tested: me (was not reached) (9 requests).",
        ),
        (
            {"unfinished": ["a", "b"], "gaps": [MISSING], "problem": "gone", "advice": "Do it."},
            ExitStatus.INCOMPLETE,
            "Incomplete: gone; not finished: a, b (9 requests). Do it.",
        ),
        (
            {"problem": "gone", "selection": "--only me"},
            ExitStatus.INCOMPLETE,
            "Incomplete in the tests selected by --only me: gone (9 requests).",
        ),
        (
            {"error": "ValueError: x"},
            ExitStatus.INTERNAL_ERROR,
            (
                "Internal error: ValueError: x. Please report it; --debug shows the traceback"
                " (9 requests)."
            ),
        ),
        (
            {"interrupted": True},
            ExitStatus.INTERRUPTED,
            "The tests were interrupted; there is no verdict.",
        ),
    ],
)
def test_verdict_has_its_status_and_line(
    facts: dict[str, Any], status: ExitStatus, line: str
) -> None:
    """Each verdict has one status and one line."""
    found = verdict(**facts)
    assert (status, line, int(status)) == (found.status, found.line, found.exit_status)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"error": "x", "interrupted": True, "findings": 1}, ExitStatus.INTERNAL_ERROR),
        ({"error": "x", "allow_incomplete": True}, ExitStatus.INTERNAL_ERROR),
        ({"interrupted": True, "findings": 1, "problem": "x"}, ExitStatus.INTERRUPTED),
        ({"interrupted": True, "allow_incomplete": True}, ExitStatus.INTERRUPTED),
        ({"findings": 1, "problem": "x", "unfinished": ["a"]}, ExitStatus.BROKEN),
        ({"findings": 1, "gaps": [MISSING], "allow_incomplete": True}, ExitStatus.BROKEN),
        ({"accepted": 1, "problem": "x"}, ExitStatus.INCOMPLETE),
        ({"accepted": 1, "unfinished": ["a"]}, ExitStatus.INCOMPLETE),
    ],
)
def test_verdicts_have_an_order(facts: dict[str, Any], status: ExitStatus) -> None:
    """An error of our own precedes an interrupt, then findings, then missing tests."""
    found = verdict(**facts)
    assert (status, int(status), False) == (found.status, found.exit_status, found.allowed)


@pytest.mark.parametrize("facts", [{"problem": "x"}, {"unfinished": ["a"]}, {"gaps": [MISSING]}])
def test_incomplete_run_may_be_allowed(facts: dict[str, Any]) -> None:
    """An allowed run has exit status 0, says why, and is still incomplete."""
    strict, allowed = verdict(**facts), verdict(**facts, allow_incomplete=True)
    assert (2, False) == (strict.exit_status, strict.allowed)
    assert (0, True) == (allowed.exit_status, allowed.allowed)
    assert ExitStatus.INCOMPLETE == strict.status == allowed.status
    assert strict.line + ALLOWED == allowed.line


def test_complete_run_needs_no_allowance() -> None:
    """The option changes nothing about a complete run."""
    assert verdict() == verdict(allow_incomplete=True)


def test_rules_are_grouped_by_reason_and_counted() -> None:
    """The line names at most six rules of each reason, each once."""
    many = [Gap(f"r{n}", "getMe", "late", excused=False) for n in range(8)]
    other = Gap("r0", "getMe", "early", excused=False)
    line = verdict(gaps=[*many, *many, other, EXCUSED]).line
    shown = "r0, r1, r2, r3, r4, r5 and 2 more (late); r0 (early)"
    assert f"Incomplete: not tested: {shown} (9 requests)." == line


def test_internal_error_has_one_line_and_a_traceback() -> None:
    """The message is short and on one line; the traceback is kept apart."""
    with pytest.raises(ValueError, match="lines") as raised:
        raise ValueError("two\nlines " + "x" * 500)
    found = InternalError.of(raised.value)
    assert str(found).startswith("ValueError: two lines xxx")
    assert len("ValueError: ") + 200 == len(str(found))
    assert "Traceback" in found.details
    assert found is InternalError.of(found)
    assert "KeyError" == str(InternalError.of(KeyError()))


def test_verdicts_in_words() -> None:
    """The statuses in words are those of the reports."""
    expected = ["kept", "broken", "incomplete", "internal error", "interrupted"]
    assert expected == [status.words for status in ExitStatus]


@pytest.mark.parametrize(
    ("violations", "words"), [(2, "(9 requests)"), (5, "(5 violations, 9 requests)")]
)
def test_findings_and_violations_are_counted_apart(violations: int, words: str) -> None:
    """A finding may have several violations, which the line counts if it does."""
    line = decide(Evidence(requests=9, findings=2, violations=violations)).line
    assert f"The server violates the contract: 2 findings {words}." == line
