"""`siteassist_spec` derives the facts of each operation, or reports the place of the problem."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from siteassist_spec import Document, SpecError, read_operations
from tests.description import OPERATIONS

MINIMAL = """\
openapi: 3.1.0
servers: [{url: https://host/v2}]
paths:
  /things:
    post:
      operationId: makeThing
      security: [{bearer: []}]
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses:
        '201':
          description: Made.
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
          links:
            removeThing:
              operationId: removeThing
              parameters: {thingId: $response.body#/id}
  /things/{thingId}:
    parameters:
      - $ref: '#/components/parameters/ThingId'
    delete:
      operationId: removeThing
      security: [{bearer: []}]
      parameters:
        - {name: If-Match, in: header, schema: {type: [string, 'null'], default: x}}
      responses:
        '204': {description: Gone.}
components:
  parameters:
    ThingId: {name: thingId, in: path, required: true, schema: {$ref: '#/components/schemas/Id'}}
  schemas:
    Id: {type: string}
    Thing: {type: object, properties: {id: {$ref: '#/components/schemas/Id'}}}
"""


def written(folder: Path, text: str = MINIMAL) -> Document:
    """Write a description to a file and load it."""
    path = folder / "openapi.yaml"
    path.write_text(text)
    return Document.load(path)


def test_facts_of_an_operation_are_derived(tmp_path: Path) -> None:
    """Methods, shared and own parameters, a response without a body and ownership are derived."""
    made, removed = read_operations(written(tmp_path)).values()
    assert ("POST", True, set()) == (made.method, made.needs_token, set(made.owned))
    assert made.body is not None
    assert not made.body.required
    assert "DELETE /things/{thingId} (removeThing)" == removed.label
    assert [("thingId", "path", True), ("If-Match", "header", False)] == [
        (one.name, one.place, one.required) for one in removed.parameters
    ]
    assert {"type": "string"} == removed.parameter("thingId").resolved
    header = removed.places("header")[0]
    assert {"string", "null"} == header.types
    assert "x" == header.default
    assert removed.body is None
    assert [(204, {})] == [(one.status, one.media) for one in removed.successes]
    assert {"thingId"} == removed.owned


def test_owned_parameters_follow_from_links() -> None:
    """A visitor owns the objects whose ids link to operations with a token, and no others."""
    names = {name for operation in OPERATIONS.values() for name in operation.owned}
    assert {"conversationId", "messageId"} == names
    assert all(operation.needs_token for operation in OPERATIONS.values() if operation.owned)


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("      operationId: makeThing\n", "", ":5:5", "`operationId` is missing"),
        ("removeThing\n      sec", "makeThing\n      sec", ":21:7", "makeThing is duplicated"),
        ("in: header", "in: cookie", ":24:11", "a parameter in `cookie` is not supported"),
        ("'204'", "default", ":26:9", "status `default` is not supported"),
        ("'204'", "'404'", ":25:7", "an operation needs a success response"),
        ("application/json: {schema: {type", "text/plain: {schema: {type", ":8:21", "media type"),
        ("    delete:", "    trace:", ":20:5", "`trace` is not supported in a path"),
        ("/things/{thingId}:", "/things/{id}:", ":20:5", "id, thingId must be in both the path"),
        (
            "schemas/Id'}}\n  schemas",
            "schemas/No'}}\n  schemas",
            ":29:56",
            "cannot resolve #/components/schemas/No",
        ),
        ("    Id: {type: string}", "    Id: {$ref: '#/components/schemas/Id'}", ":29:56", "itself"),
        ("paths:", "path:", ":1:1", "`paths` must be a mapping"),
        (
            "        '204': {description: Gone.}",
            "        '204': {description: Gone., x-page: {items: a}}",
            ":26:37",
            "`offset` is missing",
        ),
        (
            "        '204': {description: Gone.}",
            "        '204': {description: Gone., x-event-stream: {flag: a}}",
            ":26:54",
            "x-event-stream: unknown key `flag`",
        ),
    ],
)
def test_unsupported_construct_is_reported_with_its_place(
    old: str, new: str, place: str, problem: str, tmp_path: Path
) -> None:
    """The message has file, line, column and problem in one line."""
    assert old in MINIMAL
    with pytest.raises(SpecError) as raised:
        read_operations(written(tmp_path, MINIMAL.replace(old, new)))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}/openapi.yaml{place}: "), message
    assert problem in message
    assert 1 == len(message.splitlines())


def paged(change: Callable[[dict[str, Any]], object]) -> Document:
    """Return a description with a paged list, whose ``x-page`` is changed by ``change``."""
    raw = copy.deepcopy(YAML(typ="safe", pure=True).load(MINIMAL))
    operation = raw["paths"]["/things"]["get"] = copy.deepcopy(raw["paths"]["/things"]["post"])
    del operation["requestBody"]
    operation["operationId"] = "getThings"
    operation["parameters"] = [
        {"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("skip", "size")
    ]
    response = operation["responses"]["200"] = operation["responses"].pop("201")
    response["content"]["application/json"]["schema"] = {
        "required": ["rows"],
        "properties": {"rows": {"type": "array"}, "count": {"type": "integer"}},
    }
    response["x-page"] = {"items": "rows", "total": "count", "offset": "skip", "limit": "size"}
    change(response["x-page"])
    return Document(raw)


def test_paging_is_declared() -> None:
    """The names of paging parameters and properties are read from ``x-page``."""
    paging = read_operations(paged(lambda _: None))["getThings"].paging
    assert paging is not None
    assert ("rows", "count", "skip", "size") == (
        paging.items,
        paging.total,
        paging.offset,
        paging.limit,
    )


@pytest.mark.parametrize("key", ["items", "total", "offset", "limit"])
def test_dangling_paging_is_an_error(key: str) -> None:
    """A renamed parameter or property is an error; it does not silently disable paging."""
    place = f"#/paths/~1things/get/responses/200/x-page/{key}: x-page: `{key}` is `gone`"
    with pytest.raises(SpecError, match=place):
        read_operations(paged(lambda page: page.update({key: "gone"})))
