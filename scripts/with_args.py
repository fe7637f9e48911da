"""Run a command of this environment with the words of the variable ARGS appended.

    ARGS="-k 'one or two'" .venv/bin/python scripts/with_args.py pytest

make hands over what its user wrote by the environment, and no shell reads it: quotes
group words, and nothing else has a meaning.
"""

import os
import shlex
import sys
from pathlib import Path

# What is said to one call of make is not said to those that the command may start.
FOR_THIS_CALL = ("ARGS", "BASE", "BASE_URL", "API_KEY", "TOKEN", "USERS", "TIME", "PYTHON")
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")


def main() -> None:
    """Replace this process by the command."""
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
