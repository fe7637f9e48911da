"""Say so if this Python is too old. Runs on any Python 3, before anything is installed."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # that is the question here
    sys.exit(
        "This project needs Python 3.11 or later; {} is {}.{}. "
        "Name another one: make PYTHON=python3.12 VERB".format(sys.executable, *sys.version_info)
    )
