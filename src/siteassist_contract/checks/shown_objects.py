"""The objects in answers, each compared with earlier answers that show it.

An object is recognised by the kind and the id that its schema describes, so that every place
where an answer shows one is known as soon as it is described. Only properties that both
places describe are compared, and only if both answers have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.behaviour.model import same_moment
from siteassist_contract.description import all_operations, forms, is_time, operations, resolve
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_spec import JSON, Json, Operation

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST = 2000
"""Maximum number of remembered objects."""
Key = tuple[str, str]
"""The kind of an object and its id in lower case."""


@dataclass(frozen=True)
class Place:
    """A place in an answer that shows objects."""

    steps: tuple[str, ...]
    """The names on the way to the object; ``*`` stands for every item of an array."""
    kind: str
    """The documented value of the property ``object``."""
    names: frozenset[str]
    """The properties to compare: those with a described type."""
    objects: frozenset[str]
    """The properties that contain other objects."""


@dataclass(frozen=True)
class Shown:
    """The properties of an object that an answer shows."""

    kind: str
    value: Mapping[str, Any]
    """The described properties, with the ids of other objects in place of the objects."""
    exchange: Exchange = field(repr=False)
    place: tuple[str, ...] = ()
    """The steps to the object in the answer."""

    @cached_property
    def key(self) -> Key:
        """The kind and the id of the object."""
        return self.kind, str(self.value.get("id")).lower()

    @cached_property
    def ids(self) -> set[str]:
        """The ids in the object, including its own."""
        return set(_UUID.findall(repr(self.value).lower()))


@dataclass(frozen=True)
class Difference:
    """A property that two answers show differently."""

    name: str
    earlier: Shown
    now: Shown

    @property
    def expected(self) -> str:
        """The value in the earlier answer, as text."""
        value = shown_value(self.earlier.value[self.name])
        return f"`{self.name}` {value[:200]}, as {self.earlier.exchange.operation} showed it"

    @property
    def actual(self) -> str:
        """The value in the later answer, as text."""
        return f"`{self.name}` {shown_value(self.now.value[self.name])[:200]}"


class ShownObjects:
    """The objects that a run has seen, and the latest answer about each."""

    def __init__(
        self,
        keep: Callable[[Any], Exchange] = lambda exchange: exchange,
        *,
        others_act: bool = False,
    ) -> None:
        """Begin without any object; ``keep`` returns the part of an exchange to remember.

        ``others_act`` is whether clients that are not seen may change objects meanwhile.
        """
        self._keep = keep
        self._others_act = others_act
        self._latest: dict[Key, Shown] = {}
        self._own: set[str] = set()

    def compare(
        self, exchange: Exchange, *, described: bool = True
    ) -> tuple[set[str], list[Difference]]:
        """Compare the objects in an answer with earlier ones, and remember them.

        ``described`` is whether the answer matches the description; others show nothing.
        Returns the other operations whose answers were compared, and the differences.
        """
        if exchange.method != "GET":
            self._forget(exchange)
        if exchange.together or not described:
            return set(), []  # The order of requests at the same time is not known.
        compared: set[str] = set()
        differences: list[Difference] = []
        for now in objects(exchange):
            if exchange.method != "GET":
                self._own.add(now.key[1])
            if not self._is_comparable(now):
                before = self._latest.get(now.key)
                if before is not None and tolerance.is_settled(before.value):
                    # Nothing makes a finished message change by itself again.
                    differences += [Difference("status", before, now)]
                continue
            earlier = self._latest.pop(now.key, None)
            if earlier is not None:
                differences += self._differences(earlier, now)
                if earlier.exchange.operation != exchange.operation:
                    compared.add(earlier.exchange.operation)
            self._latest[now.key] = replace(now, exchange=self._keep(now.exchange))
        while len(self._latest) > _MOST:
            del self._latest[next(iter(self._latest))]
        return compared, differences

    def lose(self, exchange: Exchange) -> None:
        """Forget the objects that a request without a whole answer may have changed."""
        if exchange.method != "GET":
            self._forget(exchange)

    def _differences(self, earlier: Shown, now: Shown) -> list[Difference]:
        """Return the differences that no other client can have made."""
        return [
            Difference(name, earlier, now)
            for name in different(earlier, now)
            if not (self._others_act and _may_be_changed(name, earlier, now))
        ]

    def _is_comparable(self, shown: Shown) -> bool:
        """Whether only the tests can change an object."""
        if tolerance.changes_alone(shown.value):
            return False
        return not is_owned(shown.kind) or bool(shown.ids & self._own)

    def _forget(self, exchange: Exchange) -> None:
        """Forget the objects that a request may have changed; a refusal changes none."""
        certain = not exchange.repeats and not exchange.together
        if certain and (exchange.refused or 400 <= exchange.status < 500):
            return
        ids = set(_UUID.findall(exchange.target.lower()))
        named = [shown for key, shown in self._latest.items() if key[1] in ids]
        owners = set().union(*(shown.ids for shown in named)) if named else set[str]()
        for key, shown in list(self._latest.items()):
            settled = certain and tolerance.is_settled(shown.value) and key[1] not in ids
            related = ids & shown.ids or (key[1] in owners and not is_part(shown.kind))
            if related and not settled:
                del self._latest[key]


def objects(exchange: Exchange) -> Iterator[Shown]:
    """Yield the objects in a successful answer as JSON."""
    if exchange.status not in SUCCESS:
        return
    document = exchange.document
    for place in places(exchange.operation, exchange.status):
        for found in _at(document, place.steps):
            if isinstance(found, Mapping) and isinstance(found.get("id"), str):
                value = {
                    name: _ids(found[name]) if name in place.objects else found[name]
                    for name in place.names
                    if name in found
                }
                yield Shown(place.kind, value, exchange, place.steps)


@cache
def places(operation: str, status: int) -> tuple[Place, ...]:
    """Return the places of objects in an answer of an operation."""
    response = all_operations()[operation].responses.get(status)
    media = None if response is None else response.media.get(JSON)
    found = [] if media is None else list(_places(media.schema, (), frozenset()))
    inner = {
        place: frozenset(
            other.steps[len(place.steps)] for other in found if _is_within(other.steps, place.steps)
        )
        for place in found
    }
    return tuple(replace(place, objects=inner[place]) for place in found)


@cache
def kinds(operation: str) -> frozenset[str]:
    """Return the kinds of objects that the answers of an operation show."""
    found = operations()[operation]
    return frozenset(
        place.kind for answer in found.successes for place in places(operation, answer.status)
    )


def shares_objects(operation: Operation) -> bool:
    """Whether another operation shows objects of a kind that ``operation`` shows, too."""
    name = operation.operation_id
    return any(kinds(name) & kinds(other) for other in operations() if other != name)


@cache
def is_owned(kind: str) -> bool:
    """Whether objects of a kind belong to a visitor."""
    return any(f"{kind}Id" in operation.owned for operation in operations().values())


@cache
def is_part(kind: str) -> bool:
    """Whether objects of a kind are shown within objects of another one."""
    return any(
        place.kind == kind and other.kind != kind and _is_within(place.steps, other.steps)
        for name, operation in operations().items()
        for answer in operation.successes
        for place in places(name, answer.status)
        for other in places(name, answer.status)
    )


def described(exchange: Exchange) -> Any:
    """Return the properties in an answer that have a described type.

    Those that may change without a request are included.
    """
    response = operations()[exchange.operation].responses.get(exchange.status)
    media = None if response is None else response.media.get(JSON)
    return None if media is None else _described(media.schema, exchange.json)


def different(earlier: Shown, now: Shown) -> list[str]:
    """Return the properties that two answers show differently.

    Those that may change without a request are left out.
    """
    names = (earlier.value.keys() & now.value.keys()) - set(tolerance.CHANGING)
    return [name for name in sorted(names) if not same(name, earlier.value[name], now.value[name])]


def _may_be_changed(name: str, earlier: Shown, now: Shown) -> bool:
    """Whether another client may have made a difference between two answers."""
    if now.kind == tolerance.MESSAGE:
        return name in tolerance.OF_OTHERS
    # A closed conversation stays closed, since the same time.
    was_closed = earlier.value.get("status") == "closed"
    return not (name in tolerance.FIXED or (was_closed and name in ("status", "closedAt")))


def same(name: str, first: Any, second: Any) -> bool:
    """Whether two values of a property are the same, in whichever of the valid spellings.

    Objects are compared in the properties that both have.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return all(same(n, first[n], second[n]) for n in first.keys() & second.keys())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(
            same(name, one, other) for one, other in zip(first, second, strict=True)
        )
    if isinstance(first, str) and isinstance(second, str):
        if first == second:
            return True
        if tolerance.is_picture(name):
            return first.partition("?")[0] == second.partition("?")[0]
        if _UUID.fullmatch(first.lower()) and _UUID.fullmatch(second.lower()):
            return first.lower() == second.lower()
        return is_time(name) and same_moment(first, second)
    return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)


