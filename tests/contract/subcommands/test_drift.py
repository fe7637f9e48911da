"""`siteassist-contract drift` names what a server's own description has and ours has not."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from scripts.diff import judged
from siteassist_contract.http import preflight, published_description
from siteassist_contract.subcommands import drift
from siteassist_spec import Document, differences, load_spec
from tests.contract.conftest import InProcess, Serve

SPEC = load_spec()
SCHEMAS = ("components", "schemas")


def at(document: Any, *steps: str | int) -> Any:
    """Return a node of a document."""
    for step in steps:
        document = document[step]
    return document


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that compares an answer to GET /openapi with our description."""

    def compare(answer: httpx.Response) -> Result:
        monkeypatch.setattr(preflight, "fetch", lambda *_: answer)
        return CliRunner().invoke(drift.main, ["http://host/v2"])

    return compare


def lines(result: Result) -> list[str]:
    """Return the lines of the differences."""
    assert 1 == result.exit_code, result.output
    return [line.strip() for line in result.stdout.splitlines()[:-1]]


def test_description_of_the_mock_does_not_differ(direct: InProcess, serve_direct: str) -> None:
    """The mock publishes `openapi.yaml`, with its own address."""
    del direct
    result = CliRunner().invoke(drift.main, [serve_direct])
    assert (0, "The server's description does not differ from openapi.yaml.\n") == (
        result.exit_code,
        result.stdout,
    )


@pytest.fixture
def serve_direct(direct: InProcess, loopback: Serve) -> str:
    """Return the address of a mock."""
    return loopback(direct.forward).url


def remove_operation(spec: Any) -> None:
    """Remove an operation."""
    del spec["paths"]["/identity/me"]


def add_operation(spec: Any) -> None:
    """Add an operation."""
    spec["paths"]["/exports"] = {"get": {"responses": {}}}


def remove_parameter(spec: Any) -> None:
    """Remove a parameter."""
    parameters = spec["paths"]["/search"]["get"]["parameters"]
    parameters[:] = [each for each in parameters if "size" != named(spec, each)]


def named(spec: Any, parameter: Any) -> str:
    """Return the name of a parameter."""
    if "$ref" in parameter:
        return str(at(spec, *parameter["$ref"].split("/")[1:])["name"])
    return str(parameter["name"])


def require_parameter(spec: Any) -> None:
    """Add a required parameter."""
    spec["paths"]["/search"]["get"]["parameters"].append(
        {"name": "lang", "in": "query", "required": True, "schema": {"type": "string"}}
    )


def rename_property(spec: Any) -> None:
    """Misspell a property."""
    item = at(spec, *SCHEMAS, "Visitor")
    item["properties"]["externalID"] = item["properties"].pop("externalId")


def add_value(spec: Any) -> None:
    """Add a value."""
    at(spec, *SCHEMAS, "VisitorType")["enum"].append("robot")


def forbid_null(spec: Any) -> None:
    """Make a property that may be null a text."""
    at(spec, *SCHEMAS, "Visitor", "properties")["name"] = {"type": "string"}


def free_token(spec: Any) -> None:
    """Let an operation need no token."""
    spec["paths"]["/identity/me"]["get"]["security"] = []


def remove_status(spec: Any) -> None:
    """Remove a status."""
    del spec["paths"]["/identity/me"]["get"]["responses"]["402"]


def change_type(spec: Any) -> None:
    """Change a type."""
    at(spec, *SCHEMAS, "Visitor", "properties")["id"] = {"type": "integer"}


