"""The API reference as a folder that needs neither a server nor a network."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from siteassist_spec.reference import PAGE, POLICY, build_reference

__all__ = ["as_folder"]

_CHARSET = b'<meta charset="utf-8">\n'


def as_folder(spec: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of the reference by their names.

    A file has no headers, so the page says itself what it may load: what is in
    the folder, and nothing from anywhere else.

    Raises `LookupError` if an operation has no examples, or if the page has no
    place for its policy.
    """
    files = {name: file.content for name, file in build_reference(spec).items()}
    before, found, after = files[PAGE].partition(_CHARSET)
    if not found:
        raise LookupError(f"{PAGE} has no {_CHARSET.decode().strip()}")
    # Who may put the page into a frame can only be said by a header.
    rules = [rule for rule in POLICY.split("; ") if not rule.startswith("frame-ancestors")]
    policy = html.escape("; ".join(rules), quote=True)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    files[PAGE] = before + found + meta.encode() + after
    return files
