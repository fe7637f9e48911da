"""Forms of the description for generators that cannot process `openapi.yaml` itself.

`with_plain_unions` and `without_negations` only drop constraints: a client that is made from
these accepts every response that the original allows. `with_types_for_typify` and
`with_one_answer` change what their generators cannot process. `docs/how-to/languages.md` lists
the generators that need a form, with the reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from siteassist_spec import JSON, Document, Json, Pointer
from siteassist_spec.transform import rebuild, rest_only, to_openapi_3_0

Description: TypeAlias = dict[str, Any]
Form: TypeAlias = Callable[[Document], Description]


def with_plain_unions(document: Document) -> Description:
    """Return the description without constraints that distinguish alternatives by their value.

    A union of objects becomes a single object with the properties of all alternatives; it requires
    the properties that every alternative requires. A union of strings becomes a string, one of an
    object and a string allows anything, and `not` is removed. This form is for generators that try
    the alternatives in another order or in turn, ignore `pattern` and `not`, and take the first
    alternative or reject a value that more than one accepts.
    """

    def change(kind: str, node: Description, path: Pointer) -> Description:
        return _plain(document, node, document.at(path)) if kind == "Schema" else node

    plain = rebuild(document, change)
    # The properties of the alternatives may be unions themselves.
    return plain if plain == document.raw else with_plain_unions(Document(plain))


def _plain(document: Document, node: Description, written: Json) -> Description:
    """Simplify the unions of one node, whose children are already simplified.

    ``written`` is the node in the original, whose alternatives are compared.
    """
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
        elif len(kinds) > 1 and "null" not in kinds:
            del plain[key]
    return plain


def _united(choices: list[Json]) -> Description:
    """Merge the properties of all ``choices``.

    A property that differs between them keeps only its description, and its type if it is the same.
    """
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

    This form is for generators that do not support `not`. Such a generator must try the
    alternatives of a union in order, since the alternatives with a `not` come last.
    """

    def change(kind: str, node: Description, _: Pointer) -> Description:
        if kind != "Schema":
            return node
        return {key: value for key, value in node.items() if key != "not"}

    return rebuild(document, change)


def with_types_for_typify(document: Document) -> Description:
    """Return the description for typify, the library by which progenitor makes types in Rust.

    A union becomes a `oneOf`: typify makes an enum of it, whose alternatives are tried in order,
    but a structure with all alternatives of an `anyOf`. A nullable enum gets the name of the enum
    as its title. It has no name of its own in OpenAPI 3.0, and typify would name it after its
    place, such as `MessageFeedback` for the field `feedback` of a message, although a schema has
    this name.
    """

    def change(kind: str, node: Description, _: Pointer) -> Description:
        if kind != "Schema" or "anyOf" not in node:
            return node
        named = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        if len(named) == len(node["anyOf"]):
            return {("oneOf" if key == "anyOf" else key): value for key, value in node.items()}
        if len(named) == 1 and "enum" in document.resolve(named[0]):
            return {"title": document.component(named[0]), **node}
        return node

    return rebuild(document, change)


def with_one_answer(document: Document) -> Description:
    """Return the description with one type of successful response for each operation.

    Event streams are removed, and so are successful responses whose type differs from the first,
    such as the acknowledgement of a message that waits for a human agent. This form is for
    generators that support a single type of response for an operation.
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
    "openapi-3.0": (to_openapi_3_0,),
    "progenitor": (without_negations, with_types_for_typify, with_one_answer, to_openapi_3_0),
}


def description_for(form: str, document: Document) -> Description:
    """Return the description without the handshakes of WebSockets, in a form of `FORMS`.

    An empty ``form`` changes nothing else.
    """
    document = Document(rest_only(document))
    for transform in FORMS.get(form, ()):
        document = Document(transform(document))
    return dict(document.raw)
