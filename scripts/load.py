"""Hold a server to the contract under load: the one at ``SITEASSIST_BASE_URL``, or a mock.

The exit status is that of ``siteassist-load``, and so is the last line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from contract import (  # type: ignore[import-not-found]  # beside this file, as Python looks for it
    MOCK_KEY,
    running_mock,
)

LOAD = Path(__file__).resolve().parents[1] / ".venv-load" / "bin" / "siteassist-load"


def main() -> int:
    """Run the load and return its exit status."""
    # Ctrl-C is for the load to act on: it still has something to report.
    signal.signal(signal.SIGINT, lambda *_: None)
    command = [str(LOAD), *sys.argv[1:]]
    if os.environ.get("SITEASSIST_BASE_URL"):
        return subprocess.run(command, check=False).returncode
    with running_mock() as url:
        environment = {**os.environ, "SITEASSIST_API_KEY": MOCK_KEY, "SITEASSIST_BASE_URL": url}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
