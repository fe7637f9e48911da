"""The description without references, for tools that cannot follow them."""

from __future__ import annotations

from typing import Any

from siteassist_spec.document import Document
from siteassist_spec.transform.rebuild import rebuild


def dereference(document: Document) -> dict[str, Any]:
    """Return a copy of the description with each reference replaced by its target.

    The components are kept, so that their names are not lost.

    Raises `SpecError` for a reference that has no target or leads to another file, and
    `UnknownConstructError` for a reference to a node that contains it.
    """
    return rebuild(document, follow=True)