def lengthen(spec: Any) -> None:
    """Change a bound in the body of a request."""
    body = at(spec, "paths", "/identity/init", "post", "requestBody")
    if "$ref" in body:
        body = at(spec, *body["$ref"].split("/")[1:])
    schema = body["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = at(spec, *schema["$ref"].split("/")[1:])
    schema["properties"]["saVid"] = {**follow(spec, schema["properties"]["saVid"]), "maxLength": 64}


def shorten_event(spec: Any) -> None:
    """Remove a property of an event of the streams."""
    del at(spec, *SCHEMAS, "FinishPayload", "properties")["finishReason"]


def follow(spec: Any, node: Any) -> Any:
    """Follow a reference."""
    return at(spec, *node["$ref"].split("/")[1:]) if "$ref" in node else node


CHANGES: dict[Callable[[Any], None], tuple[str, str]] = {
    remove_operation: ("GET /identity/me", "lacks the operation"),
    add_operation: ("GET /exports", "adds the operation"),
    remove_parameter: ("GET /search", "lacks the query parameter `size`"),
    require_parameter: ("GET /search", "contradicts requires the query parameter `lang`"),
    rename_property: ("GET /identity/me", "lacks the property `externalId` (200)"),
    add_value: ("GET /identity/me", 'adds `type`: the value "robot" (200)'),
    forbid_null: ("GET /identity/me", "contradicts `name`: is never null (200)"),
    free_token: ("GET /identity/me", "contradicts security: needs no token"),
    remove_status: ("GET /identity/me", "lacks the status 402"),
    change_type: ("GET /identity/me", "contradicts `id`: integer instead of string (200)"),
    lengthen: (
        "POST /identity/init",
        "contradicts `saVid`: `maxLength` 64 instead of 100 (request)",
    ),
    shorten_event: (
        "POST /conversations/{conversationId}/messages",
        'lacks `data.{2}.{type "finish"}`: the property `finishReason` (200)',
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_named_with_its_operation(
    change: Callable[[Any], None], publish: Callable[..., Result]
) -> None:
    """Each of these changes is one difference of its operation."""
    spec = copy.deepcopy(SPEC)
    change(spec)
    shown = lines(publish(httpx.Response(200, json=spec)))
    operation, difference = CHANGES[change]
    assert operation in shown
    assert difference in shown[shown.index(operation) + 1 :]
    assert len(shown) <= 12, shown


def keywords(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of each keyword of a schema in a description."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in ("example", "examples", "links") and not key.startswith("x-"):
                if key in CHANGED and "properties" != (path or ("",))[-1]:
                    yield (*path, key)
                yield from keywords(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from keywords(value, (*path, index))


CHANGED: dict[str, Callable[[Any], Any]] = {
    "type": lambda value: "string" if value == "integer" else "integer",
    "enum": lambda value: [*value[1:], "other"],
    "required": lambda value: value[1:] if isinstance(value, list) else not value,
    "properties": lambda value: dict(list(value.items())[1:]),
    "maxLength": lambda value: value + 1,
    "maximum": lambda value: value - 1,
    "format": lambda _: "other",
    "default": lambda _: None,
    "security": lambda _: [],
}
"""Changes of the values of keywords."""


@pytest.mark.no_cover
@pytest.mark.one_interpreter
@pytest.mark.skipif(shutil.which("go") is None, reason="oasdiff needs Go")
@pytest.mark.parametrize("keyword", CHANGED)
def test_changes_that_oasdiff_finds_are_named(
    keyword: str, publish: Callable[..., Result], request: pytest.FixtureRequest
) -> None:
    """`drift` finds a change of each keyword on every operation where oasdiff finds it."""
    places = [place for place in keywords(SPEC) if keyword == place[-1]]
    place = random.Random(request.node.name).choice(places)
    spec = copy.deepcopy(SPEC)
    at(spec, *place[:-1])[keyword] = CHANGED[keyword](at(SPEC, *place))
    names = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, item in SPEC["paths"].items()
        for method, operation in item.items()
    }
    expected = {names[change.operation] for change in judged(SPEC, spec)}
    assert expected <= set(publish(httpx.Response(200, json=spec)).stdout.splitlines()), place


def older(node: Any) -> Any:
    """Rewrite a description as OpenAPI 3.0 and most generators do: `nullable`, `oneOf`, `enum`."""
    if isinstance(node, list):
        return [older(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: older(value) for key, value in node.items()}
    if isinstance(found.get("type"), list) and "null" in found["type"]:
        rest = [each for each in found["type"] if each != "null"]
        found |= {"type": rest[0] if len(rest) == 1 else rest, "nullable": True}
    forms = found.get("anyOf")
    if isinstance(forms, list) and {"type": "null"} in forms:
        others = [each for each in forms if each != {"type": "null"}]
        del found["anyOf"]
        found |= {"allOf" if len(others) == 1 else "oneOf": others, "nullable": True}
    if isinstance(found.get("const"), str):
        found["enum"] = [found.pop("const")]
    return found


def test_other_forms_and_names_are_no_differences(publish: Callable[..., Result]) -> None:
    """Neither are a version in the paths and other names of path parameters."""
    spec = older(copy.deepcopy(SPEC))
    text = json.dumps({**spec, "paths": {f"/v2{p}": item for p, item in spec["paths"].items()}})
    text = text.replace("conversationId}", "conversation_id}").replace(
        '"name": "conversationId"', '"name": "conversation_id"'
    )
    result = publish(httpx.Response(200, text=text))
    assert (0, "") == (result.exit_code, result.stderr), result.output


def reorder(node: Any) -> Any:
    """Reverse the alternatives of each union."""
    if isinstance(node, dict):
        return {
            key: [reorder(each) for each in reversed(value)]
            if key == "anyOf" and isinstance(value, list)
            else reorder(value)
            for key, value in node.items()
        }
    return [reorder(each) for each in node] if isinstance(node, list) else node


def wrap(node: Any) -> Any:
    """Wrap each reference to a schema in an ``allOf`` of its own."""
    if isinstance(node, dict):
        if str(node.get("$ref")).startswith("#/components/schemas/"):
            return {"allOf": [{"$ref": node["$ref"]}]}
        return {key: wrap(value) for key, value in node.items()}
    return [wrap(each) for each in node] if isinstance(node, list) else node


IDLE: dict[str, dict[str, Any]] = {
    "string": {"minLength": 0},
    "array": {"minItems": 0, "uniqueItems": False, "maxLength": 5},
    "object": {"minProperties": 0, "additionalProperties": True, "pattern": "^a"},
    "number": {"exclusiveMinimum": False, "exclusiveMaximum": False},
    "integer": {"exclusiveMinimum": False, "exclusiveMaximum": False, "minItems": 1},
}
"""Keywords that limit nothing, by the type of the schema."""


def idle(node: Any) -> Any:
    """Add the keywords that limit nothing to each schema."""
    if isinstance(node, dict):
        kind = node.get("type")
        added = IDLE.get(kind, {}) if isinstance(kind, str) else {}
        return {**added, **{key: idle(value) for key, value in node.items()}}
    return [idle(each) for each in node] if isinstance(node, list) else node


@pytest.mark.parametrize("rewrite", [reorder, wrap, idle])
def test_same_meaning_in_other_words_is_no_difference(
    rewrite: Callable[[Any], Any], publish: Callable[..., Result]
) -> None:
    """It is none wherever the words stand in the description."""
    result = publish(httpx.Response(200, json=rewrite(SPEC)))
    assert (0, "") == (result.exit_code, result.stderr), result.output


def found(ours: Any, theirs: Any, **rest: Any) -> list[str]:
    """Return the differences of two schemas, in words."""

    def described(schema: Any, others: Any) -> Document:
        content = {"application/json": {"schema": schema}}
        operation = {"responses": {"200": {"content": content}}}
        return Document(
            {"servers": [{"url": "http://host/v2"}], "paths": {"/x": {"get": operation}}} | others
        )

    return [
        each.words.removesuffix(" (200)")
        for each in differences.find(described(ours, {}), described(theirs, rest))
    ]


TEXT, NUMBER, OBJECT = {"type": "string"}, {"type": "number"}, {"type": "object"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NUMBER | {"exclusiveMaximum": 5}, NUMBER | {"maximum": 5, "exclusiveMaximum": True}),
        (NUMBER | {"exclusiveMinimum": 5}, NUMBER | {"minimum": 5, "exclusiveMinimum": True}),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "exclusiveMinimum": 0}),
        (TEXT | {"enum": ["a", "b"]}, {"oneOf": [{"const": "a"}, {"const": "b"}]}),
        (TEXT | {"enum": ["a", "b"]}, {"anyOf": [TEXT | {"enum": ["b"]}, TEXT | {"const": "a"}]}),
        (
            {"type": ["string", "null"], "enum": ["a", "b", None]},
            {"oneOf": [{"const": "a"}, {"const": "b"}, {"const": None}]},
        ),
        (
            {"anyOf": [TEXT, NUMBER, {"type": "boolean"}]},
            {"oneOf": [{"type": "boolean"}, {"anyOf": [NUMBER, TEXT]}]},
        ),
        (OBJECT, OBJECT | {"additionalProperties": {}}),
        (OBJECT, OBJECT | {"additionalProperties": {"description": "anything"}}),
        ({"type": ["string", "null"]}, {"anyOf": [{"allOf": [{"type": "null"}]}, TEXT]}),
    ],
)
def test_schemas_that_say_the_same_do_not_differ(one: Any, other: Any) -> None:
    """Neither of them differs from the other."""
    assert ([], []) == (found(one, other), found(other, one))


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (OBJECT, OBJECT | {"additionalProperties": False}, "adds `additionalProperties` false"),
        (OBJECT, OBJECT | {"unevaluatedProperties": False}, "adds `additionalProperties` false"),
        (
            OBJECT,
            OBJECT | {"additionalProperties": TEXT},
            "adds a schema of the other properties",
        ),
        (
            OBJECT | {"additionalProperties": TEXT},
            OBJECT | {"additionalProperties": NUMBER},
            "contradicts `*`: number instead of string",
        ),
        (NUMBER, NUMBER | {"multipleOf": 5}, "adds `multipleOf` 5"),
        (
            {"type": "array", "uniqueItems": True},
            {"type": "array"},
            "lacks `uniqueItems` true",
        ),
        (OBJECT, OBJECT | {"minProperties": 1}, "adds `minProperties` 1"),
        (
            OBJECT | {"maxProperties": 2},
            OBJECT | {"maxProperties": 1},
            "contradicts `maxProperties` 1 instead of 2",
        ),
        ({"anyOf": [TEXT, OBJECT]}, {"anyOf": []}, "lacks the 2 forms"),
        ({"anyOf": [TEXT, OBJECT]}, {"anyOf": {}}, "lacks the 2 forms"),
        ({"anyOf": [TEXT, OBJECT]}, {"anyOf": [OBJECT, NUMBER]}, "lacks the form string"),
        (
            {"anyOf": [OBJECT, OBJECT | {"properties": {"a": TEXT}}]},
            {"anyOf": [OBJECT | {"properties": {"a": NUMBER}}, OBJECT]},
            "contradicts `{2}.a`: number instead of string",
        ),
    ],
)
def test_change_of_a_schema_is_named(ours: Any, theirs: Any, words: str) -> None:
    """Each of these changes which values are allowed."""
    assert words in found(ours, theirs)
    assert [] == found(theirs, theirs)


