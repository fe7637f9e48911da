"""The command ``siteassist-mock``."""

from __future__ import annotations

import sys

try:
    import click
except ModuleNotFoundError:
    print("siteassist-mock needs more packages: pip install 'siteassist[mock]'", file=sys.stderr)
    sys.exit(2)

from siteassist_mock.cli import main

if __name__ == "__main__":
    main(prog_name="siteassist-mock")

__all__ = ["click", "main"]
