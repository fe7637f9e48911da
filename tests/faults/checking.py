"""The fixed checks of the contract suite, run on one application without a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from siteassist_contract import plan
from siteassist_contract.checks import derived, streams
from siteassist_contract.checks.behaviour import journeys
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.refusals import Refusals
from siteassist_contract.checks.sockets import SocketChecks
from siteassist_contract.description import handshakes, operations
from siteassist_contract.findings import SOCKET, Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import Profile
from siteassist_contract.report.reproduction import Renderer
from siteassist_mock.operator.endpoints import CONTROL_PATH
from siteassist_mock.testing import serving
from tests.in_process import InProcess
from tests.values import API_KEY

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette

__all__ = [
    "BASE",
    "CHECKS",
    "Check",
    "conversation",
    "event_streams",
    "findings",
    "identity",
    "isolation",
    "knowledge",
    "lists",
    "refusals",
    "socket_findings",
]

BASE = "http://mock.test/v2"
_PROFILE = Profile("tiny", "for tests", 1, 0, 8, 4)

Check: TypeAlias = Callable[[CheckContext], None]
"""A deterministic part of a run of the contract suite."""

identity: Check = journeys.identity
isolation: Check = journeys.isolation
conversation: Check = journeys.conversation
lists: Check = journeys.lists
knowledge: Check = journeys.knowledge


def refusals(context: CheckContext) -> None:
    """Run the checks of refusals."""
    checks = Refusals(context)
    for operation in operations().values():
        checks.check(operation)
    checks.check_unknown_path()


def event_streams(context: CheckContext) -> None:
    """Run the checks of event streams."""
    for _, check in streams.STREAMS:
        check(context)


CHECKS: Mapping[str, Check] = {
    "refusals": refusals,
    "event streams": event_streams,
    **{words: check for words, check, _ in (*derived.DERIVED, *plan.KINDS)},
    **{journey.words: journey.run for journey in journeys.JOURNEYS},
}
"""The fixed checks, by name."""


def findings(
    app: Starlette, *checks: Check, api_key: str | None = API_KEY, token: str | None = None
) -> Findings:
    """Run ``checks`` on ``app`` and return their findings."""
    with InProcess(app) as transport:
        context = _context(transport, api_key, token)
        for check in checks:
            check(context)
    return context.findings


def socket_findings(app: Starlette, *, operator: bool = True, whole: bool = False) -> Findings:
    """Run the checks of sockets on ``app``, over connections, and return their findings.

    With ``operator``, they act as a human agent. A text is waited for one second only.
    """
    with serving(app) as url:
        devices: dict[str, str] = {}
        render = Renderer(url, API_KEY, devices)
        found = Findings(secrets=Filter([API_KEY]), render=render, layer=SOCKET)
        recorder = Recorder(base_url=url, sleep=_do_not_sleep)
        control = f"{url.removesuffix('/v2')}{CONTROL_PATH}" if operator else None
        target = Target(url, API_KEY)
        context = CheckContext(target, _PROFILE, recorder, found, devices, operator=control)
        context.size = replace(context.size, whole=whole)
        for operation in handshakes().values():
            checks = SocketChecks(context, operation, patience=1.0)
            for check in (checks.check_handshakes, checks.check_texts, checks.check_messages):
                check()
        recorder.close()
    return found


def _context(
    transport: httpx.BaseTransport, api_key: str | None, token: str | None
) -> CheckContext:
    devices: dict[str, str] = {}
    found = Findings(secrets=Filter([api_key, token]), render=Renderer(BASE, api_key, devices))
    recorder = Recorder(transport=transport, sleep=_do_not_sleep)
    return CheckContext(Target(BASE, api_key, token), _PROFILE, recorder, found, devices)


def _do_not_sleep(seconds: float) -> None:
    raise AssertionError(f"unexpected sleep of {seconds} s")
