"""Checks that follow from the description, so that a new operation is tested at once.

`DELETE /conversations/{conversationId}` is added to a copy of the description and, as a
handler, to a mock. A correct handler passes, and each wrong one is found.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract import description, plan
from siteassist_contract.checks import derived
from siteassist_contract.checks.answers import MOST_HELD_BACK
from siteassist_contract.checks.behaviour import journeys
from siteassist_contract.checks.behaviour.visitor import Visitor
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.refusals import Refusals
from siteassist_contract.http import redaction
from siteassist_contract.report.tested_rules import rows
from siteassist_contract.rules import RULES
from siteassist_spec import Document
from tests.values import API_KEY as KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter
# Coverage doubles the time of the checks, and the other tests take the same branches.
unmeasured = pytest.mark.no_cover

NAME = "deleteConversation"
PATH = "/conversations/{conversationId}"


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """Return a function that makes the suite read another description."""
    original = description.document()
    caches = (
        description.document,
        description.operations,
        description.handshakes,
        description.all_operations,
        description.compiled,
        description.credential_name,
    )

    def use(read: Document) -> None:
        monkeypatch.setattr(Document, "load", lambda: read)
        for each in caches:
            each.cache_clear()
        assert read is description.document()

    yield lambda changed: use(Document(changed))
    # Reading the file again would take longer than a test.
    use(original)


@pytest.fixture
def described(describe: Callable[[Any], None]) -> None:
    """Make the suite read a description with the additional operation."""
    changed = json.loads(json.dumps(description.document().raw))
    read = changed["paths"][PATH]["get"]
    errors = {s: r for s, r in read["responses"].items() if s[0] != "2"}
    changed["paths"][PATH]["delete"] = {
        "operationId": NAME,
        "tags": ["Conversations"],
        "summary": "Delete a conversation",
        "security": read["security"],
        "parameters": read["parameters"],
        "responses": {"204": {"description": "It is gone."}, **errors},
    }
    start = changed["paths"]["/conversations"]["post"]["responses"]["201"]
    start["links"]["deleteConversation"] = {
        "operationId": NAME,
        "parameters": {"conversationId": "$response.body#/id"},
    }
    describe(changed)


ALLOWED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "DELETE",
    "Access-Control-Allow-Headers": "Authorization",
}
"""The headers that browsers need, which the mock sends for its own methods only."""


class Deleting:
    """A fault that handles the additional operation in front of a mock."""

    def __init__(self, *, anybody: bool = False, body: bool = False, open_: bool = False) -> None:
        """Choose what is wrong, if anything.

        ``anybody`` lets strangers delete, ``body`` responds with 200 and a body, and ``open_``
        requires no token.
        """
        self._anybody = anybody
        self._body = body
        self._open = open_
        self._there: set[str] = set()
        self._gone: set[str] = set()

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Return a response."""
        path = request.url.path.removeprefix("/v2/").lower().split("/")
        if request.headers.get("Access-Control-Request-Method") == "DELETE":
            return httpx.Response(204, headers=ALLOWED)
        if request.method == "DELETE" and path[0] == "conversations" and len(path) > 1:
            answer = self._delete(request, forward, path[1])
            answer.headers.update(ALLOWED)
            return answer
        answer = forward(request)
        if request.method == "POST" and answer.status_code == 201 and path == ["conversations"]:
            self._there.add(answer.json()["id"].lower())
        if set(path) & self._gone and answer.status_code < 400:
            return refusal(404)
        return answer

    def _delete(self, request: httpx.Request, forward: Forward, name: str) -> httpx.Response:
        # The mock checks the token, the id and the owner of a read in the same way.
        read = httpx.Request("GET", request.url, headers=request.headers)
        status = forward(read).status_code
        if name in self._there and (
            (status in (403, 404) and self._anybody) or (status == 401 and self._open)
        ):
            status = 200
        if status != 200 or name in self._gone:
            return refusal(status if status != 200 else 404)
        self._gone.add(name)
        return httpx.Response(200, json={"deleted": True}) if self._body else httpx.Response(204)


def refusal(status: int) -> httpx.Response:
    """Return a documented refusal."""
    error = {"error": {"code": "NO", "message": "No"}}
    return httpx.Response(status, json=error, headers=ALLOWED)