BROKEN_REFERENCES = {
    "#/components/schemas/None": "leads nowhere",
    "http://127.0.0.1:1/x.json": "leads out of the description",
    "other.yaml#/x": "leads out of the description",
    "#/loop": "refers to itself",
}


@pytest.mark.parametrize("reference", BROKEN_REFERENCES)
@pytest.mark.parametrize(
    ("outer", "place"),
    [
        (lambda node: node, ""),
        (lambda node: OBJECT | {"properties": {"a": node}}, "`a`: "),
        (lambda node: {"type": "array", "items": node}, "`[]`: "),
        (lambda node: {"allOf": [node]}, ""),
        (lambda node: {"anyOf": [node, {"type": "null"}]}, ""),
        (lambda node: {"anyOf": [node, NUMBER]}, ""),
    ],
)
def test_broken_reference_in_a_schema_is_named(
    reference: str, outer: Callable[[Any], Any], place: str
) -> None:
    """It is the only difference: what it stands for is unknown."""
    ours = outer(TEXT | {"format": "uuid"})
    shown = found(ours, outer({"$ref": reference}), loop={"$ref": "#/loop"})
    problem = f"the reference `{reference}` {BROKEN_REFERENCES[reference]}"
    assert [f"contradicts {place}{problem}"] == shown


