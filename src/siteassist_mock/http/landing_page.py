"""The page at ``/``: a description of this server, and links."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>SiteAssist mock</title>
<h1>SiteAssist mock</h1>
<p>A local server that stands in for the SiteAssist v2 API in development and in tests.
Its base URL ends with <code>{base_path}</code>.</p>
<ul>
{links}
</ul>
<dl>
{keys}
</dl>
</html>
"""


def landing_paths(
    links: Iterable[tuple[str, str]], base_path: str, keys: Iterable[tuple[str, str]]
) -> dict[str, dict[str, ASGIApp]]:
    """Return the endpoint of the page with ``links`` (path and text) and ``keys`` (name and value).

    Every website can read the page, so keys must not be secret.
    """
    page = _PAGE.format(
        base_path=escape(base_path),
        links="\n".join(f'<li><a href="{escape(to)}">{escape(text)}</a>' for to, text in links),
        keys="\n".join(
            f"<dt>{escape(name)}<dd><code>{escape(value)}</code>" for name, value in keys
        ),
    )
    # It has no state of a request and can be sent any number of times.
    response = HTMLResponse(
        page,
        headers={
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )
    return {"/": {"GET": response}}