def found(
    handler: Deleting, mock: InProcess, make_context: MakeContext, checks: Iterable[Check]
) -> CheckContext:
    """Return the context after ``checks`` and others, with the operation handled by ``handler``."""
    mock.fault = handler
    context = make_context(mock)
    refuse(context)
    for _, check, _ in checks:
        check(context)
    for journey in journeys.JOURNEYS:
        journey.run(context)
    return context


def refuse(context: CheckContext) -> None:
    """Check the refusals of all operations."""
    refusals = Refusals(context)
    for operation in description.operations().values():
        refusals.check(operation)
    refusals.check_unknown_path()


@unmeasured
@pytest.mark.usefixtures("described")
def test_correct_handler_passes(shared: InProcess, make_context: MakeContext) -> None:
    """There is no violation, and each rule of the new operation was tested."""
    context = found(Deleting(), shared, make_context, (*derived.DERIVED, *plan.KINDS))
    assert {} == {key: each.actual for key, each in context.findings.violations.items()}
    rules = {rule for rule, each in RULES.items() if NAME in each.operations}
    assert {
        "accepted",
        "answered",
        "cross-origin",
        "described",
        "error-body",
        "isolation",
        "malformed-refused",
        "negotiation",
        "no-server-error",
        "no-side-effects",
        "nothing-leaks",
        "overlap",
        "preflight",
        "token-checked",
        "token-required",
        "unknown-not-found",
    } == rules
    assert rules == {rule for rule, name in context.findings.tested if name == NAME}
    shown = {
        (row.kind, row.what): row.count
        for row in rows(context.findings, context.target, None)
        if row.operation == NAME
    }
    assert {what for kind, what in shown if kind == "rule"} == rules
    assert shown["status", "204"] > 0
    assert all(count for (kind, _), count in shown.items() if kind == "rule")


@pytest.mark.usefixtures("described")
@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("anybody", {"isolation": "204"}),
        pytest.param("body", {"described 200": "undocumented status 200"}, marks=unmeasured),
        pytest.param(
            "open_",
            {"token-required no token": "204", "token-checked a made-up token": "204"},
            marks=unmeasured,
        ),
    ],
)
def test_wrong_handler_is_found(
    wrong: str,
    expected: dict[str, str],
    shared: InProcess,
    make_context: MakeContext,
) -> None:
    """Each wrong handler is found, without a violation at another operation."""
    context = found(Deleting(**{wrong: True}), shared, make_context, derived.DERIVED)
    shown = {key: each.actual for key, each in context.findings.violations.items()}
    assert {key.partition(" ")[0] for key in shown} == {NAME}, shown
    for rule, actual in expected.items():
        assert shown[f"{NAME} {rule}"] == actual


@pytest.mark.usefixtures("described")
def test_refusal_that_deletes_is_found(shared: InProcess, make_context: MakeContext) -> None:
    """The object is read after a refusal, because the refusal alone proves nothing."""
    deleting = Deleting(anybody=True)

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        read = httpx.Request("GET", request.url, headers=request.headers)
        stranger = request.method == "DELETE" and forward(read).status_code in (403, 404)
        answer = deleting(request, forward)
        return refusal(404) if stranger else answer

    shared.fault = fault
    context = make_context(shared)
    derived.check_isolation(context)
    shown = {key: each.actual for key, each in context.findings.violations.items()}
    assert shown == {f"{NAME} isolation": "404"}


