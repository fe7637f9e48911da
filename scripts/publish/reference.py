"""The API reference as a folder that can be read without a server or a network."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from siteassist_spec.reference import PAGE, POLICY, build_reference

_CHARSET = b'<meta charset="utf-8">\n'


def as_folder(spec: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of the reference, by name.

    A file has no HTTP headers, so the page itself contains the content security
    policy, which allows it to load the files of the folder only.

    Raises `LookupError` if an operation has no examples, or if the page lacks the
    line after which the policy is inserted.
    """
    files = {name: file.content for name, file in build_reference(spec).items()}
    before, found, after = files[PAGE].partition(_CHARSET)
    if not found:
        raise LookupError(f"{PAGE} has no {_CHARSET.decode().strip()}")
    # Browsers ignore `frame-ancestors` outside a header.
    rules = [rule for rule in POLICY.split("; ") if not rule.startswith("frame-ancestors")]
    policy = html.escape("; ".join(rules), quote=True)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    files[PAGE] = before + found + meta.encode() + after
    return files
