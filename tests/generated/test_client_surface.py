"""The clients have what ``openapi.yaml`` has: every operation, parameter, error and event."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import re
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
import pytest

import siteassist
import siteassist.client
import siteassist.errors
import siteassist.models
from siteassist import UNSET, APIStatusError, AsyncSiteAssist, SiteAssist
from siteassist.errors import STATUS_ERRORS
from siteassist_runtime.streaming import events
from siteassist_spec import EVENT_STREAM, METHODS, Document

DOCUMENT = Document.load()
SPEC = DOCUMENT.raw
SCHEMAS = SPEC["components"]["schemas"]
OF_EVERY_CALL = {"timeout": UNSET, "max_retries": UNSET, "headers": None}
# What the client knows already, so that a call need not say it.
KNOWN = {"apiKey", "saVid"}
CLASSES = {"Error": "ErrorResponse"}
KINDS = [SiteAssist, AsyncSiteAssist]


def snake(name: str) -> str:
    """Spell ``someName`` as ``some_name``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def resolve(node: Any) -> Any:
    """Follow the ``$ref`` of a node, if it is one."""
    return DOCUMENT.resolve(node)


class Described(NamedTuple):
    """An operation of the description."""

    method: str
    path: str
    node: dict[str, Any]

    @property
    def id(self) -> str:
        """The ``operationId``."""
        return str(self.node["operationId"])

    @property
    def name(self) -> str:
        """The name of its method."""
        return snake(self.id)

    @property
    def bearer(self) -> bool:
        """Whether it takes a token."""
        return bool(self.node["security"])

    @property
    def responses(self) -> dict[int, dict[str, Any]]:
        """What it answers, by status."""
        return {int(code): resolve(found) for code, found in self.node["responses"].items()}

    @property
    def success(self) -> dict[str, Any]:
        """Its first success."""
        return self.responses[min(code for code in self.responses if code < 300)]

    @property
    def streamed(self) -> bool:
        """Whether it can answer with an event stream."""
        return EVENT_STREAM in self.success.get("content", {})

    @property
    def flag(self) -> str | None:
        """The field of the body that asks for a stream."""
        told: dict[str, str] = self.success.get("x-event-stream", {})
        return told.get("requestFlag")

    def parameters(self, place: str) -> dict[str, bool]:
        """Its parameters in the path or the query, and whether they are required."""
        found = [resolve(parameter) for parameter in self.node.get("parameters", [])]
        return {
            parameter["name"]: parameter.get("required", False)
            for parameter in found
            if parameter["in"] == place
        }

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of its body."""
        if "requestBody" not in self.node:
            return None
        schema: dict[str, Any] = resolve(
            self.node["requestBody"]["content"]["application/json"]["schema"]
        )
        return schema

    @property
    def fields(self) -> dict[str, bool]:
        """The fields of its body, but for the flag, and whether they are required."""
        schema = self.body or {}
        return {
            name: name in schema.get("required", [])
            for name in schema.get("properties", {})
            if name != self.flag
        }

    @property
    def listing(self) -> bool:
        """Whether its answer is a page of a list."""
        return "x-page" in self.success

    def example(self) -> dict[str, Any]:
        """Arguments from the description's own examples, under the names of the API."""
        values = {name: f"the {name}" for name in self.parameters("path")}
        values |= {
            name: f"the {name}"
            for name, required in self.parameters("query").items()
            if required and name not in KNOWN
        }
        if self.body is not None:
            media = self.node["requestBody"]["content"]["application/json"]
            value = resolve(next(iter(media["examples"].values())))["value"]
            values |= {name: value[name] for name in self.fields if name in value}
        return values


OPERATIONS = [
    Described(method, path, node)
    for path, item in SPEC["paths"].items()
    for method, node in item.items()
    if method in METHODS
]
STREAMED = [operation for operation in OPERATIONS if operation.streamed]
DOCUMENTED = sorted(
    {code for operation in OPERATIONS for code in operation.responses if code >= 400}
)

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.id)
each_stream = pytest.mark.parametrize("operation", STREAMED, ids=lambda found: found.id)
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


