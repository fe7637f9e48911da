"""The validation of a query as it was sent."""

from __future__ import annotations

import pytest

from siteassist_contract.checks.generated.query_parameters import faults


@pytest.mark.parametrize(
    ("operation", "query", "names"),
    [
        ("getConversations", "", []),
        ("getConversations", "limit=1&offset=0&status=open&orderBy=title&orderDir=asc", []),
        ("getConversations", "limit=100", []),
        ("getConversations", "limit=1e2", []),
        ("getConversations", "limit=1.5", []),
        ("getConversations", "offset=null", []),
        ("getConversations", "offset=", []),
        ("getConversations", "limit=5&limit=500", []),
        ("getConversations", "unknown=1", []),
        ("getMessages", "limit=1000&role=human_agent", []),
        ("search", "q=a&apiKey=k&size=50", []),
        ("getMe", "limit=0", []),
        ("getConversations", "limit=101", ["limit"]),
        ("getConversations", "limit=0", ["limit"]),
        ("getConversations", "limit=ten", ["limit"]),
        ("getConversations", "limit=nan", ["limit"]),
        ("getConversations", "limit=null", ["limit"]),
        ("getConversations", "offset=-1", ["offset"]),
        ("getConversations", "status=Open", ["status"]),
        ("getConversations", "orderBy=lastInterationAt&orderDir=up", ["orderBy", "orderDir"]),
        ("getMessages", "limit=1.5", ["limit"]),
        ("getMessages", "limit=1001", ["limit"]),
        ("getMessages", "role=system", ["role"]),
        ("getQnas", "query=" + 301 * "a", ["query"]),
        ("search", "apiKey=k", ["q"]),
        ("search", "q=a&size=51", ["size", "apiKey"]),
        ("getProject", "", ["apiKey"]),
    ],
)
def test_invalid_parameters_are_named(operation: str, query: str, names: list[str]) -> None:
    """A parameter is a fault unless the description allows its value or leaves it open."""
    found = faults(operation, f"http://127.0.0.1/v2/x?{query}")
    assert names == [fault.split("`")[1] for fault in found]
