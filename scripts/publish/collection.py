"""A collection in Postman's format 2.1, which Postman, Bruno and other tools read.

The order of the requests allows the collection to be run as a whole. Each request stores
the values that later requests need in variables. The links in the description define
these values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from siteassist_spec import JSON, Document, Operation, Parameter, read_operations, server_url

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

ENDING = frozenset({"closeConversation"})
"""Operations, other than a DELETE, after which other operations reject the same object.

No link expresses this, so these operations are moved to the end of the collection.
"""

_DESCRIPTION = """\

Set the variable `apiKey` to a publishable key, `deviceId` to any text that identifies your \
device, and `baseUrl` if you use another server. Then run the collection, or its requests from the \
top: each request stores the values that later ones need (`sessionToken`, `conversationId`, …) in \
variables.\
"""
_TOKEN = "sessionToken"
# The variable for each `x-credential` whose value the caller chooses.
_VARIABLES = {"publishableKey": "apiKey", "deviceId": "deviceId"}


def as_collection(document: Document) -> dict[str, Any]:
    """Return the collection of all operations, without credentials.

    Raises `LookupError` if an operation needs an identifier that no link provides, or if
    its body or a required parameter has no example.
    """
    kept: set[str] = set()
    items = [
        item
        for operation in in_order(read_operations(document).values())
        for item in _items(operation, already_kept=kept)
    ]
    info = document.raw["info"]
    variables = {
        "baseUrl": server_url(document),
        **dict.fromkeys(_VARIABLES.values(), ""),
        **dict.fromkeys(sorted(kept), ""),
    }
    return {
        "info": {
            "name": info["title"],
            "description": info["description"] + _DESCRIPTION,
            "version": info["version"],
            "schema": _SCHEMA,
        },
        "item": items,
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": f"{{{{{_TOKEN}}}}}", "type": "string"}],
        },
        "variable": [
            {"key": key, "value": value, "type": "string"} for key, value in variables.items()
        ],
    }


def in_order(operations: Iterable[Operation]) -> list[Operation]:
    """Return the operations in an order in which they can be called one after the other.

    An operation comes after those that return the token and the identifiers it needs.
    Among the operations that can be called, those that create or change objects come
    first, because an empty list provides no identifiers. A DELETE and the operations in
    `ENDING` come last.

    Raises `LookupError` if no other operation provides the values an operation needs.
    """
    waiting = sorted(operations, key=_stage)
    ordered: list[Operation] = []
    known: set[str] = set()
    while waiting:
        ready = next((item for item in waiting if _needs(item) <= known), None)
        if ready is None:
            problem = "; ".join(
                f"no link provides {', '.join(sorted(_needs(item) - known))} "
                f"for {item.operation_id}"
                for item in waiting
            )
            raise LookupError(f"the collection cannot be run: {problem}")
        waiting.remove(ready)
        ordered.append(ready)
        known |= set(_keeps(ready))
    return ordered


def _stage(operation: Operation) -> int:
    if operation.method == "DELETE":
        return 3
    if operation.operation_id in ENDING:
        return 2
    return 1 if operation.method == "GET" else 0


def _needs(operation: Operation) -> set[str]:
    """Return the names of the variables that earlier operations must set for an operation."""
    needs = {parameter.name for parameter in operation.places("path")}
    needs -= set(_variables(operation))
    return needs | {_TOKEN} if operation.needs_token else needs


def _variables(operation: Operation) -> dict[str, str]:
    """Return the variables that the user of the collection sets, by name in the request."""
    return {
        name: f"{{{{{_VARIABLES[role]}}}}}"
        for name, role in operation.credentials.items()
        if role in _VARIABLES
    }


def _keeps(operation: Operation) -> dict[str, str]:
    """Return the JSON pointers of the values to store from the response, by variable name."""
    keeps: dict[str, str] = {}
    # Links provide values for parameters, and a bearer token is not a parameter.
    if operation.session_token is not None:
        keeps[_TOKEN] = f"/{operation.session_token}"
    for response in operation.successes:
        keeps |= {
            name: expression.partition("#")[2]
            for link in response.links.values()
            for name, expression in link.get("parameters", {}).items()
            if str(expression).startswith("$response.body#")
        }
    return keeps


def _items(operation: Operation, already_kept: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the request of an operation, and a second one for its stream if it has one."""
    # The first value of a variable is kept: a later list contains the same conversation, or
    # an older one.
    keeps = {
        name: pointer for name, pointer in _keeps(operation).items() if name not in already_kept
    }
    already_kept |= set(keeps)
    body = _body(operation)
    stream = operation.stream
    for streams in (False, True) if stream else (False,):
        sent = {**body, stream.request_flag: streams} if stream and body is not None else body
        test = _status(operation)
        if streams and stream:
            test += _complete(stream.terminator)
        else:
            test += [line for name, pointer in keeps.items() for line in _keep(name, pointer)]
        yield {
            "name": operation.summary + (", as a stream" if streams else ""),
            "request": _request(operation, sent),
            "response": [],
            "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": test}}],
        }