@pytest.mark.parametrize(
    "steps",
    [
        ("paths", "/identity/init"),
        ("paths", "/identity/init", "post", "requestBody"),
        ("paths", "/identity/init", "post", "responses", "200"),
        ("paths", "/identity/init", "post", "parameters", 0),
    ],
)
def test_broken_reference_elsewhere_is_named(
    steps: tuple[str | int, ...], publish: Callable[..., Result]
) -> None:
    """It is the only difference of its operation, whatever it replaces."""
    spec = copy.deepcopy(SPEC)
    operation = at(spec, "paths", "/identity/init", "post")
    operation.setdefault("parameters", [{}])
    at(spec, *steps[:-1])[steps[-1]] = {"$ref": "#/none"}
    shown = lines(publish(httpx.Response(200, json=spec)))
    assert ["POST /identity/init"] == shown[:1]
    assert 2 == len(shown)
    assert shown[1].startswith("contradicts the reference `#/none` leads nowhere")


def bearer(**scheme: Any) -> Any:
    """Return our description with another kind of authentication."""
    spec = copy.deepcopy(SPEC)
    spec["components"]["securitySchemes"]["bearerAuth"] = scheme
    return spec


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, "an API key in the header `X-Key`"),
        ({"type": "http", "scheme": "Basic"}, "HTTP basic"),
        ({"type": "mutualTLS"}, "mutualTLS"),
    ],
)
def test_other_authentication_is_named(
    scheme: Any, words: str, publish: Callable[..., Result]
) -> None:
    """Each operation that needs a token contradicts ours."""
    shown = lines(publish(httpx.Response(200, json=bearer(**scheme))))
    assert {f"contradicts security: {words} instead of a bearer token"} == set(shown[1::2])


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "http", "scheme": "Bearer", "bearerFormat": "JWT"},
        {"type": "oauth2", "flows": {}},
        {"type": "openIdConnect", "openIdConnectUrl": "https://host/x"},
        {"type": "apiKey", "in": "header", "name": "Authorization"},
        {},
    ],
)
def test_same_or_unknown_authentication_is_no_difference(
    scheme: Any, publish: Callable[..., Result]
) -> None:
    """The client sends the same header; a scheme that is not described counts as absent."""
    assert 0 == publish(httpx.Response(200, json=bearer(**scheme))).exit_code


