"""Test a server against the contract: the server at ``SITEASSIST_BASE_URL``, or a mock.

The exit status and the last line of the output are those of ``siteassist-contract``.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

TOOLS = Path(sys.executable).parent
MOCK_KEY = "sa_pk_1234567890abcdef"
MOCK_TOKEN = "sk_test_1234567890abcdef"
START = "SiteAssist mock on "
REPEAT_WITH = "SITEASSIST_REPEAT_WITH"
"""The variable that tells the suite how this command is repeated: its tool is not on the path."""
START_WITH = "SITEASSIST_START_WITH"
"""The variable that tells the suite how the mock is started again, for reproductions."""
_MAY_BE_SECRET = re.compile(r"://\S*@|password|-key", re.IGNORECASE)


@contextmanager
def running_mock() -> Iterator[str]:
    """Run a mock on a free port for the duration of the block, and yield its base URL.

    The environment variable ``MOCK_ARGS`` holds additional options, such as ``--database``.
    """
    # `--quiet`, because the access log would be mixed with the lines of the report.
    try:
        more = shlex.split(os.environ.get("MOCK_ARGS", ""))
    except ValueError as error:
        print(f"invalid MOCK_ARGS: {str(error).lower()}", file=sys.stderr)
        sys.exit(2)
    command = [str(TOOLS / "siteassist-mock"), "--port", "0", "--quiet", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as mock:
        try:
            assert mock.stdout is not None
            line = mock.stdout.readline()
            if not line.startswith(START):
                status = mock.wait()
                print("The tests cannot run: the mock did not start.", file=sys.stderr)
                sys.exit(status or 2)
            yield line.removeprefix(START).split()[0]
        finally:
            mock.terminate()


def commands(url: str, options: str) -> dict[str, str]:
    """Return commands that repeat a run on a mock with ``options``, and that start it again.

    The commands are printed, so they refer to ``MOCK_ARGS`` if the options may have a secret.
    """
    repeat, mock = "make contract", os.path.relpath(TOOLS / "siteassist-mock")
    port = url.removesuffix("/v2").rpartition(":")[2]
    start = f"{mock} {shlex.join(shlex.split(options))}".rstrip() + f" --port {port}"
    if _MAY_BE_SECRET.search(options):
        repeat += ' MOCK_ARGS="$MOCK_ARGS"'
        # The shell must read the quotes in the variable.
        start = f'eval "{mock} $MOCK_ARGS --port {port}"'
    elif options.strip():
        repeat += f" MOCK_ARGS={shlex.quote(options)}"
    return {REPEAT_WITH: repeat, START_WITH: start}


def human_conversation(url: str) -> str:
    """Start a conversation on the mock, hand it over to a human agent, and return its id."""
    host = url.removesuffix("/v2")
    headers = {"Authorization": f"Bearer {MOCK_TOKEN}", "Content-Type": "application/json"}
    started = Request(f"{url}/conversations", b"{}", headers)
    with urlopen(started, timeout=10) as answer:
        conversation = str(json.load(answer)["id"])
    path = f"/_mock/conversations/{conversation}/handover"
    handover = Request(host + path, b"{}", headers)
    with urlopen(handover, timeout=10):
        return conversation


def human_options(url: str) -> list[str]:
    """Return the options that test human agents; none if the mock's own options prevent it."""
    try:
        conversation = human_conversation(url)
    except (OSError, HTTPException, ValueError, LookupError) as error:
        print(
            f"Without a human agent: the mock could not start a conversation ({error}).",
            file=sys.stderr,
        )
        return []
    return [
        "--human-conversation",
        conversation,
        "--operator",
        f"{url.removesuffix('/v2')}/_mock",
    ]


def main() -> int:
    """Run the suite and return its exit status."""
    suite = [str(TOOLS / "siteassist-contract")]
    url = os.environ.get("SITEASSIST_BASE_URL")
    if url:
        again = shlex.join(["make", "contract", f"BASE_URL={url}"])
        environment = {**os.environ, REPEAT_WITH: again}
        command = [*suite, *sys.argv[1:], url]
        return subprocess.run(command, env=environment, check=False).returncode
    with running_mock() as url:
        keys = {"SITEASSIST_API_KEY": MOCK_KEY, "SITEASSIST_TOKEN": MOCK_TOKEN}
        environment = {**os.environ, **keys, "SITEASSIST_BASE_URL": url}
        environment |= commands(url, os.environ.get("MOCK_ARGS", ""))
        command = [*suite, *human_options(url), *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
