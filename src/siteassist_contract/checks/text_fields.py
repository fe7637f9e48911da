"""The places of requests that take a text, and the properties of answers that show it.

Both are derived from ``openapi.yaml``, so a new field is tested at once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract.checks.behaviour.model import text_of
from siteassist_contract.description import (
    answer_properties,
    credential_of,
    forms,
    operations,
    resolve,
)
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_spec import Json, Operation

MESSAGE_TEXT = "parts"
"""The property of a message that shows its text, in the parts of the type ``text``: P2."""


@dataclass(frozen=True)
class TextField:
    """A parameter or a property of a request that takes a text without restrictions."""

    operation: str
    steps: tuple[str | int, ...]
    """The way to the property in the body, or the name of the query parameter."""
    in_query: bool
    schema: Json = field(compare=False, repr=False)
    shown: str | None
    """The property of the written object that shows the text; None if no answer does."""

    @property
    def name(self) -> str:
        """The name of the field, such as ``pageContext/url``."""
        return "/".join(map(str, self.steps))

    @property
    def most(self) -> int | None:
        """The maximum length, or None if no document states one."""
        length: int | None = self.schema.get("maxLength")
        return length

    def fill(self, request: RequestParts, text: str) -> RequestParts:
        """Return a copy of a request with ``text`` in this field.

        In an array, each element gets the text.
        """
        if self.in_query:
            return request.changed(query={str(self.steps[0]): text})
        body = copy.deepcopy(request.body) if isinstance(request.body, dict) else {}
        _put(body, self.steps, text)
        return request.changed(body=body)

    def text_in(self, written: Mapping[str, Any]) -> Any:
        """Return the text of this field in a written object; None if the object lacks it."""
        value = written.get(self.shown or "")
        return text_of(value) if self.shown == MESSAGE_TEXT else value


def text_fields(operation: Operation) -> Iterator[TextField]:
    """Yield the fields of an operation that take a text."""
    name = operation.operation_id
    for parameter in operation.places("query"):
        if is_free_text(parameter.resolved):
            yield TextField(name, (parameter.name,), True, parameter.resolved, None)
    if operation.body is not None:
        yield from _in_object(operation, resolve(operation.body.schema), ())


def takes_text(operation: Operation) -> bool:
    """Whether a request of ``operation`` has a text."""
    return any(True for _ in text_fields(operation))


def shows_text(operation: Operation) -> bool:
    """Whether later answers show a text in a request of ``operation``."""
    return any(each.shown is not None for each in text_fields(operation))


def adds_entry(operation: Operation) -> bool:
    """Whether a request adds an entry to the list that a GET of the same path returns."""
    return operation.method == "POST" and any(
        (other.method, other.path) == ("GET", operation.path) and other.paging is not None
        for other in operations().values()
    )


def shows(operation: Operation, name: str) -> bool:
    """Whether an answer of ``operation`` contains objects with a property ``name``."""
    answers = [media.schema for each in operation.successes for media in each.media.values()]
    return any(_mentions(schema, name, frozenset()) for schema in answers)


def is_free_text(schema: Json) -> bool:
    """Whether a schema allows texts without restrictions on their content."""
    declared = schema.get("type", ())
    plain = "string" in ([declared] if isinstance(declared, str) else declared)
    # Servers may restrict the characters of keys and of devices.
    return (
        plain
        and not {"enum", "format", "const", "pattern"} & set(schema)
        and credential_of(schema) is None
    )


def _in_object(
    operation: Operation, schema: Json, steps: tuple[str | int, ...]
) -> Iterator[TextField]:
    for name, written in schema.get("properties", {}).items():
        inner = (*steps, name)
        for form in forms(written):
            if is_free_text(form):
                required = name in schema.get("required", ())
                shown = _shown(operation, inner, required=required)
                yield TextField(operation.operation_id, inner, False, form, shown)
            yield from _in_object(operation, form, inner)
            items = form.get("items")
            if items is not None:
                yield from _in_object(operation, resolve(items), (*inner, 0))


def _shown(operation: Operation, steps: tuple[str | int, ...], *, required: bool) -> str | None:
    """Return the property of the written object that shows a field.

    It has the name of the field, or one such as ``pageUrl`` for ``pageContext/url``. The
    required text of a message is shown by its parts.
    """
    written = _written(operation)
    *parents, name = map(str, steps)
    longer = (_joined(parent, name) for parent in reversed(parents))
    for candidate in (*longer, name):
        if candidate in written:
            return candidate
    is_message = operation.stream is not None and required and not parents
    return MESSAGE_TEXT if is_message and MESSAGE_TEXT in written else None


def _joined(parent: str, name: str) -> str:
    """Return such a name as ``pageUrl`` for ``pageContext`` and ``url``."""
    first = re.match(r"[a-z]*", parent)
    return f"{first[0] if first else ''}{name[:1].upper()}{name[1:]}"


def _written(operation: Operation) -> Json:
    """Return the properties of the object that a request writes.

    It is the new entry of the list at the same path, or else the object that a GET of the same
    path, or of the path without its last segment, returns.
    """
    if operation.method == "GET":
        return {}
    found: Json = {}
    for path in (operation.path.rpartition("/")[0], operation.path):
        for other in operations().values():
            if (other.method, other.path) == ("GET", path):
                found = answer_properties(other)
                if other.paging is not None:
                    entry = resolve(found[other.paging.items]).get("items", {})
                    found = resolve(entry).get("properties", {})
    return found


def _mentions(schema: Json, name: str, seen: frozenset[str]) -> bool:
    """Whether objects that a schema describes have a property ``name`` at any depth."""
    reference = str(schema.get("$ref", ""))
    if reference in seen:
        return False
    inside = resolve(schema)
    seen |= {reference} - {""}
    if name in inside.get("properties", {}):
        return True
    parts = [*inside.get("properties", {}).values(), *inside.get("anyOf", ())]
    parts += [inside["items"]] if "items" in inside else []
    return any(_mentions(part, name, seen) for part in parts)


def _put(node: Any, steps: tuple[str | int, ...], text: str) -> None:
    """Put a text at the end of a way, and add the objects on the way that are missing."""
    step, *rest = steps
    if rest and isinstance(step, int):
        for element in node:
            _put(element, tuple(rest), text)
    elif rest:
        if not isinstance(node.get(step), dict | list):
            node[step] = {}
        _put(node[step], tuple(rest), text)
    else:
        node[step] = text