def test_streams_are_requested_a_few_times(
    shared: InProcess, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams whose pace never shows whether they are held back do not hold the run."""
    monkeypatch.setattr(Visitor, "needs_stream", lambda *_: True)
    shared.fault = None
    shared.requests.clear()
    derived.check_operations(make_context(shared))
    streams = Counter(
        request.url.path for request in shared.requests if b'"stream": true' in request.content
    )
    assert 2 == len(streams)
    assert {MOST_HELD_BACK} == set(streams.values())


def test_refused_reads_prove_nothing(shared: InProcess, make_context: MakeContext) -> None:
    """An owner's read that an overloaded server refuses is not compared with another one."""
    seen: set[str] = set()

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.method == "GET" and request.url.path not in seen:
            seen.add(request.url.path)
            error = {"message": "Overloaded", "code": "SERVICE_UNAVAILABLE"}
            return httpx.Response(503, json={"error": error}, headers={"Retry-After": "3600"})
        return forward(request)

    shared.fault = fault
    context = make_context(shared)
    derived.check_isolation(context)
    shared.fault = None
    assert [] == [key for key in context.findings.violations if "isolation" in key]
    assert any(status == 503 for _, status in context.findings.circumstances)


@unmeasured
@pytest.mark.parametrize("wrong", [False, True])
def test_renamed_page_parameter_is_followed(
    wrong: bool,
    describe: Callable[[Any], None],
    shared: InProcess,
    make_context: MakeContext,
) -> None:
    """After `offset` is renamed to `skip`, a server that ignores it is found."""
    text = json.dumps(description.document().raw)
    text = text.replace('"name": "offset"', '"name": "skip"')
    describe(json.loads(text.replace('"offset": "offset"', '"offset": "skip"')))

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        assert "offset" not in request.url.params
        if "skip" not in request.url.params:
            return forward(request)
        given = dict(request.url.params)
        skip = given.pop("skip")
        url = request.url.copy_with(params=given if wrong else {**given, "offset": skip})
        return forward(httpx.Request(request.method, url, headers=request.headers))

    shared.fault = fault
    context = make_context(shared)
    for way in (refuse, journeys.conversation, journeys.lists):
        way(context)
    journeys.knowledge(context)
    paged = {name for name, each in description.operations().items() if each.paging}
    expected = {f"{name} list-page" for name in paged} if wrong else set()
    shown = set(context.findings.violations)
    assert expected <= shown
    assert wrong or not shown, {k: v.actual for k, v in context.findings.violations.items()}


@unmeasured
def test_renamed_credentials_are_followed(
    describe: Callable[[Any], None],
    shared: InProcess,
    make_context: MakeContext,
) -> None:
    """`x-credential` marks the key, the device and the token, whatever their names."""
    keyed = {name for name, each in description.operations().items() if description.takes_key(each)}
    renamed = {"apiKey": "publicKey", "saVid": "deviceKey", "sessionToken": "bearer"}
    text = json.dumps(description.document().raw)
    for old, new in renamed.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    describe(json.loads(text.replace('"x-credential": "bearer"', '"x-credential": "sessionToken"')))

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        url, content = str(request.url), request.content.decode("latin-1")
        assert not any(f"{old}=" in url or f'"{old}"' in content for old in renamed)
        for old, new in renamed.items():
            url = url.replace(f"{new}=", f"{old}=")
            content = content.replace(f'"{new}"', f'"{old}"')
        headers = {n: v for n, v in request.headers.items() if n != "content-length"}
        answer = forward(
            httpx.Request(request.method, url, headers=headers, content=content.encode("latin-1"))
        )
        body = answer.content.replace(b'"sessionToken"', b'"bearer"')
        kept = {n: v for n, v in answer.headers.items() if n != "content-length"}
        return httpx.Response(answer.status_code, headers=kept, content=body)

    shared.fault = fault
    context = make_context(shared)
    for way in (refuse, journeys.identity, journeys.knowledge):
        way(context)
    shown = {key: each.actual for key, each in context.findings.violations.items()}
    assert shown == {}
    assert keyed == {
        n for n, each in description.operations().items() if description.takes_key(each)
    }
    assert {name for rule, name in context.findings.tested if rule == "key-checked"} == keyed
    secrets = redaction.Filter().text('{"bearer": "a"}')
    assert secrets == '{"bearer": "[Filtered]"}'
    start = context.anonymous.call("init", body=description.session_arguments(KEY, "d"))
    for text in context.findings.render([start, context.visitor().session.call("getMe")]):
        assert "publicKey" in text
        assert "apiKey" not in text


def test_rules_name_existing_operations() -> None:
    """Each operation that a rule names is in the description."""
    named = {name for rule in RULES.values() for name in names_of(rule.applies)}
    assert named
    assert named <= set(description.operations())


def names_of(applies: object) -> frozenset[str]:
    """Return the names of a rule that applies to operations by name."""
    names: frozenset[str] = getattr(applies, "names", frozenset())
    return names


def test_every_operation_has_its_rules() -> None:
    """The rules of an operation follow from its token, owner, path and stream."""
    for name, operation in description.operations().items():
        rules = {rule for rule, each in RULES.items() if name in each.operations}
        assert {"answered", "no-server-error", "described", "accepted", "nothing-leaks"} <= rules
        assert ({"token-required", "token-checked"} <= rules) == operation.needs_token
        assert ("isolation" in rules) == bool(operation.owned)
        assert ("unknown-not-found" in rules) == ("{" in operation.path)
        assert ("stream-end" in rules) == (operation.stream is not None)
