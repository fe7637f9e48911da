"""Requests that are nearly right: values, JSON, media types, paths and methods."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.near_misses import (
    NearMiss,
    Pairs,
    near_misses,
)
from siteassist_contract.checks.owner import Owner
from siteassist_contract.description import (
    answer_properties,
    ends_object,
    operations,
    validator,
)
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.valid_requests import RequestParts, value_of
from siteassist_contract.rules import EVERY_ANSWER
from siteassist_spec import JSON, Operation
from siteassist_spec.schemas import accepts

_MALFORMED = (*tolerance.REFUSALS, 415)
_NOT_SUCCESS = range(300, 500)
_NOT_IMPLEMENTED = 501
_FORM = "application/x-www-form-urlencoded"
_FEW = 4
"""The number of forms of bodies that a short test has."""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def check_content(context: CheckContext) -> None:
    """Send values that nearly have their type, and bodies that are nearly JSON."""
    owner = Owner(context)
    _Bodies(owner).check()
    _Values(owner).check()


def check_addresses(context: CheckContext) -> None:
    """Request paths and methods that are not described."""
    _Addresses(Owner(context, sends_messages=False)).check()


CHECKS: tuple[Check, ...] = (
    (
        "values that nearly have their type, and bodies that are nearly JSON",
        check_content,
        EVERY_ANSWER | {"bounds", "malformed-refused"},
    ),
    ("paths and methods that are not described", check_addresses, EVERY_ANSWER | {"no-such-path"}),
)


class _Values:
    """The checks of values."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._meanings: dict[str, Any] = {}
        """The answers to the usual spellings, reduced by `_page`, by operation and query."""

    def check(self) -> None:
        """Try the values; the operation that ends an object comes last."""
        owner = self._owner
        if owner.whole:
            _add_entries(owner)
        requests = sorted(owner.requests(), key=lambda each: ends_object(each.described))
        for request in requests:
            if not owner.context.takes(request.operation):
                continue
            seen: set[tuple[str, bool]] = set()
            for miss in near_misses(request):
                kind = miss.kind, "/1" in miss.place
                if owner.whole or kind not in seen:
                    seen.add(kind)
                    self._try(miss)

    def _try(self, miss: NearMiss) -> None:
        exchange = self._ask(miss.request, miss.query)
        if miss.meaning is None:
            self._owner.judge(
                exchange.status in tolerance.REFUSALS,
                "bounds",
                exchange,
                f"400 or 422 for a `{miss.place}` that is {miss.words}",
                place=miss.place,
            )
            return
        kept = exchange.status in tolerance.REFUSALS
        actual = ""
        if exchange.status in SUCCESS:
            shown, usual = _page(exchange), self._meaning(miss.request, miss.meaning)
            kept = usual is None or shown == usual
            actual = "" if kept else "another answer than for the usual spelling"
        self._owner.judge(
            kept,
            "bounds",
            exchange,
            f"400 or 422 for a `{miss.place}` that is {miss.words}, or its usual meaning",
            actual,
            miss.place,
        )

    def _meaning(self, request: RequestParts, query: Pairs) -> Any:
        """Return the answer to a query, reduced by `_page`, or None if it was refused.

        The history stays as it is.
        """
        key = f"{request.operation} {query}"
        if key not in self._meanings:
            history = list(self._owner.history)
            exchange = self._ask(request, query)
            self._meanings[key] = _page(exchange) if exchange.status in SUCCESS else None
            self._owner.history[:] = history
        return self._meanings[key]

    def _ask(self, request: RequestParts, query: Pairs | None) -> Exchange:
        self._owner.reset()
        return self._owner.send(request, query=query)


def _add_entries(owner: Owner) -> None:
    """Start another conversation, so that pages of one entry differ from longer ones."""
    for operation in operations().values():
        listed = any(
            other.path == operation.path and other.paging is not None and not other.places("path")
            for other in operations().values()
        )
        request = owner.request(operation)
        if listed and operation.method == "POST" and request is not None:
            owner.send(request)
            owner.origin[:] = owner.history


def _page(exchange: Exchange) -> Any:
    """Return the ids of a page with its numbers, or the number of entries of another list."""
    operation, shown = operations()[exchange.operation], exchange.document
    if operation.paging is None:
        return [len(value) for value in shown.values() if isinstance(value, list)]
    items = shown.get(operation.paging.items)
    entries = items if isinstance(items, list) else []
    ids = [entry.get("id") for entry in entries if isinstance(entry, Mapping)]
    numbers = {
        name: value
        for name, value in shown.items()
        if name in answer_properties(operation) and isinstance(value, int | float)
    }
    return ids, numbers


