"""The operator's page: one file, which may run nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from starlette.responses import HTMLResponse

__all__ = ["operator_page"]


def operator_page() -> HTMLResponse:
    """Return the page, with a policy that forbids a browser everything it does not need.

    Its one script and its one style are known by their hashes, so whatever else
    got into the page, such as a visitor's message, could neither run nor load
    anything; and the script's ways to make elements from text are closed.
    """
    text, policy = _page()
    return HTMLResponse(
        text,
        headers={
            "Content-Security-Policy": policy,
            # No other page may lay it under its own buttons.
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
        },
    )


@cache
def _page() -> tuple[str, str]:
    text = files("siteassist_mock.operator").joinpath("page.html").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'",
        f"script-src {_hash('script', text)}",
        f"style-src {_hash('style', text)}",
        "connect-src 'self'",
        # The page's icon is in the page itself.
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return text, "; ".join(policy)


def _hash(element: str, text: str) -> str:
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"
