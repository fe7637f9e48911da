"""The description without the handshakes of WebSockets.

It is for tools that take every operation for a request with a response.
"""

from __future__ import annotations

import copy
from typing import Any

from siteassist_spec.document import Document
from siteassist_spec.operations import METHODS


def rest_only(document: Document) -> dict[str, Any]:
    """Return a copy of the description without the operations that open a WebSocket.

    The components are kept, so that the messages can be generated.
    """
    raw: dict[str, Any] = copy.deepcopy(dict(document.raw))
    for path, item in list(raw.get("paths", {}).items()):
        methods = set(METHODS) & set(item)
        sockets = {name for name in methods if _opens_websocket(document, item[name])}
        for name in sockets:
            del item[name]
        if sockets and sockets == methods:
            del raw["paths"][path]
    return raw


def _opens_websocket(document: Document, operation: dict[str, Any]) -> bool:
    response = operation.get("responses", {}).get("101", {})
    return "x-websocket" in document.resolve(response)
