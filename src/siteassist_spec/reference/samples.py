"""Code samples for every operation, each made from the examples in ``openapi.yaml``.

Nothing is written by hand for an operation: its parameters and its body are
those of the examples, its Python name follows from its ``operationId``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

__all__ = ["METHODS", "Sample", "code_samples", "resolve"]

METHODS = ("get", "put", "post", "delete", "patch")
"""The keys of a path item that are operations."""

# What fits beside the text of a page that is 1400 pixels wide.
_WIDTH = 60
_STREAM = "text/event-stream"
_JSON = "application/json"
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Sample:
    """One program; ``lang`` is for the colours, ``label`` for the reader."""

    lang: str
    label: str
    source: str


@dataclass(frozen=True, slots=True)
class _Request:
    """What one sample asks for, in no language yet.

    ``flag`` is the property of the body that asks for a stream, and ``listing``
    whether the answer is one page of many.
    """

    operation_id: str
    method: str
    path: str
    base_url: str
    is_default: bool
    token: str | None
    in_path: Mapping[str, Any]
    query: Mapping[str, Any]
    body: Mapping[str, Any] | None
    flag: str | None
    listing: bool
    json: bool

    @property
    def streams(self) -> bool:
        return bool(self.flag and self.body and self.body.get(self.flag))

    @property
    def url(self) -> str:
        path = self.path
        for name, value in self.in_path.items():
            path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
        query = urlencode({name: _text(value) for name, value in self.query.items()})
        return f"{self.base_url}{path}{'?' if query else ''}{query}"

    @property
    def headers(self) -> dict[str, str]:
        found = {}
        if self.token is not None:
            found["Authorization"] = f"Bearer {self.token}"
        if self.body is not None:
            found["Content-Type"] = _JSON
        return found


def code_samples(
    spec: Mapping[str, Any],
    path: str,
    method: str,
    *,
    base_url: str | None = None,
    token: str | None = None,
) -> list[Sample]:
    """Return the samples of one operation: Python, curl and TypeScript, then its streams.

    ``method`` is a key of the path item, such as ``get``. ``base_url`` is where
    the samples send their requests, by default the first of ``servers``;
    ``token`` is the bearer of operations that need one, by default that of the
    example of a session.

    Raises `LookupError` if a required parameter or a body has no example, or if
    there is none of a session.
    """
    operation = spec["paths"][path][method]
    default_url = spec["servers"][0]["url"]
    flag = _flag(spec, operation)
    needs_token = bool(operation.get("security", spec.get("security")))
    names = {parameter["name"] for parameter in _parameters(spec, operation)}
    return [
        sample
        for body in _bodies(spec, operation, flag)
        for sample in _render(
            _Request(
                operation_id=operation["operationId"],
                method=method.upper(),
                path=path,
                base_url=base_url or default_url,
                is_default=base_url in {None, default_url},
                token=(token or _example_token(spec)) if needs_token else None,
                in_path=_arguments(spec, operation, "path"),
                query=_arguments(spec, operation, "query"),
                body=body,
                flag=flag,
                # As the client tells: what is read by page has an offset and some data.
                listing=method == "get" and "offset" in names,
                json=_answers_json(spec, operation),
            )
        )
    ]


def resolve(spec: Mapping[str, Any], node: Any) -> Any:
    """Return ``node``, or what its ``$ref`` refers to within ``spec``."""
    while "$ref" in node:
        target: Any = spec
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _parameters(spec: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Any]:
    for parameter in operation.get("parameters", ()):
        yield resolve(spec, parameter)


def _arguments(spec: Mapping[str, Any], operation: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the examples of the parameters in ``place``, but those that are the default."""
    found = {}
    for parameter in _parameters(spec, operation):
        if parameter["in"] != place:
            continue
        examples = _examples(spec, parameter)
        name = parameter["name"]
        if examples:
            default = resolve(spec, parameter["schema"]).get("default")
            if parameter.get("required") or examples[0] != default:
                found[name] = examples[0]
        elif parameter.get("required"):
            raise LookupError(f"the parameter {name} of {operation['operationId']} has no example")
    return found


def _bodies(spec: Mapping[str, Any], operation: Mapping[str, Any], flag: str | None) -> list[Any]:
    """Return an example of the body, and where there is a choice one that asks for a stream."""
    if "requestBody" not in operation:
        return [None]
    examples = _examples(spec, operation["requestBody"]["content"][_JSON])
    if not examples:
        raise LookupError(f"the body of {operation['operationId']} has no example")
    if flag is None:
        return examples[:1]
    plain = [example for example in examples if not example.get(flag)]
    streaming = [example for example in examples if example.get(flag)]
    return [{**(plain or examples)[0], flag: False}, {**(streaming or examples)[0], flag: True}]


def _examples(spec: Mapping[str, Any], node: Mapping[str, Any]) -> list[Any]:
    return [resolve(spec, example)["value"] for example in node.get("examples", {}).values()]


def _successes(spec: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Any]:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield resolve(spec, response)


def _flag(spec: Mapping[str, Any], operation: Mapping[str, Any]) -> str | None:
    for response in _successes(spec, operation):
        if "x-event-stream" in response:
            flag: str = response["x-event-stream"]["requestFlag"]
            return flag
    return None


def _answers_json(spec: Mapping[str, Any], operation: Mapping[str, Any]) -> bool:
    return all(
        media_type in {_JSON, _STREAM}
        for response in _successes(spec, operation)
        for media_type in response.get("content", {})
    )


def _example_token(spec: Mapping[str, Any]) -> str:
    for example in spec["components"].get("examples", {}).values():
        value = example.get("value")
        if isinstance(value, dict) and isinstance(value.get("sessionToken"), str):
            token: str = value["sessionToken"]
            return token
    raise LookupError("there is no example of a session token")


