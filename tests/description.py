"""``openapi.yaml``, read once for all tests; a test that changes it copies it."""

from __future__ import annotations

from siteassist_spec import Document, read_operations, read_websockets

__all__ = ["DOCUMENT", "OPERATIONS", "SPEC", "WEBSOCKETS"]

DOCUMENT = Document.load()
SPEC = dict(DOCUMENT.raw)
OPERATIONS = read_operations(DOCUMENT)
WEBSOCKETS = read_websockets(DOCUMENT)