def signature(kind: type, name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a method, without itself."""
    found = dict(inspect.signature(getattr(kind, name)).parameters)
    del found["self"]
    return found


# Methods


@each_kind
def test_methods_are_the_operations(kind: type) -> None:
    """One for each, one more for each that streams, and what opens and closes a client."""
    expected = {operation.name for operation in OPERATIONS}
    expected |= {f"{operation.name}_stream" for operation in STREAMED}
    expected |= {"device_id", "base_url", "close" if kind is SiteAssist else "aclose"}
    assert expected == {name for name in dir(kind) if not name.startswith("_")}


@each_kind
@each_operation
def test_parameters_are_those_of_the_operation(kind: type, operation: Described) -> None:
    """Path parameters by place, all others by name; what may be left out can be left out."""
    found = signature(kind, operation.name)
    path = {snake(name) for name in operation.parameters("path")}
    named = {**operation.fields, **operation.parameters("query")}
    assert path == {
        name
        for name, parameter in found.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    expected: dict[str, object] = dict.fromkeys(path, inspect.Parameter.empty)
    for name, required in named.items():
        default: object = inspect.Parameter.empty if required else UNSET
        expected[snake(name)] = None if name in KNOWN else default
    expected |= OF_EVERY_CALL
    assert expected == {name: parameter.default for name, parameter in found.items()}


@each_kind
@each_stream
def test_stream_has_the_parameters_of_its_operation(kind: type, operation: Described) -> None:
    """And a limit on the time between two events."""
    plain, streamed = (
        signature(kind, operation.name),
        signature(kind, f"{operation.name}_stream"),
    )
    assert UNSET is streamed.pop("idle_timeout").default
    assert plain == streamed


@each_operation
def test_both_clients_are_called_alike(operation: Described) -> None:
    """The same parameters with the same types; only the waiting differs."""
    names = [operation.name] + [f"{operation.name}_stream"] * operation.streamed
    for name in names:
        assert signature(SiteAssist, name) == signature(AsyncSiteAssist, name)
    awaited = inspect.iscoroutinefunction(getattr(AsyncSiteAssist, operation.name))
    assert awaited is not operation.listing


def test_both_clients_are_made_alike() -> None:
    """But for the kind of transport."""
    first, second = (dict(inspect.signature(kind).parameters) for kind in KINDS)
    assert first.pop("transport").default is second.pop("transport").default is None
    assert first == second


# Calls

URL = "http://127.0.0.1/v2"


def take(kind: type, handler: Any, name: str, arguments: dict[str, Any]) -> Any:
    """Call a method of a client of either kind."""
    settings: dict[str, Any] = {
        "token": "the-token",
        "api_key": "the-key",
        "device_id": "the-device",
        "base_url": URL,
        "transport": httpx.MockTransport(handler),
        "max_retries": 0,
    }
    if kind is SiteAssist:
        with SiteAssist(**settings) as client:
            found = getattr(client, name)(**arguments)
            return found.page() if hasattr(found, "page") else found

    async def main() -> Any:
        async with AsyncSiteAssist(**settings) as client:
            found = getattr(client, name)(**arguments)
            return await (found.page() if hasattr(found, "page") else found)

    return asyncio.run(main())


@each_kind
@each_operation
def test_call_goes_where_the_description_says(kind: type, operation: Described) -> None:
    """Method, path, query, body and credential; the answer is read as the schema's model."""
    requests: list[httpx.Request] = []
    media = operation.success.get("content", {}).get("application/json")
    example = media and resolve(next(iter(media["examples"].values())))["value"]
    status = min(code for code in operation.responses if code < 300)

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, json=example) if media else httpx.Response(status)

    values = operation.example()
    arguments = {snake(name): value for name, value in values.items()}
    result = take(kind, handler, operation.name, arguments)
    expected = media["schema"]["$ref"].rpartition("/")[2] if media else "NoneType"
    assert expected == type(result).__name__
    (request,) = requests
    path = operation.path
    for name in operation.parameters("path"):
        path = path.replace(f"{{{name}}}", f"the%20{name}")
    assert (operation.method.upper(), f"/v2{path}") == (
        request.method,
        request.url.raw_path.decode().partition("?")[0],
    )
    assert ("Bearer the-token" if operation.bearer else None) == request.headers.get(
        "authorization"
    )
    for name in operation.parameters("query"):
        if name in values:
            assert values[name] == request.url.params[name]
    if "apiKey" in operation.parameters("query"):
        assert "the-key" == request.url.params["apiKey"]
    if operation.body is not None:
        expected = {name: values[name] for name in operation.fields if name in values}
        expected |= {operation.flag: False} if operation.flag else {}
        assert expected == json.loads(request.content)


