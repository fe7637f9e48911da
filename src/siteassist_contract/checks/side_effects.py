"""Side effects of refused requests, which must have none.

Many requests are refused between two looks at everything that a visitor can see. If the second
look shows a difference, the requests are halved on new objects until one is left.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks import shown_objects
from siteassist_contract.checks.bounds import Probe, probes
from siteassist_contract.checks.context import FIRST, SECOND, Check, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.refusals import (
    BAD_TOKENS,
    FEW_BAD_TOKENS,
    MALFORMED_BODIES,
    malformed_values,
)
from siteassist_contract.description import (
    DEVICE,
    credential_name,
    ends_object,
    forms,
    operations,
    page_query,
    properties,
    session_arguments,
    takes_key,
)
from siteassist_contract.findings import compared_with
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import CLIENT_ERRORS, SUCCESS, Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request, with_key
from siteassist_contract.report.reproduction import KEY_PLACE
from siteassist_contract.rules import EVERY_ANSWER, GENTLE, KEY, RULES
from siteassist_spec import Operation

RULE = "no-side-effects"
MOST = 100
"""Maximum length of a page."""
_MOST_PROBES = 3
"""Maximum number of invalid values of each field."""
_ROUNDS = 2
"""Number of times that requests are tried, the second time without the accepted ones."""


@dataclass(frozen=True)
class Attempt:
    """A request that a server must refuse, or may refuse."""

    operation: str
    words: str
    send: Callable[[World], Exchange] = field(repr=False)


def check_refusals(context: CheckContext) -> None:
    """Check that refused requests change nothing that a visitor can see."""
    if context.profile.gentle:
        for name in RULES[RULE].operations:
            context.findings.prevent(RULE, name, GENTLE)
        return
    checks = _Checks(context)
    found = [each for each in checks.attempts() if context.takes(each.operation)]
    groups = [found] if not context.size.whole else _by_operation(found)
    for group in groups:
        checks.judge(group)
    checks.judge_devices()


CHECKS: tuple[Check, ...] = (
    (
        "effects of refused requests",
        check_refusals,
        EVERY_ANSWER | {RULE},
    ),
)


class World:
    """An open conversation with a rated answer, a closed one, and the view of their visitor."""

    def __init__(self, context: CheckContext, stranger: Session | None) -> None:
        """Create the objects as a new visitor."""
        self._context = context
        self._findings = context.findings
        self.history = context.recorder.history
        self.visitor = context.visitor()
        self.stranger = stranger
        self.ghost = str(uuid.uuid4())
        """The id of an object that never existed."""
        key = context.target.api_key
        maker = ObjectMaker(self.send, key)
        self.ids: dict[str, str] = {}
        for operation in operations().values():
            if operation.owned and not ends_object(operation):
                self.ids = maker.make(operation, self.ids)
        self.closed = dict(self.ids)
        for operation in operations().values():
            request = valid_request(operation, self.ids, key)
            other = None if request is None else _other_value(request)
            if other is not None:
                self.send(other)  # A refused request would store another value.
            if ends_object(operation):
                self.closed = self.ids | maker.make(operation)
                ending = valid_request(operation, self.closed, key)
                if ending is not None:
                    self.send(ending)
        self.origin = list(self.history)

    def send(self, request: RequestParts, session: Session | None = None) -> Exchange:
        """Send a request, by default as the visitor."""
        if session is None:
            session = self._context.session(request, self.visitor)
        exchange = session.send(request)
        self._findings.see(exchange, self.history)
        return exchange

    def look(self) -> dict[str, Exchange]:
        """Return everything that the visitors can see, by a description of the request."""
        return {
            words: self.send(request, session)
            for words, request, session in self._requests()
            if request is not None
        }

    def _requests(self) -> Iterator[tuple[str, RequestParts | None, Session | None]]:
        """Yield requests with their descriptions and the sessions other than the visitor's."""
        for operation in operations().values():
            if operation.method == "GET" and operation.needs_token:
                if operation.owned:
                    yield from self._objects(operation)
                elif operation.paging is None:
                    yield operation.operation_id, self._request(operation, {}), None
                elif self.visitor.exclusive:
                    yield from self._lists(operation)

    def _objects(
        self, operation: Operation
    ) -> Iterator[tuple[str, RequestParts | None, Session | None]]:
        name, whole = operation.operation_id, self._context.size.whole
        unknown = dict.fromkeys(self.ids, self.ghost)
        if whole or operation.paging is None:  # The object itself shows its parts.
            yield name, self._request(operation, self.ids), None
            yield f"{name} of an unknown object", self._request(operation, unknown), None
        if whole:
            yield f"{name} of a closed object", self._request(operation, self.closed), None

    def _lists(
        self, operation: Operation
    ) -> Iterator[tuple[str, RequestParts | None, Session | None]]:
        name = operation.operation_id
        request = self._request(operation, {})
        if request is not None:
            query = page_query(name, limit=MOST)
            request = request.changed(query={n: str(v) for n, v in query.items() if v})
        yield name, request, None
        if self.stranger is not None:
            yield f"{name} of another visitor", request, self.stranger

    def _request(self, operation: Operation, ids: Mapping[str, str]) -> RequestParts | None:
        return valid_request(operation, ids, self._context.target.api_key)


