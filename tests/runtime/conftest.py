"""Fixtures shared by the tests of the runtime."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, SiteAssist
from siteassist_runtime import async_driver, calls, deadline, network, sync_driver
from tests.runtime.helpers import BASE_URL, FakeTime, Handler, Run, Step


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own SITEASSIST_* variables from the tests."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Replace the runtime's clock and its sleeps with a clock that the test controls."""
    clock = FakeTime()
    modules: tuple[Any, ...] = (sync_driver, calls, deadline, network)
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(async_driver, "sleep", clock.sleep_async)
    return clock


@pytest.fixture(params=["sync", "async"])
def run_steps(request: pytest.FixtureRequest) -> Run:
    """Return a function that runs steps, in order, with a client of either kind."""

    def run_steps(handler: Handler, *steps: Step, **settings: Any) -> list[Any]:
        settings = {"base_url": BASE_URL, **settings}
        transport = httpx.MockTransport(handler)
        if request.param == "sync":
            with SiteAssist(transport=transport, **settings) as client:
                return [step(client) for step in steps]

        async def main() -> list[Any]:
            async with AsyncSiteAssist(transport=transport, **settings) as client:
                results = []
                for step in steps:
                    result = step(client)
                    results.append(await result if isinstance(result, Awaitable) else result)
                return results

        return asyncio.run(main())

    return run_steps
