"""The operations of the API, with everything that the description states about each.

The credentials, parameters, responses and owned objects of operations are derived here, so
that no other module needs a list of operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from siteassist_spec.document import Document, Json, Pointer
from siteassist_spec.extensions import check_extensions

METHODS = ("get", "put", "post", "delete", "patch")
"""The supported HTTP methods, in the spelling of the description."""
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
"""The media type whose schema allows one event, or the whole body as text."""
PLACES = ("path", "query", "header")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: Literal["path", "query", "header"]
    required: bool
    schema: Json
    """The schema as written; may be a reference."""
    resolved: Json
    """The schema, with its reference followed."""
    description: str = ""
    examples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def types(self) -> frozenset[str]:
        """The JSON types that the schema allows; empty if it has no ``type``."""
        declared = self.resolved.get("type", ())
        return frozenset([declared] if isinstance(declared, str) else declared)

    @property
    def default(self) -> Any:
        """The default of the schema, or None."""
        return self.resolved.get("default")


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON body of a request."""

    required: bool
    schema: Json
    """The schema as written; may be a reference."""
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Media:
    """One media type of a response."""

    schema: Json
    """The schema as written; may be a reference."""
    examples: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventStream:
    """A response in server-sent events: ``x-event-stream`` and the schema of an event."""

    request_flag: str
    """The boolean property of the request body that requests the stream."""
    terminator: str
    """The data of the last event, which is not JSON."""
    error_type: str
    """The ``type`` of the payload that reports a failure."""
    error_text: str
    """The property of that payload with the error message."""
    parts: str
    """The name of the schema of an answer's parts: a union by ``type``."""
    usage: str
    """The name of the schema of a token count."""
    event: Json
    """The schema of one event, with its reference followed."""
    payload: Json
    """The schema of the JSON in an event's data; may be a reference."""


@dataclass(frozen=True, slots=True)
class Paging:
    """A response that is one page of a list: ``x-page``."""

    items: str
    """The property of the body that holds the items."""
    offset: str
    """The query parameter that skips items."""
    limit: str
    """The query parameter for the maximum size of a page."""
    total: str | None
    """The property of the body with the number of items on all pages, or None."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Where a client reads the messages that were sent while it had no connection."""

    operation_id: str
    """The operation that returns it, as a list in pages."""
    parameters: Mapping[str, Any]
    """The values of its query parameters, which are properties of its items as well."""


@dataclass(frozen=True, slots=True)
class WebSocket:
    """A response that changes the protocol to WebSocket: ``x-websocket``."""

    messages: Json
    """The schema of the JSON in the texts of the server; may be a reference."""
    ping: str
    """The text with which the client asks for a sign of life."""
    pong: str
    """The text with which the server replies to it."""
    ping_interval: float
    """The time between two pings, in seconds."""
    idle_limit: float
    """The time without any text after which the connection counts as broken, in seconds."""
    first_delay: float
    """The time before the first attempt to connect again, in seconds; it doubles each time."""
    longest_delay: float
    """The longest time before an attempt to connect again, in seconds."""
    missed: Missed
    """Where to read the messages that were sent while there was no connection."""


@dataclass(frozen=True, slots=True)
class Response:
    """One documented response."""

    status: int
    description: str
    media: Mapping[str, Media]
    """The schemas and examples by media type; empty if the response has no body, such as a 204."""
    links: Mapping[str, Json]
    """The links by name, with their references followed."""
    stream: EventStream | None
    paging: Paging | None
    websocket: WebSocket | None
    raw: Json = field(repr=False, hash=False, compare=False)
    """The Response Object, with its own reference followed."""

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    operation_id: str
    method: str
    """The HTTP method in capitals."""
    path: str
    """The path template, such as ``/conversations/{conversationId}``."""
    summary: str
    description: str
    tag: str
    needs_token: bool
    """Whether requests need a bearer token."""
    parameters: tuple[Parameter, ...]
    body: Body | None
    responses: Mapping[int, Response] = field(repr=False)
    """The responses by status, in the order of the description."""
    credentials: Mapping[str, str]
    """The ``x-credential`` of the request's parameters and properties, by name."""
    session_token: str | None
    """The property of a successful response that is the token of a new session, or None."""
    owned: frozenset[str]
    """Names of the path parameters that identify an object of one visitor."""
    pointer: Pointer = field(repr=False)
    """The pointer of the operation in the description."""
    raw: Json = field(repr=False, hash=False, compare=False)
    """The Operation Object as written."""

    @property
    def label(self) -> str:
        """The operation as shown to users, such as ``GET /search (search)``."""
        return f"{self.method} {self.path} ({self.operation_id})"

    @property
    def successes(self) -> tuple[Response, ...]:
        """The documented 2xx responses."""
        return tuple(response for response in self.responses.values() if response.is_success)

    @property
    def stream(self) -> EventStream | None:
        """The event stream of the operation, or None if it cannot stream its response."""
        return next((r.stream for r in self.responses.values() if r.stream), None)

    @property
    def websocket(self) -> WebSocket | None:
        """The WebSocket that the operation opens, or None."""
        return next((r.websocket for r in self.responses.values() if r.websocket), None)

    @property
    def paging(self) -> Paging | None:
        """The paging of the operation, or None if it does not return pages of a list."""
        return next((r.paging for r in self.successes if r.paging), None)

    def parameter(self, name: str) -> Parameter:
        """Return the parameter with this name. Raises `KeyError` if it does not exist."""
        return {parameter.name: parameter for parameter in self.parameters}[name]

    def places(self, place: str) -> tuple[Parameter, ...]:
        """Return the parameters in ``place``: ``path``, ``query`` or ``header``."""
        return tuple(one for one in self.parameters if one.place == place)


