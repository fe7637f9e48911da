"""The clients cover ``openapi.yaml``: its operations, parameters, errors and events."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import re
from http import HTTPStatus
from typing import Any

import httpx
import pytest

import siteassist
import siteassist.client
import siteassist.errors
import siteassist.models
from siteassist import UNSET, APIStatusError, AsyncSiteAssist, SiteAssist, SiteAssistError
from siteassist.errors import STATUS_ERRORS
from siteassist_spec import EVENT_STREAM, JSON, Operation, Response
from tests.description import DOCUMENT, SPEC, WEBSOCKETS
from tests.generated.description import (
    CLASS_NAMES,
    OPERATIONS,
    SCHEMAS,
    STREAM_PAYLOADS,
    each_operation,
    schema_name,
    snake_case,
)

EVERY_CALL = {
    "timeout": UNSET,
    "max_retries": UNSET,
    "extra_headers": None,
    "extra_query": None,
}
"""The arguments that every method has, with their defaults."""
CLIENTS = [SiteAssist, AsyncSiteAssist]
STREAMING = [one for one in OPERATIONS if any(EVENT_STREAM in r.media for r in one.successes)]
DOCUMENTED = sorted({code for one in OPERATIONS for code in one.responses if code >= 400})

each_stream = pytest.mark.parametrize("operation", STREAMING, ids=lambda one: one.operation_id)
each_client = pytest.mark.parametrize("client", CLIENTS)


def method(operation: Operation) -> str:
    """Return the name of the operation's method."""
    return snake_case(operation.operation_id)


def methods(operation: Operation) -> list[str]:
    """Return the names of the operation's methods: one more if it can stream."""
    name = method(operation)
    return [name, f"{name}_stream"] if operation in STREAMING else [name]


def success(operation: Operation) -> Response:
    """Return the success with the lowest status."""
    return min(operation.successes, key=lambda response: response.status)


def with_role(operation: Operation, *roles: str) -> set[str]:
    """Return the arguments that are a credential of one of these roles."""
    return {name for name, role in operation.credentials.items() if role in roles}


def arguments(operation: Operation) -> dict[str, bool]:
    """Return the fields of the body and the query parameters, and whether each is required.

    The field that asks for a stream is not an argument: there is a method for it.
    """
    schema = DOCUMENT.resolve(operation.body.schema) if operation.body else {}
    flag = operation.stream and operation.stream.request_flag
    required = schema.get("required", [])
    found = {name: name in required for name in schema.get("properties", {}) if name != flag}
    return found | {one.name: one.required for one in operation.places("query")}


def example(operation: Operation) -> dict[str, Any]:
    """Return arguments from the description's own examples, under the names of the API."""
    known = with_role(operation, "publishableKey", "deviceId")
    values = {
        one.name: f"the {one.name}"
        for one in operation.parameters
        if one.place == "path" or (one.required and one.name not in known)
    }
    if operation.body is not None:
        value = next(iter(operation.body.examples.values()))
        values |= {name: value[name] for name in arguments(operation) if name in value}
    return values


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the caller's ``SITEASSIST_`` variables from the environment."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


