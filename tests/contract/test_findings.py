"""Findings: what was tested, what was broken, and the shortest way to see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from siteassist_contract.findings import (
    BEHAVIOUR,
    ERRORS,
    LAYERS,
    SHAPES,
    STREAMS,
    Findings,
    StopRun,
    Violation,
    ViolationError,
    grouped,
    key_of,
    shown,
)
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.rules import RULES
from tests.values import API_KEY as KEY

VISITOR = {
    "id": "123e4567-e89b-12d3-a456-426614174000",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}


def exchange(status: int = 200, body: Any = VISITOR, media: str = "application/json") -> Exchange:
    """Make an answer to `getMe`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": media} if media else {}
    return Exchange(
        "getMe", "first", "GET", "/identity/me", b"", "", status, headers, content, 0.1, 0.1, 1
    )


def error(message: str = "No") -> dict[str, Any]:
    """Make the body of an error."""
    return {"error": {"message": message, "code": "CODE"}}


def render(exchanges: Sequence[Exchange]) -> tuple[str, str]:
    """Tell how many requests lead somewhere, and the key."""
    return f"shell {len(exchanges)} {KEY}", f"python {len(exchanges)} {KEY}"


def findings(**options: Any) -> Findings:
    """Make findings that know the key of the run."""
    return Findings(secrets=Filter([KEY]), render=render, **options)


def judge(
    found: Findings, *, kept: object = False, requests: int = 2, place: str = "", **rest: Any
) -> bool:
    """Judge a rule on an operation."""
    return found.judge(
        kept,
        rest.get("rule", "me"),
        rest.get("operation", "getMe"),
        rest.get("expected", "this"),
        rest.get("actual", "that"),
        requests * [exchange()],
        place,
    )


# Judging


def test_kept_rule_is_counted_and_nothing_else() -> None:
    """How often it was put to the test, and no violation."""
    found = findings()
    assert judge(found, kept="anything that is true")
    assert judge(found, kept=True)
    assert {("me", "getMe"): 2} == found.tested
    assert ({}, []) == (found.violations, found.unknown)


def test_break_has_all_that_a_reader_needs() -> None:
    """The rule, its document, what was expected and came, the way to it and when."""
    found = findings(layer=BEHAVIOUR)
    assert not judge(found, place="id")
    (broken,) = found.violations.values()
    assert (
        Violation(
            layer=BEHAVIOUR,
            rule="me",
            operation="getMe",
            words=RULES["me"].words,
            document=RULES["me"].document,
            expected="this",
            actual="that",
            commands="shell 2 [Filtered]",
            snippet="python 2 [Filtered]",
            answer=f"200 application/json\n{json.dumps(VISITOR)}",
            requests=2,
            seconds=broken.seconds,
            place="id",
            known=False,
        )
        == broken
    )
    assert 0 <= broken.seconds <= found.seconds
    assert {"getMe me id": broken} == found.violations


def test_break_without_an_answer_can_be_told() -> None:
    """A request that never got one."""
    found = findings()
    judge(found, requests=0)
    assert "" == found.violations["getMe me"].answer


def test_secrets_are_in_no_part_of_a_break() -> None:
    """Whatever a server repeats."""
    found = findings()
    found.judge(
        *(False, "me", "getMe", f"no {KEY}", f"came {KEY}"),
        [exchange(body={"sessionToken": "whatever it is", "key": KEY})],
    )
    (broken,) = found.violations.values()
    assert KEY not in repr(broken)
    assert "whatever it is" not in repr(broken)
    assert broken.answer.count("[Filtered]") == 2


def test_same_break_is_told_once() -> None:
    """By operation, rule and place; each of them makes another one."""
    told: list[str] = []
    found = findings(on_violation=lambda each: told.append(each.key))
    for _ in range(3):
        judge(found)
        judge(found, place="a")
        judge(found, operation="getConversation")
        judge(found, rule="read-back")
    assert ["getMe me", "getMe me a", "getConversation me", "getMe read-back"] == told
    assert told == list(found.violations)
    assert 6 == found.tested["me", "getMe"]


def test_shorter_way_replaces_a_longer_one() -> None:
    """With its own words; when it was found first, and in which layer, stays."""
    found = findings(layer=STREAMS)
    judge(found, requests=5, actual="long")
    first = found.violations["getMe me"]
    found.layer = SHAPES
    judge(found, requests=5, actual="as long")
    assert first is found.violations["getMe me"]
    judge(found, requests=2, actual="short")
    shorter = found.violations["getMe me"]
    assert ("short", 2, STREAMS, first.seconds) == (
        *(shorter.actual, shorter.requests, shorter.layer, shorter.seconds),
    )
    judge(found, requests=4, actual="longer")
    assert shorter is found.violations["getMe me"]


def test_settled_way_stays() -> None:
    """Nobody looks for a shorter one any more."""
    found = findings(shorten=True)
    with pytest.raises(ViolationError, match="getMe me"):
        judge(found, requests=5)
    with pytest.raises(ViolationError):
        judge(found, requests=3)
    found.settle(["getMe me"])
    assert not judge(found, requests=1)
    assert 3 == found.violations["getMe me"].requests
    with pytest.raises(ViolationError, match="getMe me a"):
        judge(found, place="a")


