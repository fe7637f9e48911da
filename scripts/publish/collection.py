"""A collection for Postman, Bruno and others that read Postman's format, version 2.1.

The requests are in the order of a visitor's journey, and each hands on what later
ones need, so that the collection can be run as a whole: what an identifier comes
from is said by the links in the description.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from siteassist_spec.reference.samples import METHODS, resolve

__all__ = ["JOURNEY", "as_collection"]

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

JOURNEY = (
    *("init", "getMe", "getProject", "startConversation", "sendMessage", "getMessages"),
    *("sendMessageFeedback", "getConversation", "getConversations", "closeConversation"),
    *("createChatCompletion", "getQnas", "getQna", "search"),
)
"""All operations, each after those that it needs something of."""

_DESCRIPTION = """\

Set the variable `apiKey` to a publishable key, `baseUrl` to the server if it is another one, and \
`deviceId` to a text of your own. Then run the collection, or its requests from the top: each \
keeps what the later ones need (`sessionToken`, `conversationId`, …) in variables.\
"""
# What of the examples is the caller's own.
_VARIABLES = {"apiKey": "apiKey", "saVid": "deviceId"}
# The links cannot say this one: a bearer is no parameter.
_CREDENTIAL = {"init": {"sessionToken": "/sessionToken"}}
_JSON = "application/json"
_STREAM = "text/event-stream"


def as_collection(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the collection of all operations of ``spec``, without any credential.

    Raises `LookupError` if `JOURNEY` is not all operations, or one of them has no
    example of its body.
    """
    operations = {
        operation["operationId"]: (path, method, operation)
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }
    if different := set(JOURNEY) ^ set(operations):
        raise LookupError(f"not in both, openapi.yaml and the journey: {sorted(different)}")
    kept: set[str] = set()
    items = [
        item for name in JOURNEY for item in _items(spec, *operations[name], already_kept=kept)
    ]
    info = spec["info"]
    variables = {
        "baseUrl": spec["servers"][0]["url"],
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
            "bearer": [{"key": "token", "value": "{{sessionToken}}", "type": "string"}],
        },
        "variable": [
            {"key": key, "value": value, "type": "string"} for key, value in variables.items()
        ],
    }


def _items(
    spec: Mapping[str, Any],
    path: str,
    method: str,
    operation: Mapping[str, Any],
    already_kept: set[str],
) -> Iterator[dict[str, Any]]:
    """Yield the request of an operation, and one that asks for a stream where it can."""
    successes = {
        status: resolve(spec, response)
        for status, response in operation["responses"].items()
        if status.startswith("2")
    }
    flag = next(
        (
            response["x-event-stream"]["requestFlag"]
            for response in successes.values()
            if "x-event-stream" in response
        ),
        None,
    )
    keeps = dict(_CREDENTIAL.get(operation["operationId"], {}))
    for response in successes.values():
        keeps |= _linked(spec, response)
    # The first one counts: a list has the same conversation, or an older one.
    keeps = {name: keeps[name] for name in keeps if name not in already_kept}
    already_kept |= set(keeps)
    body = _body(spec, operation)
    for streams in (False, True) if flag else (False,):
        sent = {**body, flag: streams} if flag and body is not None else body
        test = _status(successes)
        if streams:
            test += _complete(successes)
        else:
            test += [line for name, pointer in keeps.items() for line in _keep(name, pointer)]
        yield {
            "name": operation["summary"] + (", as a stream" if streams else ""),
            "request": _request(spec, path, method, operation, sent),
            "response": [],
            "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": test}}],
        }


def _linked(spec: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, str]:
    """Return where in the answer parameters of other operations are, by their names."""
    return {
        name: expression.partition("#")[2]
        for link in response.get("links", {}).values()
        for name, expression in resolve(spec, link).get("parameters", {}).items()
        if expression.startswith("$response.body#")
    }


def _body(spec: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    examples = operation["requestBody"]["content"][_JSON].get("examples", {}).values()
    for example in examples:
        value = resolve(spec, example)["value"]
        return {
            name: f"{{{{{_VARIABLES[name]}}}}}" if name in _VARIABLES else given
            for name, given in value.items()
        }
    raise LookupError(f"the body of {operation['operationId']} has no example")


def _request(
    spec: Mapping[str, Any],
    path: str,
    method: str,
    operation: Mapping[str, Any],
    body: Mapping[str, Any] | None,
) -> dict[str, Any]:
    parameters = [resolve(spec, parameter) for parameter in operation.get("parameters", ())]
    query = [
        {
            "key": parameter["name"],
            "value": _argument(spec, parameter),
            "description": parameter["description"],
            **({} if parameter.get("required") else {"disabled": True}),
        }
        for parameter in parameters
        if parameter["in"] == "query"
    ]
    steps = [f":{step[1:-1]}" if step.startswith("{") else step for step in path.split("/")[1:]]
    sent = "&".join(f"{row['key']}={row['value']}" for row in query if "disabled" not in row)
    url: dict[str, Any] = {
        "raw": "/".join(["{{baseUrl}}", *steps]) + (f"?{sent}" if sent else ""),
        "host": ["{{baseUrl}}"],
        "path": steps,
    }
    if query:
        url["query"] = query
    if any(parameter["in"] == "path" for parameter in parameters):
        url["variable"] = [
            {
                "key": parameter["name"],
                "value": f"{{{{{parameter['name']}}}}}",
                "description": parameter["description"],
            }
            for parameter in parameters
            if parameter["in"] == "path"
        ]
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [],
        "url": url,
        "description": operation["description"],
    }
    if not operation.get("security", spec.get("security")):
        request["auth"] = {"type": "noauth"}
    if body is not None:
        request["header"].append({"key": "Content-Type", "value": _JSON})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(body, indent=2, ensure_ascii=False),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _argument(spec: Mapping[str, Any], parameter: Mapping[str, Any]) -> str:
    name = parameter["name"]
    if name in _VARIABLES:
        return f"{{{{{_VARIABLES[name]}}}}}"
    example = next(iter(parameter.get("examples", {}).values()))
    return str(resolve(spec, example)["value"])


def _status(successes: Mapping[str, Any]) -> list[str]:
    codes = ", ".join(successes)
    return [
        f'pm.test("The status is {" or ".join(successes)}", () => {{',
        f"  pm.expect(pm.response.code).to.be.oneOf([{codes}]);",
        "});",
    ]


def _complete(successes: Mapping[str, Any]) -> list[str]:
    terminator = json.dumps(
        next(
            f"data: {response['x-event-stream']['terminator']}"
            for response in successes.values()
            if "x-event-stream" in response
        )
    )
    return [
        'pm.test("The stream is complete", () => {',
        f"  pm.expect(pm.response.text()).to.include({terminator});",
        "});",
    ]


def _keep(name: str, pointer: str) -> list[str]:
    steps = pointer.split("/")[1:]
    place = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)
    return [
        f'pm.test("It keeps {name}", () => {{',
        f"  const value = pm.response.json(){place};",
        '  pm.expect(value).to.be.a("string");',
        f'  pm.collectionVariables.set("{name}", value);',
        "});",
    ]
