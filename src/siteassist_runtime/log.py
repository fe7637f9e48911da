"""Logging of requests, responses and retries.

``SITEASSIST_LOG=info`` logs a line for each response and each retry, ``debug``
headers and bodies as well. Secrets are redacted. Programs that configure logging
themselves use the logger ``siteassist``.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from siteassist_runtime.http_library import CORES, LIBRARIES
from siteassist_runtime.redaction import KeyFilter, redact, redact_headers
from siteassist_runtime.serialization import text_of
from siteassist_runtime.texts import printable

if TYPE_CHECKING:
    import httpx

    from siteassist_runtime.operation import OperationInfo

logger = logging.getLogger("siteassist")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}
# A filter of a logger does not apply to its child loggers.
_HTTP_LOGGERS = (
    *LIBRARIES,
    *(
        f"{core}.{part}"
        for core in CORES
        for part in ("connection", "http11", "http2", "proxy", "socks")
    ),
)
_SHOWN = 2000  # Characters of a body that are logged.


class _StandardError(logging.StreamHandler[Any]):
    """Writes to the current ``sys.stderr``, which tests may replace."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        """Ignore the value."""


def configure() -> None:
    """Log to standard error if ``SITEASSIST_LOG`` is set; redact the logs of httpx and httpcore."""
    level = _LEVELS.get(os.environ.get("SITEASSIST_LOG", "").lower())
    if level is not None and not logger.handlers:
        handler = _StandardError()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
        # With a handler of the root logger, every line would appear twice.
        logger.propagate = False
    for name in _HTTP_LOGGERS:
        http_logger = logging.getLogger(name)
        if not any(isinstance(found, KeyFilter) for found in http_logger.filters):
            http_logger.addFilter(KeyFilter())


def is_on() -> bool:
    """Return whether the logger is enabled for INFO."""
    return logger.isEnabledFor(logging.INFO)


def log_request(operation: OperationInfo, request: httpx.Request, secrets: tuple[str, ...]) -> None:
    """Log a request before it is sent."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    body = printable(redact(request.content.decode("utf-8", "replace"), secrets)[:_SHOWN])
    logger.debug(
        "%s: %s %s, headers %s, body %s",
        operation.name,
        request.method,
        redact(str(request.url), secrets),
        redact_headers(request.headers.items(), secrets),
        body or "none",
    )


def log_response(
    operation: OperationInfo, response: httpx.Response, took: float, secrets: tuple[str, ...]
) -> None:
    """Log a response."""
    if not logger.isEnabledFor(logging.INFO):
        return
    logger.info(
        "%s: %d %s after %.3f s",
        operation.name,
        response.status_code,
        printable(redact(response.reason_phrase, secrets)),
        took,
    )
    if logger.isEnabledFor(logging.DEBUG):
        body = text_of(response) if response.is_closed else "(a stream)"
        logger.debug(
            "%s: headers %s, body %s",
            operation.name,
            redact_headers(response.headers.items(), secrets),
            printable(redact(body, secrets)[:_SHOWN]) or "none",
        )


def log_unreadable(operation: OperationInfo, error: Exception) -> None:
    """Log a message of a socket that does not match the description, without its content."""
    logger.info("%s: ignored an unreadable message: %s", operation.name, type(error).__name__)


def log_retry(operation: OperationInfo, error: Exception, wait: float) -> None:
    """Log a retry."""
    logger.info("%s: retry in %.2f s after: %s", operation.name, wait, error)
