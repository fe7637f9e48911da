"""Findings: the rules that were tested, the violations and their shortest reproductions."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from siteassist_contract.description import operations
from siteassist_contract.findings import (
    BEHAVIOUR,
    ERRORS,
    LAYERS,
    SHAPES,
    SOCKET,
    STREAMS,
    Findings,
    StopRun,
    Violation,
    ViolationError,
    few,
    grouped,
    key_of,
    shown,
)
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.rules import RULES
from siteassist_spec import JSON
from siteassist_spec.document import walk
from tests.values import API_KEY as KEY

VISITOR = {
    "id": "123e4567-e89b-12d3-a456-426614174000",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}


def exchange(status: int = 200, body: Any = VISITOR, media: str = "application/json") -> Exchange:
    """Create a response to `getMe`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": media} if media else {}
    return Exchange(
        "getMe", "first", "GET", "/identity/me", b"", "", status, headers, content, 0.1, 0.1, 1
    )


def error(message: str = "No") -> dict[str, Any]:
    """Create the body of an error."""
    return {"error": {"message": message, "code": "CODE"}}


def render(exchanges: Sequence[Exchange]) -> tuple[str, str]:
    """Render the number of requests and the key."""
    return f"shell {len(exchanges)} {KEY}", f"python {len(exchanges)} {KEY}"


def findings(**options: Any) -> Findings:
    """Create findings that filter the run's key."""
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


# Judging rules


def test_kept_rule_is_counted() -> None:
    """A kept rule increments its count and adds no violation."""
    found = findings()
    assert judge(found, kept="anything that is true")
    assert judge(found, kept=True)
    assert {("me", "getMe"): 2} == found.tested
    assert ({}, []) == (found.violations, found.unknown)


def test_violation_is_complete() -> None:
    """A violation has its rule, source, expectation, response, reproduction and time."""
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
            steps=("getMe",),
            exchange=broken.exchange,
        )
        == broken
    )
    assert 0 <= broken.seconds <= found.seconds
    assert {"getMe me id": broken} == found.violations


def test_violation_may_have_no_response() -> None:
    """A violation without an exchange shows no response."""
    found = findings()
    judge(found, requests=0)
    assert "" == found.violations["getMe me"].answer


def test_secrets_are_filtered_from_each_part_of_a_violation() -> None:
    """Neither the key nor a session token appears in a violation."""
    found = findings()
    found.judge(
        *(False, "isolation", "getMe", f"no {KEY}", f"came {KEY}"),
        [exchange(body={"sessionToken": "whatever it is", "key": KEY})],
    )
    (broken,) = found.violations.values()
    assert KEY not in repr(broken)
    assert "whatever it is" not in repr(broken)
    assert broken.answer.count("[Filtered]") == 2


def test_violation_is_reported_once() -> None:
    """Operation, rule and place identify a violation, which is reported once."""
    reported: list[str] = []
    found = findings(on_violation=lambda each: reported.append(each.key))
    for _ in range(3):
        judge(found)
        judge(found, place="a")
        judge(found, operation="getConversation")
        judge(found, rule="read-back")
    assert ["getMe me", "getMe me a", "getConversation me", "getMe read-back"] == reported
    assert reported == list(found.violations)
    assert 6 == found.tested["me", "getMe"]


def test_shorter_reproduction_replaces_a_longer_one() -> None:
    """A shorter reproduction keeps the time and the layer of the first one."""
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


def test_settled_violation_is_not_shortened() -> None:
    """A settled violation keeps its reproduction, and does not raise again."""
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


def test_hypothesis_shrinks_violations_only() -> None:
    """Hypothesis shrinks an assertion error, but does not catch the end of the run."""
    assert issubclass(ViolationError, AssertionError)
    assert not issubclass(StopRun, Exception)


def test_first_violation_may_end_the_run() -> None:
    """The violation is recorded and reported before the run ends."""
    reported: list[Violation] = []
    found = findings(stop_at_first=True, on_violation=reported.append)
    judge(found, kept=True)
    with pytest.raises(StopRun):
        judge(found)
    assert list(found.violations.values()) == reported


def test_known_violation_does_not_end_the_run() -> None:
    """A violation in the baseline is reported as known, and the run continues."""
    reported: list[bool] = []
    known = frozenset({"getMe me"})
    found = findings(
        stop_at_first=True, known=known, on_violation=lambda each: reported.append(each.known)
    )
    judge(found)
    assert ([True], []) == (reported, found.unknown)
    with pytest.raises(StopRun):
        judge(found, place="elsewhere")
    assert ["getMe me elsewhere"] == [each.key for each in found.unknown]


def test_shorter_reproduction_does_not_end_the_run_again() -> None:
    """Only a new violation ends the run."""
    found = findings(stop_at_first=True)
    with pytest.raises(StopRun):
        judge(found, requests=5)
    assert not judge(found, requests=2)
    assert 2 == found.violations["getMe me"].requests


