"""Layer 4: what a server refuses, and in which words.

Every documented error that can be provoked from outside is: wrong credentials,
ids that never existed, bodies that are none, values beyond their bounds. That
each refusal has the documented body, and tells nothing of the server's inside,
is judged of every answer (`siteassist_contract.findings`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from siteassist_contract import tolerance
from siteassist_contract.behaviour.model import KnownMessage
from siteassist_contract.behaviour.visitor import Visitor, is_uuid
from siteassist_contract.bounds import Probe, probes
from siteassist_contract.description import operations
from siteassist_contract.ground import FIRST, Ground
from siteassist_contract.rendering import KEY_PLACE
from siteassist_contract.requests import Plain, Things, valid_requests
from siteassist_contract.rules import PROTECTED, RULES
from siteassist_contract.traffic import Exchange

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_MALFORMED = (*tolerance.REFUSALS, NOT_FOUND)
_BAD_TOKENS = {
    "no token": "",
    "a header without a token": "Bearer",
    "a made-up token": "Bearer made-up-token-that-nobody-gave",
    "a changed token": f"Bearer {{{FIRST}}}x",
    "a token with an appendix": f"Bearer {{{FIRST}}}.x",
    "another scheme": f"Basic {{{FIRST}}}",
    "no scheme": f"{{{FIRST}}}",
    "a publishable key": f"Bearer {{{KEY_PLACE}}}",
}


class Refusals:
    """Provokes every refusal that can be provoked, one operation after the other."""

    def __init__(self, ground: Ground) -> None:
        """Prepare a visitor with one conversation, which has one answer."""
        self._ground = ground
        self._findings = ground.findings
        self._visitor = ground.visitor()
        things = _things(ground, self._visitor)
        self._valid = valid_requests(things)
        # What made the things that requests are about; a report starts there.
        self._origin = list(ground.wire.history)

    def run(self) -> Iterator[str]:
        """Test operation after operation; yields the name of each one that is done."""
        for name in operations():
            plain = self._valid.get(name)
            if plain is not None:
                if plain.operation == "closeConversation":
                    self._for_closing(plain)
                self._malformed(plain)
                self._unknown(plain)
                if name in PROTECTED:
                    self._tokens(plain)
                self._keys(plain)
                for probe in probes(plain):
                    self._probe(probe)
            yield name
        self._elsewhere()

    def _for_closing(self, plain: Plain) -> None:
        """Let a request that closes a conversation close one that nothing else needs."""
        history = self._ground.wire.history
        history.clear()
        known = self._visitor.start()
        if known is not None:
            self._origin = [*self._origin, *history]
            plain.path["conversationId"] = known.id

    def _tokens(self, plain: Plain) -> None:
        for words, credential in _BAD_TOKENS.items():
            if KEY_PLACE in credential and not self._ground.has_key:
                continue
            exchange = self._send(plain, credential=credential)
            rule = "token-checked" if credential else "token-required"
            # Of a key it may be said that it does not permit this.
            key = KEY_PLACE in credential and exchange.status == FORBIDDEN
            self._judge(
                exchange.status == UNAUTHORIZED or key,
                rule,
                plain.operation,
                f"401 for {words}",
                str(exchange.status),
                words,
            )

    def _keys(self, plain: Plain) -> None:
        if plain.operation not in RULES["key-checked"].operations:
            return
        key = self._ground.target.api_key or ""
        wrong = {
            "made up": "pk_made_up_key_that_nobody_gave",
            "cut": key[:-1],
            "longer": f"{key}0",
            "in other letters": key.swapcase(),
        }
        for words, value in wrong.items():
            if plain.body is None:
                changed = plain.changed(query={"apiKey": value})
            else:
                changed = plain.changed(body={**plain.body, "apiKey": value})
            exchange = self._send(changed)
            self._judge(
                400 <= exchange.status < 500,  # noqa: PLR2004  # any refusal
                "key-checked",
                plain.operation,
                f"a refusal (401, 403 or 404) of a key that is {words}",
                str(exchange.status),
                words,
            )

    def _malformed(self, plain: Plain) -> None:
        rule = "malformed-refused"
        operation = operations()[plain.operation]
        if operation.body is not None and rule_applies(rule, plain.operation):
            for words, body in {
                "no JSON": b'{"content": ',
                "no UTF-8": b'{"content": "\xff"}',
            }.items():
                exchange = self._send(plain, body)
                self._judge(
                    exchange.status in tolerance.REFUSALS,
                    rule,
                    plain.operation,
                    f"400 or 422 for a body that is {words}",
                    str(exchange.status),
                    words,
                )
        for name in plain.path if rule_applies(rule, plain.operation) else ():
            for value in ("not-a-uuid", "1", "0" * 36):
                exchange = self._send(plain.changed(path={name: value}))
                self._judge(
                    exchange.status in _MALFORMED,
                    rule,
                    plain.operation,
                    f"400, 404 or 422 for `{name}` {value!r}",
                    str(exchange.status),
                    name,
                )

    def _unknown(self, plain: Plain) -> None:
        if not rule_applies("unknown-not-found", plain.operation):
            return
        for name in plain.path:
            exchange = self._send(plain.changed(path={name: str(uuid.uuid4())}))
            self._judge(
                exchange.status in tolerance.HIDDEN,
                "unknown-not-found",
                plain.operation,
                f"404 for a `{name}` that never existed",
                str(exchange.status),
                name,
            )

    def _probe(self, probe: Probe) -> None:
        operation = probe.request.operation
        if probe.valid is not False and self._ground.profile.gentle and probe.request.costs:
            return
        if probe.valid is not False and operation == "closeConversation":
            self._for_closing(probe.request)
        exchange = self._send(probe.request)
        if probe.valid is None or exchange.status in tolerance.CIRCUMSTANCES:
            return
        if probe.valid:
            kept = exchange.status < 300 or self._may_be_refused(probe, exchange)  # noqa: PLR2004
            expected = f"a request whose `{probe.place}` is {probe.words} is accepted"
        else:
            kept = exchange.status in tolerance.REFUSALS
            if probe.place in ("apiKey", "body/apiKey"):
                kept = kept or exchange.status == UNAUTHORIZED
            expected = f"400 or 422 for a `{probe.place}` that is {probe.words}"
        self._judge(kept, "bounds", operation, expected, str(exchange.status), probe.place)

    def _may_be_refused(self, probe: Probe, exchange: Exchange) -> bool:
        """Whether the documents leave it open if a valid value is accepted."""
        values = probe.request.query.values()
        if exchange.status in tolerance.REFUSALS and tolerance.LAST_INTERACTION in values:
            return True  # C-01
        body = probe.request.body
        if probe.request.operation == "createChatCompletion" and isinstance(body, dict):
            # O-9; and which assistants there are, nobody says.
            made_up = "assistantId" in body
            return made_up or (exchange.status in tolerance.REFUSALS and not body.get("messages"))
        return False

    def _elsewhere(self) -> None:
        self._ground.wire.history.clear()
        exchange = self._visitor.session.raw("getMe", "GET", "/no-such-path")
        kept = exchange.status in (NOT_FOUND, 405, 401)
        # Which body it has, no page says: O-8.
        self._judge(
            kept,
            "no-such-path",
            "getMe",
            "404 for a path that is not described",
            str(exchange.status),
        )

    def _send(
        self, plain: Plain, body: bytes | None = None, *, credential: str | None = None
    ) -> Exchange:
        """Send a request on its own, with another body or credential."""
        self._ground.wire.history[:] = self._origin
        operation = operations()[plain.operation]
        session = self._visitor.session if operation.needs_token else self._ground.nobody
        headers = {}
        if credential is not None:
            token = session.token or ""
            known = {FIRST: token, KEY_PLACE: self._ground.target.api_key or ""}
            headers["Authorization"] = credential.format(**known)
            if not credential:
                session, headers = self._ground.nobody, {}
        exchange = session.raw(
            plain.operation,
            plain.method,
            plain.target,
            query=plain.query or None,
            body=plain.body if body is None else body,
            headers=headers,
            credential=credential,
        )
        self._findings.see(exchange, self._ground.wire.history)
        return exchange

    def _judge(  # noqa: PLR0913  # as `Findings.judge`
        self, kept: object, rule: str, operation: str, expected: str, actual: str, place: str = ""
    ) -> None:
        history = self._ground.wire.history
        if not kept and history and history[-1].status in tolerance.CIRCUMSTANCES:
            reason = f"the server refused it with {history[-1].status}"
            self._findings.prevent(rule, operation, reason)
            return
        self._findings.judge(kept, rule, operation, expected, actual, history, place)


def rule_applies(rule: str, operation: str) -> bool:
    """Whether a rule is about an operation."""
    return operation in RULES[rule].operations


def _things(ground: Ground, visitor: Visitor) -> Things:
    known = visitor.start()
    message = ""
    if known is not None:
        visitor.send(known, "Hello")
        answers = [m for m in known.messages if m.role != "user"]
        message = (answers or known.messages or [KnownMessage("", "", "", "")])[0].id
    project = qna = ""
    if ground.target.api_key:
        nobody = ground.nobody
        project = str(nobody.project(ground.target.api_key).document.get("id"))
        project = project if is_uuid(project) else ""
        if project:
            entries = nobody.qnas(project).document.get("data")
            first = entries[0] if isinstance(entries, list) and entries else {}
            qna = str(first.get("id")) if isinstance(first, dict) else ""
            qna = qna if is_uuid(qna) else ""
    return Things(
        known.id if known else str(uuid.uuid4()),
        message if is_uuid(message) else "",
        project=project,
        qna=qna,
        api_key=ground.target.api_key or "",
    )