def test_breaks_are_found_by_hypothesis() -> None:
    """It looks for a shorter way to an assertion that fails, and to nothing else."""
    assert issubclass(ViolationError, AssertionError)
    assert not issubclass(StopRun, Exception)


def test_first_violation_may_end_the_run() -> None:
    """It is noted and told before."""
    told: list[Violation] = []
    found = findings(stop_at_first=True, on_violation=told.append)
    judge(found, kept=True)
    with pytest.raises(StopRun):
        judge(found)
    assert list(found.violations.values()) == told


def test_known_break_does_not_end_the_run() -> None:
    """The baseline has it; it is told all the same."""
    told: list[bool] = []
    known = frozenset({"getMe me"})
    found = findings(
        stop_at_first=True, known=known, on_violation=lambda each: told.append(each.known)
    )
    judge(found)
    assert ([True], []) == (told, found.unknown)
    with pytest.raises(StopRun):
        judge(found, place="elsewhere")
    assert ["getMe me elsewhere"] == [each.key for each in found.unknown]


def test_shorter_way_to_the_first_violation_does_not_end_the_run_again() -> None:
    """Only a new violation does."""
    found = findings(stop_at_first=True)
    with pytest.raises(StopRun):
        judge(found, requests=5)
    assert not judge(found, requests=2)
    assert 2 == found.violations["getMe me"].requests


def test_reason_for_not_testing_is_kept() -> None:
    """The last one that was told."""
    found = findings()
    found.prevent("me", "getMe", "one")
    found.prevent("me", "getMe", "other")
    assert {("me", "getMe"): "other"} == found.prevented
    assert {} == found.tested


def test_keys_have_no_more_than_they_need() -> None:
    """A violation without a place has no space at its end."""
    assert ("a b", "a b c") == (key_of("a", "b"), key_of("a", "b", "c"))


# Seeing


def see(answer: Exchange, **options: Any) -> Findings:
    """Look at one answer."""
    found = findings(layer=ERRORS, **options)
    found.see(answer, [answer])
    return found


def test_answer_as_described_is_counted() -> None:
    """By status, by layer, and by the rules on all answers."""
    found = see(exchange())
    assert {} == found.violations
    assert {("getMe", 200): 1} == found.answered
    assert {(ERRORS, "getMe"): 1} == found.requests
    rules = {rule for (rule, _), count in found.tested.items() if count}
    assert {"answered", "no-server-error", "described"} == rules


def test_error_is_searched_for_leaks() -> None:
    """Errors are, other answers are not."""
    assert 1 == see(exchange(404, error())).tested["nothing-leaks", "getMe"]
    told = see(exchange(404, error("no /etc/passwd"))).violations
    assert ["getMe nothing-leaks"] == [key.partition(" 404")[0] for key in told]
    assert {} == see(exchange(body={**VISITOR, "name": "/etc/passwd"})).violations


@pytest.mark.parametrize(
    ("status", "broken"), [(499, False), (500, True), (501, True), (502, False), (503, False)]
)
def test_failing_server_is_a_break_unless_another_service_fails(
    status: int,
    broken: bool,
) -> None:
    """502 and 503 lie outside of the request."""
    keys = {key.split()[1] for key in see(exchange(status, error())).violations}
    assert broken == ("no-server-error" in keys)


def test_answer_that_is_not_described_is_a_break() -> None:
    """Three of its faults are enough."""
    found = see(exchange(body={"id": 1, "type": 2, "externalId": 3, "name": 4, "avatarUrl": 5}))
    (broken,) = found.violations.values()
    assert "described" == broken.rule
    assert 3 == broken.actual.count("not ")
    assert ["described"] == [b.rule for b in see(exchange(media="")).violations.values()]


# Grouping and showing


def made(operation: str, rule: str, seconds: float, **rest: Any) -> Violation:
    """Make a violation for a test."""
    return Violation(
        *(SHAPES, rule, operation, "words", "document", "this", "that", "", "", "", 1, seconds),
        **rest,
    )


def test_places_of_one_break_are_put_together() -> None:
    """New ones first, each group where its first one was found; known ones apart."""
    violations = [
        made("getMe", "bounds", 5, place="late"),
        made("init", "bounds", 1, known=True),
        made("getMe", "me", 3),
        made("getMe", "bounds", 2, place="early"),
        made("getMe", "bounds", 0, place="known", known=True),
    ]
    assert [
        [violations[3], violations[0]],
        [violations[2]],
        [violations[4]],
        [violations[1]],
    ] == grouped(violations)
    assert [] == grouped([])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (exchange(200, b"hi", "text/plain"), "200 text/plain\nhi"),
        (exchange(204, b"", ""), "204 no Content-Type"),
        (exchange(200, b"\xff", "a/b"), "200 a/b\n\ufffd"),
        (exchange(200, 600 * b"x", "a/b"), "200 a/b\n" + 600 * "x"),
        (exchange(200, 601 * b"x", "a/b"), "200 a/b\n" + 600 * "x" + "… (601 characters)"),
    ],
)
def test_answer_is_shown_by_its_beginning(answer: Exchange, expected: str) -> None:
    """Status, media type, and as much of the body as one can look at."""
    assert expected == shown(answer)


def test_layers_run_in_order() -> None:
    """What is quick comes first."""
    assert (ERRORS, STREAMS, BEHAVIOUR, SHAPES) == LAYERS
