"""Show a description with a viewer in Chromium, without a network, and look at the page.

    python -m scripts.consumers.pages {swagger-ui,scalar} NODE_MODULES FORM

The page must show every operation, and log no error.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, sync_playwright

from siteassist_spec import METHODS

HOST = "http://viewer.test"
LIMIT = 60_000
"""The time limit for the page, in milliseconds."""
SWAGGER_UI = """\
<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/swagger-ui-dist/swagger-ui.css"><div id="ui"></div>
<script src="/swagger-ui-dist/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/form.json", dom_id: "#ui", docExpansion: "full"})</script>
"""
SCALAR = """\
<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="ui"></div>
<script src="/@scalar/api-reference/dist/browser/standalone.js"></script>
<script>Scalar.createApiReference("#ui", {
  url: "/form.json", withDefaultFonts: false, telemetry: false, defaultOpenAllTags: true,
})</script>
"""
PAGES = {"swagger-ui": SWAGGER_UI, "scalar": SCALAR}
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


def look(page: Page, modules: Path, form: Path, viewer: str) -> list[str]:
    """Return the problems of the page."""
    found: list[str] = []
    page.on("console", lambda one: found.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: found.append(error.message))

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            route.fulfill(body=PAGES[viewer], content_type="text/html")
        else:
            file = form if path == "/form.json" else modules / path[1:]
            route.fulfill(path=file, content_type=TYPES.get(file.suffix, "text/plain"))

    page.route(f"{HOST}/**", answer)
    page.goto(f"{HOST}/", timeout=LIMIT)
    paths = json.loads(form.read_text(encoding="utf-8"))["paths"]
    operations = [
        (method, node["summary"])
        for item in paths.values()
        for method, node in item.items()
        if method in METHODS
    ]
    for _, summary in operations:
        page.get_by_text(summary, exact=True).first.wait_for(state="attached", timeout=LIMIT)
    if viewer == "swagger-ui":
        shown = page.locator(".opblock").count()
        if shown != len(operations):
            found.append(f"{shown} of {len(operations)} operations are shown")
        page.locator(".opblock .responses-wrapper").nth(len(operations) - 1).wait_for(timeout=LIMIT)
    return found


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    viewer, modules, form = arguments
    launcher = shutil.which("chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=launcher, args=["--host-resolver-rules=MAP * ~NOTFOUND"]
        ) as chromium,
    ):
        problems = look(chromium.new_page(), Path(modules), Path(form), viewer)
    for problem in problems:
        print(f"wrong: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
