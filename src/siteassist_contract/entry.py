"""The start of a command, before the packages that it needs are known to be installed."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import NoReturn

_NOT_RUN, _INTERRUPTED = 2, 130


def start(name: str, extra: str, *modules: str) -> NoReturn:
    """Import ``modules``, and run the command ``main`` of the last one.

    Without the packages of ``extra``, this is one line and exit status 2.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        imported = [importlib.import_module(module) for module in modules]
        imported[-1].main(prog_name=name)
    except ModuleNotFoundError as error:
        if (error.name or "siteassist").startswith("siteassist"):
            raise
        _end(f"{name} needs more packages: pip install 'siteassist[{extra}]'", _NOT_RUN)
    except KeyboardInterrupt:
        _end(f"{name}: interrupted", _INTERRUPTED)
    finally:
        # The end of the interpreter takes a moment, in which nothing is left to interrupt.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _end(line: str, status: int) -> NoReturn:
    # Not through click, which may be missing.
    print(line, file=sys.stderr)  # noqa: T201  # see above
    sys.exit(status)