def test_reason_for_not_testing_is_kept() -> None:
    """The last reason for not testing a rule replaces earlier ones."""
    found = findings()
    found.prevent("me", "getMe", "one")
    found.prevent("me", "getMe", "other")
    assert {("me", "getMe"): "other"} == found.prevented
    assert {} == found.tested


def test_key_has_no_trailing_space() -> None:
    """The key of a violation without a place does not end with a space."""
    assert ("a b", "a b c") == (key_of("a", "b"), key_of("a", "b", "c"))


# Judging responses


def see(answer: Exchange, **options: Any) -> Findings:
    """Return findings that have judged one response."""
    found = findings(layer=ERRORS, **options)
    found.see(answer, [answer])
    return found


def test_valid_response_is_counted() -> None:
    """A response is counted by status, by layer and by the rules on all responses."""
    found = see(exchange())
    assert {} == found.violations
    assert {("getMe", 200): 1} == found.answered
    assert {(ERRORS, "getMe"): 1} == found.requests
    rules = {rule for (rule, _), count in found.tested.items() if count}
    assert {"answered", "no-server-error", "described"} == rules


def test_only_errors_are_searched_for_leaks() -> None:
    """An error is searched for leaks, any other response is not."""
    assert 1 == see(exchange(404, error())).tested["nothing-leaks", "getMe"]
    violations = see(exchange(404, error("no /etc/passwd"))).violations
    assert ["getMe nothing-leaks"] == [key.partition(" 404")[0] for key in violations]
    assert {} == see(exchange(body={**VISITOR, "name": "/etc/passwd"})).violations


@pytest.mark.parametrize(
    ("status", "broken"), [(499, False), (500, True), (501, True), (502, False), (503, False)]
)
def test_server_error_is_a_violation_unless_upstream_fails(
    status: int,
    broken: bool,
) -> None:
    """502 and 503 may have causes outside the request, other 5xx may not."""
    keys = {key.split()[1] for key in see(exchange(status, error())).violations}
    assert broken == ("no-server-error" in keys)


def test_undescribed_response_is_a_violation() -> None:
    """The violation lists at most three faults of the response."""
    found = see(exchange(body={"id": 1, "type": 2, "externalId": 3, "name": 4, "avatarUrl": 5}))
    (broken,) = found.violations.values()
    assert "described" == broken.rule
    assert 3 == broken.actual.count("not ")
    assert ["described"] == [b.rule for b in see(exchange(media="")).violations.values()]


# Grouping and showing


def violation(operation: str, rule: str, seconds: float, **rest: Any) -> Violation:
    """Create a violation."""
    return Violation(
        *(SHAPES, rule, operation, "words", "document", "this", "that", "", "", "", 1, seconds),
        **rest,
    )


def test_violations_are_grouped() -> None:
    """Places of one rule and operation form a group, new before known, in order of time."""
    violations = [
        violation("getMe", "bounds", 5, place="late"),
        violation("init", "bounds", 1, known=True),
        violation("getMe", "me", 3),
        violation("getMe", "bounds", 2, place="early"),
        violation("getMe", "bounds", 0, place="known", known=True),
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
        (exchange(200, 601 * b"x", "a/b"), "200 a/b\n" + 600 * "x" + "… (601 characters in all)"),
    ],
)
def test_response_is_shown_shortened(answer: Exchange, expected: str) -> None:
    """A response is shown with status, media type and up to 600 characters of its body."""
    assert expected == shown(answer)


def test_long_stream_is_shown_with_its_end() -> None:
    """The end of a stream, which rules are about, is shown, and lines are not cut."""
    lines = [f'data: {{"type":"text-delta","delta":"{number}"}}' for number in range(100)]
    content = "\n\n".join([*lines, "data: [DONE]", ""]) + "\n"
    _, *text = shown(exchange(200, content.encode(), "text/event-stream")).splitlines()
    kept = [line for line in text if line]
    cut = kept.index(f"… ({len(content)} characters in all)")
    assert lines[:cut] == kept[:cut]
    assert [*lines, "data: [DONE]"][-len(kept[cut + 1 :]) :] == kept[cut + 1 :]
    assert 3 < cut < len(kept) - 3
    long = shown(exchange(200, b"x" * 1000, "text/event-stream")).partition("\n")[2]
    assert 300 * "x" == long.splitlines()[0] == long.splitlines()[-1]


def test_layers_run_in_order() -> None:
    """The faster layers run first."""
    assert (ERRORS, STREAMS, BEHAVIOUR, SOCKET, SHAPES) == LAYERS


# Answers that prove nothing


def refused(status: int = 429, **changed: Any) -> Exchange:
    """Create a refusal by circumstances."""
    return replace(exchange(status, error()), **changed)


@pytest.mark.parametrize("status", [402, 429, 502, 503])
@pytest.mark.parametrize("kept", [True, False])
def test_refusal_by_circumstances_proves_nothing(status: int, kept: bool) -> None:
    """A rule is neither violated nor tested by it; the reason is recorded."""
    found = findings()
    exchanges = [exchange(), refused(status)]
    assert kept == found.judge(kept, "isolation", "getMe", "this", "that", exchanges)
    assert ({}, Counter()) == (found.violations, found.tested)
    reason = f"the server refused with {status}"
    assert {("isolation", "getMe"): reason} == found.prevented


