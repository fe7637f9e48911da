"""The start of the command ``siteassist``."""

from __future__ import annotations

import sys
from typing import NoReturn

_CANNOT_START, _INTERRUPTED = 2, 130


def main() -> NoReturn:
    """Run the command; without its packages, name the extra and exit with 2."""
    try:
        from siteassist_cli.cli import main as command

        command(prog_name="siteassist")
    except ModuleNotFoundError as error:
        if (error.name or "siteassist").startswith("siteassist"):
            raise
        print("siteassist needs more packages: pip install 'siteassist[cli]'", file=sys.stderr)
        sys.exit(_CANNOT_START)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    sys.exit()


if __name__ == "__main__":
    main()
