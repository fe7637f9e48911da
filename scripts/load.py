"""Load-test a server against the contract: the server at ``SITEASSIST_BASE_URL``, or a mock.

The exit status and the last line of the output are those of ``siteassist-load``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from contract import (  # type: ignore[import-not-found]  # found beside this file at run time
    MOCK_KEY,
    running_mock,
)

LOAD = Path(__file__).resolve().parents[1] / ".venv-load" / "bin" / "siteassist-load"


def main() -> int:
    """Run the load test and return its exit status."""
    # Leave Ctrl-C to the load test, which prints its report before it ends.
    signal.signal(signal.SIGINT, lambda *_: None)
    command = [str(LOAD), *sys.argv[1:]]
    if os.environ.get("SITEASSIST_BASE_URL"):
        return subprocess.run(command, check=False).returncode
    with running_mock() as url:
        environment = {**os.environ, "SITEASSIST_API_KEY": MOCK_KEY, "SITEASSIST_BASE_URL": url}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
