"""The reference of the socket: AsyncAPI's own page, as a folder that needs no network."""

from __future__ import annotations

import html
import subprocess
import tempfile
from pathlib import Path

from scripts.publish.node import node_package
from scripts.publish.packages import ROOT, PublishError

FOLDER = "socket-reference"
_BUNDLE = "without-parser.js"
_STYLES = "default.min.css"
_COPIED = {
    _BUNDLE: f"browser/standalone/{_BUNDLE}",
    f"{_BUNDLE}.LICENSE.txt": f"browser/standalone/{_BUNDLE}.LICENSE.txt",
    _STYLES: f"styles/{_STYLES}",
    "LICENSE": "LICENSE",
}
"""The files of AsyncAPI's package, by their names in the folder."""
# The page compiles schemas to code at run time, and inserts styles.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src data:; base-uri 'none'; form-action 'none'"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}: reference of the WebSocket</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{styles}">
<style>
  /* Long names scroll within their box, and the page does not, on a phone. */
  main {{ overflow-wrap: anywhere; }}
  main * {{ max-width: 100%; }}
</style>
<script src="{bundle}" defer></script>
<script src="reference.js" defer></script>
</head>
<body>
<noscript>This page needs JavaScript, which is disabled in this browser.</noscript>
<main id="reference"></main>
<script id="asyncapi" type="application/json">{document}</script>
</body>
</html>
"""
_SCRIPT = """\
"use strict";

AsyncApiStandalone.render(
  { schema: document.getElementById("asyncapi").textContent },
  document.getElementById("reference"),
);
"""


def as_folder(asyncapi: bytes, title: str) -> dict[str, bytes]:
    """Return the files of the reference of an AsyncAPI document, by name.

    Raises `MissingToolError` if AsyncAPI's packages are not installed, and `PublishError` if
    its parser has a problem with the document.
    """
    package = node_package(ROOT, "@asyncapi/react-component")
    files = {name: (package / path).read_bytes() for name, path in _COPIED.items()}
    page = _PAGE.format(
        policy=_POLICY,
        title=html.escape(title),
        styles=_STYLES,
        bundle=_BUNDLE,
        # The text must not end the element.
        document=_parsed(asyncapi).replace("</", "<\\/"),
    )
    return {**files, "index.html": page.encode(), "reference.js": _SCRIPT.encode()}


def _parsed(asyncapi: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asyncapi.yaml"
        path.write_bytes(asyncapi)
        command = ["node", str(ROOT / "tools" / "node" / "asyncapi.mjs"), str(path), "parsed"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PublishError(f"asyncapi.yaml cannot be read: {(done.stdout or done.stderr).strip()}")
    return done.stdout
