"""The API reference: a page with search and code samples, built from ``openapi.yaml``.

Redoc, from the folder ``vendor``, renders the page in the browser. The files load
nothing from other servers, so a folder with them is the complete reference. It can
be served by any web server, or opened locally.
"""

from __future__ import annotations

import copy
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from siteassist_spec.document import Document, Pointer
from siteassist_spec.operations import read_operations
from siteassist_spec.samples import code_samples
from siteassist_spec.transform import rebuild

__all__ = ["ORIGIN", "PAGE", "POLICY", "File", "StandIn", "build_reference"]

PAGE = "index.html"
"""The name of the page among the files."""

ORIGIN = "http://origin.invalid"
"""The placeholder for the origin of the files; the page replaces it by its own origin."""

# Redoc inserts its styles into the page at run time, and searches in a worker whose
# script is a blob.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:;"
    " worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The ``Content-Security-Policy`` of the page, which allows no requests to other origins."""

_BUNDLE = "redoc.standalone.js"
_SCHEMAS = "Schemas"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the reference. It is ``immutable`` if its name changes with its content."""

    content: bytes
    media_type: str
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class StandIn:
    """A server other than the service, such as a mock, with a reference for the same API.

    ``path`` is the path of the API on the server, and ``name`` is the name of the
    server. ``notice`` is an introduction for the reader, in Markdown. ``token`` is the
    bearer token in the samples.
    """

    path: str
    name: str
    notice: str
    token: str


def build_reference(
    spec: Mapping[str, Any], *, assets: str = "", stand_in: StandIn | None = None
) -> dict[str, File]:
    """Return the files of the reference by name, including `PAGE`.

    ``assets`` is the path of the other files relative to the page: empty for the same
    folder, or a folder with a trailing slash. With a ``stand_in``, the reference
    describes that server.

    Raises `LookupError` if an operation lacks the examples for its samples, and
    `SpecError` for a malformed description.
    """
    pin = json.loads(_vendored("redoc.json"))
    script = f"redoc-{pin['version']}-{pin['sha256'][_BUNDLE][:8]}.js"
    page = _text("page.html")
    # Inside a script element, the text must not contain its end tag.
    described = _annotated(Document(spec), stand_in)
    shown = json.dumps(described, ensure_ascii=False).replace("<", "\\u003c")
    title = spec["info"]["title"] if stand_in is None else stand_in.name
    for name, value in (
        ("title", html.escape(title)),
        ("assets", html.escape(assets)),
        ("redoc", script),
        ("origin", ORIGIN),
        ("spec", shown),
    ):
        page = page.replace(f"{{{{ {name} }}}}", value)
    return {
        PAGE: File(page.encode(), "text/html; charset=utf-8"),
        "reference.css": File(_text("reference.css").encode(), "text/css; charset=utf-8"),
        "reference.js": File(_text("reference.js").encode(), "text/javascript; charset=utf-8"),
        script: File(_vendored(_BUNDLE), "text/javascript; charset=utf-8", immutable=True),
        "redoc-LICENSE.txt": File(
            b"\n".join(
                _vendored(name)
                for name in ("LICENSE", f"{_BUNDLE}.LICENSE.txt", "worker.js.LICENSE.txt")
            ),
            "text/plain; charset=utf-8",
        ),
    }


def _annotated(document: Document, stand_in: StandIn | None) -> dict[str, Any]:
    """Return a copy of the description with the additions for the page.

    These are the facts of ``stand_in``, the code samples and the chapter on schemas.
    """

    def change(kind: str, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
        if kind == "Schema":
            return _name_payload(document, node)
        return node

    shown = copy.deepcopy(rebuild(document, change))
    base_url = token = None
    if stand_in is not None:
        base_url = f"{ORIGIN}{stand_in.path}"
        token = stand_in.token
        shown["info"]["title"] = stand_in.name
        shown["info"]["description"] = f"{stand_in.notice}\n\n{shown['info']['description']}"
        shown["servers"].insert(0, {"url": stand_in.path, "description": stand_in.name})
    samples = code_samples(document, base_url=base_url, token=token)
    for name, operation in read_operations(document).items():
        _, path, method = operation.pointer
        shown["paths"][path][method]["x-codeSamples"] = [
            {"lang": sample.lang, "label": sample.label, "source": sample.source}
            for sample in samples[name]
        ]
    chapter = _chapter(shown["components"]["schemas"])
    shown["tags"].append({"name": _SCHEMAS, "description": chapter})
    return shown


def _chapter(schemas: Mapping[str, Any]) -> str:
    """Return a chapter in Redoc's Markdown, with a section for every schema."""
    lines = []
    for name, schema in schemas.items():
        lines += [f"# {name}", ""]
        # Redoc shows the description of all other schemas itself.
        if schema.get("type") == "object" or "anyOf" in schema:
            lines += [schema["description"].strip(), ""]
        lines += [f'<SchemaDefinition schemaRef="#/components/schemas/{name}" />', ""]
    return "\n".join(lines)


def _name_payload(document: Document, schema: dict[str, Any]) -> dict[str, Any]:
    """Describe the content of a string in a sentence, since Redoc ignores ``contentSchema``."""
    name = document.component(schema.get("contentSchema", {}))
    if not name:
        return schema
    words = f"A [{name}](#tag/{_SCHEMAS}/{name}), written as JSON."
    return {**schema, "title": f"{name} as JSON", "description": words}


def _text(name: str) -> str:
    return files("siteassist_spec.reference").joinpath(name).read_text(encoding="utf-8")


def _vendored(name: str) -> bytes:
    return files("siteassist_spec.reference").joinpath("vendor", name).read_bytes()
