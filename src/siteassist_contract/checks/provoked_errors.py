"""Errors in situations that are easily forgotten: unknown objects without a token, streams.

The bodies of all errors are judged in `siteassist_contract.findings`.
"""

from __future__ import annotations

from siteassist_contract import tolerance
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.owner import Owner
from siteassist_contract.description import operations
from siteassist_contract.http.valid_requests import RequestParts, value_of
from siteassist_contract.rules import EVERY_ANSWER

UNAUTHORIZED = 401
_LENGTHS = (300, 1000, 4000)
"""Lengths of ids that file names, columns and URLs of servers do not all allow."""


def check_errors(context: CheckContext) -> None:
    """Provoke errors of each operation that names an object, has a body or streams."""
    checks = _Errors(Owner(context, sends_messages=False))
    checks.without_token()
    checks.streams()
    if checks.owner.whole:
        checks.long_ids()
        checks.combined()


CHECKS: tuple[Check, ...] = (
    (
        "errors in unusual situations",
        check_errors,
        EVERY_ANSWER
        | {"bounds", "malformed-refused", "token-checked", "token-required", "unknown-not-found"},
    ),
)


class _Errors:
    """The checks of errors."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._unknown = {
            name: request
            for name, operation in operations().items()
            if (request := self._on_unknown(name)).path or operation.stream is not None
        }

    def _on_unknown(self, name: str) -> RequestParts:
        """Return a valid request on objects that never existed."""
        operation = operations()[name]
        ids = {each.name: str(value_of(each.schema)) for each in operation.places("path")}
        request = self.owner.request(operation, ids)
        return RequestParts(name) if request is None else request

    def without_token(self) -> None:
        """Judge that a request without a token does not learn whether an object exists."""
        for request in self._unknown.values():
            if request.described.needs_token:
                self._unauthorized(request, "an unknown object")

    def _unauthorized(self, request: RequestParts, words: str) -> None:
        self.owner.reset()
        exchange = self.owner.send(request, session=self.owner.context.anonymous)
        self.owner.judge(
            exchange.status == UNAUTHORIZED,
            "token-required",
            exchange,
            f"401 without a token, for {words}",
            place=words,
        )

    def streams(self) -> None:
        """Judge that a stream that cannot begin is refused like any other request."""
        for request in self._unknown.values():
            stream = request.described.stream
            if stream is None:
                continue
            streamed = request.changed(body={**request.body, stream.request_flag: True})
            if request.described.needs_token:
                self._unauthorized(streamed, "a stream")
            if request.path:
                self._not_found(streamed)
            invalid = self.owner.request(request.described) or streamed
            for name in request.body:
                body = {**(invalid.body or {}), stream.request_flag: True, name: None}
                self.owner.reset()
                exchange = self.owner.send(invalid.changed(body=body))
                self.owner.judge(
                    exchange.status in tolerance.REFUSALS,
                    "bounds",
                    exchange,
                    f"400 or 422 for a stream whose `{name}` is null",
                    place=f"body/{name}",
                )

    def _not_found(self, request: RequestParts) -> None:
        self.owner.reset()
        exchange = self.owner.send(request)
        self.owner.judge(
            exchange.status in tolerance.HIDDEN,
            "unknown-not-found",
            exchange,
            "404 for a stream about an object that never existed",
            place="a stream",
        )

    def long_ids(self) -> None:
        """Judge that long ids are refused, and not answered with a failure."""
        for number, request in enumerate(self._unknown.values()):
            if not request.path:
                continue
            name, value = list(request.path.items())[-1]
            length = _LENGTHS[number % len(_LENGTHS)]
            self.owner.reset()
            changed = request.changed(path={name: value.ljust(length, "0")})
            # A gateway may refuse a long URL with a body of its own.
            exchange = self.owner.send(changed, described=length <= min(_LENGTHS))
            self.owner.judge(
                400 <= exchange.status < 500,
                "malformed-refused",
                exchange,
                f"400, 404 or 422 for a `{name}` of {length} characters",
                place=name,
            )

    def combined(self) -> None:
        """Judge that a request with several errors gets one of them."""
        for request in self._unknown.values():
            operation = request.described
            if operation.body is None:
                continue
            self.owner.reset()
            exchange = self.owner.send(request, body=b'{"')
            self.owner.judge(
                400 <= exchange.status < 500,
                "malformed-refused",
                exchange,
                "400, 404 or 422 for a body that is not JSON, about an unknown object",
                place="an unknown object",
            )
            self.owner.reset()
            exchange = self.owner.send(request, body=b'{"', session=self.owner.context.anonymous)
            self.owner.judge(
                exchange.status in (UNAUTHORIZED, *tolerance.REFUSALS),
                "token-required",
                exchange,
                "401 without a token, or 400 or 422, for a body that is not JSON",
                place="a body that is not JSON",
            )
