"""Times: a request moves those of the objects that it changes, and no others; stored data stay.

The times of answers are compared with each other as moments, and with the server's own clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise

from siteassist_contract import tolerance
from siteassist_contract.checks import server_clock, shown_objects
from siteassist_contract.checks.behaviour.model import advanced
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.shown_objects import Shown
from siteassist_contract.description import (
    ends_object,
    forms,
    is_time,
    operations,
    properties,
)
from siteassist_contract.findings import compared_with
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.rules import CLOCK, EVERY_ANSWER, GENTLE, OBJECT, RULES

OWN, CLOCK_RULE = "own-times", "server-clock"
_TICK = 0.004
"""Time, in seconds, after which a clock with milliseconds has advanced."""
_PAUSE = 1.2
"""Time, in seconds, after which stored data are read once more."""
_READS = 3
"""Number of times in a row that an object must have been moved by reading it."""


def check_times(context: CheckContext) -> None:
    """Follow the times of two conversations, of which only one is used."""
    if context.profile.gentle:
        for name in RULES[OWN].operations:
            context.findings.prevent(OWN, name, GENTLE)
        return
    _Times(context).follow()


CHECKS: tuple[Check, ...] = (("times", check_times, EVERY_ANSWER | {OWN}),)


class _Times:
    """Two conversations of a visitor, and the times that answers show of them."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._findings = context.findings
        self._recorder = context.recorder
        self._history = context.recorder.history
        self._whole = context.size.whole
        self._visitor = context.visitor()
        self._maker = ObjectMaker(self._send, context.target.api_key)

    def follow(self) -> None:
        """Use one conversation in every way, and read both."""
        self._read_by_all()
        used, other = self._start(), self._start()
        if used is None or other is None:
            return
        self._reading(used)
        bystander = [self._look(other)]
        for step in self._steps(used):
            step()
            bystander.append(self._look(other))
        self._bystander(bystander)
        if self._whole:
            self._recorder.rest(_PAUSE)
            # The findings compare the answers with those before the pause.
            for each in (used, other):
                self._look(each)
            for request in self._reads(used):
                self._send(request)

    def _read_by_all(self) -> None:
        """Read objects that no visitor owns, and check that not each reading moves a time."""
        ids: dict[str, str] = {}
        for name in RULES[OWN].operations:
            operation = operations()[name]
            if operation.owned:
                continue
            ids = self._maker.make(operation, ids)
            request = valid_request(operation, ids, None)
            if request is None and not self._context.has_key:
                self._context.without_key((OWN, name))
                continue
            seen = [self._shown(request) for _ in range(_READS + 1)] if request is not None else []
            first = seen[0] if seen else {}
            if not first:
                self._findings.prevent(OWN, name, OBJECT)
            for key in first:
                self._unmoved([each.get(key) for each in seen])

    def _shown(self, request: RequestParts) -> dict[shown_objects.Key, Shown]:
        """Read once, and return the objects in the answer."""
        self._recorder.rest(_TICK)
        return {shown.key: shown for shown in shown_objects.objects(self._send(request))}

    # Steps

    def _steps(self, used: Mapping[str, str]) -> Iterator[Callable[[], None]]:
        """Yield the ways to use a conversation, in their order."""
        times = 2 if self._whole else 1
        for name, operation in operations().items():
            if operation.method != "GET" and operation.owned and not ends_object(operation):
                yield from [partial(self._used, used, name)] * times
        yield from [partial(self._closed, used)] * times
        # Feedback on an answer in a closed conversation does not close it again. Without an
        # answer, a message would be sent for it.
        if self._whole and len(self._messages(used)) > 1:
            for name in RULES["feedback"].operations:
                yield partial(self._used, used, name)

    def _start(self) -> dict[str, str] | None:
        """Start a conversation, whose times are those of the request; return its id."""
        for operation in operations().values():
            if operation.method != "GET" and 201 in operation.responses and operation.needs_token:
                request = RequestParts(operation.operation_id)
                exchange = self._send(request)
                if exchange.status not in SUCCESS:
                    return None
                for shown in shown_objects.objects(exchange):
                    self._is_now(shown, ("createdAt",), exchange)
                found = str(exchange.document.get("id"))
                return {"conversationId": found}
        return None

    def _write(self, ids: Mapping[str, str], name: str) -> tuple[RequestParts, Exchange] | None:
        """Send a valid request of an operation; return None if it was not accepted."""
        operation = operations()[name]
        request = valid_request(operation, self._maker.make(operation, ids), None)
        if request is None:
            return None
        self._recorder.rest(_TICK)
        exchange = self._send(request)
        return (request, exchange) if exchange.status in SUCCESS else None

    def _reading(self, ids: Mapping[str, str]) -> None:
        """Read a conversation in every way, and check that none of its times moves."""
        seen = [self._look(ids)]
        for _ in range(_READS if self._whole else 2):
            self._recorder.rest(_TICK)
            for request in self._reads(ids):
                self._send(request)
            seen.append(self._look(ids))
        self._unmoved(seen)

    def _used(self, ids: Mapping[str, str], name: str) -> None:
        """Send a request that changes a conversation or a message in it."""
        operation = operations()[name]
        before, messages = self._look(ids), self._messages(ids)
        written = self._write(ids, name)
        after = self._look(ids)
        if written is None or before is None or after is None:
            return
        request, exchange = written
        self._unchanged(before, after, ("createdAt", "closedAt"), name)
        if operation.stream is not None:
            self._is_now(after, ("lastInteractionAt",), exchange)
        for key, message in self._messages(ids).items():
            earlier = messages.get(key)
            if earlier is None:
                self._is_now(message, ("createdAt",), exchange)
            elif key[1] in map(str.lower, request.path.values()):
                self._unchanged(earlier, message, ("createdAt",), name)
                self._is_now(message, ("feedbackAt",), exchange)
                self._rated_again(request, message)
            else:
                self._unchanged(earlier, message, ("createdAt", "feedbackAt"), name)

    def _rated_again(self, request: RequestParts, before: Shown) -> None:
        """Replace the feedback of a message by another one, whose time is later."""
        for name, schema in properties(request.described).items():
            values = [value for form in forms(schema) for value in form.get("enum", ())]
            for value in values:
                if value == request.body.get(name):
                    continue
                self._recorder.rest(_TICK)
                written = self._send(request.changed(body={name: value}))
                ids = {"conversationId": str(before.value.get("chatId"))}
                after = self._messages(ids).get(before.key)
                if written.status not in SUCCESS or after is None:
                    return
                old, new = before.value.get("feedbackAt"), after.value.get("feedbackAt")
                self._judge(
                    advanced(str(old), str(new)),
                    after,
                    f"`feedbackAt` later than {old} after another `{name}`",
                    str(new),
                    "feedbackAt",
                    before.exchange,
                )
                return

    def _closed(self, ids: Mapping[str, str]) -> None:
        """Close a conversation, which may be closed already."""
        for name, operation in operations().items():
            if not ends_object(operation) or not operation.owned:
                continue
            before, messages = self._look(ids), self._messages(ids)
            written = self._write(ids, name)
            after = self._look(ids)
            if written is None or before is None or after is None:
                continue
            self._unchanged(before, after, ("createdAt",), name)
            if before.value.get("closedAt") is None:
                self._is_now(after, ("closedAt",), written[1])
            for key, message in self._messages(ids).items():
                if key in messages:
                    self._unchanged(messages[key], message, ("createdAt", "feedbackAt"), name)

    # Answers

    def _reads(self, ids: Mapping[str, str]) -> list[RequestParts]:
        found = (
            valid_request(operation, {"conversationId": ids["conversationId"]}, None)
            for operation in operations().values()
            if operation.method == "GET" and operation.needs_token
        )
        return [request for request in found if request is not None]

    def _look(self, ids: Mapping[str, str]) -> Shown | None:
        """Return a conversation as the answer about it shows it, or None."""
        for request in self._reads(ids):
            if request.described.path.endswith("{conversationId}"):
                exchange = self._send(request)
                for shown in shown_objects.objects(exchange):
                    if shown.key == ("conversation", ids["conversationId"].lower()):
                        return shown
        return None

    def _messages(self, ids: Mapping[str, str]) -> dict[tuple[str, str], Shown]:
        """Return the messages of a conversation."""
        for request in self._reads(ids):
            if request.path and request.described.paging is not None:
                exchange = self._send(request)
                return {shown.key: shown for shown in shown_objects.objects(exchange)}
        return {}

    def _send(self, request: RequestParts) -> Exchange:
        exchange = self._visitor.session.send(request)
        self._findings.see(exchange, self._history)
        return exchange

    # Judgements

    def _judge(
        self,
        kept: object,
        shown: Shown,
        expected: str,
        actual: str,
        place: str,
        earlier: Exchange,
    ) -> None:
        history = self._history[: self._history.index(shown.exchange) + 1]
        self._findings.judge(
            kept,
            OWN,
            shown.exchange.operation,
            expected,
            actual,
            compared_with(earlier, history),
            place,
        )

    def _unchanged(self, before: Shown, after: Shown, names: Sequence[str], operation: str) -> None:
        """Check that a request has not moved some times."""
        for name in names:
            if name in before.value and name in after.value:
                old, new = before.value[name], after.value[name]
                self._judge(
                    shown_objects.same(name, old, new),
                    after,
                    f"`{name}` {shown_value(old)}, which {operation} does not move",
                    shown_value(new),
                    name,
                    before.exchange,
                )

    def _unmoved(self, seen: Sequence[Shown | None]) -> None:
        """Check that reading has moved no time of an object."""
        self._compare(
            seen,
            "reading does not move",
            lambda name, moves: moves == len(seen) - 1 if name in tolerance.CHANGING else moves > 0,
        )

    def _bystander(self, seen: Sequence[Shown | None]) -> None:
        """Check that requests about one conversation have not moved the times of another one."""
        # A title that is set late moves `updatedAt` once.
        self._compare(
            seen,
            "no request about another one moves",
            lambda name, moves: moves > (1 if name in tolerance.CHANGING else 0),
        )

    def _compare(
        self,
        seen: Sequence[Shown | None],
        words: str,
        is_wrong: Callable[[str, int], bool],
    ) -> None:
        """Judge how often each time of an object has moved in a series of answers."""
        known = [shown for shown in seen if shown is not None]
        if len(known) < len(seen):
            return
        for name in (name for name in known[0].value if is_time(name)):
            values = [shown.value.get(name) for shown in known]
            moves = sum(
                not shown_objects.same(name, early, late) for early, late in pairwise(values)
            )
            self._judge(
                not is_wrong(name, moves),
                known[-1],
                f"`{name}` {shown_value(values[0])}, which {words}",
                ", ".join(dict.fromkeys(shown_value(value) for value in values[1:])),
                name,
                known[0].exchange,
            )

    def _is_now(self, shown: Shown, names: Sequence[str], written: Exchange) -> None:
        """Check that times are those of the request that has set them."""
        exchange = shown.exchange
        for name in names:
            value = shown.value.get(name)
            now = server_clock.is_now(value, written)
            if now is None:
                self._findings.prevented.setdefault((CLOCK_RULE, exchange.operation), CLOCK)
                continue
            history = self._history[: self._history.index(exchange) + 1]
            self._findings.judge(
                now,
                CLOCK_RULE,
                exchange.operation,
                f"`{name}` at the time of {written.operation}, {written.headers.get('date')}",
                shown_value(value),
                history if written is exchange else compared_with(written, history),
                name,
            )