def _body(operation: Operation) -> dict[str, Any] | None:
    if operation.body is None:
        return None
    for value in operation.body.examples.values():
        variables = _variables(operation)
        return {name: variables.get(name, given) for name, given in value.items()}
    if operation.body.required:
        raise LookupError(f"the body of {operation.operation_id} has no example")
    return None


def _request(operation: Operation, body: Mapping[str, Any] | None) -> dict[str, Any]:
    query = _rows(operation, operation.places("query"))
    steps = [
        f":{step[1:-1]}" if step.startswith("{") else step for step in operation.path.split("/")[1:]
    ]
    sent = "&".join(f"{row['key']}={row['value']}" for row in query if "disabled" not in row)
    url: dict[str, Any] = {
        "raw": "/".join(["{{baseUrl}}", *steps]) + (f"?{sent}" if sent else ""),
        "host": ["{{baseUrl}}"],
        "path": steps,
    }
    if query:
        url["query"] = query
    if operation.places("path"):
        url["variable"] = [
            {
                "key": parameter.name,
                "value": _variables(operation).get(parameter.name, f"{{{{{parameter.name}}}}}"),
                "description": parameter.description,
            }
            for parameter in operation.places("path")
        ]
    request: dict[str, Any] = {
        "method": operation.method,
        "header": _rows(operation, operation.places("header")),
        "url": url,
        "description": operation.description,
    }
    if not operation.needs_token:
        request["auth"] = {"type": "noauth"}
    if body is not None:
        request["header"].append({"key": "Content-Type", "value": JSON})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(body, indent=2, ensure_ascii=False),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _rows(operation: Operation, parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    """Return the rows of parameters in the query or in headers; optional rows are disabled."""
    return [
        {
            "key": parameter.name,
            "value": value,
            "description": parameter.description,
            **({} if parameter.required else {"disabled": True}),
        }
        for parameter in parameters
        for value in _arguments(operation, parameter)
    ]


def _arguments(operation: Operation, parameter: Parameter) -> Iterator[str]:
    """Yield the value of a parameter, or nothing if an optional parameter has no example."""
    variable = _variables(operation).get(parameter.name)
    if variable is not None:
        yield variable
    elif parameter.examples:
        value = next(iter(parameter.examples.values()))
        yield value if isinstance(value, str) else json.dumps(value)
    elif parameter.required:
        name = operation.operation_id
        raise LookupError(f"the parameter {parameter.name} of {name} has no example")


def _status(operation: Operation) -> list[str]:
    codes = [str(response.status) for response in operation.successes]
    return [
        f'pm.test("The status is {" or ".join(codes)}", () => {{',
        f"  pm.expect(pm.response.code).to.be.oneOf([{', '.join(codes)}]);",
        "});",
    ]


def _complete(terminator: str) -> list[str]:
    return [
        'pm.test("The stream is complete", () => {',
        f"  pm.expect(pm.response.text()).to.include({json.dumps(f'data: {terminator}')});",
        "});",
    ]


def _keep(name: str, pointer: str) -> list[str]:
    steps = pointer.split("/")[1:]
    place = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)
    return [
        f'pm.test("The response contains {name}", () => {{',
        f"  const value = pm.response.json(){place};",
        '  pm.expect(value).to.be.a("string");',
        f'  pm.collectionVariables.set("{name}", value);',
        "});",
    ]
