"""What the client tells of its work, for those who ask with ``SITEASSIST_LOG``.

``SITEASSIST_LOG=info`` gives a line for each answer and each retry,
``debug`` headers and bodies as well; secrets are redacted in all of them.
Programs that configure logging themselves find the logger under ``siteassist``.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Protocol

from .redaction import KeyFilter, redact, redact_headers

if TYPE_CHECKING:
    import httpx

    from .operation import Operation

logger = logging.getLogger("siteassist")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}
_SHOWN = 2000  # Characters of a body that a line repeats.


class Holder(Protocol):
    """Who knows what must never be shown."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        ...


def configure() -> None:
    """Write to standard error if the environment asks for it; keep keys out of httpx's lines."""
    level = _LEVELS.get(os.environ.get("SITEASSIST_LOG", "").lower())
    if level is not None and not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
    theirs = logging.getLogger("httpx")
    if not any(isinstance(found, KeyFilter) for found in theirs.filters):
        theirs.addFilter(KeyFilter())


def log_request(operation: Operation, request: httpx.Request, holder: Holder) -> None:
    """Log what is about to be sent."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    known = holder.secrets
    body = redact(request.content.decode("utf-8", "replace"), known)
    logger.debug(
        "%s: %s %s, headers %s, body %s",
        operation.name,
        request.method,
        redact(str(request.url), known),
        redact_headers(request.headers.items(), known),
        body[:_SHOWN] or "none",
    )


def log_response(
    operation: Operation, response: httpx.Response, took: float, holder: Holder
) -> None:
    """Log what came back."""
    if not logger.isEnabledFor(logging.INFO):
        return
    logger.info(
        "%s: %d %s after %.3f s",
        operation.name,
        response.status_code,
        response.reason_phrase,
        took,
    )
    if logger.isEnabledFor(logging.DEBUG):
        known = holder.secrets
        body = response.text if response.is_closed else "(a stream)"
        logger.debug(
            "%s: headers %s, body %s",
            operation.name,
            redact_headers(response.headers.items(), known),
            redact(body, known)[:_SHOWN] or "none",
        )


def log_retry(operation: Operation, error: Exception, wait: float) -> None:
    """Log that a call is made again."""
    logger.info("%s: again in %.2f s, after: %s", operation.name, wait, error)
