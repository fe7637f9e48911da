"""The forms of the description for generators that cannot take `openapi.yaml` itself.

Every form states less than the original and never more: a reader of the form may expect whatever
a server may send by the original. `docs/languages.md` says which generator needs which, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from siteassist_spec import JSON, Document, Json, Pointer
from siteassist_spec.transform import rebuild, to_openapi_3_0

Description: TypeAlias = dict[str, Any]
Form: TypeAlias = Callable[[Document], Description]


def with_nullable_references(document: Document) -> Description:
    """Return a description in OpenAPI 3.0 with ``nullable`` in place of unions with null.

    By the standard, ``nullable`` needs a ``type`` beside it; `to_openapi_3_0` says why. For
    generators that read it beside ``allOf`` and ``anyOf`` as well, and have no type for a schema
    that only null fits.
    """

    def change(kind: str, node: Description, _: Pointer) -> Description:
        choices = node.get("anyOf", []) if kind == "Schema" else []
        others = [choice for choice in choices if choice.get("enum") != [None]]
        if len(others) == len(choices):
            return node
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        # Beside a reference, 3.0 reads nothing at all.
        return {**rest, "nullable": True, "allOf" if len(others) == 1 else "anyOf": others}

    return rebuild(document, change)


def with_plain_unions(document: Document) -> Description:
    """Return the description without constraints that tell alternatives apart by their value.

    One object stands in the place of each union of objects: it has the properties of all of them,
    and those are required that each of them requires. A union of strings becomes a string, and
    `not` is left out. For generators that try the alternatives in turn without looking at
    `pattern` or `not`, and refuse a value that more than one of them accepts.
    """

    def change(kind: str, node: Description, path: Pointer) -> Description:
        return _plain(document, node, document.at(path)) if kind == "Schema" else node

    plain = rebuild(document, change)
    # Properties that come from another schema may be unions themselves.
    return plain if plain == document.raw else with_plain_unions(Document(plain))


def _plain(document: Document, node: Description, written: Json) -> Description:
    """Return a node whose children are plain; its alternatives are compared as written."""
    plain = {key: value for key, value in node.items() if key != "not"}
    for key in ("oneOf", "anyOf"):
        choices = [document.resolve(choice) for choice in written.get(key, [])]
        kinds = {choice.get("type") for choice in choices}
        if kinds in ({"object"}, {"string"}):
            del plain[key]
            plain["type"] = kinds.pop()
            if plain["type"] == "object":
                plain["required"] = [
                    name
                    for name in choices[0].get("required", [])
                    if all(name in choice.get("required", []) for choice in choices)
                ]
                plain["properties"] = _united(choices)
    return plain


def _united(choices: list[Json]) -> Description:
    """Return the properties of all ``choices``; of one that they describe differently, its type."""
    united: Description = {}
    for choice in choices:
        for name, schema in choice.get("properties", {}).items():
            other = united.setdefault(name, schema)
            if other != schema:
                united[name] = {
                    key: other[key]
                    for key in ("type", "description")
                    if key in other and (key == "description" or other[key] == schema.get(key))
                }
    return united


def without_negations(document: Document) -> Description:
    """Return the description without `not`.

    For generators that have no type for it. They must try the alternatives of a union in order:
    those with a `not` stand last.
    """

    def change(kind: str, node: Description, _: Pointer) -> Description:
        if kind != "Schema":
            return node
        return {key: value for key, value in node.items() if key != "not"}

    return rebuild(document, change)


def with_one_answer(document: Document) -> Description:
    """Return the description with one type of success for each operation.

    Event streams are left out, and so are successes of another type than the first one, such as
    the acknowledgement of a message that waits for a human agent. For generators that give an
    operation a single type of answer.
    """

    def change(kind: str, node: Description, _: Pointer) -> Description:
        return {**node, "responses": _single(document, node)} if kind == "Operation" else node

    return rebuild(document, change)


def _single(document: Document, operation: Json) -> Description:
    """Return the responses of an operation, with one type of success."""
    kept: Description = {}
    first: list[Any] = []
    for status, written in operation["responses"].items():
        if not str(status).startswith("2"):
            kept[status] = written
            continue
        response = document.resolve(written)
        answer = response.get("content", {}).get(JSON)
        schema = answer and answer["schema"]
        first = first or [schema]
        if schema == first[0]:
            kept[status] = {**response, "content": {JSON: answer}} if answer else written
    return kept


FORMS: dict[str, tuple[Form, ...]] = {
    "openapi-generator": (with_plain_unions,),
    "progenitor": (
        without_negations,
        with_one_answer,
        to_openapi_3_0,
        with_nullable_references,
    ),
}


def description_for(generator: str, document: Document) -> Description:
    """Return the description in the form that ``generator`` can work with.

    That is the description itself unless ``FORMS`` names the generator.
    """
    for form in FORMS.get(generator, ()):
        document = Document(form(document))
    return dict(document.raw)
