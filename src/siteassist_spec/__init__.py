"""The only reader of ``openapi.yaml``, which all other packages use.

`Document` loads the description and follows references, `read_operations` derives the
facts of each operation, and `siteassist_spec.schemas` compiles validators. All commands
print through `siteassist_spec.output`, which is here because every package may import this one.
"""

from __future__ import annotations

from siteassist_spec.document import SPEC_PATH, Document, Json, Pointer, SpecError, load_spec
from siteassist_spec.operations import (
    EVENT_STREAM,
    JSON,
    METHODS,
    Body,
    EventStream,
    Media,
    Missed,
    Operation,
    Paging,
    Parameter,
    Response,
    WebSocket,
    base_path,
    event_schema,
    read_operations,
    read_websockets,
    server_url,
)
from siteassist_spec.unions import Union, read_union

__all__ = [
    "EVENT_STREAM",
    "JSON",
    "METHODS",
    "SPEC_PATH",
    "Body",
    "Document",
    "EventStream",
    "Json",
    "Media",
    "Missed",
    "Operation",
    "Paging",
    "Parameter",
    "Pointer",
    "Response",
    "SpecError",
    "Union",
    "WebSocket",
    "base_path",
    "event_schema",
    "load_spec",
    "read_operations",
    "read_union",
    "read_websockets",
    "server_url",
]
