"""Release notes, taken from the changelog."""

from __future__ import annotations

import re

UNRELEASED = "Unreleased"
"""The heading of the changes since the last version."""


def section(changelog: str, name: str) -> str | None:
    """Return the text below the heading of a version, or None if the heading is missing.

    A heading is ``## 1.2.3``, optionally followed by a date.
    """
    found = re.search(
        rf"^## \[?{re.escape(name)}\]?(?![\w.-]).*?\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    return found[1].strip() if found else None


def release_notes(changelog: str, version: str) -> str:
    """Return the notes of ``version``: its section, or the unreleased changes before its release.

    Raises `LookupError` if the changelog has neither section.
    """
    text = section(changelog, version)
    title = f"# SiteAssist {version}"
    if text is None:
        text = section(changelog, UNRELEASED)
        title += ", not yet released"
    if not text:
        raise LookupError(f"CHANGELOG.md has no section for {version} and no unreleased changes")
    return f"{title}\n\n{text}\n"
