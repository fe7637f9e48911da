"""Probes on both sides of each bound, type and enum of ``openapi.yaml``."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import jsonschema_rs
import pytest

from siteassist_contract import description
from siteassist_contract.checks import bounds
from siteassist_contract.checks.bounds import Probe, probes
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.description import ends_object, operations
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_requests
from siteassist_mock.testing import mock_server
from siteassist_spec import Body, Json, Parameter
from tests.description import SPEC
from tests.values import API_KEY as KEY

ID = "123e4567-e89b-12d3-a456-426614174000"
IDS = dict.fromkeys(("conversationId", "messageId", "projectId", "qnaId"), ID)
PLAIN = valid_requests(IDS, KEY)
PROBES = [(name, probe) for name, plain in PLAIN.items() for probe in probes(plain)]
WRITTEN = {name: operation.raw for name, operation in operations().items()}
STRANGE = [(name, probe) for name, probe in PROBES if probe.valid is None]
BOUNDS = {"minimum", "maximum", "minLength", "maxLength", "enum"}


def resolved(node: Any) -> Any:
    """Replace the references in a part of the description."""
    if isinstance(node, list):
        return [resolved(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        return resolved(SPEC["components"][kind][name])
    return {name: resolved(each) for name, each in node.items()}


def parameters(name: str) -> dict[str, Any]:
    """Return the query parameters of an operation, by name."""
    found = resolved(WRITTEN[name].get("parameters", []))
    return {each["name"]: each for each in found if each["in"] == "query"}


def body_schema(name: str) -> dict[str, Any] | None:
    """Return the resolved schema of an operation's body."""
    body = WRITTEN[name].get("requestBody")
    return resolved(body["content"]["application/json"]["schema"]) if body else None


def typed(value: str, schema: dict[str, Any]) -> Any:
    """Convert a query value to its schema's type, if possible."""
    if types(schema) & {"number", "integer"}:
        with contextlib.suppress(ValueError):
            return int(value)
    return value


def fits(name: str, request: RequestParts) -> bool:
    """Return whether a JSON Schema validator accepts the request."""
    for each, written in parameters(name).items():
        if each not in request.query:
            if written.get("required"):
                return False
            continue
        value = typed(request.query[each], written["schema"])
        if not jsonschema_rs.is_valid(written["schema"], value, validate_formats=True):
            return False
    schema = body_schema(name)
    if schema is None:
        return True
    if request.body is None:
        return not WRITTEN[name]["requestBody"].get("required", False)
    return bool(jsonschema_rs.is_valid(schema, request.body, validate_formats=True))


def identify(pair: tuple[str, Probe]) -> str:
    """Return a readable name of a probe."""
    name, probe = pair
    return f"{name}-{probe.place}-{probe.words}"


def test_every_probe_declares_its_validity() -> None:
    """A JSON Schema validator agrees with each probe that is declared valid or invalid."""
    said = [(name, probe) for name, probe in PROBES if probe.valid is not None]
    wrong = [identify((n, p)) for n, p in said if p.valid is not fits(n, p.request)]
    assert [] == wrong


def test_undocumented_limits_are_probed() -> None:
    """A text with NUL and a huge offset may be refused, but must not fail."""
    words = {probe.words for _, probe in STRANGE}
    assert {"a text with NUL", "beyond 32 bits", "beyond 64 bits"} == words
    for name, probe in STRANGE:
        assert probe.words != "a text with NUL" or fits(name, probe.request)


def test_free_text_is_probed_with_unusual_characters() -> None:
    """Hard texts are sent as free text, and never as an id or an enum."""
    odd = {(name, probe.place) for name, probe in PROBES if probe.words == bounds.HARD}
    assert ("sendMessage", "body/content") in odd
    assert {("search", "q"), ("getQnas", "query"), ("closeConversation", "body/closeReason")} <= odd
    for name, place in odd:
        assert place.rpartition("/")[2] not in ("apiKey", "saVid", "role", "status", "pageUrl"), (
            name
        )


def test_plain_requests_are_valid() -> None:
    """Each operation has a plain request, which is valid before a probe changes it."""
    assert sorted(WRITTEN) == sorted(PLAIN)
    assert [] == [name for name, plain in PLAIN.items() if not fits(name, plain)]


def test_each_probe_changes_one_place() -> None:
    """A probe differs from its plain request only at the place that it names."""
    for name, probe in PROBES:
        plain, top = PLAIN[name], probe.place.partition("/")[2].partition("/")[0]
        if probe.place.startswith("body"):
            assert plain.query == probe.request.query, identify((name, probe))
            if top and isinstance(plain.body, dict):
                rest = {k: v for k, v in plain.body.items() if k != top}
                assert rest == {k: v for k, v in probe.request.body.items() if k != top}
        else:
            others = {k: v for k, v in probe.request.query.items() if k != probe.place}
            assert others == {k: v for k, v in plain.query.items() if k != probe.place}
            assert plain.body == probe.request.body
        assert (plain.operation, plain.path) == (probe.request.operation, probe.request.path)


