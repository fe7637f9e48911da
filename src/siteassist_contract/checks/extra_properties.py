"""Properties that no page describes, in the bodies of requests; no visitor may set them.

Servers that copy a whole body into an object let a visitor set its status, its time or its
owner. The properties are those of the object that the request creates or changes, and the ids
of another visitor. They may be refused or ignored, but must not show afterwards: O-26.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.objects import object_schema, sources
from siteassist_contract.checks.owner import Owner
from siteassist_contract.description import (
    DEVICE,
    credential_name,
    ends_object,
    forms,
    operations,
    properties,
)
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.rules import GENTLE, RULES
from siteassist_spec import Json, Operation

RULE = "undescribed-ignored"
_LONG_AGO = "2001-02-03T12:00:00.000Z"
_DAY = _LONG_AGO[:10]
"""The part of the time that is the same in most time zones."""
_VISITOR = "visitorId"
"""The usual name of a visitor's id, which no request has."""
_SERVER_ERRORS = 500
_TRIES = 3
"""The number of times in a row that a value must show: another reason shows it now and then."""


def check(owner: Owner, stranger: Session | None) -> None:
    """Send properties that are not described with each request that changes an object."""
    names = RULES[RULE].operations
    if owner.context.profile.gentle:
        for name in names:
            owner.context.findings.prevent(RULE, name, GENTLE)
        return
    checks = _Checks(owner, stranger)
    for name in names:
        checks.check(operations()[name])
    checks.check_foreign()


@dataclass
class _Extra:
    """Properties that are not described, and how to recognise them."""

    values: dict[str, Any] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    """Texts that only these properties contain."""
    choices: dict[str, Any] = field(default_factory=dict)
    """Values of properties that have a few values only."""

    def text(self) -> str:
        """Return a text that no other request contains."""
        mark = f"undescribed {uuid.uuid4().hex[:12]}"
        self.marks.add(mark)
        return mark

    def only(self, name: str) -> _Extra:
        """Return one of the properties."""
        chosen = {name: self.values[name]}
        choices = {each: value for each, value in self.choices.items() if each == name}
        written = json.dumps(chosen)
        return _Extra(chosen, {mark for mark in self.marks if mark in written}, choices)


class _Checks:
    """The checks of one visitor, and another one whose ids are sent."""

    def __init__(self, owner: Owner, stranger: Session | None) -> None:
        self._owner = owner
        self._stranger = stranger
        self._before: dict[str, set[Any]] = {}
        """The values of properties that the objects have shown."""
        self._foreign = {} if stranger is None else self._foreign_ids()
        self._foreign_view = self._read_foreign()
        owner.origin[:] = owner.history

    def _foreign_ids(self) -> dict[str, str]:
        """Return the ids of objects of another visitor, and that visitor's own."""
        me = self._owner.send(RequestParts("getMe"), session=self._stranger)
        found = {_VISITOR: str(me.document.get("id"))}
        for operation in operations().values():
            name = _created(operation)
            request = self._owner.request(operation)
            if name is not None and request is not None:
                answer = self._owner.send(request, session=self._stranger)
                found[name] = str(answer.document.get("id"))
        return found

    def _read_foreign(self) -> Any:
        """Return an object of the other visitor, or None."""
        for operation in operations().values():
            names = {parameter.name for parameter in operation.places("path")}
            if operation.method == "GET" and names and names <= set(self._foreign):
                request = valid_request(operation, self._foreign, None)
                if request is not None:
                    exchange = self._owner.send(request, session=self._stranger)
                    return None if exchange.refused else tolerance.lasting(exchange.json)
        return None

    def check_foreign(self) -> None:
        """Judge that the object of the other visitor is as it was."""
        before, now = self._foreign_view, self._read_foreign()
        if before is not None and now is not None:
            exchange = self._owner.history[-1]
            self._owner.judge(
                before == now,
                "isolation",
                exchange,
                "no change by requests of another visitor that contain the id",
                "another answer",
            )

    def check(self, operation: Operation) -> None:
        """Send all properties at once, and one at a time if they are refused together."""
        # Operations before this one may have changed the objects.
        self._before = _choices(self._views(self._owner.ids))
        extra = self._extra(operation)
        refused = self._try(operation, extra)
        if refused and self._owner.whole and operation.stream is None:
            for name in extra.values:
                self._try(operation, extra.only(name))

    def _try(self, operation: Operation, extra: _Extra, tries: int = _TRIES) -> bool:
        """Send properties and judge them; return whether they were refused."""
        self._owner.reset()
        request, ids = self._request(operation)
        if request is None:
            return False
        exchange = self._owner.send(request.changed(body={**(request.body or {}), **extra.values}))
        if exchange.status not in SUCCESS:
            kept = exchange.status < _SERVER_ERRORS
            self._owner.judge(kept, RULE, exchange, "a success, or a refusal")
            return True
        own = self._views(_made(exchange, ids))
        views = [exchange.json, *own]
        shown = {mark for mark in extra.marks if _contains(views, mark)}
        others = _common(extra.choices, _choices(views))
        if others and not shown:
            if tries > 1:
                return self._try(operation, extra, tries - 1)
            self._leave_out_usual(operation, extra)
            others = _common(extra.choices, _choices(views))
        names = [n for n, value in extra.values.items() if any(_contains(value, m) for m in shown)]
        status = self._owner.history[-1].status
        lost = _created(operation) and not own and status in tolerance.HIDDEN
        if lost and tries > 1:
            return self._try(operation, extra, tries - 1)
        found = [*(f"`{name}` as it was sent" for name in names), *others]
        if lost and self._is_readable_without(operation):
            found.append(f"{status} for the visitor who sent them")
        actual = ", ".join(found)
        self._owner.judge(
            not actual,
            RULE,
            exchange,
            "no effect of properties that the description does not have",
            actual or "none",
        )
        return False

    def _is_readable_without(self, operation: Operation) -> bool:
        """Whether a visitor can read an object that was created without the properties."""
        history = list(self._owner.history)
        request, ids = self._owner.fresh(operation)
        exchange = None if request is None else self._owner.send(request)
        shown = exchange is not None and self._views(_made(exchange, ids))
        self._owner.history[:] = history
        return bool(shown)

    def _leave_out_usual(self, operation: Operation, extra: _Extra) -> None:
        """Leave out the values that a request without the properties shows as well."""
        history = list(self._owner.history)
        request, ids = self._owner.fresh(operation)
        if request is not None:
            exchange = self._owner.send(request)
            views = [exchange.json, *self._views(_made(exchange, ids))]
            for name in _common(extra.choices, _choices(views)):
                del extra.choices[name]
        self._owner.history[:] = history

    def _request(self, operation: Operation) -> tuple[RequestParts | None, dict[str, str]]:
        if ends_object(operation):
            return self._owner.fresh(operation)
        request = self._owner.request(operation)
        name = credential_name(DEVICE)
        if request is not None and name in properties(operation):
            device = f"{request.body[name]}-{uuid.uuid4().hex[:8]}"
            request = request.changed(body={**request.body, name: device})
        return request, self._owner.ids

    def _views(self, ids: Mapping[str, str]) -> list[Any]:
        """Return the answers that show the objects; in a short test, only the first."""
        found: list[Any] = []
        for operation in operations().values():
            names = {parameter.name for parameter in operation.places("path")}
            if operation.method == "GET" and operation.owned and names <= set(ids):
                request = valid_request(operation, ids, None)
                if request is not None and (self._owner.whole or not found):
                    exchange = self._owner.send(request)
                    found += [exchange.json] if exchange.status in SUCCESS else []
        return found

    def _extra(self, operation: Operation) -> _Extra:
        extra = _Extra(marks={_DAY, *self._foreign.values()})
        described = properties(operation)
        schema = object_schema(operation) or {}
        # How a website tells the service who a visitor is, is not described: O-26.
        own = {} if operation.session_token else schema.get("properties", {})
        for name, written in own.items():
            if name not in described and name != "object":
                value = self._value(name, written, extra, ending=ends_object(operation))
                if value is not None:
                    extra.values[name] = value
        extra.values |= self._foreign
        if operation.session_token and _VISITOR in self._foreign:
            extra.values["id"] = self._foreign[_VISITOR]
        return extra

    def _value(self, name: str, schema: Json, extra: _Extra, *, ending: bool) -> Any:
        """Return a value of a property that only this request can give it, or None."""
        form = next((each for each in forms(schema) if each.get("type") != "null"), {})
        seen = self._before.get(name, set())
        options = [True, False] if form.get("type") == "boolean" else form.get("enum", [])
        if options:
            # A request that ends an object must not leave it in its state.
            left = [value for value in options if (value in seen) == (ending and "enum" in form)]
            if left:
                extra.choices[name] = left[-1]
            return left[-1] if left else None
        kind = str(schema.get("$ref", "")).rpartition("/")[2]
        foreign = self._foreign.get(f"{kind[:1].lower()}{kind[1:]}")
        return foreign or _written(name, schema, extra)


