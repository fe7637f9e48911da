"""Requests, independent of a language: any request, and those of the samples of an operation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from siteassist_spec.operations import EVENT_STREAM, JSON, Operation


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, which a writer expresses in its language."""

    method: str
    """The HTTP method in capitals."""
    url: str
    headers: Mapping[str, str]
    content: str | None = None
    """The body as text, or None."""

    @property
    def is_json(self) -> bool:
        """Whether the body has the media type JSON, and HTTP clients can encode its value."""
        if self.content is None or self.headers.get("Content-Type") != JSON:
            return False
        try:
            value = json.loads(self.content)
            # NaN and lone surrogates can be decoded, but not encoded.
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (RecursionError, ValueError):
            return False
        # HTTP clients send no body for null.
        return value is not None

    @property
    def json(self) -> Any:
        """The value of a JSON body."""
        return json.loads(self.content or "null")


@dataclass(frozen=True, slots=True)
class Request:
    """A request of an operation, with values from its examples."""

    operation: Operation
    base_url: str
    token: str | None
    in_path: Mapping[str, Any]
    """The path parameters by name, in the order of the path."""
    query: Mapping[str, Any]
    in_header: Mapping[str, Any]
    body: Any
    """The JSON body, or None."""

    @property
    def streams(self) -> bool:
        """Whether the body requests a stream."""
        stream = self.operation.stream
        return bool(stream and self.body and self.body.get(stream.request_flag))

    @property
    def content(self) -> Literal["json", "text"] | None:
        """The way to read the response; None if no success has a body."""
        successes = self.operation.successes
        if not any(response.media for response in successes):
            return None
        json_only = all(
            response.media and set(response.media) <= {JSON, EVENT_STREAM} for response in successes
        )
        return "json" if json_only else "text"

    @property
    def url(self) -> str:
        """The URL, including the query."""
        path = self.operation.path
        for name, value in self.in_path.items():
            path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
        query = urlencode({name: _text(value) for name, value in self.query.items()})
        return f"{self.base_url}{path}{'?' if query else ''}{query}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers: the bearer token, the header parameters and the media type."""
        found = {}
        if self.token is not None:
            found["Authorization"] = f"Bearer {self.token}"
        found |= {name: _text(value) for name, value in self.in_header.items()}
        if self.body is not None:
            found["Content-Type"] = JSON
        return found

    @property
    def http(self) -> HttpRequest:
        """The request as it is sent."""
        body = self.body
        content = None if body is None else json.dumps(body, indent=2, ensure_ascii=False)
        return HttpRequest(self.operation.method, self.url, self.headers, content)


def requests(operation: Operation, base_url: str, token: str | None) -> list[Request]:
    """Return the requests for the samples of an operation.

    This is a single request, followed by one that requests a stream if the operation
    supports it.

    Raises `LookupError` if a required parameter or a required body has no example, or if
    the operation needs a token and ``token`` is None.
    """
    if operation.needs_token and token is None:
        raise LookupError("there is no example of a session token")
    in_path = _arguments(operation, "path")
    return [
        Request(
            operation=operation,
            base_url=base_url,
            token=token if operation.needs_token else None,
            in_path={name: in_path[name] for name in re.findall(r"{(\w+)}", operation.path)},
            query=_arguments(operation, "query"),
            in_header=_arguments(operation, "header"),
            body=body,
        )
        for body in _bodies(operation)
    ]


def example_token(operations: Iterable[Operation]) -> str | None:
    """Return the first session token in the examples of successful responses, or None."""
    return next(
        (
            value[token]
            for operation in operations
            if (token := operation.session_token) is not None
            for response in operation.successes
            for media in response.media.values()
            for value in media.examples.values()
            if isinstance(value, Mapping) and isinstance(value.get(token), str)
        ),
        None,
    )


def _arguments(operation: Operation, place: str) -> dict[str, Any]:
    """Return the examples of the parameters in ``place``.

    An optional parameter is omitted if its example equals its default.
    """
    found = {}
    for parameter in operation.places(place):
        examples = list(parameter.examples.values())
        if examples:
            if parameter.required or examples[0] != parameter.default:
                found[parameter.name] = examples[0]
        elif parameter.required:
            raise LookupError(
                f"the parameter {parameter.name} of {operation.operation_id} has no example"
            )
    return found


def _bodies(operation: Operation) -> list[Any]:
    """Return an example of the body; if it can request a stream, one without and one with it."""
    if operation.body is None:
        return [None]
    examples = list(operation.body.examples.values())
    if not examples:
        if operation.body.required:
            raise LookupError(f"the body of {operation.operation_id} has no example")
        return [None]
    if operation.stream is None:
        return examples[:1]
    flag = operation.stream.request_flag
    plain = [example for example in examples if not example.get(flag)]
    streaming = [example for example in examples if example.get(flag)]
    return [{**(plain or examples)[0], flag: False}, {**(streaming or examples)[0], flag: True}]


def _text(value: Any) -> str:
    """Return a value as text for a URL or a header."""
    return value if isinstance(value, str) else json.dumps(value)
