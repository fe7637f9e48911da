"""``openapi.yaml``, read once for all tests; a test that changes it copies it."""

from __future__ import annotations

from siteassist_spec import Document, read_operations

__all__ = ["DOCUMENT", "OPERATIONS", "SPEC"]

DOCUMENT = Document.load()
SPEC = dict(DOCUMENT.raw)
OPERATIONS = read_operations(DOCUMENT)
