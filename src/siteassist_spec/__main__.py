"""The command ``python -m siteassist_spec``, which checks that ``openapi.yaml`` can be read."""

from __future__ import annotations

import sys

from siteassist_spec import SPEC_PATH, SpecError, load_spec, output


def main() -> int:
    """Read the description and return 0, or print the problem and return 2."""
    output.install()
    try:
        load_spec()
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{SPEC_PATH.name} can be read.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
