"""The context of the checks of a run: the recorder, the visitors, the findings."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from siteassist_contract.checks.behaviour.visitor import Visitor, is_uuid
from siteassist_contract.description import (
    CLOSING,
    all_operations,
    ends_object,
    session_arguments,
    session_token,
)
from siteassist_contract.findings import Findings, faults_of
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Exchange, Recorder
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_contract.profiles import Profile, Size
from siteassist_contract.report.reproduction import VISITORS
from siteassist_contract.rules import KEY, TWO_VISITORS
from siteassist_contract.verdict import ContractBrokenError

FIRST, SECOND = VISITORS
_SUCCESS_ENDS = 300


@dataclass
class CheckContext:
    """The state that the checks of one run share."""

    target: Target
    profile: Profile
    recorder: Recorder
    findings: Findings
    devices: dict[str, str] = field(default_factory=dict)
    """The device of each visitor, shared with the renderer of commands."""
    human_conversation: str | None = None
    operator: str | None = None
    """The address of the endpoints with which the tests act as a human agent."""
    socket_required: bool = False
    """Whether a server without a socket violates the contract."""
    part: frozenset[str] | None = None
    """The operations of the part of a check that runs; None for a whole check."""
    selected: frozenset[str] | None = None
    """The operations that whole checks try in a narrowed run; None for all."""
    size: Size = field(init=False)
    """The size of the journeys; by default the profile's."""
    _token: str | None = field(default=None, repr=False)
    """The token of the latest visitor, for conversations that were started without one."""
    started: dict[str, str | None] = field(default_factory=dict, repr=False)
    """The conversations that the run has started, with the tokens for closing them."""

    def __post_init__(self) -> None:
        """Use the size of the profile."""
        self.size = self.profile.size

    def takes(self, operation: str) -> bool:
        """Whether an operation belongs to the part of a check that runs, and to the run."""
        return all(each is None or operation in each for each in (self.part, self.selected))

    @property
    def anonymous(self) -> Session:
        """A session without a credential."""
        return Session(self.target.base_url, self.recorder, "", None)

    def session(self, request: RequestParts, visitor: Visitor) -> Session:
        """Return the session for a request of a visitor: without a credential if none is needed."""
        return visitor.session if request.described.needs_token else self.anonymous

    @property
    def has_key(self) -> bool:
        """Whether a publishable key was given, which allows any number of visitors."""
        return self.target.api_key is not None

    def visitor(self, name: str = FIRST) -> Visitor:
        """Return a new visitor, or the visitor of a given token if no key was given.

        The history of the recorder is cleared for the first visitor.
        Raises `ContractBrokenError` if `init` returns no session token.
        """
        if name == FIRST:
            self.recorder.history.clear()
        if self.target.api_key is None:
            return self.token_visitor(name)
        device = f"siteassist-contract-{self.target.run}-{uuid.uuid4().hex[:8]}"
        exchange = self.session_of(device)
        described = not faults_of(exchange)
        self.findings.judge(
            exchange.status in (200, 201),
            "accepted",
            "init",
            "a valid request is accepted",
            str(exchange.status),
            self.recorder.history,
        )
        document = exchange.document
        token = session_token(document)
        if exchange.refused:
            # Not a violation, but the other tests need the session just the same.
            raise ContractBrokenError(f"init was refused with {exchange.status}")
        if token is None:
            raise ContractBrokenError("init returned no session token, which all other tests need")
        self.devices[name] = device
        self._token = token
        session = Session(self.target.base_url, self.recorder, name, token)
        # The rule `described` reports an invalid answer; the visitor is known from another one.
        visitor_id = str(document["visitor"]["id"]) if described else _read_visitor(session)
        return Visitor(session, self.findings, self.recorder.history, visitor_id=visitor_id)

    def session_of(self, device: str) -> Exchange:
        """Start or renew the session of a device."""
        exchange = self.anonymous.call(
            "init", body=session_arguments(str(self.target.api_key), device)
        )
        token = session_token(exchange.document)
        if token is not None:
            self.findings.secrets.add_token(token)
        self.findings.see(exchange, self.recorder.history)
        return exchange

    def change_session(self, visitor: Visitor) -> None:
        """Continue as the first visitor in a second session of its device.

        The new token is filed as that of the second visitor, so that programs which repeat
        requests have both tokens. The visitor keeps its session without a key, or if the answer
        shows no other session of the same visitor.
        """
        device = self.devices.get(FIRST)
        if device is None or not self.has_key:
            return
        document = self.session_of(device).document
        token, shown = session_token(document), document.get("visitor")
        id_ = str(shown.get("id")) if isinstance(shown, Mapping) else ""
        if token is not None and id_.lower() == visitor.visitor_id.lower():
            self.devices[SECOND], self._token = device, token
            visitor.session = Session(self.target.base_url, self.recorder, SECOND, token)

    def token_visitor(self, name: str = FIRST) -> Visitor:
        """Return the visitor of the given token, or of the second one, in the role ``name``."""
        self.devices.pop(name, None)
        self._token = self.target.token if name == FIRST else self.target.second_token
        session = Session(self.target.base_url, self.recorder, name, self._token)
        visitor = Visitor(session, self.findings, self.recorder.history, exclusive=False)
        visitor.visitor_id = _read_visitor(session)
        return visitor

    def remember(self, exchange: Exchange, token: str | None) -> None:
        """Remember a conversation that a request with ``token`` started, or forget an ended one."""
        if not exchange.is_of_method:
            return
        if exchange.operation == "startConversation" and exchange.status < _SUCCESS_ENDS:
            conversation = str(exchange.document.get("id")).lower()
            if is_uuid(conversation):
                self.started[conversation] = token or self._token
        elif exchange.status < _SUCCESS_ENDS and ends_object(all_operations()[exchange.operation]):
            for conversation in [c for c in self.started if c in exchange.target.lower()]:
                del self.started[conversation]

    def without_key(self, *pairs: tuple[str, str]) -> None:
        """Record that pairs of rule and operation could not be tested without a key."""
        for rule, operation in pairs:
            self.findings.prevent(rule, operation, KEY)

    def without_second_visitor(self, *pairs: tuple[str, str]) -> None:
        """Record that pairs of rule and operation could not be tested with one visitor."""
        for rule, operation in pairs:
            self.findings.prevent(rule, operation, TWO_VISITORS)

    def close_all(self) -> None:
        """Close every open conversation that the run has started."""
        for conversation, token in list(self.started.items()):
            session = Session(self.target.base_url, self.recorder, FIRST, token)
            session.call(CLOSING, path={"conversationId": conversation})
            self.started.pop(conversation, None)


Check: TypeAlias = tuple[str, Callable[[CheckContext], None], frozenset[str]]
"""The words of a check, the function that runs it, and the rules that it may test."""


def _read_visitor(session: Session) -> str:
    """Return the id of the visitor of a session.

    Raises `ContractBrokenError` if it is refused by circumstances.
    """
    exchange = session.call("getMe")
    if exchange.refused:
        raise ContractBrokenError(f"getMe was refused with {exchange.status}")
    return str(exchange.document.get("id"))
