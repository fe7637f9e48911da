"""The command ``siteassist-load``."""

from __future__ import annotations

from typing import NoReturn

from siteassist_contract.entry import start


def main() -> NoReturn:
    """Run the command."""
    # Locust replaces sockets and locks by those of gevent, so it must precede their first use.
    package = "siteassist_contract.load"
    start("siteassist-load", "load", "locust", f"{package}.hub", f"{package}.cli")


if __name__ == "__main__":
    main()
