"""Errors in situations that are easily forgotten: unknown objects without a token, streams.

The bodies of all errors are judged in `siteassist_contract.findings`.
"""

from __future__ import annotations

from siteassist_contract import tolerance
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.owner import Owner
from siteassist_contract.description import operations, takes_key
from siteassist_contract.http.valid_requests import RequestParts, value_of, with_key
from siteassist_contract.rules import EVERY_ANSWER

UNAUTHORIZED = 401
_LENGTHS = (300, 1000, 4000)
"""Lengths of ids and credentials that file names, columns and URLs of servers do not all allow."""
_MADE_UP = "ab.c-"


def check_errors(context: CheckContext) -> None:
    """Provoke errors of each operation that names an object, has a body or streams."""
    checks = _Errors(Owner(context, sends_messages=False))
    checks.without_token()
    checks.streams()
    if checks.owner.whole:
        checks.long_ids()
        checks.long_credentials()
        checks.combined()


CHECKS: tuple[Check, ...] = (
    (
        "errors in unusual situations",
        check_errors,
        EVERY_ANSWER
        | {"bounds", "key-checked", "malformed-refused"}
        | {"token-checked", "token-required", "unknown-not-found"},
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
        for unknown in self._unknown.values():
            if not unknown.path:
                continue
            # A server that cuts an id finds the object.
            request = self.owner.request(unknown.described) or unknown
            name, value = list(request.path.items())[-1]
            for length in _LENGTHS:
                self._refused(
                    request.changed(path={name: value.ljust(length, "0")}),
                    "malformed-refused",
                    length,
                    f"400, 404 or 422 for a `{name}` of {length} characters",
                    name,
                )

    def long_credentials(self) -> None:
        """Judge that long tokens and keys are refused, and not answered with a failure."""
        for operation in operations().values():
            request = self.owner.request(operation)
            if request is None:
                continue
            for length in _LENGTHS:
                made_up = (_MADE_UP * length)[:length]
                if operation.needs_token:
                    words = f"a token of {length} characters"
                    self._refused(
                        request, "token-checked", length, f"401 for {words}", words, made_up
                    )
                if takes_key(operation):
                    words = f"a key of {length} characters"
                    expected = f"a refusal (401, 403 or 404) of {words}"
                    changed = with_key(request, made_up)
                    self._refused(changed, "key-checked", length, expected, words)

    def _refused(
        self,
        request: RequestParts,
        rule: str,
        length: int,
        expected: str,
        place: str,
        token: str | None = None,
    ) -> None:
        """Judge that a request is refused, of which a value has a ``length``."""
        self.owner.reset()
        credential = None if token is None else f"Bearer {token}"
        # A gateway may refuse a long URL or header with a status and a body of its own.
        described = length <= min(_LENGTHS)
        exchange = self.owner.send(request, credential=credential, described=described)
        exact = described and token is not None
        kept = exchange.status == UNAUTHORIZED if exact else 400 <= exchange.status < 500
        self.owner.judge(kept, rule, exchange, expected, place=place)

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
