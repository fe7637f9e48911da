"""The journeys pass through Prism's proxy, which refuses what it takes for invalid.

With ``--errors``, the proxy replaces a request or a response that violates the description by an
error. So the description, the mock and the client agree in the judgement of another program.

Two tests of the journeys are left out: one sends what Prism refuses itself, and one leaves a
stream early, which Prism reads to its end before it passes it on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from scripts.consumers.prism import running_prism
from siteassist_mock.app import create_app
from siteassist_mock.settings import MockSettings
from siteassist_mock.testing import serving
from siteassist_spec.transform import to_openapi_3_0
from tests.description import DOCUMENT
from tests.e2e.conftest import Mock
from tests.e2e.test_client_journey import (
    test_expired_session_is_renewed,
    test_human_agent_takes_over,
    test_list_that_changes_has_no_duplicates,
    test_private_key_completes_a_chat,
    test_session_started_by_the_program,
    test_visitor_lists_conversations,
    test_visitor_reads_project_and_qnas,
    test_visitor_talks_rates_and_closes,
    test_visitors_are_isolated,
)
from tests.values import ROOT

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

__all__ = [
    "test_expired_session_is_renewed",
    "test_human_agent_takes_over",
    "test_list_that_changes_has_no_duplicates",
    "test_private_key_completes_a_chat",
    "test_session_started_by_the_program",
    "test_visitor_lists_conversations",
    "test_visitor_reads_project_and_qnas",
    "test_visitor_talks_rates_and_closes",
    "test_visitors_are_isolated",
]

pytestmark = pytest.mark.one_interpreter
PRISM = ROOT / "tools" / "node" / "node_modules" / ".bin" / "prism"
FORMS = {"3.1": dict(DOCUMENT.raw), "3.0.3": to_openapi_3_0(DOCUMENT)}


class Upstream:
    """The server behind the proxy: it passes each request to the mock of the running test."""

    def __init__(self) -> None:
        """Create a mock, whose state the server closes at its end."""
        self.mock = Mock(create_app(MockSettings()))
        self.state = self.mock.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await self.mock(scope, receive, send)


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    """Create the server behind the proxy."""
    return Upstream()


@pytest.fixture(scope="module", params=FORMS)
def proxy(
    request: pytest.FixtureRequest, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run the proxy on a form of the description, and yield its address."""
    if shutil.which("node") is None or not PRISM.exists():
        pytest.skip("prism of tools/node/package.json is not installed")
    path = tmp_path_factory.mktemp("prism") / "description.json"
    path.write_text(json.dumps(FORMS[request.param]), encoding="utf-8")
    with (
        serving(cast("Starlette", upstream)) as url,
        running_prism(PRISM, "proxy", path, url, "--errors") as address,
    ):
        yield address


@pytest.fixture
def make_mock(upstream: Upstream, proxy: str) -> Iterator[Callable[..., Mock]]:
    """Return a function that puts a new mock behind the proxy."""
    made: list[Mock] = []

    def make(**settings: Any) -> Mock:
        mock = Mock(create_app(MockSettings(**settings)))
        made.append(mock)
        mock.url = proxy
        upstream.mock = mock
        return mock

    yield make
    for mock in made:
        mock.state.store.close()