@dataclass(frozen=True)
class _Form:
    """A form of a body."""

    words: str
    write: Callable[[bytes], bytes]
    """Returns the body, made from a valid one that has at least one property."""
    valid: bool | None = False
    """Whether it is JSON; None if servers may take it or not."""
    media_type: str | None = JSON
    """None for a body without a media type."""


def _property(value: bytes) -> Callable[[bytes], bytes]:
    """Return a function that adds a property, whose value is given as JSON."""
    return lambda body: body.removesuffix(b"}") + b', "other": ' + value + b"}"


def _escaped(body: bytes) -> bytes:
    """Return a body in which the first letter of each name is an escape."""
    return (
        b"{"
        + b", ".join(
            f'"\\u{ord(name[0]):04x}{name[1:]}": {json.dumps(value)}'.encode()
            for name, value in json.loads(body).items()
        )
        + b"}"
    )


def _doubled(body: bytes) -> bytes:
    """Return a body that has its first property twice, with the same value."""
    name, value = next(iter(json.loads(body).items()))
    return body.removesuffix(b"}") + f", {json.dumps(name)}: {json.dumps(value)}}}".encode()


_FORMS = (
    _Form("with letters after it", lambda body: body + b"x"),
    _Form("with NaN in it", _property(b"NaN")),
    _Form("twice", lambda body: body + body),
    _Form("with a comma before its end", lambda body: body.removesuffix(b"}") + b",}"),
    _Form("with a comment", lambda body: b"/* body */" + body),
    _Form("in an array", lambda body: b"[" + body + b"]"),
    _Form("as a text", lambda body: json.dumps(body.decode()).encode()),
    _Form("in single quotes", lambda body: body.replace(b'"', b"'")),
    _Form("with a line break in a text", _property(b'"a\nb"')),
    _Form("with a name without quotes", lambda body: body.replace(b'"', b"", 2)),
    _Form("with Infinity in it", _property(b"-Infinity")),
    _Form("with a word of Python", _property(b"True")),
    _Form("with an escape that JSON does not have", _property(rb'"\x41"')),
    _Form("with zeros before a number", _property(b"007")),
    _Form("with a comment at its end", lambda body: body + b" // end"),
    _Form("that ends in a text", lambda body: body.removesuffix(b"}") + b', "other": "'),
    _Form("true", lambda _: b"true"),
    _Form("with a bracket after it", lambda body: body + b"]"),
    _Form("with a semicolon after it", lambda body: body + b";"),
    _Form("without a brace", lambda body: body.removesuffix(b"}")),
    _Form("with white space around it", lambda body: b" \r\n\t" + body + b"\n ", valid=True),
    _Form("with escapes in names", _escaped, valid=True),
    _Form(
        "with a parameter of the media type",
        lambda body: body,
        valid=True,
        media_type=f"{JSON}; charset=utf-8",
    ),
    _Form("with a byte order mark", lambda body: b"\xef\xbb\xbf" + body, valid=None),
    _Form("in UTF-16", lambda body: body.decode().encode("utf-16"), valid=None),
    _Form("nested deeply", _property(b"[" * 20_000 + b"]" * 20_000), valid=None),
    _Form("nested deeply in objects", _property(b'{"a":' * 5000 + b"1" + b"}" * 5000), valid=None),
    _Form("with a number beyond doubles", _property(b"1e999"), valid=None),
    _Form("with a number of many digits", _property(b"9" * 5000), valid=None),
    _Form("with half of a surrogate pair", _property(rb'"\ud800"'), valid=None),
    _Form("with a name twice", _doubled, valid=None),
    _Form("with the name __proto__", _property(b'1, "__proto__": {"a": 1}'), valid=None),
    _Form("without a media type", lambda body: body, valid=None, media_type=None),
    _Form(
        "as a form",
        lambda _: b"a=1&b=2",
        valid=None,
        media_type="application/x-www-form-urlencoded",
    ),
    _Form("as text", lambda body: body, valid=None, media_type="text/plain"),
    _Form("of a media type that is none", lambda body: body, valid=None, media_type="json"),
    _Form("in an unknown charset", lambda body: body, valid=None, media_type=f"{JSON}; charset=x"),
)
"""The forms, those that must be refused first."""