def test_probes_are_unique() -> None:
    """No request is sent twice."""
    seen = [(n, p.place, p.words, repr((p.request.query, p.request.body))) for n, p in PROBES]
    assert len(seen) == len(set(seen))


def forms(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives of a schema."""
    found: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return found


def types(schema: dict[str, Any]) -> set[str]:
    """Return the types that a schema allows."""
    found: set[str] = set()
    for form in forms(schema):
        found |= {form["type"]} if isinstance(form["type"], str) else set(form["type"])
    return found


Field = tuple[str, dict[str, Any], bool]


def fields(schema: dict[str, Any], place: str = "body") -> Iterator[Field]:
    """Yield each field of a body with its place, schema and whether it is required."""
    for form in forms(schema):
        for name, inner in form.get("properties", {}).items():
            where = f"{place}/{name}"
            yield where, inner, name in form.get("required", ())
            yield from fields(inner, where)
            if "items" in inner:
                yield from fields(inner["items"], f"{where}/0")


def places() -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Yield the place of each query parameter and body field of each operation."""
    for name in WRITTEN:
        for each, written in parameters(name).items():
            yield name, each, written["schema"], bool(written.get("required"))
        schema = body_schema(name)
        for where, inner, required in fields(schema) if schema else ():
            yield name, where, inner, required


BY_PLACE: dict[tuple[str, str], list[Probe]] = defaultdict(list)
for _name, _probe in PROBES:
    BY_PLACE[_name, _probe.place].append(_probe)


def value_at(probe: Probe) -> Any:
    """Return a probe's value at its place; raise `KeyError` if it is left out."""
    if not probe.place.startswith("body/"):
        return probe.request.query[probe.place]
    value = probe.request.body
    for step in probe.place.split("/")[1:]:
        value = value[int(step) if isinstance(value, list) else step]
    return value


def values(name: str, place: str) -> list[Any]:
    """Return the values that are probed at a place."""
    found = []
    for probe in BY_PLACE[name, place]:
        with contextlib.suppress(KeyError):
            found.append(value_at(probe))
    return found


ALL_PLACES = list(places())


@pytest.mark.parametrize(
    ("name", "place", "schema", "required"),
    ALL_PLACES,
    ids=[f"{n}-{p}" for n, p, _, _ in ALL_PLACES],
)
def test_each_place_is_probed_on_both_sides(
    name: str,
    place: str,
    schema: dict[str, Any],
    required: bool,
) -> None:
    """Each documented bound, enum, type, null and absence is probed."""
    tried = values(name, place)
    in_body = place.startswith("body/")
    left_out = [p.valid for p in BY_PLACE[name, place] if p.words == "left out"]
    assert ([False] if required else []) == left_out
    for form in forms(schema):
        for bound in BOUNDS & set(form):
            for value in _around(bound, form[bound], key=place.endswith("apiKey")):
                assert (value if in_body else str(value)) in tried, bound
        if "enum" in form:
            assert [x for x in tried if isinstance(x, str) and x not in form["enum"]]
        if form.get("format") == "uuid":
            assert "nonsense" in tried
    if in_body:
        assert None in tried
        wrong = {type(x) for x in tried if x is not None}
        assert len(wrong) >= 2, "no value of another type"
    elif types(schema) & {"number", "integer"}:
        assert {"ten", "-1"} <= set(tried)


def _around(bound: str, value: Any, *, key: bool) -> list[Any]:
    """Return the values at a bound and just beyond it."""
    match bound:
        case "enum":
            return list(value)
        case "minimum":
            return [value, value - 1]
        case "maximum":
            return [value, value + 1]
        case "minLength":
            # A generated key is invalid whatever its length.
            return ["x" * (value - 1)] if key else ["x" * value, "x" * (value - 1)]
        case _:
            return ["x" * value, "x" * (value + 1)]


@pytest.mark.parametrize("name", [name for name in WRITTEN if "requestBody" in WRITTEN[name]])
def test_whole_body_is_probed(name: str) -> None:
    """Each body is probed with values that are not objects, and left out."""
    found = {probe.words: probe.valid for probe in BY_PLACE[name, "body"]}
    required = WRITTEN[name]["requestBody"].get("required", False)
    expected = dict.fromkeys((f"{text} instead of an object" for text in ("[]", "'x'", "7")), False)
    expected |= {"left out": False} if required else {"left out": True, "empty": True}
    assert expected == found


def test_operation_without_values_has_no_probe() -> None:
    """An operation without query parameters and body has no probe."""
    without = {name for name in WRITTEN if not parameters(name) and not body_schema(name)}
    assert without
    assert without == set(PLAIN) - {name for name, _ in PROBES}


EXPECTED = {True: {200, 201}, False: {400, 422}, None: {200, 201, 400, 422}}


def test_mock_agrees_with_each_probe() -> None:
    """The mock accepts each valid probe and refuses each invalid one."""
    wrong = []
    with mock_server() as url, contextlib.closing(Recorder()) as recorder:
        anonymous = Session(url, recorder, "", None)
        body = {"apiKey": KEY, "saVid": "bounds"}
        token = anonymous.call("init", body=body).document["sessionToken"]
        visitor = Session(url, recorder, "first", token)
        maker = ObjectMaker(visitor.send, KEY)
        ids: dict[str, str] = {}
        for operation in description.operations().values():
            ids = maker.make(operation, ids)
        # The request that closes the conversation comes last.
        found = sorted(
            valid_requests(ids, KEY).items(), key=lambda item: ends_object(item[1].described)
        )
        for name, plain in found:
            for probe in probes(plain):
                answer = visitor.send(probe.request)
                if answer.status not in EXPECTED[probe.valid]:
                    wrong.append((identify((name, probe)), answer.status))
    assert [] == wrong


# Features that ``openapi.yaml`` does not use yet


def probed(
    monkeypatch: pytest.MonkeyPatch, plain: RequestParts, **changed: Any
) -> list[tuple[Any, ...]]:
    """Return the probes of a changed operation: place, words, validity, query or body."""
    operation = replace(description.operations()[plain.operation], **changed)
    monkeypatch.setattr(description, "operations", lambda: {plain.operation: operation})
    return [
        (probe.place, probe.words, probe.valid, probe.request.query or probe.request.body)
        for probe in probes(plain)
        if probe.valid is not None
    ]


def parameter(name: str, place: Literal["path", "query", "header"], schema: Json) -> Parameter:
    """Create an optional parameter."""
    return Parameter(
        name, place, required=False, description="", schema=schema, resolved=schema, examples={}
    )


def test_new_header_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that is added to the description is probed, with printable values only."""
    level = replace(parameter("X-Level", "header", {"enum": ["a", "b"]}), required=True)
    request = RequestParts("getConversations", header={"X-Level": "a"})
    operation = replace(description.operations()["getConversations"], parameters=(level,))
    monkeypatch.setattr(description, "operations", lambda: {"getConversations": operation})
    assert [
        ("left out", False, {}),
        ("'a'", True, {"X-Level": "a"}),
        ("'b'", True, {"X-Level": "b"}),
        ("not one of its values", False, {"X-Level": "nonsense"}),
    ] == [(probe.words, probe.valid, probe.request.header) for probe in probes(request)]


def test_new_parameter_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fractional bounds are sent as they are, and a generated key is never declared valid."""
    number = {"type": "number", "minimum": 0.5, "maximum": 2.0}
    added = parameter("n", "query", number)
    path = parameter("p", "path", {"type": "string", "minLength": 9})
    secret = {"type": "string", "maxLength": 2, "x-credential": "publishableKey"}
    key = parameter("apiKey", "query", secret)
    assert [
        ("n", "the minimum, 0.5", True, {"n": "0.5"}),
        ("n", "less than 0.5", False, {"n": "-0.5"}),
        ("n", "the maximum, 2.0", True, {"n": "2"}),
        ("n", "more than 2.0", False, {"n": "3"}),
        ("n", "not a number", False, {"n": "ten"}),
        ("n", "negative", False, {"n": "-1"}),
        ("apiKey", "more than 2 characters", False, {"apiKey": "xxx"}),
    ] == probed(monkeypatch, RequestParts("getConversations"), parameters=(added, path, key))


def test_new_fields_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested field is probed within an object of its own, not within an existing value."""
    inner = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {
            "o": {"anyOf": [inner, {"type": "null"}]},
            "l": {"type": "array", "items": inner},
            "f": {},
        },
    }
    found = probed(
        monkeypatch,
        RequestParts("startConversation", body={"o": "x"}),
        body=Body(required=False, schema=schema, examples={}),
    )
    assert ("body/o", "null", True, {"o": None}) in found
    assert ("body/o", "list instead of object", False, {"o": []}) in found
    assert ("body/o/a", "left out", False, {"o": {}}) in found
    assert ("body/o/a", "bool instead of integer", False, {"o": {"a": True}}) in found
    assert ("body/o", "empty", True) not in [each[:3] for each in found]
    assert not [each for each in found if each[0].startswith("body/l/0")]
    assert [("body/f", "null", False, {"o": "x", "f": None})] == [
        each for each in found if each[0] == "body/f"
    ]


def test_missing_body_is_created_for_a_field() -> None:
    """A probe of a field creates the missing body; a probe without the field leaves it out."""
    plain = RequestParts("sendMessage", {"conversationId": ID})
    found = {(p.place, p.words): p.request.body for p in bounds.probes(plain)}
    assert {"content": 7} == found["body/content", "int instead of string"]
    assert found["body/content", "left out"] is None