class _Checks:
    """The refused requests, and the judgement of their side effects."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._whole = context.size.whole
        self._findings = context.findings
        self._key = context.target.api_key
        self._stranger: Session | None = None
        if context.target.has_two_visitors:
            self._stranger = context.visitor(SECOND).session
        self._world = World(context, self._stranger)

    # Requests

    def attempts(self) -> Iterator[Attempt]:
        """Yield the requests that may leave something behind: those of operations that write."""
        for name in RULES[RULE].operations:
            operation = operations()[name]
            request = valid_request(operation, self._world.ids, self._key)
            if request is None:
                if not self._context.has_key:
                    self._findings.prevent(RULE, name, KEY)
                continue
            yield from self._tokens(operation)
            yield from self._bodies(operation)
            yield from self._ids(operation)
            if takes_key(operation):
                yield Attempt(name, "a wrong key", self._sender(name, key="pk_made_up_key"))

    def _tokens(self, operation: Operation) -> Iterator[Attempt]:
        if not operation.needs_token:
            return
        for words, credential in (BAD_TOKENS if self._whole else FEW_BAD_TOKENS).items():
            if KEY_PLACE in credential and not self._context.has_key:
                continue
            yield Attempt(
                operation.operation_id,
                words,
                self._sender(operation.operation_id, credential=credential),
            )
            if not self._whole:
                return

    def _bodies(self, operation: Operation) -> Iterator[Attempt]:
        name = operation.operation_id
        if operation.body is None:
            return
        for words, content in MALFORMED_BODIES.items():
            yield Attempt(name, f"a body that is {words}", self._sender(name, content=content))
            if not self._whole:
                break
        request = valid_request(operation, self._world.ids, self._key)
        places: dict[str, list[Probe]] = {}
        for probe in probes(request) if request is not None else ():
            if probe.valid is False:
                places.setdefault(probe.place, []).append(probe)
        for place, invalid in places.items():
            # The first ones are null or left out, the last one is out of bounds.
            chosen = invalid[:_MOST_PROBES] + invalid[_MOST_PROBES:][-1:]
            if not self._whole:
                chosen = [] if place == "body" else chosen[1:2]
            for probe in chosen:
                yield from self._invalid(operation, probe)
            if chosen and not self._whole:
                return

    def _invalid(self, operation: Operation, probe: Probe) -> Iterator[Attempt]:
        """Yield the request of a probe, and the same one for a stream if there is one."""
        name, body = operation.operation_id, probe.request.body
        words = f"a `{probe.place}` that is {probe.words}"
        yield Attempt(name, words, self._sender(name, body=body))
        stream = operation.stream
        if self._whole and stream is not None and isinstance(body, dict):
            if probe.place.endswith(stream.request_flag):
                return
            streamed = {**body, stream.request_flag: True}
            yield Attempt(name, f"{words}, as a stream", self._sender(name, body=streamed))

    def _ids(self, operation: Operation) -> Iterator[Attempt]:
        name = operation.operation_id
        if not operation.owned:
            return
        for parameter in operation.places("path"):
            unknown = self._sender(name, ids=lambda world: dict.fromkeys(world.ids, world.ghost))
            yield Attempt(name, f"an unknown `{parameter.name}`", unknown)
            for value in malformed_values(parameter) if self._whole else ():
                malformed = self._sender(name, ids=partial(_all, value))
                yield Attempt(name, f"the `{parameter.name}` {value!r}", malformed)
        if self._stranger is not None:
            yield Attempt(name, "another visitor's object", self._sender(name, stranger=True))
        if operation.stream is not None:
            closed = self._sender(name, ids=lambda world: world.closed)
            yield Attempt(name, "a closed conversation", closed)

    def _sender(
        self,
        name: str,
        *,
        ids: Callable[[World], Mapping[str, str]] = lambda world: world.ids,
        body: Any = ...,
        content: bytes | None = None,
        credential: str | None = None,
        key: str | None = None,
        stranger: bool = False,
    ) -> Callable[[World], Exchange]:
        """Return a function that sends a request on the objects of a world."""

        def send(world: World) -> Exchange:
            operation = operations()[name]
            request = valid_request(operation, ids(world), self._key)
            if request is None:
                raise LookupError(f"no object for {name}")
            request = request.changed(body=copy.deepcopy(body)) if body is not ... else request
            request = request if key is None else with_key(request, key)
            session = world.visitor.session
            if not operation.needs_token or credential == "":
                session = self._context.anonymous
            elif stranger and world.stranger is not None:
                session = world.stranger
            headers = {}
            if credential:
                known = {FIRST: session.token or "", KEY_PLACE: self._key or ""}
                headers["Authorization"] = credential.format(**known)
            exchange = session.send(
                request, body=content, headers=headers, credential=credential or None
            )
            self._findings.see(exchange, world.history)
            return exchange

        return send

    # Judgements

    def judge(self, group: list[Attempt]) -> None:
        """Judge the side effects of the refusals of a group; accepted requests are left out."""
        for _ in range(_ROUNDS):
            if not group:
                return
            world = self._world
            world.history[:] = world.origin
            before = world.look()
            sent = [(attempt, attempt.send(world)) for attempt in group]
            after = world.look()
            refused = [a for a, exchange in sent if _is_refused(exchange)]
            if len(refused) == len(group):
                break
            # An accepted request may have changed or ended the objects.
            group = refused
            self._world = World(self._context, self._stranger)
        else:
            return
        strict = False
        difference = _difference(before, after)
        if difference is None and _difference(before, after, strict=True) is not None:
            strict = self._moves_again(group)
        if difference is None and not strict:
            for name in dict.fromkeys(attempt.operation for attempt in group):
                if world.visitor.exclusive or operations()[name].owned:
                    self._findings.judge(True, RULE, name, "", "", world.history)
                else:  # New objects show in lists only, to which others may add some.
                    self._findings.prevent(RULE, name, KEY)
            return
        self._locate(group, strict=strict)
        self._world = World(self._context, self._stranger)

    def _moves_again(self, group: list[Attempt]) -> bool:
        """Whether refusals change, once more, properties that may change without a request.

        These properties must not change while there are no requests.
        """
        first, before = self._world.look(), self._world.look()
        for attempt in group:
            attempt.send(self._world)
        after = self._world.look()
        if _difference(first, before, strict=True) is not None:
            return False
        return _difference(before, after, strict=True) is not None

    def _locate(self, group: list[Attempt], *, strict: bool) -> None:
        """Find the request that leaves something behind, and judge it."""
        if len(group) > 1:
            half = group[: len(group) // 2]
            if self._changes(half, strict=strict) is not None:
                self._locate(half, strict=strict)
            else:
                self._locate(group[len(half) :], strict=strict)
            return
        (attempt,) = group
        found = self._changes(group, strict=strict)
        world = self._world
        if found is None:
            reason = "a difference after refused requests could not be repeated"
            self._findings.prevent(RULE, attempt.operation, reason)
            return
        words, expected, actual, exchange = found
        place = world.history.index(exchange)
        refused = next(
            e for e in world.history if e.operation == attempt.operation and e not in world.origin
        )
        self._findings.judge(
            False,
            RULE,
            attempt.operation,
            f"{words} is unchanged by {attempt.words}: {expected}",
            actual,
            compared_with(refused, world.history[: place + 1]),
            words,
        )

    def _changes(
        self, group: list[Attempt], *, strict: bool
    ) -> tuple[str, str, str, Exchange] | None:
        """Return the changes of the requests of a group in a new world."""
        world = self._world = World(self._context, self._stranger)
        before = world.look()
        world.history[:] = world.origin
        for attempt in group:
            attempt.send(world)
        return _difference(before, world.look(), strict=strict)

    def judge_devices(self) -> None:
        """Check that a device whose session was refused is new afterwards."""
        for name in RULES[RULE].operations:
            operation = operations()[name]
            if operation.session_token is None or not self._context.has_key:
                continue
            device = f"siteassist-contract-{uuid.uuid4().hex}"
            body = session_arguments(str(self._key), device)
            request = RequestParts(name, body=body)
            history = self._context.recorder.history
            history.clear()
            refused = self._context.anonymous.send(with_key(request, "pk_made_up_key"))
            self._findings.see(refused, history)
            exchange = self._context.session_of(device)
            self._judge_device(refused, exchange, f"`{credential_name(DEVICE)}`, which was refused")
            longest = self._longest_device(operation)
            if self._whole and longest is not None:
                device = uuid.uuid4().hex.ljust(longest, "x")
                body = session_arguments(str(self._key), f"{device}x")
                history.clear()
                refused = self._context.anonymous.send(request.changed(body=body))
                self._findings.see(refused, history)
                exchange = self._context.session_of(device)
                words = f"`{credential_name(DEVICE)}`, after one that was a character too long"
                self._judge_device(refused, exchange, words)

    def _longest_device(self, operation: Operation) -> int | None:
        """Return the maximum length of the name of a device."""
        schema = properties(operation).get(credential_name(DEVICE), {})
        return next((form["maxLength"] for form in forms(schema) if "maxLength" in form), None)

    def _judge_device(self, refused: Exchange, exchange: Exchange, words: str) -> None:
        """Judge that a device is new after a refused request."""
        if not _is_refused(refused) or exchange.status not in SUCCESS or exchange.repeats:
            return
        self._findings.judge(
            exchange.status == 201,
            RULE,
            exchange.operation,
            f"201 for a new {words}",
            str(exchange.status),
            compared_with(refused, self._context.recorder.history),
            credential_name(DEVICE),
        )


def _all(value: str, world: World) -> dict[str, str]:
    """Return one value for each id of a world."""
    return dict.fromkeys(world.ids, value)


def _by_operation(attempts: list[Attempt]) -> list[list[Attempt]]:
    names = dict.fromkeys(attempt.operation for attempt in attempts)
    return [[a for a in attempts if a.operation == name] for name in names]


def _other_value(request: RequestParts) -> RequestParts | None:
    """Return a request that stores another value of an enum than a valid one does, or None."""
    if not request.described.owned or not isinstance(request.body, Mapping):
        return None
    for name, schema in properties(request.described).items():
        values = [value for form in forms(schema) for value in form.get("enum", ())]
        others = [value for value in values if value != request.body.get(name)]
        if name in request.body and others:
            return request.changed(body={**request.body, name: others[0]})
    return None


def _is_refused(exchange: Exchange) -> bool:
    return exchange.status in CLIENT_ERRORS and not exchange.refused and not exchange.repeats


def _difference(
    before: Mapping[str, Exchange], after: Mapping[str, Exchange], *, strict: bool = False
) -> tuple[str, str, str, Exchange] | None:
    """Return the first difference: its place, both values as text, and the later answer.

    If ``strict``, properties that may change without a request count as well.
    """
    for words, now in after.items():
        earlier = before.get(words)
        if earlier is None or earlier.refused or now.refused:
            continue
        if earlier.status != now.status:
            return words, str(earlier.status), str(now.status), now
        if now.status not in SUCCESS:
            continue  # Errors may have ids and times of their own.
        first, second = (shown_objects.described(each) for each in (earlier, now))
        if not strict:
            first, second = tolerance.lasting(first), tolerance.lasting(second)
        if first != second:
            shown, changed = _first_difference(first, second)
            return words, shown_value(shown)[:200], shown_value(changed)[:200], now
    return None


def _first_difference(first: Any, second: Any) -> tuple[Any, Any]:
    """Return the smallest values that differ."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in [*first, *second]:
            if first.get(name) != second.get(name):
                one, other = _first_difference(first.get(name), second.get(name))
                inner = isinstance(one, Mapping) or isinstance(other, Mapping)
                return (one, other) if inner else ({name: one}, {name: other})
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for one, other in zip(first, second, strict=True):
            if one != other:
                return _first_difference(one, other)
    return first, second