class _Bodies:
    """The checks of bodies."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._requests = [
            request.changed(body=request.body or _example(request.described))
            for request in owner.requests()
            if request.described.body is not None
        ]

    def check(self) -> None:
        """Try each form on each operation, or a few forms on one each."""
        whole = self._owner.whole
        bodies = [each for each in self._requests if each.body]
        for number, form in enumerate(_FORMS):
            if form.valid is False:
                chosen = bodies if whole else [bodies[number % len(bodies)]]
            else:
                # An accepted body must cost nothing, and leave the object usable.
                cheap = [e for e in bodies if not e.costs and not ends_object(e.described)]
                chosen = [cheap[number % len(cheap)]]
            for request in chosen if whole or number < _FEW else ():
                if self._owner.context.takes(request.operation):
                    self._try(request, form)
        if whole:
            self._where_none_is_due()

    def _try(self, request: RequestParts, form: _Form) -> None:
        owner = self._owner
        owner.reset()
        plain = form.valid is not None
        exchange = owner.send(
            request,
            body=form.write(json.dumps(request.body).encode()),
            headers={"Content-Type": form.media_type},
            described=plain,
        )
        if form.valid:
            self._accepted(exchange, form)
        elif plain:
            owner.judge(
                exchange.status in _MALFORMED,
                "malformed-refused",
                exchange,
                f"400 or 422 for a body {form.words}",
                place=form.words,
            )

    def _accepted(self, exchange: Exchange, form: _Form) -> None:
        self._owner.judge(
            exchange.status in SUCCESS,
            "accepted",
            exchange,
            f"a success for a valid body {form.words}",
            place=form.words,
        )

    def _where_none_is_due(self) -> None:
        """Send a body with requests that have none: it may be refused, but must not fail."""
        context = self._owner.context
        for number, request in enumerate(self._owner.requests()):
            operation = request.described
            if operation.body is None and number % 2 and context.takes(operation.operation_id):
                self._owner.reset()
                # The other checks need the objects of the owner.
                own = self._owner.fresh(operation)[0] if ends_object(operation) else request
                if own is not None:
                    self._owner.send(own, body=b'{"id": 1}', described=False)


def _example(operation: Operation) -> Any:
    """Return an example of an optional body."""
    examples = operation.body.examples.values() if operation.body is not None else ()
    return next(iter(examples), None)


class _Addresses:
    """The checks of paths and methods."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def check(self) -> None:
        """Request paths near that of each operation; then each path by other methods."""
        for number, path in enumerate(dict.fromkeys(e.path for e in operations().values())):
            described = [each for each in operations().values() if each.path == path]
            self._paths(described[0], number)
            # A server in production may have operations that are not described.
            if self._owner.whole:
                self._methods(described)

    def _paths(self, operation: Operation, number: int) -> None:
        request = self._request(operation)
        target = request.target
        first, *rest = target.removeprefix("/").split("/")
        paths = {
            "with one more segment": f"{target}/no-such-segment",
            "with another first segment": "/".join(["", f"{first}x", *rest]),
            "in itself": f"{target}{target}",
        }
        some = list(paths.items())
        for words, path in [some[0], some[1 + number % 2]] if self._owner.whole else some[:1]:
            self._owner.reset()
            exchange = self._owner.send(request, target=path, described=False)
            self._owner.judge(
                exchange.status in _NOT_SUCCESS,
                "no-such-path",
                exchange,
                f"404 for a path {words}",
                place=words,
            )

    def _methods(self, described: list[Operation]) -> None:
        known = {operation.method for operation in described}
        # A service may have updates that no page describes, which answer with the object.
        updates = {"PUT", "PATCH"} if described[0].path.endswith("}") else set[str]()
        for method in _METHODS:
            if method in known | updates:
                continue
            operation = described[0]
            request = self._request(operation)
            body = next((r.body for r in map(self._request, described) if r.body), None)
            self._owner.reset()
            exchange = self._owner.session(operation).raw(
                operation.operation_id,
                method,
                request.target,
                query=request.query or None,
                body=None if method == "GET" else body,
            )
            done = [each.operation_id for each in described if _answers(each, exchange)]
            self._owner.judge(
                exchange.status < 500 or exchange.status == _NOT_IMPLEMENTED,
                "no-server-error",
                exchange,
                f"a refusal of {method}",
            )
            self._owner.judge(
                not done,
                "no-such-path",
                exchange,
                f"404 or 405 for {method}, which is not described",
                f"{exchange.status}, with an answer like that of {', '.join(done)}",
                method,
            )

    def _request(self, operation: Operation) -> RequestParts:
        """Return a request; if there is no object for it, with ids that do not exist."""
        request = self._owner.request(operation)
        if request is not None:
            return request
        ids = {each.name: str(value_of(each.schema)) for each in operation.places("path")}
        return RequestParts(operation.operation_id, path=ids)


def _answers(operation: Operation, exchange: Exchange) -> bool:
    """Whether an answer has the form of a success of an operation, and says something."""
    if exchange.status not in SUCCESS or not exchange.document:
        return False
    return any(
        accepts(validator(response.media[JSON].schema), exchange.json)
        for response in operation.successes
        if JSON in response.media
    )
