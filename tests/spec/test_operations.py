"""`siteassist_spec` derives the facts of each operation, and says where it cannot."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from siteassist_spec import Document, SpecError, read_operations

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
    """Load a description from a file."""
    path = folder / "openapi.yaml"
    path.write_text(text)
    return Document.load(path)


def test_facts_of_an_operation_are_derived(tmp_path: Path) -> None:
    """Method, parameters of the path and of the method, an answer without a body, ownership."""
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


def test_objects_of_a_visitor_are_those_that_links_lead_to() -> None:
    """What a visitor is given the id of is theirs; what anybody may read is not."""
    found = read_operations(Document.load())
    names = {name for operation in found.values() for name in operation.owned}
    assert {"conversationId", "messageId"} == names
    assert all(operation.needs_token for operation in found.values() if operation.owned)


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
def test_what_is_not_supported_is_told_with_its_place(
    old: str, new: str, place: str, problem: str, tmp_path: Path
) -> None:
    """File, line, column and problem, in one line."""
    assert old in MINIMAL
    with pytest.raises(SpecError) as raised:
        read_operations(written(tmp_path, MINIMAL.replace(old, new)))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}/openapi.yaml{place}: "), message
    assert problem in message
    assert 1 == len(message.splitlines())


def paged(change: Callable[[dict[str, Any]], object]) -> Document:
    """Return a description with a paged list, changed."""
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
    """Whatever its parameters and properties are called."""
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
    """A renamed parameter must not turn a paged method into a plain one in silence."""
    place = f"#/paths/~1things/get/responses/200/x-page/{key}: x-page: `{key}` is `gone`"
    with pytest.raises(SpecError, match=place):
        read_operations(paged(lambda page: page.update({key: "gone"})))