@each_operation
def test_error_of_a_call_is_named_after_its_operation(operation: Described) -> None:
    """Every documented status of every operation raises its class."""
    arguments = {snake(name): value for name, value in operation.example().items()}
    for status in (code for code in operation.responses if code >= 400):
        with pytest.raises(APIStatusError) as caught:
            take(
                SiteAssist,
                lambda _, status=status: httpx.Response(status),
                operation.name,
                arguments,
            )
        assert STATUS_ERRORS[status] is type(caught.value)
        assert operation.id == caught.value.operation


# Docstrings


@each_kind
@each_operation
def test_docstring_tells_parameters_errors_and_reference(kind: type, operation: Described) -> None:
    """All that a reader needs without leaving the editor."""
    for name in [operation.name] + [f"{operation.name}_stream"] * operation.streamed:
        text = inspect.getdoc(getattr(kind, name)) or ""
        assert text.startswith(operation.node["summary"].rstrip("."))
        pieces = re.split(r"^(\w+):$", text, flags=re.MULTILINE)
        sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
        assert {"Args", "Returns", "Raises"} == sections.keys()
        told = re.findall(r"^    (\w+): \S", sections["Args"], flags=re.MULTILINE)
        assert list(signature(kind, name)) == told
        raised = re.findall(r"^    (\w+): \S", sections["Raises"], flags=re.MULTILINE)
        expected = {STATUS_ERRORS[code].__name__ for code in operation.responses if code >= 400}
        expected |= {"APIStatusError", "APIResponseError", "APITimeoutError", "APIConnectionError"}
        expected |= {"CredentialsError"} if operation.bearer else set()
        if name != operation.name:
            expected |= {"StreamError", "StreamTruncatedError", "StreamDecodeError"}
        assert expected <= set(raised)
        # What is named exists.
        assert set(raised) <= set(siteassist.__all__)
        reference = f"Reference: `{operation.method.upper()} {operation.path}` (`{operation.id}`)"
        assert reference in text


@pytest.mark.parametrize(
    "operation",
    [found for found in OPERATIONS if "apiKey" in {*found.fields, *found.parameters("query")}],
    ids=lambda found: found.id,
)
def test_docstring_of_what_takes_a_key_says_that_it_may_be_missing(operation: Described) -> None:
    """Without a key such a call raises `CredentialsError`, token or not."""
    text = inspect.getdoc(getattr(SiteAssist, operation.name)) or ""
    assert "CredentialsError: " in text


@pytest.mark.parametrize("name", siteassist.models.__all__)
def test_docstring_of_a_model_names_its_schema(name: str) -> None:
    """And the schema exists; what the description says of it is there."""
    cls = getattr(siteassist.models, name)
    text = inspect.getdoc(cls) or ""
    found = re.search(r"Reference: schema `(\w+)` of the (.+)\.", text)
    assert found is not None
    info = SPEC["info"]
    assert f"{info['title']} {info['version']}" == found[2]
    assert found[1] in SCHEMAS
    assert CLASSES.get(found[1], found[1]) == name
    described = " ".join(SCHEMAS[found[1]].get("description", "").split())
    assert described in " ".join(text.split())


@pytest.mark.parametrize("name", siteassist.errors.__all__)
def test_docstring_of_an_error_says_what_it_is(name: str) -> None:
    """Its own words, not its parent's."""
    assert getattr(siteassist.errors, name).__doc__


@pytest.mark.parametrize("name", siteassist.__all__)
def test_all_that_is_exported_has_a_docstring(name: str) -> None:
    """Names, constants included, explain themselves in an editor."""
    value = getattr(siteassist, name)
    assert inspect.getdoc(value if inspect.isclass(value) else type(value))


# Errors


def test_error_classes_are_the_documented_statuses() -> None:
    """One for each, and none for what no operation documents."""
    assert DOCUMENTED == sorted(STATUS_ERRORS)


