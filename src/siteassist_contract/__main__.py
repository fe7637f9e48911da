"""The command ``siteassist-contract``."""

from __future__ import annotations

import sys

try:
    import click
except ModuleNotFoundError:
    print(
        "siteassist-contract needs more packages: pip install 'siteassist[contract]'",
        file=sys.stderr,
    )
    sys.exit(2)

from siteassist_contract.cli import main

if __name__ == "__main__":
    main(prog_name="siteassist-contract")

__all__ = ["click", "main"]
