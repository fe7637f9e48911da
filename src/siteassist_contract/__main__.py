"""The command ``siteassist-contract``."""

from __future__ import annotations

from typing import NoReturn

from siteassist_contract.entry import start


def main() -> NoReturn:
    """Run the command."""
    start("siteassist-contract", "contract", "siteassist_contract.cli")


if __name__ == "__main__":
    main()
