"""One visit to a website: its requests, from the first page to a closed conversation.

`siteassist_contract.checks.behaviour.visitor` judges each answer and reads back the stored
data; this module decides the order of the requests.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.behaviour.visitor import OK, Visitor
from siteassist_contract.description import (
    key_argument,
    page_query,
    session_arguments,
    session_token,
)
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Exchange, Recorder
from siteassist_contract.http.session import Session
from siteassist_contract.load import plan
from siteassist_contract.load.judge import LoadFindings
from siteassist_contract.report.reproduction import VISITORS, Renderer

FIRST, SECOND = VISITORS
QUESTION = "How long does shipping take?"
NO_QNAS = "the project has no Q&As"
_CONTEXT = {"context": {"pageUrl": "https://shop.example/pricing"}}
_PAGE = {"pageContext": {"url": "https://shop.example/pricing", "title": "Pricing"}}


@dataclass(frozen=True)
class Visit:
    """One visit, with a device of its own."""

    target: Target
    recorder: Recorder
    """The recorder of the visitor, whose history is that of the visit."""
    findings: LoadFindings
    devices: dict[str, str]
    """The devices of the visit, shared with the renderer of commands."""
    think: Callable[[], None]
    """Called between two steps; may end the visit with an exception."""
    steps: Counter[str] = field(default_factory=Counter)
    """Number of steps, by name, that came to their end."""
    unmet: dict[str, str] = field(default_factory=dict)
    """The reason why a step was impossible, by its name."""

    @classmethod
    def prepare(
        cls, target: Target, recorder: Recorder, think: Callable[[], None], *, render: bool = True
    ) -> Visit:
        """Prepare a visit, without requests; ``render`` is whether violations get commands."""
        recorder.history.clear()
        devices: dict[str, str] = {}
        findings = LoadFindings(
            secrets=target.secrets(),
            render=Renderer(target.base_url, target.api_key, devices, target.network)
            if render
            else _no_commands,
        )
        return cls(target, recorder, findings, devices, think)

    def run(self, number: int) -> bool:
        """Make the visit, and return whether it came to its last step.

        ``number`` selects its optional steps. Raises
        `siteassist_contract.load.judge.CutShortError`,
        `siteassist_contract.http.recorder.UnansweredError` or
        `siteassist_contract.http.recorder.GoneError` if the visit cannot continue.
        """
        anonymous = Session(self.target.base_url, self.recorder, "", None)
        project = self._document(anonymous.call("getProject", query=self._key))
        self._done(plan.PROJECT)
        again = plan.SESSION_AGAIN.is_in(number)
        visitor = self._start_session(FIRST, again=again)
        if visitor is None:
            return False
        self._done(plan.SESSION, *((plan.SESSION_AGAIN,) if again else ()))
        self.think()
        with_context = plan.START_WITH_CONTEXT.is_in(number)
        known = visitor.start(_CONTEXT if with_context else None)
        if known is None:
            return False
        self._done(plan.START_WITH_CONTEXT if with_context else plan.START_WITHOUT_BODY)
        if plan.START_SECOND.is_in(number):
            visitor.start(None if with_context else _CONTEXT)
            self._done(plan.START_SECOND)
        # Unique, so that data of another visit is recognised.
        secret = f"{QUESTION} {uuid.uuid4().hex}"
        visitor.send(known, secret, stream=False, extra=_PAGE)
        self._done(plan.SEND)
        self.think()
        visitor.send(known, f"Tell me more, {uuid.uuid4().hex}.", stream=True)
        self._done(plan.SEND_STREAM)
        self.think()
        visitor.history(known, limit=2, offset=1)
        visitor.history(known, role="assistant")
        self._done(plan.HISTORY)
        answer = next((m for m in known.messages if m.role == "assistant"), None)
        if answer is not None:
            visitor.rate(known, answer, "like")
            visitor.rate(known, answer, None)
            self._done(plan.RATE)
        self.think()
        self._read_knowledge(anonymous, str(project.get("id") or ""))
        self.think()
        as_stream = plan.COMPLETE_STREAM.is_in(number)
        visitor.complete(QUESTION, stream=as_stream)
        self._done(plan.COMPLETE_STREAM if as_stream else plan.COMPLETE)
        visitor.page(limit=5)
        if plan.INTRUDE.is_in(number):
            stranger = self._start_session(SECOND)
            if stranger is not None:
                self._intrude(stranger.session, known.id, secret)
                self._done(plan.INTRUDE)
        self.think()
        with_reason = plan.CLOSE_WITH_REASON.is_in(number)
        visitor.close(known, {"closeReason": "Issue resolved"} if with_reason else None)
        self._done(plan.CLOSE_WITH_REASON if with_reason else plan.CLOSE)
        visitor.history(known)
        visitor.page(status="closed")
        self._done(plan.LIST, plan.LAST)
        return True

    def _start_session(self, name: str, *, again: bool = False) -> Visitor | None:
        """Start the session of a new device, or two sessions in a row if ``again`` is set."""
        device = f"siteassist-load-{self.target.run}-{uuid.uuid4().hex[:12]}"
        self.devices[name] = device
        body = session_arguments(str(self.target.api_key), device)
        anonymous = Session(self.target.base_url, self.recorder, "", None)
        exchanges = [anonymous.call("init", body=body)]
        self._token(exchanges[0])
        if again:
            exchanges.append(anonymous.call("init", body=body))
            self._token(exchanges[1])
        ids = [_visitor_id(exchange) for exchange in exchanges]
        statuses = [exchange.status for exchange in exchanges]
        due = [201, 200][: len(exchanges)]
        words = "201 for a new device" + (", 200 for the same device again" if again else "")
        self._judge(statuses == due, "device-status", "init", words, f"{statuses}")
        self._judge(len(set(ids)) == 1, "device-visitor", "init", "the same visitor", f"{ids}")
        token = session_token(exchanges[-1].document)
        if token is None:
            return None  # the rule `described` reports it
        session = Session(self.target.base_url, self.recorder, name, token)
        me = self._document(session.call("getMe"))
        self._judge(str(me.get("id")) == ids[-1], "me", "getMe", ids[-1], str(me.get("id")))
        return Visitor(session, self.findings, self.recorder.history, visitor_id=ids[-1])

    def _read_knowledge(self, anonymous: Session, project_id: str) -> None:
        """Search, and read the Q&As."""
        found = self._document(
            anonymous.call("search", query={"q": QUESTION, "size": 3, **self._key})
        )
        results = found.get("results")
        count = len(results) if isinstance(results, list) else 0
        self._judge(count <= 3, "list-page", "search", "at most 3 results", f"{count}")
        self._done(plan.SEARCH)
        if not project_id:
            return
        page = self._document(
            anonymous.call(
                "getQnas", path={"projectId": project_id}, query=page_query("getQnas", limit=2)
            )
        )
        data = page.get("data")
        items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
        total = page.get("total")
        due = min(2, int(total)) if isinstance(total, int | float) else len(items)
        self._judge(len(items) == due, "list-page", "getQnas", f"{due} of {total}", f"{len(items)}")
        self._done(plan.QNAS)
        if not items:
            self.unmet[plan.QNA.name] = NO_QNAS
        for item in items[:1]:
            one = self._document(
                anonymous.call(
                    "getQna", path={"projectId": project_id, "qnaId": str(item.get("id"))}
                )
            )
            shown = str(one.get("id"))
            self._judge(
                one.get("id") == item.get("id"), "same-object", "getQna", f"{item.get('id')}", shown
            )
            self._done(plan.QNA)

    def _intrude(self, session: Session, conversation_id: str, secret: str) -> None:
        """Read a conversation as another visitor, and check that it is refused."""
        for operation_id in plan.INTRUDED:
            exchange = session.call(operation_id, path={"conversationId": conversation_id})
            self._see(exchange)
            shown = secret.encode() in exchange.content
            self._judge(
                exchange.status in tolerance.HIDDEN and not shown,
                "isolation",
                exchange.operation,
                "403 or 404 for another visitor's object",
                f"{exchange.status}{', with data of the owner' if shown else ''}",
            )

    def _done(self, *steps: plan.Step) -> None:
        """Record that steps of the visit came to their end."""
        self.steps.update(step.name for step in steps)

    @property
    def _key(self) -> dict[str, str]:
        return key_argument(str(self.target.api_key))

    def _token(self, exchange: Exchange) -> None:
        token = session_token(exchange.document)
        if token is not None:
            self.findings.secrets.add_token(token)
        self._document(exchange)

    def _document(self, exchange: Exchange) -> dict[str, Any]:
        """Check that a valid request was accepted, and return the JSON object of the answer."""
        self._see(exchange)
        self._judge(
            OK <= exchange.status < 300,
            "accepted",
            exchange.operation,
            "a valid request is accepted",
            str(exchange.status),
        )
        return exchange.document

    def _see(self, exchange: Exchange) -> None:
        self.findings.see(exchange, self.recorder.history)

    def _judge(self, kept: object, rule: str, operation: str, expected: str, actual: str) -> None:
        self.findings.judge(kept, rule, operation, expected, actual, self.recorder.history)


def _visitor_id(exchange: Exchange) -> str:
    visitor = exchange.document.get("visitor")
    return str(visitor.get("id")) if isinstance(visitor, dict) else "none"


def _no_commands(_: object) -> tuple[str, str]:
    return "", ""
