"""The layer `errors`: refusals.

The checks provoke every documented error that can be provoked from outside: wrong
credentials, ids that never existed, malformed bodies, values out of bounds. The body
of a refusal is judged like that of every answer (`siteassist_contract.findings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from siteassist_contract import tolerance
from siteassist_contract.checks.bounds import Probe, probes
from siteassist_contract.checks.context import FIRST, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.description import (
    API_KEY,
    credential_name,
    ends_object,
    forms,
    operations,
    properties,
    takes_key,
)
from siteassist_contract.findings import refused_reason
from siteassist_contract.http.json_reader import LAST_INTERACTION
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.valid_requests import RequestParts, valid_requests, value_of, with_key
from siteassist_contract.report.reproduction import KEY_PLACE
from siteassist_contract.rules import OBJECT, RULES
from siteassist_spec import Operation, Parameter

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
SUCCESS_ENDS = 300
_MALFORMED = (*tolerance.REFUSALS, NOT_FOUND)
BAD_TOKENS = {
    "no token": "",
    "a header without a token": "Bearer",
    "a made-up token": "Bearer made-up-token-that-nobody-gave",
    "a changed token": f"Bearer {{{FIRST}}}x",
    "a token with a suffix": f"Bearer {{{FIRST}}}.x",
    "another scheme": f"Basic {{{FIRST}}}",
    "no scheme": f"{{{FIRST}}}",
    "a publishable key": f"Bearer {{{KEY_PLACE}}}",
}
MALFORMED_BODIES = {"not JSON": b'{"content": ', "not UTF-8": b'{"content": "\xff"}'}
FEW_BAD_TOKENS = {words: BAD_TOKENS[words] for words in ("no token", "a changed token")}
_ABSENT = object()
_T = TypeVar("_T")


class Refusals:
    """The checks of refusals, operation by operation."""

    def __init__(self, context: CheckContext) -> None:
        """Prepare a visitor with one conversation, which has one answer.

        If ``context.size`` is not whole, each rule is tested once on each operation.
        """
        self._context = context
        self._whole = context.size.whole
        self._findings = context.findings
        self._visitor = context.visitor()
        self._maker = ObjectMaker(self._make, context.target.api_key)
        ids: dict[str, str] = {}
        for operation in operations().values():
            ids = self._maker.make(operation, ids)
        self._valid = valid_requests(ids, context.target.api_key)
        self._ended = {
            _object_of(each) for each in self._valid.values() if ends_object(each.described)
        }
        """Objects that a request must not end: they have ended, or other requests need them.

        Each is the operation that ends it and the values of its path.
        """
        # The requests that created the objects. Reproductions begin with them.
        self._origin = list(context.recorder.history)

    def check(self, operation: Operation) -> None:
        """Test the refusals of an operation."""
        request = self._valid.get(operation.operation_id)
        if request is None:
            self._without_request(operation)
            return
        self._malformed(request)
        self._unknown(request)
        if operation.needs_token:
            self._tokens(request)
        self._keys(request)
        for probe in self._probes(request):
            self._probe(probe)

    def check_unknown_path(self) -> None:
        """Test a path that is not described."""
        self._context.recorder.history.clear()
        exchange = self._visitor.session.raw("getMe", "GET", "/no-such-path")
        kept = exchange.status in (NOT_FOUND, 405, 401)
        # The documents do not describe the body of this answer: O-8.
        self._judge(
            kept,
            "no-such-path",
            "getMe",
            "404 for a path that is not described",
            str(exchange.status),
        )

    def _probes(self, request: RequestParts) -> Iterator[Probe]:
        """Yield all probes of a request, or an invalid and a valid one."""
        seen = set()
        for probe in probes(request):
            if not self._whole:
                if probe.valid is None or probe.valid in seen:
                    continue
                if probe.valid and probe.request.costs:
                    continue
                seen.add(probe.valid)
            yield probe

    def _some(self, values: Iterable[_T]) -> Iterator[_T]:
        """Yield all values, or the first one."""
        return iter(values) if self._whole else islice(values, 1)

    def _without_request(self, operation: Operation) -> None:
        """Record why an operation is not tested, unless the reason is a missing key."""
        if self._context.has_key or operation.needs_token:
            for rule in RULES:
                if operation.operation_id in RULES[rule].operations:
                    self._findings.prevent(rule, operation.operation_id, OBJECT)

    def _renew_object(self, request: RequestParts) -> None:
        """Replace the object of a request, if it is in `_ended`."""
        valid = self._valid[request.operation]
        if _object_of(request) in self._ended:
            if _object_of(valid) in self._ended:
                history = self._context.recorder.history
                history.clear()
                made = self._maker.make(request.described)
                valid.path |= {name: made[name] for name in valid.path if name in made}
                self._origin = [*self._origin, *history]
            request.path = dict(valid.path)

    def _make(self, request: RequestParts) -> Exchange:
        session = self._context.session(request, self._visitor)
        exchange = session.send(request)
        self._findings.see(exchange, self._context.recorder.history)
        return exchange

    def _tokens(self, request: RequestParts) -> None:
        for words, credential in BAD_TOKENS.items() if self._whole else FEW_BAD_TOKENS.items():
            if KEY_PLACE in credential and not self._context.has_key:
                continue
            exchange = self._send(request, credential=credential)
            rule = "token-checked" if credential else "token-required"
            # The server may recognise the key, so 403 is correct, too.
            key = KEY_PLACE in credential and exchange.status == FORBIDDEN
            self._judge(
                exchange.status == UNAUTHORIZED or key,
                rule,
                request.operation,
                f"401 for {words}",
                str(exchange.status),
                words,
            )
            self._still_accepted(request, exchange, words)

    def _keys(self, request: RequestParts) -> None:
        if not takes_key(request.described):
            return
        key = self._context.target.api_key or ""
        wrong = {
            "made up": "pk_made_up_key_that_nobody_gave",
            "shortened": key[:-1],
            "longer": f"{key}0",
            "in swapped case": key.swapcase(),
        }
        for words, value in self._some(wrong.items()):
            exchange = self._send(with_key(request, value))
            self._judge(
                400 <= exchange.status < 500,
                "key-checked",
                request.operation,
                f"a refusal (401, 403 or 404) of a key that is {words}",
                str(exchange.status),
                words,
            )
            self._still_accepted(request, exchange, f"a key that is {words}")

    def _still_accepted(self, request: RequestParts, refused: Exchange, words: str) -> None:
        """Judge that a valid request is accepted after a refused one; only reading is free."""
        if request.method != "GET" or not self._whole:
            return
        exchange = self._send(request)
        self._context.recorder.history[-1:] = [replace(refused, compared=True), exchange]
        self._judge(
            exchange.status in SUCCESS,
            "accepted",
            request.operation,
            f"a valid request is accepted after one with {words}",
            str(exchange.status),
        )

    def _malformed(self, request: RequestParts) -> None:
        rule = "malformed-refused"
        if request.described.body is not None:
            for words, body in self._some(MALFORMED_BODIES.items()):
                exchange = self._send(request, body)
                self._judge(
                    exchange.status in tolerance.REFUSALS,
                    rule,
                    request.operation,
                    f"400 or 422 for a body that is {words}",
                    str(exchange.status),
                    words,
                )
        for parameter in request.described.places("path"):
            name = parameter.name
            for value in self._some(malformed_values(parameter)):
                exchange = self._send(request.changed(path={name: value}))
                self._judge(
                    exchange.status in _MALFORMED,
                    rule,
                    request.operation,
                    f"400, 404 or 422 for `{name}` {value!r}",
                    str(exchange.status),
                    name,
                )

    def _unknown(self, request: RequestParts) -> None:
        for parameter in request.described.places("path"):
            name = parameter.name
            unknown = request.changed(path={name: str(value_of(parameter.schema))})
            for body in self._some(_bodies(request)):
                exchange = self._send(unknown if body is None else unknown.changed(body=body))
                self._judge(
                    exchange.status in tolerance.HIDDEN,
                    "unknown-not-found",
                    request.operation,
                    f"404 for a `{name}` that never existed",
                    str(exchange.status),
                    name,
                )

    def _probe(self, probe: Probe) -> None:
        operation = probe.request.operation
        if probe.valid is not False and self._context.profile.gentle and probe.request.costs:
            return
        exchange = self._send(probe.request)
        if probe.valid is None or exchange.status in tolerance.CIRCUMSTANCES:
            return
        if probe.valid:
            kept = exchange.status < SUCCESS_ENDS or self._may_be_refused(probe, exchange)
            expected = f"a request whose `{probe.place}` is {probe.words} is accepted"
        else:
            kept = exchange.status in tolerance.REFUSALS
            if probe.place.rpartition("/")[2] == credential_name(API_KEY):
                kept = kept or exchange.status == UNAUTHORIZED
            expected = f"400 or 422 for a `{probe.place}` that is {probe.words}"
        self._judge(kept, "bounds", operation, expected, str(exchange.status), probe.place)

    def _may_be_refused(self, probe: Probe, exchange: Exchange) -> bool:
        """Whether the documents permit a refusal of a valid value."""
        values = probe.request.query.values()
        if exchange.status in tolerance.REFUSALS and LAST_INTERACTION in values:
            return True  # C-01
        body = probe.request.body
        if probe.request.operation == "createChatCompletion" and isinstance(body, dict):
            # O-9. The tests do not have the id of an existing assistant, either.
            made_up = "assistantId" in body
            return made_up or (exchange.status in tolerance.REFUSALS and not body.get("messages"))
        return False

    def _send(
        self, request: RequestParts, body: bytes | None = None, *, credential: str | None = None
    ) -> Exchange:
        """Send a request, with another body or credential if given.

        The history is reset to the requests that created the objects.
        """
        self._renew_object(request)
        self._context.recorder.history[:] = self._origin
        session = self._context.session(request, self._visitor)
        headers = {}
        if credential is not None:
            token = session.token or ""
            known = {FIRST: token, KEY_PLACE: self._context.target.api_key or ""}
            headers["Authorization"] = credential.format(**known)
            if not credential:
                session, headers = self._context.anonymous, {}
        exchange = session.send(request, body=body, headers=headers, credential=credential)
        self._findings.see(exchange, self._context.recorder.history)
        if exchange.status < SUCCESS_ENDS and ends_object(request.described):
            self._ended.add(_object_of(request))
        return exchange

    def _judge(
        self, kept: object, rule: str, operation: str, expected: str, actual: str, place: str = ""
    ) -> None:
        history = self._context.recorder.history
        if not kept and history and history[-1].status in tolerance.CIRCUMSTANCES:
            self._findings.prevent(rule, operation, refused_reason(history[-1]))
            return
        self._findings.judge(kept, rule, operation, expected, actual, history, place)


def _bodies(request: RequestParts) -> Iterator[dict[str, Any] | None]:
    """Yield the body of a request, and those in which a property has another of its few values."""
    yield request.body
    for name, schema in properties(request.described).items():
        for form in forms(schema):
            few = {"null": [None], "boolean": [True, False]}.get(str(form.get("type")), [])
            for value in form.get("enum", few):
                if (request.body or {}).get(name, _ABSENT) != value:
                    yield {**(request.body or {}), name: value}


def _object_of(request: RequestParts) -> tuple[str, ...]:
    return request.operation, *request.path.values()


def malformed_values(parameter: Parameter) -> tuple[str, ...]:
    """Return values of a path parameter that are not ids."""
    uuid = parameter.resolved.get("format") == "uuid"
    return ("not-a-uuid", "1", "0" * 36) if uuid else ()