@pytest.mark.parametrize("status", DOCUMENTED)
def test_error_class_is_named_after_its_status(status: int) -> None:
    """As HTTP calls it, and exported."""
    cls = STATUS_ERRORS[status]
    # Python 3.13 took over RFC 9110's new name for 422; the documents have the old one.
    phrase = "Unprocessable Entity" if status == 422 else HTTPStatus(status).phrase
    phrase = phrase.replace(" ", "").removesuffix("Error")
    assert f"{phrase}Error" == cls.__name__
    assert cls is getattr(siteassist, cls.__name__)
    assert (APIStatusError,) == cls.__bases__
    assert (cls.__doc__ or "").startswith(f"{status}: ")
    words = next(
        " ".join(operation.responses[status]["description"].split())
        for operation in OPERATIONS
        if status in operation.responses
    )
    assert words in " ".join((cls.__doc__ or "").split())


# Streams

VARIANTS = [found["$ref"].rpartition("/")[2] for found in SCHEMAS["StreamPayload"]["oneOf"]]


@each_stream
def test_events_are_those_of_the_description_and_of_the_protocol(operation: Described) -> None:
    """A class for each documented type, the runtime's for the rest, and one for all others."""
    form = getattr(siteassist.client, f"_{operation.name}_format")()
    table = form.events
    exact = {}
    for name in VARIANTS:
        kind = resolve(SCHEMAS[name]["properties"]["type"])
        if "const" in kind:
            exact[kind["const"]] = name
    # The runtime's are those of the public protocol that are not described.
    assert {*exact, *events.BY_TYPE} == set(table)
    for kind, name in exact.items():
        assert name == table[kind].__self__.__name__
    (other,) = (name for name in VARIANTS if name not in exact.values())
    assert other == type(table["of-tomorrow"]({"type": "of-tomorrow"})).__name__
    assert (
        "DataPayload" == type(table["data-weather"]({"type": "data-weather", "data": 1})).__name__
    )
    told = operation.success["x-event-stream"]
    assert (told["terminator"], told["errorType"], told["errorText"]) == (
        form.terminator,
        form.error_type,
        form.error_text,
    )
    assert told["errorType"] in exact


def test_all_event_classes_are_exported() -> None:
    """A program can match every one of them without knowing where it is made."""
    ours = {cls.__name__ for cls in events.BY_TYPE.values()} | {"DataPayload"}
    documented = set(VARIANTS)
    exported = {*siteassist.__all__} & (documented | ours)
    assert ours | documented == exported
    assert {name for name in siteassist.__all__ if name.endswith("Payload")} <= exported
    # An event of the protocol that is described is the description's class, and only that.
    assert ours - documented == {
        name for name in exported if getattr(siteassist, name).__module__ == events.__name__
    }


def test_every_class_of_the_runtime_has_its_type() -> None:
    """No event class is left without a type that leads to it."""
    defined = {
        found
        for _, found in inspect.getmembers(events, inspect.isclass)
        if issubclass(found, events.Payload) and found is not events.Payload
    }
    assert defined == {*events.BY_TYPE.values(), events.DataPayload}


@pytest.mark.parametrize("cls", [*events.BY_TYPE.values(), events.DataPayload])
def test_docstring_of_an_event_says_what_it_is(cls: type) -> None:
    """The runtime's classes as well as the generated ones."""
    assert cls.__doc__
    assert (cls.__doc__ or "").strip().endswith(".")


# The rest


def test_client_knows_the_service() -> None:
    """Its address, and the operation that starts a session."""
    client = importlib.import_module("siteassist.client")
    assert SPEC["servers"][0]["url"] == client.DEFAULT_BASE_URL
    (starting,) = (found for found in OPERATIONS if "saVid" in found.fields)
    service = client._SERVICE
    expected = (starting.id, starting.method.upper(), starting.bearer, ("apiKey",))
    assert expected == tuple(service.session)
    assert starting.path == service.session_path
    assert STATUS_ERRORS == service.errors


@each_operation
def test_client_knows_each_operation(operation: Described) -> None:
    """By the name, the method and the credential that the description gives it."""
    found = getattr(siteassist.client, f"_{operation.name.upper()}")
    expected = (operation.id, operation.method.upper(), operation.bearer)
    assert expected == tuple(found)[:3]
    keys = {"apiKey"} & {*operation.fields, *operation.parameters("query")}
    assert keys == set(found.secrets)
