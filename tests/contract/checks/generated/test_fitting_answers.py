"""An answer has to fit its own request."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_contract.checks.generated.fitting_answers import faults
from siteassist_contract.tolerance import GeneratedCall

ID = "123e4567-e89b-12d3-a456-426614174000"
TIMES = ["2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00.001Z"]


def exchange(operation: str, answer: object, query: str = "", body: object = None) -> GeneratedCall:
    """Make an accepted request out of what matters for a test."""
    return GeneratedCall(
        operation_id=operation,
        url=f"http://127.0.0.1/v2/x?{query}",
        path={"conversationId": ID, "qnaId": ID},
        body=body,
        altered=None,
        status=200,
        answer=answer,
    )


def data(*items: dict[str, Any], total: object = 100) -> dict[str, Any]:
    """Make a list."""
    return {"data": list(items), "total": total}


@pytest.mark.parametrize(
    ("operation", "answer", "query"),
    [
        ("getMe", {}, ""),
        ("getConversation", {"id": ID.upper()}, ""),
        ("getConversation", [], ""),
        ("getConversations", data(*10 * [{}]), ""),
        ("getConversations", data(*12 * [{}]), "limit=12"),
        ("getConversations", data(*3 * [{}]), "limit=2.5"),
        ("getConversations", data({"status": "open"}, total=1), "status=open"),
        ("getConversations", data({"status": "open"}, total="1"), "status=open&status=closed"),
        ("getConversations", {"data": 5}, "limit=1&status=open"),
        ("getMessages", data(*50 * [{}]), ""),
        ("getMessages", data(*({"createdAt": time} for time in (*TIMES, TIMES[1]))), ""),
        ("getMessages", data(*({"createdAt": time} for time in ("b", "a"))), ""),
        ("search", {"results": 5 * [{}]}, "size=5"),
        ("startConversation", {"status": "open"}, ""),
    ],
)
def test_fitting_answer_has_no_fault(operation: str, answer: object, query: str) -> None:
    """What fits, or cannot be judged, passes."""
    assert [] == faults(exchange(operation, answer, query))


@pytest.mark.parametrize(
    ("operation", "answer", "query", "fault"),
    [
        ("getConversation", {"id": "other"}, "", f"{ID} was asked for, other came"),
        ("getQna", {}, "", f"{ID} was asked for, None came"),
        ("getConversations", data(*11 * [{}]), "", "`limit` allows 10, 11 came"),
        ("getConversations", data({}, {}), "limit=1", "`limit` allows 1, 2 came"),
        ("getConversations", data({}, total=0), "", "`total` is 0, 1 came on one page"),
        (
            "getConversations",
            data({"status": "open"}, {"status": "open"}),
            "status=closed",
            "`status` was to be closed, open came",
        ),
        ("getMessages", data({"role": "user"}), "role=bot", "`role` was to be bot, user came"),
        (
            "getMessages",
            data(*({"createdAt": time} for time in reversed(TIMES))),
            "",
            f"messages come oldest first, {TIMES[0]} came after {TIMES[1]}",
        ),
        ("getQnas", data(*11 * [{}]), "", "`limit` allows 10, 11 came"),
        ("search", {"results": 11 * [{}]}, "", "`size` allows 10, 11 came"),
        (
            "startConversation",
            {"status": "closed"},
            "",
            "a conversation that was just started is open",
        ),
    ],
)
def test_other_answer_is_told(operation: str, answer: object, query: str, fault: str) -> None:
    """What does not fit is said in words."""
    assert [fault] == faults(exchange(operation, answer, query))


@pytest.mark.parametrize(
    ("given", "stored", "expected"),
    [
        ({"feedback": "like"}, "like", []),
        ({"feedback": None}, None, []),
        ({"feedback": "love"}, "love", []),
        ({}, "like", []),
        ("no object", "like", []),
        ({"feedback": "like"}, None, ["the feedback was 'like', stored is None"]),
        ({"feedback": None}, "like", ["the feedback was None, stored is 'like'"]),
    ],
)
def test_feedback_is_repeated(given: object, stored: object, expected: list[str]) -> None:
    """The answer says what is stored, and that is what was sent."""
    assert expected == faults(exchange("sendMessageFeedback", {"feedback": stored}, body=given))
