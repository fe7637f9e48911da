"""Reproductions begin with the requests that made the objects which a request uses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from siteassist_contract.findings import Findings
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from siteassist_contract.report import origins
from siteassist_contract.report.origins import Origins
from siteassist_contract.report.reproduction import Renderer
from tests.values import API_KEY

CONVERSATION, QUESTION, ANSWER, PROJECT, UNKNOWN = (
    f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 6)
)


def exchange(
    operation: str, method: str, target: str, answer: Any = None, status: int = 200
) -> Exchange:
    """Create an exchange of the first visitor."""
    return Exchange(
        operation=operation,
        credential="first",
        method=method,
        target=target,
        body=b"",
        content_type="",
        status=status,
        headers={"content-type": "application/json"},
        content=json.dumps(answer).encode(),
        seconds=0.1,
        first=0.1,
        pieces=1,
    )


INIT = exchange("init", "POST", "/identity/init", {"visitor": {"id": PROJECT}}, 201)
START = exchange("startConversation", "POST", "/conversations", {"id": CONVERSATION}, 201)
MESSAGES = f"/conversations/{CONVERSATION}/messages"
SEND = exchange("sendMessage", "POST", MESSAGES, {"steps": []})
LIST = exchange("getMessages", "GET", MESSAGES, {"data": [{"id": QUESTION}, {"id": ANSWER}]})
RATE = exchange("sendMessageFeedback", "POST", f"/messages/{ANSWER}/feedback", {}, 500)


@pytest.fixture
def known() -> Origins:
    """Return what a run knows after these requests."""
    found = Origins()
    for each in (INIT, START, SEND, LIST):
        found.remember(each)
    return found


def test_conversation_is_started_before_it_is_used(known: Origins) -> None:
    """A request that was seen alone begins with the start of its conversation."""
    assert [START, SEND] == known.completed([SEND])
    closing = exchange("closeConversation", "POST", f"/conversations/{CONVERSATION.upper()}/close")
    assert [START, closing] == known.completed([closing])


def test_message_is_written_and_listed_before_it_is_rated(known: Origins) -> None:
    """The id of a message is shown by a list, for which somebody has to write."""
    assert [START, SEND, LIST, RATE] == known.completed([RATE])


def test_what_is_there_is_not_added(known: Origins) -> None:
    """A history that makes its objects stays as it is, and so do ids of which nothing is known."""
    assert [START, SEND] == known.completed([START, SEND])
    for identifier in (UNKNOWN, PROJECT):
        reading = exchange("getConversation", "GET", f"/conversations/{identifier}", {}, 404)
        assert [reading] == known.completed([reading])


def test_refusals_and_long_answers_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a short success is an origin, and the oldest ones are forgotten."""
    found = Origins()
    found.remember(exchange("startConversation", "POST", "/conversations", {"id": ANSWER}, 400))
    long = {"id": QUESTION, "title": "x" * origins._LONGEST}
    found.remember(exchange("startConversation", "POST", "/conversations", long, 201))
    assert [RATE] == found.completed([RATE])
    monkeypatch.setattr(origins, "_MOST", 1)
    found.remember(START)
    other = exchange("startConversation", "POST", "/conversations", {"id": UNKNOWN}, 201)
    found.remember(other)
    assert [SEND] == found.completed([SEND])


def test_commands_of_a_violation_begin_with_the_start() -> None:
    """The commands read the id of a new conversation, even if the request was seen alone."""
    findings = Findings(Filter([API_KEY]), Renderer("https://host/v2", API_KEY, {"first": "d"}))
    findings.see(START, [START])
    findings.violate("stream-end", "sendMessage", "an end", "none", [SEND])
    found = findings.violations["sendMessage stream-end"]
    assert ("startConversation", "sendMessage") == found.steps
    assert "id1=$(" in found.commands
    assert CONVERSATION not in found.commands + found.snippet