def signature(client: type, name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a method without ``self``."""
    found = dict(inspect.signature(getattr(client, name)).parameters)
    del found["self"]
    return found


# Methods


@each_client
def test_methods_are_the_operations(client: type) -> None:
    """A client has the methods of the operations, and few others."""
    expected = {name for operation in OPERATIONS for name in methods(operation)}
    expected |= {"device_id", "base_url", "close" if client is SiteAssist else "aclose"}
    expected |= {"visitor", "with_options", "with_raw_response"}
    # Those of a socket.
    expected |= {"ask", "listen"} if WEBSOCKETS else set()
    assert expected == {name for name in dir(client) if not name.startswith("_")}


@each_client
@each_operation
def test_method_has_the_parameters_of_its_operation(client: type, operation: Operation) -> None:
    """Path parameters are positional, all others keyword-only; optional ones have a default."""
    found = signature(client, method(operation))
    path = {snake_case(one.name) for one in operation.places("path")}
    assert path == {
        name
        for name, parameter in found.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    expected: dict[str, object] = dict.fromkeys(path, inspect.Parameter.empty)
    # The client has a value for these, so a call may leave them out.
    known = with_role(operation, "publishableKey", "deviceId")
    for name, required in arguments(operation).items():
        default: object = inspect.Parameter.empty if required else UNSET
        expected[snake_case(name)] = None if name in known else default
    expected |= EVERY_CALL
    if operation.body is not None:
        expected["extra_body"] = None
    if operation.stream is not None and operation.stream.request_flag is not None:
        expected[snake_case(operation.stream.request_flag)] = False
    assert expected == {name: parameter.default for name, parameter in found.items()}


@each_client
@each_stream
def test_stream_method_has_the_same_parameters(client: type, operation: Operation) -> None:
    """A method that streams takes the limit between two events in place of the flag."""
    plain, streaming = (signature(client, name) for name in methods(operation))
    assert operation.stream is not None
    del plain[snake_case(str(operation.stream.request_flag))]
    assert UNSET is streaming.pop("idle_timeout").default
    assert plain == streaming


@each_operation
def test_both_clients_have_the_same_signatures(operation: Operation) -> None:
    """Parameters and their types are the same; only a call of the async client is awaited."""
    for name in methods(operation):
        assert signature(SiteAssist, name) == signature(AsyncSiteAssist, name)
    awaited = inspect.iscoroutinefunction(getattr(AsyncSiteAssist, method(operation)))
    assert awaited is (operation.paging is None)


def test_both_clients_are_created_alike() -> None:
    """Both constructors take the same arguments; the types of three differ."""
    first, second = (dict(inspect.signature(client).parameters) for client in CLIENTS)
    for name in ("token", "transport", "http_client"):
        assert first.pop(name).default is second.pop(name).default is None
    assert first == second


@each_stream
@each_client
def test_asking_a_plain_method_for_a_stream_names_the_other(
    client: type, operation: Operation
) -> None:
    """The flag of the description is refused before anything is sent."""
    assert operation.stream is not None
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(500)

    values = example(operation) | {str(operation.stream.request_flag): True}
    with pytest.raises(SiteAssistError, match=f"use {method(operation)}_stream to stream"):
        call(client, handler, operation, values)
    assert [] == requests


@each_client
def test_every_method_has_a_raw_one(client: type) -> None:
    """`with_raw_response` has a method for each operation."""
    raw = client(token="t").with_raw_response
    assert {method(operation) for operation in OPERATIONS} == set(vars(raw))


# Calls

URL = "http://127.0.0.1/v2"


def call(client: type, handler: Any, operation: Operation, values: dict[str, Any]) -> Any:
    """Call the operation's method with ``values``, and return the result or its first page."""
    name, named = method(operation), {snake_case(key): value for key, value in values.items()}
    settings: dict[str, Any] = {
        "token": "the-token",
        "api_key": "the-key",
        "device_id": "the-device",
        "base_url": URL,
        "transport": httpx.MockTransport(handler),
        "max_retries": 0,
    }
    if client is SiteAssist:
        with SiteAssist(**settings) as blocking:
            found = getattr(blocking, name)(**named)
            return found.page() if hasattr(found, "page") else found

    async def main() -> Any:
        async with AsyncSiteAssist(**settings) as awaited:
            found = getattr(awaited, name)(**named)
            return await (found.page() if hasattr(found, "page") else found)

    return asyncio.run(main())


@each_client
@each_operation
def test_call_sends_the_described_request(client: type, operation: Operation) -> None:
    """Method, path, query, body and credential are as described; the result is the model."""
    requests: list[httpx.Request] = []
    response = success(operation)
    media = response.media.get(JSON)
    answer = media and next(iter(media.examples.values()))

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(response.status, json=answer if media else None)

    values = example(operation)
    result = call(client, handler, operation, values)
    expected = schema_name(media.schema) if media else "NoneType"
    assert expected == type(result).__name__
    (request,) = requests
    path = operation.path
    for one in operation.places("path"):
        path = path.replace(f"{{{one.name}}}", f"the%20{one.name}")
    raw_path = request.url.raw_path.decode().partition("?")[0]
    assert (operation.method, f"/v2{path}") == (request.method, raw_path)
    token = "Bearer the-token" if operation.needs_token else None
    assert token == request.headers.get("authorization")
    for one in operation.places("query"):
        if one.name in values:
            assert values[one.name] == request.url.params[one.name]
        elif one.name in with_role(operation, "publishableKey"):
            assert "the-key" == request.url.params[one.name]
    if operation.body is not None:
        sent = {name: values[name] for name in arguments(operation) if name in values}
        if operation.stream:
            sent[operation.stream.request_flag] = False
        assert sent == json.loads(request.content)


@each_operation
def test_documented_status_raises_its_class(operation: Operation) -> None:
    """Each documented error status raises its own class, which names the operation."""
    for status in (code for code in operation.responses if code >= 400):
        answer = httpx.Response(status)
        with pytest.raises(APIStatusError) as caught:
            call(SiteAssist, lambda _, answer=answer: answer, operation, example(operation))
        assert STATUS_ERRORS[status] is type(caught.value)
        assert operation.operation_id == caught.value.operation


# Docstrings


@each_client
@each_operation
def test_docstring_has_parameters_errors_and_reference(client: type, operation: Operation) -> None:
    """The docstring lists every argument and every error, and names the operation."""
    for name in methods(operation):
        text = inspect.getdoc(getattr(client, name)) or ""
        assert text.startswith(operation.summary.rstrip("."))
        pieces = re.split(r"^(\w+):$", text, flags=re.MULTILINE)
        sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
        assert {"Args", "Returns", "Raises"} == sections.keys()
        listed = re.findall(r"^    (\w+): \S", sections["Args"], flags=re.MULTILINE)
        assert list(signature(client, name)) == listed
        raised = re.findall(r"^    (\w+): \S", sections["Raises"], flags=re.MULTILINE)
        expected = {STATUS_ERRORS[code].__name__ for code in operation.responses if code >= 400}
        expected |= {"APIStatusError", "APIResponseError", "APITimeoutError", "APIConnectionError"}
        # A call without its token, or without its key, raises before it sends anything.
        if operation.needs_token or with_role(operation, "publishableKey"):
            expected.add("CredentialsError")
        if name != method(operation):
            expected |= {"StreamError", "StreamTruncatedError", "StreamDecodeError"}
        assert expected <= set(raised)
        assert set(raised) <= set(siteassist.__all__)
        assert (
            f"Reference: `{operation.method} {operation.path}` (`{operation.operation_id}`)" in text
        )


@pytest.mark.parametrize("name", siteassist.models.__all__)
def test_docstring_of_a_model_names_its_schema(name: str) -> None:
    """The schema exists, and the docstring contains its description."""
    cls = getattr(siteassist.models, name)
    text = inspect.getdoc(cls) or ""
    found = re.search(r"Reference: schema `(\w+)` of the (.+)\.", text)
    assert found is not None
    info = SPEC["info"]
    assert f"{info['title']} {info['version']}" == found[2]
    assert found[1] in SCHEMAS
    assert CLASS_NAMES.get(found[1], found[1]) == name
    described = " ".join(SCHEMAS[found[1]].get("description", "").split())
    assert described in " ".join(text.split())


@pytest.mark.parametrize("name", siteassist.errors.__all__)
def test_error_class_has_its_own_docstring(name: str) -> None:
    """No error class inherits the docstring of its parent."""
    assert getattr(siteassist.errors, name).__doc__


@pytest.mark.parametrize("name", siteassist.__all__)
def test_every_export_has_a_docstring(name: str) -> None:
    """An editor can show a docstring for every exported name, constants included."""
    value = getattr(siteassist, name)
    assert inspect.getdoc(value if inspect.isclass(value) else type(value))


# Errors


def test_error_classes_are_the_documented_statuses() -> None:
    """Each documented status has a class, and no other status has one."""
    assert DOCUMENTED == sorted(STATUS_ERRORS)


@pytest.mark.parametrize("status", DOCUMENTED)
def test_error_class_has_the_name_of_its_status(status: int) -> None:
    """The class is exported under the status's phrase, and its docstring is the description's."""
    cls = STATUS_ERRORS[status]
    # Python 3.13 took over RFC 9110's new name for 422; the documents have the old one.
    phrase = "Unprocessable Entity" if status == 422 else HTTPStatus(status).phrase
    phrase = phrase.replace(" ", "").removesuffix("Error")
    assert f"{phrase}Error" == cls.__name__
    assert cls is getattr(siteassist, cls.__name__)
    assert (APIStatusError,) == cls.__bases__
    assert (cls.__doc__ or "").startswith(f"{status}: ")
    responses = (one.responses[status] for one in OPERATIONS if status in one.responses)
    described = " ".join(next(responses).description.split())
    assert described in " ".join((cls.__doc__ or "").split())


# Streams


@each_stream
def test_events_are_those_of_the_description(operation: Operation) -> None:
    """Each described type or prefix of a type has its class; any other type has the last one."""
    form = getattr(siteassist.client, f"_{method(operation)}_format")()
    exact, prefixes, others = {}, {}, []
    for name in STREAM_PAYLOADS:
        kind = DOCUMENT.resolve(SCHEMAS[name]["properties"]["type"])
        if "const" in kind:
            exact[kind["const"]] = name
        elif "pattern" in kind:
            prefixes[kind["pattern"].removeprefix("^")] = name
        else:
            others.append(name)
    assert exact == {kind: read.__self__.__name__ for kind, read in form.events.items()}
    assert prefixes
    for prefix, name in prefixes.items():
        assert name == form.events[f"{prefix}anything"].__self__.__name__
    assert others == [form.events["of-tomorrow"].__self__.__name__]
    stream = operation.stream
    assert stream is not None
    expected = (stream.terminator, stream.error_type, stream.error_text)
    assert expected == (form.terminator, form.error_type, form.error_text)
    assert stream.error_type in exact


def test_all_event_classes_are_exported() -> None:
    """A program can import every event class from ``siteassist``."""
    assert set(STREAM_PAYLOADS) <= set(siteassist.__all__)
    assert {n for n in siteassist.__all__ if n.endswith("Payload")} <= set(STREAM_PAYLOADS)


# The service


def test_client_knows_the_service() -> None:
    """The client has the address, the operation that starts a session, and the error classes."""
    client = importlib.import_module("siteassist.client")
    assert SPEC["servers"][0]["url"] == client.DEFAULT_BASE_URL
    (starting,) = (one for one in OPERATIONS if one.session_token)
    service = client._SERVICE
    keys = tuple(with_role(starting, "publishableKey"))
    expected = (starting.operation_id, starting.method, starting.needs_token, keys)
    assert expected == tuple(service.session)
    assert starting.path == service.session_path
    assert STATUS_ERRORS == service.errors


@each_operation
def test_client_knows_each_operation(operation: Operation) -> None:
    """The client has the name, the method and the credentials of each operation."""
    found = getattr(siteassist.client, f"_{method(operation).upper()}")
    expected = (operation.operation_id, operation.method, operation.needs_token)
    assert expected == tuple(found)[:3]
    assert with_role(operation, "publishableKey") == set(found.secrets)
