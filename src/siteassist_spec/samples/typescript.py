"""Requests as TypeScript programs, which need only ``fetch``."""

from __future__ import annotations

from siteassist_spec.samples.literals import SCRIPT, Style, literal
from siteassist_spec.samples.request import HttpRequest, Request


def call(request: HttpRequest, *, style: Style = SCRIPT) -> list[str]:
    """Return the lines that send a request and throw an error for an error status.

    The ``text`` of ``style`` writes strings.
    """
    options = []
    if request.method != "GET":
        options.append(f"method: {literal(request.method, SCRIPT)}")
    if request.headers:
        options.append(f"headers: {literal(dict(request.headers), style, 1)}")
    if request.is_json:
        options.append(f"body: JSON.stringify({literal(request.json, style, 1)})")
    elif request.content is not None:
        options.append(f"body: {literal(request.content, style)}")
    rows = [f"  {option}," for option in options]
    sent = "\n".join(["fetch(url, {", *rows, "})"]) if rows else "fetch(url)"
    return [
        f"const url = {literal(request.url, style)};",
        f"const response = await {sent};",
        "if (!response.ok) {",
        "  throw new Error(`${response.status}: ${await response.text()}`);",
        "}",
    ]


def program(request: Request) -> str:
    """Return the sample for a request."""
    if request.streams:
        reading = [
            "const text = response.body?.pipeThrough(new TextDecoderStream());",
            "for await (const piece of text ?? []) {",
            "  console.log(piece);",
            "}",
        ]
    elif request.content is None:
        reading = ["console.log(response.status);"]
    else:
        reading = [f"console.log(await response.{request.content}());"]
    return "\n".join([*call(request.http), *reading]) + "\n"
