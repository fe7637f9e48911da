"""The website of the documentation, which `make docs` builds from the repository's own pages."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
MAP = "docs/README"

project = "SiteAssist"
copyright = "the authors of this project"  # noqa: A001  # a name of Sphinx
html_title = "SiteAssist"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "bench", "dist", "examples", "generated", "reports", "requirements"]
exclude_patterns += ["scripts", "site", "src", "templates", "tests", "tools"]
myst_heading_anchors = 4
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_show_sphinx = False
html_copy_source = False
# Examples are of several languages, and some are output.
highlight_language = "text"


def sections(text: str) -> str:
    """Return the page about the documentation as tables of contents, one for each section."""
    found = []
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        pages = re.findall(r"^- \[.*?\]\((.*?)\.md\)", body, re.MULTILINE)
        names = "\n".join(normpath(f"docs/{page}") for page in pages)
        found.append(f"```{{toctree}}\n:hidden:\n:caption: {title}\n\n{names}\n```")
    return "\n\n".join(found)


def add_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """Add the tables of contents to the first page."""
    if name == root_doc:
        text = (ROOT / f"{MAP}.md").read_text(encoding="utf-8")
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{MAP}\n```\n\n{sections(text)}\n"


def setup(app: Sphinx) -> None:
    """Connect the functions of this module."""
    app.connect("source-read", add_contents)
