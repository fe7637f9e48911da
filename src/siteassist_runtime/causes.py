"""The causes of our exceptions, which are shown with them and must be as clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from siteassist_runtime.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable


def bare(error: Exception, secrets: Iterable[str]) -> Exception:
    """Return an exception of the same kind with its words only, without secrets."""
    words = redact(str(error), secrets)
    kind = type(error) if isinstance(error, httpx.HTTPError) else Exception
    try:
        return kind(words)
    except TypeError:
        # A kind of its own making, which takes other arguments.
        return httpx.TransportError(words)
