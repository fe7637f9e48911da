"""Every 400 and 422 of the mock, compared with what the description allows.

The tests judge each request with the schemas of ``openapi.yaml`` alone. They send
values of every kind to every parameter, and change every value of the body examples.
"""

from __future__ import annotations

import copy
import json
import math
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from jsonschema_rs import Draft202012Validator

from siteassist_spec import Document, read_operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from siteassist_spec import Operation, Parameter
    from tests.mock.conftest import Client

OPERATIONS = read_operations(Document.load())
REFUSALS = {400, 422}

TEXTS = (
    "", "null", "true", "false", "x", "0", "0.0", "0.5", "0.99", "1", "1.0", "1.5", "1e0", "15e-1",
    "-0", "-0.5", "-1", "9.99", "10", "49.5", "50", "50.5", "51", "99.5", "100", "100.5", "101",
    "1e2", "999.5", "1000", "1001", "1e9", "1e308", "+1", "01", "0x1", "1_0", ".5", "1.", "nan",
    "Infinity", "[]", "{}", "open", "closed", "asc", "desc", "user", "assistant", "createdAt",
    "title", "complete", "x" * 500, "x" * 501, str(uuid.UUID(int=4)), "\u0661",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, 1, 1.5, -1, "", "x", "x" * 257, "x" * 10_001, "like", [], ["x"], {}, {"x": 1},
    "https://example.com/a", "data:text/plain,x", str(uuid.UUID(int=4)),
)  # fmt: skip


def allows(spec: Mapping[str, Any], schema: Any, value: Any) -> bool:
    """Return whether ``schema`` of the description allows ``value``."""
    whole = {**schema, "components": {"schemas": spec["components"]["schemas"]}}
    return bool(Draft202012Validator(whole, validate_formats=True).is_valid(value))


def readings(text: str) -> Iterator[Any]:
    """Yield the JSON values that ``text`` can stand for in a query."""
    yield text
    if text == "":
        yield None

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        value = json.loads(text, parse_constant=refuse)
    except ValueError:
        return
    if isinstance(value, int | float | None) and not (
        isinstance(value, float) and math.isinf(value)
    ):
        yield value


def path_of(operation: Operation, client: Client) -> str:
    """Return the path of ``operation`` with the identifiers of stored objects."""
    chat = client.conversation().rpartition("/")[2]
    path = operation.path.replace("{conversationId}", chat)
    while "{" in path:
        path = f"{path.partition('{')[0]}{uuid.uuid4()}{path.partition('}')[2]}"
    return path


def required_query(operation: Operation) -> dict[str, str]:
    """Return a valid value for each required parameter of the query."""
    return {
        parameter.name: str(next(iter(parameter.examples.values())))
        for parameter in operation.parameters
        if parameter.place == "query" and parameter.required
    }


QUERIES = [
    (name, parameter)
    for name, operation in OPERATIONS.items()
    for parameter in operation.parameters
    if parameter.place == "query"
]


@pytest.mark.parametrize(
    ("name", "parameter"), QUERIES, ids=[f"{name}-{each.name}" for name, each in QUERIES]
)
def test_a_query_is_refused_if_the_description_forbids_it(
    client: Client, name: str, parameter: Parameter
) -> None:
    """A value gets a 400 exactly if no reading of it is valid."""
    operation = OPERATIONS[name]
    path = path_of(operation, client)
    body = next(iter(operation.body.examples.values())) if operation.body else None
    allowed, refused = 0, 0
    for text in TEXTS:
        query = {**required_query(operation), parameter.name: text}
        sent = "&".join(f"{key}={quote(value)}" for key, value in query.items())
        reply = client.request(operation.method, f"{path}?{sent}", body=body)
        valid = any(allows(client.spec, parameter.schema, value) for value in readings(text))
        assert (text, valid) == (text, reply.status not in REFUSALS)
        allowed, refused = allowed + valid, refused + (not valid)
    assert allowed
    # A key is any text.
    assert refused or parameter.name == "apiKey"


def changed(value: Any) -> Iterator[Any]:
    """Yield ``value`` with each of its parts left out, and replaced by other values."""
    yield from VALUES
    if isinstance(value, dict):
        yield {**value, "unknown": 1}
        for name in value:
            yield {key: part for key, part in value.items() if key != name}
            for part in changed(value[name]):
                yield {**value, name: part}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for part in changed(item):
                yield [*value[:index], part, *value[index + 1 :]]


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if each.body])
def test_a_body_is_refused_if_the_description_forbids_it(client: Client, name: str) -> None:
    """A body gets a 400 or a 422 exactly if its schema refuses it."""
    operation = OPERATIONS[name]
    assert operation.body is not None
    path = path_of(operation, client)
    outcomes = set()
    for example in operation.body.examples.values():
        for body in (example, *changed(copy.deepcopy(example))):
            raw = json.dumps(body).encode()
            valid = allows(client.spec, operation.body.schema, body)
            reply = client.request(operation.method, path, raw=raw)
            assert (body, valid) == (body, reply.status not in REFUSALS)
            outcomes.add(valid)
    assert {True, False} == outcomes


def test_a_fraction_is_rounded_down_after_the_bounds_are_checked(client: Client) -> None:
    """The response has the number that was used."""
    for _ in range(3):
        client.conversation()
    page = client.get("/conversations?limit=2.9&offset=1.9").json
    assert (2, 1, 2) == (page["limit"], page["offset"], len(page["data"]))
    assert 400 == client.get("/conversations?limit=100.5").status
    assert 400 == client.get("/conversations?limit=0.5").status