def _places(schema: Json, steps: tuple[str, ...], above: frozenset[str]) -> Iterator[Place]:
    reference = str(schema.get("$ref", ""))
    if reference in above:
        return
    above = above | {reference} if reference else above
    for form in forms(schema):
        described = form.get("properties", {})
        kind = resolve(described.get("object", {})).get("const")
        if isinstance(kind, str) and "id" in described:
            names = frozenset(n for n, each in described.items() if _has_type(each))
            yield Place(steps, kind, names, frozenset())
        for name, each in described.items():
            yield from _places(each, (*steps, name), above)
        if "items" in form:
            yield from _places(form["items"], (*steps, "*"), above)


def _described(schema: Json, value: Any) -> Any:
    if isinstance(value, list):
        items: Json = next((form["items"] for form in forms(schema) if "items" in form), {})
        return [_described(items, item) for item in value]
    if isinstance(value, Mapping):
        known = {n: each for f in forms(schema) for n, each in f.get("properties", {}).items()}
        return {n: _described(known[n], v) for n, v in value.items() if _is_typed(known.get(n))}
    return value


def _is_typed(schema: Json | None) -> bool:
    return schema is not None and _has_type(schema)


def _has_type(schema: Json) -> bool:
    return any("type" in form or "const" in form or "enum" in form for form in forms(schema))


def _at(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield value
    elif steps[0] == "*":
        for item in value if isinstance(value, list) else ():
            yield from _at(item, steps[1:])
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _at(value[steps[0]], steps[1:])


def _is_within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _ids(value: Any) -> Any:
    """Return the ids of the objects in a value, in place of the objects."""
    if isinstance(value, list):
        return [_ids(item) for item in value]
    return value.get("id") if isinstance(value, Mapping) else value
