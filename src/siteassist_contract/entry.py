"""The start of a command, before the packages that it needs are known to be installed."""

from __future__ import annotations

import importlib
import signal
import sys
import traceback
from typing import NoReturn

_INCOMPLETE, _INTERNAL_ERROR, _INTERRUPTED = 2, 3, 130


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
            _fail(error)
        _end(f"{name} needs more packages: pip install 'siteassist[{extra}]'", _INCOMPLETE)
    except Exception as error:  # noqa: BLE001  # reported as an internal error
        _fail(error)
    except KeyboardInterrupt:
        _end(f"{name}: interrupted", _INTERRUPTED)
    finally:
        # The end of the interpreter takes a moment, in which nothing is left to interrupt.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _fail(error: Exception) -> NoReturn:
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    line = f"Internal error: {text}. Please report it; --debug shows the traceback."
    _end(line, _INTERNAL_ERROR)


def _end(line: str, status: int) -> NoReturn:
    # Not through click, which may be missing.
    print(line, file=sys.stderr)  # noqa: T201  # see above
    sys.exit(status)
