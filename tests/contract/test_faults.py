"""The contract tests find a server that is wrong in one place.

Each fault stands between a mock that keeps the contract and the suite, which
knows nothing of it. The whole suite finds every one; the made-up requests, which
are there for what nobody has thought of, find most of them by themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import Result

from siteassist_contract.findings import SHAPES, Violation
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import Profile
from siteassist_contract.run import Options, Run

if TYPE_CHECKING:
    from tests.contract.conftest import Answerer, Fault, Forward, InProcess, Loopback

KEY = "sa_pk_1234567890abcdef"
PRIVATE_KEY = "sk_test_1234567890abcdef"
ERROR = {"error": {"message": "An internal server error occurred"}}

Serve = Callable[["Answerer"], "Loopback"]
FAULTS: dict[str, tuple[str, Fault]] = {}


def fault(operation: str) -> Callable[[Fault], Fault]:
    """Register a fault, and the operation that it breaks."""

    def register(function: Fault) -> Fault:
        FAULTS[getattr(function, "__name__", "")] = (operation, function)
        return function

    return register


def is_conversation(request: httpx.Request) -> bool:
    """Whether a request is about one conversation as a whole."""
    return re.fullmatch(r"/v2/conversations/[^/]+", request.url.path) is not None


def reads(request: httpx.Request, path: str) -> bool:
    """Whether a request reads what a pattern matches."""
    return request.method == "GET" and re.fullmatch(f"/v2{path}", request.url.path) is not None


def body_of(request: httpx.Request) -> dict[str, Any]:
    """Return the request's JSON object; an empty one if it has none."""
    try:
        document = json.loads(request.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def say(answer: httpx.Response, content: object, status: int | None = None) -> httpx.Response:
    """Put another body into an answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return httpx.Response(status or answer.status_code, headers=kept, content=body)


def ask(
    request: httpx.Request,
    *,
    query: dict[str, str] | None = None,
    body: object = ...,
    token: str | None = None,
) -> httpx.Request:
    """Return a request with another part."""
    left_out = ("content-length", "host", "authorization" if token else "")
    headers = {n: v for n, v in request.headers.items() if n not in left_out}
    if token:
        headers["authorization"] = token
    url = request.url if query is None else request.url.copy_merge_params(query)
    content = request.content if body is ... else json.dumps(body).encode()
    return httpx.Request(request.method, url, headers=headers, content=content)


# Response shape


@fault("getConversation")
def drops_a_required_field(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if reads(request, "/conversations/[^/]+") and answer.status_code == 200:
        kept = {k: v for k, v in answer.json().items() if k != "lastInteractionAt"}
        return say(answer, kept)
    return answer


@fault("getMessages")
def invents_a_role(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if reads(request, ".+/messages") and answer.status_code == 200:
        return say(answer, answer.content.replace(b'"assistant"', b'"bot"'))
    return answer


@fault("getConversations")
def counts_in_words(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if reads(request, "/conversations") and answer.status_code == 200:
        return say(answer, {**answer.json(), "total": str(answer.json()["total"])})
    return answer


# Status and media type


@fault("startConversation")
def answers_200_for_201(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if request.url.path == "/v2/conversations" and answer.status_code == 201:
        return say(answer, answer.content, 200)
    return answer


@fault("getConversation")
def answers_errors_as_html(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if is_conversation(request) and answer.status_code == 404:
        return httpx.Response(404, html="<h1>Not found</h1>")
    return answer


# Input validation


@fault("getConversations")
def accepts_limit_101(request: httpx.Request, forward: Forward) -> httpx.Response:
    if request.url.params.get_list("limit") == ["101"]:
        request = ask(request, query={"limit": "100"})
    return forward(request)


@fault("search")
def accepts_size_51(request: httpx.Request, forward: Forward) -> httpx.Response:
    if reads(request, "/search") and request.url.params.get_list("size") == ["51"]:
        request = ask(request, query={"size": "50"})
    return forward(request)


@fault("sendMessage")
def accepts_10001_characters(request: httpx.Request, forward: Forward) -> httpx.Response:
    body = body_of(request)
    if request.method == "POST" and len(str(body.get("content", ""))) > 10_000:
        request = ask(request, body={**body, "content": str(body["content"])[:10_000]})
    return forward(request)


@fault("sendMessage")
def fails_on_emoji(request: httpx.Request, forward: Forward) -> httpx.Response:
    content = body_of(request).get("content")
    if isinstance(content, str) and any(ord(character) > 0xFFFF for character in content):
        return httpx.Response(500, json=ERROR)
    return forward(request)


@fault("sendMessage")
def refuses_a_null_page_context(request: httpx.Request, forward: Forward) -> httpx.Response:
    if body_of(request).get("pageContext", "") is None:
        return httpx.Response(400, json=ERROR)
    return forward(request)


# Authentication and isolation


@fault("getMe")
def skips_the_token_check(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if reads(request, "/identity/me") and answer.status_code == 401:
        return forward(ask(request, token=f"Bearer {PRIVATE_KEY}"))
    return answer


OWNERS: dict[str, str] = {}


@fault("getConversation")
def shows_what_is_somebody_elses(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    path = request.url.path
    if path == "/v2/conversations" and answer.status_code == 201:
        OWNERS[f"{path}/{answer.json()['id']}"] = request.headers.get("authorization", "")
    if request.method == "GET" and answer.status_code == 404 and path in OWNERS:
        return forward(ask(request, token=OWNERS[path]))
    return answer


# Streams


def is_stream(answer: httpx.Response) -> bool:
    """Whether ``answer`` is an event stream."""
    return str(answer.headers.get("content-type")).startswith("text/event-stream")


@fault("sendMessage")
def ends_streams_without_terminator(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if is_stream(answer):
        return say(answer, answer.content.replace(b"data: [DONE]\n\n", b""))
    return answer


@fault("sendMessage")
def streams_deltas_without_text(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if is_stream(answer):
        return say(answer, answer.content.replace(b'"delta":', b'"text":'))
    return answer


@fault("sendMessage")
def never_streams(request: httpx.Request, forward: Forward) -> httpx.Response:
    if body_of(request).get("stream") is True:
        request = ask(request, body={**body_of(request), "stream": False})
    return forward(request)


# Error bodies


@fault("getMe")
def errors_say_nothing(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    return say(answer, {"error": {}}) if answer.status_code == 401 else answer


# State and semantics: what a description of shapes does not say.


@fault("getConversations")
def ignores_the_status_filter(request: httpx.Request, forward: Forward) -> httpx.Response:
    if request.url.params.get("status") == "closed":
        url = request.url.copy_remove_param("status")
        request = httpx.Request(request.method, url, headers=request.headers)
    return forward(request)


@fault("sendMessageFeedback")
def forgets_feedback(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if request.url.path.endswith("/feedback") and answer.status_code == 200:
        return say(answer, {"feedback": None})
    return answer


@fault("getMessages")
def lists_the_newest_first(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if reads(request, ".+/messages") and answer.status_code == 200:
        return say(answer, {**answer.json(), "data": answer.json()["data"][::-1]})
    return answer


@fault("getConversation")
def forgets_what_was_said(request: httpx.Request, forward: Forward) -> httpx.Response:
    answer = forward(request)
    if reads(request, "/conversations/[^/]+") and answer.status_code == 200:
        return say(answer, {**answer.json(), "messages": []})
    return answer


@pytest.fixture(autouse=True)
def forget_owners() -> None:
    """Leave nothing behind for the next test."""
    OWNERS.clear()


@pytest.mark.usefixtures("without_shapes", "direct")
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(
    name: str, served: Loopback, shared: InProcess, command: Callable[..., Result]
) -> None:
    """Exit status 1, the operation that breaks it, what came, and commands that show it."""
    operation, shared.fault = FAULTS[name]
    done = command(served.url, "--api-key", KEY, "--seed", "1")
    assert (1, "") == (done.exit_code, done.stderr), done.output
    reports = re.split(r"^Break \d+: ", done.stdout, flags=re.MULTILINE)[1:]
    of_operation = [text for text in reports if re.match(rf"\w+ \S+ \({operation}\)\n", text)]
    parts = (
        r"  rests on: \S",
        r"  expected: \S",
        r"  actual:   \S",
        r"    \d{3} \S",
        r"    .*curl ",
    )
    assert any(all(re.search(f"^{p}", t, re.MULTILINE) for p in parts) for t in of_operation)
    for told in json.loads(Path("reports/summary.json").read_text())["violations"]:
        assert told["expected"]
        assert told["actual"]
        assert "curl " in told["commands"]
    assert done.stdout.splitlines()[-1].startswith("The server breaks the contract in ")


# By made-up requests alone

TOGETHER: dict[str, tuple[int, dict[str, str]]] = {
    "shapes of answers": (
        5,
        {
            "drops_a_required_field": "getConversation described 200",
            "counts_in_words": "getConversations described 200",
            "accepts_size_51": "search bounds",
            "skips_the_token_check": "getMe token-required",
            "streams_deltas_without_text": "sendMessage described 200",
        },
    ),
    "requests": (
        5,
        {
            "answers_errors_as_html": "getConversation described 404",
            "accepts_limit_101": "getConversations bounds",
            "accepts_10001_characters": "sendMessage bounds",
            "ends_streams_without_terminator": "sendMessage stream-end",
            "errors_say_nothing": "getMe described 401",
            "shows_what_is_somebody_elses": "getConversation isolation",
        },
    ),
    "answers that do not fit": (
        60,
        {
            "refuses_a_null_page_context": "sendMessage accepted",
            "invents_a_role": "getMessages described 200",
            "never_streams": "sendMessage stream-end",
            "ignores_the_status_filter": "getConversations fits-request",
            "forgets_feedback": "sendMessageFeedback fits-request",
        },
    ),
    "statuses": (5, {"answers_200_for_201": "startConversation described 200"}),
    "order": (
        60,
        {
            "lists_the_newest_first": "getMessages fits-request",
            "fails_on_emoji": "sendMessage no-server-error",
        },
    ),
}
"""Faults that do not hide each other, on one server: how many examples show all of them."""

MISSED = {"forgets_what_was_said": "no single answer tells what an earlier request did"}


def only_shapes(monkeypatch: pytest.MonkeyPatch, url: str, examples: int) -> dict[str, Violation]:
    """Run the made-up requests and nothing else; return what was found, by its key."""
    run = Run(Target(url, KEY), Options(_profile(examples), seed=1))
    # One layer of a run, which has no option for that.
    monkeypatch.setattr(run, "_layers", lambda: run._layer(SHAPES, lambda: run._shapes(0)))  # noqa: SLF001
    outcome = run.run()
    assert not outcome.problem
    return outcome.findings.violations


def _profile(examples: int) -> Profile:
    return Profile("shapes", "", examples, 0, 0, 0, limit=300)


def test_every_fault_is_tried_on_the_made_up_requests() -> None:
    """No fault is left out, and none is in two places."""
    names = [name for _, faults in TOGETHER.values() for name in faults]
    assert sorted(FAULTS) == sorted([*names, *MISSED])


@pytest.mark.suite
@pytest.mark.parametrize("group", TOGETHER)
def test_made_up_requests_find_faults(
    group: str, served: Loopback, shared: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With our checks, schemathesis finds each fault of a server that has several."""
    examples, expected = TOGETHER[group]
    shared.fault = combined([FAULTS[name][1] for name in expected])
    found = only_shapes(monkeypatch, served.url, examples)
    assert set() == set(expected.values()) - set(found), found.keys()
    for key in expected.values():
        assert "shapes" == found[key].layer
        assert found[key].expected
        assert re.match(r"\d{3}: \S", found[key].actual)
        assert "curl " in found[key].commands


def combined(faults: list[Fault]) -> Fault:
    """Put one fault in front of the other."""
    if not faults:
        return lambda request, forward: forward(request)
    first, rest = faults[0], combined(faults[1:])
    return lambda request, forward: first(request, lambda changed: rest(changed, forward))


@pytest.mark.suite
def test_made_up_requests_miss_what_they_cannot_see(
    served: Loopback, shared: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no single answer tells stays unseen, and nothing else is found."""
    (name,) = MISSED
    shared.fault = FAULTS[name][1]
    assert {} == only_shapes(monkeypatch, served.url, 5)


@pytest.mark.suite
def test_mock_keeps_the_contract(
    served: Loopback, shared: InProcess, command: Callable[..., Result]
) -> None:
    """Without a fault no layer finds a break; every operation is tested, and reported."""
    shared.fault = None
    done = command(served.url, "--api-key", KEY, "--seed", "1")
    assert (0, "") == (done.exit_code, done.stderr), done.output
    assert done.stdout.splitlines()[-1].startswith("The server keeps the contract (")
    counts = re.findall(r"^  (\w+)((?: +\d+){4})$", done.stdout, re.MULTILINE)
    assert 14 == len(counts)
    assert [] == [name for name, numbers in counts if int(numbers.split()[-1]) == 0]
    written = {path.name for path in Path("reports").iterdir()}
    assert {"html", "junit.xml", "summary.json"} == written
