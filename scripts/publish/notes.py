"""What the changelog says of a version."""

from __future__ import annotations

import re

__all__ = ["UNRELEASED", "release_notes", "section"]

UNRELEASED = "Unreleased"
"""The heading of what has changed since the last version."""


def section(changelog: str, name: str) -> str | None:
    """Return what is below the heading of a version, or nothing if there is no such heading.

    A heading is ``## 1.2.3``, with or without a date behind.
    """
    found = re.search(
        rf"^## \[?{re.escape(name)}\]?(?![\w.-]).*?\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    return found[1].strip() if found else None


def release_notes(changelog: str, version: str) -> str:
    """Return the notes of ``version``: its section, or before its release the newest changes.

    Raises `LookupError` if the changelog has neither.
    """
    text = section(changelog, version)
    title = f"# SiteAssist {version}"
    if text is None:
        text = section(changelog, UNRELEASED)
        title += ", not yet released"
    if not text:
        raise LookupError(f"CHANGELOG.md says nothing of {version}")
    return f"{title}\n\n{text}\n"