def test_default_response_and_automatic_methods_are_no_differences(
    publish: Callable[..., Result],
) -> None:
    """A default describes errors; frameworks add OPTIONS and HEAD to each path."""
    spec = copy.deepcopy(SPEC)
    item = spec["paths"]["/identity/me"]
    item["get"]["responses"]["default"] = {"description": "An error."}
    item |= {"options": {"responses": {}}, "head": {"responses": {}}}
    assert 0 == publish(httpx.Response(200, json=spec)).exit_code


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0", "3.1", 3.1, "3.2.0", None])
def test_known_version_is_read(version: Any, publish: Callable[..., Result]) -> None:
    """So is a description that does not say its version."""
    assert 0 == publish(httpx.Response(200, json=SPEC | {"openapi": version})).exit_code


def test_description_may_be_yaml(publish: Callable[..., Result]) -> None:
    """A description without operations lacks all of them."""
    result = publish(httpx.Response(200, text="openapi: 3.1.0\npaths: {}\n"))
    assert result.stdout.count("lacks the operation") > 10


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(404), "the server publishes no description: GET /openapi answered 404"),
        (httpx.Response(200, text="<html>"), "neither JSON nor YAML"),
        (httpx.Response(200, text="a: [b"), "/openapi:1:"),
        (httpx.Response(200, text="version: 2024-13-45\n"), "month must be in 1..12"),
        (httpx.Response(200, text="- " * 3000), "nested too deeply"),
        (httpx.Response(200, text="{" * 9), "neither JSON nor YAML"),
        (httpx.Response(200, text="[" * 99_999), "nested too deeply"),
        (httpx.Response(200, content=b"\xff"), "not UTF-8 at byte 0"),
        (httpx.Response(200, json=[]), "must be a mapping"),
        (httpx.Response(200, json={"openapi": "3.1.0"}), "it has no `paths`"),
        (
            httpx.Response(200, json={"swagger": "2.0", "paths": {}}),
            'has `swagger` "2.0"; OpenAPI 3.0, 3.1 and 3.2 can be read',
        ),
        (
            httpx.Response(200, json={"openapi": "4.0.0", "paths": {}}),
            'has `openapi` "4.0.0"; OpenAPI 3.0, 3.1 and 3.2 can be read',
        ),
        (httpx.Response(200, json={"openapi": "3.10.0", "paths": {}}), 'has `openapi` "3.10.0"'),
        (httpx.Response(200, json={"openapi": [3, 1], "paths": {}}), "has `openapi` [3, 1]"),
    ],
)
def test_server_without_a_description_is_one_sentence(
    answer: httpx.Response, problem: str, publish: Callable[..., Result]
) -> None:
    """The status is 2, and the preflight of a run says the same."""
    result = publish(answer)
    assert (2, "") == (result.exit_code, result.stdout)
    assert problem in result.stderr
    assert 1 == result.stderr.count("\n")
    assert problem in published_description.line(preflight.Target("http://host/v2"))


