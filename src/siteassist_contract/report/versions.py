"""The versions that reports state, so that a run can be repeated with the same ones."""

from __future__ import annotations

import platform
from importlib import metadata

from siteassist_contract.description import document


def versions(*libraries: str) -> dict[str, str]:
    """Return the versions of this package, the description, Python and some libraries."""
    return {
        "siteassist": metadata.version("siteassist"),
        "API description": str(document().raw["info"]["version"]),
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in libraries},
    }
