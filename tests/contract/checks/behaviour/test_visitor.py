"""A visitor of the contract tests."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from siteassist_contract.checks.behaviour import visitor as module

if TYPE_CHECKING:
    from tests.contract.conftest import InProcess, MakeContext


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