def server_url(document: Document) -> str:
    """Return the URL of the first server. Raises `SpecError` without a server."""
    try:
        return str(document.raw["servers"][0]["url"])
    except (KeyError, IndexError, TypeError):
        raise document.error("`servers` must contain a server with a `url`") from None


def base_path(document: Document) -> str:
    """Return the path in the URL of the first server, such as ``/v2``.

    Raises `SpecError` without a server.
    """
    return urlsplit(server_url(document)).path.rstrip("/")


def read_operations(document: Document) -> dict[str, Operation]:
    """Return all operations by their ``operationId``, in the order of the description.

    The handshakes of WebSockets are left out: see `read_websockets`.

    Raises `SpecError`, with file, line and column, for a missing, malformed or unsupported
    part of the description.
    """
    operations = _read(document).items()
    return {name: operation for name, operation in operations if operation.websocket is None}


def read_websockets(document: Document) -> dict[str, Operation]:
    """Return the operations that open a WebSocket, by their ``operationId``.

    Raises `SpecError` as `read_operations` does.
    """
    operations = _read(document).items()
    return {name: operation for name, operation in operations if operation.websocket is not None}


def event_schema(document: Document, schema: Json) -> Json:
    """Return the schema of one event in the schema of a stream.

    The schema of a stream is that of an event, or a union of it and of the whole text.
    """
    choices = document.resolve(schema).get("anyOf", [schema])
    return next((one for one in choices if "properties" in document.resolve(one)), schema)


def _read(document: Document) -> dict[str, Operation]:
    check_extensions(document)
    paths = document.raw.get("paths")
    if not isinstance(paths, Mapping):
        raise document.error("`paths` must be a mapping", ("paths",))
    written = list(_written(document, paths))
    owned = _owned(document, written)
    found: dict[str, Operation] = {}
    for pointer, node in written:
        operation = _Reader(document, pointer, owned).operation(node)
        if operation.operation_id in found:
            raise document.error(
                f"operationId {operation.operation_id} is duplicated", (*pointer, "operationId")
            )
        found[operation.operation_id] = operation
    return found


def _written(document: Document, paths: Json) -> Iterator[tuple[Pointer, Json]]:
    for path, item in paths.items():
        for key, node in item.items():
            pointer = ("paths", path, key)
            if key in METHODS:
                if not isinstance(node, Mapping):
                    raise document.error(f"{key.upper()} {path} must be a mapping", pointer)
                yield pointer, node
            elif key not in {"parameters", "summary", "description"}:
                raise document.error(f"`{key}` is not supported in a path", pointer)


def _owned(document: Document, written: list[tuple[Pointer, Json]]) -> frozenset[str]:
    """Return the names of the path parameters that identify an object of one visitor.

    They are found by links: such an id is passed from a successful response of an operation
    that needs a token to a path parameter of an operation that needs a token, too.
    """
    private = [(pointer, node) for pointer, node in written if node.get("security")]
    in_path = {
        node.get("operationId"): set(re.findall(r"{(\w+)}", str(pointer[1])))
        for pointer, node in private
    }
    owned = set()
    for _, node in private:
        for status, response in node.get("responses", {}).items():
            if not str(status).startswith("2"):
                continue
            for link in map(document.resolve, document.resolve(response).get("links", {}).values()):
                names = in_path.get(link.get("operationId"), set())
                owned |= {
                    name
                    for name, value in link.get("parameters", {}).items()
                    if name in names and str(value).startswith("$response.body#")
                }
    return frozenset(owned)


