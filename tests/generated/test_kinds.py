"""The generated client supports every kind of operation or refuses it in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generated.checkouts import add, check_types, generate_in, problem_of, python

pytestmark = pytest.mark.one_interpreter

THINGS = """\
  /things/{thingId}:
    parameters:
      - name: thingId
        in: path
        required: true
        description: The thing.
        schema: {type: string}
    get:
      operationId: getThingText
      tags: [Identity]
      summary: Get a thing as text
      description: Returns text.
      security: [{bearerAuth: []}]
      responses:
        '200':
          description: The text.
          content: {text/plain: {schema: {type: string}}}
    delete:
      operationId: deleteThing
      tags: [Identity]
      summary: Delete a thing
      description: Deletes it.
      security: [{bearerAuth: []}]
      parameters:
        - name: If-Match
          in: header
          required: true
          description: The version to delete.
          schema: {type: string}
        - name: X-Rank
          in: header
          description: A rank.
          schema: {type: integer, maximum: 9}
      responses:
        '204': {$ref: '#/components/responses/Gone'}
    put:
      operationId: replaceThing
      tags: [Identity]
      summary: Replace a thing
      description: Replaces it.
      security: [{bearerAuth: []}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/ThingRequest'}}}
      responses:
        '200':
          description: The thing as it is now.
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '204': {$ref: '#/components/responses/Gone'}
    patch:
      operationId: changeThing
      tags: [Identity]
      summary: Change a thing
      description: Changes it.
      security: [{bearerAuth: []}]
      requestBody:
        content: {application/json: {schema: {$ref: '#/components/schemas/ThingRequest'}}}
      responses:
        '200':
          description: The thing as it is now.
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '201':
          description: Another thing.
          content: {application/json: {schema: {$ref: '#/components/schemas/OtherThing'}}}
  /things/{thingId}/mark:
    parameters:
      - name: thingId
        in: path
        required: true
        description: The thing.
        schema: {type: string}
    put:
      operationId: markThing
      tags: [Identity]
      summary: Mark a thing
      description: Marks it.
      security: [{bearerAuth: []}]
      responses:
        '204': {$ref: '#/components/responses/Gone'}
    patch:
      operationId: touchThing
      tags: [Identity]
      summary: Touch a thing
      description: Touches it.
      security: [{bearerAuth: []}]
      responses:
        '202': {description: Noted.}
    delete:
      operationId: unmarkThing
      tags: [Identity]
      summary: Remove the mark
      description: Takes a body.
      security: [{bearerAuth: []}]
      requestBody:
        content: {application/json: {schema: {$ref: '#/components/schemas/ThingRequest'}}}
      responses:
        '204': {$ref: '#/components/responses/Gone'}
"""
SCHEMAS = """\
    ThingRequest:
      type: object
      description: What to say.
      properties:
        name: {type: [string, 'null'], description: The name.}
    Thing:
      type: object
      description: A thing.
      required: [name]
      properties:
        name: {type: string, description: The name.}
    OtherThing:
      type: object
      description: Another thing.
      required: [id]
      properties:
        id: {type: string, description: Names it.}
"""
GONE = """\
    Gone: {description: Nothing is left to say.}
"""
PROGRAM = """\
import asyncio
import json

import httpx

from siteassist import APIResponseError, AsyncSiteAssist, SiteAssist
from siteassist.models import OtherThing, Thing

ANSWERS = {
    ("GET", "/v2/things/t1"): httpx.Response(200, text="words"),
    ("DELETE", "/v2/things/t1"): httpx.Response(204),
    ("PUT", "/v2/things/t1"): httpx.Response(200, json={"name": "b"}),
    ("PUT", "/v2/things/t2"): httpx.Response(204),
    ("PATCH", "/v2/things/t1"): httpx.Response(200, json={"name": "c"}),
    ("PATCH", "/v2/things/t2"): httpx.Response(201, json={"id": "d"}),
    ("PATCH", "/v2/things/t3"): httpx.Response(204),
    ("PUT", "/v2/things/t1/mark"): httpx.Response(204),
    ("PATCH", "/v2/things/t1/mark"): httpx.Response(202),
    ("DELETE", "/v2/things/t1/mark"): httpx.Response(204),
}
sent = []


def answer(request):
    rank = {n: request.headers[n] for n in ("if-match", "x-rank", "x-more") if n in request.headers}
    body = json.loads(request.content) if request.content else None
    sent.append((request.method, request.url.path.removeprefix("/v2"), body, rank))
    found = ANSWERS[request.method, request.url.path]
    return httpx.Response(found.status_code, headers=found.headers, content=found.content)


CALLS = [
    (lambda c: c.get_thing_text("t1"), "words"),
    (lambda c: c.delete_thing("t1", if_match="v1", extra_headers={"X-More": "m"}), None),
    (lambda c: c.delete_thing("t1", if_match="v1", x_rank=3), None),
    (lambda c: c.replace_thing("t1", name=None), Thing(name="b")),
    (lambda c: c.replace_thing("t2"), None),
    (lambda c: c.change_thing("t1", name="c"), Thing(name="c")),
    (lambda c: c.change_thing("t2"), OtherThing(id="d")),
    (lambda c: c.mark_thing("t1"), None),
    (lambda c: c.touch_thing("t1"), None),
    (lambda c: c.unmark_thing("t1", name="x"), None),
]
SENT = [
    ("GET", "/things/t1", None, {}),
    ("DELETE", "/things/t1", None, {"if-match": "v1", "x-more": "m"}),
    ("DELETE", "/things/t1", None, {"if-match": "v1", "x-rank": "3"}),
    ("PUT", "/things/t1", {"name": None}, {}),
    ("PUT", "/things/t2", {}, {}),
    ("PATCH", "/things/t1", {"name": "c"}, {}),
    ("PATCH", "/things/t2", None, {}),
    ("PUT", "/things/t1/mark", None, {}),
    ("PATCH", "/things/t1/mark", None, {}),
    ("DELETE", "/things/t1/mark", {"name": "x"}, {}),
]


async def awaited():
    async with AsyncSiteAssist(token="t", transport=httpx.MockTransport(answer)) as client:
        return [await call(client) for call, _ in CALLS]


expected = [result for _, result in CALLS]
with SiteAssist(token="t", transport=httpx.MockTransport(answer)) as client:
    assert expected == [call(client) for call, _ in CALLS]
    assert SENT == sent, sent
    sent.clear()
    try:
        client.change_thing("t3")
    except APIResponseError:
        sent.clear()
    else:
        raise AssertionError("an undocumented 204 was accepted")
assert expected == asyncio.run(awaited())
assert SENT == sent, sent
"""


def test_every_kind_of_operation_works(checkout: Path) -> None:
    """Methods with and without bodies, headers and empty responses are typed and sent."""
    add(checkout, paths=THINGS, schemas=SCHEMAS, responses=GONE)
    generate_in(checkout)
    python(checkout, "-c", PROGRAM)
    check_types(checkout)
    reference = (checkout / "docs" / "reference" / "client-reference.md").read_text()
    assert "delete_thing(thing_id, if_match, x_rank=…) -> None" in reference
    assert "A rank. At most 9." in reference


THING = (
    "  /things:\n    post:\n      operationId: makeThing\n"
    "      tags: [Identity]\n      security: []\n"
)
OK = "      responses:\n        '204': {description: Made.}\n"


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (
            "      parameters:\n        - {name: a, in: cookie, schema: {type: string}}\n" + OK,
            "a: a parameter in `cookie` is not supported",
        ),
        (
            "      requestBody: {content: {image/png: {schema: {type: string}}}}\n" + OK,
            "a request body must have the media type application/json and no other",
        ),
        (
            "      requestBody: {content: {application/json: {schema: {type: array}}}}\n" + OK,
            (
                "makeThing: a request body must be an object, "
                "whose properties are the arguments of the method"
            ),
        ),
        (
            "      parameters:\n        - {name: Timeout, in: query, schema: {type: string}}\n"
            + OK,
            "makeThing: the argument `timeout` is duplicated",
        ),
        (
            (
                "      responses:\n        '200':\n          description: Made.\n"
                "          content: {image/png: {schema: {type: string}}}\n"
            ),
            "makeThing: a response of the media type image/png is not supported",
        ),
        (
            (
                "      responses:\n        '200':\n          description: Made.\n"
                "          content: {application/json: {schema: {type: array}}}\n"
            ),
            "makeThing: a response in JSON must be an object",
        ),
    ],
    ids=["cookie", "media-type", "body", "argument", "response", "json"],
)
@pytest.mark.usefixtures("no_cover")  # measures nothing that ships: the generator
def test_unsupported_operation_is_refused(tmp_path: Path, operation: str, problem: str) -> None:
    """The message points into the operation."""
    description = add(tmp_path, paths=THING + operation)
    found, row, column = problem_of(description)
    assert problem == found
    assert row > description.read_text().splitlines().index("  /things:")
    assert column > 4
