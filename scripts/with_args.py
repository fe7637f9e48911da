"""Run a command of this environment with the words of the variable ``ARGS`` appended.

    ARGS="-k 'one or two'" .venv/bin/python scripts/with_args.py pytest

make passes the user's arguments through the environment, so that no shell interprets
them. Quotes group words; no other character is special.
"""

import os
import shlex
import sys
from pathlib import Path

# Variables for one call of make. The command may call make itself, and those calls must
# not inherit them.
FOR_THIS_CALL = ("ARGS", "BASE", "BASE_URL", "API_KEY", "TOKEN", "USERS", "TIME", "PYTHON")
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")


def main() -> None:
    """Replace this process with the command."""
    try:
        words = shlex.split(os.environ.get("ARGS", ""))
    except ValueError as error:
        print(f"invalid ARGS {os.environ['ARGS']!r}: {str(error).lower()}", file=sys.stderr)
        sys.exit(2)
    for name in (*FOR_THIS_CALL, *OF_MAKE):
        os.environ.pop(name, None)
    program = str(Path(sys.executable).with_name(sys.argv[1]))
    os.execv(program, [program, *sys.argv[2:], *words])


if __name__ == "__main__":
    main()