def _written(name: str, schema: Json, extra: _Extra) -> Any:
    """Return a value of a schema in which each text is a mark, or None without a type."""
    form = next((each for each in forms(schema) if each.get("type") != "null"), {})
    if "const" in form:
        return form["const"]
    if "enum" in form:
        return form["enum"][0]
    kinds = form.get("type", ())
    if "object" in kinds:
        inside = form.get("properties", {})
        built = {each: _written(each, inside[each], extra) for each in form.get("required", ())}
        return {each: value for each, value in built.items() if value is not None}
    if "array" in kinds:
        return [_written(name, form.get("items", {}), extra)]
    if form.get("format") == "uuid":
        unknown = str(uuid.uuid4())
        extra.marks.add(unknown)
        return unknown
    if "string" in kinds:
        return _LONG_AGO if name.endswith("At") else extra.text()
    return None


def _created(operation: Operation) -> str | None:
    """Return the path parameter that takes the id in the answer of an operation that creates."""
    if operation.method != "POST":
        return None
    owned = dict.fromkeys(name for each in operations().values() for name in each.owned)
    return next(
        (
            name
            for name in owned
            for source in sources(name)
            if source.operation is operation and source.pointer == "/id"
        ),
        None,
    )


def _made(exchange: Exchange, ids: Mapping[str, str]) -> dict[str, str]:
    """Return the id of the object that a request created, or the ids of its objects."""
    name = _created(operations()[exchange.operation])
    return dict(ids) if name is None else {name: str(exchange.document.get("id"))}


def _common(choices: Mapping[str, Any], seen: Mapping[str, set[Any]]) -> dict[str, str]:
    """Return the choices that are among the values seen, as text by name."""
    return {
        name: f"`{name}` {shown_value(value)}"
        for name, value in choices.items()
        if value in seen.get(name, ())
    }


def _choices(values: Iterable[Any]) -> dict[str, set[Any]]:
    """Return the values of each property that is a text or a boolean, at any depth."""
    found: dict[str, set[Any]] = {}
    for name, value in (pair for each in values for pair in _pairs(each)):
        found.setdefault(name, set()).add(value)
    return found


def _pairs(value: Any) -> Iterator[tuple[str, str | bool]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str | bool):
                yield name, item
            yield from _pairs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(item)


def _contains(value: Any, mark: str) -> bool:
    """Whether a text in a value contains a mark, in upper or lower case."""
    return mark.lower() in json.dumps(value, ensure_ascii=False).lower()