@pytest.mark.parametrize("base_url", ["http://host", "http://host/v2"])
def test_missing_version_is_named(base_url: str, publish: Callable[..., Result]) -> None:
    """Without a description, the sentence names the version that the base URL lacks."""
    publish(httpx.Response(404))
    line = published_description.line(preflight.Target(base_url))
    named = "; the base URL has no version: expected something like https://host/v2"
    assert base_url.endswith("/v2") == (named not in line)


@pytest.mark.parametrize(
    "odd",
    [
        {"paths": {"/search": None, "/x": []}},
        {"paths": {"/search": {"get": {"parameters": [1, {"$ref": 7}], "responses": []}}}},
        {"paths": {"/search": {"get": {"responses": {"200": {"$ref": "#/paths"}}}}}},
        {"paths": {"/search": {"get": {"requestBody": {"$ref": "other.yaml"}, "security": 1}}}},
        {
            "paths": {
                "/identity/me": {
                    "get": {
                        "responses": {
                            "default": {
                                "content": {"application/json": {"schema": {"$ref": "#/x"}}}
                            }
                        }
                    }
                }
            },
            "x": {"allOf": [{"$ref": "#/x"}], "enum": [[], {}, None], "required": 1, "type": [{}]},
        },
    ],
)
def test_malformed_description_is_compared(odd: Any, publish: Callable[..., Result]) -> None:
    """What is not of the expected type counts as absent."""
    assert "lacks" in lines(publish(httpx.Response(200, json=odd)))[-1]


