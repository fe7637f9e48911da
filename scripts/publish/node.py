"""The programs of tools/node, which `make lint-spec` installs."""

from __future__ import annotations

import shutil
from pathlib import Path


class MissingToolError(Exception):
    """A program is not installed; the message is the reason."""


def node_tool(root: Path, name: str) -> Path:
    """Return the path of a program in the repository ``root``.

    Raises `MissingToolError` if it or Node.js is not installed.
    """
    return node_package(root, f".bin/{name}")


def node_package(root: Path, name: str) -> Path:
    """Return the folder of a package; raises as `node_tool` does."""
    if shutil.which("node") is None:
        raise MissingToolError("Node.js is not installed")
    path = root / "tools" / "node" / "node_modules" / name
    if not path.exists():
        raise MissingToolError("run `make lint-spec` to install it")
    return path