def _render(request: _Request) -> list[Sample]:
    suffix = " stream" if request.streams else ""
    return [
        Sample("Python", f"Python{suffix}", _python(request)),
        Sample("Shell", f"curl{suffix}", _curl(request)),
        # The colours of TypeScript are not among those that the page knows.
        Sample("JavaScript", f"TypeScript{suffix}", _typescript(request)),
    ]


def _python(request: _Request) -> str:
    settings = []
    if request.token is not None:
        settings.append(f"token={_literal(request.token, _PYTHON)}")
    if not request.is_default:
        settings.append(f"base_url={_literal(request.base_url, _PYTHON)}")
    arguments = [_literal(value, _PYTHON, 2) for value in request.in_path.values()]
    named = {**(request.body or {}), **request.query}
    if request.flag is not None:
        named.pop(request.flag, None)
    arguments += [f"{_snake(name)}={_literal(value, _PYTHON, 2)}" for name, value in named.items()]
    name = _snake(request.operation_id)
    opening = _call("with SiteAssist", settings, 0, " as client:")
    if request.streams:
        body = [
            _call(f"    with client.{name}_stream", arguments, 1, " as stream:"),
            "        for piece in stream.text_deltas():",
            '            print(piece, end="", flush=True)',
        ]
    elif request.listing:
        body = [
            _call(f"    for item in client.{name}", arguments, 1, ":"),
            "        print(item)",
        ]
    else:
        body = [_call(f"    result = client.{name}", arguments, 1, ""), "    print(result)"]
    return "\n".join(["from siteassist import SiteAssist", "", opening, *body]) + "\n"


def _call(start: str, arguments: list[str], depth: int, end: str) -> str:
    """Return a call in one line if it fits, else with one argument in each line."""
    line = f"{start}({', '.join(arguments)}){end}"
    if not arguments or (len(line) <= _WIDTH and "\n" not in line):
        return line
    inner = "    " * (depth + 1)
    rows = "".join(f"{inner}{argument},\n" for argument in arguments)
    return f"{start}(\n{rows}{'    ' * depth}){end}"


def _curl(request: _Request) -> str:
    lines = [f"curl {'--no-buffer ' if request.streams else ''}{shlex.quote(request.url)}"]
    implied = "GET" if request.body is None else "POST"
    if request.method != implied:
        lines.append(f"--request {request.method}")
    lines += [
        f"--header {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()
    ]
    if request.body is not None:
        body = json.dumps(request.body, indent=2, ensure_ascii=False)
        lines.append(f"--data {shlex.quote(body)}")
    return " \\\n  ".join(lines) + "\n"


def _typescript(request: _Request) -> str:
    options = []
    if request.method != "GET":
        options.append(f"method: {_literal(request.method, _SCRIPT)}")
    if request.headers:
        options.append(f"headers: {_literal(request.headers, _SCRIPT, 1)}")
    if request.body is not None:
        options.append(f"body: JSON.stringify({_literal(request.body, _SCRIPT, 1)})")
    rows = "".join(f"  {option},\n" for option in options)
    call = f"fetch(url, {{\n{rows}}})" if rows else "fetch(url)"
    if request.streams:
        reading = [
            "const text = response.body?.pipeThrough(new TextDecoderStream());",
            "for await (const piece of text ?? []) {",
            "  console.log(piece);",
            "}",
        ]
    else:
        reading = [f"console.log(await response.{'json' if request.json else 'text'}());"]
    failing = "  throw new Error(`${response.status}: ${await response.text()}`);"
    head = [
        f"const url = {_literal(request.url, _SCRIPT)};",
        f"const response = await {call};",
        "if (!response.ok) {",
        failing,
        "}",
    ]
    return "\n".join([*head, *reading]) + "\n"


@dataclass(frozen=True, slots=True)
class _Style:
    """How a language writes values."""

    words: Mapping[Any, str]
    indent: str
    bare_keys: bool
    # Between the braces of an object that stands in one line.
    space: str


_PYTHON = _Style({None: "None", True: "True", False: "False"}, "    ", bare_keys=False, space="")
_SCRIPT = _Style({None: "null", True: "true", False: "false"}, "  ", bare_keys=True, space=" ")


def _literal(value: Any, style: _Style, depth: int = 0) -> str:
    """Write ``value``, in one line if it is short; ``depth`` is that of its first line."""
    if value is None or isinstance(value, bool):
        return style.words[value]
    if not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    rows = _rows(value, style, depth + 1)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    space = style.space if isinstance(value, dict) else ""
    line = f"{opening}{space}{', '.join(rows)}{space}{closing}"
    if not rows:
        return f"{opening}{closing}"
    # The name in front of it takes some room, too.
    if "\n" not in line and len(line) + len(style.indent) * depth <= _WIDTH - 12:
        return line
    inner = style.indent * (depth + 1)
    return "".join(
        [f"{opening}\n", *(f"{inner}{row},\n" for row in rows), style.indent * depth, closing]
    )


def _rows(value: dict[str, Any] | list[Any], style: _Style, depth: int) -> list[str]:
    if isinstance(value, list):
        return [_literal(item, style, depth) for item in value]
    return [f"{_key(name, style)}: {_literal(item, style, depth)}" for name, item in value.items()]


def _key(name: str, style: _Style) -> str:
    return name if style.bare_keys and _IDENTIFIER.fullmatch(name) else json.dumps(name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _text(value: Any) -> str:
    """Write a value as it stands in an address."""
    return value if isinstance(value, str) else json.dumps(value)
