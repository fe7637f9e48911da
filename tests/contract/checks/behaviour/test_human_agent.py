"""Messages in a conversation that a human agent handles are queued."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from siteassist_contract.checks.behaviour import journeys
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Forward, InProcess, MakeContext


def _is_for_messages(request: httpx.Request, method: str) -> bool:
    """Return whether a request is for the messages of a conversation."""
    path = re.fullmatch("/v2/conversations/[^/]+/messages", request.url.path)
    return request.method == method and path is not None


@pytest.mark.parametrize(
    ("wrong", "also", "actual"),
    [
        (None, set(), ""),
        ("answers", set(), "202 text/plain `Queued`"),
        ("forgets", {"getConversation one-history"}, "no message"),
    ],
)
def test_message_to_a_human_agent_is_queued(
    wrong: str | None,
    also: set[str],
    actual: str,
    hand_over: Callable[..., str],
    shared: InProcess,
    make_context: MakeContext,
) -> None:
    """The message is stored and the response is 202 as text; anything else is a violation."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if wrong == "answers" and _is_for_messages(request, "POST"):
            return httpx.Response(202, headers={"content-type": "text/plain"}, text="Queued")
        if wrong == "forgets" and _is_for_messages(request, "GET"):
            return httpx.Response(200, json={**answer.json(), "data": []})
        return answer

    shared.fault = fault
    context = make_context(shared, token=PRIVATE_KEY, human=hand_over())
    journeys.human(context)
    found = context.findings.violations
    assert ({"sendMessage queued"} if wrong else set()) | also == set(found)
    assert 0 < context.findings.tested["queued", "sendMessage"]
    if wrong:
        assert actual == found["sendMessage queued"].actual


@pytest.mark.parametrize("exists", [False, True])
def test_conversation_of_another_visitor_is_not_used(
    exists: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """No message is sent, and the report gives the reason."""
    shared.fault = None
    name = str(uuid.uuid4())
    if exists:
        started = make_context(shared).visitor().start()
        assert started is not None
        name = started.id
    context = make_context(shared, token=PRIVATE_KEY, human=name)
    shared.requests.clear()
    journeys.human(context)
    assert [] == [r for r in shared.requests if r.method == "POST"]
    reason = context.findings.prevented["queued", "sendMessage"]
    assert "--human-conversation does not belong to the token's visitor" == reason
