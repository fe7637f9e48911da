"""The WebSockets of the description in AsyncAPI 3.1.0.

It describes the service: the service sends events and the reply to a ping, and receives
pings. AsyncAPI cannot express the times of the keep-alive and of reconnection, nor the way to
read missed messages: they are in the description of the channel.

The schemas keep their names and their content. AsyncAPI reads them as JSON Schema draft 7.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from siteassist_spec.document import Document, Json, walk
from siteassist_spec.operations import (
    JSON,
    Operation,
    Parameter,
    Response,
    WebSocket,
    read_operations,
    read_websockets,
    server_url,
)
from siteassist_spec.transform.rebuild import UnknownConstructError, rebuild
from siteassist_spec.unions import read_union

ASYNCAPI_VERSION = "3.1.0"

_SCHEMAS = "#/components/schemas/"
_SERVER = "production"
_TEXT = "text/plain"
# The only keyword of those that `rebuild` knows that draft 7 lacks.
_LATER = "contentSchema"


def to_asyncapi(document: Document) -> dict[str, Any]:
    """Return the WebSockets of the description in AsyncAPI 3.1.0.

    Raises `SpecError` for a malformed description, and `UnknownConstructError` for a
    schema that JSON Schema draft 7 cannot express.
    """
    rebuild(document)  # Raises for a construct that no converter knows.
    operations, sockets = read_operations(document), read_websockets(document)
    channels = [_Channel(document, socket, operations) for socket in sockets.values()]
    info = document.raw["info"]
    components: dict[str, Any] = {"messages": {}, "schemas": {}, "securitySchemes": {}}
    for channel in channels:
        components["messages"] |= channel.messages
        components["securitySchemes"] |= channel.security
    components["schemas"] = _reachable(document, components["messages"])
    written: dict[str, Any] = {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": info["title"],
            "version": info["version"],
            "description": info["description"],
            "license": _license(info.get("license", {})),
            "tags": [
                tag
                for tag in document.raw["tags"]
                if any(tag["name"] == socket.tag for socket in sockets.values())
            ],
        },
        "defaultContentType": JSON,
        "servers": {_SERVER: _server(document, components["securitySchemes"])},
        "channels": {channel.name: channel.node() for channel in channels},
        "operations": {
            name: node for channel in channels for name, node in channel.operations().items()
        },
        "components": {key: value for key, value in components.items() if value},
    }
    return written


def _license(license_: Json) -> dict[str, Any]:
    found = {"name": license_["name"]}
    if "identifier" in license_:
        found["url"] = f"https://spdx.org/licenses/{license_['identifier']}.html"
    elif "url" in license_:
        found["url"] = license_["url"]
    return found


def _server(document: Document, security: Mapping[str, Any]) -> dict[str, Any]:
    url = urlsplit(server_url(document))
    server: dict[str, Any] = {
        "host": url.netloc,
        "pathname": url.path.rstrip("/"),
        "protocol": "wss" if url.scheme == "https" else "ws",
        "description": document.raw["servers"][0].get("description", "The service"),
    }
    if security:
        server["security"] = [{"$ref": f"#/components/securitySchemes/{name}"} for name in security]
    return server


class _Channel:
    """A WebSocket, its messages and its operations."""

    def __init__(
        self, document: Document, socket: Operation, operations: Mapping[str, Operation]
    ) -> None:
        response = next(one for one in socket.responses.values() if one.websocket is not None)
        assert response.websocket is not None  # noqa: S101  # selected above
        self._document = document
        self._socket = socket
        self._response: Response = response
        self._websocket: WebSocket = response.websocket
        self._missed = operations.get(self._websocket.missed.operation_id)
        self.name = socket.operation_id
        self._sent = self._events() | self._keep_alive("pong")
        self._received = self._keep_alive("ping")
        self.messages = self._sent | self._received
        """The messages, by name."""

    @property
    def security(self) -> dict[str, Any]:
        """The credentials in the query of the handshake."""
        return {
            one.name: {
                "type": "httpApiKey",
                "in": "query",
                "name": one.name,
                "description": one.description,
            }
            for one in self._socket.places("query")
            if one.name in self._socket.credentials
        }

    def node(self) -> dict[str, Any]:
        """Return the Channel Object."""
        query = self._socket.places("query")
        channel: dict[str, Any] = {
            "address": self._socket.path,
            "title": self._socket.summary,
            "description": self._description(),
            "servers": [{"$ref": f"#/servers/{_SERVER}"}],
            "parameters": {one.name: self._parameter(one) for one in self._socket.places("path")},
            "messages": {name: _reference("messages", name) for name in self.messages},
            "bindings": {
                "ws": {
                    "method": self._socket.method,
                    "query": {
                        "type": "object",
                        "required": [one.name for one in query if one.required],
                        "properties": {
                            one.name: {**one.resolved, "description": one.description}
                            for one in query
                        },
                    },
                    "bindingVersion": "0.1.0",
                }
            },
            "tags": [{"name": self._socket.tag}],
        }
        return channel

    def operations(self) -> dict[str, Any]:
        """Return the Operation Objects: the messages that the service sends and receives."""
        return {
            f"{self.name}{action.capitalize()}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{self.name}"},
                "title": title,
                "summary": summary,
                "tags": [{"name": self._socket.tag}],
                "messages": [
                    {"$ref": f"#/channels/{self.name}/messages/{message}"} for message in messages
                ],
            }
            for action, title, summary, messages in (
                ("send", "Send to the client", "The service sends events and pongs.", self._sent),
                ("receive", "Receive from the client", "The client sends pings.", self._received),
            )
        }

    def _description(self) -> str:
        missed = self._websocket.missed
        parts = [self._socket.description.strip(), self._response.description.strip()]
        if self._missed is not None:
            query = "&".join(f"{name}={value}" for name, value in missed.parameters.items())
            parts.append(
                "The messages that were sent without a connection are in "
                f"`{self._missed.method} {self._missed.path}?{query}`."
            )
        return "\n\n".join(parts) + "\n"

    def _parameter(self, parameter: Parameter) -> dict[str, Any]:
        """Return a parameter of the address, which is always a string in AsyncAPI."""
        found: dict[str, Any] = {"description": parameter.description}
        if parameter.examples:
            found["examples"] = list(dict.fromkeys(map(str, parameter.examples.values())))
        return found

    def _events(self) -> dict[str, Any]:
        union = read_union(self._document, self._websocket.messages)
        members = {**union.exact, **union.prefixes, "other": union.other}
        found = {name: self._message(name, JSON, kind) for kind, name in members.items()}
        for kind, name in union.exact.items():
            example = self._example(name)
            if example is not None:
                found[name]["examples"] = [{"name": kind, "payload": example}]
        return found

    def _keep_alive(self, key: str) -> dict[str, Any]:
        text = getattr(self._websocket, key)
        schema = self._response.raw["x-websocket"][key]
        name = self._document.component(schema) or key
        message = self._message(name, _TEXT, text)
        message["examples"] = [{"name": text, "payload": text}]
        return {name: message}

    def _message(self, name: str, media: str, kind: str) -> dict[str, Any]:
        schema = self._document.raw["components"]["schemas"][name]
        return {
            "name": kind,
            "title": name,
            "summary": schema.get("description", "").strip(),
            "contentType": media,
            "payload": {"$ref": f"{_SCHEMAS}{name}"},
        }

    def _example(self, name: str) -> dict[str, Any] | None:
        """Return an example of an event, from those of its properties; None without one."""
        schema = self._document.raw["components"]["schemas"][name]
        found = {}
        for key in schema.get("required", ()):
            value = self._value(schema["properties"][key])
            if value is None:
                return None
            found[key] = value
        return found

    def _value(self, schema: Json) -> Any:
        if "const" in schema:
            return schema["const"]
        for parameter in self._socket.parameters:
            if self._document.component(parameter.schema) == self._document.component(schema):
                item = self._item(schema)
                return next(iter(parameter.examples.values()), None) if item is None else item
        return self._item(schema)

    def _item(self, schema: Json) -> Any:
        """Return a message of an example of the list, which the socket would send."""
        missed, listing = self._websocket.missed, self._missed
        if listing is None or listing.paging is None:
            return None
        media = listing.successes[0].media[JSON]
        items = self._document.resolve(media.schema)["properties"][listing.paging.items]["items"]
        if self._document.component(items) != self._document.component(schema):
            return None
        # The last one of a list is not the visitor's question.
        items = [
            item for example in media.examples.values() for item in example[listing.paging.items]
        ]
        return {**copy.deepcopy(items[-1]), **missed.parameters} if items else None


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _reachable(document: Document, node: object) -> dict[str, Any]:
    """Return the schemas that ``node`` refers to, directly or through others, as written."""
    schemas = document.raw["components"]["schemas"]
    found: set[str] = set()
    waiting = list(_references(node))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            _check_draft_7(document, name)
            waiting += _references(schemas[name])
    return {name: copy.deepcopy(schemas[name]) for name in schemas if name in found}


def _references(node: object) -> Iterator[str]:
    for pointer, value in walk(node):
        if pointer and pointer[-1] == "$ref" and str(value).startswith(_SCHEMAS):
            yield str(value).removeprefix(_SCHEMAS)


def _check_draft_7(document: Document, name: str) -> None:
    """Raise `UnknownConstructError` for a schema that draft 7 cannot express."""
    place = ("components", "schemas", name)
    for pointer, value in walk(document.raw["components"]["schemas"][name]):
        if isinstance(value, Mapping) and _LATER in value:
            problem = f"JSON Schema draft 7 does not support `{_LATER}`"
            raise UnknownConstructError.at(document, problem, (*place, *pointer, _LATER))
