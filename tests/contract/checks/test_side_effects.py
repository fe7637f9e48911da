"""A refused request that changes something is found, and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_contract.checks import side_effects
from siteassist_contract.profiles import FIRST, PROFILES
from tests.contract.conftest import BASE
from tests.values import API_KEY

if TYPE_CHECKING:
    import httpx

    from siteassist_contract.findings import Violation
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter

Effect = Callable[["httpx.Request", "httpx.Response", "Sender"], None]
"""What a faulty server does after it has refused a request."""


class Sender:
    """Requests to the mock behind a fault, with the credential of a refused request."""

    def __init__(self, request: httpx.Request, forward: Forward, token: str) -> None:
        self.request = request
        self.path = request.url.path.removeprefix("/v2")
        self._forward = forward
        self._token = token

    def post(self, path: str, body: Any) -> httpx.Response:
        """Send a request that the mock accepts."""
        request = type(self.request)(
            "POST", f"{BASE}{path}", json=body, headers={"Authorization": self._token}
        )
        return self._forward(request)


def after_refusals(effect: Effect) -> Fault:
    """Return a fault that does something after each refusal of a request that writes."""
    owners: dict[str, str] = {}
    latest = [""]

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        path = request.url.path
        token = request.headers.get("Authorization", "")
        if answer.status_code == 201 and path.endswith("/conversations"):
            owners[answer.json()["id"]] = latest[0] = token
        if request.method == "POST" and 400 <= answer.status_code < 500:
            owner = next((token for name, token in owners.items() if name in path), latest[0])
            if owner:
                effect(request, answer, Sender(request, forward, owner))
        return answer

    return fault


def stored_before_checked(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Store a message although a field of the body is invalid."""
    if sender.path.endswith("/messages") and answer.status_code in (400, 422):
        sender.post(sender.path, {"content": "Stored before it was checked"})


