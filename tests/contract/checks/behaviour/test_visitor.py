"""A visitor of the contract tests."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import update

from siteassist_contract.checks.behaviour import visitor as module
from siteassist_mock.storage.tables import conversations

if TYPE_CHECKING:
    from siteassist_contract.checks.behaviour.model import KnownConversation
    from siteassist_contract.checks.behaviour.visitor import Visitor
    from siteassist_mock.storage.store import Store
    from tests.contract.conftest import Forward, InProcess, MakeContext, MakeMock


@pytest.mark.parametrize("pause", [0.1, 1.0])
def test_session_is_used_before_it_can_expire(
    pause: float, shared: InProcess, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor that waits for another one sends a request, unless it has just sent one."""
    shared.fault = None
    clock = count(0.0, pause)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    visitor = make_context(shared).visitor()
    shared.requests.clear()
    visitor.stay()
    assert (pause > 0.5) == (["/v2/identity/me"] == [r.url.path for r in shared.requests])


@pytest.mark.one_interpreter
@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("journey", ["pages", "orders"])
def test_entry_that_moves_between_two_pages_is_listed_again(
    journey: str, moves: bool, make_mock: MakeMock, make_context: MakeContext
) -> None:
    """A title that comes late moves its conversation once; a server that repeats entries stays."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        page = [request.url.params.get(name) for name in ("orderBy", "orderDir", "offset")]
        if moves and not moved and page == ["updatedAt", "desc", before[journey]]:
            moved.append(True)
            move(mock.app.state.store, visitor)
        elif not moves and page == ["updatedAt", "desc", "0"]:
            # The list begins with its last entry, which its end has as well.
            last = request.url.copy_merge_params({"offset": "2"})
            return forward(httpx.Request("GET", last, headers=request.headers))
        return answer

    # Between two pages of a list, and between the list and the one of the other direction.
    before = {"pages": "0", "orders": "2"}
    moved: list[bool] = []
    mock = make_mock(None)
    context = make_context(mock)
    visitor = context.visitor()
    for _ in range(3):
        assert visitor.start() is not None
    mock.fault = fault
    if journey == "pages":
        visitor.pages(1, order_by="updatedAt", order_dir="desc")
    else:
        visitor.orders("updatedAt", 1)
    rules = {violation.rule for violation in context.findings.violations.values()}
    assert ("list-own" in rules) == (not moves), rules
    assert not moves or "list-order" not in rules, rules
    assert moves == bool(moved)


def move(store: Store, visitor: Visitor) -> None:
    """Give the oldest conversation a title, which makes it the one that was updated last."""
    with store.write() as records:
        records._connection.execute(
            update(conversations)
            .where(conversations.c.id == min(visitor.known.values(), key=_start).id)
            .values(title="Late", updated_at=store.clock.timestamp())
        )


def _start(known: KnownConversation) -> str:
    return known.created_at