@pytest.mark.parametrize("reference", ["#/info/number", "#/info/words", "#/info/list/abc", "#/odd"])
def test_reference_to_another_type_leads_nowhere(
    reference: str, publish: Callable[..., Result]
) -> None:
    """What is no mapping counts as absent."""
    node = {"get": {"responses": {"200": {"$ref": reference}}}}
    info = {"number": 5, "words": "text", "list": [1]}
    odd = {"paths": {"/search": node, "/x": {"$ref": reference}}, "info": info, "odd": {"$ref": 5}}
    assert "lacks" in lines(publish(httpx.Response(200, json=odd)))[-1]


def test_schema_that_refers_to_itself_often_takes_no_time(publish: Callable[..., Result]) -> None:
    """Each part of a schema is read once."""
    spec = copy.deepcopy(SPEC)
    schemas = at(spec, *SCHEMAS)
    schemas["Visitor"]["allOf"] = [{"$ref": "#/components/schemas/Visitor"}] * 3
    schemas["VisitorType"] = {"$ref": "#/components/schemas/Deep0"}
    for depth in range(40):
        part = {"$ref": f"#/components/schemas/Deep{depth + 1}"}
        schemas[f"Deep{depth}"] = {"allOf": [part, part]}
    schemas["Deep40"] = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    assert "2 forms instead of one" in publish(httpx.Response(200, json=spec)).stdout


ODD: tuple[Any, ...] = (
    *(None, True, -1, 1.5, "", "#/components/schemas/Message", [], {}, [[]], [None]),
    *({"$ref": 5}, {"$ref": "#/nowhere"}, {"type": {}}, {"enum": 5}, {"properties": [5]}),
    *({"items": 5}, {"anyOf": 5}, {"allOf": [5]}, {"required": [[]]}, {"minimum": "a"}),
)


def _pointers(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the steps to each value below ``node``."""
    if not isinstance(node, (dict, list)):
        return
    for step, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*above, step)
        yield from _pointers(value, (*above, step))


@pytest.mark.parametrize("seed", range(40))
def test_no_value_in_a_description_ends_a_run(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A description with anything anywhere is compared; an error of ours is not passed over."""
    spec = copy.deepcopy(SPEC)
    chosen = random.Random(seed)
    for *above, last in chosen.sample(list(_pointers(spec["paths"])), 3):
        with suppress(LookupError, TypeError):
            at(spec["paths"], *above)[last] = chosen.choice(ODD)
    for *above, last in chosen.sample(list(_pointers(spec["components"])), 3):
        with suppress(LookupError, TypeError):
            at(spec["components"], *above)[last] = chosen.choice(ODD)
    monkeypatch.setattr(preflight, "fetch", lambda *_: httpx.Response(200, json=spec))
    line = published_description.line(preflight.Target("http://host/v2"))
    assert line.startswith("The server's own description")


def test_run_says_whether_the_description_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the preflight counts the differences."""
    spec = copy.deepcopy(SPEC)
    remove_operation(spec)
    add_operation(spec)
    target = preflight.Target("http://host/v2")
    for published, words in (
        (SPEC, "does not differ from openapi.yaml."),
        (spec, "differs from openapi.yaml: adds 1, lacks 1; see drift."),
    ):
        monkeypatch.setattr(
            preflight, "fetch", lambda *_, shown=published: httpx.Response(200, json=shown)
        )
        line = published_description.line(target)
        assert f"The server's own description {words}" == line


def test_parts_of_a_schema_limit_each_other(publish: Callable[..., Result]) -> None:
    """The tighter of two limits counts, and the values that both allow."""
    spec = copy.deepcopy(SPEC)
    body = at(spec, *SCHEMAS, "Visitor", "properties")
    kind = at(spec, *SCHEMAS, "VisitorType")
    wide = {"allOf": [{"enum": [*kind["enum"], "robot"]}, {"type": "string"}]}
    at(spec, *SCHEMAS)["VisitorType"] = {**kind, **wide}
    body["id"] = {**follow(spec, body["id"]), "allOf": [{"minLength": 0}]}
    result = publish(httpx.Response(200, json=spec))
    assert 0 == result.exit_code, result.output
