"""Requests as Python code: programs that use the generated client, and calls of httpx."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping

from siteassist_spec.samples.literals import PYTHON, WIDTH, Style, literal
from siteassist_spec.samples.request import HttpRequest, Request


def call(client: str, request: HttpRequest, *, style: Style = PYTHON) -> str:
    """Return the call of httpx that sends a request.

    ``client`` is an expression for an `httpx.Client`. The ``text`` of ``style`` writes
    strings; to get a call with variables, use a function that replaces strings by variables.
    """
    headers = dict(request.headers)
    arguments = [literal(request.method, PYTHON), literal(request.url, style)]
    if request.is_json:
        # httpx sets this header itself.
        del headers["Content-Type"]
        arguments.append(f"json={literal(request.json, style, 1)}")
    elif request.content is not None:
        arguments.append(f"content={literal(request.content, style)}")
    if headers:
        arguments.append(f"headers={literal(headers, style, 1)}")
    return _call(f"{client}.request", arguments, 0, "")


def program(request: Request, *, named_url: bool = False) -> str:
    """Return the sample for a request.

    With ``named_url``, the sample sets the base URL, since it is not the client's default.

    Raises `LookupError` if the body is not an object, which the client cannot send.
    """
    operation = request.operation
    if request.body is not None and not isinstance(request.body, Mapping):
        raise LookupError(f"the example body of {operation.operation_id} must be an object")
    settings = []
    if request.token is not None:
        settings.append(f"token={literal(request.token, PYTHON)}")
    if named_url:
        settings.append(f"base_url={literal(request.base_url, PYTHON)}")
    arguments = [literal(value, PYTHON, 2) for value in request.in_path.values()]
    named = {**(request.body or {}), **request.query, **request.in_header}
    if operation.stream is not None:
        named.pop(operation.stream.request_flag, None)
    arguments += [
        f"{python_name(name)}={literal(value, PYTHON, 2)}" for name, value in named.items()
    ]
    name = python_name(operation.operation_id)
    if request.streams:
        body = [
            _call(f"    with client.{name}_stream", arguments, 1, " as stream:"),
            "        for piece in stream.text_deltas():",
            '            print(piece, end="", flush=True)',
        ]
    elif operation.paging is not None:
        body = [
            _call(f"    for item in client.{name}", arguments, 1, ":"),
            "        print(item)",
        ]
    elif request.content is None:
        body = [_call(f"    client.{name}", arguments, 1, "")]
    else:
        body = [_call(f"    result = client.{name}", arguments, 1, ""), "    print(result)"]
    opening = _call("with SiteAssist", settings, 0, " as client:")
    return "\n".join(["from siteassist import SiteAssist", "", opening, *body]) + "\n"


def python_name(name: str) -> str:
    """Return the Python name that the generator gives an operation or a parameter."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-z]+", "_", name).strip("_").lower()
    return f"{words}_" if keyword.iskeyword(words) else words


def _call(start: str, arguments: list[str], depth: int, end: str) -> str:
    """Return a call on one line if it fits, else with each argument on its own line."""
    line = f"{start}({', '.join(arguments)}){end}"
    if not arguments or (len(line) <= WIDTH and "\n" not in line):
        return line
    inner = "    " * (depth + 1)
    rows = "".join(f"{inner}{argument},\n" for argument in arguments)
    return f"{start}(\n{rows}{'    ' * depth}){end}"
