"""Write the reference of the generated client, and a program that calls all its methods.

``scripts/generate.py`` runs this script with the generated client first on the path:

    reference.py PAGE PROGRAM
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import attrs
from openapi_python_client.strings import PythonIdentifier, snake_case

import siteassist
import siteassist.errors
import siteassist.models
from siteassist_spec import Document, read_operations, read_websockets

DOCUMENT = Document.load()
OPERATIONS = read_operations(DOCUMENT)
SOCKETS = read_websockets(DOCUMENT)
OF_A_SOCKET = ("listen", "ask")
"""The methods that the client has for a WebSocket."""
COMMON = (
    "timeout",
    "idle_timeout",
    "max_retries",
    "extra_headers",
    "extra_query",
    "extra_body",
)
# The argument that refers to another method has a single value.
FIXED = "Literal[False]"
SECTION = re.compile(r"^(Args|Returns|Raises):$")
ENTRY = re.compile(r"^    (\S[^:]*): ?(.*)$")


class Method(NamedTuple):
    """A method of the client that calls an operation or listens to a socket."""

    name: str
    signature: inspect.Signature
    docstring: str


def methods(cls: type[object], tag: str) -> list[Method]:
    """Return the methods for the operations with a tag, in the order of the description."""
    found = []
    for operation in OPERATIONS.values():
        if operation.tag != tag:
            continue
        name = python_name(operation.operation_id)
        names = (name, *([f"{name}_stream"] if operation.stream else []))
        found += [method(cls, full) for full in names]
    if any(socket.tag == tag for socket in SOCKETS.values()):
        found += [method(cls, name) for name in OF_A_SOCKET]
    return found


def method(cls: type[object], name: str) -> Method:
    """Return a method of the client."""
    function = getattr(cls, name)
    return Method(name, inspect.signature(function), inspect.getdoc(function) or "")


def python_name(name: str) -> str:
    """Return the Python name that the generator derives from a name."""
    return str(PythonIdentifier(snake_case(name), ""))


def sections(docstring: str) -> dict[str, Any]:
    """Split a docstring into its text and its sections, such as ``Args``."""
    text: list[str] = []
    lists: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    last = ""
    for line in docstring.splitlines()[1:]:
        heading = SECTION.match(line)
        if heading:
            current = lists.setdefault(heading[1], {})
        elif line.startswith("    ") and current is not None:
            entry = None if line.startswith("        ") else ENTRY.match(line)
            if entry:
                last = entry[1]
                current[last] = entry[2]
            else:
                last = last if current else ""
                current[last] = f"{current.get(last, '')} {line.strip()}".strip()
        else:
            if line.strip():
                current = None
            text.append(line)
    return {"text": "\n".join(text).strip(), **lists}


def short(signature: inspect.Signature) -> str:
    """Format the parameters of the operation itself and the type of the result."""
    shown = [
        parameter
        for name, parameter in signature.parameters.items()
        if name not in (*COMMON, "self") and parameter.annotation != FIXED
    ]
    words = [
        f"{parameter.name}"
        if parameter.default is inspect.Parameter.empty
        # The list of arguments gives the default.
        else f"{parameter.name}=…"
        for parameter in shown
    ]
    return f"({', '.join(words)}) -> {signature.return_annotation}"


def page() -> str:
    """Return the reference page in Markdown."""
    lines = [
        "# Client reference",
        "",
        "`make generate` writes this page from `openapi.yaml`.",
        "[Use the Python client](../how-to/client.md) explains how to use the client. `SiteAssist`",
        "has the methods below, and `AsyncSiteAssist` has the same methods for asynchronous code.",
        "Every method also accepts `timeout`, `max_retries`, `extra_headers` and `extra_query`;",
        "methods that send a body accept `extra_body`, and methods that stream accept",
        "`idle_timeout`. An optional argument is shown as `name=…`.",
        "",
    ]
    for tag in DOCUMENT.raw["tags"]:
        lines += [f"## {tag['name']}", "", tag["description"], ""]
        for found in methods(siteassist.SiteAssist, tag["name"]):
            lines += described(found)
    lines += ["## Errors", ""]
    for name in siteassist.errors.__all__:
        cls = getattr(siteassist.errors, name)
        if isinstance(cls, type):
            text = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
            base = f" (subclass of `{cls.__bases__[0].__name__}`)"
            lines.append(f"- `{name}`{base}: {text}")
    lines += ["", "## Models", ""]
    for name in siteassist.models.__all__:
        lines += model(name)
    return "\n".join(lines).rstrip() + "\n"


def described(method: Method) -> list[str]:
    """Return the lines of the page about a method."""
    parts = sections(method.docstring)
    text, _, reference = parts["text"].rpartition("Reference: ")
    lines = [
        f"### `{method.name}`",
        "",
        method.docstring.splitlines()[0],
        "",
        "```text",
        f"client.{method.name}{short(method.signature)}",
        "```",
        "",
        text.strip(),
        "",
    ]
    arguments = {
        name: said
        for name, said in parts["Args"].items()
        if name not in COMMON and method.signature.parameters[name].annotation != FIXED
    }
    if arguments:
        lines += [f"- `{name}`: {said}" for name, said in arguments.items()]
        lines.append("")
    errors = [name for name in parts["Raises"] if name in siteassist.errors.__all__]
    lines += [
        f"Reference: {reference}",
        "",
        f"Raises: {', '.join(f'`{name}`' for name in errors)}.",
        "",
    ]
    return lines


def model(name: str) -> list[str]:
    """Return the lines of the page about a model."""
    cls = getattr(siteassist.models, name)
    text = " ".join((inspect.getdoc(cls) or "").partition("Reference:")[0].split())
    lines = [f"### `{name}`", "", text, ""]
    if attrs.has(cls):
        schemas = DOCUMENT.raw["components"]["schemas"]
        fields = schemas.get(name, {}).get("properties", {})
        by_python = {python_name(wire): wire for wire in fields}
        for field in attrs.fields(cls):
            wire = by_python.get(field.name)
            if wire is not None:
                said = " ".join(fields[wire].get("description", "").split())
                lines.append(f"- `{field.name}`: `{field.type}`. {said}".rstrip())
    else:
        lines.append(f"One of {', '.join(f'`{member.value}`' for member in cls)}.")
    return [*lines, ""]


def value(annotation: str, name: str) -> str:
    """Return an expression whose value has the annotated type."""
    literal = re.search(r"""Literal\[\s*[\"']([^\"']+)""", annotation)
    if literal:
        return f'"{literal[1]}"'
    for part, expression in (
        (FIXED, "False"),
        ("UUID", "UUID(int=1)"),
        ("Sequence", "[{}]"),
        ("Mapping", "{}"),
        ("str", f'"{name}"'),
        ("int", "1"),
        ("float", "1.0"),
        ("bool", "False"),
    ):
        if part in annotation:
            return expression
    raise SystemExit(f"no example value for the argument {name} of type {annotation}")


def program() -> str:
    """Return a program that calls every method with every argument and asserts each result type."""
    bodies = []
    used: set[str] = set()
    for cls, awaited in ((siteassist.SiteAssist, False), (siteassist.AsyncSiteAssist, True)):
        lines = []
        for tag in DOCUMENT.raw["tags"]:
            for found in methods(cls, tag["name"]):
                result = str(found.signature.return_annotation)
                used |= set(re.findall(r"[A-Z]\w+", result))
                arguments = [
                    value(str(parameter.annotation), name)
                    if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
                    else f"{name}={value(str(parameter.annotation), name)}"
                    for name, parameter in found.signature.parameters.items()
                    if name != "self"
                ]
                wait = "await " if inspect.iscoroutinefunction(getattr(cls, found.name)) else ""
                call = f"{wait}client.{found.name}({', '.join(arguments)})"
                if result == "None":
                    # Type checkers reject using the result of a function that returns None.
                    lines += [f"    {call}", "    results.append(None)"]
                else:
                    lines.append(f"    results.append(assert_type({call}, {quoted(result)}))")
        start = "async def awaited" if awaited else "def blocking"
        bodies.append(
            f"{start}(client: {cls.__name__}) -> list[object]:\n"
            f'    """Call every method of `{cls.__name__}`, and return the results."""\n'
            "    results: list[object] = []\n" + "\n".join(lines) + "\n    return results\n"
        )
    iterators = {"AsyncListener", "AsyncPages", "AsyncStream", "Listener", "Pages", "Stream"}
    ours = sorted(used & {*iterators, "QueuedNotice"})
    aliases = sorted(used & {"AnswerEvent", "AnswerPart", "SocketEvent"})
    models = sorted(used & set(siteassist.models.__all__))
    return "\n".join(
        [
            '"""Calls to every method of the client. Generated by `make generate`; do not edit."""',
            "",
            "from __future__ import annotations",
            "",
            "from typing import TYPE_CHECKING, assert_type",
            "from uuid import UUID",
            "",
            "if TYPE_CHECKING:",
            f"    from siteassist import {', '.join(['AsyncSiteAssist', *ours, 'SiteAssist'])}",
            f"    from siteassist.client import {', '.join(aliases)}",
            f"    from siteassist.models import {', '.join(models)}",
            "",
            "",
            "\n\n".join(bodies),
        ]
    )


def quoted(result: str) -> str:
    """Quote a type, so that only type checkers evaluate it."""
    return f'"{result}"'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    Path(sys.argv[2]).write_text(program(), encoding="utf-8")