def closed_before_checked(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Close a conversation although the reason is too long or of another type."""
    if sender.path.endswith("/close") and answer.status_code in (400, 422):
        sender.post(sender.path, None)


def started_without_token(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Start a conversation for the latest visitor although there is no token."""
    if sender.path == "/conversations" and answer.status_code == 401:
        sender.post("/conversations", None)


def started_with_wrong_page(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Start a conversation although its body is invalid."""
    if sender.path == "/conversations" and answer.status_code in (400, 422):
        sender.post("/conversations", None)


def feedback_removed(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Remove the feedback if the new one is not valid."""
    if sender.path.endswith("/feedback") and answer.status_code in (400, 422):
        sender.post(sender.path, {"feedback": None})


def feedback_of_anybody(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Store feedback for which there is no valid token."""
    if sender.path.endswith("/feedback") and answer.status_code == 401:
        sender.post(sender.path, {"feedback": "like"})


def message_to_closed(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Start another conversation for a message to a closed one, although it is refused."""
    if sender.path.endswith("/messages") and answer.status_code == 409:
        sender.post("/conversations", None)


def closed_by_stranger(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Close another visitor's conversation, but answer that it is not found."""
    if sender.path.endswith("/close") and answer.status_code == 404:
        sender.post(sender.path, None)


def message_of_stranger(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Store the message of another visitor, but answer that there is no conversation."""
    if sender.path.endswith("/messages") and answer.status_code == 404:
        sender.post(sender.path, {"content": "From somebody else"})


def completion_stored(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Start a conversation for a completion that is refused."""
    if sender.path == "/chat/completions":
        sender.post("/conversations", None)


def cut_and_stored(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Store the beginning of a message that is refused as too long."""
    if sender.path.endswith("/messages") and answer.status_code in (400, 422):
        content = sent(request).get("content")
        if isinstance(content, str) and len(content) > 10_000:
            sender.post(sender.path, {"content": content[:100]})


def streamed_before_checked(request: httpx.Request, answer: httpx.Response, sender: Sender) -> None:
    """Store a message although a field is invalid, if its answer is a stream."""
    refused = sender.path.endswith("/messages") and answer.status_code in (400, 422)
    if refused and sent(request).get("stream") is True:
        sender.post(sender.path, {"content": "Stored before it was checked"})


def sent(request: httpx.Request) -> dict[str, Any]:
    """Return the body of a request, or an empty object."""
    try:
        body = json.loads(request.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


RARE: dict[Effect, str] = {cut_and_stored: "sendMessage", streamed_before_checked: "sendMessage"}
"""Effects of a few values only, which a whole run finds."""
EFFECTS: dict[Effect, str] = {
    stored_before_checked: "sendMessage",
    closed_before_checked: "closeConversation",
    started_without_token: "startConversation",
    started_with_wrong_page: "startConversation",
    feedback_removed: "sendMessageFeedback",
    feedback_of_anybody: "sendMessageFeedback",
    message_to_closed: "sendMessage",
    closed_by_stranger: "closeConversation",
    message_of_stranger: "sendMessage",
    completion_stored: "createChatCompletion",
}


def check(
    mock: InProcess, make_context: MakeContext, *, first: bool = False
) -> dict[str, Violation]:
    """Run the checks, and return the violations of their rule."""
    context = make_context(mock)
    if first:
        context.size = FIRST
    for _, each, _ in side_effects.CHECKS:
        each(context)
    found = context.findings.violations
    return {key: each for key, each in found.items() if each.rule == side_effects.RULE}


@pytest.mark.parametrize("effect", RARE, ids=lambda effect: effect.__name__)
def test_rare_side_effect_is_found(
    effect: Effect, shared: InProcess, make_context: MakeContext
) -> None:
    """A whole run finds what only some invalid values leave behind."""
    shared.fault = after_refusals(effect)
    assert {RARE[effect]} == {each.operation for each in check(shared, make_context).values()}


@pytest.mark.sweep(8)
@pytest.mark.parametrize("first", [False, True], ids=["whole", "first"])
@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_side_effect_is_found(
    effect: Effect, first: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """Each side effect is found in the first pass already, and only on its operation."""
    shared.fault = after_refusals(effect)
    found = check(shared, make_context, first=first)
    assert {EFFECTS[effect]} == {each.operation for each in found.values()}, found
    for violation in found.values():
        assert "is unchanged by" in violation.expected
        assert violation.commands


def touching(request: httpx.Request, forward: Forward, touched: dict[str, int]) -> httpx.Response:
    """Update a conversation with each refused message to it."""
    answer = forward(request)
    path = request.url.path.split("/")
    if request.method == "POST" and 400 <= answer.status_code < 500 and path[-1] == "messages":
        touched[path[-2]] = touched.get(path[-2], 0) + 1
    if request.method == "GET" and answer.status_code == 200 and path[-1] in touched:
        shown = answer.json()
        shown["updatedAt"] = shown["updatedAt"].replace("20", f"2{touched[path[-1]] % 10}", 1)
        return type(answer)(200, json=shown)
    return answer


def test_update_by_refusals_is_found(shared: InProcess, make_context: MakeContext) -> None:
    """A time that may move by itself must not move with each refusal."""
    touched: dict[str, int] = {}
    shared.fault = lambda request, forward: touching(request, forward, touched)
    assert {"sendMessage"} == {each.operation for each in check(shared, make_context).values()}


def test_refused_device_that_is_known_is_found(
    shared: InProcess, make_context: MakeContext
) -> None:
    """A device whose session was refused counts as new afterwards."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.url.path.endswith("/identity/init") and answer.status_code == 401:
            body = {**json.loads(request.content), "apiKey": API_KEY}
            forward(type(request)("POST", request.url, json=body))
        return answer

    shared.fault = fault
    assert {"init no-side-effects saVid"} == set(check(shared, make_context))


def test_device_that_is_cut_is_found(shared: InProcess, make_context: MakeContext) -> None:
    """A device that is refused as too long is not registered by its beginning."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.url.path.endswith("/identity/init") and answer.status_code in (400, 422):
            body = sent(request)
            if isinstance(body.get("saVid"), str) and len(body["saVid"]) > 100:
                body = {**body, "saVid": body["saVid"][:100]}
                forward(type(request)("POST", request.url, json=body))
        return answer

    shared.fault = fault
    assert {"init no-side-effects saVid"} == set(check(shared, make_context))


@pytest.mark.parametrize("first", [False, True], ids=["whole", "first"])
def test_mock_leaves_nothing_behind(
    first: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """The mock has no violation."""
    shared.fault = None
    assert {} == check(shared, make_context, first=first)


def test_accepted_request_is_no_refusal(shared: InProcess, make_context: MakeContext) -> None:
    """A message to a closed conversation may be stored if it is accepted: O-3."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if answer.status_code == 409:
            start = type(request)(
                "POST", f"{BASE}/conversations", headers={**request.headers, "content-length": "0"}
            )
            forward(start)
            return type(answer)(200, json={"steps": []})
        return answer

    shared.fault = fault
    assert {} == check(shared, make_context)


def test_live_profile_leaves_it_out(shared: InProcess, make_context: MakeContext) -> None:
    """A server in production gets none of these requests."""
    shared.fault = None
    shared.requests.clear()
    context = make_context(shared, profile=PROFILES["live"])
    side_effects.check_refusals(context)
    assert [] == shared.requests
    assert ("no-side-effects", "sendMessage") in context.findings.prevented
