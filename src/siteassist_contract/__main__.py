"""The command ``siteassist-contract``."""

from __future__ import annotations

import sys
from typing import NoReturn

from siteassist_contract.entry import start

SUBCOMMANDS = {
    name: f"siteassist_contract.subcommands.{name}" for name in ("check", "compare", "drift")
}
"""The module of each subcommand. Any other first argument is the URL of a server or an option."""


def main() -> NoReturn:
    """Run the command, or the subcommand that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in SUBCOMMANDS:
        start("siteassist-contract", "contract", "siteassist_contract.cli")
    del sys.argv[1]
    start(f"siteassist-contract {name}", "contract", SUBCOMMANDS[name])


if __name__ == "__main__":
    main()
