"""The forms of the description that generators are given, where `openapi.yaml` itself is too much.

Every form says less than the original and never more: what a server may send by the original, a
reader of the form may expect. `docs/languages.md` says which generator needs which, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

Description = dict[str, Any]
Form = Callable[[Description], Description]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
EXAMPLES = ("value", "example", "default")
ONLY_IN_3_1 = ("contentMediaType", "contentEncoding", "contentSchema")


def as_written(description: Description) -> Description:
    """Return ``description`` itself."""
    return description


def for_openapi_3_0(description: Description) -> Description:
    """Return the description in the words of OpenAPI 3.0.3.

    What 3.0 has no words for is left out: what a string's content is (``contentSchema``), the
    license's short name, the summary of the whole.
    """
    lowered = cast("Description", _lowered(description))
    lowered["openapi"] = "3.0.3"
    lowered["info"].pop("summary", None)
    lowered["info"].get("license", {}).pop("identifier", None)
    return lowered


def _lowered(node: Any) -> Any:
    """Return ``node`` and what is below it in the words of 3.0; examples stay as they are."""
    if isinstance(node, list):
        return [_lowered(item) for item in node]
    if not isinstance(node, dict):
        return node
    lowered = {key: value if key in EXAMPLES else _lowered(value) for key, value in node.items()}
    for key in ONLY_IN_3_1:
        lowered.pop(key, None)
    if "const" in lowered:
        lowered["enum"] = [lowered.pop("const")]
    if isinstance(lowered.get("type"), list):
        (lowered["type"],) = (name for name in lowered["type"] if name != "null")
        lowered["nullable"] = True
    choices = lowered.get("anyOf", [])
    others = [choice for choice in choices if choice.get("type") != "null"]
    if len(others) < len(choices):
        lowered["nullable"] = True
        del lowered["anyOf"]
        # Beside a reference 3.0 reads nothing, `nullable` least of all.
        lowered["allOf" if len(others) == 1 else "anyOf"] = others
    return lowered


def with_plain_unions(description: Description) -> Description:
    """Return the description without what tells the alternatives of a union apart by its value.

    One object stands in the place of each union of objects: it has the properties of all of them,
    and those are required that each of them requires. A union of strings becomes a string, and
    `not` is left out. For generators that try the alternatives in turn without looking at
    `pattern` or `not`, and refuse what more than one of them takes.
    """
    schemas = description["components"]["schemas"]
    return cast("Description", _plain(description, schemas))


def _plain(node: Any, schemas: Description) -> Any:
    """Return ``node`` with plain unions in it and below it; examples stay as they are."""
    if isinstance(node, list):
        return [_plain(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {
        key: value if key in EXAMPLES else _plain(value, schemas)
        for key, value in node.items()
        if key != "not"
    }
    for key in ("oneOf", "anyOf"):
        choices = [_resolved(choice, schemas) for choice in node.get(key, [])]
        kinds = {choice.get("type") for choice in choices}
        if kinds in ({"object"}, {"string"}):
            del plain[key]
            plain["type"] = kinds.pop()
        if choices and plain.get("type") == "object":
            plain["required"] = [
                name
                for name in choices[0]["required"]
                if all(name in choice.get("required", []) for choice in choices)
            ]
            plain["properties"] = _plain(_united(choices), schemas)
    return plain


def _resolved(schema: Description, schemas: Description) -> Description:
    """Return what ``schema`` refers to, if it refers to anything."""
    reference = schema.get("$ref")
    return cast("Description", schemas[reference.rpartition("/")[2]]) if reference else schema


def _united(choices: list[Description]) -> Description:
    """Return the properties of all ``choices``; of one that they describe differently, its type."""
    united: Description = {}
    for choice in choices:
        for name, schema in choice["properties"].items():
            other = united.setdefault(name, schema)
            if other != schema:
                united[name] = {
                    key: other[key]
                    for key in ("type", "description")
                    if key in other and (key == "description" or other[key] == schema.get(key))
                }
    return united


def without_negations(description: Description) -> Description:
    """Return the description without `not`.

    For generators that have no type for it. They must try the alternatives of a union in order:
    those with a `not` stand last.
    """
    return cast("Description", _without_negations(description))


def _without_negations(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_negations(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value if key in EXAMPLES else _without_negations(value)
        for key, value in node.items()
        if key != "not"
    }


def with_one_answer(description: Description) -> Description:
    """Return the description with JSON as the one thing that a success can be.

    Event streams are left out, and so are successes of another type than the first one, such as
    the acknowledgement of a message that waits for a human agent. For generators that give an
    operation a single type of answer.
    """
    single = deepcopy(description)
    for path in single["paths"].values():
        for operation in (path[method] for method in METHODS if method in path):
            seen: list[Any] = []
            for status in [status for status in operation["responses"] if status[0] == "2"]:
                content = operation["responses"][status].get("content", {})
                answer = content.get("application/json")
                seen.append(answer and answer["schema"])
                if seen[-1] != seen[0]:
                    del operation["responses"][status]
                elif answer:
                    operation["responses"][status]["content"] = {"application/json": answer}
    return single


FORMS: dict[str, tuple[Form, ...]] = {
    "openapi-generator": (with_plain_unions,),
    "progenitor": (for_openapi_3_0, without_negations, with_one_answer),
}


def description_for(generator: str, description: Description) -> Description:
    """Return ``description`` in the form that ``generator`` can work with.

    That is ``description`` itself unless ``FORMS`` names the generator.
    """
    for form in FORMS.get(generator, ()):
        description = form(description)
    return description
