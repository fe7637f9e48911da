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
    from siteassist_contract.checks.context import CheckContext
    from tests.contract.conftest import Forward, InProcess


def _is(request: httpx.Request, method: str) -> bool:
    """Return whether a request is one to the messages of a conversation."""
    path = re.fullmatch("/v2/conversations/[^/]+/messages", request.url.path)
    return request.method == method and path is not None


@pytest.fixture
def handled(shared: InProcess) -> str:
    """Return a conversation of the private key's visitor that a human agent handles."""
    shared.fault = None
    started = httpx.Request(
        "POST",
        "http://localhost/v2/conversations",
        headers={"Authorization": f"Bearer {PRIVATE_KEY}"},
    )
    name = str(shared.forward(started).json()["id"])
    path = f"http://localhost/_mock/conversations/{name}/handover"
    assert 200 == shared.forward(httpx.Request("POST", path, json={"name": "Ada"})).status_code
    return name


@pytest.mark.parametrize(
    ("wrong", "also", "actual"),
    [
        (None, set(), ""),
        ("answers", set(), "202 text/plain `Queued`"),
        ("forgets", {"getConversation one-history"}, "no message"),
    ],
)
def test_message_to_a_human_agent(
    wrong: str | None,
    also: set[str],
    actual: str,
    handled: str,
    shared: InProcess,
    make_context: Callable[..., CheckContext],
) -> None:
    """It is queued, 202 as text, and stored; whatever else comes is a break."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if wrong == "answers" and _is(request, "POST"):
            return httpx.Response(202, headers={"content-type": "text/plain"}, text="Queued")
        if wrong == "forgets" and _is(request, "GET"):
            return httpx.Response(200, json={**answer.json(), "data": []})
        return answer

    shared.fault = fault
    context = make_context(shared, token=PRIVATE_KEY, human=handled)
    journeys.human(context)
    found = context.findings.violations
    assert ({"sendMessage queued"} if wrong else set()) | also == set(found)
    assert 0 < context.findings.tested["queued", "sendMessage"]
    if wrong:
        assert actual == found["sendMessage queued"].actual


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's"])
def test_lent_conversation_that_is_none_of_the_visitors(
    whose: str, shared: InProcess, make_context: Callable[..., CheckContext]
) -> None:
    """Nothing is sent to it, and the report says why the rule was not tested."""
    shared.fault = None
    name = str(uuid.uuid4())
    if whose != "nobody's":
        known = make_context(shared).visitor().start()
        assert known is not None
        name = known.id
    context = make_context(shared, token=PRIVATE_KEY, human=name)
    shared.requests.clear()
    journeys.human(context)
    assert [] == [r for r in shared.requests if r.method == "POST"]
    reason = context.findings.prevented["queued", "sendMessage"]
    assert "--human-conversation does not belong to the token's visitor" == reason
