"""Responses must fit their requests."""

from __future__ import annotations

from typing import Any

import pytest

from siteassist_contract.checks.generated.fitting_answers import faults
from siteassist_contract.tolerance import GeneratedCall

ID = "123e4567-e89b-12d3-a456-426614174000"
TIMES = ["2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00.001Z"]


def exchange(operation: str, answer: object, query: str = "", body: object = None) -> GeneratedCall:
    """Create an accepted call with defaults."""
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
    """Create a list response."""
    return {"data": list(items), "total": total}


@pytest.mark.parametrize(
    ("operation", "answer", "query", "fault"),
    [
        ("getMe", {}, "", None),
        ("getConversation", {"id": ID.upper()}, "", None),
        ("getConversation", [], "", None),
        ("getConversations", data(*10 * [{}]), "", None),
        ("getConversations", data(*12 * [{}]), "limit=12", None),
        ("getConversations", data(*3 * [{}]), "limit=2.5", None),
        ("getConversations", data({"status": "open"}, total=1), "status=open", None),
        (
            "getConversations",
            data({"status": "open"}, total="1"),
            "status=open&status=closed",
            None,
        ),
        ("getConversations", {"data": 5}, "limit=1&status=open", None),
        ("getMessages", data(*50 * [{}]), "", None),
        ("getMessages", data(*({"createdAt": time} for time in (*TIMES, TIMES[1]))), "", None),
        ("getMessages", data(*({"createdAt": time} for time in ("b", "a"))), "", None),
        ("search", {"results": 5 * [{}]}, "size=5", None),
        ("startConversation", {"status": "open"}, "", None),
        ("getConversation", {"id": "other"}, "", f"expected the object {ID}, got other"),
        ("getQna", {}, "", f"expected the object {ID}, got None"),
        ("getConversations", data(*11 * [{}]), "", "`limit` allows 10 entries, got 11"),
        ("getConversations", data({}, {}), "limit=1", "`limit` allows 1 entries, got 2"),
        ("getConversations", data({}, total=0), "", "`total` is 0, but one page has 1 entries"),
        (
            "getConversations",
            data({"status": "open"}, {"status": "open"}),
            "status=closed",
            "expected `status` closed, got open",
        ),
        ("getMessages", data({"role": "user"}), "role=bot", "expected `role` bot, got user"),
        (
            "getMessages",
            data(*({"createdAt": time} for time in reversed(TIMES))),
            "",
            f"messages must be sorted oldest first, got {TIMES[0]} after {TIMES[1]}",
        ),
        ("getQnas", data(*11 * [{}]), "", "`limit` allows 10 entries, got 11"),
        ("search", {"results": 11 * [{}]}, "", "`size` allows 10 entries, got 11"),
        (
            "startConversation",
            {"status": "closed"},
            "",
            "a new conversation must be open",
        ),
    ],
)
def test_response_must_fit_its_request(
    operation: str, answer: object, query: str, fault: str | None
) -> None:
    """A response that does not fit is a fault; one that cannot be judged passes."""
    expected = [] if fault is None else [fault]
    assert expected == faults(exchange(operation, answer, query))


@pytest.mark.parametrize(
    ("given", "stored", "expected"),
    [
        ({"feedback": "like"}, "like", []),
        ({"feedback": None}, None, []),
        ({"feedback": "love"}, "love", []),
        ({}, "like", []),
        ("no object", "like", []),
        ({"feedback": "like"}, None, ["expected the feedback 'like', got None"]),
        ({"feedback": None}, "like", ["expected the feedback None, got 'like'"]),
    ],
)
def test_feedback_is_repeated(given: object, stored: object, expected: list[str]) -> None:
    """The response has the feedback that was sent."""
    assert expected == faults(exchange("sendMessageFeedback", {"feedback": stored}, body=given))
