"""The command ``siteassist-load``."""

from __future__ import annotations

import sys

try:
    # Replaces sockets and locks by those of gevent, so it must precede their first use.
    import locust  # pyright: ignore[reportMissingImports]  # Locust has an environment of its own
except ModuleNotFoundError:
    print("siteassist-load needs more packages: pip install 'siteassist[load]'", file=sys.stderr)
    sys.exit(2)

from siteassist_contract.load.cli import main

if __name__ == "__main__":
    main(prog_name="siteassist-load")

__all__ = ["locust", "main"]
