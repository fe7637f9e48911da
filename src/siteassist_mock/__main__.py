"""The command ``siteassist-mock``."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command; without its packages, name the extra and exit with 2."""
    # Collections during the imports take a tenth of the start, and find nothing. The
    # command enables them again.
    gc.disable()
    try:
        from siteassist_mock.cli import main as command
        from siteassist_spec import output

        output.install()
        command(prog_name="siteassist-mock")
    except ModuleNotFoundError as error:
        if (error.name or "siteassist").startswith("siteassist"):
            raise
        print(
            "siteassist-mock needs more packages: pip install 'siteassist[mock]'", file=sys.stderr
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
