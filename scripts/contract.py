"""Hold a server to the contract: the one at ``SITEASSIST_BASE_URL``, or a mock of our own.

The exit status is that of ``siteassist-contract``, and so is the last line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOOLS = Path(sys.executable).parent
MOCK_KEY = "sa_pk_1234567890abcdef"
START = "SiteAssist mock on "


@contextmanager
def running_mock() -> Iterator[str]:
    """Run a mock on a free port for as long as the block lasts; yields its base URL."""
    # Its log of requests would stand among the lines of the report.
    command = [str(TOOLS / "siteassist-mock"), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as mock:
        try:
            assert mock.stdout is not None  # noqa: S101  # because of PIPE
            line = mock.stdout.readline()
            if not line.startswith(START):
                status = mock.wait()
                print("The tests cannot run: the mock did not start.", file=sys.stderr)
                sys.exit(status or 2)
            yield line.removeprefix(START).split()[0]
        finally:
            mock.terminate()


def main() -> int:
    """Run the suite and return its exit status."""
    suite = [str(TOOLS / "siteassist-contract")]
    url = os.environ.get("SITEASSIST_BASE_URL")
    if url:
        return subprocess.run([*suite, *sys.argv[1:], url], check=False).returncode
    with running_mock() as url:
        keys = {"SITEASSIST_API_KEY": MOCK_KEY, "SITEASSIST_TOKEN": ""}
        environment = {**os.environ, **keys, "SITEASSIST_BASE_URL": url}
        command = [*suite, *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
