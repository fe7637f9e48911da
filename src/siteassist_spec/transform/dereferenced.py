"""The description without references, for tools that cannot follow them."""

from __future__ import annotations

from typing import Any

from siteassist_spec.document import Document
from siteassist_spec.transform.rebuild import rebuild

__all__ = ["dereference"]


def dereference(document: Document) -> dict[str, Any]:
    """Return a copy of the description in which the target of each reference replaces it.

    The components stay, so that their names are not lost.

    Raises `SpecError` for a reference that leads nowhere or to another file, and
    `UnknownConstructError` for one to a node that contains it.
    """
    return rebuild(document, follow=True)
