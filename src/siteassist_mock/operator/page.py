"""The operator's page, with a policy that allows only its own script and style."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from starlette.responses import HTMLResponse


def operator_page() -> HTMLResponse:
    """Return the page, with a policy that forbids everything it does not need.

    The policy has the hashes of the script and the style. Injected content, such as
    a visitor's message, can neither run nor load anything, and the script cannot
    create elements from text.
    """
    text, policy = _page()
    return HTMLResponse(
        text,
        headers={
            "Content-Security-Policy": policy,
            # Against clickjacking.
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
        # The icon is in the page itself.
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