@pytest.mark.parametrize("rule", ["answered", "described", "nothing-leaks"])
def test_refusal_by_circumstances_is_held_to_the_rules_of_every_answer(rule: str) -> None:
    """Its body and its existence are judged like those of every other answer."""
    found = findings()
    assert not found.judge(False, rule, "getMe", "this", "that", [refused()])
    assert {("getMe", rule)} == {(each.operation, each.rule) for each in found.violations.values()}


def test_circumstances_are_counted_with_those_that_were_waited_for() -> None:
    """Each refusal is an answer, and the rules of its operation have a reason."""
    found = findings()
    last = refused(503, refusals=(refused(), refused()))
    assert found.see(last, [last])
    assert {("getMe", 429): 2, ("getMe", 503): 1} == found.circumstances == found.answered
    assert {"answered", "described", "error-body", "nothing-leaks"} == {
        rule for rule, _ in found.tested
    }
    assert "the server refused with 429" == found.prevented["no-server-error", "getMe"]


@pytest.mark.parametrize(("rule", "judged"), [("me", False), ("accepted", True)])
def test_invalid_answer_shows_only_its_status(rule: str, judged: bool) -> None:
    """Properties of an answer that does not match the description are not compared."""
    found = findings()
    assert not found.judge(False, rule, "getMe", "this", "that", [exchange(body={"idX": 1})])
    assert judged == bool(found.violations)
    assert judged == bool(found.tested[rule, "getMe"])


@pytest.mark.parametrize("lost", [0, 1])
def test_status_of_a_repeated_request_is_not_that_of_the_first(lost: int) -> None:
    """A device is no longer new if a request was lost after it was carried out."""
    found = findings()
    exchanges = [replace(exchange(), operation="init", lost=lost), exchange()]
    assert not found.judge(False, "device-status", "init", "201", "200", exchanges)
    assert (lost == 0) == bool(found.violations)


def test_violations_of_one_answer_have_its_digest() -> None:
    """Another answer, or another request, has another digest."""
    found = findings()
    one, same, other = exchange(), exchange(), exchange(body={"other": 1})
    found.judge(False, "accepted", "getMe", "this", "that", [other, one])
    found.judge(False, "described", "getMe", "this", "that", [same])
    found.judge(False, "error-body", "getMe", "this", "that", [other])
    found.judge(False, "answered", "getMe", "this", "that", [])
    first, second, third, fourth = (each.exchange for each in found.violations.values())
    assert first == second != third
    assert first
    assert "" == fourth


@pytest.mark.parametrize("status", [0, 200, 404, 500, 503])
def test_requests_that_fail_are_known_of_a_violation(status: int) -> None:
    """They have no answer, or a status of 500 or above."""
    found = findings()
    found.judge(False, "answered", "getMe", "this", "that", [replace(exchange(), status=status)])
    (violation,) = found.violations.values()
    assert (("getMe",) if status in (0, 500, 503) else ()) == violation.failed


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "0"), (3, "0; 1; 2"), (4, "0; 1; 2; and 1 more"), (9, "0; 1; 2; and 6 more")],
)
def test_further_faults_are_counted(count: int, text: str) -> None:
    """A violation describes three faults of an answer, and counts the others."""
    assert text == few([str(number) for number in range(count)])


# Answers with values of another type


def examples() -> Iterator[tuple[str, int, Any]]:
    """Yield the operation, status and body of documented answers, each error once."""
    errors: set[int] = set()
    for name, operation in operations().items():
        for status, response in operation.responses.items():
            if JSON in response.media and status not in errors:
                yield from ((name, status, each) for each in response.media[JSON].examples.values())
                errors |= {status} if status >= 400 else set()


def with_odd_values(body: Any) -> Iterator[Any]:
    """Yield copies of a body in which one value, at any depth, has any type of JSON."""
    holders = [([body], 0), *((node, key) for _, node in walk(body) for key in places(node))]
    odd: Any
    for holder, key in holders:
        for odd in (None, True, -1e300, "x", ["x"], [{}], {"id": ["x"]}):
            if holder == [body]:
                yield odd
                continue
            usual = holder[key]
            holder[key] = odd
            yield copy.deepcopy(body)
            holder[key] = usual


def places(node: Any) -> list[Any]:
    """Return the keys or the indexes of a node."""
    if isinstance(node, dict):
        return list(node)
    return list(range(len(node))) if isinstance(node, list) else []


@pytest.mark.parametrize(("name", "status", "body"), list(examples()))
def test_value_of_any_type_is_no_internal_error(name: str, status: int, body: Any) -> None:
    """A documented answer with a value of another type, anywhere, is judged."""
    found = findings()
    judged = 0
    for odd in with_odd_values(copy.deepcopy(body)):
        answered = replace(exchange(status, odd), operation=name, method=operations()[name].method)
        found.see(answered, [answered])
        judged += 1
    assert judged
    assert found.violations
