"""Refused, lost and invalid answers prove nothing, teach nothing and accuse no other operation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract import plan
from siteassist_contract.checks import derived, streams
from siteassist_contract.checks.behaviour import journeys
from siteassist_contract.checks.behaviour.visitor import Visitor
from siteassist_contract.description import operations
from siteassist_contract.http.recorder import CALL, CallFacts
from siteassist_contract.verdict import ContractBrokenError
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from siteassist_contract.checks.context import CheckContext
    from siteassist_contract.findings import Findings
    from siteassist_spec import Operation
    from tests.contract.conftest import Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter


def matches(request: httpx.Request, operation: Operation) -> bool:
    """Return whether a request is one of an operation."""
    sent = request.url.path.removeprefix("/v2").split("/")
    described = operation.path.split("/")
    return (
        request.method == operation.method
        and len(sent) == len(described)
        and all(d in ("", s) or d[0] == "{" for s, d in zip(sent, described, strict=True))
    )


def check(context: CheckContext, *left_out: Callable[..., object]) -> Findings:
    """Run the fixed checks, with waits that take no time."""
    context.recorder._sleep = lambda _: None
    parts: list[Callable[[CheckContext], None]] = [part for _, part in streams.STREAMS]
    parts += [part for _, part, _ in (*derived.DERIVED, *plan.KINDS)]
    parts += [journey.run for journey in journeys.JOURNEYS]
    for part in parts:
        if part not in left_out:
            part(context)
    return context.findings


# Coverage doubles the time of whole runs, and the tests of the checks have that of their lines.
unmeasured = pytest.mark.no_cover
FOR_BROWSERS = {"Access-Control-Allow-Origin": "*"}
"""The headers that let pages of other websites read an answer."""
Place = tuple[str, tuple[str, ...]]
"""An operation, and the path of a property in its answer."""
MISSPELLED: list[tuple[Place, ...]] = [
    (("init", ("visitor", "id")), ("getQna", ("answer",))),
    (("startConversation", ("id",)), ("search", ("results",)), ("getProject", ("id",))),
    (("startConversation", ("status",)), ("getMessages", ("data", "parts"))),
    (("startConversation", ("createdAt",)), ("getQnas", ("data", "id"))),
    (("getConversation", ("id",)), ("sendMessageFeedback", ("feedback",))),
    (("getConversation", ("status",)), ("sendMessage", ("steps",))),
    (("getConversation", ("updatedAt",)), ("getMessages", ("data", "createdAt"))),
    (("getConversations", ("data",)), ("getQnas", ("data",))),
    (("getConversations", ("total",)), ("getMessages", ("data",))),
    (("getConversations", ("data", "createdAt")),),
]


@unmeasured
@pytest.mark.sweep(4)
@pytest.mark.parametrize(
    "places",
    [
        pytest.param(
            places,
            id=" ".join(name for name, _ in places),
        )
        for places in MISSPELLED
    ],
)
def test_misspelled_property_is_one_finding(
    places: tuple[Place, ...], shared: InProcess, make_context: MakeContext
) -> None:
    """The operations are reported once, and no other operation is accused of their fault."""

    def misspell(value: Any, names: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [misspell(item, names) for item in value]
        first, *rest = names
        if rest:
            return {**value, first: misspell(value[first], tuple(rest))}
        return {f"{n}X" if n == first else n: v for n, v in value.items()}

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        media = answer.headers.get("content-type", "")
        if answer.status_code >= 300 or not media.startswith("application/json"):
            return answer
        for name, place in places:
            if matches(request, operations()[name]):
                changed = misspell(answer.json(), place)
                return httpx.Response(answer.status_code, json=changed, headers=FOR_BROWSERS)
        return answer

    shared.fault = fault
    found = check(make_context(shared)).violations
    expected = {("described", name) for name, _ in places}
    assert expected == {(each.rule, each.operation) for each in found.values()}, {
        key: each.actual for key, each in found.items()
    }


def documented(status: int, operation: Operation) -> httpx.Response | None:
    """Return the documented refusal of an operation, or None if there is none."""
    response = operation.responses.get(status)
    if response is None:
        return None
    example = next(iter(response.media["application/json"].examples.values()))
    return httpx.Response(status, json=example, headers=FOR_BROWSERS)


@unmeasured
@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("kind", "effect", "every"),
    [
        # A server limits the rate before it carries out a request.
        (429, "before", 3),
        (502, "before", 3),
        ("lost", "after", 3),
        ("lost", "before", 10),
        (503, "after", 3),
        (503, "before", 10),
        (502, "after", 10),
    ],
)
def test_passing_refusal_or_loss_is_no_violation(
    effect: str, kind: int | str, every: int, shared: InProcess, make_context: MakeContext
) -> None:
    """Requests are sent again, and may have been carried out before, except after a 429."""
    numbers = itertools.count(1)

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if next(numbers) % every:
            return forward(request)
        described = [o for o in operations().values() if matches(request, o)]
        refusal = documented(kind, described[0]) if isinstance(kind, int) and described else None
        if refusal is None and kind != "lost":
            return forward(request)
        if effect == "after":
            forward(request).read()
        if refusal is None:
            raise httpx.ReadError("reset")
        return refusal

    shared.fault = fault
    context = make_context(shared)
    found = check(context)
    assert {} == {key: each.actual for key, each in found.violations.items()}
    if kind == "lost":
        assert 0 < context.recorder.lost
    else:
        assert {kind} == {status for _, status in found.circumstances}


REFUSED = [
    {"sendMessage": 503, "getQnas": 429},
    {"sendMessage": 402, "getConversations": 502},
    {"getMessages": 429, "closeConversation": 503},
    {"getConversation": 429},
]


@unmeasured
@pytest.mark.sweep(2)
@pytest.mark.parametrize(
    "statuses",
    [pytest.param(each, id=" ".join(each)) for each in REFUSED],
)
def test_operation_that_is_always_refused_is_not_tested(
    statuses: dict[str, int], shared: InProcess, make_context: MakeContext
) -> None:
    """Its rules are not counted as tested, their reason is known, and nothing is accused."""
    contents = dict[str, bytes]()
    for name, status in statuses.items():
        refusal = documented(status, operations()[name])
        assert refusal is not None
        contents[name] = refusal.content

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        facts: CallFacts = request.extensions[CALL]
        name = facts.operation
        if name not in statuses:
            return forward(request)
        headers = {"content-type": "application/json"}
        return httpx.Response(statuses[name], headers=headers, content=contents[name])

    shared.fault = fault
    found = check(make_context(shared))
    assert {} == {key: each.actual for key, each in found.violations.items()}
    for name, status in statuses.items():
        tested = {rule for rule, where in +found.tested if where == name}
        assert {"answered", "described", "error-body", "nothing-leaks"} == tested
        assert f"the server refused with {status}" == found.prevented["accepted", name]
        assert 0 < found.circumstances[name, status]


def test_refused_body_is_held_to_the_description(
    shared: InProcess, make_context: MakeContext
) -> None:
    """A refusal that was waited for must match the documented error, and reveal nothing."""
    pending = [httpx.Response(429, json={"no": "error", "details": {}})]

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        return pending.pop() if pending and request.method == "GET" else forward(request)

    shared.fault = fault
    context = make_context(shared)
    context.recorder._sleep = lambda _: None
    context.visitor().page()
    assert {"getConversations described 429"} == set(context.findings.violations)
    assert {("getConversations", 429): 1} == context.findings.circumstances


def test_refused_session_ends_the_checks(shared: InProcess, make_context: MakeContext) -> None:
    """Without a session there is no visitor; the message is about the refusal."""
    refusal = documented(402, operations()["init"]) or httpx.Response(402)
    shared.fault = lambda _, forward: refusal
    with pytest.raises(Exception, match="init was refused with 402"):
        make_context(shared).visitor()
    with pytest.raises(Exception, match="getMe was refused with 402"):
        make_context(shared, api_key=None, token="t").visitor()


def test_refused_list_of_a_token_ends_the_step(
    shared: InProcess, make_context: MakeContext
) -> None:
    """Without the existing conversations, nothing is known about the lists."""

    def refuse(request: httpx.Request, forward: Forward) -> httpx.Response:
        return httpx.Response(402) if request.method == "GET" else forward(request)

    shared.fault = refuse
    context = make_context(shared, api_key=None, token=PRIVATE_KEY)
    visitor = Visitor(context.anonymous, context.findings, context.recorder.history)
    with pytest.raises(ContractBrokenError, match="getConversations was refused with 402"):
        journeys._record_existing(visitor)


def test_page_that_repeats_ends_the_reading(shared: InProcess, make_context: MakeContext) -> None:
    """A server that ignores the offset cannot keep the tests for ever."""
    page = {"total": 1e308, "data": [{"id": "123e4567-e89b-12d3-a456-426614174000"}]}
    shared.fault = lambda *_: httpx.Response(200, json=page)
    context = make_context(shared, api_key=None, token=PRIVATE_KEY)
    visitor = Visitor(context.anonymous, context.findings, context.recorder.history)
    journeys._record_existing(visitor)
    assert (2, 1) == (context.recorder.requests, len(visitor.known))