class _Reader:
    """Reads one operation; its pointer is used in error messages."""

    def __init__(self, document: Document, pointer: Pointer, owned: frozenset[str]) -> None:
        self._document = document
        self._pointer = pointer
        self._owned = owned

    def operation(self, node: Json) -> Operation:
        _, path, method = self._pointer
        name = self._get(node, "operationId", self._pointer)
        parameters = tuple(self._parameters(node))
        in_path = {parameter.name for parameter in parameters if parameter.place == "path"}
        missing = set(re.findall(r"{(\w+)}", str(path))) ^ in_path
        if missing:
            raise self._document.error(
                f"{name}: {', '.join(sorted(missing))} must be in both the path and `parameters`",
                self._pointer,
            )
        body = self._body(node)
        responses = self._responses(node)
        credentials = {one.name: one.resolved.get("x-credential") for one in parameters}
        if body is not None:
            credentials |= self._credentials(body.schema)
        return Operation(
            operation_id=name,
            method=str(method).upper(),
            path=str(path),
            summary=node.get("summary", ""),
            description=node.get("description", ""),
            tag=next(iter(node.get("tags", ())), ""),
            needs_token=bool(node.get("security", self._document.raw.get("security"))),
            parameters=parameters,
            body=body,
            responses=responses,
            credentials={name: role for name, role in credentials.items() if role},
            session_token=self._session_token(responses),
            owned=frozenset(in_path & self._owned),
            pointer=self._pointer,
            raw=node,
        )

    def _get(self, node: Json, key: str, pointer: Pointer) -> Any:
        try:
            return node[key]
        except (KeyError, TypeError):
            raise self._document.error(f"`{key}` is missing", pointer) from None

    def _parameters(self, node: Json) -> Iterator[Parameter]:
        shared = (*self._pointer[:-1], "parameters")
        own = (*self._pointer, "parameters")
        item = self._document.at(self._pointer[:-1])
        for pointer, written in ((shared, item), (own, node)):
            for index, entry in enumerate(written.get("parameters", ())):
                yield self._parameter(self._document.resolve(entry), (*pointer, index))

    def _parameter(self, node: Json, pointer: Pointer) -> Parameter:
        name, place = self._get(node, "name", pointer), self._get(node, "in", pointer)
        if place not in PLACES:
            raise self._document.error(
                f"{name}: a parameter in `{place}` is not supported", pointer
            )
        schema = self._get(node, "schema", pointer)
        return Parameter(
            name=name,
            place=place,
            required=bool(node.get("required")),
            description=node.get("description", ""),
            schema=schema,
            resolved=self._document.resolve(schema),
            examples=self._examples(node),
        )

    def _body(self, node: Json) -> Body | None:
        if "requestBody" not in node:
            return None
        pointer = (*self._pointer, "requestBody")
        body = self._document.resolve(node["requestBody"])
        content = self._get(body, "content", pointer)
        if set(content) != {JSON}:
            raise self._document.error(
                f"a request body must have the media type {JSON} and no other",
                (*pointer, "content"),
            )
        return Body(
            required=bool(body.get("required")),
            schema=self._get(content[JSON], "schema", (*pointer, "content", JSON)),
            examples=self._examples(content[JSON]),
        )

    def _responses(self, node: Json) -> dict[int, Response]:
        found = {}
        for status, written in self._get(node, "responses", self._pointer).items():
            pointer = (*self._pointer, "responses", status)
            if not re.fullmatch(r"[1-5][0-9][0-9]", str(status)):
                raise self._document.error(f"status `{status}` is not supported", pointer)
            found[int(status)] = self._response(int(status), written, pointer)
        if not any(response.is_success or response.websocket for response in found.values()):
            raise self._document.error(
                "an operation needs a success response", (*self._pointer, "responses")
            )
        return found

    def _response(self, status: int, written: Json, pointer: Pointer) -> Response:
        node = self._document.resolve(written)
        return Response(
            status=status,
            description=node.get("description", ""),
            media={
                name: Media(
                    schema=self._get(media, "schema", (*pointer, "content", name)),
                    examples=self._examples(media),
                )
                for name, media in (node.get("content") or {}).items()
            },
            links={
                name: self._document.resolve(link) for name, link in node.get("links", {}).items()
            },
            stream=self._stream(node, pointer),
            paging=self._paging(node, pointer),
            websocket=self._websocket(node, pointer),
            raw=node,
        )

    def _credentials(self, schema: Json) -> dict[str, str | None]:
        return {
            name: self._document.resolve(field).get("x-credential")
            for name, field in self._document.resolve(schema).get("properties", {}).items()
        }

    def _session_token(self, responses: Mapping[int, Response]) -> str | None:
        return next(
            (
                name
                for response in responses.values()
                if response.is_success and JSON in response.media
                for name, role in self._credentials(response.media[JSON].schema).items()
                if role == "sessionToken"
            ),
            None,
        )

    def _examples(self, node: Json) -> dict[str, Any]:
        return {
            name: self._document.resolve(example).get("value")
            for name, example in node.get("examples", {}).items()
        }

    def _stream(self, node: Json, pointer: Pointer) -> EventStream | None:
        if "x-event-stream" not in node:
            return None
        keys = self._extension(
            node,
            "x-event-stream",
            ("requestFlag", "terminator", "errorType", "errorText", "parts", "usage"),
            pointer,
        )
        place = (*pointer, "content", EVENT_STREAM)
        media = self._get(node.get("content", {}), EVENT_STREAM, (*pointer, "x-event-stream"))
        schema = self._get(media, "schema", place)
        event = self._document.resolve(event_schema(self._document, schema))
        try:
            data = self._document.resolve(event["properties"]["data"])
            payload = next(
                form["contentSchema"] for form in data["anyOf"] if "contentSchema" in form
            )
        except (KeyError, StopIteration):
            raise self._document.error(
                "the schema of an event must have `data` with `contentSchema` in its `anyOf`",
                place,
            ) from None
        flag, terminator, error_type, error_text, parts, usage = keys
        for key, name in (("parts", parts), ("usage", usage)):
            if name not in self._document.raw.get("components", {}).get("schemas", {}):
                raise self._document.error(
                    f"x-event-stream: `{key}` is `{name}`, which is not a schema",
                    (*pointer, "x-event-stream", key),
                )
        return EventStream(
            request_flag=flag,
            terminator=terminator,
            error_type=error_type,
            error_text=error_text,
            parts=parts,
            usage=usage,
            event=event,
            payload=payload,
        )

    def _websocket(self, node: Json, pointer: Pointer) -> WebSocket | None:
        if "x-websocket" not in node:
            return None
        if pointer[-1] != "101":
            raise self._document.error(
                "x-websocket is allowed only on the response 101", (*pointer, "x-websocket")
            )
        messages, ping, pong, _, interval, limit, first, longest = self._extension(
            node,
            "x-websocket",
            (
                *("messages", "ping", "pong", "missed"),
                *("pingInterval", "idleLimit", "firstDelay", "longestDelay"),
            ),
            pointer,
        )
        websocket = node["x-websocket"]
        place = (*pointer, "x-websocket")
        for name in ("ping", "pong"):
            if "const" not in self._document.resolve(websocket[name]):
                raise self._document.error(
                    f"x-websocket: `{name}` must be a schema with `const`", (*place, name)
                )
        for name in ("pingInterval", "idleLimit", "firstDelay", "longestDelay"):
            value = websocket[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise self._document.error(
                    f"x-websocket: `{name}` must be a number of seconds > 0, got {value!r}",
                    (*place, name),
                )
        return WebSocket(
            messages,
            self._document.resolve(ping)["const"],
            self._document.resolve(pong)["const"],
            interval,
            limit,
            first,
            longest,
            Missed(*self._extension(websocket, "missed", ("operationId", "parameters"), place)),
        )

    def _paging(self, node: Json, pointer: Pointer) -> Paging | None:
        if "x-page" not in node:
            return None
        items, offset, limit, total = self._extension(
            node, "x-page", ("items", "offset", "limit"), pointer, optional=("total",)
        )
        operation = self._document.at(self._pointer)
        parameters = {one.name for one in self._parameters(operation) if one.place == "query"}
        for key, name in (("offset", offset), ("limit", limit)):
            if name not in parameters:
                raise self._document.error(
                    f"x-page: `{key}` is `{name}`, which is not a query parameter",
                    (*pointer, "x-page", key),
                )
        schema = self._get(node.get("content", {}), JSON, pointer)["schema"]
        properties = self._document.resolve(schema).get("properties", {})
        for key, name in (("items", items), ("total", total)):
            if name is not None and name not in properties:
                raise self._document.error(
                    f"x-page: `{key}` is `{name}`, which is not a property of the response",
                    (*pointer, "x-page", key),
                )
        listed = self._document.resolve(properties[items])
        if listed.get("type") != "array" or items not in self._document.resolve(schema).get(
            "required", ()
        ):
            raise self._document.error(
                f"x-page: `items` is `{items}`, which is not a required array",
                (*pointer, "x-page", "items"),
            )
        return Paging(items=items, total=total, offset=offset, limit=limit)

    def _extension(
        self,
        node: Json,
        name: str,
        keys: tuple[str, ...],
        pointer: Pointer,
        optional: tuple[str, ...] = (),
    ) -> tuple[Any, ...]:
        value = node[name]
        if not isinstance(value, Mapping):
            raise self._document.error(f"{name} must be a mapping", (*pointer, name))
        unknown = sorted(set(value) - {*keys, *optional})
        if unknown:
            raise self._document.error(
                f"{name}: unknown key `{unknown[0]}`", (*pointer, name, unknown[0])
            )
        required = (self._get(value, key, (*pointer, name)) for key in keys)
        return (*required, *(value.get(key) for key in optional))
