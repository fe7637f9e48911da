"""A visitor that owns one object of each kind, and its requests, of which probes change a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from siteassist_contract import tolerance
from siteassist_contract.checks.context import FIRST, SECOND, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.description import operations
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.report.reproduction import KEY_PLACE, filled
from siteassist_spec import Operation

Pairs = Sequence[tuple[str, str]]


class Owner:
    """A visitor with an object for each path parameter.

    Unless a test needs more, the reproduction of a request has the requests that made the
    objects, and the request itself.
    """

    def __init__(self, context: CheckContext, *, sends_messages: bool = True) -> None:
        """Start a session, and make the objects.

        Unless it ``sends_messages``, and on a server in production, no message is sent for them.
        """
        self.context = context
        self.visitor = context.visitor()
        self.history = context.recorder.history
        self._maker = ObjectMaker(
            self.send,
            context.target.api_key,
            sends_messages=sends_messages and not context.profile.gentle,
        )
        self.ids: dict[str, str] = {}
        for operation in operations().values():
            self.ids = self._maker.make(operation, self.ids)
        self.origin = list(self.history)

    @property
    def whole(self) -> bool:
        """Whether to ask every question, or each kind of question once."""
        return self.context.size.whole and not self.context.profile.gentle

    def requests(self) -> list[RequestParts]:
        """Return a valid request of each operation that has one."""
        found = (self.request(operation) for operation in operations().values())
        return [request for request in found if request is not None]

    def request(
        self, operation: Operation, ids: Mapping[str, str] | None = None
    ) -> RequestParts | None:
        """Return a valid request on the objects, or on those with other ``ids``, or None."""
        given = self.ids if ids is None else ids
        return valid_request(operation, given, self.context.target.api_key)

    def fresh(self, operation: Operation) -> tuple[RequestParts | None, dict[str, str]]:
        """Return a valid request on new objects, or None, and their ids."""
        made = self._maker.make(operation)
        return valid_request(operation, made, self.context.target.api_key), made

    def stranger(self) -> Session:
        """Start a session of another visitor."""
        return self.context.visitor(SECOND).session

    def session(self, operation: Operation) -> Session:
        """Return the session in which the operation is requested."""
        return self.visitor.session if operation.needs_token else self.context.anonymous

    def reset(self) -> None:
        """Begin the history of the next request with those that made the objects."""
        self.history[:] = self.origin

    def send(
        self,
        request: RequestParts,
        *,
        session: Session | None = None,
        method: str | None = None,
        target: str | None = None,
        query: Pairs | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
        credential: str | None = None,
        described: bool = True,
    ) -> Exchange:
        """Send a request with changed parts, and apply the rules of every answer.

        ``target`` and ``query`` are sent as they are. ``credential`` has placeholders for
        tokens, as in reproductions. The answer is not compared with the description unless it
        is ``described``.
        """
        operation = request.described
        session = session or self.session(operation)
        given: dict[str, str | None] = {**request.header, **(headers or {})}
        if credential is not None:
            tokens = {FIRST: self.visitor.session.token or ""}
            key = self.context.target.api_key or ""
            given["Authorization"] = filled(credential, {**tokens, KEY_PLACE: key})
        pairs = list(request.query.items()) if query is None else query
        where = request.target if target is None else target
        exchange = session.raw(
            request.operation,
            method or request.method,
            f"{where}?{urlencode(pairs)}" if pairs else where,
            body=request.body if body is None else body,
            headers=given,
            credential=credential,
        )
        self.context.findings.see(exchange, self.history, described=described)
        return exchange

    def judge(
        self,
        kept: object,
        rule: str,
        exchange: Exchange,
        expected: str,
        actual: str = "",
        place: str = "",
    ) -> bool:
        """Judge a rule by an exchange; by default, its status is the actual behaviour."""
        if exchange.status in tolerance.CIRCUMSTANCES:
            return True
        return self.context.findings.judge(
            kept,
            rule,
            exchange.operation,
            expected,
            actual or str(exchange.status),
            self.history,
            place,
        )
